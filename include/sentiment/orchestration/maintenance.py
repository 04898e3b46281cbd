"""maintain_store: what is past its time in database, lake and score cache; told, or removed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa

from sentiment import ledger, settings
from sentiment.database import transaction
from sentiment.lake import Lake, run_key
from sentiment.orchestration.steps import PARIS
from sentiment.scoring import reuse
from sentiment.settings import Settings
from sentiment.store import retention
from sentiment.store.retention import Leftover

log = logging.getLogger(__name__)

RUN_DATASETS = ("ingested", "accepted", "quarantined", "duplicate", "scored", "profile")


def find() -> list[Leftover]:
    """Everything past its time; nothing that a live attempt works on or that an unfinished run still needs."""
    config = settings.load()
    return [*retention.find(config), *_lake(config), *_score_caches(config)]


def maintain(dry_run: bool) -> list[Leftover]:
    """Find, tell, and unless it is a dry run remove; months ahead are always made."""
    retention.months_ahead()
    found = find()
    for leftover in found:
        log.info("%s %s", "would remove" if dry_run else "removes", words(leftover))
        if not dry_run:
            leftover.remove()
    return found


def words(leftover: Leftover) -> str:
    """Like `12 rows (0.3 MB) of payloads of refused records: sentiment.quarantine`."""
    size = f" ({leftover.n_bytes / 1e6:,.1f} MB)" if leftover.n_bytes else ""
    return f"{leftover.amount:,} {leftover.unit}{size} of {leftover.kind}: {leftover.where}"


def _lake(config: Settings) -> list[Leftover]:
    """Nights of finished runs, dumps that no other run needs, and runs that the ledger does not know."""
    lake = Lake(config.lake)
    live = set(ledger.live_tokens().values())
    oldest = datetime.now(PARIS).date() - timedelta(days=config.keep_lake_days)
    with transaction() as c:
        rows = c.execute(sa.text("SELECT run_id, night, dump_id, status, finished_at FROM sentiment.run")).all()
    done = {
        row.run_id
        for row in rows
        if row.run_id not in live
        and row.status in {"published", "superseded", "failed"}
        and row.night < oldest
        and row.finished_at is not None
        and row.finished_at.astimezone(PARIS).date() < oldest
    }
    needed = {row.dump_id for row in rows if row.run_id not in done}
    found = [
        _folder(lake, dataset, run_key(row.night, row.run_id), "lake night of a finished run")
        for row in rows
        if row.run_id in done
        for dataset in RUN_DATASETS
    ]
    dumps = {row.dump_id for row in rows} - needed
    found += [_folder(lake, "received", f"dump={dump}", "records of a dump no run needs") for dump in sorted(dumps)]
    return [leftover for leftover in found if leftover is not None]


def _folder(lake: Lake, dataset: str, key: str, kind: str) -> Leftover | None:
    parts = lake.committed(dataset, key)
    folders = {f"{dataset}/{key}", *(file.rsplit("/", 1)[0] for part in parts for file in part.files)}
    outermost = {f for f in folders if not any(f != other and f.startswith(f"{other}/") for other in folders)}
    sizes = [lake.size(folder) for folder in outermost]
    n_files, n_bytes = sum(n for n, _ in sizes), sum(n for _, n in sizes)
    if not n_files:
        return None
    return Leftover(kind, f"{dataset}/{key}", n_files, "files", n_bytes, lambda: lake.remove(dataset, key))


def _score_caches(config: Settings) -> list[Leftover]:
    """Score caches of networks that only models retired long ago have."""
    query = """
SELECT fingerprint FROM sentiment.model GROUP BY fingerprint
HAVING bool_and(NOT is_current AND coalesce(retired_at < now() - make_interval(days => :days), false)) ORDER BY 1"""
    with transaction() as c:
        retired = c.execute(sa.text(query), {"days": config.keep_retired_days}).scalars().all()
    lake, kind = Lake(config.lake), "score cache of a retired model"
    found = [_folder(lake, reuse.DATASET, reuse.cache_key(fingerprint), kind) for fingerprint in retired]
    return [leftover for leftover in found if leftover is not None]
