"""Forget a review: remove it from the run workspace, the score cache and the tables, and search for what is left.

The suppression list gets its keys first, so that no night publishes it again. The tables, which alone know author
and text, come last, in one transaction that searches them before it commits. So a killed command is repeated.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from sentiment import contract, settings
from sentiment.database import transaction
from sentiment.errors import InfrastructureError
from sentiment.evaluation import model as evaluation_model
from sentiment.orchestration.maintenance import RUN_DATASETS
from sentiment.runs.attempts import LIVE_MINUTES
from sentiment.scoring import reuse, sentences
from sentiment.sql import statement
from sentiment.store import forgetting
from sentiment.store.forgetting import Target
from sentiment.workspace import Workspace

# The order in which parts are removed. `judged` goes last, or what earlier versions wrote as `ingested`: it alone leads
# from the review to its run and dump.
ORDER = ("received", evaluation_model.DATASET, reuse.DATASET, *reversed(RUN_DATASETS))
# Rows of a Parquet file that are searched at a time: records may be long.
BATCH_ROWS = 1000


@dataclass(frozen=True)
class Outcome:
    """What was removed, or would be, and how much was searched afterwards."""

    removed: dict[str, int]
    """Kind and place -> rows or files; in a dry run what would be removed."""
    n_tables: int = 0
    """Tables searched; 0 in a dry run."""
    n_files: int = 0
    """Parquet files searched; 0 in a dry run."""


def forget(review_id: str, dry_run: bool) -> Outcome:
    """Remove the review and its author's name everywhere, then search for them; a dry run only counts.

    Raises ParameterError for an unknown id, InfrastructureError while a night works or where something is left.
    """
    target, workspace = _with_sentences(forgetting.find(review_id)), Workspace(settings.load().lake)
    if dry_run:
        return Outcome(_folders_to_remove(workspace, target) | forgetting.count(target))
    _refuse_while_live(workspace, target)
    forgetting.suppress(target)
    # Once more: an attempt that began before the suppression list had the keys has not read them.
    _refuse_while_live(workspace, target)
    removed = _folders_to_remove(workspace, target)
    for kind in removed:
        _remove(workspace, kind.removeprefix(FILES))
    folders = _folders(workspace)
    remaining = _holding(workspace, folders, target)
    if remaining:
        raise InfrastructureError(
            f"The run workspace at {workspace.root} still holds it: {', '.join(remaining)}.", target.try_next
        )
    from_tables, n_tables = forgetting.remove(target)
    return Outcome(removed | from_tables, n_tables, sum(len(files) for files in folders.values()))


def _with_sentences(target: Target) -> Target:
    """Return the target with the hashes of its long sentences, which the score cache holds as texts of their own."""
    parts = [text[slice(*span)] for text in target.texts for span in sentences.spans(text)]
    # Short ones stay: another review may hold the very same sentence.
    long = {contract.nfc_sha256(sentence) for sentence in parts if len(sentence) >= forgetting.LONG_CHARS}
    return replace(target, own_hashes=tuple(sorted({*target.own_hashes, *long})))


def _refuse_while_live(workspace: Workspace, target: Target) -> None:
    """Raise InfrastructureError while a run works or a dump is being received."""
    values = {"live_minutes": LIVE_MINUTES}
    with transaction() as c:
        run_id = c.execute(statement("orchestration/forgetting/working_run"), values).scalar()
    if run_id:
        raise InfrastructureError(
            f"Run {run_id} worked less than {LIVE_MINUTES} minutes ago and is not over: nothing was removed.",
            f"sentiment run show {run_id}; when it is over: {target.try_next}",
        )
    # ingest opens its run only once the dump is received; until then only its files show that it works.
    committed = {file for part in workspace.parts().values() for file in part.files}
    just_now = datetime.now(UTC) - timedelta(minutes=LIVE_MINUTES)
    fresh = [
        f for f, at in workspace.files().items() if f.startswith("received/") and at > just_now and f not in committed
    ]
    if fresh:
        raise InfrastructureError(f"A dump is being received ({fresh[0]}): nothing was removed.", target.try_next)


FILES = "files of the run workspace's "


def _folders_to_remove(workspace: Workspace, target: Target) -> dict[str, int]:
    """Return kind and folder -> files, in the order of removal: all of each run that holds it, its dump, cached scores.

    Parquet is not rewritten: a run that is over needs none of it; one that is not begins again from its dump.
    """
    folders = _folders(workspace)
    holding = set(_holding(workspace, folders, target))
    keys = {key for dataset, _, key in (folder.partition("/") for folder in holding) if dataset in RUN_DATASETS}
    with transaction() as c:
        dumps = {row.run_id: row.dump_id for row in c.execute(sa.text("SELECT run_id, dump_id FROM sentiment.run"))}
    received = tuple(f"received/dump={dumps.get(key.rpartition('run=')[2])}/" for key in keys)
    holding |= {folder for folder in folders if folder.startswith(received)}
    holding |= {f"{dataset}/{key}" for key in keys for dataset in RUN_DATASETS}
    in_order = [f for dataset in ORDER for f in sorted(holding & folders.keys()) if f.startswith(f"{dataset}/")]
    return {f"{FILES}{folder}": len(folders[folder]) for folder in in_order}


def _folders(workspace: Workspace) -> dict[str, list[str]]:
    """Return folder -> its Parquet files, committed or not; a folder is what is removed at a time.

    That is the chunk of the score cache, since its other texts are only scored again, and else all that lies under
    one key of a dataset, whichever attempt wrote it.
    """
    owner = {file: folder for folder, part in workspace.parts().items() for file in part.files}
    folders = defaultdict(list)
    for file in workspace.files():
        folder = owner.get(file, file)
        if folder.startswith(f"{reuse.DATASET}/"):
            removed_with = "/".join(folder.split("/")[:4])
        else:
            removed_with = re.split("/token=|/[^/=]*$", folder)[0]
        folders[removed_with].append(file)
    return folders


def _holding(workspace: Workspace, folders: dict[str, list[str]], target: Target) -> list[str]:
    """Return the folders with a file that holds the review, its text or its author."""
    return [folder for folder, files in folders.items() if any(_holds(workspace, file, target) for file in files)]


def _holds(workspace: Workspace, file: str, target: Target) -> bool:
    """Return whether a file holds the review; one that a killed attempt left unreadable may, so it counts."""
    try:
        batches = pq.ParquetFile(workspace.local(file), filesystem=workspace.filesystem).iter_batches(BATCH_ROWS)
        return any(_batch_holds(batch, target) for batch in batches)
    except pa.ArrowInvalid:
        return True
    except OSError as error:
        raise InfrastructureError(f"{file} of the run workspace can't be read: {error}", target.try_next) from error


def _batch_holds(batch: pa.RecordBatch, target: Target) -> bool:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        # Raw records: any form of JSON or CSV may be in them.
        if pa.types.is_binary(column.type) and target.is_named_in(b"\n".join(column.drop_null().to_pylist())):
            return True
        if pa.types.is_string(column.type):
            wanted = {"author": target.authors, "text_hash": target.own_hashes}.get(name, (target.review_id,))
            # Reasons of a refusal quote values, and those that can't be read are kept.
            if name in ("details", "value") and target.is_named_in("\n".join(column.drop_null().to_pylist()).encode()):
                return True
            if pc.any(pc.is_in(column, value_set=pa.array(wanted, pa.string()))).as_py():
                return True
    return False


def _remove(workspace: Workspace, folder: str) -> None:
    dataset, _, key = folder.partition("/")
    if dataset == reuse.DATASET:
        workspace.discard(folder)  # its other texts are scored again
    else:
        workspace.remove(dataset, key)
