"""Dumps in the forms of real exports and scrapes, a night each: what of them is in Postgres, or which line to type.

All texts are made up. `FORMS` has those that hold the same three reviews; the other tests are about values.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentiment.errors import DataError, DumpRefusedError, DumpUnreadableError

from tests.dump.receiving import written
from tests.dump.test_values import DATES, MISSING, RATINGS
from tests.dump.workbooks import archive
from tests.kit.nights import NightSpec, run_all_steps
from tests.kit.rows import newest_run, rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = date(2026, 6, 1)
FILM = "L'Été d'après"
TEXTS = (
    "Un film rare, porté par de très beaux acteurs.",
    "Quel ennui : l'histoire est creuse, les dialogues aussi.",
    'J\'ai dit "non", puis "oui" ; la musique est superbe.',
)
RATED = (4.5, 1.0, 4.0)
DAYS = tuple(date(2024, 3, n) for n in (1, 2, 3))
READ = Counter(
    (FILM, f"lecteur{n}", day, rating, text)
    for n, (day, rating, text) in enumerate(zip(DAYS, RATED, TEXTS, strict=True))
)
"""What each of `FORMS` holds: film, author, day, stars, text."""
NUMBERS = count()
"""Of the reviews' own ids: two files have none in common."""
Publish = Callable[..., None]


def record(n: int) -> dict[str, Any]:
    return {
        "id": f"n{next(NUMBERS)}", "film": FILM, "note": RATED[n], "date": f"Publiée le {DAYS[n].day} mars 2024",
        "pseudo": f"lecteur{n}", "critique": TEXTS[n],
    }  # fmt: skip


def lines(*records: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(r, ensure_ascii=False)}\n" for r in records).encode()


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def table(delimiter: str, end: str = "\n", decimal: str = ",") -> str:
    cells = [
        [str(v).replace(".", decimal) if c == "note" else quoted(str(v)) for c, v in record(n).items()]
        for n in range(3)
    ]
    return "".join(f"{delimiter.join(row)}{end}" for row in [list(record(0)), *cells])


def parquet(records: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), file)
    return file.getvalue()


def instants(zone: str | None) -> list[dict[str, Any]]:
    days = [datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone) if zone else None) for d in DAYS]
    return [record(n) | {"date": day} for n, day in enumerate(days)]


def nested() -> list[dict[str, Any]]:
    return [
        {
            "id": f"n{next(NUMBERS)}",
            "review": {"text": TEXTS[n], "rating": {"value": RATED[n]}},
            "date": str(DAYS[n]),
            "author": {"username": {"text": f"lecteur{n}"}, "id": 7},
            "film": {"id": 99, "title": FILM},
        }
        for n in range(3)
    ]


GRAPH = [
    {"id": f"rw{n}", "author": {"nickName": "x", "username": {"text": f"lecteur{n}"}}, "authorRating": RATED[n] * 2,
     "submissionDate": str(DAYS[n]), "spoiler": True, "film": {"titre": FILM},
     "text": {"originalText": {"plaidHtml": TEXTS[n].replace(", ", ", <i>", 1) + "</i>"}}}
    for n in range(3)
]  # fmt: skip
WITH_NAMES = [record(n) | {"auteur": {"nom": f"lecteur{n}", "id": 7}, "tags": ["a", "b"]} for n in range(3)]
INDEXED = "".join(f"{n - 1 if n else ''},{row}\n" for n, row in enumerate(table(",", decimal=".").splitlines()))
EPOCHS = [record(n) | {"date": round(datetime(2024, 3, n + 1, tzinfo=UTC).timestamp() * 1000)} for n in range(3)]
DIARY = "Date,Name,Year,Letterboxd URI,Rating,Rewatch,Review,Tags,Watched Date\n" + "".join(
    f'{DAYS[n]},"{FILM}",2019,https://box.example/{n},{RATED[n]},,{quoted(TEXTS[n])},"cinéma, nul",2024-02-02\n'
    for n in range(3)
)
TABBED = "id\tfilm\tnote\tdate\tpseudo\tcritique\n" + "".join(
    f"n{next(NUMBERS)}\t{FILM}\t{str(RATED[n]).replace('.', ',')}\t0{n + 1}/03/2024\tlecteur{n}\t{TEXTS[n]}\n"
    for n in range(3)
)

BY_COLUMN = {column: {str(n): record(n)[column] for n in range(3)} for column in record(0)}


FORMS = {
    "sep.csv": b"sep=;\r\n" + table(";", "\r\n").encode(),
    "empty_rows.csv": (table(";") + ";;;;;\n" * 4).encode(),
    "title.csv": ("Export des critiques;;;;;\n" + table(";")).encode(),
    "blank_lines.csv": ("\n\n" + table(",", decimal=".")).encode(),
    "index.csv": INDEXED.encode(),
    "tabs.tsv": TABBED.encode(),
    "export.zip": archive({"avis/critiques.csv": table(";").encode()}),
    "pandas.json": lines(*EPOCHS),
    "objects.jsonl": lines(*nested()),
    "author_objects.jsonl": lines(*WITH_NAMES),
    "paris.parquet": parquet(instants("Europe/Paris")),
    "days.parquet": parquet(instants(None)),
    "structs.parquet": parquet(nested()),
    "diary.csv": DIARY.encode(),
}
"""Files that are read as they come."""
MORE_FORMS = {
    "Excel in French": ("a.csv", table(";").encode("cp1252"), {"encoding": "windows-1252"}),
    "UTF-16": ("a.csv", table("\t").encode("utf-16"), {"encoding": "utf-16"}),
    "GraphQL": ("a.jsonl", lines(*GRAPH), {"profile": "html = true\nrating_scale = 10"}),
}
"""Name -> file, content, and what a night has to be typed with."""
WITHOUT_AUTHORS = ("diary.csv",)


def published(source: str, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the source's reviews, ordered by the dump's records."""
    query = """
        SELECT file_no, record_no, r.* FROM sentiment.review r JOIN sentiment.night_review USING (review_id)
        WHERE r.source = :s ORDER BY file_no, record_no"""
    return [tuple(getattr(row, name) for name in columns.split()) for row in rows(query, s=source)]


def refused(source: str) -> dict[str, int]:
    query = "SELECT rule_name, n_records FROM sentiment.v_quarantine_reasons WHERE source = :s"
    return {row.rule_name: row.n_records for row in rows(query, s=source)}


@pytest.fixture(scope="module")
def night_of_forms(spark: SparkSession, _model: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Publish one night of all files that are read as they come, each with films of its own name."""
    dump = tmp_path_factory.mktemp("forms") / "dump"
    dump.mkdir()
    for name, content in FORMS.items():
        written(dump / name, content)
    run_all_steps(spark, NightSpec("forms", NIGHT, dump))


@pytest.mark.parametrize("name", FORMS)
def test_a_file_is_read_as_it_comes(night_of_forms: None, name: str) -> None:
    own = [
        row
        for row in published("forms", "file_no item_title author review_date rating text")
        if row[0] == sorted(FORMS).index(name)
    ]
    expected = READ if name not in WITHOUT_AUTHORS else Counter((film, None, *rest) for film, _, *rest in READ)
    assert Counter(row[1:] for row in own) == expected
    assert refused("forms") == {}


@pytest.mark.parametrize("form", MORE_FORMS)
def test_a_file_is_read_as_it_is_typed(
    form: str, tmp_path: Path, publish: Publish, profile: Callable[..., str]
) -> None:
    name, content, typed = MORE_FORMS[form]
    if "profile" in typed:
        typed = {"profile": profile(typed["profile"])}
    publish(form, NIGHT, written(tmp_path / name, content), **typed)
    assert Counter(published(form, "item_title author review_date rating text")) == READ


def test_dates_and_ratings_as_people_write_them(tmp_path: Path, publish: Publish) -> None:
    """Whatever is null was missing or is an unread value, and no review is lost for one."""
    shown = [(value, None) for value in (*DATES, *MISSING)] + [(None, value) for value in (*RATINGS, *MISSING)]
    records = [
        {"id": n, "date": day, "note": rating, "critique": TEXTS[n % 3]} for n, (day, rating) in enumerate(shown)
    ]
    publish("values", NIGHT, written(tmp_path / "a.jsonl", lines(*records)), allow=("unread_share",))
    missing = {*MISSING, "", None}
    days = [DATES.get(str(day)) if day not in missing else None for day, _ in shown]
    stars = [RATINGS.get(str(rating)) if rating not in missing else None for _, rating in shown]
    read = [(day, rating and float(rating)) for day, rating in published("values", "review_date rating")]
    in_time, in_range = (
        [d if d and d <= NIGHT else None for d in days],
        [s if s and 0.5 <= s <= 5 else None for s in stars],
    )
    assert read == list(zip(in_time, in_range, strict=True))
    query = "SELECT record_no, column_name, value FROM sentiment.unread_value WHERE run_id = :r ORDER BY 1"
    unread = [tuple(row) for row in rows(query, r=newest_run("values"))]
    assert unread == [
        (n, column, str(value).strip())
        for n, (pair, got) in enumerate(zip(shown, read, strict=True), 1)
        for column, value, published_value in zip(("review_date", "rating"), pair, got, strict=True)
        if value not in missing and published_value is None
    ]


def test_labels_as_people_write_them(tmp_path: Path, publish: Publish) -> None:
    labels: dict[Any, int | None] = {
        "négatif": 0, "negatif": 0, "NEG": 0, 0.0: 0, "LABEL_0": 0, "POSITIVE": 1, "Positif ": 1, "1.0": 1,
        "LABEL_1": 1, "neutre": None, "mixte": None, "neutral": None, "nan": None, "": None, "5 stars": None, "2": None,
    }  # fmt: skip
    records = [{"id": n, "sentiment": label, "critique": TEXTS[n % 3]} for n, label in enumerate(labels)]
    publish("labels", NIGHT, written(tmp_path / "a.jsonl", lines(*records)))
    assert published("labels", "polarity") == [(polarity,) for polarity in labels.values()]
    unread = rows("SELECT value FROM sentiment.unread_value WHERE run_id = :r", r=newest_run("labels"))
    assert {row.value for row in unread} == {"5 stars", "2"}
    # Of -1, 0 and 1 the middle one is no label.
    records = [{"id": n, "sentiment": n % 3 - 1, "critique": TEXTS[n % 3]} for n in range(6)]
    publish("three_labels", NIGHT, written(tmp_path / "b.jsonl", lines(*records)))
    assert published("three_labels", "polarity") == [(0,), (None,), (1,)] * 2


def test_good_french_is_published_whatever_stands_in_it(tmp_path: Path, publish: Publish) -> None:
    address = "https://www.example.org/critiques/cinema/the-lighthouse-by-the-sea"
    texts = [
        "Un pur chef d'Å“uvre, la mise en scène est parfaite et l'émotion est là à chaque scène.",
        f"Une suite paresseuse, très laide et sans intérêt.{address}/1/{address}/2/",
        f"Film vu au cinéma. La musique est sublime.\n\nLiens :\n{address}\nThe making of {address}?v=WhAtEvErIs",
        " ".join(TEXTS * 160),
        "Armageddon, Independence Day, Deep Impact, Sunshine, Twister... bof",
    ]
    assert len(texts[3]) > 20_000
    path = written(tmp_path / "a.jsonl", lines(*({"id": n, "critique": text} for n, text in enumerate(texts))))
    publish("good_french", NIGHT, path)
    assert published("good_french", "text") == [(text,) for text in texts]


def test_escaped_quotes_are_read_by_a_profile_and_never_in_half(
    tmp_path: Path, publish: Publish, profile: Callable[..., str]
) -> None:
    escaped = [text.replace('"', r"\"").replace("Quel", r"\"Quel\"", 1) for text in TEXTS]
    body = "".join(f'{n},"{text}"\n' for n, text in enumerate(escaped))
    path = written(tmp_path / "a.csv", f"id,critique\n{body}".encode())
    with pytest.raises(DataError):
        publish("escaped", NIGHT, path)
    publish("escaped", NIGHT, path, profile=profile('escape = "\\\\"'))
    assert published("escaped", "text") == [(text.replace("\\", ""),) for text in escaped]


def test_a_row_with_a_delimiter_too_many_is_quarantined(tmp_path: Path, publish: Publish) -> None:
    body = "".join(f"{n},{quoted(TEXTS[n % 3])},x\n" for n in range(9)) + f"9,{TEXTS[0]},y\n"
    publish("too_wide", NIGHT, written(tmp_path / "a.csv", f"ID,Critique,Extrait\n{body}".encode()))
    assert [text for (text,) in published("too_wide", "text")] == [TEXTS[n % 3] for n in range(9)]
    assert refused("too_wide") == {"readable": 1}


def test_one_column_without_quotes(tmp_path: Path, publish: Publish) -> None:
    publish("one_column", NIGHT, written(tmp_path / "a.txt", "\n".join(["critique", *TEXTS]).encode()))
    assert published("one_column", "text") == [(text,) for text in TEXTS]


@pytest.mark.parametrize(
    ("content", "error", "typed"),
    [
        (json.dumps(BY_COLUMN), DumpRefusedError, 'orient="records", lines=True'),
        (json.dumps([record(n) for n in range(3)])[:-40], DumpUnreadableError, "a.json"),
        ("<!DOCTYPE html>\n<html><body>Accès refusé</body></html>\n", DataError, "a.json"),
    ],
    ids=["pandas' default", "a list cut short", "a page of an error"],
)  # fmt: skip
def test_what_is_refused_has_a_line_to_type(
    content: str, error: type[DataError], typed: str, tmp_path: Path, publish: Publish
) -> None:
    with pytest.raises(error) as refused:
        publish("refused", NIGHT, written(tmp_path / "a.json", content.encode()))
    assert typed in refused.value.message + refused.value.try_next
    assert rows("SELECT 1 FROM sentiment.review WHERE source = 'refused'") == []
