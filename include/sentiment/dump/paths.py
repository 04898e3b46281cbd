"""Dotted names: the way to a value in nested objects, in records and in Spark's schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

MAX_DEPTH = 4
"""Most names of a path; values that lie deeper are not read."""

Path = tuple[str, ...]
"""Names of objects from the record's top on, the last that of a value."""


def scalars(record: Mapping[str, object], above: Path = ()) -> Iterator[Path]:
    """Yield the path of each value that is neither object nor list, null included, in the record's order."""
    for name, value in record.items():
        path = (*above, name)
        if isinstance(value, dict):
            if len(path) < MAX_DEPTH:
                yield from scalars(value, path)
        elif not isinstance(value, list):
            yield path


def columns(records: Iterable[Mapping[str, object]], most_nested: int) -> tuple[list[str], int]:
    """Return the dotted names of all values of the records in order of appearance, and how many are not nested.

    Of nested names the first `most_nested` are returned, so that objects keyed by ids don't make a column of each.
    """
    depths: dict[str, int] = {}
    n_nested = 0
    for record in records:
        for path in scalars(record):
            name = ".".join(path)
            is_nested = len(path) > 1
            if name in depths or (is_nested and n_nested >= most_nested):
                continue
            depths[name] = len(path)
            n_nested += is_nested
    return list(depths), len(depths) - n_nested


def splits(name: str) -> list[Path]:
    """Return every path that a dotted name may stand for, the key that contains the dots itself first."""
    head, dot, rest = name.partition(".")
    if not dot:
        return [(name,)]
    tails = splits(rest)
    joined = [(f"{head}.{first}", *more) for first, *more in tails]
    paths = sorted([*joined, *((head, *tail) for tail in tails)], key=len)
    return [path for path in paths if len(path) <= MAX_DEPTH and all(path)]


class Spelling:
    """Spells paths as a dump does: names are compared without case, and Spark's parser compares them with it.

    Of two spellings of the same name in the same object the first that was met is used.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[Path, str] = {}
        for name in names:
            for path in splits(name):
                self(path)

    def __call__(self, path: Path) -> Path:
        """Return the path as the dump spells it."""
        lower = tuple(name.strip().lower() for name in path)
        return tuple(self._names.setdefault(lower[: n + 1], name) for n, name in enumerate(path))


def schema(paths: Collection[Path]) -> str:
    """Return the fields that lead to these paths, all of one length, as Spark's DDL; the values are strings."""
    # All are strings: how a number or a date is written is for the source profile to read.
    return ", ".join(f"{name} {kind}" for name, kind in _fields(paths))


def _fields(paths: Collection[Path]) -> Iterator[tuple[str, str]]:
    below: dict[str, list[Path]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(tuple(rest))
    for name, inner in below.items():
        fields = ", ".join(f"{field}: {kind}" for field, kind in _fields([path for path in inner if path]))
        yield quoted(name), f"struct<{fields}>" if fields else "string"


def quoted(name: str) -> str:
    """Return a name as an identifier of Spark SQL."""
    return f"`{name.replace('`', '``')}`"


def getter(struct: str, path: Path) -> str:
    """Return Spark SQL of the value at a path of a struct column."""
    return ".".join([struct, *map(quoted, path)])
