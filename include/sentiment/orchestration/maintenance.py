"""maintain_store: what is past its time in database, lake and score cache; told, or removed."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.orchestration.steps import PARIS
from sentiment.runs import attempts, opening
from sentiment.scoring import registry, reuse
from sentiment.settings import Settings
from sentiment.store import retention
from sentiment.store.retention import Leftover
from sentiment.workspace import Workspace

log = logging.getLogger(__name__)

RUN_DATASETS = ("ingested", "judged", "accepted", "quarantined", "duplicate", "scored", "profile")


def find() -> list[Leftover]:
    """Everything past its time; nothing that a live attempt works on or that an unfinished run still needs."""
    config = settings.load()
    return [*retention.find(config), *_lake(config), *_score_caches(config), *_served_copies(config)]


def maintain(dry_run: bool) -> list[Leftover]:
    """Find, tell, and unless it is a dry run remove; returns what goes or went. Months ahead are always made."""
    retention.months_ahead()
    found = find()
    for leftover in found:
        log.info("%s %s", "would remove" if dry_run else "removes", words(leftover))
    return [leftover for leftover in found if dry_run or _remove(leftover)]


def _remove(leftover: Leftover) -> bool:
    if leftover.remove():
        return True
    log.info("needed again meanwhile: %s", leftover.where)
    return False


def words(leftover: Leftover) -> str:
    """Like `12 rows (0.3 MB) of payloads of refused records: sentiment.quarantine`."""
    size = f" ({leftover.n_bytes / 1e6:,.1f} MB)" if leftover.n_bytes else ""
    return f"{leftover.amount:,} {leftover.unit}{size} of {leftover.kind}: {leftover.where}"


PAST = """(night < :oldest AND greatest(started_at, finished_at,
  (SELECT max(heartbeat_at) FROM sentiment.run_step s WHERE s.run_id = r.run_id)) < :oldest)"""
"""SQL: whether a run `r` is over, however it ended, and so long ago that nobody goes on with it."""


def _lake(config: Settings) -> list[Leftover]:
    """Nights of runs that are over, dumps that no other run needs, and what killed attempts left."""
    workspace = Workspace(config.lake)
    before = datetime.now(PARIS) - timedelta(days=config.keep_lake_days)
    with transaction() as c:
        query = sa.text(f"SELECT run_id, dump_id, {PAST} AS past FROM sentiment.run r")
        runs = c.execute(query, {"oldest": before.date()}).all()
    nights = list(_nights(workspace, runs, before))
    told = tuple(f"{night.where}/" for night in nights)
    parts = [part for part in _parts(workspace, before) if not part.where.startswith(told)]
    return [*nights, *_dumps(workspace, runs, before), *_attempts(workspace, before), *parts]


def _nights(workspace: Workspace, runs: Sequence[sa.Row[Any]], before: datetime) -> Iterator[Leftover]:
    past = {row.run_id: row.past for row in runs}
    for path, folder in workspace.folders(rf"({'|'.join(RUN_DATASETS)})/night=[^/]+/run=[^/]+").items():
        dataset, _, key = path.partition("/")
        run_id = key.rpartition("run=")[2]
        if past.get(run_id, folder.newest < before):
            kind = "lake night of a finished run" if run_id in past else "lake night of a run the ledger does not know"
            remove = partial(_remove_unneeded, workspace, dataset, key, ("run_id", run_id), before)
            yield Leftover(kind, path, folder.n_files, "files", folder.n_bytes, remove)


def _dumps(workspace: Workspace, runs: Sequence[sa.Row[Any]], before: datetime) -> Iterator[Leftover]:
    known, needed = {row.dump_id for row in runs}, {row.dump_id for row in runs if not row.past}
    for path, manifest in workspace.folders(r"manifest/received/dump=[^/]+").items():
        dump_id = path.rpartition("dump=")[2]
        if dump_id not in needed and (dump_id in known or manifest.newest < before):
            remove = partial(_remove_unneeded, workspace, "received", f"dump={dump_id}", ("dump_id", dump_id), before)
            yield from _folder(workspace, "received", f"dump={dump_id}", "records of a dump no run needs", remove)


def _remove_unneeded(workspace: Workspace, dataset: str, key: str, which: tuple[str, str], before: datetime) -> bool:
    """Unless a run needs it by now; until it is gone, no run that might is opened and none of its steps starts."""
    column, value = which
    values = {"value": value, "oldest": before.date()}
    with transaction() as c:
        c.exec_driver_sql(opening.LOCK_OPENING)
        c.execute(sa.text(f"SELECT 1 FROM sentiment.run WHERE {column} = :value ORDER BY run_id FOR UPDATE"), values)
        query = f"SELECT 1 FROM sentiment.run r WHERE {column} = :value AND NOT {PAST}"
        if c.execute(sa.text(query), values).first() is not None:
            return False
        workspace.remove(dataset, key)
    return True


def _attempts(workspace: Workspace, before: datetime) -> Iterator[Leftover]:
    """What find_dump took in and never committed."""
    for path, folder in workspace.folders(r"received/attempt=[^/]+").items():
        if folder.newest < before and _is_unnamed(workspace, path):
            remove = partial(_remove_if, workspace, path, partial(_is_unnamed, workspace, path))
            yield Leftover("records of a killed find_dump", path, folder.n_files, "files", folder.n_bytes, remove)


def _is_unnamed(workspace: Workspace, attempt: str) -> bool:
    return not any(
        file.startswith(f"{attempt}/") for part in workspace.committed("received", "") for file in part.files
    )


def _parts(workspace: Workspace, before: datetime) -> Iterator[Leftover]:
    """What a step that was killed wrote and never committed."""

    def is_dead(path: str) -> bool:
        token = int(re.findall(r"/token=(\d+)/", path)[0])
        return not workspace.exists(f"manifest/{path}.json") and token not in attempts.live_tokens()

    for path, folder in workspace.folders(r"(?!manifest/).+/token=\d+/chunk=\d+").items():
        if folder.newest < before and is_dead(path):
            remove = partial(_remove_if, workspace, path, partial(is_dead, path))
            yield Leftover("lake part of a killed step", path, folder.n_files, "files", folder.n_bytes, remove)


def _remove_if(workspace: Workspace, path: str, still: Callable[[], bool]) -> bool:
    if not still():
        return False
    workspace.remove_folder(path)
    return True


def _folder(workspace: Workspace, dataset: str, key: str, kind: str, remove: Callable[[], bool]) -> Iterator[Leftover]:
    """What the key's manifests name, wherever it lies; nothing where they name nothing."""
    parts = workspace.committed(dataset, key)
    folders = {f"{dataset}/{key}", *(file.rsplit("/", 1)[0] for part in parts for file in part.files)}
    outermost = {f for f in folders if not any(f != other and f.startswith(f"{other}/") for other in folders)}
    sizes = [workspace.size(folder) for folder in outermost]
    n_files, n_bytes = sum(n for n, _ in sizes), sum(n for _, n in sizes)
    if n_files:
        yield Leftover(kind, f"{dataset}/{key}", n_files, "files", n_bytes, remove)


RETIRED_NETWORKS = f"""
SELECT fingerprint FROM sentiment.model GROUP BY fingerprint HAVING bool_and(coalesce({retention.RETIRED}, false))"""


def _score_caches(config: Settings) -> Iterator[Leftover]:
    """Score caches of networks that only models retired long ago have."""
    workspace, days = Workspace(config.lake), config.keep_retired_days
    with transaction() as c:
        retired = c.execute(sa.text(f"{RETIRED_NETWORKS} ORDER BY 1"), {"days": days}).scalars().all()
    for fingerprint in retired:
        key, remove = reuse.cache_key(fingerprint), partial(_remove_cache, workspace, fingerprint, days)
        yield from _folder(workspace, reuse.DATASET, key, "score cache of a retired model", remove)
    yield from _unused_caches(workspace, datetime.now(PARIS) - timedelta(days=days))


def _unused_caches(workspace: Workspace, before: datetime) -> Iterator[Leftover]:
    """Score caches of networks that no model has any more: its files, vocabulary or preparation were changed."""
    with transaction() as c:
        known = set(c.execute(sa.text(NETWORKS)).scalars())
    for path, folder in workspace.folders(rf"{reuse.DATASET}/fingerprint=[^/]+").items():
        fingerprint = path.rpartition("=")[2]
        if fingerprint not in known and folder.newest < before:
            remove = partial(_remove_unused_cache, workspace, fingerprint)
            yield Leftover("score cache no model uses", path, folder.n_files, "files", folder.n_bytes, remove)


NETWORKS = "SELECT fingerprint FROM sentiment.model"


def _remove_unused_cache(workspace: Workspace, fingerprint: str) -> bool:
    with transaction() as c:
        c.exec_driver_sql(registry.LOCK_REGISTERING)
        if fingerprint in c.execute(sa.text(NETWORKS)).scalars().all():
            return False
        workspace.remove(reuse.DATASET, reuse.cache_key(fingerprint))
    return True


def _remove_cache(workspace: Workspace, fingerprint: str, days: int) -> bool:
    """Unless a model was taken back, or another registered with the same network."""
    with transaction() as c:
        c.exec_driver_sql(registry.LOCK_REGISTERING)
        c.execute(sa.text("SELECT 1 FROM sentiment.model WHERE fingerprint = :f FOR SHARE"), {"f": fingerprint})
        if fingerprint not in c.execute(sa.text(RETIRED_NETWORKS), {"days": days}).scalars().all():
            return False
        workspace.remove(reuse.DATASET, reuse.cache_key(fingerprint))
    return True


def _served_copies(config: Settings) -> Iterator[Leftover]:
    """Copies made to be scored with that no job has used since, and what is left of those that were never finished."""
    before = (datetime.now(PARIS) - timedelta(days=config.keep_retired_days)).timestamp()
    for folder in sorted(config.models_served.glob("*")):
        if _is_unused(folder, before):
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            remove = partial(_remove_served_copy, folder, before)
            yield Leftover("copy of a network, long unused", str(folder), len(sizes), "files", sum(sizes), remove)


def _is_unused(folder: Path, before: float) -> bool:
    return folder.is_dir() and folder.stat().st_mtime < before


def _remove_served_copy(folder: Path, before: float) -> bool:
    """Whoever needs it all the same makes it again."""
    if not _is_unused(folder, before):
        return False
    shutil.rmtree(folder)
    return True
