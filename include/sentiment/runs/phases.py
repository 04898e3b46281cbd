"""The moments of a night at which work is done but not yet recorded as done."""

from __future__ import annotations

import sys

# Where being killed hurts most; the kill matrix kills at each of them.
PHASES = (
    "records received",
    "run opened",
    "judged",
    "stopped",
    "validated",
    "chunk scored",
    "audited",
    "loading",
    "staged",
    "locked",
    "merged",
    "before commit",
    "after commit",
    "cleaned",
)


def reached(name: str) -> None:
    """Announce a moment of `PHASES` to Python's audit hooks (`sys.addaudithook`); only the kill matrix listens."""
    # An event of Python rather than a hook of our own: without a listener it costs next to nothing, and nothing of the
    # tests is needed here.
    sys.audit("sentiment.phase", name)
