"""The ids that reach the network are those of the Hugging Face cased tokenizer, over all of Unicode."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sentiment import settings
from sentiment.scoring import network, registry
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from tests.scoring.echo import Echo, padded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CLASSES = {
    "straight apostrophes": "l'histoire d'aujourd'hui, chef-d'œuvre 'cité'",
    "curly apostrophes": "l’histoire d’aujourd’hui ‘citée’ “ainsi”",
    "ligatures": "œuvre ŒUVRE ægyptien ﬁn ﬂeur ĳ",
    "accents": "déjà vu à Noël, où ça ? Ÿ û ï ç É",
    "decomposed accents": "de\u0301ja\u0300 vu a\u0300 Noe\u0308l, 19e\u0300me c\u0327a",
    "accents out of order": "a\u0323\u0301 a\u0301\u0323 e\u0301\u0301 \u0301 seul ד\u05bc\u05b7 ד\u05b7\u05bc",
    "letters that decompose elsewhere": "й Ё ά Å K Ω 각 が क़ أ ﬗ",
    "emoji": "super😀 ❤️ ❤ 1️⃣ ©️ 👩‍👩‍👧 🇫🇷 👍🏽 film🎬nul",
    "control characters": "un\u0000 fi\u0007lm\x1f n\x7ful\x85ou\u200bpas\u00ad \ufeff\u200e",
    "spaces": "un\tfilm\nnul\r\nou\u00a0pas\u202f!\u2003non\u3000si\u2028la\u2029fin\u1680x",
    "Chinese": "un 电影film很好 豈 \U00020000\U0002a700\U0002b820\U0002ceb0",
    "Japanese and Korean": "映画がよかった 영화 좋아요 カタカナ",
    "private use": "a\ue000b \uf8fe \uf8ff c\uf8ffd \U000f0000 \U0010fffd",
    "unassigned": "a\u0378b \uffff \U000e0080 \U0003fffe",
    "signs that BERT splits off": "1+1=2 <b>a^b|c~d`e $5 a_b #x @y %z \\ {c} ¿? ¡! § ¶ † ‰ ‹ › ′ ″",
    "signs that it does not": "5€ 3£ ±2 ×3 ° © ® ™ → ■ ♥ ² ½ ¬ ¤",
    "marks of other annotators": "a╔b╚c╞d╟e╤f╥g╦h╩i ═ ║ aↇb ↲ ↈ",
    "words of a hundred letters": "a" * 100 + " " + "é" * 100 + " 1",
    "longer words": "a" * 101 + " é" + "é" * 200 + ",fin " + "b" * 300,
    "case": "MAUVAIS Film İstanbul ﬀ ß ẞ ǅ",
    "dots": "bien... très bien.. ?! !!! « non » … (si) [ou] -- — –",
}


@pytest.fixture(scope="module")
def assigned() -> list[str]:
    """Every assigned character; of the large blocks of alike letters the edges."""
    bulk = (range(0x4E10, 0x9FF0), range(0x3410, 0x4DA0), range(0x20010, 0x31350), range(0xAC40, 0xD780))
    codes = (c for c in range(1, 0xE0200) if not any(c in block for block in bulk))
    return [chr(c) for c in codes if unicodedata.category(chr(c)) not in {"Cn", "Co", "Cs"}]


@pytest.fixture(scope="module")
def echo(spark: SparkSession, home: Path, assigned: list[str], tmp_path_factory: pytest.TempPathFactory) -> Echo:
    """An echo of the bundled model's wordpieces and every character, so that no [UNK] hides a difference."""
    model = registry.find("cinema-fr", settings.load())
    letters = [c for c in assigned if c.strip()]
    pieces = dict.fromkeys([*model.vocabulary(), *letters, *(f"##{c}" for c in letters)])
    pipeline = network.load(spark, model, settings.load().models_served)
    return Echo(spark, pipeline, list(pieces), tmp_path_factory.mktemp("echo"))


def differing(echo: Echo, texts: list[str]) -> list[str]:
    """Return the texts whose ids are not the reference's; a text of which nothing remains has no ids."""
    pairs = zip(texts, echo.wanted(texts), echo.fed(texts), strict=True)
    return [text for text, wanted, fed in pairs if fed != (wanted if any(wanted[2:]) else [])]


def test_named_classes(echo: Echo) -> None:
    different = differing(echo, list(CLASSES.values()))
    assert [name for name, text in CLASSES.items() if text in different] == []


def test_every_character(echo: Echo, assigned: list[str]) -> None:
    """Inside a word, alone, first and last."""
    written = [f"a{c}b {c} {c}b a{c}" for c in assigned]
    lines = [" ".join(written[i : i + 5]) for i in range(0, len(written), 5)]
    assert [ascii(line) for line in differing(echo, lines)] == []


PIECES_OF_TEXT = st.one_of(
    st.sampled_from([word for text in CLASSES.values() for word in text.split(" ")]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.text("aeéèœ'’-.,!? \u0301\u0323\u200d\ufe0f\u00a0😀", max_size=6),
)
TEXTS = st.lists(st.lists(PIECES_OF_TEXT, max_size=8).map("".join), min_size=100, max_size=200)


@how(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(TEXTS)
def test_any_text(echo: Echo, texts: list[str]) -> None:
    """Hypothesis draws many texts at a time: each draw is one Spark job."""
    assert differing(echo, texts) == []


def test_a_special_piece_in_a_text_is_only_text(echo: Echo) -> None:
    """Different from the tokenizer as it comes, which would let a text end itself."""
    as_it_comes = BertWordPieceTokenizer(echo.reference.get_vocab(), lowercase=False, strip_accents=False)
    (fed,) = echo.fed(["bon [SEP] film"])
    end = echo.vocabulary.index("[SEP]")
    assert (fed.count(end), as_it_comes.encode("bon [SEP] film").ids.count(end)) == (1, 2)


def test_a_text_of_which_nothing_remains_is_not_fed(echo: Echo) -> None:
    assert echo.fed(["\ue000\u200b", " \t\n", ""]) == [[], [], []]


def test_decomposed_text_is_fed_composed(echo: Echo) -> None:
    """So that one key of the score cache, the hash of the NFC form, means one score."""
    decomposed, composed = "de\u0301ja\u0300 vu", "d\u00e9j\u00e0 vu"
    assert echo.fed([decomposed]) == echo.fed([composed]) == [padded(echo.reference.encode(composed).ids)]
