"""Where Great Expectations' pages lie, apart from the library and from Spark: the command line needs nothing else."""

from __future__ import annotations

from pathlib import Path


def page(folder: Path) -> Path:
    """Return the entry page of Data Docs below `folder`, whether it exists yet or not."""
    return folder / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"
