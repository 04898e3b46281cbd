"""JSON files that are one object: the list of reviews in it, or the command that makes JSON lines of it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping
from typing import NamedTuple

from sentiment.dump.member import Member, try_on
from sentiment.dump.profiles import BUNDLED, get_profile
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpRefusedError, quoted

MAX_DEPTH = 3
"""Most objects round a list of reviews."""
MAX_SEEN = 2000
"""Values of a document that are looked at."""
LISTS = frozenset(
    {
        "reviews", "critiques", "avis", "comments", "commentaires", "ratings", "data", "results", "items", "records",
        "rows", "docs", "documents", "entries", "nodes", "edges", "list", "value", "response",
    }
)  # fmt: skip
"""Names of lists of reviews."""
OF_REVIEWS = frozenset({"reviews", "critiques", "avis", "comments", "commentaires"})
SPACE = re.compile(r"\s*")
DECODER = json.JSONDecoder()
PYTHON = "import json,sys; d=json.load(sys.stdin.buffer); {0}"
TO_LINES = {
    "columns": "[print(json.dumps({k:v.get(i) for k,v in d.items()})) for i in next(iter(d.values()))]",
    "keyed": "[print(json.dumps(dict({'id':k}, **v))) for k,v in d.items()]",
    "index": "[print(json.dumps(v)) for v in d.values()]",
    "split": "[print(json.dumps(dict(zip(d['columns'],r)))) for r in d['data']]",
}
"""Shape of a document -> Python that prints its records, `d`, as JSON lines."""
SHAPES = {
    "columns": "holds one object for each column, as pandas writes them unless it is asked for records",
    "keyed": "holds one object for each record, by its key",
    "index": "holds one object for each record, by its number, as pandas writes them with orient=index",
    "split": "holds column names and rows apart, as pandas writes them with orient=split",
}
UNPACK = {"none": "cat", "gzip": "gzip -dc", "bzip2": "bzip2 -dc", "zstd": "zstd -dc"}


class Opening(NamedTuple):
    """Where a list of records begins in a document."""

    n_bytes: int
    """Bytes before its bracket."""
    names: tuple[str, ...]
    """Names that lead to it."""

    @property
    def is_of_reviews(self) -> bool:
        """Whether its name is that of reviews, so that other lists of the document are none."""
        return self.names[-1].lower() in OF_REVIEWS


class Value(NamedTuple):
    """A value of a document."""

    names: tuple[str, ...]
    kind: str
    """`object`, `objects` for a list whose first element is one, `list` for any other, or `value`."""
    at: int
    """Position of its first character."""


def opening(stream: DumpStream) -> Opening | None:
    """Return where the records of a file that begins with a brace are listed; None where its lines are records.

    The file's next bytes are looked at, and stay unread. Raises DumpRefusedError, with the command that makes JSON
    lines of it, for a document whose records are not in one list.
    """
    codec = stream.encoding.record_codec
    # Bytes that are no characters must be counted, too.
    text = stream.preview().decode(codec, "surrogateescape")
    if not text.lstrip().startswith("{") or _are_lines(text):
        return None
    seen = list(_walked(text))
    shape = _shape(seen)
    if shape:
        raise _to_be_turned(stream, shape)
    if keyed := _keyed_reviews(seen):
        raise DumpRefusedError(
            f"{stream.path} {SHAPES['keyed']}, in {'.'.join(keyed)}; JSON lines, an object a record, are needed.",
            _command(stream, f"jq -c {quoted(_jq(keyed) + ' | to_entries[] | {id: .key} + .value')}"),
        )
    lists = [value for value in seen if value.kind == "objects" and value.names[0] != "schema"]
    named = [value for value in lists if value.names[-1].lower() in OF_REVIEWS]
    if not lists or _is_record(text, seen, lists):
        if "\n" in text.strip() and not _is_broken_line(text):
            raise DumpRefusedError(
                f"{stream.path} holds JSON objects that go over several lines; an object a line is needed.",
                _command(stream, "jq -c ."),
            )
        return None
    first, *more = named or lists
    if more:
        other = " and ".join(".".join(value.names) for value in (first, *more))
        raise DumpRefusedError(
            f"{stream.path} holds several lists of objects, {other}; which one has the reviews?",
            _command(stream, f"jq -c {quoted(f'{_jq(first.names)}[]')}"),
        )
    return Opening(len(text[: first.at].encode(codec, "surrogateescape")), first.names)


def _keyed_reviews(seen: list[Value]) -> tuple[str, ...]:
    """Return the names of an object whose members are reviews; empty where there is none."""
    if any(len(value.names) == 1 and value.names[0].lower() in _names_of_texts() for value in seen):
        return ()
    objects = (value.names for value in seen if value.kind == "object" and value.names[-1].lower() in OF_REVIEWS)
    return next((n for n in objects if {v.kind for v in seen if v.names[:-1] == n} == {"object"}), ())


def _are_lines(text: str) -> bool:
    line, _, rest = text.lstrip().partition("\n")
    return bool(rest.strip()) and _is_object(line)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _is_broken_line(text: str) -> bool:
    """Return whether the first line is a record that is damaged, since another record follows in the second."""
    _, _, rest = text.lstrip().partition("\n")
    return rest.lstrip().startswith("{")


def _is_record(text: str, seen: list[Value], lists: list[Value]) -> bool:
    """Return whether a document is a review itself, with lists in it."""
    if _is_broken_line(text):
        return True
    values = [value.names for value in seen if value.kind == "value"]
    if _names_of_texts() & {names[-1].lower() for names in values}:
        return True
    # A line of its own with values beside a list, as records have them.
    has_values = any(len(names) == 1 for names in values)
    return has_values and "\n" not in text.strip() and bool(lists) and lists[0].names[-1].lower() not in LISTS


def _names_of_texts() -> set[str]:
    return {name.lower() for name in get_profile("usual", BUNDLED).columns["text"]}


def _walked(text: str) -> Iterator[Value]:
    """Yield the values of the document's objects in their order, as far as the text goes and at most `MAX_SEEN`."""
    try:
        for number, value in enumerate(_members(text, _space(text, 0) + 1, ())):
            if number >= MAX_SEEN:
                return
            yield value
    except (ValueError, IndexError, RecursionError):
        # The text is cut, or no JSON from here on.
        return


def _space(text: str, at: int) -> int:
    return SPACE.match(text, at).end()  # type: ignore[union-attr]


def _members(text: str, at: int, above: tuple[str, ...]) -> Generator[Value, None, int]:
    """Yield the values of an object whose members begin at a character; return the character after its brace."""
    at = _space(text, at)
    while text[at] != "}":
        if text[at] != '"':
            raise ValueError(at)
        name, at = DECODER.raw_decode(text, at)
        at = _space(text, _space(text, at) + 1)
        names = (*above, name)
        if text[at] == "{" and len(names) < MAX_DEPTH:
            yield Value(names, "object", at)
            at = yield from _members(text, at + 1, names)
        else:
            yield Value(names, _kind(text, at), at)
            at = DECODER.raw_decode(text, at)[1]
        at = _space(text, at)
        if text[at] == ",":
            at = _space(text, at + 1)
    return at + 1


def _kind(text: str, at: int) -> str:
    if text[at] == "[":
        return "objects" if text[_space(text, at + 1)] == "{" else "list"
    return "object" if text[at] == "{" else "value"


def _shape(seen: list[Value]) -> str:
    """Return a key of `SHAPES`; empty for a document of another shape."""
    kinds = {value.names: value.kind for value in seen}
    if kinds.get(("columns",)) == kinds.get(("data",)) == "list":
        return "split"
    top = [value for value in seen if len(value.names) == 1]
    inner: dict[str, dict[str, str]] = {}
    for value in seen:
        if len(value.names) == 2:
            inner.setdefault(value.names[0], {})[value.names[1]] = value.kind
    if not top or any(value.kind != "object" for value in top) or not inner:
        return ""
    if _are_numbers(inner):
        return "index"
    first, *others = inner.values()
    # The last may be cut.
    is_alike = len(others) > 1 and all(list(other) == list(first) for other in others[:-1])
    texts = _names_of_texts()
    if _are_numbers(first) or (is_alike and texts & {name.lower() for name in inner}):
        return "columns" if set(first.values()) == {"value"} else ""
    names_of_records = [{name.lower() for name in names} for names in (first, *others[:-1])]
    is_keyed = (
        bool(others) and not texts & {name.lower() for name in inner} and all(map(texts.intersection, names_of_records))
    )
    return "keyed" if is_keyed else ""


def _are_numbers(names: Mapping[str, object]) -> bool:
    return list(names) == [str(number) for number in range(len(names))]


def _to_be_turned(stream: DumpStream, shape: str) -> DumpRefusedError:
    program = PYTHON.format(TO_LINES[shape])
    by_pandas = ' In Python: df.to_json("reviews.jsonl", orient="records", lines=True).' if shape != "keyed" else ""
    return DumpRefusedError(
        f"{stream.path} {SHAPES[shape]}; JSON lines, an object a record, are needed.{by_pandas}",
        _command(stream, f"python3 -c {quoted(program)}"),
    )


def several_lists(stream: DumpStream, names: tuple[str, ...]) -> DumpRefusedError:
    """Return the error of a document with another list of objects behind the first, which has the name `names`."""
    return DumpRefusedError(
        f"{stream.path} holds another list of objects after {'.'.join(names)}; which one has the reviews?",
        _command(stream, f"jq -c {quoted(f'{_jq(names)}[]')}"),
    )


def _jq(names: tuple[str, ...]) -> str:
    return "".join(f"[{json.dumps(name)}]" if index else f".[{json.dumps(name)}]" for index, name in enumerate(names))


def _command(stream: DumpStream, program: str) -> str:
    """Return the command that has a program turn the file into JSON lines beside it."""
    file = stream.path
    beside = file.archive if isinstance(file, Member) else file
    target = beside.with_name(f"{file.name.partition('.')[0]}.lines.jsonl")
    return f"{try_on(UNPACK[stream.compression], file)} | {program} > {quoted(target)}"
