"""`sentiment review forget`: out of the lake, the score cache and the tables, and proof that nothing is left.

Tombstones come first, so that no night brings it back. The tables, which alone know name and text, come last, in
one transaction that searches them before it commits. So what was killed is finished by typing it again.
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
from sentiment.store import forgetting
from sentiment.store.forgetting import Target
from sentiment.workspace import Workspace

ORDER = ("received", evaluation_model.DATASET, reuse.DATASET, *reversed(RUN_DATASETS))
"""`ingested` goes last: it alone leads from the review to its run, and so to its dump."""

BATCH_ROWS = 1000


@dataclass(frozen=True)
class Outcome:
    """What went, or would go, by what it is; and how much was searched for what is left."""

    found: dict[str, int]
    n_tables: int = 0
    n_files: int = 0


def forget(review_id: str, dry_run: bool) -> Outcome:
    """Remove the review and its author's name everywhere, and prove it; a dry run only counts.

    Raises ParameterError for an unknown id, InfrastructureError while a night works or where something is left.
    """
    target, workspace = _with_sentences(forgetting.find(review_id)), Workspace(settings.load().lake)
    if dry_run:
        return Outcome(_doomed(workspace, target) | forgetting.count(target))
    _refuse_while_live(workspace, target)
    forgetting.remember(target)
    _refuse_while_live(workspace, target)  # what began before the tombstones were there has not read them
    gone = _doomed(workspace, target)
    for what in gone:
        _remove(workspace, what.removeprefix(FILES))
    folders = _folders(workspace)
    left = _holding(workspace, folders, target)
    if left:
        raise InfrastructureError(f"The lake at {workspace.root} still holds it: {', '.join(left)}.", target.try_next)
    from_tables, n_tables = forgetting.remove(target)
    return Outcome(gone | from_tables, n_tables, sum(len(files) for files in folders.values()))


def _with_sentences(target: Target) -> Target:
    """Sentences are texts to the score cache; those that are too long to be somebody else's by chance go with it."""
    said = [text[slice(*span)] for text in target.texts for span in sentences.spans(text)]
    long = {contract.nfc_sha256(sentence) for sentence in said if len(sentence) >= forgetting.LONG_CHARS}
    return replace(target, own_hashes=tuple(sorted({*target.own_hashes, *long})))


WORKING = f"""
SELECT run_id FROM sentiment.run_step s JOIN sentiment.run r USING (run_id)
WHERE heartbeat_at > now() - interval '{LIVE_MINUTES} minutes' AND (s.state = 'running'
  OR r.status IN ('running', 'audited')) LIMIT 1"""
"""A run that works, or that is between two steps."""


def _refuse_while_live(workspace: Workspace, target: Target) -> None:
    with transaction() as c:
        run_id = c.execute(sa.text(WORKING)).scalar()
    if run_id:
        raise InfrastructureError(
            f"Run {run_id} worked less than {LIVE_MINUTES} minutes ago and is not over: nothing was removed.",
            f"sentiment run show {run_id}; when it is over: {target.try_next}",
        )
    committed = {file for part in workspace.parts().values() for file in part.files}
    just_now = datetime.now(UTC) - timedelta(minutes=LIVE_MINUTES)
    fresh = [
        f for f, at in workspace.files().items() if f.startswith("received/") and at > just_now and f not in committed
    ]
    if fresh:
        raise InfrastructureError(f"A dump is being taken in ({fresh[0]}): nothing was removed.", target.try_next)


FILES = "files of the lake's "


def _doomed(workspace: Workspace, target: Target) -> dict[str, int]:
    """Folders to remove, in that order, with their files: all of each run that holds it, its dump, cached scores.

    A run that is over needs none of them; one that is not begins again from its dump.
    """
    folders = _folders(workspace)
    held = set(_holding(workspace, folders, target))
    keys = {key for dataset, _, key in (folder.partition("/") for folder in held) if dataset in RUN_DATASETS}
    with transaction() as c:
        dumps = {row.run_id: row.dump_id for row in c.execute(sa.text("SELECT run_id, dump_id FROM sentiment.run"))}
    received = tuple(f"received/dump={dumps.get(key.rpartition('run=')[2])}/" for key in keys)
    held |= {folder for folder in folders if folder.startswith(received)}
    held |= {f"{dataset}/{key}" for key in keys for dataset in RUN_DATASETS}
    there = [f for dataset in ORDER for f in sorted(held & folders.keys()) if f.startswith(f"{dataset}/")]
    return {f"{FILES}{folder}": len(folders[folder]) for folder in there}


def _folders(workspace: Workspace) -> dict[str, list[str]]:
    """Every Parquet file, committed or not, by the folder that is removed with it."""
    owner = {file: folder for folder, part in workspace.parts().items() for file in part.files}
    found = defaultdict(list)
    for file in workspace.files():
        folder = owner.get(file, file)
        whole = folder.startswith(f"{reuse.DATASET}/")
        found["/".join(folder.split("/")[:4]) if whole else re.split("/token=|/[^/=]*$", folder)[0]].append(file)
    return found


def _holding(workspace: Workspace, folders: dict[str, list[str]], target: Target) -> list[str]:
    return [folder for folder, files in folders.items() if any(_holds(workspace, file, target) for file in files)]


def _holds(workspace: Workspace, file: str, target: Target) -> bool:
    """Whether a file says any of it. One that a killed step left unreadable may, so it counts."""
    try:
        batches = pq.ParquetFile(workspace.local(file), filesystem=workspace.filesystem).iter_batches(BATCH_ROWS)
        return any(_batch_holds(batch, target) for batch in batches)
    except pa.ArrowInvalid:
        return True
    except OSError as error:
        raise InfrastructureError(f"{file} of the lake can't be read: {error}", target.try_next) from error


def _batch_holds(batch: pa.RecordBatch, target: Target) -> bool:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_binary(column.type) and target.said_in(b"\n".join(column.drop_null().to_pylist())):
            return True
        if pa.types.is_string(column.type):
            wanted = {"author": target.authors, "text_hash": target.own_hashes}.get(name, (target.review_id,))
            if name == "details" and target.said_in("\n".join(column.drop_null().to_pylist()).encode()):
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
