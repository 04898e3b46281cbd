"""Which column of a dump a usual name means: as it is, written otherwise, or at the end of a dotted name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from sentiment.dump.paths import Path

Names = Mapping[str, Sequence[str]]
"""Column of the contract -> names that it may have in a dump, likeliest first."""

OF_ITEM = {
    "item_id": ("id", "@id", "identifier", "imdbid", "tmdbid", "allocineid", "filmid", "movieid", "slug", "url"),
    "item_title": ("title", "titre", "name", "nom", "primarytitle", "originaltitle", "label"),
    "item_type": ("type", "@type"),
}
"""What is read of an object that is a film or series."""
OF_AUTHOR = (
    "name", "nom", "username", "pseudo", "displayname", "nickname", "screenname", "login", "fullname", "author",
    "auteur", "id",
)  # fmt: skip
"""What is read of an object that is the author; an id only where there is no name."""
KINDS = {
    "item": "film movie series serie show tvshow tvseries work oeuvre item itemreviewed product media",
    "author": "author auteur user utilisateur membre member reviewer critic creator owner pseudo username commenter",
    "review": "review critique avis comment commentaire post node attributes fields source data record doc",
    "other": "aggregaterating average moyenne statistics stats reply replies response reponse parent helpful",
}
"""Kind of object -> names of such objects. Of the kind `other` nothing is read."""
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}
WRAPPERS = frozenset(
    {
        "value", "valeur", "text", "texte", "html", "plaidhtml", "plainhtml", "plaintext", "originaltext", "rendered",
        "raw", "display", "$date", "$oid", "$numberint", "$numberlong", "$numberdouble", "$numberdecimal",
    }
)  # fmt: skip
"""Names of the one value that an object stands for, as in `rating.value`."""
ADDRESSES = ("url", "link", "lien", "permalink")
GENERIC = frozenset(
    ("id", "type", "title", "titre", "label", "score", "name", "nom", "series", "serie", "film", "movie")
)
"""Names that mean something only in an object whose kind is known."""


def loose(name: str) -> str:
    """Return a name without what its spellings differ in: case, accents, spaces, hyphens and underscores."""
    return _loose(name)


@cache
def _loose(name: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFD", name.lower()) if not unicodedata.combining(c))
    return re.sub(r"[\s_-]+", "", plain)


def spelled_otherwise(columns: Collection[str], names: Names) -> dict[str, list[str]]:
    """Return the names, each followed by the dump's columns that are the same but for accents and separators.

    A column whose own name is one of `names` is nobody else's.
    """
    exact = {name.lower() for known in names.values() for name in known}
    by_loose: dict[str, list[str]] = {}
    for column in columns:
        if column.strip().lower() not in exact:
            by_loose.setdefault(loose(column), []).append(column.strip())
    return {
        column: list(dict.fromkeys(spelling for name in known for spelling in (name, *by_loose.get(loose(name), ()))))
        for column, known in names.items()
    }


class Rank(NamedTuple):
    """How well the end of a path fits a column of the contract; the least fits best."""

    is_of_unknown_object: bool
    name_no: int
    """Position among the names that fit."""
    depth: int


def ends(columns: Collection[str], names: Names) -> dict[str, str]:
    """Return column of the contract -> the dotted column that is read for it, by the end of its name.

    `review.rating` is a rating, `author.name` an author, `film.id` an item's id, `rating.value` a rating; `film.rating`
    is none, nor is anything of a reply or an average. Where two columns of objects of unknown kind fit alike, as in
    `first.date` and `second.date`, neither is read. Nor is the one value of an object, as in `rating.value`, where
    other records have a plain one: what it means there is a guess.
    """
    best: dict[str, tuple[Rank, list[str]]] = {}
    simple = {column: [tuple(map(loose, name.split("."))) for name in known] for column, known in names.items()}
    for dotted in columns:
        path = tuple(map(loose, dotted.split(".")))
        if len(path) < 2 or (path[-1] in WRAPPERS and dotted.rpartition(".")[0] in columns):
            continue
        for column, rank in _meanings(path, simple):
            known, at = best.get(column, (rank, []))
            if rank <= known:
                best[column] = (rank, [*at, dotted] if rank == known else [dotted])
    return {c: at[0] for c, (rank, at) in best.items() if len(at) == 1 or not rank.is_of_unknown_object}


def _meanings(path: Path, names: Mapping[str, Sequence[Path]]) -> Iterator[tuple[str, Rank]]:
    """Yield the columns of the contract that a path may be read for."""
    for column, known in names.items():
        for number, name in enumerate(known):
            if len(name) > 1 and path[-len(name) :] == name and _kind(path[: -len(name)]) not in ("other", "item"):
                yield column, Rank(False, number, len(path))
    inner = path
    yield from _of_object(inner, len(path), names)
    while len(inner) > 1 and inner[-1] in WRAPPERS:
        inner = inner[:-1]
        yield from _of_object(inner, len(path), names)


def _kind(objects: Path) -> str | None:
    return next((KIND_OF[name] for name in reversed(objects) if name in KIND_OF), None)


def _of_object(path: Path, depth: int, names: Mapping[str, Sequence[Path]]) -> Iterator[tuple[str, Rank]]:
    *objects, last = path
    kind = _kind(tuple(objects))
    if kind == "other":
        return
    if kind == "item":
        fitting = {column: known.index(last) for column, known in OF_ITEM.items() if last in known}
    elif kind == "author":
        fitting = {"author": OF_AUTHOR.index(last)} if last in OF_AUTHOR else {}
    else:
        fitting = {column: known.index((last,)) for column, known in names.items() if (last,) in known}
        if last in ADDRESSES or last == "type" or (objects and kind is None and last in GENERIC):
            return
        # An object that is a film is none by a value of unknown meaning in it.
        if not objects and KIND_OF.get(last) == "item":
            return
    for column, number in fitting.items():
        yield column, Rank(bool(objects) and kind is None, number, depth)
