"""Options that several commands share, and the checks of typed values that Typer has no type for."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from sentiment.errors import ParameterError

SourceName = Annotated[str | None, typer.Option(help="where the reviews come from; default SENTIMENT_SOURCE")]
ModelName = Annotated[str | None, typer.Option(help="a name of `sentiment model list`; default SENTIMENT_MODEL")]


def wrong_value(name: str, value: object, expected: str, try_next: str) -> ParameterError:
    """Return the error for a typed value: which option, what was typed, what is expected, a command that works."""
    return ParameterError(f"{name} is {value!r}; expected {expected}.", try_next)


def parse_date(option: str, text: str, try_next: str) -> date:
    """Return the date of an ISO text like 2026-11-22; raise ParameterError, naming the option, for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong_value(option, text, "a date like 2026-11-22", try_next) from None
