"""Measure on this machine and print beside the budgets: `make bench`, or `python -m bench --only PART`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from sentiment.cli.render import OUT, run, show, table

from bench.pairs import Measure

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="markdown")


class Bench(StrEnum):
    """What can be measured."""

    night = "night"
    intake = "intake"
    look = "look"
    scoring = "scoring"
    publishing = "publishing"
    matrix = "matrix"
    drift = "drift"
    versions = "versions"
    dresses = "dresses"
    pages = "pages"


@app.command()
def bench(
    only: Annotated[list[Bench] | None, typer.Option(help="leave out the rest; may be repeated")] = None,
    rounds: Annotated[
        int | None, typer.Option(help="how often each is measured, 3 times; versions by its own table", min=1)
    ] = None,
    cold: Annotated[bool, typer.Option(help="also from a bare clone, network included")] = True,
    reviews: Annotated[
        int,
        typer.Option(help="reviews that publishing publishes; intake and look take twice, pages ten times", min=1000),
    ] = 500_000,
    seeds: Annotated[int, typer.Option(help="seeds of the kill matrix", min=1)] = 25,
    without_spark: Annotated[
        bool, typer.Option("--without-spark", help="leave out the points of the kill matrix that need Spark")
    ] = False,
    point: Annotated[
        list[str] | None, typer.Option(help="a point of the kill matrix, without the others; may be repeated")
    ] = None,
    replays: Annotated[int, typer.Option(help="simulated years that drift alarms are tried on", min=2)] = 200,
    old: Annotated[Path | None, typer.Option(help="an older checkout to measure against: the part versions")] = None,
    measure: Annotated[list[Measure] | None, typer.Option(help="of versions this alone; may be repeated")] = None,
    labelled: Annotated[
        list[Path] | None,
        typer.Option(help="labelled reviews in JSON lines, published in ten dresses: the part dresses"),
    ] = None,
    prepare_old: Annotated[
        Path | None, typer.Option(help="make that checkout in this folder, and measure nothing")
    ] = None,
) -> None:
    """Measure on this machine, beside the budgets: nights, intake, looks, scoring, publishing, kill matrix, drift.

    The part dresses publishes labelled reviews of yours in ten forms, the part pages requests every page. The part
    versions measures an older checkout and this one in turn. `--prepare-old` makes the older one.

    Examples: `python -m bench --only night --no-cold`, `python -m bench --only matrix --seeds 5 --without-spark`,
    `python -m bench --only matrix --point judged --point validated`,
    `python -m bench --prepare-old ../old`, `python -m bench --only versions --old ../old --measure known --rounds 1`
    """
    from bench import checkouts, intake, looking, night, publishing, scoring
    from tests.kit.kill_matrix import runner

    if prepare_old is not None:
        checkouts.prepare(prepare_old, checkouts.OLD, OUT.print)
        return

    parts = set(only or Bench)
    points = point or (runner.NAMES_WITHOUT_SPARK if without_spark else runner.NAMES)
    if unknown := set(points) - set(runner.NAMES):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}; expected of: {', '.join(runner.NAMES)}", param_hint="--point"
        )
    if old is None and only and Bench.versions in only:
        raise typer.BadParameter("versions needs an older checkout: --prepare-old makes one", param_hint="--old")
    OUT.print(f"On {night.machine()}")
    n_missed = _bench_versions(old, measure, rounds) if old is not None and Bench.versions in parts else 0
    rounds = rounds or 3
    figures = night.measure(rounds, cold, OUT.print) if Bench.night in parts else []
    if Bench.intake in parts:
        figures += intake.measure(rounds, 2 * reviews, OUT.print)
    if Bench.look in parts:
        figures += looking.measure(rounds, 2 * reviews, OUT.print)
    if Bench.scoring in parts:
        figures += scoring.measure(rounds, OUT.print)
    if Bench.publishing in parts:
        figures += publishing.measure(rounds, reviews, OUT.print)
    if figures:
        show(table(["measured", "least", "median", "most", "budget"], [m.row() for m in figures]))
    if Bench.dresses in parts:
        n_missed += sum(_bench_dresses(path) for path in labelled or [])
    if Bench.pages in parts:
        n_missed += _bench_pages(10 * reviews)
    missed = n_missed + (_bench_drift(replays) if Bench.drift in parts else 0)
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


def _bench_pages(reviews: int) -> int:
    """Print how long each page took; return how many took too long."""
    from bench import pages

    answered = pages.measure(reviews, OUT.print)
    show(table(["page", "median", "95th percentile", "at most"], [one.row() for one in answered]))
    return sum(one.is_missed for one in answered)


def _bench_dresses(labelled: Path) -> int:
    """Print what came of each dress; return how many reviews came out otherwise than of the plain dump."""
    from bench import dresses

    OUT.print(f"{escape(str(labelled))} in ten dresses")
    dressed = dresses.measure(labelled, OUT.print)
    show(table(["dress", "read", "reviews", "otherwise"], [one.row() for one in dressed]))
    return sum(one.n_other for one in dressed)


def _bench_versions(old: Path, measures: list[Measure] | None, rounds: int | None) -> int:
    """Print what an older checkout and this one took; return how many budgets are missed and tables differ."""
    from bench.seconds import COLUMNS
    from bench.versions import Versions

    compared = Versions(old, OUT.print).measure(measures or list(Measure), rounds)
    for printed in compared.tables:
        OUT.print(f"[bold]{escape(printed.title)}[/], in seconds")
        show(table(["", *COLUMNS, "all"], printed.cells()))
    if compared.pairs:
        columns = ["median of", "old", "new", "rounds", "new / old", "at most"]
        show(table(columns, [pair.row() for pair in compared.pairs]))
    if compared.differences:
        columns = ["table", "rows old", "rows new", "digest old", "digest new", "equal", "only one has"]
        show(table(columns, [difference.row() for difference in compared.differences]))
    return compared.n_missed


def main() -> None:
    """Run the command line; print a SentimentError as one paragraph and exit with its code."""
    run(app)


if __name__ == "__main__":
    main()
