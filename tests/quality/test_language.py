"""French is detected as such, another language only where lingua is sure, and short texts are undetermined."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F
from sentiment.quality.language import LANGUAGES, MIN_LETTERS, is_plainly_french, language, language_of
from sentiment.samples import sample_dump

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REAL = Path(__file__).parents[3] / "shared" / "data" / "allocine-train.jsonl"
QUOTED = "To be, or not to be, that is the question: whether it is nobler in the mind to suffer the slings and arrows"
TITLES = (
    "The Lord of the Rings, Lost in Translation, Gladiator, The Godfather, Once Upon a Time in America, No Country for "
    "Old Men, There Will Be Blood, The Big Lebowski, Apocalypse Now, Back to the Future, Raiders of the Lost Ark, "
)
TEXTS = {
    f"{TITLES}bref, un des meilleurs films de la décennie.": "fr",
    f"{TITLES * 9}bref, un film que je recommande vivement à tous ceux qui aiment encore le cinéma.": "undetermined",
    f"Nul. {TITLES}": "undetermined",
    "Gladiator, Deep Blue Sea, Sunshine, Independence Day, Daylight, Jurassic Park... bof": "undetermined",
    f"« {QUOTED} ». Shakespeare. « {QUOTED.lower()} » " * 12
    + "Voilà ce que l'on entend pendant deux heures, et je n'ai pas vu le temps passer tant la troupe est juste. " * 4
    + f"« {QUOTED.lower()} » " * 3: "fr",
    "I really loved this movie, the acting by Tom Hanks and Meg Ryan was superb and the story kept me hooked.": "en",
    "A WONDERFUL PICTURE FROM THE FIRST MINUTE TO THE LAST: NOBODY SHOULD MISS IT THIS WINTER.": "en",
    "I saw Le Grand Bleu, La Haine and Amélie again, and this one is by far the weakest of them all, c'est la vie, "
    "as nothing happens for two hours and the actors look as bored as the audience did in the end.": "en",
    "Un film bouleversant, porté par une actrice au sommet de son art.": "fr",
    "un film bouleversant porte par une actrice au sommet de son art": "fr",
    "UN FILM BOULEVERSANT, PORTÉ PAR UNE ACTRICE AU SOMMET DE SON ART": "fr",
    f"« {QUOTED} ». "
    + "Cette tirade, il la dit comme personne avant lui, et toute la salle retient son souffle. " * 2: "fr",
    "A wonderful picture from the first minute to the last: nobody should miss it this winter.": "en",
    "Una película maravillosa de principio a fin: no se la pierda nadie este invierno.": "es",
    "Un film meraviglioso dal primo minuto all'ultimo: nessuno dovrebbe perderlo.": "it",
    "Ein wunderbarer Film von der ersten bis zur letzten Minute, den niemand verpassen sollte.": "de",
    "Um filme maravilhoso do primeiro ao último minuto: ninguém o devia perder neste inverno.": "pt",
    "Een prachtige film van de eerste tot de laatste minuut, die niemand mag missen.": "nl",
    "فيلم رائع من الدقيقة الأولى إلى الأخيرة، لا ينبغي لأحد أن يفوته هذا الشتاء": "ar",
    "Great movie!": "undetermined",
    "👍" * 100: "undetermined",
    "8" * 300: "undetermined",
    "": "undetermined",
    " " * 3000 + QUOTED: "undetermined",  # what begins so far behind is not read but for French
    "Star Wars, The Lord of the Rings, Lost in Translation, Gladiator, Titanic : vus et revus.": "undetermined",
}


@pytest.mark.parametrize(("text", "code"), TEXTS.items(), ids=[t[:20] for t in TEXTS])
def test_the_language_of_one_text(text: str, code: str) -> None:
    assert language_of(text) == code


def test_spark_detects_as_one_by_one_and_null_stays_null(spark: SparkSession) -> None:
    texts = [None, None, *TEXTS]
    frame = spark.createDataFrame([(text,) for text in texts], "text string").repartition(3)
    detected = {row["text"]: row["language"] for row in frame.withColumn("language", language(F.col("text"))).collect()}
    assert detected.pop(None) is None
    assert detected == TEXTS
    assert set(TEXTS.values()) == {*LANGUAGES, "undetermined"}


def cut(text: str, n_letters: int) -> str:
    """Return the beginning of a text up to the word with its `n_letters`th letter."""
    begun = ""
    for word in text.split():
        begun = f"{begun} {word}"
        if sum(map(str.isalpha, begun)) >= n_letters:
            break
    return begun


@pytest.mark.parametrize("n_letters", [MIN_LETTERS, 10_000])
@pytest.mark.skipif(not REAL.is_file(), reason="the founders' shared/ folder is not beside this checkout")
def test_no_real_review_is_refused(n_letters: int) -> None:
    texts = [json.loads(line)["review"] for line in REAL.read_text("utf-8").splitlines()]
    detected = [language_of(cut(text, n_letters)) for text in texts]
    assert len(detected) == 1999
    assert set(detected) == {"fr", "undetermined"}
    assert detected.count("fr") > 0.95 * len(detected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ce film est une merveille, avec des acteurs très justes et une fin qui ne déçoit pas.", True),
        ("Pas mal, vraiment très bien.", False),  # too short
        ("This is about life, « la vie est une fête dans le soleil », as the hero says, and I liked it a lot.", False),
        ("Una película de la que no se habla: la historia es que los actores son de lo mejor, le pese a quien.", False),
        (
            "Un film che non si dimentica, per la storia e per gli attori, di cui si parla ancora oggi con la voce.",
            False,
        ),
        ("Bouleversant, splendide, incandescent, magistral, sublime, éblouissant, inoubliable, remarquable.", False),
    ],
)
def test_french_that_is_plain(text: str, expected: bool) -> None:
    assert is_plainly_french(text) is expected


def test_no_sample_review_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sample.jsonl"
    sample_dump.write(sample_dump.SampleDump(date(2026, 11, 22), 2000, seed=3, defect_share=0), path)
    detected = {language_of(json.loads(line)["review"]) for line in path.read_text("utf-8").splitlines()}
    assert detected == {"fr", "undetermined"}
