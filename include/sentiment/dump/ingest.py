"""Records as they came -> typed rows of the contract, every record with its place and its raw bytes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.dump import columns
from sentiment.dump.receive import Layout

CORRUPT = "_corrupt"
PLACE = ("source", "file_no", "record_no", "byte_offset", "raw", "raw_bytes", "raw_sha256", "problem")
TYPED = ("own_id", *contract.CONTENT, "rating_text", "date_text", "polarity_text")


def to_rows(received: DataFrame, source: str, layouts: list[Layout], forgotten: Collection[str] = ()) -> DataFrame:
    """Decode and map every record; what can't be read keeps its raw bytes and a `problem`.

    `forgotten` are tombstones: of such a review its place is left, of other reviews of such an author all but
    the name, and of neither the bytes. Identities are those from before.
    """
    decoded = F.decode(F.col("raw"), "UTF-8")
    rows = received.withColumn("source", F.lit(source)).withColumn("line", decoded)
    not_utf8 = F.encode(F.col("line"), "UTF-8") != F.col("raw")
    rows = rows.withColumn("problem", F.coalesce("problem", F.when(not_utf8, F.lit("not_utf8"))))
    groups: dict[str, tuple[Layout, list[int]]] = {}
    for file_no, layout in enumerate(layouts):
        groups.setdefault(str(asdict(layout)), (layout, []))[1].append(file_no)
    frames = [_mapped(rows.where(F.col("file_no").isin(numbers)), layout) for layout, numbers in groups.values()]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return _identified(_without_forgotten(whole, forgotten))


def _mapped(rows: DataFrame, layout: Layout) -> DataFrame:
    chosen = columns.mapping(layout.columns, "the dump")
    readable = F.when(F.col("problem").isNull(), F.col("line"))
    if layout.format == "csv":
        names = ", ".join(f"`c{i}` string" for i in range(len(layout.columns)))
        options = {"sep": layout.delimiter, "escape": '"', "columnNameOfCorruptRecord": CORRUPT}
        rows = rows.withColumn("fields", F.from_csv(readable, f"{names}, `{CORRUPT}` string", options))
        bad = F.col(f"fields.{CORRUPT}").isNotNull()
        value = {ours: F.col(f"fields.c{layout.columns.index(theirs)}") for ours, theirs in chosen.items()}
    else:
        rows = rows.withColumn("fields", F.from_json(readable, "map<string,string>"))
        bad = F.col("fields").isNull()
        value = {ours: _first_of(chosen.get(ours), names) for ours, names in columns.ALIASES.items()}
    problem = F.coalesce("problem", F.when(bad, F.lit(f"not_{layout.format}")))
    rows = rows.withColumn("problem", problem)
    return rows.select(*PLACE, *(c.alias(n) for n, c in _typed(value).items()))


def _first_of(seen: str | None, names: tuple[str, ...]) -> Column:
    ordered = dict.fromkeys([seen, *names] if seen else names)
    return F.coalesce(*(F.col("fields").getItem(name) for name in ordered))


def _typed(value: dict[str, Column]) -> dict[str, Column]:
    null = F.lit(None).cast("string")
    readable = F.col("problem").isNull()
    text = {ours: F.when(readable, value.get(ours, null)) for ours in columns.ALIASES}
    short = {ours: F.nullif(F.trim(text[ours]), F.lit("")) for ours in columns.ALIASES if ours != "text"}
    rating = F.regexp_replace(short["rating"], ",", ".")
    day = F.regexp_extract(short["review_date"], r"^(\d{4}-\d{2}-\d{2})(?:[T ].*)?$", 1)
    return {
        **short,
        "text": text["text"],
        "rating": rating.cast("double"),
        "review_date": F.to_date(F.nullif(day, F.lit("")), "yyyy-MM-dd"),
        "polarity": short["polarity"].cast("int"),
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
