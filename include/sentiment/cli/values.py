"""Options that several commands share, and the checks of typed values that Typer has no type for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Annotated

import typer

from sentiment.errors import ParameterError, quoted

SourceName = Annotated[str | None, typer.Option(help="where the reviews come from; default SENTIMENT_SOURCE")]
ModelName = Annotated[str | None, typer.Option(help="a name of `sentiment model list`; default SENTIMENT_MODEL")]


def wrong_value(name: str, value: object, expected: str, try_next: str) -> ParameterError:
    """Return the error for a typed value: which option, what was typed, what is expected, a command that works."""
    return ParameterError(f"{name} is {value!r}; expected {expected}.", try_next)


def command_line(command: str, options: Mapping[str, object]) -> str:
    """Return a command with those of its options that have a value, each value one word of the shell."""
    return command + "".join(f" --{name} {quoted(value)}" for name, value in options.items() if value is not None)


def parse_date(option: str, text: str, again: Callable[[date], str]) -> date:
    """Return the date of an ISO text like 2026-11-22; raise ParameterError, naming the option, for anything else.

    `again` returns the command to type next, with the date that the text seems to mean, else yesterday's.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong_value(option, text, "a date like 2026-11-22", again(_meant(text))) from None


_DAY_FIRST = re.compile(r"(?P<day>\d{1,2})[/. -](?P<month>\d{1,2})[/. -](?P<year>\d{4})")
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})[/. -](?P<month>\d{1,2})[/. -](?P<day>\d{1,2})")


def _meant(text: str) -> date:
    match = _DAY_FIRST.fullmatch(text.strip()) or _YEAR_FIRST.fullmatch(text.strip())
    if match:
        with suppress(ValueError):
            return date(int(match["year"]), int(match["month"]), int(match["day"]))
    return date.today() - timedelta(days=1)
