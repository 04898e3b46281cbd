"""Each rule has a row that passes and one that fails; Spark and Great Expectations judge a batch alike."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F
from sentiment.jobs.judging import with_facts
from sentiment.quality import expectations, rules, split
from sentiment.quality.expectations import Limits
from sentiment.quality.meanings import MEANINGS
from sentiment.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

NIGHT = date(2026, 11, 22)
SCHEMA = (
    "source string, file_no int, record_no long, byte_offset long, raw binary, raw_bytes long, raw_sha256 string, "
    "problem string, problem_detail string, item_id string, item_type string, item_title string, author string, "
    "rating double, review_date date, title string, text string, polarity int, rating_text string, date_text string, "
    "polarity_text string, label_text string, review_id string, own_id string, equal_key string, text_hash string, "
    "nested map<string,string>"
)
NAMES = [column.split()[0] for column in SCHEMA.split(", ")]
GOOD: dict[str, Any] = {
    **dict.fromkeys(NAMES),
    "source": "allocine",
    "file_no": 0,
    "byte_offset": 0,
    "raw": b"{}",
    "raw_bytes": 2,
    "text": "Un beau film.",
    "rating": 4.0,
    "rating_text": "4",
    "review_date": date(2026, 11, 20),
    "date_text": "2026-11-20",
    "polarity": 1,
    "polarity_text": "1",
}
ENGLISH = "A wonderful picture from the first minute to the last: nobody should miss it this winter."
FRENCH = "Un film magnifique du début à la fin : que personne ne le manque cet hiver, vraiment."
LINKS = "https://site.example.org/critiques/cine/le-phare-1/https://site.example.org/news/le-phare-l-acteur-2/" * 3
FAILS: dict[str, list[dict[str, Any]]] = {
    "readable": [
        {"problem": problem, "problem_detail": detail, "text": None, "raw": b"caf\xe9"}
        for problem in (*rules.PROBLEMS, "of_a_kind_to_come")
        for detail in (None, "windows-1252")
    ],
    "forgotten": [{"problem": "forgotten", "text": None, "raw": b""}],
    "no_text": [{"text": None}],
    "text_present": [
        {"text": " \u00a0\u200b\t"},
        {"text": None, "rating": None, "rating_text": None, "review_date": None, "date_text": None}
        | {"polarity": None, "polarity_text": None, "own_id": None},
    ],
    "text_not_too_short": [{"text": " a\u200b \n"}],
    "text_not_too_long": [{"text": "à" * 50_001}],
    "text_not_markup": [
        {"text": "<b></b> https://example.org/x &nbsp;"},
        {"text": "Voir ici https://example.org/une-longue-adresse"},
        {"text": "HTTP://EXAMPLE.ORG/une-longue-adresse www.example.org/une-autre Vu"},
        {"text": "avis: prenom.nom@site.example.org"},
        {"text": '<p class="review-card"><span lang="fr">Trop long.</span></p>'},
        {"text": "[url=www.example.org]ici[/url] &#233;"},
    ],
    "text_french": [{"text": ENGLISH}, {"text": "Una película maravillosa de principio a fin: no se la pierda nadie."}],
    "prepared_not_blank": [{"text": "tout s'efface"}],
    "no_nul": [{"text": "mal\x00venu"}, {"author": "mal\x00venu"}, {"item_type": "\x00"}],
    "no_lone_surrogate": [
        {"raw": rb'{"review": "Bravo \ud83d"}'},
        {"raw": rb'{"review": "Bravo \uDE00\uD83D"}'},
        {"raw": rb' {"review": "Bravo \\\ud83d, oui"}'},
        {"raw": rb'{"review": "\\ud83d\ude00"}'},
        {"raw": "{'été': '\\uD83D\\u00e9'}".encode()},
    ],
    "not_mojibake": [
        {"text": "FranÃ§ois a adorÃ©."},
        {"text": "Lâ€™acteur est bon."},
        {"text": "L\u00e2\u0080\u0099acteur est bon."},
        {"text": "Bravo ðŸ˜€"},
        {"author": "ZoÃ«"},
        {"title": "Mon cÅ“ur"},
        {"text": 'Å"uvre, cÅ"ur'},
        {"text": f"Mon cÅ“ur. {FRENCH} Mon cÅ“ur. {FRENCH} Mon cÅ“ur."},
    ],
    "no_lost_letters": [
        {"text": "J?ai ador?"},
        {"text": "J?ai ador? ce film, les acteurs sont tr?s bons et l?histoire est bien men?e."},
        {"text": "J?AI ADOR? CE FILM, L?HISTOIRE EST BELLE ET D?J? VUE."},
        {"text": "C\ufffdest tr\ufffds bien r\ufffdalis\ufffd, un grand moment de cin\ufffdma."},
    ],
    "fields_not_too_long": [{"item_id": "é" * 501}, {"title": "b" * 1001}],
}
UNREAD: dict[str, list[dict[str, Any]]] = {
    "rating_in_range": [{"rating": 11.0, "rating_text": "11"}, {"rating": None, "rating_text": "mal\nvenu\x00"}],
    "date_readable": [{"review_date": None, "date_text": "hier"}],
    "date_not_future": [{"review_date": date(2026, 11, 24), "date_text": "2026-11-24"}],
    "polarity_known": [{"polarity": None, "polarity_text": "2"}],
    "author_not_too_long": [{"author": "a" * 1001}],
    **{f"{name}_single": [{"nested": {name: '{"a":"mal\x00venu"}'}}] for name in rules.SINGLE},
}
OF_THE_DUMP = {"same_id_other_review"}
"""Rules that no record fails alone."""
PASSES: list[dict[str, Any]] = [
    {},
    {"text": "👍👍"},
    {"text": "à" * 50_000},
    {"text": "Critique sur https://example.org/une-longue-adresse"},
    {"text": f"{FRENCH} {LINKS}"},
    {"text": f"Vu hier, superbe.\n\nLiens :\n{LINKS}\nShooting in Iceland The Lighthouse Making"},
    {"text": f"{LINKS} Trop long, et pourtant beau."},
    {
        "text": "Très beau film, la musique est superbe. https://video.example.org/watch?v=the-best-of-the-soundtrack-with-"
        "the-orchestra https://site.example.org/the-making-of-the-movie-behind-the-scenes-with-the-director"
    },
    {"text": "Pourquoi?Parce que. Quoi?! ca va?oui, et toi?bien. En VF?Jamais! Un plan B?Non"},
    {"text": "Alors ?rien. Ah bon?Si, si. Lequel?le premier. Qui?Lui"},
    {"author": "Zo\ufffd", "title": "Tr?s bien"},
    {"text": "https://example.org/s?q=film www.example.org/w?v=J?ai et voilà tout."},
    {"text": "<b>Bien joué</b> &amp; bien filmé <3 <3"},
    {"text": FRENCH},
    {"text": "Great movie!"},  # too short for a language
    {"text": "88888888888888888888888888888888888888888888888888888"},
    {"raw": rb'{"review": "Bravo \ud83d\ude00 \uD83D\uDE00"}'},
    {"raw": rb'{"review": "C:\\ud83d"}'},
    {"raw": rb"Bravo \ud83d;3"},  # no JSON, no escape
    {"text": "Âme, Ã, PÂQUES, SÃO, Åse et « Ça » : câlin à 10 €."},
    {"item_id": "é" * 500, "author": "a" * 1000},
    {"rating": None, "rating_text": None},
    {"review_date": date(2026, 11, 23), "date_text": "2026-11-23"},
    {"review_date": date(1895, 12, 28), "date_text": "1895-12-28"},
    {"polarity": None, "polarity_text": None},
    *(change for changes in UNREAD.values() for change in changes),
]
FLAGGED: dict[str, list[dict[str, Any]]] = {
    "text_undamaged": [
        {"text": f"Mon cÅ“ur. {FRENCH}"},
        {"text": f'Un pur chef d\'Å"uvre, un cÅ"ur. {FRENCH}'},
        {"text": f"J?ai ri. {FRENCH}"},
        {"text": f"Tr\ufffds beau. {FRENCH}"},
        {"text": f"{FRENCH} " * 30 + "Mon cÅ“ur. " * 6},
        {"text": FRENCH, "title": "Mon cÅ“ur"},
    ],
    "text_without_tags": [{"text": f"<i>{FRENCH}</i>"}, {"text": f"Bon.<br />{FRENCH}"}],
}
"""Rows that are published, and counted under the rule's name."""
CASES = [(name, change) for name, changes in FAILS.items() for change in changes]


def frame(spark: SparkSession, changes: list[dict[str, Any]]) -> DataFrame:
    rows = [
        GOOD | {"record_no": n, "review_id": f"{n:032x}", "text_hash": str(n)} | change
        for n, change in enumerate(changes, start=1)
    ]
    return spark.createDataFrame([tuple(row[name] for name in NAMES) for row in rows], SCHEMA)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("rules"), min_text_chars=2)


@pytest.fixture(scope="module")
def table(config: Settings) -> tuple[rules.Rule, ...]:
    return rules.table(config, NIGHT)


def judged(spark: SparkSession, config: Settings, changes: list[dict[str, Any]]) -> DataFrame:
    rows = with_facts(frame(spark, changes), config)
    blank = F.col("prepared_blank") | (F.col("text") == "tout s'efface")
    return rules.judged(rows.withColumn("prepared_blank", blank), rules.table(config, NIGHT))


def rows_judged(spark: SparkSession, config: Settings, changes: list[dict[str, Any]]) -> list[Row]:
    return sorted(judged(spark, config, changes).collect(), key=lambda row: row["record_no"])


def test_every_rule_has_failing_rows_here(table: tuple[rules.Rule, ...]) -> None:
    assert {rule.name for rule in rules.refusing(table)} == set(FAILS) | OF_THE_DUMP
    assert {rule.name for rule in rules.optional(table)} == set(UNREAD)
    assert {rule.name for rule in rules.warning(table)} == set(FLAGGED)


def test_every_rule_has_its_meaning_for_the_pages(table: tuple[rules.Rule, ...]) -> None:
    assert {rule.name for rule in (*table, rules.SAME_ID)} == MEANINGS.keys()


def test_rules_refuse_their_rows_with_name_and_column(
    spark: SparkSession, config: Settings, table: tuple[rules.Rule, ...]
) -> None:
    rows = rows_judged(spark, config, [change for _, change in CASES])
    column = {rule.name: rule.column for rule in table}
    assert [row["reasons"] for row in rows] == [[name] for name, _ in CASES]
    for (name, _), row in zip(CASES, rows, strict=True):
        assert row["details"].startswith(f"{name} ({column[name]}): ")
        assert "\n" not in row["details"]
        assert "\x00" not in row["details"]
        assert "unknown" not in row["details"]


def test_a_value_that_cannot_be_read_is_null_and_stored(
    spark: SparkSession, config: Settings, table: tuple[rules.Rule, ...]
) -> None:
    cases = [(name, change) for name, changes in UNREAD.items() for change in changes]
    rows = rows_judged(spark, config, [change for _, change in cases])
    by_name = {rule.name: rule for rule in table}
    for (name, change), row in zip(cases, rows, strict=True):
        rule = by_name[name]
        value = change["nested"][rule.column] if "nested" in change else change[rule.value]
        assert row["reasons"] == []
        assert row[rule.column] is None
        assert [tuple(unread) for unread in row["unread"]] == [
            (rule.column, value.replace("\x00", "\ufffd")[: rules.UNREAD_CHARS], name)
        ]
        assert row[rule.flag] is False
    sound, missing = rows_judged(spark, config, [{}, {"rating": None, "rating_text": None}])
    assert (sound["rule_rating_in_range"], missing["rule_rating_in_range"]) == (True, None)
    assert sound["unread"] == missing["unread"] == []


def test_messages_name_the_values_and_settings_they_are_about(spark: SparkSession, config: Settings) -> None:
    cases: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        (FAILS["not_mojibake"][0], ("Ã§", "utf-8")),
        (FAILS["no_lone_surrogate"][2], (r"\\ud83d",)),
        (FAILS["text_not_markup"][1], (r"\b7 of 45\b",)),
        (FAILS["no_lost_letters"][0], (r"J\?ai",)),
        (FAILS["fields_not_too_long"][1], (r"\b1000\b", r"\btitle\b")),
        (FAILS["text_french"][0], (r"\ben\b", "SENTIMENT_CHECK_LANGUAGE")),
        (FAILS["text_not_too_short"][0], (r"\b2\b", "SENTIMENT_MIN_TEXT_CHARS")),
        ({"problem": "not_utf8", "text": None}, ("not_utf8", "source profile", "encoding")),
        ({"problem": "not_utf8", "problem_detail": "it may be x", "text": None}, (r"it may be x",)),
        ({"problem": "not_jsonl", "problem_detail": "line 3", "text": None}, ("not_jsonl", "line 3")),
    ]
    rows = rows_judged(spark, config, [change for change, _ in cases])
    for (_, patterns), row in zip(cases, rows, strict=True):
        assert [p for p in patterns if not re.search(p, row["details"])] == [], row["details"]


def test_rows_just_inside_the_rules_pass(spark: SparkSession, config: Settings) -> None:
    rows = rows_judged(spark, config, PASSES)
    assert [(row["record_no"], row["reasons"]) for row in rows if row["reasons"]] == []


def test_slight_damage_and_tags_are_flagged_and_published(
    spark: SparkSession, config: Settings, table: tuple[rules.Rule, ...]
) -> None:
    cases = [(name, change) for name, changes in FLAGGED.items() for change in changes]
    rows = rows_judged(spark, config, [*(change for _, change in cases), {"text": FRENCH}])
    warnings = rules.warning(table)
    failed = [[rule.name for rule in warnings if not row[rule.flag]] for row in rows]
    assert failed == [*([name] for name, _ in cases), []]
    assert [row["reasons"] for row in rows] == [[]] * len(rows)
    assert [row["text"] for row in rows[:-1]] == [change["text"] for _, change in cases]


def test_a_row_has_every_reason(spark: SparkSession, config: Settings) -> None:
    both = FAILS["text_present"][0] | FAILS["fields_not_too_long"][0]
    row = rows_judged(spark, config, [both])[0]
    assert row["reasons"] == ["text_present", "fields_not_too_long"]
    assert row["details"].count("\n") == 1


def test_any_language_passes_where_it_is_not_checked(spark: SparkSession, tmp_path: Path) -> None:
    config = Settings(home=tmp_path, check_language=False)
    row = rows_judged(spark, config, [{"text": ENGLISH}])[0]
    assert (row["reasons"], row["language"]) == ([], None)


def test_records_are_accepted_quarantined_or_duplicate(
    spark: SparkSession, config: Settings, table: tuple[rules.Rule, ...]
) -> None:
    changes: list[dict[str, Any]] = [
        {"review_id": "1" * 32, "text": "\u200b"},
        {"text": f"{FRENCH} Mon cÅ“ur."},
        {"review_id": "1" * 32},
        {"review_id": "1" * 32},
        {"raw": b"x" * 70_000, "text": "\u200b"},
    ]
    rows = judged(spark, config, changes)
    verdicts = split.verdicts(rows, table).persist()
    refused, repeated = split.quarantined(verdicts), split.repeated(verdicts)
    assert sorted(r["record_no"] for r in split.accepted(verdicts, repeated).collect()) == [2, 3]
    assert [(r["record_no"], r["of_record_no"], r["is_equal"]) for r in repeated.collect()] == [(4, 3, True)]
    by_number = {r["record_no"]: r for r in refused.collect()}
    assert sorted(by_number) == [1, 5]
    assert len(by_number[5]["raw"]) == 64 * 1024
    assert len(by_number[5]["raw_sha256"]) == 64
    assert split.summary(verdicts, table).stored() == {
        "rules": [rule.name for rule in rules.refusing(table)],
        "reasons": {"text_present": 2},
        "unread": {},
        "flagged": {"text_undamaged": 1},
        "n_numbered": 0,
        "n_unnamed": 0,
        "optional_values": {"rating": 3, "review_date": 3, "polarity": 3, **dict.fromkeys(rules.SINGLE, 0)},
        "languages": {"fr": 1, "undetermined": 4},
    }
    verdicts.unpersist()


def test_great_expectations_judges_by_the_same_rules_without_a_row_value(
    spark: SparkSession, config: Settings, table: tuple[rules.Rule, ...], tmp_path: Path
) -> None:
    secret = "Phrase-secrète-à-ne-pas-montrer"
    changes = [{"text": secret}] * 5 + [UNREAD["rating_in_range"][0] | {"text": secret}] * 3 + FAILS["forgotten"] * 9
    changes += [FAILS["fields_not_too_long"][1] | {"text": secret}] * 2
    changes[0] = {"text": f"<b>{secret}</b>"}
    verdicts = split.verdicts(judged(spark, config, changes), table).persist()
    lax = expectations.judge(verdicts, table, "20261122-00000001", Limits(0.4, 0.4, 19, 19), tmp_path)
    strict = expectations.judge(verdicts, table, "20261122-00000002", Limits(0.1, 0.1, 20, None), tmp_path)
    assert (lax.success, lax.failed) == (True, [])
    failed = ["expect_table_row_count_to_be_between", "fields_not_too_long", "rating_in_range"]
    assert (strict.success, strict.failed) == (False, failed)
    pages = [p.read_text("utf-8") for p in tmp_path.rglob("*.html")]
    assert strict.page.exists()
    assert any("rating_in_range" in page for page in pages)
    assert not any(secret in page for page in pages)
    runs = {p.parent.parent.name for p in tmp_path.rglob("validations/**/*.html")}
    assert len(runs) >= 2
    verdicts.unpersist()
