"""Text as lines, each byte checked: UTF-8 with or without its mark, and no zero byte (E135)."""

import re
from collections.abc import Iterator
from typing import IO

from models.reading.refused import Refused

_MARK = b"\xef\xbb\xbf"
_PIECES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # str.splitlines would also split inside cells, at U+2028 say


def checked_lines(file: IO[bytes]) -> Iterator[str]:
    """Lines with their ends, as csv.reader wants them; ends of any system, a lone carriage return included."""
    file.seek(0)
    place = 0
    for number, raw in enumerate(file, 1):
        data = raw.removeprefix(_MARK) if number == 1 else raw
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = place + len(raw) - len(data) + error.start
            raise Refused("E135", f"Byte {wrong:,} (line {number:,}) is not UTF-8. Save as UTF-8.") from None
        if "\0" in text:
            wrong = place + raw.index(0)
            raise Refused("E135", f"Byte {wrong:,} (line {number:,}) is a zero, which no text has. Save as CSV UTF-8.")
        place += len(raw)
        yield from _PIECES.findall(text) if "\r" in text.rstrip("\r\n") else (text,)
