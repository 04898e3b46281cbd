"""French sentences: where they end, where they don't, and that their offsets are those of the unchanged text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from pyspark.sql import functions as F
from sentiment import contract
from sentiment.scoring import sentence_rows, sentences

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CASES = {
    "titles": ["M. Dupont joue mal.", "Mme. Durand aussi.", "Le Dr. House est là."],
    "initials": ["J.R.R. Tolkien et A. Delon.", "Le plan B.", "Il échoue."],
    "abbreviations": ["Voir p. ex. le vol. 2, cf. l'éd. de 1998.", "Il y a etc. et tout.", "On rit, etc.", "Bien."],
    "before names": ["M. Le Bihan, Mme. La Fontaine.", "Des films noirs, cf. Les Affranchis.", "Bien."],
    "ordinary words": [
        "J'ai revu Mad Max.",
        "Le film est du grand art.",
        "D'ailleurs, il dure 30 min.",
        "On rit du réal.",
        "Le prof est mon ex.",
        "Il filme en 35 mm.",
        "Le mur a 3 m.",
        "Il grimpe.",
    ],
    "letters": ["Tout ce qu'il y a.", "Superbe film, il l'a.", "C. Clavier joue bien."],
    "decimals": ["Je mets 3.5 sur 5, ou 7,25.", "C'est en 1998.", "Depuis, rien."],
    "ellipses": ["Un film... long et… lent.", "Bon...", "Je sors.", "Oui…"],
    "signs": ["Quel film ?!", "Nul !!!", "Vraiment ! ! !", "Quoi ?", "Rien."],
    "small letters": ["film nul !", "j'ai dormi.", "a éviter"],
    "guillemets": ["« C'est nul ! » disait-il.", "« Bravo ! »", "Il a dit « oui. »", "“Non.”", "Fin."],
    "straight quotes": ['"Quoi ?" demande-t-il.', 'Elle répond : "Rien."', '"Adieu."'],
    "brackets": ["(Quel film !) et voilà.", "Un navet (et long.)", "[Fin]"],
    "forgotten space": ["Super film.", "Je recommande !", "Allez-y…", "Vite"],
    "addresses": ["Voir www.allocine.fr ou site.com/a.html pour la v2.0 du film."],
    "emoji": ["Super film 😀 !", "❤️❤️ Vu hier 👍."],
    "one": ["sans fin ni point"],
}
LINES = {
    "a line that was too long": ("Un film trop long\nqui continue ici.", ["Un film trop long\nqui continue ici."]),
    "a new line": ("Le scénario est plat\nLes acteurs sont bons", ["Le scénario est plat", "Les acteurs sont bons"]),
    "a blank line": ("le début\n\nla suite", ["le début", "la suite"]),
    "a list": (
        "Bilan :\n- le jeu\n- les décors\n1. le son\n2) l'image",
        ["Bilan :", "- le jeu", "- les décors", "1. le son", "2) l'image"],
    ),
    "signs alone": ("***\nBien !\n*****\n😀\nMal.", ["***\nBien !\n*****\n😀", "Mal."]),
    "Windows lines": ("Bien.\r\nMal.", ["Bien.", "Mal."]),
}


def split(text: str) -> list[str]:
    return [text[begin:end] for begin, end in sentences.spans(text)]


@pytest.mark.parametrize("wanted", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("between", [" ", "  ", "\u00a0"])
def test_sentences(wanted: list[str], between: str) -> None:
    if wanted is CASES["forgotten space"]:
        between = ""
    assert split(between.join(wanted)) == wanted


@pytest.mark.parametrize(("text", "wanted"), LINES.values(), ids=LINES.keys())
def test_lines(text: str, wanted: list[str]) -> None:
    assert split(text) == wanted


def test_offsets_are_those_of_the_untouched_text() -> None:
    wanted = ["De\u0301ja\u0300 vu 😀 !", "Pas\u0007 mal 👩‍👩‍👧 du\u200b tout.", "🇫🇷 Vive la Fe\u0301te…"]
    text = "\ufeff " + " \t ".join(wanted) + "\u2028"
    assert split(text)[1:] == wanted[1:]
    assert split(text)[0].endswith(wanted[0])


def test_blank_texts_have_none() -> None:
    assert [sentences.spans(text) for text in ("", " \n\u00a0")] == [[], []]
    assert split("...") == ["..."]


def test_sentences_of_reviews_and_their_scores(spark: SparkSession) -> None:
    """Spark counts characters as Python and Postgres do; sentences that were not scored are absent."""
    first = "De\u0301ja\u0300 vu 😀 ! \u0007Mal.\n👩‍👩‍👧 Nul…"
    reviews = spark.createDataFrame([("a", first), ("b", "Mal.")], "review_id string, text string")
    sentence_frame = sentence_rows.of_reviews(reviews)
    rows = {(r["review_id"], r["sentence_no"]): r for r in sentence_frame.collect()}
    assert [rows["a", n]["text"] for n in (1, 2, 3)] == ["De\u0301ja\u0300 vu 😀 !", "\u0007Mal.", "👩‍👩‍👧 Nul…"]
    for row in rows.values():
        review = first if row["review_id"] == "a" else "Mal."
        assert row["text"] == review[row["begin_char"] : row["end_char"]]
        assert row["text_hash"] == contract.nfc_sha256(row["text"])
    scores = sentence_frame.select("text_hash", F.lit("neg").alias("label"), F.lit(0.75).alias("score")).distinct()
    scores = scores.where(F.col("text_hash") != rows["a", 2]["text_hash"])
    gathered = sentence_rows.to_json(sentence_frame, scores).collect()
    by_review = {r["review_id"]: json.loads(r["sentences"]) for r in gathered}
    assert [one["sentence_no"] for one in by_review["a"]] == [1, 3]
    assert by_review["b"] == [{"sentence_no": 1, "begin_char": 0, "end_char": 4, "label": "neg", "score": 0.75}]


SNIPPETS = st.one_of(
    st.sampled_from(
        [*"aÉ1.!?… \n»«\"'()-", "M. ", "etc.", "...", " ! ", "\u0301", "😀", "\u00a0", "\u0007", "3.5", "J.-C."]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)


# No deadline: on a busy machine one example takes longer than Hypothesis allows by default.
@how(deadline=None)
@given(st.lists(SNIPPETS, max_size=40).map("".join))
def test_every_character_but_space_is_in_one_sentence(text: str) -> None:
    spans = sentences.spans(text)
    covered = {i for begin, end in spans for i in range(begin, end)}
    assert sum(end - begin for begin, end in spans) == len(covered)
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
    assert all(begin < end and not text[begin].isspace() and not text[end - 1].isspace() for begin, end in spans)
    assert spans == sorted(spans)
