"""What decides where a file's records begin and end, beside its bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from sentiment.dump.encoding import UTF8, Encoding

# Raise it when the same bytes would be cut into other records: dumps received before are then received again.
CUTTING_VERSION = 2


@dataclass(frozen=True)
class Cutting:
    """How the files of a dump are cut into records, as whoever runs the night, or the profile named for it, has it."""

    encoding: Encoding = UTF8
    escape: str = ""
    """The character that escapes quotes, delimiters and itself in CSV; empty where quotes are doubled."""
    header: tuple[str, ...] = ()
    """Names of the columns of files without a header; empty where the files have one."""
    sheet: str | None = None
    """Name of a workbook's sheet; None: the first."""

    @property
    def key(self) -> str:
        """Return what names these choices in the key of the part `received`; the same for files of every format."""
        chosen = [self.escape, self.header, self.sheet]
        digest = hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:16]
        return f"{self.encoding.name}.{CUTTING_VERSION}" + (f".{digest}" if any(chosen) else "")
