"""Decode received records and map them to typed rows of the contract, one row a record, with position and raw bytes."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.dump import values
from sentiment.dump.encoding import find_encoding
from sentiment.dump.identity import Identity, is_removed, with_review_id
from sentiment.dump.layout import JSON_FORMATS
from sentiment.dump.profiles import COLUMNS, Profile
from sentiment.dump.records import ENCODING_PROBLEMS
from sentiment.runs.model import Layout
from sentiment.schemas import CONTENT

CORRUPT = "_corrupt"
PROVENANCE = (
    "source", "file_no", "record_no", "byte_offset", "raw", "raw_bytes", "raw_sha256", "problem", "problem_detail"
)  # fmt: skip
TYPED = ("own_id", *CONTENT, "rating_text", "date_text", "polarity_text")


def to_rows(received: DataFrame, source: str, layouts: list[Layout], profile: Profile, identity: Identity) -> DataFrame:
    """Decode and map every record by the profile; return one row of `schemas.DECODED` for each of `received`.

    `layouts` has one layout for each file, by `file_no`. A record that can't be read keeps its raw bytes and has a
    `problem`, its typed columns null. Of a review on the suppression list the position alone remains, of other reviews
    of an author on it all but the name, and of neither the raw bytes. `review_id` is computed before anything is
    removed, so it stays the same.
    """
    rows = received.withColumn("source", F.lit(source))
    groups: dict[Parsing, list[int]] = {}
    for file_no, layout in enumerate(layouts):
        groups.setdefault(parsing(layout, profile), []).append(file_no)
    # Files that are parsed alike share one plan: a dump of a hundred files would else be a union of a hundred.
    frames = [_mapped(rows.where(F.col("file_no").isin(files)), how, profile) for how, files in groups.items()]
    mapped = frames[0]
    for frame in frames[1:]:
        mapped = mapped.unionByName(frame)
    suggested = {n: layout.suggested_encoding for n, layout in enumerate(layouts) if layout.suggested_encoding}
    rows = _without_suppressed(_with_suggestions(mapped, suggested), identity)
    return rows.withColumn("text_hash", contract.text_hash())


@dataclass(frozen=True)
class Parsing:
    """How a file's records are parsed; files with equal values are read together."""

    is_json: bool
    java_encoding: str
    delimiter: str
    """Of CSV; empty for JSON."""
    fields: tuple[str, ...]
    """Names of the parsed struct's fields, unique when compared without case, as Spark compares them."""
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    """(column of the contract, fields it is read from, the likeliest first)."""

    @property
    def schema(self) -> str:
        """Return the struct's schema as Spark DDL; a last field holds the records that can't be parsed."""
        # All are strings: how a number or a date is written is for the source profile to read.
        return ", ".join(f"`{name.replace('`', '``')}` string" for name in [*self.fields, CORRUPT])


def parsing(layout: Layout, profile: Profile) -> Parsing:
    """Return how the profile parses files of this layout."""
    encoding, mapping = find_encoding(layout.encoding).java, profile.mapping(layout.columns)
    if layout.format not in JSON_FORMATS:
        fields = [f"c{i}" for i in range(len(layout.columns))]
        by_position = ((name, (fields[layout.columns.index(column)],)) for name, column in mapping.items())
        return Parsing(False, encoding, layout.delimiter, tuple(fields), tuple(by_position))
    # Of JSON every name that the profile knows is read, in the file's own case: the layout has the columns of the first
    # 100 records, and a column may be missing from all of these.
    seen = {name.strip().lower(): name for name in reversed(layout.columns)}
    known = {n.lower(): seen.get(n.lower(), n) for names in profile.columns.values() for n in names}
    sources = {name: tuple(dict.fromkeys(known[n.lower()] for n in names)) for name, names in profile.columns.items()}
    return Parsing(True, encoding, "", tuple(known.values()), tuple(sources.items()))


def _mapped(rows: DataFrame, how: Parsing, profile: Profile) -> DataFrame:
    line = F.when(F.col("problem").isNull(), F.decode(F.col("raw"), how.java_encoding))
    options = {"columnNameOfCorruptRecord": CORRUPT}
    if how.is_json:
        parsed = F.from_json(line, how.schema, options)
        problem, detail = "not_json", "Spark's parser refuses it"
    else:
        # CSV doubles a quote inside a field; Spark would expect a backslash before it.
        parsed = F.from_csv(line, how.schema, {**options, "sep": how.delimiter, "escape": '"'})
        problem, detail = "not_csv", f"expected {len(how.fields):,} columns"
    bad = F.col("problem").isNull() & F.col(f"fields.{CORRUPT}").isNotNull()
    rows = rows.withColumn("fields", parsed).withColumns(
        {
            "problem": F.when(bad, F.lit(problem)).otherwise(F.col("problem")),
            "problem_detail": F.when(bad, F.lit(detail)).otherwise(F.col("problem_detail")),
        }
    )
    value = {name: F.coalesce(*(F.col("fields").getField(n) for n in names)) for name, names in how.sources}
    if how.is_json:
        value = {name: _as_written(column, name) for name, column in value.items()}
    return rows.select(*PROVENANCE, *(c.alias(n) for n, c in _typed(value, profile).items()))


def _as_written(value: Column, name: str) -> Column:
    """Return a JSON number as the dump wrote it, an id or date without a fraction of zero; NaN is null."""
    # Spark's JSON reader returns 12345678.0 as `1.2345678E7` and NaN as `"NaN"`. pandas writes ids with a fraction as
    # soon as one of them is missing, and a review must keep its id then.
    text = F.nullif(value, F.lit('"NaN"'))
    if name not in ("own_id", "item_id", "review_date"):
        return text
    plain = F.regexp_replace(text.cast("decimal(38,10)").cast("string"), r"\.?0+$", "")
    return F.when(text.rlike(r"^-?\d+(\.\d+E\d+|\.0)$"), plain).otherwise(text)


def _with_suggestions(rows: DataFrame, suggested: dict[int, str]) -> DataFrame:
    if not suggested:
        return rows
    by_file = F.create_map(*(F.lit(value) for pair in suggested.items() for value in pair))
    detail = F.concat("problem_detail", F.lit("; it may be "), by_file[F.col("file_no")])
    undecodable = F.col("problem").isin(*ENCODING_PROBLEMS)
    return rows.withColumn("problem_detail", F.coalesce(F.when(undecodable, detail), "problem_detail"))


def _typed(value: dict[str, Column], profile: Profile) -> dict[str, Column]:
    null = F.lit(None).cast("string")
    readable = F.col("problem").isNull()
    as_text = {name: F.when(readable, value.get(name, null)) for name in COLUMNS}
    # The text alone is not trimmed: its characters are scored and quoted as they came.
    short = {name: F.nullif(F.trim(as_text[name]), F.lit("")) for name in COLUMNS if name != "text"}
    return {
        **short,
        **{name: values.text(short[name], profile) for name in ("item_title", "author", "title")},
        "item_type": values.item_type(short["item_type"], short["item_id"], profile),
        "text": values.text(as_text["text"], profile),
        "rating": values.rating(short["rating"], profile),
        "review_date": values.date(short["review_date"], profile),
        "polarity": values.polarity(short["polarity"], profile),
        "rating_text": short["rating"],
        "date_text": short["review_date"],
        "polarity_text": short["polarity"],
    }


def _without_suppressed(rows: DataFrame, identity: Identity) -> DataFrame:
    decoded, keys = rows, identity.suppressed_keys
    rows = with_review_id(rows, identity)
    if not keys:
        return rows
    # Both are columns before anything is removed, since each is computed from what the removal changes.
    rows = rows.withColumns(
        {
            "gone": is_removed(decoded, identity),
            "by_gone": contract.is_suppressed("author", F.col("author"), keys),
        }
    )
    rows = rows.withColumns({name: F.when(~F.col("gone"), F.col(name)) for name in ("review_id", *TYPED)})
    return rows.withColumns(
        {
            "author": F.when(~F.col("by_gone"), F.col("author")),
            "problem": F.when(F.col("gone"), F.lit(contract.FORGOTTEN)).otherwise(F.col("problem")),
            "raw_sha256": F.coalesce("raw_sha256", F.sha2("raw", 256)),
            "raw": F.when(F.col("gone") | F.col("by_gone"), F.lit(b"")).otherwise(F.col("raw")),
        }
    ).drop("gone", "by_gone")
