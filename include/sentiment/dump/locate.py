"""From what was asked for to the list of files, in a fixed order."""

from __future__ import annotations

import glob
from datetime import date
from pathlib import Path

from sentiment.errors import DumpNotFoundError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
COMPRESSED = (*SUFFIXES, *(f"{s}.gz" for s in SUFFIXES))


def pattern_for(template: str, night: date) -> str:
    """The night's glob from a template with `{night}` in it."""
    return template.replace("{night}", night.isoformat())


def locate(uri: str) -> list[Path]:
    """The dump's files, sorted: one file, every dump in a folder, or what a glob matches.

    Raises DumpNotFoundError naming what was looked for and what was there instead.
    """
    path = Path(uri).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _in_folder(path)
    if any(c in uri for c in "*?["):
        return _matching(str(path))
    raise DumpNotFoundError(f"No dump at {uri}: there is no such file or folder.", f"ls -la {path.parent}")


def _in_folder(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.iterdir() if p.is_file() and p.name.lower().endswith(COMPRESSED))
    if not found:
        names = ", ".join(sorted(p.name for p in folder.iterdir())[:5]) or "nothing"
        raise DumpNotFoundError(
            f"No dump in the folder {folder}: it holds {names}; a dump ends in {', '.join(SUFFIXES)}, or that and .gz.",
            f"ls -la {folder}",
        )
    return found


def _matching(pattern: str) -> list[Path]:
    found = sorted(Path(p) for p in glob.glob(pattern, recursive=True))
    files = [p for p in found if p.is_file() and p.name.lower().endswith(COMPRESSED)]
    if not files:
        raise DumpNotFoundError(f"No dump matches {pattern}.", "make nightly DUMP=/path/to/reviews.jsonl")
    return files
