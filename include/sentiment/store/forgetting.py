"""What the tables hold of one review and of its author's name: found, remembered by hash, removed, searched for."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from sentiment import contract
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.runs.attempts import LIVE_MINUTES
from sentiment.store import publishing

LONG_CHARS = 40
"""A text of so many characters is looked for anywhere; a shorter one, like a name, only where it is a whole value."""
NEEDLE_CHARS = 200
"""So much of a text is looked for: the end of a long record may be cut off."""


@dataclass(frozen=True)
class Target:
    """A review in all its versions, and the names it was signed with; nothing but the id where it is gone already."""

    review_id: str
    source: str
    authors: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    own_hashes: tuple[str, ...] = ()
    """Hashes of those texts that no other review has."""

    @property
    def try_next(self) -> str:
        """The command that removes it."""
        return f"sentiment review forget {self.review_id} --remove"

    def said_in(self, raw: bytes) -> bool:
        """Whether a record, an error or many of them, as they came, name the review, its text or its author."""
        return any(f in raw for f in self._fragments) and any(self._pattern.search(view) for view in _views(raw))

    @cached_property
    def _fragments(self) -> list[bytes]:
        """Of each word the longest stretch that is written alike everywhere: much faster to miss than the pattern."""
        return [max(PLAIN.findall(word), key=len).encode() for word in (*self._anywhere, *self._values)]

    @cached_property
    def _anywhere(self) -> list[str]:
        return [_nfc(word) for word in (self.review_id, *self.long_texts)]

    @cached_property
    def _values(self) -> list[str]:
        return [_nfc(word) for word in (*self.authors, *(text for text in self.texts if len(text) < LONG_CHARS))]

    @cached_property
    def long_texts(self) -> list[str]:
        """Beginnings of the texts that are too long to be somebody else's by chance."""
        return [text[:NEEDLE_CHARS] for text in self.texts if len(text) >= LONG_CHARS]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        either = "|".join(map(re.escape, self._anywhere))
        whole = rf"(?:^|[\"'(:,;|\t\r\n])\s*(?:{'|'.join(map(re.escape, self._values))})\s*(?:$|[\"'),;|}}\t\r\n])"
        return re.compile(f"{either}|{whole}" if self._values else either)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _views(raw: bytes) -> Iterator[str]:
    """The bytes as plain text, as CSV and as JSON would read them; what is not UTF-8 also as Windows wrote it."""
    try:
        readings = [raw.decode()]
    except UnicodeDecodeError:
        readings = [raw.decode(encoding, "replace") for encoding in ("utf-8", "cp1252")]
    for text in readings:
        for view in {text, text.replace('""', '"'), _unescaped(text)}:
            yield _nfc(view)


PLAIN = re.compile("[A-Za-z0-9 ]*")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
NAMED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    plain = ESCAPE.sub(lambda e: chr(int(e[1], 16)) if e[1] else NAMED.get(e[2], e[2]), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def tombstones() -> set[str]:
    """The hashes of all that was forgotten, as `contract.suppressed_key` makes them."""
    with transaction() as c:
        return set(c.execute(sa.text("SELECT key_hash FROM sentiment.forgotten")).scalars())


def find(review_id: str) -> Target:
    """The review as it is shown or kept, or as one forgotten before; ParameterError where it is nowhere."""
    with transaction() as c:
        versions = c.execute(sa.text(VERSIONS), {"id": review_id}).all()
        if not versions:
            return _forgotten_before(c, review_id)
        hashes = {version.text_hash for version in versions}
        shared = set(c.execute(sa.text(SHARED), {"id": review_id, "hashes": list(hashes)}).scalars())
    return Target(
        review_id,
        versions[0].source,
        tuple(sorted({version.author for version in versions if version.author})),
        tuple(sorted({version.text for version in versions})),
        tuple(sorted(hashes - shared)),
    )


VERSIONS = """
SELECT source, author, text, text_hash FROM sentiment.review WHERE review_id = :id
UNION SELECT source, author, text, text_hash FROM sentiment.review_version WHERE review_id = :id"""
SHARED = """
SELECT text_hash FROM sentiment.review WHERE text_hash = ANY(:hashes) AND review_id <> :id
UNION SELECT text_hash FROM sentiment.review_version WHERE text_hash = ANY(:hashes) AND review_id <> :id"""


def _forgotten_before(c: sa.Connection, review_id: str) -> Target:
    known = set(c.exec_driver_sql("SELECT key_hash FROM sentiment.forgotten WHERE kind = 'review'").scalars())
    for source in c.exec_driver_sql("SELECT DISTINCT source FROM sentiment.run").scalars():
        if contract.suppressed_key("review", source, review_id) in known:
            return Target(review_id, source)
    query = "SELECT review_id, item_title, left(text, 60) FROM sentiment.v_review_sentiment WHERE text LIKE 'Un%'"
    raise ParameterError(
        f"There is no review {review_id!r}.", f'psql "$(sentiment db url --role reader)" --command="{query}"'
    )


def remember(target: Target) -> None:
    """Leave tombstones: from now on ingest lets neither the review nor the name pass."""
    keys = [("review", target.review_id), *(("author", author) for author in target.authors)]
    with transaction() as c:
        c.execute(
            sa.text("INSERT INTO sentiment.forgotten (kind, key_hash) VALUES (:kind, :key) ON CONFLICT DO NOTHING"),
            [{"kind": kind, "key": contract.suppressed_key(kind, target.source, value)} for kind, value in keys],
        )


ROWS = {
    **{
        f"rows of sentiment.{table}": (f"sentiment.{table}", "review_id = :id", "")
        for table in ("sentence_sentiment", "review_sentiment", "night_review", "review_version", "review")
    },
    **{
        f"names in sentiment.{table}": (
            f"sentiment.{table}",
            "source = :source AND author = ANY(:authors) AND review_id <> :id",
            "author = NULL",
        )
        for table in ("review", "review_version")
    },
}
"""What -> table, which rows, and what is emptied in them; without that they go as a whole."""

SAYS = {
    "payloads in sentiment.quarantine": ("sentiment.quarantine", "raw, details", "raw = '', details = ''"),
    "errors in sentiment.run_step": ("sentiment.run_step", "error", "error = 'It named a forgotten review.'"),
    "verdicts in sentiment.run": ("sentiment.run", "verdict", "verdict = 'It named a forgotten review.'"),
}
"""What -> table, columns in which anything may stand, and how they are emptied."""


def count(target: Target) -> dict[str, int]:
    """How much the tables hold of it, by what it is."""
    with transaction() as c:
        return _go_through(c, target, remove=False)


def remove(target: Target) -> tuple[dict[str, int], int]:
    """Remove it from every table, or from none: returns what went, and how many tables were searched afterwards.

    Sums by film and night stay; they name nobody. Raises InfrastructureError where something would be left.
    """
    with transaction() as c:
        publishing.lock(c)
        gone = _go_through(c, target, remove=True)
        left, n_tables = _search(c, target)
        left |= _go_through(c, target, remove=False)
        if any(left.values()):
            where = ", ".join(f"{n:,} {what}" for what, n in left.items() if n)
            raise InfrastructureError(f"Tables are as before, for this would be left: {where}.", target.try_next)
    return gone, n_tables


def _go_through(c: sa.Connection, target: Target, remove: bool) -> dict[str, int]:
    values = {"id": target.review_id, "source": target.source, "authors": list(target.authors)}
    found = {}
    for what, (table, which, emptied) in ROWS.items():
        verb = f"UPDATE {table} SET {emptied}" if emptied else f"DELETE FROM {table}"
        if remove:
            found[what] = c.execute(sa.text(f"{verb} WHERE {which}"), values).rowcount
        else:
            found[what] = c.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {which}"), values).scalar_one()
    for what, (table, columns, emptied) in SAYS.items():
        rows = _saying(c, target, table, columns)
        found[what] = len(rows)
        if remove and rows:
            c.execute(sa.text(f"UPDATE {table} SET {emptied} WHERE ctid = ANY(cast(:rows AS tid[]))"), {"rows": rows})
    dead = c.execute(sa.text(DEAD_STAGING)).scalars().all()
    for table in dead if remove else ():
        c.exec_driver_sql(f"DROP TABLE {table}")
    return found | {"tables of dead attempts in staging": len(dead)}


DEAD_STAGING = f"""
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'staging' AND NOT EXISTS (
  SELECT 1 FROM sentiment.run_step WHERE state = 'running' AND tablename ~ ('_' || token || '$')
    AND heartbeat_at > now() - interval '{LIVE_MINUTES} minutes')"""


def _saying(c: sa.Connection, target: Target, table: str, columns: str) -> list[str]:
    query = (
        f"SELECT ctid::text, {columns} FROM {table} "
        "WHERE run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source)"
    )
    rows = c.execute(sa.text(query), {"source": target.source}, execution_options={"yield_per": 1000})
    return [ctid for ctid, *said in rows if any(target.said_in(_bytes(value)) for value in said if value)]


def _bytes(value: str | memoryview) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


SEARCHED = """
SELECT format('%I.%I', n.nspname, c.relname) AS table, bool_or(a.attname = 'review_id') AS of_reviews,
  string_agg(format('%I::text', a.attname), ', ') AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname IN ('sentiment', 'drift', 'staging') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid::regtype::text IN ('text', 'text[]', 'jsonb')
  AND has_table_privilege(c.oid, 'SELECT')
GROUP BY 1 ORDER BY 1"""
"""Every table but the salt, which is random: the catalogue knows them, so none is forgotten here."""


def _search(c: sa.Connection, target: Target) -> tuple[dict[str, int], int]:
    """Rows that still say the id or, where it can't be another's review, a long text; and how many tables there are."""
    texts = [word for text in target.long_texts for word in (text, json.dumps(text, ensure_ascii=False)[1:-1])]
    tables = c.execute(sa.text(SEARCHED)).all()
    found = {}
    for table in tables:
        query = (
            f"SELECT count(*) FROM {table.table} WHERE EXISTS (SELECT FROM unnest(cast(:words AS text[])) AS word "
            f"WHERE strpos(concat_ws(' ', {table.columns}), word) > 0)"
        )
        words = [target.review_id, *([] if table.of_reviews else texts)]
        found[f"rows of {table.table}"] = c.execute(sa.text(query), {"words": words}).scalar_one()
    return found, len(tables)
