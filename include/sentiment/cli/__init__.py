"""`sentiment`: what a person types. Every error ends with what to type next and its own exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentiment import database, settings
from sentiment.errors import SentimentError
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.quality.batch import BatchCheck

if TYPE_CHECKING:
    from sentiment.local.nights import Outcome
    from sentiment.store.quarantine import Which

OUT, ERR = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
UNCUT_WIDTH = 1000
"""Characters a table may take before anything in it is cut: never, for logs, pipes and ids to copy."""

app = typer.Typer(
    help="Nightly sentiment of French film reviews. Errors end with what to type next; exit codes: 2 a wrong "
    "value, 3 a fault of the data, 4 of the infrastructure, 5 something this machine lacks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
run_app = typer.Typer(help="One run.", no_args_is_help=True)
review_app = typer.Typer(help="One review.", no_args_is_help=True)
quarantine_app = typer.Typer(
    help="Refused records: look at them, take them along, let mended ones through.", no_args_is_help=True
)
model_app = typer.Typer(help="Models that can score.", no_args_is_help=True)
source_app = typer.Typer(help="Source profiles: how dumps are read.", no_args_is_help=True)
db_app = typer.Typer(help="The reviews database.", no_args_is_help=True)
reference_app = typer.Typer(help="References that nights are compared with.", no_args_is_help=True)
drift_app = typer.Typer(help="Drift: what changed, since when, and why.", no_args_is_help=True)
app.add_typer(run_app, name="run")
app.add_typer(model_app, name="model")
app.add_typer(db_app, name="db")
app.add_typer(review_app, name="review")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(source_app, name="source")
app.add_typer(reference_app, name="reference")
app.add_typer(drift_app, name="drift")


class Role(StrEnum):
    """Who connects to the reviews database."""

    owner = "owner"
    writer = "writer"
    reader = "reader"


def main() -> None:
    """Entry of the command; our own errors become one paragraph and an exit code."""
    try:
        app()
    except SentimentError as error:
        ERR.print(f"[bold red]Error:[/] {escape(error.message)}")
        if error.try_next:
            ERR.print(f"[bold]Next:[/]  {escape(error.try_next)}")
        sys.exit(error.exit_code)


def _table(columns: list[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    return table


def _show(table: Table) -> None:
    Console(highlight=False, width=UNCUT_WIDTH).print(table)


@app.command()
def nightly(
    dump: Annotated[str | None, typer.Option(help="file, folder or glob; without it a made-up sample")] = None,
    night: Annotated[str | None, typer.Option("--date", help="Paris date of the night, like 2026-11-22")] = None,
    model: Annotated[str | None, typer.Option(help="a name of `sentiment model list`")] = None,
    source: Annotated[str | None, typer.Option(help="where the reviews come from")] = None,
    profile: Annotated[str | None, typer.Option(help="a name of `sentiment source list`")] = None,
    encoding: Annotated[str | None, typer.Option(help="the dump's encoding, where it is not UTF-8")] = None,
    supersede: Annotated[str | None, typer.Option(help="replace a published night; the reason, in words")] = None,
    allow: Annotated[list[BatchCheck] | None, typer.Option(help="let it fail this batch check")] = None,
    reason: Annotated[str | None, typer.Option(help="why that is allowed, in words")] = None,
    sentences: Annotated[bool, typer.Option("--sentences", help="score each sentence as well")] = False,
    dry_run: Annotated[bool, typer.Option(help="do everything but publish")] = False,
) -> None:
    """Run one night on this machine, from nothing to a summary.

    Examples: `sentiment nightly`, `sentiment nightly --dump reviews.jsonl.gz --date 2026-11-22`
    """
    from sentiment.local import nights as one_night

    began = time.monotonic()
    given = {"dump": dump, "night": _day(night), "model": model, "source": source}
    given |= {"profile": profile, "encoding": encoding}
    params: dict[str, Any] = {k: v for k, v in given.items() if v}
    params |= {"dry_run": dry_run, "sentences": sentences} | ({"supersede": True} if supersede else {})
    reasons = "; ".join(filter(None, (supersede, reason)))
    params |= ({"allow": [*map(str, allow)]} if allow else {}) | ({"reason": reasons} if reasons else {})
    _print_outcome(one_night.run(params, OUT.print), dry_run)
    OUT.print(f"[bold]Whole[/]         {time.monotonic() - began:.0f} s; `make up` opens the UI, `make down` stops all")


def _print_outcome(outcome: Outcome, dry_run: bool = False) -> None:
    _print_summary(outcome.run_id, outcome.nothing_new, dry_run)
    OUT.print(f"[bold]Data Docs[/]     {_data_docs()}")
    OUT.print(f"[bold]Log[/]           {outcome.log}")
    OUT.print(f"[bold]Look further[/]  {escape(outcome.psql)}")


def _day(text: str | None, option: str = "--date", example: str = "make nightly DATE=2026-11-22") -> str | None:
    return _date(option, text, example).isoformat() if text else None


def _date(name: str, text: str, try_next: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(name, text, "a date like 2026-11-22", try_next) from None


def _wrong(name: str, value: object, expected: str, try_next: str) -> SentimentError:
    from sentiment.errors import ParameterError

    return ParameterError(f"{name} is {value!r}; expected {expected}.", try_next)


def _data_docs() -> Path:
    from sentiment.quality.expectations import page

    return page(settings.load().data_docs)


def _print_summary(run_id: str, nothing_new: bool, dry_run: bool) -> None:
    from sentiment.orchestration import steps
    from sentiment.runs import opening
    from sentiment.runs.model import COUNTS

    OUT.print()
    OUT.print(f"[bold green]{escape(steps.summary(run_id, nothing_new, dry_run))}[/]")
    OUT.print()
    run = opening.get_run(run_id)
    rows = [(name, f"{run.counts[name]:,}") for name in COUNTS]
    OUT.print(
        _table(
            ["records", run_id], [*rows, ("labelled", steps.share_words(run_id)), ("drift", steps.drift_words(run_id))]
        )
    )
    OUT.print()


@app.command()
def up() -> None:
    """Start Airflow's UI on 127.0.0.1; the password is printed the first time."""
    from sentiment.embedded import airflow, machine, secrets

    config = settings.load()
    ready = machine.prepare(config, OUT.print)
    config = settings.load()
    first = not (config.home / "airflow" / "passwords.json").exists()
    with machine.stage(OUT.print, "Airflow's UI"):
        started = airflow.up(config, ready.env, lambda line: OUT.print(f"  {line}"))
    OUT.print(f"{'Started' if started else 'Running already'}: http://127.0.0.1:{config.airflow_port}")
    if first:
        OUT.print(f"User {airflow.ADMIN}, password {secrets.load(config.home)['airflow_admin']}")
    OUT.print(f"The password is kept in {config.home}/airflow/passwords.json; `make down` stops everything.")


@app.command()
def down(remove: Annotated[bool, typer.Option(help="also remove all state: `make clean`")] = False) -> None:
    """Stop every process of this checkout: Airflow, running nights, Postgres."""
    import shutil

    from sentiment.embedded import airflow, machine

    config = settings.load()
    ended = airflow.down(config)
    server = machine.postgres(config)
    server.stop()
    if remove:
        server.destroy()
        shutil.rmtree(config.home, ignore_errors=True)
    OUT.print(f"{ended} processes and Postgres are stopped; nothing of {config.home} runs any more.")


@app.command()
def doctor() -> None:
    """Say what this machine lacks, each with the line that mends it. Exit code 5 where something is missing."""
    from sentiment.embedded import doctor as checks

    findings = checks.examine(settings.load())
    rows = [("ok" if f.ok else "MISSING", f.what, f.found, "" if f.ok else f.mend) for f in findings]
    _show(_table(["", "what", "found", "to mend"], rows))
    if not all(f.ok for f in findings):
        raise typer.Exit(5)


@app.command()
def maintain(remove: Annotated[bool, typer.Option(help="remove it; without this it is only told")] = False) -> None:
    """Tell what is kept longer than it must be, as the DAG maintain_store does; with --remove, remove it.

    Examples: `sentiment maintain`, `sentiment maintain --remove`
    """
    from sentiment.orchestration import maintenance

    found = maintenance.maintain(dry_run=not remove)
    if not found:
        OUT.print("Nothing is past its time.")
        return
    rows = [(f.kind, f.where, f"{f.amount:,} {f.unit}", f"{f.n_bytes / 1e6:,.1f} MB") for f in found]
    _show(_table(["removed" if remove else "would be removed", "where", "how much", "size"], rows))
    if not remove:
        OUT.print("Next: sentiment maintain --remove")


@app.command()
def predict(
    text: Annotated[str, typer.Argument(help="a review, in French")],
    model: Annotated[str | None, typer.Option(help="a name of `sentiment model list`")] = None,
) -> None:
    """Print label and probabilities of one text, by the very code that scores a night.

    Example: `sentiment predict "j'ai bien aime le film harry potter!"`
    """
    import json

    from sentiment.runtime import spark
    from sentiment.scoring import network, registry

    config = settings.load()
    if not text.strip():
        raise _wrong("TEXT", text, "a text that is not blank", "sentiment predict 'Un film magnifique !'")
    chosen = registry.find(model or config.model, config)
    with ERR.status("starting Spark and loading the network"):
        session = spark.session("sentiment predict")
        pipeline = network.load(session, chosen, config.models_served)
        frame = session.createDataFrame([("typed", text)], "text_hash string, text string")
        row = network.score(frame, pipeline, chosen).collect()[0]
    chances = json.loads(row["probabilities"])
    OUT.print(f"{row['label']}  " + "  ".join(f"{label} {p:.4f}" for label, p in chances.items()))
    session.stop()


@app.command()
def evaluate(
    labelled: Annotated[str, typer.Argument(metavar="FILE", help="labelled reviews: a file, folder, glob or s3://…")],
    model: Annotated[str | None, typer.Option(help="a name of `sentiment model list`; default SENTIMENT_MODEL")] = None,
    against: Annotated[str | None, typer.Option(help="another model, to compare with on the same records")] = None,
    labels: Annotated[
        LabelSource | None, typer.Option(help="the column they come from; else polarity, or without one rating")
    ] = None,
    digits: Annotated[int, typer.Option(help="decimals of the table", min=1, max=10)] = 2,
    mistakes: Annotated[int, typer.Option(help="how many of the worst to show", min=0, max=100)] = 10,
    source_name: Annotated[str | None, typer.Option(help="name the set is kept under; else its file's")] = None,
    profile: Annotated[str | None, typer.Option(help="a name of `sentiment source list`; else what fits best")] = None,
    encoding: Annotated[str | None, typer.Option(help="the file's encoding, where it is not UTF-8")] = None,
    store: Annotated[bool, typer.Option(help="keep the figures in the reviews database")] = True,
) -> None:
    """Say how good a model is on a labelled file: the model card's table, intervals, calibration, worst mistakes.

    The file is read as a dump is. A rating is a weak label: up to 2 negative, from 4 positive. Each model is run in a
    process of its own; what it is doing is told on standard error.

    Examples: `sentiment evaluate test.jsonl`, `sentiment evaluate reviews.csv --labels rating --no-store`,
    `sentiment evaluate test.jsonl --model cinema-fr --against mine --digits 4`
    """
    from sentiment.local import evaluations
    from sentiment.orchestration import evaluating

    chosen = model or settings.load().model
    request = evaluating.Request(labelled, chosen, against, labels, source_name, profile, encoding, store)
    done = evaluations.run(request, mistakes, lambda line: ERR.print(escape(line)))
    for evaluation in done:
        for line in evaluating.told(evaluation, digits):
            OUT.out(line, highlight=False)
        OUT.out("")
    if against:
        OUT.out(evaluating.compared(*done), highlight=False)
    if store:
        OUT.out(f"Kept in sentiment.v_evaluation as {', '.join(e.evaluation_id for e in done)}.", highlight=False)


@app.command()
def rescore(
    model: Annotated[str, typer.Option(help="a name of `sentiment model list`")],
    first: Annotated[str, typer.Option("--from", help="first night, a Paris date")],
    last: Annotated[str, typer.Option("--to", help="last night, a Paris date")],
    source: Annotated[str | None, typer.Option(help="where the reviews come from")] = None,
) -> None:
    """Score published nights by another model, beside the current one, as the DAG rescore_reviews does.

    What was interrupted goes on where it was.

    Example: `sentiment rescore --model mine --from 2026-01-01 --to 2026-11-22`
    """
    import logging

    from sentiment.jobs import rescore as job
    from sentiment.orchestration import rescoring
    from sentiment.runtime import spark
    from sentiment.workspace import Workspace

    config, again = settings.load(), f"sentiment rescore --model {model} --from 2026-01-01 --to 2026-01-31"
    days = [_date(name, text, again) for name, text in (("--from", first), ("--to", last))]
    request = rescoring.Request(model, source or config.source, *days)
    if rescoring.pending(request):
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        job.work(spark.session(f"sentiment rescore {model}"), request, Workspace(config.lake))
    OUT.print(escape(rescoring.report(**vars(request))))


@app.command("sample-dump")
def sample_dump(
    path: Annotated[Path, typer.Argument(help="where to write: .jsonl or .csv, also with .gz")],
    night: Annotated[str | None, typer.Option("--date", help="the night it is for; default yesterday")] = None,
    reviews: Annotated[int, typer.Option(help="records in all")] = 2000,
    seed: Annotated[int, typer.Option(help="the same seed writes the same bytes")] = 1,
    positive_share: Annotated[float, typer.Option(help="sentiment level of the night, 0 to 1")] = 0.6,
    known_share: Annotated[float, typer.Option(help="share known from earlier nights")] = 0.1,
    changed_share: Annotated[float, typer.Option(help="share known, but changed")] = 0.01,
    defect_share: Annotated[float, typer.Option(help="share that a rule should refuse")] = 0.01,
    duplicate_share: Annotated[float, typer.Option(help="share said twice")] = 0.01,
) -> None:
    """Write made-up French reviews, with defects and duplicates.

    Example: `sentiment sample-dump /tmp/night.jsonl.gz --date 2026-11-22 --reviews 5000`
    """
    from sentiment.local import nights as one_night
    from sentiment.samples import sample_dump as samples

    day = _day(night)
    spec = samples.SampleDump(
        night=date.fromisoformat(day) if day else one_night.yesterday(),
        n_reviews=reviews,
        seed=seed,
        positive_share=positive_share,
        known_share=known_share,
        changed_share=changed_share,
        defect_share=defect_share,
        duplicate_share=duplicate_share,
    )
    made = samples.write(spec, path)
    OUT.print(
        f"{made.records:,} made-up records in {made.path}: {made.fresh:,} fresh, {made.known:,} known, "
        f"{made.changed:,} changed, {made.duplicates:,} duplicate, {sum(made.defects.values()):,} defective; "
        f"{made.positive:,} positive, {made.negative:,} negative"
    )


@app.command()
def runs(limit: Annotated[int, typer.Option(help="how many, the newest first", min=1)] = 20) -> None:
    """List runs, the newest first."""
    with database.transaction() as c:
        rows = c.execute(
            sa.text(
                "SELECT run_id, night, source, model_id, status, rows_read, rows_accepted, rows_quarantined, "
                "rows_duplicate, rows_scored, rows_reused, rows_published, started_at "
                "FROM sentiment.v_runs ORDER BY started_at DESC LIMIT :limit"
            ),
            {"limit": limit},
        )
        found = [(*row[:-1], f"{row.started_at:%Y-%m-%d %H:%M}") for row in rows]
    names = "run night source model status read accepted quarantined duplicate scored reused published started"
    _show(_table(names.split(), found)) if found else OUT.print("No run yet. Next: make nightly")


@run_app.command("show")
def run_show(run_id: Annotated[str, typer.Argument(help="as `sentiment runs` lists them")]) -> None:
    """Show one run: counts, steps, and what went wrong."""
    from sentiment.runs import opening

    run = opening.get_run(run_id)
    OUT.print(f"[bold]{run.run_id}[/]  night {run.night}, {run.source}, {run.model_id}: {run.status}")
    if run.supersedes:
        OUT.print(f"{'requeues' if run.requeue_of else 'replaces'} run {run.supersedes}: {escape(run.reason or '')}")
    OUT.print(escape(run.verdict or ""))
    _show(_table(["records", ""], [(name, f"{n:,}") for name, n in run.counts.items()]))
    with database.transaction() as c:
        rows = c.execute(
            sa.text(
                "SELECT step, token, state, finished_at - started_at AS took, rows_done, "
                "CASE WHEN rows_done < rows_total THEN format('of %s', rows_total) END AS of, "
                "detail ->> 'rows_per_s' AS rows_per_s, CASE WHEN state = 'running' THEN detail ->> 'left_s' END, "
                "error, try_next FROM sentiment.run_step WHERE run_id = :run_id ORDER BY token"
            ),
            {"run_id": run_id},
        ).all()
    names = ["step", "token", "state", "took", "rows", "", "rows/s", "s left", "error", "next"]
    _show(_table(names, [tuple(r) for r in rows]))


@source_app.command("list")
def source_list() -> None:
    """List the source profiles, those of your own folder (SENTIMENT_SOURCES) included."""
    from sentiment.dump import profiles

    rows = [
        (p.name, p.encoding, p.listing, len(p.columns), p.about)
        for p in profiles.known(settings.load().sources).values()
    ]
    _show(_table(["profile", "encoding", "listing", "columns", "about"], rows))


@source_app.command("show")
def source_show(name: Annotated[str, typer.Argument(help="a name of `sentiment source list`")]) -> None:
    """Print a profile's file, to begin one of your own with.

    Example: `sentiment source show usual > my-profiles/mine.toml`
    """
    from sentiment.dump import profiles

    sys.stdout.write(profiles.file_of(name, settings.load().sources).read_text("utf-8"))


@source_app.command("look")
def source_look(
    dump: Annotated[str, typer.Argument(help="file, folder or glob, or like s3://bucket/key")],
    profile: Annotated[str | None, typer.Option(help="a name of `sentiment source list`; else what fits best")] = None,
    encoding: Annotated[str | None, typer.Option(help="the dump's encoding, where it is not UTF-8")] = None,
) -> None:
    """Tell what a dump's first records look like to the pipeline: format, columns, profile, what can't be read.

    Nothing is written. Example: `sentiment source look /data/reviews.csv --encoding windows-1252`
    """
    from sentiment.dump.look import look
    from sentiment.dump.receive import Reading

    config = settings.load()
    for found in look(dump, config, Reading(config.source, profile, encoding)):
        layout = found.layout
        OUT.print(f"[bold]{escape(str(found.path))}[/]  {layout.format}, {found.compression}, {layout.encoding}")
        OUT.print(f"profile {found.profile.name}: {escape(found.profile.about)}")
        chosen = {theirs: ours for ours, theirs in found.profile.chosen(layout.columns).items()}
        _show(_table(["column", "read as"], [(name, chosen.get(name, "(not read)")) for name in layout.columns]))
        OUT.print(f"{len(found.problems)} of the first {found.n_looked_at} records can't be read")
        if found.problems:
            _show(_table(["record", "problem", "detail"], found.problems[:5]))
        if found.suggested_encoding:
            OUT.print(f"Next: sentiment source look {escape(dump)} --encoding {found.suggested_encoding}")


@review_app.command("forget")
def review_forget(
    review_id: Annotated[str, typer.Argument(metavar="ID", help="as `review_id` in v_review_sentiment")],
    remove: Annotated[bool, typer.Option(help="remove it; without this it is only told")] = False,
) -> None:
    """Tell where a review and its author's name are kept; with --remove, remove both everywhere, and prove it.

    Later dumps don't bring them back. Dump files, backups and logs are yours to look after: docs/operations.md.

    Examples: `sentiment review forget 0123456789abcdef0123456789abcdef`, the same with `--remove`
    """
    from sentiment.orchestration import forgetting

    outcome = forgetting.forget(review_id, dry_run=not remove)
    rows = [(what, f"{n:,}") for what, n in outcome.found.items() if n]
    if rows:
        _show(_table(["removed" if remove else "would be removed", "how many"], rows))
    if remove:
        OUT.print(f"Searched {outcome.n_tables} tables and {outcome.n_files:,} files of the lake: nothing is left.")
    else:
        OUT.print(f"Next: sentiment review forget {review_id} --remove" if rows else "Forgotten already.")


Night = Annotated[str | None, typer.Option("--night", help="refused in that night, like 2026-11-22")]
Source = Annotated[str | None, typer.Option(help="of that source")]
OfRun = Annotated[str | None, typer.Option("--run", help="of that run, also one that was replaced")]
RuleName = Annotated[str | None, typer.Option("--rule", help="that failed that rule")]


@quarantine_app.command("list")
def quarantine_list(
    night: Night = None,
    source: Source = None,
    run: OfRun = None,
    rule: RuleName = None,
    limit: Annotated[int, typer.Option(help="how many, the newest run first", min=1)] = 20,
) -> None:
    """List refused records, those of the newest run first; of runs that were replaced only with --run.

    Examples: `sentiment quarantine list`, `sentiment quarantine list --night 2026-11-22 --rule text_not_too_long`
    """
    from sentiment.store import quarantine

    found = quarantine.newest(_which(night, source, run, rule), limit)
    if not found:
        OUT.print(f"No such record. Rules that records have failed: {', '.join(quarantine.rules()) or 'none'}.")
        return
    rows = [
        (r.run_id, r.night, r.file_no, r.record_no, " ".join(r.reasons), quarantine.shown(r.details.partition("\n")[0]))
        for r in found
    ]
    _show(_table(["run", "night", "file", "record", "rules", "first of them"], rows))
    if run and (took := {r.requeued_in for r in found if r.requeued_in}):
        OUT.print(f"Some of them were let through later: sentiment run show {', '.join(took)}")
    OUT.print(f"Next: sentiment quarantine show {found[0].run_id} {found[0].file_no} {found[0].record_no}")


def _which(night: str | None, source: str | None, run: str | None, rule: str | None) -> Which:
    from sentiment.runs import opening
    from sentiment.store.quarantine import Which

    day = _day(night, "--night", "sentiment quarantine list --night 2026-11-22")
    return Which(date.fromisoformat(day) if day else None, source, opening.get_run(run).run_id if run else None, rule)


@quarantine_app.command("show")
def quarantine_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="as `sentiment quarantine list` shows it")],
    file_no: Annotated[int, typer.Argument(help="file of the dump, from 0")],
    record_no: Annotated[int, typer.Argument(help="record of the file, from 1")],
) -> None:
    """Show one refused record: where it is, every rule it failed, its bytes, and what to do.

    Bytes that are no UTF-8 are shown as \\xNN, control characters escaped.

    Example: `sentiment quarantine show 20261122-1a2b3c4d 0 17`
    """
    from sentiment.store import quarantine

    row = quarantine.get(run_id, file_no, record_no)
    for name, value in quarantine.story(row).items():
        OUT.out(f"{name:<10}  {value}", highlight=False)


@quarantine_app.command("export")
def quarantine_export(
    path: Annotated[Path, typer.Argument(help="CSV file to write")],
    night: Night = None,
    source: Source = None,
    run: OfRun = None,
    rule: RuleName = None,
    force: Annotated[bool, typer.Option(help="replace a file that is there")] = False,
) -> None:
    """Write refused records as CSV that is safe to open in a spreadsheet; it may hold author names.

    Example: `sentiment quarantine export /tmp/quarantine.csv --night 2026-11-22`
    """
    from sentiment.store import quarantine

    n_rows = quarantine.export(path, _which(night, source, run, rule), force)
    OUT.print(f"{n_rows:,} records in {escape(str(path))}, readable by you alone.")


@quarantine_app.command("requeue")
def quarantine_requeue(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="a published run, as `sentiment quarantine list` shows it")
    ],
    reason: Annotated[str | None, typer.Option(help="what was mended, in words; it is kept")] = None,
    profile: Annotated[str | None, typer.Option(help="another source profile than its night was read by")] = None,
    encoding: Annotated[str | None, typer.Option(help="another encoding than its night was read in")] = None,
    allow: Annotated[list[BatchCheck] | None, typer.Option(help="let it fail this batch check too")] = None,
    replace: Annotated[bool, typer.Option(help="run it and replace the night; without this it is only told")] = False,
) -> None:
    """Tell what a run refused; with --replace, run its night again from the same dump by today's rules, whole.

    Example: `sentiment quarantine requeue 20261122-1a2b3c4d --reason 'longer texts are let in' --replace`
    """
    from sentiment.local import nights as one_night
    from sentiment.orchestration import requeueing

    asked = requeueing.Requeue(run_id, reason, profile, encoding, tuple(map(str, allow or ())))
    again = f"{asked.try_next} --reason 'what was mended' --replace"
    if not replace:
        planned = requeueing.plan(asked)
        OUT.print(escape(planned.summary()))
        OUT.print(f"Next: {f'sentiment run show {planned.requeued_in}' if planned.requeued_in else again}")
    elif not (reason or "").strip():
        raise _wrong("--reason", reason, "what was mended, in words", again)
    else:
        _print_outcome(one_night.requeue(asked, OUT.print))


@model_app.command("list")
def model_list() -> None:
    """List the models that are here."""
    from sentiment.scoring import registry

    config = settings.load()
    found = [registry.find(name, config) for name in sorted(registry.known(config))]
    rows = [(m.model_id, ", ".join(m.labels), m.fingerprint[:12], m.folder) for m in found]
    _show(_table(["model", "labels", "fingerprint", "folder"], rows))


@model_app.command("add")
def model_add(
    place: Annotated[str, typer.Argument(help="a folder, a zip, or the name of a published model")],
    name: Annotated[str | None, typer.Option(help="what it is called here; else what the place is called")] = None,
    labels: Annotated[str | None, typer.Option(help="names of its labels, in the network's order")] = None,
) -> None:
    """Bring a model: checked, tried by one text and registered, or refused with the reason.

    A folder holds model.onnx with assets/vocab.txt and assets/labels.txt, or what Spark NLP saved of a
    DistilBertForSequenceClassification, of 2021 or of today; a zip holds the same.

    Examples: `sentiment model add ~/mine --name mine --labels neg,pos`,
    `sentiment model add distilbert_multilingual_sequence_classifier_allocine`
    """
    from sentiment.orchestration import adding
    from sentiment.runtime import spark

    given = tuple(label.strip() for label in (labels or "").split(",") if label.strip())
    request, config = adding.Request(place, name, given), settings.load()
    with ERR.status("bringing the model") as status:
        model = adding.add(request, config, lambda: spark.session("sentiment model add"), status.update)
    OUT.print(f"{model.model_id} can score: labels {', '.join(model.labels)}, {model.engine}, in {model.folder}.")
    OUT.print(f"Next: sentiment predict 'Un film magnifique !' --model {model.model_id}")


@model_app.command("quantize")
def model_quantize(
    model_id: Annotated[str, typer.Argument(help="as `sentiment model list` names it")],
    sample: Annotated[
        Path | None, typer.Option(help="texts to compare by, one a line; without it made-up ones")
    ] = None,
    anyway: Annotated[bool, typer.Option(help="keep it even below 99 % agreement")] = False,
) -> None:
    """Make a model's int8 twin, a smaller and faster one, and compare the two.

    Example: `sentiment model quantize cinema-fr`
    """
    from sentiment.orchestration import quantizing
    from sentiment.scoring import registry

    config = settings.load()
    texts = quantizing.sample(sample)
    with ERR.status("quantising") as status:
        parent = registry.find(model_id, config)
        twin, comparison = quantizing.quantize(parent, texts, config, anyway, status.update)
    OUT.print(f"{twin.model_id}: {comparison.summary()}.")
    OUT.print(f"Next: sentiment predict 'Un film magnifique !' --model {twin.model_id}")


@model_app.command("use")
def model_use(
    model_id: Annotated[str, typer.Argument(help="as `sentiment model list` names it")],
    anyway: Annotated[bool, typer.Option(help="even if the views then show less than now")] = False,
) -> None:
    """Let the views show this model from now on. A model that covers less than the current one is refused.

    Example: `sentiment model use cinema-fr`
    """
    from sentiment.orchestration import rescoring

    lost = rescoring.use(model_id, anyway)
    OUT.print(f"The views show {model_id}, without {lost.summary()} they showed.")
    scheduled = settings.load().model
    if scheduled != model_id:
        OUT.print(f"Scheduled nights are still scored by {scheduled}. Next: set SENTIMENT_MODEL={model_id}")


@model_app.command("retire")
def model_retire(
    model_id: Annotated[str, typer.Argument(help="as `sentiment model list` names it")],
    undo: Annotated[bool, typer.Option(help="take it back, while its scores are still there")] = False,
) -> None:
    """Mark a model as no longer used: some days later maintain_store removes its scores.

    Example: `sentiment model retire cinema-fr-int8`
    """
    from sentiment.scoring import registry

    registry.retire(model_id, undo)
    days = settings.load().keep_retired_days
    OUT.print(f"{model_id} is in use again." if undo else f"{model_id} is retired; its scores go in {days} days.")


SourceName = Annotated[str | None, typer.Option(help="where the reviews come from; default SENTIMENT_SOURCE")]
ModelName = Annotated[str | None, typer.Option(help="a name of `sentiment model list`; default SENTIMENT_MODEL")]


def _stream(source: str | None, model: str | None) -> Any:
    from sentiment.drift.history import Stream

    config = settings.load()
    return Stream(source or config.source, model or config.model)


@reference_app.command("pin")
def reference_pin(
    first: Annotated[str, typer.Option("--from", help="first night, like 2026-05-01")],
    last: Annotated[str, typer.Option("--to", help="last night")],
    source: SourceName = None,
    model: ModelName = None,
    budget: Annotated[float, typer.Option(help="false alarms a year, all series together")] = 1.0,
) -> None:
    """Freeze a range of published nights: later nights are compared with it. Nights in alarm are left out.

    Example: `sentiment reference pin --from 2026-05-01 --to 2026-10-31`
    """
    from sentiment.drift import reference

    again = "sentiment reference pin --from 2026-05-01 --to 2026-10-31"
    stream = _stream(source, model)
    with ERR.status("fitting what quiet nights look like"):
        found = reference.pin(stream, _date("--from", first, again), _date("--to", last, again), budget)
    OUT.print(f"[bold]{found.reference_id}[/] is the reference of {stream.source} by {stream.model_id} now.")
    for line in reference.in_words(found):
        OUT.print(line)


@reference_app.command("list")
def reference_list() -> None:
    """List references, the newest first."""
    from sentiment.drift import reference

    rows = [
        (r.reference_id, r.stream.source, r.stream.model_id, r.first, r.last, r.n_nights, r.pinned_at,
         "current" if r.is_current else "")
        for r in reference.listed()
    ]  # fmt: skip
    names = ["reference", "source", "model", "from", "to", "nights", "pinned"]
    _show(_table([*names, ""], rows)) if rows else OUT.print(
        "No reference yet. Next: sentiment reference pin --from … --to …"
    )


@reference_app.command("show")
def reference_show(reference_id: Annotated[str, typer.Argument(help="as `sentiment reference list` names it")]) -> None:
    """Show what a reference froze: each series with mean, dispersion and thresholds, and the calibrator."""
    from sentiment.drift import reference

    found = reference.find(reference_id)
    for line in reference.in_words(found):
        OUT.print(line)
    names = ["slice", "value", "column", "mean", "standard error", "dispersion", "z alarms at", "sum alarms at"]
    _show(_table(names, reference.table(found)))


@reference_app.command("compare")
def reference_compare(
    one: Annotated[str, typer.Argument(help="a reference")], other: Annotated[str, typer.Argument(help="another")]
) -> None:
    """Show, for every series of both, how far the second's mean lies from the first's."""
    from sentiment.drift import reference

    names = ["slice", "value", "column", one, other, "difference", "in standard errors"]
    _show(_table(names, reference.compared(reference.find(one), reference.find(other))))


@drift_app.command("show")
def drift_show(
    source: Annotated[str | None, typer.Option(help="one source; default all")] = None,
    since: Annotated[str | None, typer.Option(help="alarms followed since that night")] = None,
    every: Annotated[bool, typer.Option("--all", help="closed alarms too")] = False,
) -> None:
    """Show alarms, each in one sentence, and the newest nights with their estimated and realised accuracy.

    Examples: `sentiment drift show`, `sentiment drift show --all --since 2026-11-01`
    """
    from sentiment.drift import alarms, tracking

    day = _date("--since", since, "sentiment drift show --since 2026-11-01") if since else None
    found = alarms.listed(source, day, only_open=not every)
    for alarm in found:
        until = f", closed {alarm.closed}" if alarm.closed else ""
        OUT.print(f"[bold]{alarm.alarm_id}[/]  {alarm.status}, opened {alarm.opened}{until}")
        OUT.print(f"  {escape(alarm.sentence)}")
        if alarm.reason:
            OUT.print(f"  acknowledged: {escape(alarm.reason)}")
    if not found:
        OUT.print("No open alarm." if not every else "No alarm.")
    names = ["night", "source", "model", "ok", "watch", "alarm", "acknowledged", "insufficient data"]
    nights = tracking.newest(source)
    _show(_table([*names, "estimated accuracy", "realised accuracy"], nights))
    if nights and not any(row[3] for row in nights):
        OUT.print("Nothing is judged without a reference. Next: sentiment reference pin --from … --to …")


@drift_app.command("ack")
def drift_ack(
    alarm_id: Annotated[str, typer.Argument(help="as `sentiment drift show` names it")],
    reason: Annotated[str, typer.Option(help="why, in words")],
) -> None:
    """Take note of an open alarm, with a reason: it is followed on, but no longer told as an alarm.

    Example: `sentiment drift ack 0123456789abcdef --reason 'the critics are on strike'`
    """
    import getpass

    from sentiment.drift import tracking

    noted = tracking.acknowledge(alarm_id, reason, getpass.getuser())
    OUT.print(f"Alarm {alarm_id} is acknowledged from night {noted.night} on.")


@drift_app.command("replay")
def drift_replay(
    first: Annotated[str, typer.Option("--from", help="first night to recompute")],
    last: Annotated[
        str | None, typer.Option("--to", help="last one; later nights follow unless --reference is given")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="against this reference instead of the current one")] = None,
    source: SourceName = None,
    model: ModelName = None,
) -> None:
    """Recompute drift from stored counts, in the order of nights; what differs supersedes what was said.

    Example: `sentiment drift replay --from 2026-11-01`
    """
    from sentiment.drift import tracking

    again = "sentiment drift replay --from 2026-11-01"
    until = _date("--to", last, again) if last else None
    told = tracking.replay(_stream(source, model), _date("--from", first, again), until, reference_id=reference)
    rows = [(night, ", ".join(f"{n} {status}" for status, n in sorted(by.items()))) for night, by in told.items()]
    _show(_table(["night", "series"], rows))


@drift_app.command("simulate")
def drift_simulate(
    reviews: Annotated[float, typer.Option(help="new reviews of a mean night", min=30)] = 800,
    design_effect: Annotated[float, typer.Option(help="how much reviews clump by film; 1: not at all", min=1)] = 1.5,
    nights: Annotated[int, typer.Option(help="nights of the reference", min=56)] = 180,
    budget: Annotated[float, typer.Option(help="false alarms a year", min=0.05)] = 1.0,
    change: Annotated[list[float] | None, typer.Option(help="change of the positive share in points, like -3")] = None,
    replays: Annotated[int, typer.Option(help="simulated years", min=5)] = 50,
    seed: Annotated[int, typer.Option(help="the same seed says the same")] = 1,
) -> None:
    """Say how many false alarms to expect a year, and how soon a change is found, for a volume of your own.

    Example: `sentiment drift simulate --reviews 300 --change -5 --change 2 --budget 2`
    """
    from sentiment.drift import replays as simulated

    changes = tuple(change or (-3.0, -6.0))
    scenario = simulated.Scenario(reviews, design_effect, nights, budget, changes, replays, seed)
    with ERR.status("simulating") as status:
        rows = simulated.expected(scenario, lambda number: status.update(f"year {number + 1} of {replays}"))
    _show(_table(["to expect", ""], rows))


@db_app.command("url")
def db_url(role: Annotated[Role, typer.Option(help="who connects")] = Role.reader) -> None:
    """Print the address of the reviews database, password included, for psql and BI tools.

    Example: `psql "$(sentiment db url --role reader)"`
    """
    print(database.url(role.value).set(drivername="postgresql").render_as_string(hide_password=False))  # noqa: T201


@db_app.command("migrate")
def db_migrate() -> None:
    """Bring the reviews database to the newest revision, as owner."""
    from sentiment.store import migrate

    OUT.print(f"revision {migrate.upgrade()}")


@db_app.command("roles")
def db_roles(rotate: Annotated[bool, typer.Option(help="with new, generated passwords")] = False) -> None:
    """Create or update the roles and databases: on the embedded server with the generated passwords, on one
    of your own (SENTIMENT_SUPERUSER_URL) with those of the configured addresses.

    Example: `sentiment db roles --rotate`
    """
    from sentiment.embedded import machine
    from sentiment.store import roles

    config = settings.load()
    if config.superuser_url is None:
        (machine.rotate_passwords if rotate else machine.start_postgres)(config)
        restart = "make down, then make up"
    elif rotate:
        path = machine.rotate_elsewhere(config)
        restart = f"deploy {path}, start again what uses the database, remove the file"
    else:
        roles.ensure(config.superuser_url.get_secret_value(), roles.configured_passwords(config))
    OUT.print("roles and databases are up to date")
    if rotate:
        OUT.print(f"What runs already still has the old passwords. Next: {restart}")


@db_app.command("text-index")
def db_text_index(drop: Annotated[bool, typer.Option(help="remove it again")] = False) -> None:
    """Make `sentiment.search_reviews` fast by an index over all texts; loads get slower (docs/operations.md).

    Examples: `sentiment db text-index`, `sentiment db text-index --drop`
    """
    from sentiment.store import text_index

    if drop:
        text_index.drop()
        OUT.print("The index is gone.")
        return
    OUT.print("Building beside running nights …")
    OUT.print(f"The index is there, {text_index.create() / 1e6:,.1f} MB.")


@db_app.command("dictionary")
def db_dictionary(
    output: Annotated[
        Path | None, typer.Option(help="file to write; `-` prints; default docs/data-dictionary.md")
    ] = None,
) -> None:
    """Write the data dictionary from the comments in the database.

    Example: `sentiment db dictionary --output -`
    """
    from sentiment.store import dictionary

    with database.transaction("reader") as c:
        page = dictionary.render(dictionary.read(c))
    if output == Path("-"):
        print(page, end="")  # noqa: T201
        return
    target = output or settings.PROJECT_ROOT / "docs" / "data-dictionary.md"
    if not target.parent.is_dir():
        raise _wrong("--output", str(target), "a file in a folder there is", "sentiment db dictionary --output -")
    target.write_text(page, "utf-8")
    OUT.print(f"{target} is up to date")


if __name__ == "__main__":
    main()
