"""Commands about nights and their runs: run a night, list runs, look at one run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from sentiment import settings
from sentiment.cli.render import OUT, show, table
from sentiment.cli.values import parse_date
from sentiment.quality.batch_check import BatchCheck

if TYPE_CHECKING:
    from sentiment.local.nights import Outcome
    from sentiment.runs.listing import ListedAttempt, ListedRun

run_app = typer.Typer(
    help="One run: a night's dump, taken in and scored by one model.\n\n"
    "Example: `sentiment run show 20261122-1a2b3c4d`",
    no_args_is_help=True,
)


def nightly(
    dump: Annotated[str | None, typer.Option(help="file, folder or glob; without it a made-up sample")] = None,
    date: Annotated[str | None, typer.Option(help="Paris date of the night, like 2026-11-22")] = None,
    model: Annotated[str | None, typer.Option(help="a name of `sentiment model list`")] = None,
    source: Annotated[str | None, typer.Option(help="where the reviews come from")] = None,
    profile: Annotated[str | None, typer.Option(help="a name of `sentiment source list`")] = None,
    encoding: Annotated[str | None, typer.Option(help="the dump's encoding, where it is not UTF-8")] = None,
    supersede: Annotated[str | None, typer.Option(help="replace a published night; the reason for it")] = None,
    allow: Annotated[list[BatchCheck] | None, typer.Option(help="a batch check that this night may fail")] = None,
    reason: Annotated[str | None, typer.Option(help="why it may fail that check; stored with the run")] = None,
    sentences: Annotated[bool, typer.Option("--sentences", help="score each sentence as well")] = False,
    dry_run: Annotated[bool, typer.Option(help="do everything but publish")] = False,
) -> None:
    """Run one night on this machine, from nothing to a summary.

    Examples: `sentiment nightly`, `sentiment nightly --dump reviews.jsonl.gz --date 2026-11-22`
    """
    from sentiment.local import nights
    from sentiment.runs import night_command

    began = time.monotonic()
    options = {"dump": dump, "night": date, "model": model, "source": source, "profile": profile, "encoding": encoding}
    # What was not typed stays out, so that the defaults of the DAG's Params hold.
    params: dict[str, Any] = {name: value for name, value in options.items() if value}
    params |= {"dry_run": dry_run, "sentences": sentences} | ({"supersede": True} if supersede else {})
    reasons = "; ".join(filter(None, (supersede, reason)))
    params |= ({"allow": [*map(str, allow)]} if allow else {}) | ({"reason": reasons} if reasons else {})
    with night_command.completing(params):
        if date:
            day = parse_date("DATE (--date)", date, lambda meant: f"make nightly DATE={meant.isoformat()}")
            params["night"] = day.isoformat()
        outcome = nights.run(params, OUT.print)
    show_outcome(outcome, dry_run)
    OUT.print(f"[bold]Duration[/]      {time.monotonic() - began:.0f} s; `make up` opens the UI, `make down` stops all")


def show_outcome(outcome: Outcome, dry_run: bool = False) -> None:
    """Print what became of a night that ran on this machine, and where to look further."""
    from sentiment.quality.data_docs import page

    _show_summary(outcome.run_id, outcome.nothing_new, dry_run)
    OUT.print(f"[bold]Data Docs[/]     {page(settings.load().data_docs)}")
    OUT.print(f"[bold]Log[/]           {outcome.log}")
    OUT.print(f"[bold]Look further[/]  {escape(outcome.psql)}")


def _show_summary(run_id: str, nothing_new: bool, dry_run: bool) -> None:
    from sentiment.orchestration import summary
    from sentiment.runs import opening
    from sentiment.runs.model import COUNTS

    OUT.print()
    OUT.print(f"[bold green]{escape(summary.of_run(run_id, nothing_new, dry_run))}[/]")
    OUT.print()
    run = opening.get_run(run_id)
    rows = [(name, f"{run.counts[name]:,}") for name in COUNTS]
    rows += [("labelled", summary.label_shares(run_id)), ("drift", summary.drift(run_id))]
    OUT.print(table(["records", run_id], rows))
    OUT.print()


def runs(limit: Annotated[int, typer.Option(help="how many, the newest first", min=1)] = 20) -> None:
    """List runs, and nights that failed before their run was opened, the newest first.

    Example: `sentiment runs --limit 5`
    """
    from sentiment.runs import listing

    listed = listing.newest_runs(limit)
    if not listed:
        OUT.print("No run yet. Next: make nightly")
        return
    names = "run night source model status read accepted quarantined duplicate scored reused published started"
    show(table([*names.split(), "Airflow run", "dump", "error", "next"], [_run_row(run) for run in listed]))


def _run_row(run: ListedRun) -> list[object]:
    from sentiment.store.quarantine import shown

    cells = vars(run) | {"started_at": f"{run.started_at:%Y-%m-%d %H:%M}"}
    # Addresses and names of files come from strangers.
    return [shown(cell) if isinstance(cell, str) else cell for cell in cells.values()]


def report(
    run_id: Annotated[str, typer.Argument(help="as `sentiment runs` lists them")],
    html: Annotated[Path | None, typer.Option(help="write it as a page, a single file without script")] = None,
    lang: Annotated[str, typer.Option(help="language of the page: en or fr")] = "en",
) -> None:
    """Print a run's night in one paragraph, or write it as a page to send or to print.

    Examples: `sentiment report 20261122-1a2b3c4d`, `sentiment report 20261122-1a2b3c4d --html night.html`
    """
    from sentiment.runs import opening

    if html is None:
        OUT.print(escape(opening.get_run(run_id).verdict or "It is not over yet."))
        return
    from sentiment.dashboard import document

    document.write(run_id, html, lang)
    OUT.print(f"The night is in {html}.")


@run_app.command("show")
def run_show(run_id: Annotated[str, typer.Argument(help="as `sentiment runs` lists them")]) -> None:
    """Show one run: its counts, every attempt of its steps, and what went wrong.

    Example: `sentiment run show 20261122-1a2b3c4d`
    """
    from sentiment.orchestration import summary
    from sentiment.runs import listing, opening

    run = opening.get_run(run_id)
    OUT.print(
        f"[bold]{run.run_id}[/]  night {run.night}, {run.source}, {run.model_id}: {listing.status_of_run(run_id)}"
    )
    if run.supersedes:
        OUT.print(f"{'requeues' if run.requeue_of else 'replaces'} run {run.supersedes}: {escape(run.reason or '')}")
    OUT.print(escape(run.verdict or ""))
    show(table(["records", ""], [(name, f"{n:,}") for name, n in run.counts.items()]))
    by_rule = summary.by_rule(run_id)
    rows = [(rule, f"{n:,}", outcome) for outcome, counts in by_rule.items() for rule, n in counts.items()]
    if rows:
        show(table(["rule", "records", ""], rows))
    names = ["step", "token", "state", "took", "rows", "", "rows/s", "s left", "error", "next"]
    show(table(names, [_attempt_row(attempt) for attempt in listing.attempts_of_run(run_id)]))


def _attempt_row(attempt: ListedAttempt) -> tuple[object, ...]:
    total, remaining = attempt.rows_total, attempt.remaining_s
    unfinished = total is not None and (attempt.rows_done or 0) < total
    progress = (attempt.rows_done, f"of {total}" if unfinished else None, attempt.rows_per_s)
    remaining_text = None if remaining is None else f"{remaining:.0f}"
    return (attempt.step, attempt.token, attempt.state, attempt.duration, *progress, remaining_text,
            attempt.error, attempt.try_next)  # fmt: skip
