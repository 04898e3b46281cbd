"""Refused records as examples, for the error of a night that they stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentiment.workspace import Part, Workspace

N_EXAMPLES = 3


def examples(workspace: Workspace, part: Part, reasons: Mapping[str, int]) -> list[str]:
    """Return a refused record of each of the rules that most records fail, with its file, number and first message.

    `part` is of `schemas.QUARANTINED`, `reasons` has rule -> records.
    """
    wanted = sorted(reasons, key=lambda rule: (-reasons[rule], rule))[:N_EXAMPLES]
    by_rule: dict[str, str] = {}
    for file_no, record_no, failed, details in _records(workspace, part):
        for rule, message in zip(failed, details.splitlines(), strict=False):
            if rule in wanted:
                by_rule.setdefault(rule, f"record {record_no} of file {file_no}, {message}")
        if len(by_rule) == len(wanted):
            break
    return [by_rule[rule] for rule in wanted if rule in by_rule]


def _records(workspace: Workspace, part: Part) -> Iterator[tuple[int, int, list[str], str]]:
    for batch in workspace.batches(part.files, ["file_no", "record_no", "reasons", "details"], rows=1000):
        for row in batch.to_pylist():
            yield row["file_no"], row["record_no"], row["reasons"], row["details"]
