"""Source profiles: which column of a dump is which of the contract, and how its values are written.

A profile is a TOML file, `sources/<name>.toml` here or `<name>.toml` in the folder SENTIMENT_SOURCES, where it replaces
one here of the same name. How to add one: docs/how-to/add-a-source-profile.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentiment.dump.encoding import UTF8, Encoding, find_encoding
from sentiment.errors import DumpRefusedError, ParameterError, SentimentError
from sentiment.runs.model import IdentityRule

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,30}$"
BUNDLED = Path(__file__).parent / "sources"
COLUMNS = (
    "own_id", "item_id", "item_type", "item_title", "author", "rating", "review_date", "title", "text", "polarity"
)  # fmt: skip
"""Columns of the contract that a dump's column may be read as."""


OWN_ID = ("own_id",)
CONTENT = ("item_id", "author", "review_date", "text")
"""The identity of reviews that have no id of their own. An item is its id, or its title where it has no id."""
IDENTITY = ("item_id", "own_id", "author", "review_date", "text", "title", "rating", "polarity", "dump")
"""What a profile's `identity` may name; `dump` stands for the night, of sources whose nights never overlap."""


class DateStyle(StrEnum):
    """How a date may be written, by the names that profiles use."""

    iso = "iso"
    """2026-11-22, whatever time follows."""
    french = "french"
    """22 novembre 2026, 1er mars 2020, 3 févr. 2021."""
    day_first = "day_first"
    """22/11/2026, 22.11.2026, 22-11-2026."""
    month_first = "month_first"
    epoch = "epoch"
    """Seconds or milliseconds since 1970, as a day in Paris."""


class Listing(StrEnum):
    """Whether a dump lists every review there is, or only those since the dump before."""

    full = "full"
    incremental = "incremental"


class Profile(BaseModel):
    """How the dumps of one source are read. Names of columns and values are compared without case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME_PATTERN)
    about: str
    listing: Listing = Listing.incremental
    encoding: str = UTF8.name
    columns: dict[str, list[str]]
    """Column of the contract -> names it may have in a dump, likeliest first."""
    identity: list[str] = []
    """Columns of `IDENTITY` that make two records the same review; empty: as the columns suggest."""
    dates: list[DateStyle] = [DateStyle.iso, DateStyle.french, DateStyle.day_first, DateStyle.epoch]
    """Styles to try, in this order."""
    rating_scale: float = Field(5.0, gt=0)
    """Most points that a bare rating is out of: of 10, 7 is 3.5 stars."""
    html_entities: bool = True
    """Whether `&eacute;` is read as é."""
    positive: list[str] = ["1", "1.0", "true", "pos", "positive", "positif", "vrai", "oui"]
    negative: list[str] = ["0", "0.0", "false", "neg", "negative", "négatif", "faux", "non"]
    item_types: dict[str, list[str]] = {"film": ["film", "movie"], "series": ["series", "série", "serie", "tv"]}
    """Type of item -> its names in a dump."""
    item_type_in_id: dict[str, str] = {}
    """Type of item -> text that the item's id contains; used where the dump names no type."""

    def mapping(self, columns: Collection[str]) -> dict[str, str]:
        """Return column of the contract -> column of the dump, for those of `columns` that the profile names.

        Spaces round a column's name don't count; of two that differ in case only, the first is read.
        """
        by_lower = {name.strip().lower(): name for name in reversed(list(columns))}
        return {
            column: by_lower[present[0]]
            for column, names in self.columns.items()
            if (present := [n for n in map(str.lower, names) if n in by_lower])
        }

    def identity_rule(self, mapped: Collection[str]) -> IdentityRule:
        """Return the profile's rule, else that the dump's columns suggest: by its own ids where it has any."""
        named = tuple(name for name in IDENTITY if name in self.identity)
        return IdentityRule(named or (OWN_ID if "own_id" in mapped else CONTENT))

    def read_as(self) -> Encoding:
        """Return the profile's encoding; raise ParameterError for an unknown name."""
        return find_encoding(self.encoding)


def known(folder: Path | None) -> dict[str, Profile]:
    """Return every profile by name, bundled and in `folder`; raise ParameterError, naming the file, for a bad one."""
    return {name: _load(path) for name, path in _files(folder).items()}


def _files(folder: Path | None) -> dict[str, Path]:
    # Later paths win: a profile of the user replaces a bundled one.
    paths = [*sorted(BUNDLED.glob("*.toml")), *(sorted(folder.glob("*.toml")) if folder else [])]
    return {path.stem: path for path in paths}


def profile_file(name: str, folder: Path | None) -> Path:
    """Return the file of a profile; raise ParameterError, listing the known names, for another name."""
    files = _files(folder)
    if name not in files:
        raise ParameterError(
            f"There is no source profile {name!r}; there are: {', '.join(files)}.", "sentiment source list"
        )
    return files[name]


def _load(path: Path) -> Profile:
    try:
        profile = Profile(name=path.stem, **tomllib.loads(path.read_text("utf-8")))
        profile.read_as()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise _unusable(path, f"{where}: {first['msg']}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ParameterError, TypeError) as error:
        raise _unusable(path, error.message if isinstance(error, SentimentError) else str(error)) from error
    if not set(profile.identity) <= set(IDENTITY):
        raise _unusable(path, f"identity is {', '.join(profile.identity)}; expected some of {', '.join(IDENTITY)}")
    unknown = sorted(set(profile.columns) - set(COLUMNS))
    if unknown or not profile.columns.get("text"):
        what = f"columns.{unknown[0]} is none of {', '.join(COLUMNS)}" if unknown else "columns.text is missing"
        raise _unusable(path, what)
    return profile


def _unusable(path: Path, why: str) -> ParameterError:
    return ParameterError(f"The source profile {path} can't be used: {why}.", f"compare it with {BUNDLED}/usual.toml")


def get_profile(name: str, folder: Path | None) -> Profile:
    """Return the profile of that name; raise ParameterError, listing the known names, for another."""
    return _load(profile_file(name, folder))


def best_fitting(columns: Collection[str], profiles: Collection[Profile], source: str, where: str) -> Profile:
    """Return the profile that names the most of these columns, of equals the one named like the source, then by name.

    Raises DumpRefusedError, listing the columns and the names of the text's column, where no profile maps the text.
    `where` names the file or dump in the message.
    """
    fitting = [p for p in profiles if "text" in p.mapping(columns)]
    if not fitting:
        raise missing_text_column(columns, profiles, where)
    return min(fitting, key=lambda p: (-len(p.mapping(columns)), p.name != source, p.name))


def missing_text_column(columns: Collection[str], profiles: Collection[Profile], where: str) -> DumpRefusedError:
    """Return the error of a dump whose columns have no name by which a profile knows the text."""
    names = ", ".join(dict.fromkeys(name for p in profiles for name in p.columns["text"]))
    shown = ", ".join(list(columns)[:20]) + (f" and {len(columns) - 20:,} more" if len(columns) > 20 else "")
    return DumpRefusedError(
        f"{where} has no column with the review's text: it has {shown or 'none'}; needed one of {names} "
        f"(by {'profile' if len(profiles) == 1 else 'profiles'} {', '.join(p.name for p in profiles)}).",
        "sentiment source show usual > my.toml, name your column in it, and put it into the folder SENTIMENT_SOURCES",
        content=shown,
    )
