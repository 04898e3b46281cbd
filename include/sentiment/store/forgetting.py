"""What the tables hold of one review and of its author's name: listed, suppressed by hash, removed, searched for.

What is to be forgotten goes onto the suppression list (`sentiment.forgotten`) as hashes, so that no later dump brings
it back.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from psycopg2.sql import SQL, Composed, Identifier, Literal

from sentiment import contract
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.runs.attempts import LIVE_MINUTES
from sentiment.sql import execute, statement
from sentiment.store import publishing, staging

LONG_CHARS = 40
"""A text of so many characters is searched for anywhere; a shorter one, like a name, only as a complete value."""
# So much of a text is searched for: the end of a long record may be cut off.
NEEDLE_CHARS = 200


@dataclass(frozen=True)
class Target:
    """A review in all its versions, and the names it was signed with; only the id where it was forgotten before."""

    review_id: str
    source: str
    authors: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    own_hashes: tuple[str, ...] = ()
    """Hashes of those texts that no other review has."""

    @property
    def try_next(self) -> str:
        """Return the command that removes the review."""
        return f"sentiment review forget {self.review_id} --remove"

    def is_named_in(self, raw: bytes) -> bool:
        """Return whether records or errors, as they came, contain the review's id, its text or its author's name."""
        return any(f in raw for f in self._fragments) and any(self._pattern.search(view) for view in _views(raw))

    @cached_property
    def _fragments(self) -> list[bytes]:
        # Of each needle the longest stretch that is written alike everywhere: much faster to miss than the pattern.
        return [max(PLAIN.findall(needle), key=len).encode() for needle in (*self._anywhere, *self._values)]

    @cached_property
    def _anywhere(self) -> list[str]:
        return [_nfc(needle) for needle in (self.review_id, *self.long_texts)]

    @cached_property
    def _values(self) -> list[str]:
        return [_nfc(needle) for needle in (*self.authors, *(text for text in self.texts if len(text) < LONG_CHARS))]

    @cached_property
    def long_texts(self) -> list[str]:
        """Return the first 200 characters of each text of 40 or more: too long to be another review's by chance."""
        return [text[:NEEDLE_CHARS] for text in self.texts if len(text) >= LONG_CHARS]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        anywhere = "|".join(map(re.escape, self._anywhere))
        value = rf"(?:^|[\"'(:,;|\t\r\n])\s*(?:{'|'.join(map(re.escape, self._values))})\s*(?:$|[\"'),;|}}\t\r\n])"
        return re.compile(f"{anywhere}|{value}" if self._values else anywhere)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _views(raw: bytes) -> Iterator[str]:
    """Yield the bytes as plain text, as CSV and as JSON read them; bytes that are not UTF-8 also as Windows-1252."""
    try:
        readings = [raw.decode()]
    except UnicodeDecodeError:
        readings = [raw.decode(encoding, "replace") for encoding in ("utf-8", "cp1252")]
    for text in readings:
        for view in {text, text.replace('""', '"'), _unescaped(text)}:
            yield _nfc(view)


PLAIN = re.compile("[A-Za-z0-9 ]*")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
ESCAPED_CHARS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    plain = ESCAPE.sub(lambda e: chr(int(e[1], 16)) if e[1] else ESCAPED_CHARS.get(e[2], e[2]), text)
    # Two escapes may be the halves of one character; UTF-16 joins them.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def suppressed_keys() -> set[str]:
    """Return the suppression list: hashes of review ids and author names, as `contract.suppressed_key` makes them."""
    with transaction() as c:
        return set(c.execute(sa.text("SELECT key_hash FROM sentiment.forgotten")).scalars())


def find(review_id: str) -> Target:
    """Return the review as it is shown or kept, or as one forgotten before; ParameterError where it is neither."""
    with transaction() as c:
        versions = c.execute(statement("store/forgetting/versions"), {"id": review_id}).all()
        if not versions:
            return _forgotten_before(c, review_id)
        hashes = {version.text_hash for version in versions}
        params = {"id": review_id, "hashes": list(hashes)}
        shared = set(c.execute(statement("store/forgetting/shared_hashes"), params).scalars())
    return Target(
        review_id,
        versions[0].source,
        tuple(sorted({version.author for version in versions if version.author})),
        tuple(sorted({version.text for version in versions})),
        tuple(sorted(hashes - shared)),
    )


def _forgotten_before(c: sa.Connection, review_id: str) -> Target:
    known = set(c.execute(sa.text("SELECT key_hash FROM sentiment.forgotten WHERE kind = 'review'")).scalars())
    for source in c.execute(sa.text("SELECT DISTINCT source FROM sentiment.run")).scalars():
        if contract.suppressed_key("review", source, review_id) in known:
            return Target(review_id, source)
    query = "SELECT review_id, item_title, left(text, 60) FROM sentiment.v_review_sentiment WHERE text LIKE 'Un%'"
    raise ParameterError(
        f"There is no review {review_id!r}.", f'psql "$(sentiment db url --role reader)" --command="{query}"'
    )


def suppress(target: Target) -> None:
    """Put the review and its author's names onto the suppression list: ingest lets neither pass from now on."""
    keys = [("review", target.review_id), *(("author", author) for author in target.authors)]
    with transaction() as c:
        c.execute(
            sa.text("INSERT INTO sentiment.forgotten (kind, key_hash) VALUES (:kind, :key) ON CONFLICT DO NOTHING"),
            [{"kind": kind, "key": contract.suppressed_key(kind, target.source, value)} for kind, value in keys],
        )


def _table(name: str) -> sa.TableClause:
    return sa.table(name, sa.column("review_id"), sa.column("source"), sa.column("author"), schema="sentiment")


REVIEW_TABLES = ("sentence_sentiment", "review_sentiment", "night_review", "duplicate", "review_version", "review")
"""Tables of which the review's rows are deleted."""
AUTHOR_TABLES = ("review", "review_version")
"""Tables that hold names of authors, also beside other reviews of the same author."""
FREE_TEXT = {
    "payloads in sentiment.quarantine": "quarantine",
    "values in sentiment.unread_value": "unread_value",
    "errors in sentiment.run_step": "run_step",
    "verdicts in sentiment.run": "run",
    "errors in sentiment.unopened_run": "unopened_run",
}
"""What may contain anything -> its statements texts_in_… and empty_… in `sql/forgetting`."""


def count(target: Target) -> dict[str, int]:
    """Return how much the tables hold of the review and its author's name, by kind."""
    with transaction() as c:
        return _go_through(c, target, remove=False)


def remove(target: Target) -> tuple[dict[str, int], int]:
    """Remove the review from every table, or from none; return what was removed, and how many tables were searched.

    Sums by film and night stay; they name nobody. Raises InfrastructureError where something would remain.
    """
    with transaction() as c:
        publishing.lock(c)
        removed = _go_through(c, target, remove=True)
        remaining, n_tables = _search(c, target)
        remaining |= _go_through(c, target, remove=False)
        if any(remaining.values()):
            where = ", ".join(f"{n:,} {kind}" for kind, n in remaining.items() if n)
            raise InfrastructureError(f"Tables are as before, for this would be left: {where}.", target.try_next)
    return removed, n_tables


def _go_through(c: sa.Connection, target: Target, remove: bool) -> dict[str, int]:
    # Before the rows go by which a value is found to be the review's.
    counts = {"rows of sentiment.unread_value": _unread(c, target, remove)}
    counts |= {f"rows of sentiment.{name}": _rows(c, _table(name), target, remove) for name in REVIEW_TABLES}
    counts |= {f"names in sentiment.{name}": _names(c, _table(name), target, remove) for name in AUTHOR_TABLES}
    counts |= {kind: _free_text(c, name, target, remove) for kind, name in FREE_TEXT.items()}
    dead = c.execute(statement("store/forgetting/list_dead_staging"), {"live_minutes": LIVE_MINUTES}).scalars().all()
    for name in dead if remove else ():
        staging.drop_table(c, name)
    return counts | {"tables of dead attempts in staging": len(dead)}


def _unread(c: sa.Connection, target: Target, remove: bool) -> int:
    params = {"id": target.review_id}
    if remove:
        return c.execute(statement("store/forgetting/delete_unread"), params).rowcount
    n: int = c.execute(statement("store/forgetting/count_unread"), params).scalar_one()
    return n


def _rows(c: sa.Connection, table: sa.TableClause, target: Target, remove: bool) -> int:
    is_review = table.c.review_id == target.review_id
    if remove:
        return c.execute(sa.delete(table).where(is_review)).rowcount
    return c.execute(sa.select(sa.func.count()).select_from(table).where(is_review)).scalar_one()


def _names(c: sa.Connection, table: sa.TableClause, target: Target, remove: bool) -> int:
    """Null, or count, the author's names beside other reviews."""
    is_author = sa.and_(
        table.c.source == target.source,
        table.c.author.in_(target.authors),
        table.c.review_id != target.review_id,
    )
    if remove:
        return c.execute(sa.update(table).where(is_author).values(author=None)).rowcount
    return c.execute(sa.select(sa.func.count()).select_from(table).where(is_author)).scalar_one()


def _free_text(c: sa.Connection, name: str, target: Target, remove: bool) -> int:
    """Empty, or count, the rows whose text names the review or its author."""
    query, params = statement(f"store/forgetting/texts_in_{name}"), {"source": target.source}
    # By a cursor on the server: a payload may have 64 KiB.
    rows = c.execute(query, params, execution_options={"yield_per": 1000})
    row_ids = [
        row_id for row_id, *texts in rows if any(target.is_named_in(_bytes(text)) for text in texts if text is not None)
    ]
    if remove and row_ids:
        c.execute(statement(f"store/forgetting/empty_{name}"), {"row_ids": row_ids})
    return len(row_ids)


def _bytes(value: str | memoryview) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _search(c: sa.Connection, target: Target) -> tuple[dict[str, int], int]:
    """Count rows of every table that still contain the review's id or, where rows can't be another review's, a long
    text; return them by table, and how many tables there are.
    """
    texts = [form for text in target.long_texts for form in (text, json.dumps(text, ensure_ascii=False)[1:-1])]
    tables = c.execute(statement("store/forgetting/list_searched_tables")).all()
    counts = {}
    for table in tables:
        # A table with a review_id may hold the same text of another review.
        needles = [target.review_id, *([] if table.has_review_id else texts)]
        query = _containing(Identifier(table.schema, table.name), table.columns, needles)
        counts[f"rows of {table.schema}.{table.name}"] = execute(c, query).scalar_one()
    return counts, len(tables)


def _containing(table: Identifier, columns: list[str], needles: list[str]) -> Composed:
    """Return SQL that counts the rows with a needle in one of the columns."""
    template = SQL(
        "SELECT count(*) FROM {} WHERE EXISTS (SELECT FROM unnest(cast({} AS text[])) AS needle "
        "WHERE strpos(concat_ws(' ', {}), needle) > 0)"
    )
    as_text = SQL(", ").join([SQL("{}::text").format(Identifier(column)) for column in columns])
    return template.format(table, Literal(needles), as_text)
