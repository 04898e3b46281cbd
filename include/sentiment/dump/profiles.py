"""Source profiles: which column of a dump is which of the contract, and how its values are written.

A profile is a TOML file, `sources/<name>.toml` here or `<name>.toml` in the folder SENTIMENT_SOURCES, where it replaces
one here of the same name. How to add one: docs/how-to/add-a-source-profile.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentiment.dump import matching
from sentiment.dump.encoding import UTF8, Encoding, find_encoding
from sentiment.errors import DumpRefusedError, ParameterError, SentimentError, quoted
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


NAME_CHARS = 60
"""Characters of a column's name that an error shows."""


class DateStyle(StrEnum):
    """How a date may be written, by the names that profiles use."""

    iso = "iso"
    """2026-11-22, 2026/11/22, 20261122."""
    french = "french"
    """22 novembre 2026, 1er mars 2020, 3 févr. 2021, 5-oct-94."""
    english = "english"
    """22 November 2026, November 22, 2026, Sun, 22 Nov 2026."""
    day_first = "day_first"
    """22/11/2026, 22.11.2026, 22-11-26."""
    month_first = "month_first"
    """11/22/2026, 11-22-26."""
    epoch = "epoch"
    """Seconds or milliseconds since 1970, as a day in Paris."""


class Listing(StrEnum):
    """Whether a dump lists every review there is, or only those since the dump before."""

    full = "full"
    incremental = "incremental"


class ItemSource(StrEnum):
    """Where the film or series of a review is named."""

    columns = "columns"
    file = "file"
    """The file's name is the title, as in `forrest_gump.csv`, of records that name neither id nor title."""


class Profile(BaseModel):
    """How the dumps of one source are read. Names of columns and values are compared without case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME_PATTERN)
    about: str
    listing: Listing = Listing.incremental
    encoding: str = UTF8.name
    """Like `escape`, `header` and `sheet` it counts where the profile is requested by name."""
    escape: Literal["", "\\"] = ""
    """The character that escapes quotes and delimiters in CSV, as MySQL writes it; empty: quotes are doubled."""
    header: list[str] = []
    """Names of the columns, in order, of CSV and workbooks whose first row is a review; empty: a row has them."""
    sheet: str | None = None
    """Sheet of a workbook; None: the first that is visible."""
    columns: dict[str, list[str]]
    """Column of the contract -> names it may have in a dump, likeliest first; a dotted name leads to a value in nested
    objects."""
    later: dict[str, list[str]] = {}
    """Names like those of `columns`, which come after them, and by which no review is identified that a version before
    3 of the reading knew."""
    nested: bool = False
    """Whether names also count where they differ in accents and separators, and at the ends of dotted columns."""
    urls: list[str] = []
    """Names in `columns` of an item's id that may be the address of the review: `dump.items` decides by the values."""
    titles: list[str] = []
    """Names in `columns` of the review's title that may be the item's: `dump.items` decides by the values."""
    item_from: ItemSource = ItemSource.columns
    identity: list[str] = []
    """Columns of `IDENTITY` that make two records the same review; empty: as the columns suggest."""
    dates: list[DateStyle] = [
        DateStyle.iso, DateStyle.french, DateStyle.english, DateStyle.day_first, DateStyle.epoch
    ]  # fmt: skip
    """Styles to try, in this order."""
    rating_scale: float = Field(5.0, gt=0)
    """Most points that a bare rating is out of: of 10, 7 is 3.5 stars."""
    html_entities: bool = True
    """Whether `&eacute;` is read as é."""
    html: bool = False
    """Whether tags are taken out of texts, and entities read whatever `html_entities` is; `<br>` is a line feed."""
    repair: bool = False
    """Whether texts whose UTF-8 was read as windows-1252 are repaired, as far as can be: `cÅ“ur` is cœur."""
    positive: list[str] = ["1", "1.0", "true", "pos", "positive", "positif", "vrai", "oui", "label_1"]
    negative: list[str] = ["0", "0.0", "-1", "-1.0", "false", "neg", "negative", "négatif", "faux", "non", "label_0"]
    """Where a dump has both 0 and -1 beside 1, 0 is no label (`dump.labels`)."""
    neutral: list[str] = ["neutre", "neutral", "neu", "mixte", "mixed", "mitigé"]
    """Words of no label: as if there were none."""
    item_types: dict[str, list[str]] = {"film": ["film", "movie"], "series": ["series", "série", "serie", "tv"]}
    """Type of item -> its names in a dump."""
    item_type_in_id: dict[str, str] = {}
    """Type of item -> text that the item's id contains; used where the dump names no type."""

    def mapping(
        self, columns: Collection[str], inferred: Mapping[str, str | None] = MappingProxyType({})
    ) -> dict[str, str]:
        """Return column of the contract -> column of the dump, for those of `columns` that the profile names.

        Spaces round a column's name don't count; of two that differ in case only, the first is read. `inferred` is as
        in `names`.
        """
        by_lower = {name.strip().lower(): name for name in reversed(list(columns))}
        return {
            column: by_lower[present[0]]
            for column, names in self.names(columns, inferred).items()
            if (present := [n for n in map(str.lower, names) if n in by_lower])
        }

    def names(self, columns: Collection[str], inferred: Mapping[str, str | None]) -> dict[str, list[str]]:
        """Return column of the contract -> names of a dump with these columns it may be read from, likeliest first.

        `inferred` has what the values of columns have shown (`Layout.inferred`), whatever their names mean.
        """
        moved = {name.lower(): to for name, to in inferred.items()}
        names = {
            # What a value decides comes last.
            column: sorted((n for n in self._known(column) if n.lower() not in moved), key=self.urls.__contains__)
            for column in COLUMNS
        }
        for name, to in moved.items():
            if to:
                names[to].append(name)
        if not self.nested:
            return {column: known for column, known in names.items() if known}
        names = matching.spelled_otherwise(columns, names)
        present = {column.strip().lower() for column in columns}
        for column, dotted in matching.ends(columns, names).items():
            at_top = [name for name in names[column] if name.lower() in present]
            # Of a column that is an object in some records, these are the same column's values.
            if not at_top or dotted.lower().startswith(tuple(f"{name.lower()}." for name in at_top)):
                names[column].append(dotted)
        return {column: known for column, known in names.items() if known}

    def _known(self, column: str) -> list[str]:
        return [*self.columns.get(column, []), *self.later.get(column, [])]

    def before(self) -> Profile:
        """Return the profile as versions before 3 of the reading read by it."""
        changed = {"later": {}, "nested": False, "urls": [], "titles": [], "html": False, "repair": False}
        changed["item_from"] = ItemSource.columns
        return self.model_copy(update=changed)

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


def names(folder: Path | None) -> list[str]:
    """Return the names of the bundled profiles and of those in `folder`, where it is there; no file is read."""
    return sorted({path.stem for own in (BUNDLED, folder) if own for path in own.glob("*.toml")})


def _files(folder: Path | None) -> dict[str, Path]:
    if folder and not folder.is_dir():
        raise ParameterError(
            f"SENTIMENT_SOURCES is {str(folder)!r}; expected the folder of your source profiles, and there is none.",
            f"mkdir -p {quoted(folder)}; or without profiles of your own: unset SENTIMENT_SOURCES",
        )
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
    if doubled := sorted({name for name in profile.header if name and profile.header.count(name) > 1}):
        raise _unusable(path, f"header names {doubled[0]} twice")
    if not set(profile.identity) <= set(IDENTITY):
        raise _unusable(path, f"identity is {', '.join(profile.identity)}; expected some of {', '.join(IDENTITY)}")
    unknown = sorted({*profile.columns, *profile.later} - set(COLUMNS))
    if unknown or not profile.columns.get("text"):
        what = f"columns.{unknown[0]} is none of {', '.join(COLUMNS)}" if unknown else "columns.text is missing"
        raise _unusable(path, what)
    return profile


def _unusable(path: Path, why: str) -> ParameterError:
    return ParameterError(
        f"The source profile {path} can't be used: {why}.", f"diff {quoted(path)} {quoted(BUNDLED / 'usual.toml')}"
    )


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
    # Of a file without a header they are a review, which no error may quote as a whole.
    shown = ", ".join(name[:NAME_CHARS] for name in list(columns)[:20]) + (
        f" and {len(columns) - 20:,} more" if len(columns) > 20 else ""
    )
    return DumpRefusedError(
        f"{where} has no column with the review's text: it has {shown or 'none'}; needed one of {names} "
        f"(by {'profile' if len(profiles) == 1 else 'profiles'} {', '.join(p.name for p in profiles)}).",
        "mkdir -p my-profiles && sentiment source show usual > my-profiles/mine.toml; name your column there, then: "
        "SENTIMENT_SOURCES=my-profiles make nightly DUMP=… PROFILE=mine",
        content=shown,
    )
