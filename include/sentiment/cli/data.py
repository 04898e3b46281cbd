"""Commands about dumps and stored data: source profiles, sample dumps, forgetting a review, retention."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tomli_w
import typer
from rich.markup import escape

from sentiment import settings
from sentiment.cli.render import ERR, OUT, show, table
from sentiment.cli.values import parse_date
from sentiment.errors import DumpRefusedError, ParameterError, SentimentError, quoted

if TYPE_CHECKING:
    from sentiment.dump.profiles import Profile
    from sentiment.jobs.looking import Seen
    from sentiment.runs.model import Layout

source_app = typer.Typer(
    help="Source profiles: how the dumps of a source are read.\n\nExample: `sentiment source look /data/reviews.csv`",
    no_args_is_help=True,
)
review_app = typer.Typer(
    help="One review.\n\nExample: `sentiment review forget 0123456789abcdef0123456789abcdef`", no_args_is_help=True
)
TAB = "\t"


@source_app.command("list")
def source_list() -> None:
    """List the source profiles, those of your own folder (SENTIMENT_SOURCES) included.

    Example: `sentiment source list`
    """
    from sentiment.dump import profiles

    known = profiles.known(settings.load().sources).values()
    rows = [(p.name, p.encoding, p.listing, len(p.columns), p.about) for p in known]
    show(table(["profile", "encoding", "listing", "columns", "about"], rows))


@source_app.command("show")
def source_show(
    name: Annotated[str, typer.Argument(help="a name of `sentiment source list`, or a source with published nights")],
) -> None:
    """Print a profile's file, to begin one of your own with; and what is fixed of the source of that name, if any.

    Examples: `sentiment source show usual > my-profiles/mine.toml`, `sentiment source show allocine`
    """
    from sentiment.dump import profiles

    config = settings.load()
    fixed = _fixed_lines(name) if config.database_url else []
    for line in fixed:
        # Beside the profile, so that what a shell redirects into a file is a profile that loads.
        ERR.print(escape(line))
    if name in profiles.known(config.sources) or not fixed:
        sys.stdout.write(profiles.profile_file(name, config.sources).read_text("utf-8"))


def _fixed_lines(source: str) -> list[str]:
    """Return what is fixed of a source, a line each; nothing of a source without published nights."""
    from sentiment.store import sources

    try:
        fixed = sources.fixed(source)
    except SentimentError as error:
        # A profile's file needs no database.
        return [f"What is fixed of the source {source} is not known: {error.message}"]
    if fixed is None:
        return []
    mapped = ", ".join(f"{name} as {column}" for column, name in (fixed.mapped or {}).items())
    return [
        f"Source {source}: reviews are identified by {sources.described(fixed.rule)}, since night {fixed.night} (run "
        f"{fixed.run_id}); {fixed.n_nights:,} nights are published.",
        *([f"Read at that night: {mapped}."] if mapped else []),
        *(f"{name.capitalize()} labels: {', '.join(labels)}." for name, labels in fixed.labels.items()),
    ]


@source_app.command("look")
def source_look(
    dump: Annotated[str, typer.Argument(help="file, folder or glob, or like s3://bucket/key")],
    profile: Annotated[str | None, typer.Option(help="a name of `sentiment source list`; else what fits best")] = None,
    encoding: Annotated[str | None, typer.Option(help="the dump's encoding, where it is not UTF-8")] = None,
    every: Annotated[bool, typer.Option("--all", help="look at every record, not at 10,000 of them")] = False,
    write: Annotated[
        Path | None, typer.Option(help="save the suggested source profile, to a file like mine.toml")
    ] = None,
) -> None:
    """Report how a night would read a dump: columns, values, refused records, identity, and a source profile for it.

    Reads 10,000 records, of each file as many from its beginning, by the expressions that a night uses. Nothing is
    stored. Exits with 3 where a night would stop.

    Examples: `sentiment source look /data/reviews.csv --encoding windows-1252`,
    `sentiment source look /data/2026-11 --all --write my-profiles/mine.toml`
    """
    from sentiment.jobs import looking
    from sentiment.runs.model import Reading

    if write and write.exists():
        raise ParameterError(f"{write} is there already.", f"sentiment source look {quoted(dump)} --write another.toml")
    config = settings.load()
    with ERR.status("reading, then judging on a Spark session of this machine"):
        seen = looking.look(dump, config, Reading(config.source, profile, encoding), None if every else looking.SAMPLE)
    _show_look(seen)
    suggested = tomli_w.dumps(seen.suggested)
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(suggested, "utf-8")
        OUT.print(f"The source profile is in {escape(str(write))}.")
    else:
        OUT.print(f"\n[bold]A source profile for it[/] (--write FILE.toml saves it)\n{escape(suggested)}")
    if seen.stops:
        again = f"make nightly DUMP={quoted(dump)} PROFILE={quoted(write.stem) if write else quoted('mine')}"
        raise DumpRefusedError(
            f"A night would stop: {' '.join(seen.stops)}", f"see what the profile has to say, then: {again}"
        )


def _show_look(seen: Seen) -> None:
    layouts, profile = seen.dump.layouts, seen.dump.profile
    files = [
        (
            file.uri,
            layout.format,
            file.compression,
            layout.encoding,
            f"{file.n_records:,}",
            layout.suggested_encoding,
            _form(layout, profile),
        )
        for file, layout in zip(seen.dump.files, layouts, strict=True)
    ]
    show(table(["file", "format", "compression", "read as", "records", "may be", ""], files))
    OUT.print(f"profile {profile.name}: {escape(profile.about)}\n")
    columns = [(c.read_from, c.name, f"{c.n:,}", f"{c.n_unread:,}", ", ".join(c.examples)) for c in seen.columns]
    read = {c.read_from for c in seen.columns}
    columns += [(name, "(not read)", "", "", "") for name in seen.dump.columns if name not in read]
    show(table(["column", "read as", "values", "can't be read", "like"], columns))
    OUT.print("\n" + ", ".join(f"{n:,} {name}" for name, n in seen.counts.items()))
    OUT.print(f"reviews are identified by {escape(seen.identity)}")
    if seen.languages:
        OUT.print("languages: " + ", ".join(f"{name} {n:,}" for name, n in sorted(seen.languages.items())))
    if seen.flagged:
        OUT.print("published as they are: " + ", ".join(f"{name} {n:,}" for name, n in sorted(seen.flagged.items())))
    if seen.reasons:
        show(table(["rule", "records"], [(name, f"{n:,}") for name, n in seen.reasons.items()]))
        for line in seen.refused:
            OUT.print(escape(line))


def _form(layout: Layout, profile: Profile) -> str:
    """Return what only CSV and workbooks have: delimiter, escape, sheets, and columns that the profile names."""
    from sentiment.dump.header import ONE_COLUMN

    delimiters = {TAB: "delimiter tab", ONE_COLUMN: "one column"}
    parts = {
        delimiters.get(layout.delimiter, f"delimiter {layout.delimiter}"): layout.format == "csv",
        f"escape {layout.escape}": layout.escape,
        f"sheet {layout.sheet}": layout.sheet,
        f"sheets not read: {', '.join(layout.other_sheets)}": layout.other_sheets,
        "columns named by the profile": profile.header and profile.header == layout.columns,
    }
    return ", ".join(part for part, is_so in parts.items() if is_so)


def sample_dump(
    path: Annotated[Path, typer.Argument(help="where to write: .jsonl or .csv, also with .gz")],
    night: Annotated[str | None, typer.Option("--date", help="the night it is for; default yesterday")] = None,
    reviews: Annotated[int, typer.Option(help="number of records")] = 2000,
    seed: Annotated[int, typer.Option(help="the same seed writes the same bytes")] = 1,
    positive_share: Annotated[float, typer.Option(help="share of positive reviews, 0 to 1")] = 0.6,
    known_share: Annotated[float, typer.Option(help="share known from earlier nights")] = 0.1,
    changed_share: Annotated[float, typer.Option(help="share known, but changed")] = 0.01,
    defect_share: Annotated[float, typer.Option(help="share that a rule should refuse")] = 0.01,
    duplicate_share: Annotated[float, typer.Option(help="share that repeats another record")] = 0.01,
) -> None:
    """Write made-up French reviews, with defects and duplicates.

    Example: `sentiment sample-dump /tmp/night.jsonl.gz --date 2026-11-22 --reviews 5000`
    """
    from sentiment.local import nights
    from sentiment.samples import sample_dump as samples

    def again(day: date) -> str:
        return f"sentiment sample-dump {quoted(path)} --date {day.isoformat()} --reviews {reviews}"

    spec = samples.SampleDump(
        night=parse_date("--date", night, again) if night else nights.yesterday(),
        n_reviews=reviews,
        seed=seed,
        positive_share=positive_share,
        known_share=known_share,
        changed_share=changed_share,
        defect_share=defect_share,
        duplicate_share=duplicate_share,
    )
    written = samples.write(spec, path)
    OUT.print(
        f"{written.records:,} made-up records in {written.path}: {written.fresh:,} fresh, {written.known:,} known, "
        f"{written.changed:,} changed, {written.duplicates:,} duplicate, {sum(written.defects.values()):,} defective; "
        f"{written.positive:,} positive, {written.negative:,} negative"
    )


@review_app.command("forget")
def review_forget(
    review_id: Annotated[str, typer.Argument(metavar="ID", help="as `review_id` in v_review_sentiment")],
    remove: Annotated[bool, typer.Option(help="remove it; without this it is only reported")] = False,
) -> None:
    """Report where a review and its author's name are stored; with --remove, remove both and search for traces.

    Later dumps don't bring them back. Dump files, backups and logs are yours to look after: docs/operations.md.

    Examples: `sentiment review forget 0123456789abcdef0123456789abcdef`, the same with `--remove`
    """
    from sentiment.orchestration import forgetting

    outcome = forgetting.forget(review_id, dry_run=not remove)
    rows = [(what, f"{n:,}") for what, n in outcome.removed.items() if n]
    if rows:
        show(table(["removed" if remove else "would be removed", "how many"], rows))
    if remove:
        OUT.print(f"Searched {outcome.n_tables} tables and {outcome.n_files:,} Parquet files: nothing is left.")
    else:
        OUT.print(f"Next: sentiment review forget {review_id} --remove" if rows else "Forgotten already.")


def maintain(
    remove: Annotated[bool, typer.Option(help="remove it; without this it is only reported")] = False,
) -> None:
    """Report what is older than its retention time, as the DAG maintain_store does; with --remove, remove it.

    Examples: `sentiment maintain`, `sentiment maintain --remove`
    """
    from sentiment.orchestration import maintenance

    leftovers = maintenance.maintain(dry_run=not remove)
    if not leftovers:
        OUT.print("Nothing is past its time.")
        return
    rows = [
        (item.kind, item.where, f"{item.amount:,} {item.unit}", f"{item.n_bytes / 1e6:,.1f} MB") for item in leftovers
    ]
    show(table(["removed" if remove else "would be removed", "where", "how much", "size"], rows))
    if not remove:
        OUT.print("Next: sentiment maintain --remove")
