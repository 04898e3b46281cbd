"""Write the configuration table of README.md anew from settings.py: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined
from sentiment.settings import Settings

README = Path(__file__).parents[1] / "README.md"
BETWEEN = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)


def table() -> str:
    """Return a Markdown table of every setting: variable, default, meaning."""
    rows = ["| variable | default | what it sets |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        shown = "" if field.default in (None, "", PydanticUndefined, Path("")) else f"`{field.default}`"
        if name == "home":
            shown = "`.local` in the checkout"
        rows.append(f"| `SENTIMENT_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """Return the README's text with today's table."""
    return BETWEEN.sub(lambda m: m[1] + table() + m[2], text)


if __name__ == "__main__":
    README.write_text(renewed(README.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{README} is up to date\n")
