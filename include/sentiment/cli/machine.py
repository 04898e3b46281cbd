"""Commands about this machine: start and stop what runs here, and check what it lacks."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from sentiment import settings
from sentiment.cli.render import OUT, show, table


def up() -> None:
    """Start Airflow's UI on 127.0.0.1; its password is printed the first time.

    Example: `sentiment up`
    """
    from sentiment.embedded import airflow, machine, secrets

    ready = machine.prepare(settings.load(), OUT.print)
    config = settings.load()  # again: preparing writes the addresses of a new server, which are settings too
    first_time = not (config.home / "airflow" / "passwords.json").exists()
    with machine.stage(OUT.print, "Airflow's UI"):
        started = airflow.up(config, ready.env, lambda line: OUT.print(f"  {line}"))
    OUT.print(f"{'Started' if started else 'Running already'}: http://127.0.0.1:{config.airflow_port}")
    if first_time:
        OUT.print(f"User {airflow.ADMIN}, password {secrets.load(config.home)['airflow_admin']}")
    OUT.print(f"The password is in {config.home}/airflow/passwords.json; `make down` stops everything.")


def demo(
    again: Annotated[bool, typer.Option(help="remove the demo there is, and make it anew")] = False,
    remove: Annotated[bool, typer.Option(help="only remove it")] = False,
) -> None:
    """Make 120 nights of made-up reviews in a database of their own, and open the pages about them.

    It takes some minutes the first time, and touches no night of yours. `sentiment down` stops it.

    Examples: `sentiment demo`, `sentiment demo --remove`
    """
    from sentiment.demo import home
    from sentiment.embedded import airflow, secrets

    config = settings.load()
    if again or remove:
        home.remove(config)
    if remove:
        OUT.print("The demo is removed.")
        return
    # Here, since it imports what Spark and models need, which removing does without.
    from sentiment.demo import making

    with home.at_home(home.folder(config)):
        address, alarms = making.make(OUT.print)
        password = secrets.load(settings.load().home)["airflow_admin"]
    OUT.print("\n[bold]What drift has named, by the night of the alarm[/]")
    for alarm in alarms:
        OUT.print(f"  {escape(alarm)}")
    OUT.print(f"\n[bold green]Look at it:[/] {address}\nUser {airflow.ADMIN}, password {password}")
    OUT.print("All of it is made up. `make down` stops it, `sentiment demo --remove` removes it.")
    if sys.stdout.isatty():
        typer.launch(address)


def down(remove: Annotated[bool, typer.Option(help="also remove all state: `make clean`")] = False) -> None:
    """Stop every process of this checkout: Airflow, running nights, Postgres.

    Example: `sentiment down`
    """
    import shutil

    from sentiment.demo import home
    from sentiment.embedded import airflow, machine

    config = settings.load()
    n_ended = airflow.down(config) + home.stop(config)
    if remove:
        home.remove(config)
    server = machine.postgres(config)
    server.stop()
    if remove:
        server.destroy()
        shutil.rmtree(config.home, ignore_errors=True)
    OUT.print(f"{n_ended} processes and Postgres are stopped; nothing of {config.home} runs any more.")


def doctor() -> None:
    """Check this machine; print what is missing, with the command that mends it. Exit code 5 where something is.

    Example: `sentiment doctor`
    """
    from sentiment.embedded import doctor as checks

    findings = checks.examine(settings.load())
    rows = [("ok" if f.ok else "MISSING", f.requirement, f.state, "" if f.ok else f.mend) for f in findings]
    show(table(["", "what", "present", "to mend"], rows))
    # No SetupError: the table has a line to type for everything that is missing.
    if not all(f.ok for f in findings):
        raise typer.Exit(5)
