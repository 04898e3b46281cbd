"""The moments of a night at which work is done but not yet recorded as done."""

from __future__ import annotations

import sys

PHASES = (
    "dump found",
    "ingested",
    "validated",
    "chunk scored",
    "audited",
    "staged",
    "locked",
    "merged",
    "before commit",
    "after commit",
    "cleaned",
)
"""Moments of a night at which work is done but not yet written down as done: where being killed hurts most."""


def reached(name: str) -> None:
    """Tell Python's audit hooks (`sys.addaudithook`) where a night is; nobody listens outside the kill matrix."""
    sys.audit("sentiment.phase", name)
