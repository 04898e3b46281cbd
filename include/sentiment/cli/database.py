"""Commands about the reviews database: start, addresses, migrations, roles, the text index, the data dictionary."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sentiment import settings
from sentiment.cli.render import OUT
from sentiment.cli.values import wrong_value

app = typer.Typer(
    help="The reviews database.\n\nExample: `sentiment db url --role reader`",
    no_args_is_help=True,
)


class Role(StrEnum):
    """Who connects to the reviews database."""

    owner = "owner"
    writer = "writer"
    reader = "reader"


@app.command("url")
def show_url(role: Annotated[Role, typer.Option(help="who connects")] = Role.reader) -> None:
    """Print the address of the reviews database, password included, for psql and BI tools.

    Example: `psql "$(sentiment db url --role reader)"`
    """
    from sentiment import database

    # print: a shell reads this line, so rich must neither wrap nor style it.
    print(database.url(role.value).set(drivername="postgresql").render_as_string(hide_password=False))  # noqa: T201


@app.command("start")
def start_database() -> None:
    """Start the embedded server again, as after `make down` or a reboot; one that runs is left as it is.

    Example: `sentiment db start`
    """
    from sentiment.embedded import machine

    server = machine.start_postgres(settings.load())
    OUT.print(f"PostgreSQL runs on {server.host}:{server.port}; `make down` stops it.")


@app.command("migrate")
def migrate_database() -> None:
    """Bring the reviews database to the newest revision, as owner.

    Example: `sentiment db migrate`
    """
    from sentiment.drift import renewal
    from sentiment.store import migrate

    OUT.print(f"revision {migrate.upgrade()}")
    for stream in renewal.renew():
        OUT.print(f"counted the uncertain reviews of {stream.source} by {stream.model_id} by the calibrated band")


@app.command("roles")
def update_roles(rotate: Annotated[bool, typer.Option(help="with new, generated passwords")] = False) -> None:
    """Create or update the roles and databases.

    On the embedded server they get the generated passwords, on a server of your own (SENTIMENT_SUPERUSER_URL) those
    of the configured addresses.

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
        OUT.print(f"Running processes still have the old passwords. Next: {restart}")


@app.command("text-index")
def update_text_index(drop: Annotated[bool, typer.Option(help="remove it again")] = False) -> None:
    """Make `sentiment.search_reviews` fast by an index over all texts; loads get slower (docs/operations.md).

    Examples: `sentiment db text-index`, `sentiment db text-index --drop`
    """
    from sentiment.store import text_index

    if drop:
        text_index.drop()
        OUT.print("The index is removed.")
        return
    OUT.print("Building the index; nights may run meanwhile …")
    OUT.print(f"The index is ready, {text_index.create() / 1e6:,.1f} MB.")


@app.command("dictionary")
def write_dictionary(
    output: Annotated[
        Path | None, typer.Option(help="file to write; `-` prints; default docs/data-dictionary.md")
    ] = None,
) -> None:
    """Write the data dictionary from the comments in the database.

    Example: `sentiment db dictionary --output -`
    """
    from sentiment import database
    from sentiment.store import dictionary

    with database.transaction("reader") as c:
        page = dictionary.render(dictionary.read(c))
    if output == Path("-"):
        print(page, end="")  # noqa: T201
        return
    target = output or settings.PROJECT_ROOT / "docs" / "data-dictionary.md"
    if not target.parent.is_dir():
        raise wrong_value("--output", str(target), "a file in an existing folder", "sentiment db dictionary --output -")
    target.write_text(page, "utf-8")
    OUT.print(f"{target} is up to date")
