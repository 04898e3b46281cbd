"""Texts longer than the window: where they are cut, and that their scores are the chunks' weighted means."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from sentiment import settings
from sentiment.scoring import chunks, network, registry, sentences
from sentiment.scoring.registry import Model

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

GOOD, BAD = "Quel film magnifique, drôle et émouvant ! ", "Un navet, une perte de temps : quel ennui... "


@pytest.fixture(scope="module")
def model(home: Path) -> Model:
    return registry.find("cinema-fr", settings.load())


@pytest.fixture(scope="module")
def tokenizer(model: Model) -> BertWordPieceTokenizer:
    return network.reference_tokenizer({piece: i for i, piece in enumerate(model.vocabulary())})


TOKENS = [*GOOD.split(" "), *BAD.split(" "), "a.b", "!" * 30, "x" * 120, "\n\n", "M. Dupont", "é\u200b…"]
ENDLESS = ["mot", "anti\u00adconsti\u200btution", "x" * 120]
"""Words of a text without a sentence's end; some hold characters that the tokenizer drops."""


@how(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([TOKENS, ENDLESS]), st.integers(150, 900))
def test_chunks_are_the_text_and_fit_the_window(
    tokenizer: BertWordPieceTokenizer, drawn: Random, tokens: list[str], n: int
) -> None:
    text = " ".join(drawn.choices(tokens, k=n))
    encoding = tokenizer.encode(text)
    cuts = chunks.cut(text, encoding)
    assert "".join(text[begin:end] for begin, end, _ in cuts) == text
    coded = [tokenizer.encode(text[begin:end]).ids[1:-1] for begin, end, _ in cuts]
    assert [len(ids) for ids in coded] == [length for _, _, length in cuts]
    assert max(length for _, _, length in cuts) <= chunks.WINDOW
    assert list(chain.from_iterable(coded)) == encoding.ids[1:-1]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (GOOD * 80, "! "),
        ("mot " * 300 + "fin. " + "Autre " * 400, "fin. "),
        ("mot " * 900, "mot "),
        ("!" * 700, "!"),
        (GOOD * 80 + BAD, "! "),
    ],
    ids=["at the end of a sentence", "at the only one", "at a space", "between two signs", "at the last that fits"],
)
def test_where_a_long_text_is_cut(tokenizer: BertWordPieceTokenizer, text: str, last: str) -> None:
    begin, end, length = chunks.cut(text, tokenizer.encode(text))[0]
    assert text[begin:end].endswith(last)
    ends = [e for _, e in sentences.spans(text) if e > end]
    if last in ("! ", "fin. "):
        assert len(tokenizer.encode(text[begin : ends[0]]).ids) - 2 > chunks.WINDOW, "one more sentence does not fit"
    else:
        assert length == chunks.WINDOW


def test_long_reviews_are_scored_by_length_weighted_logits(spark: SparkSession, home: Path, model: Model) -> None:
    """Against ONNX Runtime, chunk by chunk; the end of a long review counts."""
    texts = [GOOD * 30, GOOD * 80, GOOD * 60 + BAD * 60, BAD * 60 + GOOD * 20, "très " * 600, "bien\ue000! " * 600]
    pipeline = network.load(spark, model, settings.load().models_served)
    rows = spark.createDataFrame([(str(i), t) for i, t in enumerate(texts)], "text_hash string, text string")
    scores = {int(r["text_hash"]): r for r in network.score(rows.repartition(3), pipeline, model).collect()}
    for i, text in enumerate(texts):
        wanted, n_chunks, n_wordpieces = expected(model, text)
        assert scores[i]["p_positive"] == pytest.approx(wanted, abs=1e-5)
        assert (scores[i]["n_chunks"], scores[i]["n_wordpieces"]) == (n_chunks, n_wordpieces)
        assert scores[i]["label"] == ("pos" if wanted >= 0.5 else "neg")
        assert scores[i]["score"] == pytest.approx(max(wanted, 1 - wanted), abs=1e-5)
    assert {scores[i]["n_chunks"] for i in range(len(texts))} >= {1, 2, 3}


def expected(model: Model, text: str) -> tuple[float, int, int]:
    """Return P(pos) by the chunks' mean logits, weighted by wordpieces; chunks; wordpieces of all of the text."""
    tokenizer = network.reference_tokenizer({piece: i for i, piece in enumerate(model.vocabulary())})
    session = ort.InferenceSession(str(model.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    encoding = tokenizer.encode(text)
    cuts = chunks.cut(text, encoding) if len(encoding.ids) > chunks.MAX_WORDPIECES else [(0, len(text), 1)]
    by_chunk = []
    for begin, end, _ in cuts:
        ids = np.asarray([tokenizer.encode(text[begin:end]).ids], dtype=np.int64)
        by_chunk.append(session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0])
    logits = np.average(np.asarray(by_chunk, dtype=np.float64), axis=0, weights=[length for _, _, length in cuts])
    powers = np.exp(logits - logits.max())
    return float(powers[model.labels.index("pos")] / powers.sum()), len(cuts), len(encoding.ids)
