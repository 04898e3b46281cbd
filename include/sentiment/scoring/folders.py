"""Where models lie: those that are bundled, and those below the models folder. Light, since DAG files import it."""

from __future__ import annotations

from pathlib import Path

from sentiment.settings import Settings

BUNDLED = Path(__file__).parent / "bundled"


def known(config: Settings) -> dict[str, Path]:
    """Return model id -> folder for every model on this machine; an added one hides a bundled one of its name."""
    # Folders whose names begin with a dot are models on their way in, or served copies.
    marks = (mark for root in (BUNDLED, config.models) for mark in sorted(root.glob("[!.]*/assets/labels.txt")))
    return {mark.parents[1].name: mark.parents[1] for mark in marks}
