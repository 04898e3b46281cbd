"""The rule table. Each rule is one Spark SQL condition: Spark splits rows by it and Great Expectations judges the batch
by the Boolean column it fills, so that the two can't disagree.

A condition reads the columns of a decoded record (`schemas.DECODED`), and three that `jobs.judging` adds:
`language` (`quality.language`; null where it is not checked), `prepared_blank`, whether the prepared text that the
network would be fed is empty, and `n_damaged`, how many sequences of its texts are damaged (`quality.prose`). How to
add a rule: docs/how-to/add-a-quality-rule.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentiment.contract import FORGOTTEN, MAX_FIELD_BYTES, NO_TEXT, quoted
from sentiment.quality import prose
from sentiment.quality.language import FRENCH, UNDETERMINED
from sentiment.quality.prose import UNSEEN, VISIBLE
from sentiment.settings import Settings
from sentiment.text_patterns import MOJIBAKE

SHOWN_CHARS = 80
"""Characters of a column's value that a message shows at most."""
UNREAD_CHARS = 1000
"""Characters of a value that can't be read that are stored."""

FIELDS = ("item_id", "item_type", "item_title", "title")
_TOO_LONG = [f"if(octet_length({name}) > {MAX_FIELD_BYTES}, '{name}', NULL)" for name in FIELDS]
SINGLE = ("own_id", *FIELDS, "author")
"""Columns whose value may be an object or a list in the dump: of the others, the value itself can't be read then."""
_LINE = "CAST(raw AS STRING)"
# Two backslashes are one character of text: neither begins an escape.
_ESCAPES = rf"regexp_replace({_LINE}, r'\\\\', ' ')"
_UNPAIRED = rf"regexp_replace({_ESCAPES}, r'\\u[dD][89abAB][0-9a-fA-F]{{2}}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}', ' ')"
# In JSON the escape of a lone surrogate, U+D800 to U+DFFF, once pairs are removed. Spark's from_json turns it into `?`,
# so that the parsed text can't show it.
HALF_PAIR = r"r'\\u[dD][89a-fA-F][0-9a-fA-F]{2}'"

# Beside other values: a record that is empty through and through is a damaged one.
_VALUES = "own_id, item_id, item_title, author, rating_text, date_text, title, polarity_text"
_NO_TEXT = f"text IS NULL AND coalesce({_VALUES}) IS NOT NULL"

_DETAIL = "coalesce(concat(' (', nullif(problem_detail, ''), ')'), '')"
PROBLEMS = {
    "not_utf8": "its bytes are not UTF-8; name the dump's encoding in the source profile or as the Param encoding",
    "not_in_encoding": "its bytes are not in the encoding given for the dump",
    "not_jsonl": "the line is not one whole JSON object",
    "not_json": "it is not one whole JSON object",
    "not_csv": "it has not the header's fields, or leaves a quote open",
    "not_parquet": "the row of the Parquet file can't be turned into a record",
    "too_long": "it is longer than SENTIMENT_MAX_RECORD_BYTES, and only its start is kept",
    "not_single": "its text is an object or a list; name the value in it in the source profile, like review.text",
    "too_deep": "it is nested deeper than is read",
    "too_many_columns": "it has more columns than are read",
}
"""Problem of a record that can't be read -> its explanation; `problem_detail` has what is particular to the record."""


@dataclass(frozen=True)
class Rule:
    """One quality rule."""

    name: str
    """Stored with refused records; stable, since people query by it."""
    column: str
    """The column that messages name."""
    passes: str
    """Spark SQL condition of a row that passes; null passes too, so that a missing value fails only where asked."""
    message: str
    """Why a row is refused. `{column}` is filled with the row's value of that column, `{detail}` with `detail`'s."""
    detail: str = "NULL"
    """Spark SQL of what `{detail}` shows; null shows nothing."""
    value: str = ""
    """Spark SQL of an optional column's value as it came: a row that fails is not refused, its `column` is null. Empty:
    a row that fails is refused."""
    is_warning: bool = False
    """Whether a row that fails is not refused, and nothing of it left out, but counted."""

    @property
    def flag(self) -> str:
        """Return the name of the Boolean column with the rule's verdict on each row."""
        return f"rule_{self.name}"


def table(config: Settings, night: date) -> tuple[Rule, ...]:
    """Return every rule of this night, in the order in which reasons are listed."""
    return (*_readable(), *_text(config), *_characters(), SAME_ID, *_values(night), *WARNINGS)


def refusing(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules by which a record is refused."""
    return tuple(rule for rule in rules if not rule.value and not rule.is_warning)


def warning(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules by which a record is counted, and neither refused nor changed."""
    return tuple(rule for rule in rules if rule.is_warning)


def optional(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules by which a value of an optional column is left out."""
    return tuple(rule for rule in rules if rule.value)


NO_FAULT = (FORGOTTEN, NO_TEXT)
"""Rules whose records don't count where the share of refused ones is looked at."""
SAME_ID = Rule(
    "same_id_other_review",
    "review_id",
    # No record alone fails: `split.repeated` finds those that do.
    "true",
    "record {of_record_no} of file {of_file_no} has the same identity and is another review",
)


def _readable() -> tuple[Rule, ...]:
    cases = " ".join(f"WHEN {quoted(problem)} THEN {quoted(f': {text}')}" for problem, text in PROBLEMS.items())
    return (
        Rule(
            "readable",
            "raw",
            f"problem IS NULL OR problem = {quoted(FORGOTTEN)}",
            "the record can't be read, {problem}{detail}",
            f"concat(CASE problem {cases} ELSE '' END, {_DETAIL})",
        ),
        Rule(
            FORGOTTEN,
            "review_id",
            f"problem <> {quoted(FORGOTTEN)}",
            "a person asked to have this review removed",
        ),
    )


def _text(config: Settings) -> tuple[Rule, ...]:
    shortest = rf"r'^(?:[{UNSEEN}]*[^{UNSEEN}]){{{config.min_text_chars}}}'"
    language = Rule(
        "text_french",
        "text",
        f"language IN ({quoted(FRENCH)}, {quoted(UNDETERMINED)})",
        "the text is not French but reads as '{language}'; SENTIMENT_CHECK_LANGUAGE=false lets every language pass",
    )
    return (
        Rule(
            NO_TEXT,
            "text",
            f"problem IS NOT NULL OR NOT ({_NO_TEXT})",
            "there is no text: the record is no review",
        ),
        Rule(
            "text_present",
            "text",
            f"problem IS NOT NULL OR {_NO_TEXT} OR coalesce(text RLIKE {VISIBLE}, false)",
            "the text is missing or blank",
        ),
        Rule(
            "text_not_too_short",
            "text",
            f"{_NO_TEXT} OR NOT text RLIKE {VISIBLE} OR text RLIKE {shortest}",
            f"the text has fewer than {config.min_text_chars} visible characters (SENTIMENT_MIN_TEXT_CHARS)",
        ),
        Rule(
            "text_not_too_long",
            "text",
            f"length(text) <= {config.max_text_chars}",
            f"the text is longer than {config.max_text_chars} characters (SENTIMENT_MAX_TEXT_CHARS)",
        ),
        Rule(
            "text_not_markup",
            "text",
            f"NOT text RLIKE {VISIBLE} OR {prose.is_prose('text')}",
            "the text is markup or an address and little else: {detail} of its visible characters are neither",
            f"concat(cast({prose.n_visible(prose.without_markup('text'))} AS string), ' of ', "
            f"cast({prose.n_visible('text')} AS string))",
        ),
        *([language] if config.check_language else []),
        Rule(
            "prepared_not_blank",
            "text",
            f"NOT prepared_blank OR NOT text RLIKE {VISIBLE}",
            "nothing of the text is left for the network once it is prepared",
        ),
    )


def _characters() -> tuple[Rule, ...]:
    return (
        Rule(
            "no_nul",
            "text",
            f"NOT contains(concat_ws('', text, author, {', '.join(FIELDS)}), char(0))",
            "a column holds the character U+0000, which Postgres can't store",
        ),
        Rule(
            "no_lone_surrogate",
            "raw",
            rf"problem IS NOT NULL OR NOT (contains({_LINE}, r'\ud') OR contains({_LINE}, r'\uD')) "
            rf"OR NOT {_LINE} RLIKE r'^\s*\{{' OR NOT {_UNPAIRED} RLIKE {HALF_PAIR}",
            "the record holds {detail}, half of a surrogate pair and no character: its maker cut a text there",
            f"regexp_extract({_UNPAIRED}, {HALF_PAIR}, 0)",
        ),
        Rule(
            "not_mojibake",
            "text",
            f"n_damaged = 0 OR {prose.IS_SLIGHT} OR NOT {prose.ALL_TEXTS} RLIKE {quoted(MOJIBAKE)}",
            "'{detail}' is UTF-8 that was read as windows-1252 or Latin-1 (as Ã© is for é). Look at the encoding given "
            "for the dump: utf-8 is right; where it is utf-8 already, the dump was damaged before it came, and "
            "repair = true in the source profile mends what can be",
            prose.FIRST_MOJIBAKE,
        ),
        Rule(
            "no_lost_letters",
            "text",
            f"n_damaged = 0 OR {prose.IS_SLIGHT} OR NOT {prose.HAS_LOST_LETTERS}",
            "'{detail}' has a sign in place of a letter: the program that wrote the dump could not write that letter, "
            "or the dump was read in another encoding before; the letters are not in the dump, so it must come anew",
            prose.FIRST_LOST,
        ),
        Rule(
            "fields_not_too_long",
            "item_id",
            " AND ".join(f"coalesce(octet_length({name}) <= {MAX_FIELD_BYTES}, true)" for name in FIELDS),
            f"longer than {MAX_FIELD_BYTES} bytes: {{detail}}",
            f"concat_ws(', ', {', '.join(_TOO_LONG)})",
        ),
    )


WARNINGS = (
    Rule(
        "text_undamaged",
        "text",
        "n_damaged = 0",
        "'{detail}' is damaged, and too little to disturb the network",
        f"coalesce({prose.FIRST_MOJIBAKE}, {prose.FIRST_LOST})",
        is_warning=True,
    ),
    Rule(
        "text_without_tags",
        "text",
        f"NOT ({prose.has_tags('text')})",
        "the text has tags of HTML; html = true in the source profile takes them out",
        is_warning=True,
    ),
)
"""Rules of records that are published as they came, and counted."""


def _values(night: date) -> tuple[Rule, ...]:
    """Return the rules of optional columns, whose values are left out where they can't be read."""
    return (
        Rule(
            "rating_in_range",
            "rating",
            "rating_text IS NULL OR coalesce(rating BETWEEN 0.5 AND 5.0, false)",
            "the rating {rating_text} is not, out of five, a number from 0.5 to 5",
            value="rating_text",
        ),
        Rule(
            "date_readable",
            "review_date",
            "date_text IS NULL OR review_date IS NOT NULL",
            "the date {date_text} is none that the source profile reads, like 2026-11-22 or 22 novembre 2026",
            value="date_text",
        ),
        Rule(
            "date_not_future",
            "review_date",
            f"review_date <= date{quoted(night.isoformat())} + interval 1 day",
            "the date {date_text} lies after the night",
            value="date_text",
        ),
        Rule(
            "polarity_known",
            "polarity",
            "polarity_text IS NULL OR coalesce(polarity IN (0, 1), false)",
            "the polarity {polarity_text} is neither 0 nor 1",
            value="polarity_text",
        ),
        Rule(
            "author_not_too_long",
            "author",
            f"coalesce(octet_length(author) <= {MAX_FIELD_BYTES}, true)",
            f"the author's name is longer than {MAX_FIELD_BYTES} bytes",
            value="author",
        ),
        *(
            Rule(
                f"{name}_single",
                name,
                f"nested['{name}'] IS NULL",
                f"the {name} is an object or a list; name the value in it in the source profile, like author.name",
                value=f"coalesce(nested['{name}'], {name})",
            )
            for name in SINGLE
        ),
    )


def judged(rows: DataFrame, rules: tuple[Rule, ...]) -> DataFrame:
    """Add a Boolean column for each rule, and what follows from them; leave out what can't be read.

    `reasons` has the names of the refusing rules that a row fails, `details` a message a line: empty where it passes.
    `unread` has a row of `schemas.UNREAD_COLUMNS` for each value of an optional column that can't be read; the column
    is null then. The flag of an optional column's rule is null where there is no value; rules that only warn have no
    message here.
    """
    # SQL text: built from Python, call by call, the plan takes most of a second.
    rows = rows.selectExpr("*", *(f"{_flag(rule)} AS {rule.flag}" for rule in rules))
    names = (_if_failed(rule, quoted(rule.name)) for rule in refusing(rules))
    messages = (_if_failed(rule, message(rule)) for rule in refusing(rules) if rule is not SAME_ID)
    unread = (_if_failed(rule, _unread(rule)) for rule in optional(rules))
    added = {
        "reasons": f"array_compact(array({', '.join(names)}))",
        "details": f"concat_ws('\\n', {', '.join(messages)})",
        "unread": f"array_compact(array({', '.join(unread)}))",
    }
    rows = rows.selectExpr("*", *(f"{sql} AS {name}" for name, sql in added.items()))
    flags: dict[str, list[str]] = {}
    for rule in optional(rules):
        flags.setdefault(rule.column, []).append(f"coalesce({rule.flag}, true)")
    read = {name: F.expr(f"if({' AND '.join(conditions)}, {name}, NULL)") for name, conditions in flags.items()}
    return rows.withColumns(read)


def _flag(rule: Rule) -> str:
    passes = f"coalesce({rule.passes}, true)"
    return f"CASE WHEN {rule.value} IS NOT NULL THEN {passes} END" if rule.value else passes


def _unread(rule: Rule) -> str:
    # Postgres refuses U+0000.
    value = f"replace(substring({rule.value}, 1, {UNREAD_CHARS}), char(0), '\ufffd')"
    return f"named_struct('column_name', {quoted(rule.column)}, 'value', {value}, 'rule_name', {quoted(rule.name)})"


def _if_failed(rule: Rule, value: str) -> str:
    return f"CASE WHEN NOT {rule.flag} THEN {value} END"


def message(rule: Rule) -> str:
    """Return the SQL of one line: rule, column, and the message with its values filled in."""
    # Splitting at both braces leaves literals at even and names at odd indexes.
    pieces = rule.message.replace("}", "{").split("{")
    values = {name: f"substring({name}, 1, {SHOWN_CHARS})" for name in pieces[1::2] if name != "detail"}
    values |= {"detail": rule.detail}
    filled = (
        quoted(piece) if index % 2 == 0 else f"coalesce({_plain(values[piece])}, '')"
        for index, piece in enumerate(pieces)
    )
    return f"concat({quoted(f'{rule.name} ({rule.column}): ')}, {', '.join(filled)})"


def _plain(value: str) -> str:
    # Postgres refuses U+0000, and a line feed in a value would look like another rule's message.
    return rf"regexp_replace(cast({value} AS string), r'[\p{{Cc}}\p{{Zl}}\p{{Zp}}]', '�')"
