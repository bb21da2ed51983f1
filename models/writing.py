"""Files written whole or not at all."""

import os
from pathlib import Path


def write_atomic(path: Path, payload: bytes) -> None:
    """Temp file in the same folder, flush, fsync, rename, fsync of the folder: never a torn file."""
    temp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temp.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
    finally:
        temp.unlink(missing_ok=True)  # there only if something failed
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
