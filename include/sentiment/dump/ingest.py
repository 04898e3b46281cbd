"""Records as they came -> typed rows of the contract, every record with its place and its raw bytes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.dump import values
from sentiment.dump.encoding import named
from sentiment.dump.profiles import COLUMNS, Profile
from sentiment.dump.receive import JSON_FORMATS, Layout

CORRUPT = "_corrupt"
PLACE = (
    "source", "file_no", "record_no", "byte_offset", "raw", "raw_bytes", "raw_sha256", "problem", "problem_detail"
)  # fmt: skip
TYPED = ("own_id", *contract.CONTENT, "rating_text", "date_text", "polarity_text")


def to_rows(
    received: DataFrame, source: str, layouts: list[Layout], profile: Profile, forgotten: Collection[str] = ()
) -> DataFrame:
    """Decode and map every record by the profile; what can't be read keeps its raw bytes and a `problem`.

    `forgotten` are tombstones: of such a review its place is left, of other reviews of such an author all but
    the name, and of neither the bytes. Identities are those from before.
    """
    rows = received.withColumn("source", F.lit(source))
    groups: dict[str, tuple[Layout, list[int]]] = {}
    for file_no, layout in enumerate(layouts):
        groups.setdefault(str(asdict(layout)), (layout, []))[1].append(file_no)
    frames = [_mapped(rows.where(F.col("file_no").isin(files)), layout, profile) for layout, files in groups.values()]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return _identified(_without_forgotten(whole, forgotten))


def _mapped(rows: DataFrame, layout: Layout, profile: Profile) -> DataFrame:
    line = F.decode(F.col("raw"), named(layout.encoding).java)
    readable = F.when(F.col("problem").isNull(), line)
    fields, value, name = (
        _json_fields(readable, profile, layout)
        if layout.format in JSON_FORMATS
        else _csv_fields(readable, profile, layout)
    )
    rows = rows.withColumn("fields", fields)
    bad = F.col("problem").isNull() & F.col(f"fields.{CORRUPT}").isNotNull()
    rows = rows.withColumns({
        "problem": F.when(bad, F.lit(f"not_{name}")).otherwise(F.col("problem")),
        "problem_detail": F.when(bad, F.lit(f"expected {len(layout.columns):,} columns"))
        .when(F.col("problem").isin("not_utf8", "not_in_encoding"), _with_suggestion(layout))
        .otherwise(F.col("problem_detail")),
    })  # fmt: skip
    return rows.select(*PLACE, *(c.alias(n) for n, c in _typed(value, profile).items()))


def _with_suggestion(layout: Layout) -> Column:
    suggested = layout.suggested_encoding
    return F.concat("problem_detail", F.lit(f"; it may be {suggested}" if suggested else ""))


def _json_fields(line: Column, profile: Profile, layout: Layout) -> tuple[Column, dict[str, Column], str]:
    """Every name that the profile knows, as the dump writes it; what it doesn't know is not read."""
    seen = {name.strip().lower(): name for name in reversed(layout.columns)}
    fields = {n.lower(): seen.get(n.lower(), n) for names in profile.columns.values() for n in names}
    schema = ", ".join(f"`{name.replace('`', '``')}` string" for name in [*fields.values(), CORRUPT])
    parsed = F.from_json(line, schema, {"columnNameOfCorruptRecord": CORRUPT})
    chosen = profile.chosen(layout.columns)
    value = {}
    for ours, names in profile.columns.items():
        ordered = dict.fromkeys([chosen.get(ours, names[0]), *(fields[n.lower()] for n in names)])
        value[ours] = F.coalesce(*(_field(name) for name in ordered))
    return parsed, value, "json"


def _field(name: str) -> Column:
    return F.col("fields").getField(name)


def _csv_fields(line: Column, profile: Profile, layout: Layout) -> tuple[Column, dict[str, Column], str]:
    names = ", ".join(f"`c{i}` string" for i in range(len(layout.columns)))
    options = {"sep": layout.delimiter, "escape": '"', "columnNameOfCorruptRecord": CORRUPT}
    parsed = F.from_csv(line, f"{names}, `{CORRUPT}` string", options)
    chosen = profile.chosen(layout.columns).items()
    return parsed, {ours: _field(f"c{layout.columns.index(theirs)}") for ours, theirs in chosen}, "csv"


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
    gone = contract.forgotten_key_of("review", F.col("review_id")).isin(*forgotten)
    by_gone = contract.forgotten_key_of("author", F.col("author")).isin(*forgotten)
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
