"""List or remove what is past its time in the database, the run workspace and the score cache (maintain_store)."""

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
from sentiment.orchestration.ingesting import PARIS
from sentiment.runs import attempts, opening
from sentiment.scoring import registry, reuse
from sentiment.settings import Settings
from sentiment.sql import statement
from sentiment.store import retention
from sentiment.store.retention import Leftover
from sentiment.workspace import Workspace

log = logging.getLogger(__name__)

# In the order in which a night makes them; `forgetting` removes them the other way round.
# Earlier versions wrote `ingested`, too.
RUN_DATASETS = ("ingested", "judged", "accepted", "quarantined", "duplicate", "unread", "scored", "profile")


def find() -> list[Leftover]:
    """Return everything past its time; nothing that a live attempt works on or that an unfinished run needs."""
    config = settings.load()
    return [*retention.find(config), *_workspace(config), *_score_caches(config), *_served_copies(config)]


def maintain(dry_run: bool) -> list[Leftover]:
    """Log everything past its time and, unless it is a dry run, remove it; return what goes or went.

    The partitions of the months ahead are made in any case.
    """
    retention.months_ahead()
    leftovers = find()
    for leftover in leftovers:
        log.info("%s %s", "would remove" if dry_run else "removes", describe(leftover))
    return [leftover for leftover in leftovers if dry_run or _remove(leftover)]


def _remove(leftover: Leftover) -> bool:
    if leftover.remove():
        return True
    log.info("needed again meanwhile: %s", leftover.where)
    return False


def describe(leftover: Leftover) -> str:
    """Return a line like `12 rows (0.3 MB) of payloads of refused records: sentiment.quarantine`."""
    size = f" ({leftover.n_bytes / 1e6:,.1f} MB)" if leftover.n_bytes else ""
    return f"{leftover.amount:,} {leftover.unit}{size} of {leftover.kind}: {leftover.where}"


def _workspace(config: Settings) -> list[Leftover]:
    """Return nights of runs that are over, dumps that no other run needs, and what killed attempts wrote."""
    workspace = Workspace(config.lake)
    before = datetime.now(PARIS) - timedelta(days=config.keep_lake_days)
    with transaction() as c:
        runs = c.execute(statement("orchestration/maintenance/runs"), {"oldest": before.date()}).all()
    nights = list(_nights(workspace, runs, before))
    # A part of a night that goes as a whole is not listed a second time.
    listed = tuple(f"{night.where}/" for night in nights)
    parts = [part for part in _parts(workspace, before) if not part.where.startswith(listed)]
    return [*nights, *_dumps(workspace, runs, before), *_attempts(workspace, before), *parts]


def _nights(workspace: Workspace, runs: Sequence[sa.Row[Any]], before: datetime) -> Iterator[Leftover]:
    is_past = {row.run_id: row.is_past for row in runs}
    for path, folder in workspace.folders(rf"({'|'.join(RUN_DATASETS)})/night=[^/]+/run=[^/]+").items():
        dataset, _, key = path.partition("/")
        run_id = key.rpartition("run=")[2]
        # A run that the database does not know, as after restoring a backup, goes by the age of its files.
        if is_past.get(run_id, folder.newest < before):
            kind = "part of a finished run" if run_id in is_past else "part of a run that is not recorded"
            remove = partial(_remove_night, workspace, dataset, key, run_id, before)
            yield Leftover(kind, path, folder.n_files, "files", folder.n_bytes, remove)


def _remove_night(workspace: Workspace, dataset: str, key: str, run_id: str, before: datetime) -> bool:
    """Remove a part of a run unless the run is needed by now; until it is gone, none of its steps starts."""
    values = {"run_id": run_id, "oldest": before.date()}
    with transaction() as c:
        c.exec_driver_sql(opening.LOCK_OPENING)
        # Locked first, then looked at again: the run may have been continued since it was listed.
        c.execute(statement("orchestration/maintenance/lock_run"), values)
        if c.execute(statement("orchestration/maintenance/needed_run"), values).first() is not None:
            return False
        workspace.remove(dataset, key)
    return True


def _dumps(workspace: Workspace, runs: Sequence[sa.Row[Any]], before: datetime) -> Iterator[Leftover]:
    known, needed = {row.dump_id for row in runs}, {row.dump_id for row in runs if not row.is_past}
    # By manifests: a dump's files lie below the attempt that wrote them.
    for path, manifest in workspace.folders(r"manifest/received/dump=[^/]+").items():
        dump_id = path.rpartition("dump=")[2]
        if dump_id not in needed and (dump_id in known or manifest.newest < before):
            remove = partial(_remove_dump, workspace, dump_id, before)
            yield from _folder(workspace, "received", f"dump={dump_id}", "records of a dump no run needs", remove)


def _remove_dump(workspace: Workspace, dump_id: str, before: datetime) -> bool:
    """Remove a dump's records unless a run needs them by now; until they are gone, no run of the dump is opened."""
    values = {"dump_id": dump_id, "oldest": before.date()}
    with transaction() as c:
        c.exec_driver_sql(opening.LOCK_OPENING)
        c.execute(statement("orchestration/maintenance/lock_runs_of_dump"), values)
        if c.execute(statement("orchestration/maintenance/needed_run_of_dump"), values).first() is not None:
            return False
        workspace.remove("received", f"dump={dump_id}")
    return True


def _attempts(workspace: Workspace, before: datetime) -> Iterator[Leftover]:
    """Yield what attempts of ingest wrote and never committed."""
    for path, folder in workspace.folders(r"received/attempt=[^/]+").items():
        if folder.newest < before and _is_unnamed(workspace, path):
            is_unnamed = partial(_is_unnamed, workspace, path)
            remove = partial(_remove_if, workspace, path, is_unnamed)
            yield Leftover("records of a killed ingest", path, folder.n_files, "files", folder.n_bytes, remove)


def _is_unnamed(workspace: Workspace, folder: str) -> bool:
    """Return whether no manifest of a dump names a file of the folder."""
    return not any(file.startswith(f"{folder}/") for part in workspace.committed("received", "") for file in part.files)


def _parts(workspace: Workspace, before: datetime) -> Iterator[Leftover]:
    """Yield what killed attempts of steps wrote and never committed."""

    def is_dead(path: str) -> bool:
        token = int(re.findall(r"/token=(\d+)/", path)[0])
        return not workspace.exists(f"manifest/{path}.json") and token not in attempts.live_tokens()

    for path, folder in workspace.folders(r"(?!manifest/).+/token=\d+/chunk=\d+").items():
        if folder.newest < before and is_dead(path):
            remove = partial(_remove_if, workspace, path, partial(is_dead, path))
            yield Leftover("part of a killed attempt", path, folder.n_files, "files", folder.n_bytes, remove)


def _remove_if(workspace: Workspace, path: str, is_dead: Callable[[], bool]) -> bool:
    """Remove a folder if it is still dead: an attempt may have committed it since it was listed."""
    if not is_dead():
        return False
    workspace.remove_folder(path)
    return True


def _folder(workspace: Workspace, dataset: str, key: str, kind: str, remove: Callable[[], bool]) -> Iterator[Leftover]:
    """Yield the files that the key's manifests name, wherever they lie, as one leftover; nothing where there are none.

    An attempt of ingest writes below a folder of its own, which its manifest then names.
    """
    parts = workspace.committed(dataset, key)
    folders = {f"{dataset}/{key}", *(file.rsplit("/", 1)[0] for part in parts for file in part.files)}
    outermost = {f for f in folders if not any(f != other and f.startswith(f"{other}/") for other in folders)}
    sizes = [workspace.size(folder) for folder in outermost]
    n_files, n_bytes = sum(n for n, _ in sizes), sum(n for _, n in sizes)
    if n_files:
        yield Leftover(kind, f"{dataset}/{key}", n_files, "files", n_bytes, remove)


def _score_caches(config: Settings) -> Iterator[Leftover]:
    """Yield score caches of networks that only models retired long ago have, or none at all."""
    workspace, days = Workspace(config.lake), config.keep_retired_days
    with transaction() as c:
        retired = _retired_networks(c, days)
    for fingerprint in retired:
        key, remove = reuse.cache_key(fingerprint), partial(_remove_cache, workspace, fingerprint, days)
        yield from _folder(workspace, reuse.DATASET, key, "score cache of a retired model", remove)
    yield from _unused_caches(workspace, datetime.now(PARIS) - timedelta(days=days))


def _retired_networks(c: sa.Connection, days: int) -> list[str]:
    """Return the fingerprints of networks that only models retired more than `days` ago have, in order."""
    values = {"days": days, "live_minutes": attempts.LIVE_MINUTES}
    return list(c.execute(statement("orchestration/maintenance/retired_networks"), values).scalars())


def _unused_caches(workspace: Workspace, before: datetime) -> Iterator[Leftover]:
    """Yield score caches of networks that no model has any more: files, vocabulary or preparation were changed."""
    with transaction() as c:
        known = _known_networks(c)
    for path, folder in workspace.folders(rf"{reuse.DATASET}/fingerprint=[^/]+").items():
        fingerprint = path.rpartition("=")[2]
        if fingerprint not in known and folder.newest < before:
            remove = partial(_remove_unused_cache, workspace, fingerprint)
            yield Leftover("score cache no model uses", path, folder.n_files, "files", folder.n_bytes, remove)


def _known_networks(c: sa.Connection) -> set[str]:
    return set(c.execute(sa.text("SELECT fingerprint FROM sentiment.model")).scalars())


def _remove_unused_cache(workspace: Workspace, fingerprint: str) -> bool:
    """Remove a score cache unless a model was registered with its network meanwhile."""
    with transaction() as c:
        c.exec_driver_sql(registry.LOCK_REGISTERING)
        if fingerprint in _known_networks(c):
            return False
        workspace.remove(reuse.DATASET, reuse.cache_key(fingerprint))
    return True


def _remove_cache(workspace: Workspace, fingerprint: str, days: int) -> bool:
    """Remove a score cache unless its model was taken back, or another registered with the same network."""
    with transaction() as c:
        c.exec_driver_sql(registry.LOCK_REGISTERING)
        c.execute(sa.text("SELECT 1 FROM sentiment.model WHERE fingerprint = :f FOR SHARE"), {"f": fingerprint})
        if fingerprint not in _retired_networks(c, days):
            return False
        workspace.remove(reuse.DATASET, reuse.cache_key(fingerprint))
    return True


def _served_copies(config: Settings) -> Iterator[Leftover]:
    """Yield copies of networks, finished or not, that no job has loaded for longer than retired models are kept."""
    # Whoever loads a copy sets its time to now.
    before = (datetime.now(PARIS) - timedelta(days=config.keep_retired_days)).timestamp()
    for folder in sorted(config.models_served.glob("*")):
        if _is_unused(folder, before):
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            remove = partial(_remove_served_copy, folder, before)
            yield Leftover("copy of a network, long unused", str(folder), len(sizes), "files", sum(sizes), remove)


def _is_unused(folder: Path, before: float) -> bool:
    return folder.is_dir() and folder.stat().st_mtime < before


def _remove_served_copy(folder: Path, before: float) -> bool:
    """Remove a copy unless a job has loaded it meanwhile; a job that needs it later makes it again."""
    if not _is_unused(folder, before):
        return False
    shutil.rmtree(folder)
    return True
