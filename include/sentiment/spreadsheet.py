"""Texts in tables that people open in a spreadsheet."""

from __future__ import annotations

import re

# Spreadsheets hold 32,767 characters in a cell, and put the rest of a longer text into other cells.
CELL_CHARS = 32_000
# Where a spreadsheet would begin to calculate; in many countries semicolons end a cell.
FORMULA = re.compile(r"^(?=[=+\-@\t\r\n])|(?<=;)(?=[\s\"]*[=+\-@])")


def cell(text: str) -> str:
    """Return a text that a spreadsheet shows and never runs: an apostrophe before a formula, cut to CELL_CHARS."""
    safe = FORMULA.sub("'", text)
    return safe if len(safe) <= CELL_CHARS else f"{safe[:CELL_CHARS]}…"
