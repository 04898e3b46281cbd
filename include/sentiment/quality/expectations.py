"""Great Expectations judges the whole batch by the rule table and writes a Data Docs page a run.

It sees one Boolean column a rule and never a row's values, so none can reach its pages.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.contract import FORGOTTEN
from sentiment.quality.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Limits:
    """What the batch may show: the share of rows that may fail a rule, the fewest and the most rows."""

    max_share: float
    fewest: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether the batch passed, which rules failed it, and the page that shows it."""

    success: bool
    failed: list[str]
    page: Path


def judge(verdicts: DataFrame, rules: tuple[Rule, ...], run_id: str, limits: Limits, folder: Path) -> Verdict:
    """Validate the batch by the flags in `verdicts`; write a Data Docs page to `folder`.

    Forgotten records are rows, but no fault of the batch.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    context.enable_analytics(enable=False)
    judging = tuple(rule for rule in rules if rule.name != FORGOTTEN)
    suite = context.suites.add_or_update(_suite(gx, judging, limits))
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
            result_format="SUMMARY",
        )
    )
    flags = verdicts.select(*(r.flag for r in judging))
    result = checkpoint.run(batch_parameters={"dataframe": flags}, run_id=gx.RunIdentifier(run_name=run_id))
    return Verdict(bool(result.success), _failed(result), page(folder))


def _suite(gx: Any, rules: tuple[Rule, ...], limits: Limits) -> Any:
    suite = gx.ExpectationSuite(name="review_rules")
    suite.add_expectation(
        gx.expectations.ExpectTableRowCountToBeBetween(min_value=max(limits.fewest or 1, 1), max_value=limits.most)
    )
    for rule in rules:
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToBeInSet(
                column=rule.flag,
                value_set=[True],
                mostly=round(1 - limits.max_share, 6),
                description=f"**{rule.name}** ({rule.column}): else {rule.message}",
                meta={"rule": rule.name, "condition": rule.passes},
            )
        )
    return suite


def _failed(result: Any) -> list[str]:
    failed = []
    for validation in result.run_results.values():
        for each in validation.results:
            if not each.success:
                config = each.expectation_config
                failed.append((config.meta or {}).get("rule") or config.type)
    return failed


def page(folder: Path) -> Path:
    """The entry page of Data Docs below `folder`."""
    return folder / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"
