"""Source profiles: which column of a dump is which of the contract, and how its values are written.

A profile is a TOML file, `sources/<name>.toml` here or in the folder SENTIMENT_SOURCES; one there wins over one here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentiment.dump.encoding import UTF8, Encoding, named
from sentiment.errors import DumpRefusedError, ParameterError, SentimentError

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,30}$"
BUNDLED = Path(__file__).parent / "sources"
COLUMNS = (
    "own_id", "item_id", "item_type", "item_title", "author", "rating", "review_date", "title", "text", "polarity"
)  # fmt: skip
"""What a dump's column may be."""


class DateStyle(StrEnum):
    """How a date may be written."""

    iso = "iso"
    french = "french"
    day_first = "day_first"
    month_first = "month_first"
    epoch = "epoch"


class Listing(StrEnum):
    """Whether a dump lists every review there is, or only what came since the last one."""

    full = "full"
    incremental = "incremental"


class Profile(BaseModel):
    """One source's dumps: names of columns, likeliest first, compared without case; and how to read values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME_PATTERN)
    about: str
    listing: Listing = Listing.incremental
    encoding: str = UTF8.name
    columns: dict[str, list[str]]
    dates: list[DateStyle] = [DateStyle.iso, DateStyle.french, DateStyle.day_first, DateStyle.epoch]
    rating_scale: float = Field(5.0, gt=0)
    html_entities: bool = True
    positive: list[str] = ["1", "1.0", "true", "pos", "positive", "positif", "vrai", "oui"]
    negative: list[str] = ["0", "0.0", "false", "neg", "negative", "négatif", "faux", "non"]
    item_types: dict[str, list[str]] = {"film": ["film", "movie"], "series": ["series", "série", "serie", "tv"]}
    item_type_in_id: dict[str, str] = {}

    def chosen(self, found: Collection[str]) -> dict[str, str]:
        """Contract column -> the dump's column, for what is there."""
        by_lower = {name.strip().lower(): name for name in reversed(list(found))}
        return {
            ours: by_lower[there[0]]
            for ours, names in self.columns.items()
            if (there := [n for n in map(str.lower, names) if n in by_lower])
        }

    def read_as(self) -> Encoding:
        """The encoding it says."""
        return named(self.encoding)


def known(folder: Path | None) -> dict[str, Profile]:
    """Every profile by name; ParameterError naming the file of one that can't be used, and what is wrong there."""
    return {name: _load(path) for name, path in _files(folder).items()}


def _files(folder: Path | None) -> dict[str, Path]:
    paths = [*sorted(BUNDLED.glob("*.toml")), *(sorted(folder.glob("*.toml")) if folder else [])]
    return {path.stem: path for path in paths}


def file_of(name: str, folder: Path | None) -> Path:
    """The file of a profile; ParameterError, listing those there are, where there is none."""
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
    unknown = sorted(set(profile.columns) - set(COLUMNS))
    if unknown or not profile.columns.get("text"):
        what = f"columns.{unknown[0]} is none of {', '.join(COLUMNS)}" if unknown else "columns.text is missing"
        raise _unusable(path, what)
    return profile


def _unusable(path: Path, why: str) -> ParameterError:
    return ParameterError(f"The source profile {path} can't be used: {why}.", f"compare it with {BUNDLED}/usual.toml")


def named_profile(name: str, folder: Path | None) -> Profile:
    """The profile of that name; ParameterError, listing those there are, where there is none."""
    return _load(file_of(name, folder))


def best_fitting(found: Collection[str], profiles: Collection[Profile], source: str, where: str) -> Profile:
    """The profile that knows the most of these columns, of equals the one called like the source, then by name.

    Raises DumpRefusedError, listing what was found and what was needed, where none knows the text's column.
    """
    fitting = [p for p in profiles if "text" in p.chosen(found)]
    if not fitting:
        raise no_text(found, profiles, where)
    return min(fitting, key=lambda p: (-len(p.chosen(found)), p.name != source, p.name))


def no_text(found: Collection[str], profiles: Collection[Profile], where: str) -> DumpRefusedError:
    """The error of a dump in which no profile finds the text."""
    names = ", ".join(dict.fromkeys(name for p in profiles for name in p.columns["text"]))
    shown = ", ".join(list(found)[:20]) + (f" and {len(found) - 20:,} more" if len(found) > 20 else "")
    return DumpRefusedError(
        f"{where} has no column with the review's text: found {shown or 'none'}; needed one of {names} "
        f"(by {'profile' if len(profiles) == 1 else 'profiles'} {', '.join(p.name for p in profiles)}).",
        "sentiment source show usual > my.toml, name your column in it, and put it into the folder SENTIMENT_SOURCES",
    )
