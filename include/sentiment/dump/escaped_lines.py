"""Lines of CSV with backslash escapes, as MySQL writes it: what an escape is, before a record is cut."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from sentiment.contract import RAW_HEAD_BYTES
from sentiment.dump.stream import Line

ESCAPED = re.compile(rb"\\(?:.|$)", re.DOTALL)


def without_escapes(data: bytes) -> bytes:
    """Return CSV of as many bytes, in which what a backslash escapes is no quote, delimiter or line end."""
    return ESCAPED.sub(b"__", data)


def with_escaped_ends(lines: Iterator[Line], most_bytes: int, most_lines: int) -> Iterator[Line]:
    """Yield the lines, those whose end a backslash escapes with the next ones as one line, within the bounds."""
    for line in lines:
        held, size = [line], line.n_bytes
        while _ends_escaped(held[-1]) and size <= most_bytes and len(held) <= most_lines:
            following = next(lines, None)
            if following is None:
                break
            held.append(following)
            size += following.n_bytes
        yield line if len(held) == 1 else _as_one(held, size, most_bytes)


def _as_one(held: list[Line], size: int, most_bytes: int) -> Line:
    """Return lines as one; of one that is longer than a record may be the head, and the hash of what was read."""
    raw = b"\n".join(line.raw for line in held)
    if size <= most_bytes and not held[-1].sha256:
        return Line(held[0].byte_offset, raw, size, None)
    return Line(held[0].byte_offset, raw[:RAW_HEAD_BYTES], size, hashlib.sha256(raw).hexdigest())


def _ends_escaped(line: Line) -> bool:
    return not line.sha256 and (len(line.raw) - len(line.raw.rstrip(b"\\"))) % 2 == 1
