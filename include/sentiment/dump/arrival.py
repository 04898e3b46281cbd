"""Whether a dump is there and at rest: nobody writes its files any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sentiment.dump.locate import locate
from sentiment.errors import InfrastructureError, quoted

REST_S = 60
"""A file that was last written longer ago is at rest."""
BETWEEN_LOOKS_S = 10
"""Seconds between two looks at files that are younger."""


class FileState(NamedTuple):
    """A file of a dump as one look saw it."""

    uri: str
    n_bytes: int
    modified_s: float
    """Seconds since 1970 by the clock of the file's own storage."""


def look(uri: str) -> list[FileState]:
    """Return the state of a dump's files, in the order of `locate`, which raises; no file is opened."""
    return [_state(path) for path in locate(uri)]


def _state(path: Path) -> FileState:
    try:
        stat = path.stat()
    except OSError as error:
        raise InfrastructureError(f"{path} vanished as it was looked at: {error}", f"ls -la {quoted(path)}") from error
    return FileState(str(path), stat.st_size, round(stat.st_mtime, 3))


def at_rest(
    uri: str, clock: Callable[[], float] = time.time, wait: Callable[[float], None] = time.sleep
) -> list[FileState] | None:
    """Return the state of a dump's files where they are at rest: old enough, or the same at two looks; else None.

    Raises what `locate` raises.
    """
    first = look(uri)
    if all(clock() - state.modified_s > REST_S for state in first):
        return first
    # Times of another machine may lie in the future for ever.
    wait(BETWEEN_LOOKS_S)
    return first if look(uri) == first else None


def check_unchanged(uri: str, before: list[FileState]) -> None:
    """Raise InfrastructureError, naming the first file, where the dump's files aren't those of an earlier look."""
    now = look(uri)
    if now == before:
        return
    changed = sorted({state.uri for state in set(before) ^ set(now)})
    raise InfrastructureError(
        f"The dump at {uri} changed while it was taken in: {changed[0]} vanished, came or was written"
        f"{f', and {len(changed) - 1} more' if len(changed) > 1 else ''}.",
        f"ls -la {quoted(changed[0])}; once nobody writes it any more, the same command again",
    )
