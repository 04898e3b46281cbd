"""The demo's home: a folder, a database and settings of its own, which know nothing of the nights of others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentiment import settings
from sentiment.embedded import airflow, machine
from sentiment.settings import Settings

SOURCE, MODEL = "demo", "cinema-fr"
FORMER_MODEL = "cinema-fr-before"
"""The same network by another name: a change of model to show, without a second job to score by another network."""
SHARED_SETTINGS = (
    "SENTIMENT_CACHE", "SENTIMENT_JARS", "SENTIMENT_AIRFLOW_PORT", "SENTIMENT_SPARK_DRIVER_MEMORY"
)  # fmt: skip
"""Settings that hold for the demo too; no address of a database, a run workspace or a cluster is among them."""


def folder(config: Settings) -> Path:
    """Return the home of the demo that belongs to a home."""
    return config.home / "demo"


@contextmanager
def at_home(home: Path) -> Iterator[None]:
    """Let the settings be those of the demo's home until the context ends."""
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith("SENTIMENT_") and n not in SHARED_SETTINGS]:
        del os.environ[name]
    # Detecting the language of reviews that are known to be French would take a third of the time.
    own = {"HOME": home, "SOURCE": SOURCE, "MODEL": MODEL, "CHECK_LANGUAGE": "false"}
    os.environ |= {f"SENTIMENT_{name}": str(value) for name, value in own.items()}
    settings.load.cache_clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.load.cache_clear()


def remove(config: Settings) -> None:
    """Stop the demo and remove all of it; do nothing where there is none."""
    home = folder(config)
    if home.exists():
        stop(config)
        with at_home(home):
            machine.postgres(settings.load()).destroy()
        shutil.rmtree(home, ignore_errors=True)


def stop(config: Settings) -> int:
    """End the processes of the demo; return how many there were, without Postgres."""
    if not folder(config).exists():
        return 0
    with at_home(folder(config)):
        own = settings.load()
        n_ended = airflow.down(own)
        machine.postgres(own).stop()
    return n_ended
