"""Great Expectations: one expectation for each quality rule, judged over a night's records, one Data Docs page a run.

It is handed one Boolean column a rule and never a value of a record, so that no value can reach its pages.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.contract import FORGOTTEN, NO_TEXT
from sentiment.quality.data_docs import page
from sentiment.quality.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Limits:
    """Bounds of a batch; null: not checked."""

    max_share: float
    """Largest share of rows, from 0 to 1, that may fail any one refusing rule."""
    max_unread_share: float
    """Largest share of an optional column's values that may fail any one rule."""
    fewest: int | None = None
    """Rows; null still asks for one."""
    most: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Great Expectations' result for a batch."""

    success: bool
    failed: list[str]
    """Names of the rules that too many rows fail; of an expectation without a rule, its type."""
    page: Path
    """Entry page of Data Docs."""


def load() -> Any:
    """Return the library, imported by the first call; that takes seconds, so a job calls it ahead in a thread."""
    # Read when great_expectations is imported; without it the library reports its use to its makers.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    # The library reads this expectation in a folder of earlier nights only once it was imported.
    from sentiment.quality import flags  # noqa: F401

    return great_expectations


def judge(verdicts: DataFrame, rules: tuple[Rule, ...], run_id: str, limits: Limits, folder: Path) -> Verdict:
    """Validate the flag columns of `verdicts` (one row a record) and write a Data Docs page below `folder`.

    Records that a person asked to have removed count as rows, but failing their rule is no data error.
    """
    gx = load()
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = {"globally": False}
    context.enable_analytics(enable=False)
    _use_own_pages(context, folder)
    checked = tuple(rule for rule in rules if rule.name != FORGOTTEN)
    # Or update: the folder keeps these objects from night to night.
    suite = context.suites.add_or_update(_suite(gx, checked, limits))
    source = context.data_sources.add_or_update_spark("nights", persist=False)
    batch = source.add_dataframe_asset("judged").add_batch_definition_whole_dataframe("night")
    validation = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name="night", data=batch, suite=suite)
    )
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(
            name="night",
            validation_definitions=[validation],
            actions=[UpdateDataDocsAction(name="pages")],
            # COMPLETE would return a list of all failing rows to the driver.
            result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        )
    )
    flags = verdicts.select(*(rule.flag for rule in checked))
    result = checkpoint.run(batch_parameters={"dataframe": flags}, run_id=gx.RunIdentifier(run_name=run_id))
    return Verdict(bool(result.success), _failed(result), page(folder))


def _use_own_pages(context: Any, folder: Path) -> None:
    """Have the context write pages that need no other host, and write those anew that it wrote otherwise."""
    from sentiment.quality import pages

    if context.list_data_docs_sites().get(pages.NAME) == pages.SITE:
        return
    context.update_data_docs_site(pages.NAME, pages.SITE)
    # Fonts, images and styles of the library's own pages; some of them name other hosts.
    shutil.rmtree(page(folder).parent / "static", ignore_errors=True)
    context.build_data_docs(site_names=[pages.NAME])


def _suite(gx: Any, rules: tuple[Rule, ...], limits: Limits) -> Any:
    # An empty batch passes every other expectation, so the least number of rows is 1.
    rows = gx.expectations.ExpectTableRowCountToBeBetween(min_value=max(limits.fewest or 1, 1), max_value=limits.most)
    # All at once: each one that is added to a suite has the suite looked up and read anew.
    return gx.ExpectationSuite(name="review_rules", expectations=[rows, *(_passes(rule, limits) for rule in rules)])


def _passes(rule: Rule, limits: Limits) -> Any:
    from sentiment.quality import flags

    return flags.ExpectFlagsToHold(
        column=rule.flag,
        value_set=[True],
        mostly=_mostly(rule, limits),
        description=f"**{rule.name}** ({rule.column}): else {rule.message}",
        meta={"rule": rule.name, "condition": rule.passes},
    )


def _mostly(rule: Rule, limits: Limits) -> float:
    """Return the least share of rows that must pass; rows whose flag is null don't count."""
    # What is no review, and what only warns, is shown and no fault of the batch.
    is_no_fault = rule.name == NO_TEXT or rule.is_warning
    most = limits.max_unread_share if rule.value else 1.0 if is_no_fault else limits.max_share
    # 1 - 0.9 is 0.09999999999999998.
    return round(1 - most, 6)


def _failed(result: Any) -> list[str]:
    failed = []
    for validation in result.run_results.values():
        for expectation in validation.results:
            if not expectation.success:
                config = expectation.expectation_config
                failed.append((config.meta or {}).get("rule") or config.type)
    return failed
