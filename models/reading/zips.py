"""Archives, looked at before anything in them is unpacked: entries, names, methods, declared sizes."""

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from models.reading.refused import MOST_VALUE, Limits, Refused, shown, size

_LOCAL = struct.Struct("<4s5H3L2H")  # a member's own header, 30 bytes
_METHODS = {
    zipfile.ZIP_STORED: "none",
    zipfile.ZIP_DEFLATED: "deflate",
    zipfile.ZIP_BZIP2: "bzip2",
    zipfile.ZIP_LZMA: "lzma",
}
_SMALL = 1 << 20  # unpacked bytes below which a member may be packed as tightly as it likes


def opened(file: IO[bytes], name: str, limits: Limits, members: int) -> zipfile.ZipFile:
    """The archive with every entry checked (E104, E120 to E126); nothing has been unpacked."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        mend = "Copy or export it again."
        raise Refused(
            "E104", f"{shown(name)} is cut short or damaged: its list of members cannot be read. {mend}"
        ) from None
    entries = archive.infolist()
    if len(entries) > members:
        raise Refused("E121", f"The archive has {len(entries):,} members; the limit is {members:,}.")
    for entry in entries:
        _check_entry(entry, limits)
    twice = [key for key, count in Counter(entry.filename for entry in entries).items() if count > 1]
    if twice:
        raise Refused("E126", f"Two members are both called '{member(twice[0])}'. Keep one.")
    _check_overlap(file, archive, entries)
    return archive


def _check_entry(entry: zipfile.ZipInfo, limits: Limits) -> None:
    if _unsafe(entry):
        mend = "It was not read."
        raise Refused(
            "E123", f"The archive has a member with an unsafe name ('{shown(entry.orig_filename, MOST_VALUE)}'). {mend}"
        )
    what = f"Member '{member(entry.filename)}'"
    if entry.flag_bits & 0x41:
        raise Refused("E124", "The archive is password-protected. Save it without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(entry.compress_type, f"method {entry.compress_type}")
        mend = "Save with np.savez or np.savez_compressed."
        raise Refused("E120", f"{what} uses {method} compression, which is not accepted. {mend}")
    if entry.file_size > _SMALL and entry.file_size > limits.ratio * max(entry.compress_size, 1):
        grows = entry.file_size // max(entry.compress_size, 1)
        mend = "If it is real data, save it uncompressed."
        raise Refused("E121", f"{what} grows {grows:,}-fold when unpacked (limit {limits.ratio}). {mend}")
    if entry.file_size > 4 * limits.matrix_bytes:
        raise Refused(
            "E121", f"{what} unpacks to {size(entry.file_size)}; the limit is {size(4 * limits.matrix_bytes)}."
        )


def _unsafe(entry: zipfile.ZipInfo) -> bool:
    """Absolute, upwards, with a drive or a zero byte, or a link."""
    name = entry.orig_filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    linked = (entry.external_attr >> 16) & 0o170000 == 0o120000
    return not name or name[:1] in "/\\" or ".." in parts or "\0" in name or name[1:2] == ":" or linked


def _check_overlap(file: IO[bytes], archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """Members lie one behind the other and end before the list of members."""
    end = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        file.seek(entry.header_offset)
        raw = file.read(_LOCAL.size)
        if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
            raise Refused(
                "E104", "The archive is damaged: a member is not where the list says. Copy or export it again."
            )
        *_, names, extra = _LOCAL.unpack(raw)
        if entry.header_offset < end:
            raise Refused("E122", "The archive is damaged: its entries overlap.")
        end = entry.header_offset + _LOCAL.size + names + extra + entry.compress_size
    if end > archive.start_dir:
        raise Refused("E122", "The archive is damaged: its entries overlap.")


def content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A member unpacked, never more than it declares (E121, E125)."""
    what = f"Member '{member(entry.filename)}'"
    with unpacking(entry), archive.open(entry) as packed:
        data = packed.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise Refused("E125", f"{what} is damaged: {entry.file_size:,} bytes declared. Copy the file again.")
    return data


@contextmanager
def unpacking(entry: zipfile.ZipInfo) -> Iterator[None]:
    """What goes wrong while a member is unpacked, as a refusal (E125)."""
    try:
        yield
    except Refused:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        what = f"Member '{member(entry.filename)}'"
        raise Refused("E125", f"{what} is damaged (checksum). Copy the file again.") from None


def member(name: str) -> str:
    """A member's name in a message, `.npy` left out."""
    return shown(name.removesuffix(".npy"), MOST_VALUE)
