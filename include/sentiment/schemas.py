"""Columns of every Parquet part of the run workspace: name, types, what a value means, and whether it may be null.

Each part is declared once. `Workspace.write` refuses a frame that differs from its part's declaration; the staging
tables, the profile's columns and the columns of a review's version are read from here. To add a column: one line
here, and a migration where it reaches a table of Postgres.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class PartSchemaError(TypeError):
    """A frame to be written as a part has other columns than the part declares: an error of this code, not of data."""


@dataclass(frozen=True)
class Column:
    """One column of a part."""

    name: str
    spark: str
    """Type as Spark's `simpleString` writes it."""
    meaning: str
    postgres: str | None = None
    """Type in the staging table; None where the column is not staged."""
    nullable: bool = True
    """Declared for readers; Parquet and the staging tables don't enforce it."""
    optional: bool = False
    """True: only some writers of the part add the column, and readers must not rely on it."""


@dataclass(frozen=True)
class PartSchema:
    """The columns of one kind of part."""

    part: str
    """The dataset's folder in the workspace."""
    columns: tuple[Column, ...]
    flag_prefix: str | None = None
    """Besides `columns` the part has Boolean columns of this prefix, one for each rule of the night's rule table."""
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that every writer of the part adds, in order."""
        return tuple(column.name for column in self.columns if not column.optional)

    @property
    def staged(self) -> tuple[str, ...]:
        """Names of the columns that the part's staging table has, in order."""
        return tuple(column.name for column in self.columns if column.postgres)

    @property
    def staging_ddl(self) -> str:
        """Column definitions of the part's staging table, for CREATE TABLE in Postgres."""
        return ", ".join(f"{column.name} {column.postgres}" for column in self.columns if column.postgres)

    @property
    def spark_ddl(self) -> str:
        """The columns that every writer adds, as Spark's DDL."""
        return ", ".join(f"{column.name} {column.spark}" for column in self.columns if not column.optional)

    def arrow(self) -> pa.Schema:
        """Return the schema for writers without Spark; KeyError for a struct."""
        return pa.schema([(column.name, ARROW[column.spark]) for column in self.columns if not column.optional])

    def staged_arrow(self) -> pa.Schema:
        """Return the schema in which rows are loaded into the part's staging table."""
        return pa.schema([(column.name, ARROW[column.spark]) for column in self.columns if column.postgres])

    def check(self, frame: DataFrame) -> None:
        """Raise PartSchemaError naming each column that is missing, undeclared or of another type."""
        types = {column.name: column.dataType.simpleString() for column in frame.schema}
        faults = [f"{name} is missing" for name in self.names if name not in types]
        faults += [
            f"{name} is {spark_type}, expected {expected or 'no such column'}"
            for name, spark_type in types.items()
            if spark_type != (expected := self._type(name))
        ]
        if len(types) != len(frame.columns):
            faults.append(f"columns are named twice: {', '.join(frame.columns)}")
        if faults:
            raise PartSchemaError(f"A frame for the part {self.part!r} has other columns: {'; '.join(faults)}.")

    def _type(self, name: str) -> str | None:
        if name in self.by_name:
            return self.by_name[name].spark
        return "boolean" if self.flag_prefix and name.startswith(self.flag_prefix) else None


ARROW = {
    "int": pa.int32(),
    "smallint": pa.int16(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<string>": pa.list_(pa.string()),
    "array<bigint>": pa.list_(pa.int64()),
}
"""Spark type -> Arrow type, for all types but structs."""


def _as(columns: tuple[Column, ...], names: str) -> tuple[Column, ...]:
    by_name = {column.name: column for column in columns}
    return tuple(by_name[name] for name in names.split())


def _unstaged(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(replace(column, postgres=None) for column in columns)


POSITION_COLUMNS = (
    Column("file_no", "int", "file of the dump, from 0 in the order in which it was received", "int", nullable=False),
    Column("record_no", "bigint", "record of the file, from 1; blank lines don't count", "bigint", nullable=False),
)
POSITION = tuple(column.name for column in POSITION_COLUMNS)
"""Where a record is in its dump: what names a record until it has a review id."""

RAW_COLUMNS = (
    Column("raw", "binary", "the record's bytes as they came; of a record that is too long the first 64 KiB", "bytea"),
    Column("raw_bytes", "bigint", "bytes that the whole record has in the file, decompressed", "bigint"),
    Column("raw_sha256", "string", "SHA-256 in hex of the whole record; null where `raw` is all of it", "text"),
    Column("byte_offset", "bigint", "bytes before the record in the file, decompressed", "bigint"),
)

PROBLEM_COLUMNS = (
    Column("problem", "string", "why the record can't be read, a key of `quality.rules.PROBLEMS`; null: it can"),
    Column("problem_detail", "string", "more about the problem, for people; null without one"),
)

RECEIVED = PartSchema(
    "received",
    _unstaged((*POSITION_COLUMNS, *_as(RAW_COLUMNS, "byte_offset raw raw_bytes raw_sha256"), *PROBLEM_COLUMNS)),
)
"""A dump's records, numbered and as they came. Written by Arrow, not by Spark."""

CONTENT_COLUMNS = (
    Column(
        "item_id",
        "string",
        "the film's or series' id in the source, else one made of its title; null where the dump names none",
        "text",
    ),
    Column("item_type", "string", "film, series, or the dump's own word; null where it has none", "text"),
    Column("item_title", "string", "the film's or series' title", "text"),
    Column("author", "string", "the author's name as the dump has it; null where missing or removed", "text"),
    Column("rating", "double", "stars out of five, 0.5 to 5.0 where accepted; null where missing", "double precision"),
    Column("review_date", "date", "the day that the dump gives the review; null where missing", "date"),
    Column("title", "string", "the review's own title", "text"),
    Column("text", "string", "the review's text, Unicode as it came; null of a version that is not stored", "text"),
    Column("polarity", "int", "the dump's own label, 0 negative, 1 positive; null where missing", "int"),
)
CONTENT = tuple(column.name for column in CONTENT_COLUMNS)
"""What a later dump may change about a review. The order is part of `content_hash`: only ever append."""

SOURCE_COLUMN = Column("source", "string", "where the reviews come from, like allocine", nullable=False)
REVIEW_ID_COLUMN = Column("review_id", "string", "identity of the review, 32 hex characters", "text", nullable=False)
HASH_COLUMNS = (
    Column("text_hash", "string", "SHA-256 in hex of the text's NFC form: the key of the score cache", "text"),
    Column("content_hash", "string", "hash over the content columns, 32 hex characters", "text"),
)
VERSION = (*CONTENT, *(column.name for column in HASH_COLUMNS))
"""Columns of one version of a review, in the tables `review` and `review_version`."""

LABEL_TEXT_COLUMN = Column("label_text", "string", "the label as the dump has it, whatever it means")

IDENTITY_COLUMNS = (
    replace(REVIEW_ID_COLUMN, nullable=True),
    Column("own_id", "string", "the record's own id in the dump; null where it has none"),
    Column("equal_key", "string", "key of records that differ in their number alone; null of any other"),
)
"""What identifies a record (`dump.identity`)."""

DECODED = PartSchema(
    "decoded",
    _unstaged(
        (
            SOURCE_COLUMN,
            *POSITION_COLUMNS,
            *_as(RAW_COLUMNS, "byte_offset raw raw_bytes raw_sha256"),
            *PROBLEM_COLUMNS,
            *CONTENT_COLUMNS,
            Column("rating_text", "string", "the rating as the dump has it"),
            Column("date_text", "string", "the date as the dump has it"),
            Column("polarity_text", "string", "the label as the dump has it; null of a word for none, like neutre"),
            LABEL_TEXT_COLUMN,
            Column("nested", "map<string,string>", "JSON of objects and lists where one value is wanted, by column"),
            *IDENTITY_COLUMNS,
            HASH_COLUMNS[0],
        )
    ),
)
"""Every received record, decoded and mapped to the columns of a review; what can't be read has a `problem`.

No part of the workspace: `validate` decodes and judges in one pass.
"""

UNREAD_COLUMNS = (
    Column("column_name", "string", "the column of the review that is null for it", "text", nullable=False),
    Column("value", "string", "the value as it came, its first 1,000 characters", "text", nullable=False),
    Column("rule_name", "string", "the rule by which it can't be read", "text", nullable=False),
)

REASON_COLUMNS = (
    Column("reasons", "array<string>", "names of the rules that the record fails, in the rule table's order", "text[]"),
    Column("details", "string", "a line for each reason: rule (column): message with the values", "text"),
)

JUDGED = PartSchema(
    "judged",
    _unstaged(
        (
            SOURCE_COLUMN,
            *POSITION_COLUMNS,
            *IDENTITY_COLUMNS,
            *CONTENT_COLUMNS,
            *HASH_COLUMNS,
            LABEL_TEXT_COLUMN,
            Column(
                "unread",
                "array<struct<column_name:string,value:string,rule_name:string>>",
                "values of optional columns that can't be read and are null; null where the record is refused",
            ),
            Column("language", "string", "ISO 639-1 code, or und; null where the language was not predicted"),
            Column("refused", "boolean", "whether the record fails a rule", nullable=False),
            *RAW_COLUMNS,
            *REASON_COLUMNS,
        )
    ),
    flag_prefix="rule_",
)
"""One row for each record. `raw` and what follows it are null where the record is not refused; where it is, of the
content and its hashes the author alone remains, by whose name a review is found that is to be forgotten. The flag of an
optional column's rule is null where the record has no such value, or is refused; of a rule that only warns where it is
refused."""

QUARANTINED = PartSchema(
    "quarantined",
    (*POSITION_COLUMNS, *REASON_COLUMNS, *RAW_COLUMNS),
)
"""The refused records."""

DUPLICATE = PartSchema(
    "duplicate",
    (
        *POSITION_COLUMNS,
        REVIEW_ID_COLUMN,
        Column("of_file_no", "int", "file of the first record of the same review that passed", "int", nullable=False),
        Column("of_record_no", "bigint", "that record's number in its file", "bigint", nullable=False),
        Column("is_equal", "boolean", "whether its content is that record's, too", nullable=False),
    ),
)
"""Records of a review that an earlier record of the dump holds already; committed with equal content alone."""

UNREAD = PartSchema("unread", (*POSITION_COLUMNS, *UNREAD_COLUMNS))
"""Values of optional columns that can't be read, of records that are not refused; at most 10,000 a column."""

NOVELTY_COLUMN = Column(
    "novelty",
    "string",
    "new, changed or known, against the nights before; read_anew: known, but other columns than the text are read "
    "otherwise than by the version of then",
    "text",
    nullable=False,
)
SHOWN_COLUMN = Column(
    "is_shown", "boolean", "whether the stored review still shows this version; only of rescored nights", optional=True
)

REVIEW_COLUMNS = (SOURCE_COLUMN, *POSITION_COLUMNS, REVIEW_ID_COLUMN, *CONTENT_COLUMNS, *HASH_COLUMNS)
REVIEW = tuple(column.name for column in REVIEW_COLUMNS)
"""The accepted review, in the order in which it is written."""

ACCEPTED = PartSchema(
    "accepted",
    _unstaged((*REVIEW_COLUMNS, replace(NOVELTY_COLUMN, optional=True), SHOWN_COLUMN)),
)
"""One row for each review of the night; `novelty` and `is_shown` only where a published night is rescored."""

SCORE_COLUMNS = (
    Column("label", "string", "the predicted label; null where nothing of the text reaches the network", "text"),
    Column("score", "double", "probability of the predicted label, 0 to 1", "double precision"),
    Column("p_positive", "double", "probability of the positive label; null without such a label", "double precision"),
    Column("probabilities", "string", "JSON object, label -> probability", "text"),
    Column("n_wordpieces", "int", "wordpieces of the whole text, [CLS] and [SEP] counted once", "int"),
    Column("n_unknown", "int", "of these, [UNK]"),
    Column("n_chunks", "smallint", "windows of at most 512 wordpieces that the text was cut into", "smallint"),
)
TEXT_HASH_COLUMN = HASH_COLUMNS[0]
SCORED_AT_COLUMN = Column("scored_at", "timestamp", "when the network scored the text", "timestamptz", nullable=False)
SCORED_IN_COLUMN = Column("scored_in", "string", "run that scored the text, this one or an earlier one", nullable=False)

TEXT_SCORES = (TEXT_HASH_COLUMN.name, *(column.name for column in SCORE_COLUMNS))
"""Columns of a scored text, as the network returns them."""

SCORE_CACHE = PartSchema(
    "score_cache",
    _unstaged((TEXT_HASH_COLUMN, *SCORE_COLUMNS, SCORED_AT_COLUMN, SCORED_IN_COLUMN)),
)
"""One row for each text that a network has scored, by any run."""

SCORED = PartSchema(
    "scored",
    (
        *REVIEW_COLUMNS,
        NOVELTY_COLUMN,
        *SCORE_COLUMNS,
        SCORED_AT_COLUMN,
        SCORED_IN_COLUMN,
        Column(
            "sentences",
            "string",
            "JSON list of sentence_no, begin_char, end_char, label, score; null where sentences were not asked for",
            "text",
        ),
        SHOWN_COLUMN,
    ),
)
"""The accepted reviews with their sentiment."""

PROFILE_KEY_COLUMNS = (
    Column("slice_key", "string", "how the night is sliced: all, item_type, rating_band, film", "text", nullable=False),
    Column("slice_value", "string", "the slice; all of the night for the key all", "text", nullable=False),
    Column("column_name", "string", "a watched column, `drift.watched.COLUMNS`", "text", nullable=False),
)
PROFILE_KEY = tuple(column.name for column in PROFILE_KEY_COLUMNS)
"""Columns that name a series of the profile."""

PROFILE = PartSchema(
    "profile",
    (
        *PROFILE_KEY_COLUMNS,
        Column("data_type", "string", "numeric or categorical (0 or 1)", "text", nullable=False),
        Column("n", "bigint", "new and changed reviews of the slice", "bigint", nullable=False),
        Column("n_null", "bigint", "of these, without a value", "bigint", nullable=False),
        Column("avg", "double", "mean of the values; null without any", "double precision"),
        Column("stddev", "double", "population standard deviation of the values; null without any", "double precision"),
        Column("min", "double", "least value; null without any", "double precision"),
        Column("max", "double", "greatest value; null without any", "double precision"),
        Column("avg_length", "double", "mean characters of a text, of text_chars only", "double precision"),
        Column("edges_id", "string", "version of the bin edges", "text", nullable=False),
        Column(
            "bin_counts", "array<bigint>", "values by bin: null, below the first edge, …, from the last", "bigint[]"
        ),
        Column("n_items", "bigint", "films in the slice", "bigint"),
        Column("sum_item_sq", "double", "sum over films of (sum of the film's values)^2", "double precision"),
        Column("sum_item_cross", "double", "sum over films of sum of values x number of values", "double precision"),
        Column("sum_item_n_sq", "double", "sum over films of (number of values)^2", "double precision"),
    ),
)
"""Counts of the night's new and changed reviews for each slice and watched column."""

EVALUATED_SCORES = PartSchema("evaluated/scores", _unstaged((TEXT_HASH_COLUMN, *SCORE_COLUMNS)))
"""Scores of a labelled set's texts. Never committed: only the evaluation that wrote them reads them."""

EVALUATED_VERDICTS = PartSchema(
    "evaluated/verdicts",
    _unstaged(
        (
            *POSITION_COLUMNS,
            Column("gold", "string", "the model's label that the record's own label means", nullable=False),
            Column("predicted", "string", "the predicted label; null where nothing reaches the network"),
            Column("confidence", "double", "probability of the predicted label"),
            Column("squared_error", "double", "sum over labels of (probability - 1 where it is `gold`)^2"),
        )
    ),
)
"""Predictions on a labelled set, without texts; a second model's evaluation joins them."""

PARTS = {
    schema.part: schema
    for schema in (
        RECEIVED, JUDGED, QUARANTINED, DUPLICATE, UNREAD, ACCEPTED, SCORED, PROFILE, SCORE_CACHE, EVALUATED_SCORES,
        EVALUATED_VERDICTS,
    )
}  # fmt: skip
"""Every part there is, by its dataset; of `evaluated` by dataset and last folder of the key."""

STAGED = {
    "review": SCORED,
    "quarantine": QUARANTINED,
    "duplicate": DUPLICATE,
    "unread": UNREAD,
    "profile": PROFILE,
}
"""Kind of staging table -> the part that fills it."""


def of_part(dataset: str, key: str = "") -> PartSchema:
    """Return the declaration of a part; PartSchemaError where there is none."""
    schema = PARTS.get(dataset) or PARTS.get(f"{dataset}/{key.rpartition('/')[2]}")
    if schema is None:
        raise PartSchemaError(f"No part {dataset!r} is declared in sentiment.schemas.")
    return schema
