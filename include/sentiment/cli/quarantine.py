"""Commands about refused records: list them, look at one, export them, requeue the run that refused them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sentiment.cli.nights import show_outcome
from sentiment.cli.render import OUT, show, table
from sentiment.cli.values import command_line, parse_date, wrong_value
from sentiment.errors import quoted
from sentiment.quality.batch_check import BatchCheck

if TYPE_CHECKING:
    from sentiment.store.quarantine import Which

app = typer.Typer(
    help="Refused records: list them, look at one, export them, and requeue their run once the reason is mended.\n\n"
    "Example: `sentiment quarantine list --night 2026-11-22`",
    no_args_is_help=True,
)
Night = Annotated[str | None, typer.Option("--night", help="refused in that night, like 2026-11-22")]
Source = Annotated[str | None, typer.Option(help="of that source")]
OfRun = Annotated[str | None, typer.Option("--run", help="of that run, even if it was replaced")]
RuleName = Annotated[str | None, typer.Option("--rule", help="that failed that rule")]


@app.command("list")
def list_records(
    night: Night = None,
    source: Source = None,
    run: OfRun = None,
    rule: RuleName = None,
    limit: Annotated[int, typer.Option(help="how many, the newest run first", min=1)] = 20,
) -> None:
    """List refused records, those of the newest run first; records of replaced runs only with --run.

    Examples: `sentiment quarantine list`, `sentiment quarantine list --night 2026-11-22 --rule text_not_too_long`
    """
    from sentiment.store import quarantine

    records = quarantine.newest(_selection("sentiment quarantine list", night, source, run, rule), limit)
    if not records:
        OUT.print(f"No such record. Rules that records have failed: {', '.join(quarantine.rules()) or 'none'}.")
        return
    rows = [
        (r.run_id, r.night, r.file_no, r.record_no, " ".join(r.reasons), quarantine.shown(r.details.partition("\n")[0]))
        for r in records
    ]
    show(table(["run", "night", "file", "record", "rules", "first reason"], rows))
    if run and (later_runs := {r.requeued_in for r in records if r.requeued_in}):
        OUT.print(f"Some of these records were reprocessed: sentiment run show {', '.join(later_runs)}")
    OUT.print(f"Next: sentiment quarantine show {records[0].run_id} {records[0].file_no} {records[0].record_no}")


def _selection(command: str, night: str | None, source: str | None, run: str | None, rule: str | None) -> Which:
    from sentiment.runs import opening
    from sentiment.store.quarantine import Which

    def again(day: date) -> str:
        return command_line(command, {"night": day, "source": source, "run": run, "rule": rule})

    day = parse_date("--night", night, again) if night else None
    return Which(day, source, opening.get_run(run).run_id if run else None, rule)


@app.command("show")
def show_record(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="as `sentiment quarantine list` shows it")],
    file_no: Annotated[int, typer.Argument(help="file of the dump, from 0")],
    record_no: Annotated[int, typer.Argument(help="record of the file, from 1")],
) -> None:
    """Show one refused record: its file and offset, every rule it failed, its bytes, and what to do.

    Bytes that are no UTF-8 are shown as \\xNN, control characters escaped.

    Example: `sentiment quarantine show 20261122-1a2b3c4d 0 17`
    """
    from sentiment.store import quarantine

    record = quarantine.get(run_id, file_no, record_no)
    for name, value in quarantine.story(record).items():
        # Plain: rich would take brackets of a review for markup.
        OUT.out(f"{name:<10}  {value}", highlight=False)


@app.command("duplicates")
def list_duplicates(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="a published run, as `sentiment runs` lists them")],
    limit: Annotated[int, typer.Option(help="how many", min=1)] = 20,
) -> None:
    """List the records of a run that equal an earlier one of its dump, each with the record that it equals.

    Example: `sentiment quarantine duplicates 20261122-1a2b3c4d`
    """
    from sentiment.runs import opening
    from sentiment.store import quarantine

    run = opening.get_run(run_id)
    rows = quarantine.duplicates(run.run_id, limit)
    if not rows:
        OUT.print(f"Run {run_id} has no duplicate stored; it counted {run.counts['duplicate']:,}.")
        return
    show(table(["file", "record", "review", "equals file", "record"], [tuple(row) for row in rows]))
    OUT.print(f"{len(rows):,} of {run.counts['duplicate']:,}")


@app.command("export")
def export_records(
    path: Annotated[Path, typer.Argument(help="CSV file to write")],
    night: Night = None,
    source: Source = None,
    run: OfRun = None,
    rule: RuleName = None,
    force: Annotated[bool, typer.Option(help="replace an existing file")] = False,
) -> None:
    """Write refused records as CSV that is safe to open in a spreadsheet; it may hold author names.

    Example: `sentiment quarantine export /tmp/quarantine.csv --night 2026-11-22`
    """
    from sentiment.store import quarantine

    command = f"sentiment quarantine export {quoted(path)}" + (" --force" if force else "")
    n_rows = quarantine.export(path, _selection(command, night, source, run, rule), force)
    OUT.print(f"{n_rows:,} records in {escape(str(path))}, readable by you alone.")


@app.command("requeue")
def requeue_run(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="a published run, as `sentiment quarantine list` shows it")
    ],
    reason: Annotated[str | None, typer.Option(help="what was mended; stored with the new run")] = None,
    profile: Annotated[str | None, typer.Option(help="another source profile than its night was read by")] = None,
    encoding: Annotated[str | None, typer.Option(help="another encoding than its night was read in")] = None,
    allow: Annotated[list[BatchCheck] | None, typer.Option(help="a batch check that the new run may fail too")] = None,
    replace: Annotated[bool, typer.Option(help="run and replace the night; without this it is only reported")] = False,
) -> None:
    """Report what a run refused; with --replace, reprocess its dump by today's rules in a new run that replaces it.

    Example: `sentiment quarantine requeue 20261122-1a2b3c4d --reason 'longer texts are accepted' --replace`
    """
    from sentiment.local import nights
    from sentiment.orchestration import requeueing

    request = requeueing.Requeue(run_id, reason, profile, encoding, tuple(map(str, allow or ())))
    command = f"{request.try_next} --reason 'what was mended' --replace"
    if not replace:
        planned = requeueing.plan(request)
        OUT.print(escape(planned.summary()))
        OUT.print(f"Next: {f'sentiment run show {planned.requeued_in}' if planned.requeued_in else command}")
    # A reason is asked for here, not by Typer: without --replace none is needed.
    elif not (reason or "").strip():
        raise wrong_value("--reason", reason, "what was mended", command)
    else:
        show_outcome(nights.requeue(request, OUT.print))
