"""Decode received records and map them to typed rows of the contract, one row a record, with position and raw bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentiment import contract
from sentiment.dump import dates, escapes, former, items, values
from sentiment.dump.encoding import find_encoding
from sentiment.dump.identity import BEFORE, Identity, is_removed, with_review_id
from sentiment.dump.layout import JSON_FORMATS
from sentiment.dump.paths import MAX_DEPTH, Path, Spelling, getter, schema, splits
from sentiment.dump.profiles import COLUMNS, IDENTITY, Profile
from sentiment.dump.records import ENCODING_PROBLEMS, ESCAPE_HINT, ESCAPED_QUOTE
from sentiment.runs.model import Layout
from sentiment.schemas import CONTENT

CORRUPT = "_corrupt"
PROVENANCE = (
    "source", "file_no", "record_no", "byte_offset", "raw", "raw_bytes", "raw_sha256", "problem", "problem_detail"
)  # fmt: skip
AS_TEXT = {"rating": "rating_text", "review_date": "date_text", "polarity": "polarity_text"}
"""Column -> the column of its value as the dump has it."""
TYPED = ("own_id", *CONTENT, *AS_TEXT.values(), "label_text", "nested")
OF_IDENTITY = (*(name for name in IDENTITY if name != "dump"), "item_title")
OF_JSON = ("own_id", "item_id", "item_title", "author", "title")
"""Of these, the ones that were read as JSON where they are objects."""
FIELDS, _FIRST, _ONE, _SHORT = "fields", "_first_", "_one_", "_short_"


def to_rows(received: DataFrame, source: str, layouts: list[Layout], profile: Profile, identity: Identity) -> DataFrame:
    """Decode and map every record by the profile; return one row of `schemas.DECODED` for each of `received`.

    `layouts` has one layout for each file, by `file_no`. A record that can't be read keeps its raw bytes and has a
    `problem`, its typed columns null. Of a review on the suppression list the position alone remains, of other reviews
    of an author on it all but the name, and of neither the raw bytes. `review_id` is computed before anything is
    removed, and before an item that is only named gets an id, so it stays the same.
    """
    rows = received.withColumn("source", F.lit(source))
    inferred = {name: to for layout in layouts for name, to in layout.inferred.items()}
    groups: dict[Parsing, list[int]] = {}
    for file_no, layout in enumerate(layouts):
        groups.setdefault(parsing(layout, profile, inferred, identity.reads_as_before), []).append(file_no)
    # Files that are parsed alike share one plan: a dump of a hundred files would else be a union of a hundred.
    frames = [_mapped(rows.where(F.col("file_no").isin(files)), how, profile) for how, files in groups.items()]
    mapped = frames[0]
    for frame in frames[1:]:
        mapped = mapped.unionByName(frame)
    suggested = {n: layout.suggested_encoding for n, layout in enumerate(layouts) if layout.suggested_encoding}
    titles = {n: layout.file_title for n, layout in enumerate(layouts) if layout.file_title}
    rows = _without_suppressed(_with_file_titles(_with_suggestions(mapped, suggested), titles), identity)
    named = F.coalesce("item_id", items.id_of_title(F.col("item_title"), F.col("item_type")))
    return rows.drop(BEFORE).withColumns({"item_id": named, "text_hash": contract.text_hash()})


Sources = tuple[tuple[str, tuple[Path, ...]], ...]
"""(column of the contract, paths of the values it is read from, the likeliest first)."""


@dataclass(frozen=True)
class Parsing:
    """How a file's records are parsed; files with equal values are read together."""

    is_json: bool
    java_encoding: str
    delimiter: str
    """Of CSV; empty for JSON."""
    n_columns: int
    """Of CSV; 0 for JSON."""
    sources: Sources
    mapped: frozenset[str]
    """Columns of the contract that the layout has."""
    before: Sources | None
    """The sources by which reviews are identified that versions before 3 of the reading knew; None where none are."""
    escape: str = ""
    """Of CSV, the character that escapes others; empty where quotes are doubled."""

    def fields(self) -> dict[int, list[Path]]:
        """Return the paths of the values to parse by their length; of CSV columns are called c0, c1 and so on."""
        if not self.is_json:
            return {1: [(_csv_name(i),) for i in range(self.n_columns)]}
        by_depth: dict[int, list[Path]] = {}
        every = dict.fromkeys(path for _, known in (*self.sources, *(self.before or ())) for path in known)
        for path in every:
            by_depth.setdefault(len(path), []).append(path)
        return by_depth


def _csv_name(position: int) -> str:
    return f"c{position}"


def parsing(
    layout: Layout, profile: Profile, inferred: Mapping[str, str | None] = MappingProxyType({}), as_before: bool = False
) -> Parsing:
    """Return how the profile parses files of this layout.

    `inferred` is what the values of all files have shown of their columns; `as_before` is whether reviews are
    identified that versions before 3 of the reading knew.
    """
    encoding, before = find_encoding(layout.encoding).java, profile.before()
    mapping = profile.mapping(layout.columns, inferred)
    mapped = frozenset(mapping)
    if layout.format not in JSON_FORMATS:
        n = len(layout.columns)
        now = _by_position(layout, mapping)
        then = _by_position(layout, before.mapping(layout.columns)) if as_before else None
        return Parsing(False, encoding, layout.delimiter, n, now, mapped, then, layout.escape)
    # Of JSON every name that the profile knows is read, in the file's own case: the layout has the columns of the first
    # 100 records, and a column may be missing from all of these.
    spelling = Spelling(layout.columns)
    sources = _by_name(profile.names(layout.columns, inferred), spelling)
    then = _by_name(before.names(layout.columns, {}), spelling, deepest=1) if as_before else None
    return Parsing(True, encoding, "", 0, sources, mapped, then)


def _by_position(layout: Layout, mapping: Mapping[str, str]) -> Sources:
    return tuple((name, ((_csv_name(layout.columns.index(column)),),)) for name, column in mapping.items())


def _by_name(names: Mapping[str, Sequence[str]], spelling: Spelling, deepest: int = MAX_DEPTH) -> Sources:
    return tuple(
        (column, tuple(dict.fromkeys(spelling(p) for name in known for p in splits(name) if len(p) <= deepest)))
        for column, known in names.items()
    )


def _mapped(rows: DataFrame, how: Parsing, profile: Profile) -> DataFrame:
    rows = _parsed(rows, how)
    sources = dict(how.sources)
    first = {name: _first(sources.get(name, ())) for name in COLUMNS}
    rows = rows.selectExpr("*", *(f"{sql} AS {_FIRST}{name}" for name, sql in first.items()))
    value: dict[str, Column] = {}
    nested: dict[str, Column] = {}
    if how.is_json:
        single = {name: _single(name, sources.get(name, ())) for name in COLUMNS}
        rows = rows.selectExpr("*", *(f"{sql} AS {_ONE}{name}" for name, sql in single.items()))
        not_single = F.expr(f"problem IS NULL AND {_ONE}text IS NULL AND {_FIRST}text IS NOT NULL")
        rows = rows.withColumn("problem", F.when(not_single, F.lit("not_single")).otherwise(F.col("problem")))
        value = {name: _as_written(F.col(f"{_ONE}{name}"), name) for name in COLUMNS}
        # Of a column that the dump hasn't there is no value that could be unread.
        nested = {n: F.expr(f"CASE WHEN {_ONE}{n} IS NULL THEN {_FIRST}{n} END") for n in COLUMNS if n in how.mapped}
    else:
        value = {name: F.col(f"{_FIRST}{name}") for name in COLUMNS}
    if how.escape:
        value = {name: escapes.unmasked(column, how.delimiter) for name, column in value.items()}
    # Columns of their own: written into each expression that reads them, they would make a plan of thousands of nodes.
    rows = rows.withColumns({f"{_SHORT}{name}": values.short(_readable(column)) for name, column in value.items()})
    typed = _typed(value["text"], profile)
    for column, text in AS_TEXT.items():
        if column in nested:
            typed[text] = F.coalesce(typed[text], nested[column])
    typed["nested"] = _json_of({name: column for name, column in nested.items() if name not in (*AS_TEXT, "text")})
    if how.before is not None:
        typed[BEFORE] = _as_before(how, value, nested, profile)
    return rows.select(*PROVENANCE, *(c.alias(n) for n, c in typed.items()))


def _parsed(rows: DataFrame, how: Parsing) -> DataFrame:
    """Add the struct `fields1` of top-level values, `fields2` of those in their objects, and so on; note problems."""
    line = F.when(F.col("problem").isNull(), F.decode(F.col("raw"), how.java_encoding))
    options = {"columnNameOfCorruptRecord": CORRUPT}
    structs: dict[str, Column] = {}
    for depth, known in how.fields().items():
        # The first struct's last field holds the records that can't be parsed. Each depth has a struct, since a value
        # may be an object in one record and a string in the next.
        ddl = schema([*known, (CORRUPT,)] if depth == 1 else known)
        if how.is_json:
            structs[f"{FIELDS}{depth}"] = F.from_json(line, ddl, options)
        else:
            # CSV doubles a quote inside a field; Spark would expect a backslash before it.
            cells = escapes.masked(line, how.delimiter) if how.escape else line
            structs[f"{FIELDS}{depth}"] = F.from_csv(cells, ddl, {**options, "sep": how.delimiter, "escape": '"'})
    problem, detail = "not_csv", f"expected {how.n_columns:,} columns"
    if how.is_json:
        problem, detail = "not_json", "Spark's parser refuses it"
    reason = F.lit(detail)
    if not (how.is_json or how.escape):
        reason = F.concat(reason, F.when(line.contains(ESCAPED_QUOTE), F.lit(ESCAPE_HINT)).otherwise(F.lit("")))
    bad = F.col("problem").isNull() & F.col(f"{FIELDS}1.{CORRUPT}").isNotNull()
    return rows.withColumns(structs).withColumns(
        {
            "problem": F.when(bad, F.lit(problem)).otherwise(F.col("problem")),
            "problem_detail": F.when(bad, reason).otherwise(F.col("problem_detail")),
        }
    )


def _raw_values(known: Sequence[Path]) -> str:
    return ", ".join(getter(f"{FIELDS}{len(path)}", path) for path in known)


def _first(known: Sequence[Path]) -> str:
    """Return Spark SQL of the first value there is of some paths; null where there is none."""
    return f"coalesce({_raw_values(known)})" if known else "CAST(NULL AS STRING)"


def _single(name: str, known: Sequence[Path]) -> str:
    """Return Spark SQL of the first value of some paths that is neither an object nor a list.

    Spark's parser returns these as compact JSON, so a string that is compact JSON from its first character to its last
    counts as one, too; `[REC]` or `[1] et [2]` don't.
    """
    first = f"{_FIRST}{name}"
    if not known:
        return first
    # Few values begin with a bracket, so that the list of all is made for few.
    is_json = "left(x, 1) IN ('{', '[') AND coalesce(get_json_object(x, '$') = x, false)"
    one = f"get(filter(array({_raw_values(known)}), x -> x IS NOT NULL AND NOT ({is_json})), 0)"
    return f"CASE WHEN left({first}, 1) IN ('{{', '[') THEN {one} ELSE {first} END"


def _json_of(nested: Mapping[str, Column]) -> Column:
    """Return objects and lists as a map from column to JSON; null where there are none."""
    if not nested:
        return F.lit(None).cast("map<string,string>")
    pairs = F.create_map(*(part for name, column in nested.items() for part in (F.lit(name), column)))
    present = F.map_filter(pairs, lambda _, value: value.isNotNull())
    return F.when(F.coalesce(*nested.values()).isNotNull(), present)


def _as_before(how: Parsing, value: Mapping[str, Column], nested: Mapping[str, Column], profile: Profile) -> Column:
    """Return what identifies a review as versions before 3 of the reading read it, as a struct."""
    now, then = dict(how.sources), dict(how.before or ())
    # An object was read as its JSON.
    as_json = {name: F.coalesce(value[name], nested[name]) for name in OF_JSON if name in nested}
    read: dict[str, Column] = {**value, **as_json}
    for name in OF_IDENTITY:
        if then.get(name) != now.get(name):
            other = F.expr(_first(then.get(name, ())))
            if how.escape:
                other = escapes.unmasked(other, how.delimiter)
            read[name] = _as_written(other, name) if how.is_json else other
    known = former.identifying({name: _readable(column) for name, column in read.items()}, profile.before())
    return F.struct(*(known[name].alias(name) for name in OF_IDENTITY))


def _with_file_titles(rows: DataFrame, titles: Mapping[int, str]) -> DataFrame:
    if not titles:
        return rows
    unnamed = F.expr("problem IS NULL AND item_id IS NULL AND item_title IS NULL")
    return rows.withColumn("item_title", F.when(unnamed, _by_file(titles)).otherwise(F.col("item_title")))


def _by_file(values_of_files: Mapping[int, str]) -> Column:
    """Return the value that each row's file has; null where it has none."""
    return F.create_map(*(F.lit(part) for pair in values_of_files.items() for part in pair))[F.col("file_no")]


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
    detail = F.concat("problem_detail", F.lit("; it may be "), _by_file(suggested))
    undecodable = F.col("problem").isin(*ENCODING_PROBLEMS)
    return rows.withColumn("problem_detail", F.coalesce(F.when(undecodable, detail), "problem_detail"))


def _typed(text: Column, profile: Profile) -> dict[str, Column]:
    short = {name: F.col(f"{_SHORT}{name}") for name in COLUMNS if name != "text"}
    return {
        **short,
        **{name: values.text(short[name], profile) for name in ("item_title", "author", "title")},
        "item_type": values.item_type(short["item_type"], short["item_id"], profile),
        # Its characters are scored and quoted as they came.
        "text": values.text(F.when(F.col(f"{_SHORT}text").isNotNull(), _readable(text)), profile),
        "rating": values.rating(short["rating"], profile),
        "review_date": dates.date(short["review_date"], profile.dates),
        "polarity": values.polarity(short["polarity"], profile),
        "rating_text": short["rating"],
        "date_text": short["review_date"],
        "polarity_text": values.labelled(short["polarity"], profile),
        "label_text": short["polarity"],
    }


def _readable(value: Column) -> Column:
    return F.when(F.col("problem").isNull(), value)


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
