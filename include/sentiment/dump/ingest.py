"""Records as they came -> typed rows of the contract, every record with its place and its raw bytes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.dump import values
from sentiment.dump.encoding import named
from sentiment.dump.profiles import COLUMNS, Profile
from sentiment.dump.receive import JSON_FORMATS
from sentiment.dump.records import OF_ENCODING
from sentiment.runs.model import Layout
from sentiment.schemas import CONTENT

CORRUPT = "_corrupt"
PLACE = (
    "source", "file_no", "record_no", "byte_offset", "raw", "raw_bytes", "raw_sha256", "problem", "problem_detail"
)  # fmt: skip
TYPED = ("own_id", *CONTENT, "rating_text", "date_text", "polarity_text")


def to_rows(
    received: DataFrame, source: str, layouts: list[Layout], profile: Profile, forgotten: Collection[str] = ()
) -> DataFrame:
    """Decode and map every record by the profile; what can't be read keeps its raw bytes and a `problem`.

    `forgotten` are tombstones: of such a review its place is left, of other reviews of such an author all but
    the name, and of neither the bytes. Identities are those from before.
    """
    rows = received.withColumn("source", F.lit(source))
    groups: dict[Parsing, list[int]] = {}
    for file_no, layout in enumerate(layouts):
        groups.setdefault(parsing(layout, profile), []).append(file_no)
    frames = [_mapped(rows.where(F.col("file_no").isin(files)), how, profile) for how, files in groups.items()]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    suggested = {n: layout.suggested_encoding for n, layout in enumerate(layouts) if layout.suggested_encoding}
    return _identified(_without_forgotten(_with_suggestions(whole, suggested), forgotten))


@dataclass(frozen=True)
class Parsing:
    """All that tells how a file's records are parsed; files that agree in it are read together."""

    is_json: bool
    java_encoding: str
    delimiter: str
    fields: tuple[str, ...]
    """Names of the parsed struct's fields, without doubles even where case is left out."""
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    """Contract column -> the fields it is read from, the likeliest first."""

    @property
    def schema(self) -> str:
        """The struct's schema; what can't be parsed is in a last field."""
        return ", ".join(f"`{name.replace('`', '``')}` string" for name in [*self.fields, CORRUPT])


def parsing(layout: Layout, profile: Profile) -> Parsing:
    """How the profile reads files of this layout. Of JSON every name that the profile knows is read, as the file
    writes it: a column may be missing from the first records."""
    encoding, chosen = named(layout.encoding).java, profile.chosen(layout.columns)
    if layout.format not in JSON_FORMATS:
        fields = [f"c{i}" for i in range(len(layout.columns))]
        sources = {ours: (fields[layout.columns.index(theirs)],) for ours, theirs in chosen.items()}
        return Parsing(False, encoding, layout.delimiter, tuple(fields), tuple(sources.items()))
    seen = {name.strip().lower(): name for name in reversed(layout.columns)}
    known = {n.lower(): seen.get(n.lower(), n) for names in profile.columns.values() for n in names}
    every = {ours: tuple(dict.fromkeys(known[n.lower()] for n in names)) for ours, names in profile.columns.items()}
    return Parsing(True, encoding, "", tuple(known.values()), tuple(every.items()))


def _mapped(rows: DataFrame, how: Parsing, profile: Profile) -> DataFrame:
    line = F.when(F.col("problem").isNull(), F.decode(F.col("raw"), how.java_encoding))
    options = {"columnNameOfCorruptRecord": CORRUPT}
    if how.is_json:
        parsed = F.from_json(line, how.schema, options)
        name, detail = "not_json", "Spark's parser refuses it"
    else:
        parsed = F.from_csv(line, how.schema, {**options, "sep": how.delimiter, "escape": '"'})
        name, detail = "not_csv", f"expected {len(how.fields):,} columns"
    bad = F.col("problem").isNull() & F.col(f"fields.{CORRUPT}").isNotNull()
    rows = rows.withColumn("fields", parsed).withColumns(
        {
            "problem": F.when(bad, F.lit(name)).otherwise(F.col("problem")),
            "problem_detail": F.when(bad, F.lit(detail)).otherwise(F.col("problem_detail")),
        }
    )
    value = {ours: F.coalesce(*(F.col("fields").getField(n) for n in names)) for ours, names in how.sources}
    if how.is_json:
        value = {ours: _as_written(column, ours) for ours, column in value.items()}
    return rows.select(*PLACE, *(c.alias(n) for n, c in _typed(value, profile).items()))


def _as_written(value: Column, ours: str) -> Column:
    """What Spark's JSON reader makes of numbers, taken back: 12345678.0 comes as `1.2345678E7`, NaN as `"NaN"`.

    An id is the same whether a dump writes it with a fraction or not.
    """
    said = F.nullif(value, F.lit('"NaN"'))
    if ours not in ("own_id", "item_id", "review_date"):
        return said
    plain = F.regexp_replace(said.cast("decimal(38,10)").cast("string"), r"\.?0+$", "")
    return F.when(said.rlike(r"^-?\d+(\.\d+E\d+|\.0)$"), plain).otherwise(said)


def _with_suggestions(rows: DataFrame, suggested: dict[int, str]) -> DataFrame:
    if not suggested:
        return rows
    by_file = F.create_map(*(F.lit(each) for pair in suggested.items() for each in pair))
    said = F.concat("problem_detail", F.lit("; it may be "), by_file[F.col("file_no")])
    badly = F.col("problem").isin(*OF_ENCODING)
    return rows.withColumn("problem_detail", F.coalesce(F.when(badly, said), "problem_detail"))


def _typed(value: dict[str, Column], profile: Profile) -> dict[str, Column]:
    null = F.lit(None).cast("string")
    readable = F.col("problem").isNull()
    said = {ours: F.when(readable, value.get(ours, null)) for ours in COLUMNS}
    short = {ours: F.nullif(F.trim(said[ours]), F.lit("")) for ours in COLUMNS if ours != "text"}
    return {
        **short,
        **{name: values.text(short[name], profile) for name in ("item_title", "author", "title")},
        "item_type": values.item_type(short["item_type"], short["item_id"], profile),
        "text": values.text(said["text"], profile),
        "rating": values.rating(short["rating"], profile),
        "review_date": values.date(short["review_date"], profile),
        "polarity": values.polarity(short["polarity"], profile),
        "rating_text": short["rating"],
        "date_text": short["review_date"],
        "polarity_text": short["polarity"],
    }


def _without_forgotten(rows: DataFrame, forgotten: Collection[str]) -> DataFrame:
    rows = rows.withColumn("review_id", contract.review_id(F.col("own_id")))
    if not forgotten:
        return rows
    gone = contract.is_suppressed("review", "review_id", forgotten)
    by_gone = contract.is_suppressed("author", "author", forgotten)
    rows = rows.withColumn("gone", gone).withColumn("by_gone", by_gone)
    rows = rows.withColumns({name: F.when(~F.col("gone"), F.col(name)) for name in ("review_id", *TYPED)})
    return rows.withColumns(
        {
            "author": F.when(~F.col("by_gone"), F.col("author")),
            "problem": F.when(F.col("gone"), F.lit(contract.FORGOTTEN)).otherwise(F.col("problem")),
            "raw_sha256": F.coalesce("raw_sha256", F.sha2("raw", 256)),
            "raw": F.when(F.col("gone") | F.col("by_gone"), F.lit(b"")).otherwise(F.col("raw")),
        }
    ).drop("gone", "by_gone")


def _identified(rows: DataFrame) -> DataFrame:
    return (
        rows.withColumn("text_hash", contract.text_hash())
        .withColumn("content_hash", contract.content_hash())
        .drop("own_id")
    )
