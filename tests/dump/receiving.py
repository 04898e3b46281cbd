"""Dumps written, received and read back from the run workspace, for the tests of receiving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sentiment.dump.decoding import to_rows
from sentiment.dump.identity import Identity
from sentiment.dump.receive import Dump, receive
from sentiment.runs.model import IdentityRule, Reading
from sentiment.schemas import POSITION
from sentiment.settings import Settings
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PLAIN = Reading()
GOOD = b'{"review": "Un film magnifique.", "polarity": 1}\n'


def zstd(content: bytes) -> bytes:
    """Compress with Zstandard, which Python 3.11 has no module for."""
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def take(
    path: Path, tmp_path: Path, reading: Reading = PLAIN, **changes: object
) -> tuple[Dump, list[dict[str, object]]]:
    """Receive the dump at `path`; return it and its records as the run workspace has them. `changes` are settings."""
    workspace = Workspace(str(tmp_path / "lake"))
    dump = receive(str(path), Settings(home=tmp_path, **changes), workspace, reading)  # type: ignore[arg-type]
    parts = workspace.committed("received", dump.key)
    rows = [row for part in parts for f in part.files for row in pq.read_table(workspace.local(f)).to_pylist()]
    return dump, rows


def decoded(
    spark: SparkSession,
    path: Path,
    tmp_path: Path,
    reading: Reading = PLAIN,
    rule: IdentityRule | None = None,
    **changes: object,
) -> DataFrame:
    """Receive the dump at `path`; return its decoded records in order. `changes` are settings."""
    workspace = Workspace(str(tmp_path / "lake"))
    dump = receive(str(path), Settings(home=tmp_path, **changes), workspace, reading)  # type: ignore[arg-type]
    received = workspace.read(spark, workspace.committed("received", dump.key))
    identity = Identity(rule or dump.profile.identity_rule(dump.mapped))
    return to_rows(received, "s", dump.layouts, dump.profile, identity).orderBy(*POSITION)


def profile_folder(parent: Path, lines: str) -> Path:
    """Write the source profile `mine` of these lines, without its `about`, into a folder; return the folder."""
    folder = parent / "sources"
    folder.mkdir()
    (folder / "mine.toml").write_text(f'about = "x"\n{lines}', "utf-8")
    return folder


def written(path: Path, content: bytes) -> Path:
    """Write a file; return its path."""
    path.write_bytes(content)
    return path
