"""The command `sentiment`: a module for each group of commands, composed here.

Every error ends with the command to type next, and its class decides the exit code (`sentiment.errors`). What is heavy
to import (Spark, Airflow's helpers, Great Expectations) is imported inside the command that needs it.
"""

from __future__ import annotations

import typer

from sentiment.cli import data, database, drift, machine, models, nights, quarantine
from sentiment.cli.render import run

app = typer.Typer(
    help="Nightly sentiment of French film reviews.\n\n"
    "Errors end with the command to type next; exit codes: 2 a wrong value, 3 a data error, 4 an infrastructure "
    "error, 5 something this machine lacks, 6 an error of the program itself.\n\n"
    "Example: `sentiment nightly --dump reviews.jsonl.gz`",
    no_args_is_help=True,
    # Typer's tracebacks print local variables, and some of those hold addresses with passwords.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

NIGHTS, MODELS, DATA, MACHINE = "Nights", "Models", "Dumps and stored data", "This machine"
"""Panels of `sentiment --help`."""

# `make nightly` hands its values on in the environment, where no shell reads them.
app.command(rich_help_panel=NIGHTS, context_settings={"auto_envvar_prefix": "NIGHTLY"})(nights.nightly)
app.command(rich_help_panel=NIGHTS)(nights.runs)
app.command(rich_help_panel=NIGHTS)(nights.report)
app.add_typer(nights.run_app, name="run", rich_help_panel=NIGHTS)
app.add_typer(quarantine.app, name="quarantine", rich_help_panel=NIGHTS)
app.add_typer(drift.drift_app, name="drift", rich_help_panel=NIGHTS)
app.add_typer(drift.reference_app, name="reference", rich_help_panel=NIGHTS)

app.command(rich_help_panel=MODELS)(models.predict)
app.command(rich_help_panel=MODELS)(models.evaluate)
app.command(rich_help_panel=MODELS)(models.rescore)
app.add_typer(models.app, name="model", rich_help_panel=MODELS)

app.command("sample-dump", rich_help_panel=DATA)(data.sample_dump)
app.add_typer(data.source_app, name="source", rich_help_panel=DATA)
app.add_typer(data.review_app, name="review", rich_help_panel=DATA)
app.command(rich_help_panel=DATA)(data.maintain)
app.add_typer(database.app, name="db", rich_help_panel=DATA)

app.command(rich_help_panel=MACHINE)(machine.up)
app.command(rich_help_panel=MACHINE)(machine.demo)
app.command(rich_help_panel=MACHINE)(machine.down)
app.command(rich_help_panel=MACHINE)(machine.doctor)


def main() -> None:
    """Run the command line; print a SentimentError as one paragraph and exit with its code."""
    run(app)
