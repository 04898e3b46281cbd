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

    `forgotten` holds the keys of reviews and authors not to be taken in: of such a review nothing is left but its
    place and the problem `forgotten`, of such an author's reviews everything but name and raw bytes.
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
    return _identified(whole, list(forgotten))


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


def _identified(rows: DataFrame, forgotten: list[str]) -> DataFrame:
    rows = rows.withColumn("review_id", contract.review_id(F.col("own_id"))).drop("own_id")
    if forgotten:
        rows = _without(rows, forgotten)
    return rows.withColumn("text_hash", contract.text_hash()).withColumn("content_hash", contract.content_hash())


def _without(rows: DataFrame, forgotten: list[str]) -> DataFrame:
    kept = ("source", "file_no", "record_no", "byte_offset", "raw_bytes")
    is_review, is_author = (
        F.coalesce(contract.forgotten_key(kind, F.col(column)).isin(forgotten), F.lit(False))
        for kind, column in (("review", "review_id"), ("author", "author"))
    )
    told = rows.withColumns({"is_review": is_review, "is_author": is_author})
    emptied = {c: F.when(~F.col("is_review"), F.col(c)) for c in rows.columns if c not in kept}
    emptied["author"] = F.when(~F.col("is_review") & ~F.col("is_author"), F.col("author"))
    emptied["raw"] = F.when(F.col("is_review") | F.col("is_author"), F.lit(b"")).otherwise(F.col("raw"))
    emptied["problem"] = F.when(F.col("is_review"), F.lit("forgotten")).otherwise(F.col("problem"))
    return told.withColumns(emptied).drop("is_review", "is_author")
