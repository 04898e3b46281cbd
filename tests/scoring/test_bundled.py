"""The bundled model keeps its contract, and is right on as many short sentences as its card states."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sentiment.scoring.folders import BUNDLED

from tools.train_bundled import check
from tools.train_bundled.check import Answer
from tools.train_bundled.own_sentences import OwnSentences

FOLDER = BUNDLED / "cinema-fr"
LARGEST = 8_000_000
RIGHT = 0.88
"""94 of 106; demo-fr has 64, and none of the 20 like "pas mauvais"."""


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return onnx.load(FOLDER / "model.onnx")


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    return check.predict(FOLDER, check.sentences())


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= LARGEST


def test_the_graph_keeps_the_contract(graph: onnx.ModelProto) -> None:
    assert [(i.domain, i.version <= 17) for i in graph.opset_import] == [("", True)]
    assert graph.ir_version <= 9
    assert [i.name for i in graph.graph.input] == ["input_ids", "attention_mask"]
    assert [o.name for o in graph.graph.output] == ["logits"]


def test_labels_and_vocabulary_fit_the_graph(graph: onnx.ModelProto) -> None:
    shapes = {c.name: numpy_helper.to_array(c).shape for c in graph.graph.initializer}
    pieces = (FOLDER / "assets" / "vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
    assert (FOLDER / "assets" / "labels.txt").read_text("utf-8") == "neg\npos\n"
    assert len(set(pieces)) == len(pieces) == shapes["word_embeddings"][0]
    assert shapes["position_embeddings"][0] == check.MAX_WORDPIECES


def test_short_sentences(answers: list[Answer]) -> None:
    assert len(answers) >= 80
    wrong = [answer for answer in answers if not answer.right]
    assert len(wrong) <= (1 - RIGHT) * len(answers), "\n".join(check.report(answers))


def test_not_bad_is_praise() -> None:
    network = check.Network(FOLDER)
    assert network.positive("Ce film n'est pas mauvais.") > 0.5
    assert network.positive("Ce film n'est pas bon.") < 0.5


def test_a_text_of_any_length_gets_a_probability() -> None:
    network = check.Network(FOLDER)
    for text in ("", "film", "Un film magnifique. " * 400):
        assert 0 < network.positive(text) < 1


def test_no_check_sentence_is_learnt_from() -> None:
    drawn = {tuple(tokens(s.text)) for s in OwnSentences().draw(20_000, np.random.default_rng(0))}
    assert not [s.text for s in check.sentences() if tuple(tokens(s.text)) in drawn]
