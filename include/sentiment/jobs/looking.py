"""Look at a dump as a night would read it: by the very expressions that a night uses, on a sample of its records."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sentiment.dump.identity import Identity
from sentiment.dump.profiles import COLUMNS, Profile
from sentiment.dump.receive import Dump, receive
from sentiment.jobs import judging
from sentiment.jobs.validate import fault_reasons, of_faults
from sentiment.quality import batch, refusals, rules, split, unread
from sentiment.runs.model import Reading
from sentiment.runtime import spark
from sentiment.store import sources
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame

    from sentiment.quality.rules import Rule
    from sentiment.runs.handoff import JudgedNight
    from sentiment.settings import Settings

SAMPLE = 10_000
"""Records of a dump that are looked at, unless all are."""
EXAMPLES = 3
"""Values of a column that can't be read that are shown."""
KEY, TOKEN = "look", 1


@dataclass(frozen=True)
class ColumnSeen:
    """A column of the review, over the records that are not refused."""

    name: str
    read_from: str
    """The dump's column."""
    n: int
    """Records with a value."""
    n_unread: int
    """Of these, values that can't be read."""
    examples: tuple[str, ...]
    """Some of them; none of authors."""


@dataclass(frozen=True)
class Seen:
    """What a look saw."""

    dump: Dump
    columns: list[ColumnSeen]
    counts: dict[str, int]
    """accepted, quarantined and duplicate records."""
    reasons: dict[str, int]
    """Rule -> records that failed it."""
    refused: list[str]
    """A refused record of each of the rules that most records fail."""
    flagged: dict[str, int]
    """Rule that only warns -> published records that fail it."""
    languages: dict[str, int]
    identity: str
    """The columns that identify a review."""
    stops: list[str]
    """What a night would stop for; empty where it would go through."""
    suggested: dict[str, object]
    """Fields of a source profile of the dump's own, as TOML has them."""


def look(uri: str, config: Settings, reading: Reading, most: int | None = SAMPLE) -> Seen:
    """Read about `most` records of a dump, all with None, and judge them; nothing of it remains.

    A Spark session is started on this machine, whatever the cluster. Raises what `receive` raises.
    """
    config.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="look-", dir=config.home) as folder:
        workspace = Workspace(folder)
        dump = receive(uri, config, workspace, reading, most)
        local = config.model_copy(update={"spark_master": "local[*]"})
        session = spark.session(
            "sentiment source look", dump.n_records, quiet=True, config=local, detects_language=True
        )
        parts = judging.Parts(workspace, KEY, TOKEN)
        night = date.today()
        rule, table = dump.profile.identity_rule(dump.mapped), rules.table(config, night)
        described = sources.described(rule)
        received = workspace.read(session, workspace.committed("received", dump.key))
        profile = dump.profile.model_dump(mode="json")
        judged = judging.judge_records(
            session,
            parts,
            received,
            judging.Night(reading.source, dump.layouts, profile, Identity(rule, night), table, config),
        )
        verdicts = parts.read(session, "judged").persist()
        counted = split.summary(verdicts, table)
        counts = {name: parts.rows(name) for name in ("accepted", "quarantined", "duplicate")}
        refused = refusals.examples(workspace, parts.of("quarantined")[0], counted.reasons)
        unusual = unread.unusual(verdicts, table, counted, config.max_unread_share)
        own_rule = judged.shared.rule if judged.shared and judged.shared.is_common else ()
        return Seen(
            dump,
            _columns(verdicts, dump, counted, table),
            counts,
            counted.reasons,
            refused,
            counted.flagged,
            counted.languages,
            described,
            list(_stops(judged, described, unusual, counts, counted, refused, config)),
            suggested(dump, judged.labels, own_rule, unusual),
        )


def _columns(verdicts: DataFrame, dump: Dump, night: JudgedNight, table: tuple[Rule, ...]) -> list[ColumnSeen]:
    mapped = _mapped(dump)
    n = verdicts.agg(*(F.count(name).alias(name) for name in mapped)).collect()[0]
    examples: dict[str, list[str]] = {}
    for row in split.unread(verdicts, EXAMPLES).collect():
        if row["column_name"] not in unread.NEVER_SHOWN:
            examples.setdefault(row["column_name"], []).append(row["value"][: rules.SHOWN_CHARS])
    return [
        ColumnSeen(
            name,
            read_from,
            night.optional_values.get(name, n[name]),
            unread.n_unread(night, table, name),
            tuple(examples.get(name, ())),
        )
        for name, read_from in mapped.items()
    ]


def _mapped(dump: Dump) -> dict[str, str]:
    """Return column of the contract, in its order -> the dump's column."""
    mapped = dump.mapped
    return {name: mapped[name] for name in COLUMNS if name in mapped}


def _stops(
    judged: judging.Judged,
    rule: str,
    unusual: list[unread.Unread],
    counts: dict[str, int],
    night: JudgedNight,
    refused: list[str],
    config: Settings,
) -> Iterator[str]:
    if judged.shared and judged.shared.is_common:
        # It stops the night before the other checks, which would count the records that share identities.
        yield judged.shared.sentence(rule)
        return
    yield from (f"unread_share: {column.sentence(config.max_unread_share)}" for column in unusual)
    faults = of_faults(counts, night)
    share = batch.quarantine_share(faults, fault_reasons(night), config.max_quarantine_share, lambda: refused)
    if share:
        yield f"quarantine_share: {share}"
    if not counts["accepted"]:
        yield "No review is left to score."


def suggested(
    dump: Dump, labels: dict[str, list[str]], own_rule: tuple[str, ...], unusual: list[unread.Unread]
) -> dict[str, object]:
    """Return the fields of a profile that reads this dump as far as can be seen, with its own columns alone."""
    defaults = dump.profile.model_dump(mode="json", exclude_defaults=True, exclude={"name", "about", "columns"})
    fields: dict[str, object] = {"about": f"Dumps like {Path(dump.uri).name}", **defaults, **labels}
    encodings = {layout.suggested_encoding for layout in dump.layouts if layout.suggested_encoding}
    if len(encodings) == 1:
        fields["encoding"] = encodings.pop()
    if own_rule:
        fields["identity"] = list(own_rule)
    for column in unusual:
        fields |= column.cause.fields if column.cause else {}
    fields["columns"] = {name: [read_from] for name, read_from in _mapped(dump).items()}
    Profile.model_validate({"name": "suggested", **fields})
    return fields
