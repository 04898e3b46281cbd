"""The review row: what its content is, and the hashes and checksums that identify it.

Every expression here is Spark SQL; the one Arrow UDF is Unicode's NFC, which Spark does not have.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Collection

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.schemas import CONTENT

UNIT_SEPARATOR = "\x1f"
ID_HEX_CHARS = 32
RAW_HEAD_BYTES = 64 * 1024
"""Of a refused or an overlong record so many bytes are stored."""
FORGOTTEN = "forgotten"
"""The problem of a record that a person asked to have removed, and the rule it fails; no fault of the batch."""
MAX_FIELD_BYTES = 1000
"""Longest id, name or title, in UTF-8 bytes. An entry of a Postgres index holds at most 2,704 bytes."""
BY_TITLE = "title"
"""What the id begins with of an item that the dump only names (`dump.items.id_of_title`), before `:` or `(`."""
OWN_ITEM = f"CASE WHEN left(item_id, {len(BY_TITLE) + 1}) NOT IN ('{BY_TITLE}:', '{BY_TITLE}(') THEN item_id END"
"""The item's id where the dump has one, in the SQL of Spark and of Postgres: what reviews are identified by."""
NO_TEXT = "no_text"
"""The rule that a record fails which has other values and no text: it is no review, and no fault of the batch."""


def hashed(*parts: Column) -> Column:
    """Return SHA-256 in hex over the parts; null differs from empty."""
    joined = F.concat_ws(UNIT_SEPARATOR, *(F.coalesce(p.cast("string"), F.lit("\x00")) for p in parts))
    return F.sha2(joined, 256)


def text_hash() -> Column:
    """Return SHA-256 in hex of the NFC form of `text`: the key of the score cache; null stays null."""
    # Here, since pandas takes longer to import than all else, and Airflow's tasks need other names of this module.
    from sentiment.arrow_functions import of_texts

    return of_texts(F.col("text"), nfc_sha256)


def quoted(text: str) -> str:
    """Return a text as a literal of Spark SQL."""
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"


def nfc_sha256(text: str) -> str:
    """Return the `text_hash` of one text."""
    return hashlib.sha256(unicodedata.normalize("NFC", text).encode()).hexdigest()


def content_hash() -> Column:
    """Return the hash over everything a later dump may change, 32 hex characters."""
    return F.substring(hashed(*(F.col(c) for c in CONTENT)), 1, ID_HEX_CHARS)


def suppressed_key(kind: str, source: str, value: str) -> str:
    """Return a key of the suppression list (`sentiment.forgotten`) for a review id or an author's name.

    `kind` is review or author. The list holds no value in the clear.
    """
    return hashlib.sha256(UNIT_SEPARATOR.join((kind, source, value)).encode()).hexdigest()


def is_suppressed(kind: str, value: Column, suppressed_keys: Collection[str]) -> Column:
    """Return whether the `suppressed_key` of each row's value is among `suppressed_keys`; never null."""
    return hashed(F.lit(kind), F.col("source"), value).isin(*suppressed_keys)


def is_at(positions: Collection[tuple[int, int]]) -> Column:
    """Return whether each row's (file_no, record_no) is one of a few positions; never null."""
    listed = ", ".join(f"({file_no}, {record_no}L)" for file_no, record_no in positions)
    return F.expr(f"(file_no, record_no) IN ({listed})") if positions else F.lit(False)


def key_checksum(key: str = "review_id") -> Column:
    """Return the sum over rows of the key's first 60 bits: the same in any order, and in Postgres."""
    # 15 digits, since 16 would not fit Postgres's signed bigint; decimal, since eight such numbers may not, added up.
    bits = F.conv(F.substring(key, 1, 15), 16, 10).cast("decimal(38,0)")
    return F.coalesce(F.sum(bits), F.lit(0)).cast("string")


KEY_CHECKSUM_SQL = "coalesce(sum(('x' || left(review_id, 15))::bit(60)::bigint), 0)::numeric::text"
"""`key_checksum` as Postgres computes it."""

MAX_LOGIT = 12.0
_CLIPPED = f"least(greatest(p_positive, {1 / (1 + math.exp(MAX_LOGIT))!r}), {1 / (1 + math.exp(-MAX_LOGIT))!r})"
LOGIT_SQL = f"CASE WHEN p_positive IS NOT NULL THEN ln({_CLIPPED} / (1 - {_CLIPPED})) END"
"""ln(p / (1 - p)), at most 12 either way, in the SQL of Spark and of Postgres."""
