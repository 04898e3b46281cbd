"""Measure on this machine and print beside the budgets: `make bench`, or `python -m bench --only PART`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from sentiment.cli.render import OUT, run, show, table

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="markdown")


class Bench(StrEnum):
    """What can be measured."""

    night = "night"
    intake = "intake"
    scoring = "scoring"
    publishing = "publishing"
    matrix = "matrix"
    drift = "drift"


@app.command()
def bench(
    only: Annotated[list[Bench] | None, typer.Option(help="leave out the rest; may be repeated")] = None,
    rounds: Annotated[int, typer.Option(help="how often each is measured", min=1)] = 3,
    cold: Annotated[bool, typer.Option(help="also from a bare clone, network included")] = True,
    reviews: Annotated[
        int, typer.Option(help="reviews that publishing publishes; intake takes in twice as many", min=1000)
    ] = 500_000,
    seeds: Annotated[int, typer.Option(help="seeds of the kill matrix", min=1)] = 25,
    without_spark: Annotated[
        bool, typer.Option("--without-spark", help="leave out the points of the kill matrix that need Spark")
    ] = False,
    point: Annotated[
        list[str] | None, typer.Option(help="a point of the kill matrix, without the others; may be repeated")
    ] = None,
    replays: Annotated[int, typer.Option(help="simulated years that drift alarms are tried on", min=2)] = 200,
) -> None:
    """Measure on this machine and print beside the budgets: nights, intake, scoring, publishing, the matrix, drift.

    Examples: `python -m bench --only night --no-cold`, `python -m bench --only matrix --seeds 5 --without-spark`,
    `python -m bench --only matrix --point ingested --point validated`
    """
    from bench import intake, night, publishing, scoring
    from tests.kit.kill_matrix import runner

    parts = set(only or Bench)
    points = point or (runner.NAMES_WITHOUT_SPARK if without_spark else runner.NAMES)
    if unknown := set(points) - set(runner.NAMES):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}; expected of: {', '.join(runner.NAMES)}", param_hint="--point"
        )
    OUT.print(f"On {night.machine()}")
    figures = night.measure(rounds, cold, OUT.print) if Bench.night in parts else []
    if Bench.intake in parts:
        figures += intake.measure(rounds, 2 * reviews, OUT.print)
    if Bench.scoring in parts:
        figures += scoring.measure(rounds, OUT.print)
    if Bench.publishing in parts:
        figures += publishing.measure(rounds, reviews, OUT.print)
    if figures:
        show(table(["measured", "least", "median", "most", "budget"], [m.row() for m in figures]))
    missed = _bench_drift(replays) if Bench.drift in parts else 0
    if Bench.matrix in parts and runner.measure(seeds, OUT.print, points):
        missed += 1
    if missed:
        raise typer.Exit(1)


def _bench_drift(replays: int) -> int:
    """Print the tables of drift; return how many of their rows miss their budget."""
    from bench import drift

    tables = drift.measure(replays, OUT.print)
    for printed in tables:
        OUT.print()
        OUT.print(f"[bold]{escape(printed.title)}[/]")
        show(table(printed.columns, printed.rows))
    return sum(printed.failed for printed in tables)


def main() -> None:
    """Run the command line; print a SentimentError as one paragraph and exit with its code."""
    run(app)


if __name__ == "__main__":
    main()
