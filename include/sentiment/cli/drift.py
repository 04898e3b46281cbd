"""Commands about drift: references, alarms, replays and simulations."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sentiment import settings
from sentiment.cli.render import ERR, OUT, show, table
from sentiment.cli.values import ModelName, SourceName, command_line, parse_date

if TYPE_CHECKING:
    from sentiment.drift.history import Stream

reference_app = typer.Typer(
    help="References that nights are compared with.\n\n"
    "Example: `sentiment reference pin --from 2026-05-01 --to 2026-10-31`",
    no_args_is_help=True,
)
drift_app = typer.Typer(
    help="Drift: what changed, since when, and why.\n\nExample: `sentiment drift show`", no_args_is_help=True
)


def _stream(source: str | None, model: str | None) -> Stream:
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

    def again(**days: object) -> str:
        typed = {"from": first, "to": last, "source": source, "model": model, "budget": budget if budget != 1 else None}
        return command_line("sentiment reference pin", typed | days)

    stream = _stream(source, model)
    with ERR.status("fitting the spread of quiet nights"):
        first_night = parse_date("--from", first, lambda day: again(**{"from": day}))
        last_night = parse_date("--to", last, lambda day: again(to=day))
        pinned = reference.pin(stream, first_night, last_night, budget)
    OUT.print(f"[bold]{pinned.reference_id}[/] is the reference of {stream.source} by {stream.model_id} now.")
    for line in reference.summary(pinned):
        OUT.print(line)


@reference_app.command("list")
def reference_list() -> None:
    """List references, the newest first.

    Example: `sentiment reference list`
    """
    from sentiment.drift import reference

    rows = [
        (r.reference_id, r.stream.source, r.stream.model_id, r.first, r.last, r.n_nights, r.pinned_at,
         "current" if r.is_current else "")
        for r in reference.listed()
    ]  # fmt: skip
    if not rows:
        OUT.print("No reference yet. Next: sentiment reference pin --from … --to …")
        return
    show(table(["reference", "source", "model", "from", "to", "nights", "pinned", ""], rows))


@reference_app.command("show")
def reference_show(reference_id: Annotated[str, typer.Argument(help="as `sentiment reference list` names it")]) -> None:
    """Show what a reference froze: each series with mean, dispersion and thresholds, and the calibrator.

    Example: `sentiment reference show 0123456789abcdef`
    """
    from sentiment.drift import reference

    pinned = reference.find(reference_id)
    for line in reference.summary(pinned):
        OUT.print(line)
    names = ["slice", "value", "column", "mean", "standard error", "dispersion", "z alarms at", "sum alarms at"]
    show(table(names, reference.table(pinned)))


@reference_app.command("compare")
def reference_compare(
    one: Annotated[str, typer.Argument(help="a reference")], other: Annotated[str, typer.Argument(help="another")]
) -> None:
    """Show, for every series of both references, how far the second's mean lies from the first's.

    Example: `sentiment reference compare 0123456789abcdef fedcba9876543210`
    """
    from sentiment.drift import reference

    names = ["slice", "value", "column", one, other, "difference", "in standard errors"]
    show(table(names, reference.compared(reference.find(one), reference.find(other))))


@drift_app.command("show")
def drift_show(
    source: Annotated[str | None, typer.Option(help="one source; default all")] = None,
    since: Annotated[str | None, typer.Option(help="alarms followed since that night")] = None,
    every: Annotated[bool, typer.Option("--all", help="closed alarms too")] = False,
) -> None:
    """Show alarms, each in one sentence, and the newest nights with their estimated and realised accuracy.

    A night's warnings are the series with the status `watch` in the table drift.v_drift.

    Examples: `sentiment drift show`, `sentiment drift show --all --since 2026-11-01`
    """
    from sentiment.drift import alarms, estimates

    def again(day: date) -> str:
        return command_line("sentiment drift show" + (" --all" if every else ""), {"source": source, "since": day})

    day = parse_date("--since", since, again) if since else None
    listed = alarms.listed(source, day, only_open=not every)
    for alarm in listed:
        until = f", closed {alarm.closed}" if alarm.closed else ""
        OUT.print(f"[bold]{alarm.alarm_id}[/]  {alarm.status}, opened {alarm.opened}{until}")
        OUT.print(f"  {escape(alarm.sentence)}")
        if alarm.reason:
            OUT.print(f"  acknowledged: {escape(alarm.reason)}")
    if not listed:
        OUT.print("No open alarm." if not every else "No alarm.")
    names = ["night", "source", "model", "ok", "warning", "alarm", "acknowledged", "insufficient data"]
    nights = estimates.newest_nights(source)
    show(table([*names, "estimated accuracy", "realised accuracy"], nights))
    # Without a reference no series can be `ok`, the fourth column.
    if nights and not any(row[3] for row in nights):
        OUT.print("Nothing is judged without a reference. Next: sentiment reference pin --from … --to …")


@drift_app.command("ack")
def drift_ack(
    alarm_id: Annotated[str, typer.Argument(help="as `sentiment drift show` names it")],
    reason: Annotated[str, typer.Option(help="why; stored with the alarm")],
) -> None:
    """Acknowledge an open alarm, with a reason: it is followed on, but no longer reported as an alarm.

    Example: `sentiment drift ack 0123456789abcdef --reason 'the critics are on strike'`
    """
    import getpass

    from sentiment.drift import tracking

    # The shell's user: everybody connects by the same database role, which would name nobody.
    alarm = tracking.acknowledge(alarm_id, reason, getpass.getuser())
    OUT.print(f"Alarm {alarm_id} is acknowledged from night {alarm.night} on.")


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
    """Recompute drift from stored counts, in the order of nights; rows that differ supersede the stored ones.

    Example: `sentiment drift replay --from 2026-11-01`
    """
    from sentiment.drift import tracking

    def again(**days: object) -> str:
        typed = {"from": first, "to": last, "reference": reference, "source": source, "model": model}
        return command_line("sentiment drift replay", typed | days)

    until = parse_date("--to", last, lambda day: again(to=day)) if last else None
    first_night = parse_date("--from", first, lambda day: again(**{"from": day}))
    series_by_night = tracking.replay(_stream(source, model), first_night, until, reference_id=reference)
    rows = [
        (night, ", ".join(f"{n} {status}" for status, n in sorted(by_status.items())))
        for night, by_status in series_by_night.items()
    ]
    show(table(["night", "series"], rows))


@drift_app.command("simulate")
def drift_simulate(
    reviews: Annotated[float, typer.Option(help="new reviews of a mean night", min=30)] = 800,
    design_effect: Annotated[float, typer.Option(help="how much reviews clump by film; 1: not at all", min=1)] = 1.5,
    nights: Annotated[int, typer.Option(help="nights of the reference", min=56)] = 180,
    budget: Annotated[float, typer.Option(help="false alarms a year", min=0.05)] = 1.0,
    change: Annotated[list[float] | None, typer.Option(help="change of the positive share in points, like -3")] = None,
    replays: Annotated[int, typer.Option(help="simulated years", min=5)] = 50,
    seed: Annotated[int, typer.Option(help="the same seed gives the same result")] = 1,
) -> None:
    """Estimate how many false alarms to expect a year, and how soon a change raises one, for a volume of your own.

    Example: `sentiment drift simulate --reviews 300 --change -5 --change 2 --budget 2`
    """
    from sentiment.drift import replays as simulated

    changes = tuple(change or (-3.0, -6.0))
    scenario = simulated.Scenario(reviews, design_effect, nights, budget, changes, replays, seed)
    with ERR.status("simulating") as status:
        rows = simulated.expected(scenario, lambda number: status.update(f"year {number + 1} of {replays}"))
    show(table(["to expect", ""], rows))
