"""Forget a review and its author's name everywhere, and prove it: tables, refused records, lake, score cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sentiment.errors import InfrastructureError
from sentiment.lake import Lake
from sentiment.orchestration.maintenance import RUN_DATASETS
from sentiment.scoring import reuse
from sentiment.store import forgetting
from sentiment.store.forgetting import Target


def found(target: Target) -> dict[str, int]:
    """Place -> rows (tables) or files (lake) that hold it."""
    lake = Lake()
    files = {f"lake {dataset}": len(list(_holding(lake, dataset, target))) for dataset in _datasets()}
    return {place: n for place, n in {**forgetting.found(target), **files}.items() if n}


def forget(target: Target, tell: Callable[[str], None] = lambda _: None) -> None:
    """Remove it and look again; stopped anywhere, it is typed again.

    The tables come last: until then they say what is to be forgotten. Raises InfrastructureError while a step is at
    work, or if something is left.
    """
    forgetting.refuse_while_live()
    forgetting.remember(target)
    lake = Lake()
    for dataset in _datasets():
        files = list(_holding(lake, dataset, target))
        lake.remove_files(dataset, files)
        tell(f"lake {dataset}: {len(files):,} files removed")
    forgetting.remove(target)
    left = found(target)
    if left:
        places = ", ".join(f"{place} ({n:,})" for place, n in left.items())
        raise InfrastructureError(
            f"Review {target.review_id} is still in {places}.", "sentiment maintain, then find who writes there"
        )


def _datasets() -> tuple[str, ...]:
    return ("received", *RUN_DATASETS, reuse.DATASET)


def _holding(lake: Lake, dataset: str, target: Target) -> Iterator[str]:
    """The dataset's files that hold it, committed or not: of the source's runs, of any dump, of any network."""
    needles = [h.encode() for h in target.text_hashes] if dataset == reuse.DATASET else target.needles
    for file in lake.list_files(dataset):
        if dataset in RUN_DATASETS and not any(f"/run={run_id}/" in file for run_id in target.run_ids):
            continue
        if _holds(lake, file, needles):
            yield file


def _holds(lake: Lake, file: str, needles: list[bytes]) -> bool:
    with lake.filesystem.open_input_file(lake.local(file)) as opened:
        for batch in pq.ParquetFile(opened).iter_batches():
            for column in batch.columns:
                if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
                    values = column.cast(pa.binary())
                    if any(pc.any(pc.match_substring(values, needle)).as_py() for needle in needles):
                        return True
    return False
