"""The line `make nightly …` of an error, completed by what was typed for the night, so that it works as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sentiment.errors import SentimentError, quoted

NAMES = (
    "DUMP", "DATE", "MODEL", "SOURCE", "PROFILE", "ENCODING", "SUPERSEDE", "ALLOW", "REASON", "SENTENCES", "DRY_RUN"
)  # fmt: skip
"""Values of `make nightly`, in the order in which a line has them."""
NOT_NAMED = "…"
"""Stands for a value that whoever writes a line doesn't know."""
_WORD = r"""(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\;])*?(?=,?(?:[\s;]|$))"""
_LINE = re.compile(rf"make nightly(?P<values>(?: [A-Z_]+={_WORD})*)(?: {NOT_NAMED})?(?=[,;\s]|$)")
_VALUE = re.compile(rf" (?P<name>[A-Z_]+)=(?P<word>{_WORD})")


def typed(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of `make nightly`, as words of the shell, that stand for Params of the DAG nightly_reviews."""
    supersede, reason = params.get("supersede"), params.get("reason")
    values = {
        "DUMP": params.get("dump"),
        "DATE": params.get("night"),
        "MODEL": params.get("model"),
        "SOURCE": params.get("source"),
        "PROFILE": params.get("profile"),
        "ENCODING": params.get("encoding"),
        "SUPERSEDE": reason or "why" if supersede else None,
        "ALLOW": ",".join(map(str, params.get("allow") or ())),
        "REASON": None if supersede else reason,
        "SENTENCES": 1 if params.get("sentences") else None,
        "DRY_RUN": 1 if params.get("dry_run") else None,
    }
    return {name: quoted(value) for name, value in values.items() if value}


def completed(try_next: str, typed_values: Mapping[str, str]) -> str:
    """Return `try_next` with the typed values that its `make nightly` lacks, or has an ellipsis for.

    What the line has of its own stays, and a text without such a line stays as it is.
    """

    def complete(line: re.Match[str]) -> str:
        own = {value["name"]: value["word"] for value in _VALUE.finditer(line["values"])}
        known = {name: word for name, word in own.items() if word != NOT_NAMED or name not in typed_values}
        merged = {**typed_values, **known}
        names = [*NAMES, *(name for name in own if name not in NAMES)]
        return "make nightly" + "".join(f" {name}={merged[name]}" for name in names if name in merged)

    return _LINE.sub(complete, try_next) if typed_values else try_next


@contextmanager
def completing(params: Mapping[str, Any]) -> Iterator[None]:
    """Complete the line of an error that is raised inside by the Params of the night."""
    try:
        yield
    except SentimentError as error:
        error.try_next = completed(error.try_next, typed(params))
        raise
