"""Compare a model's predictions with the labels of check_sentences.jsonl, on which it was not trained.

This module needs numpy, onnxruntime and tokenizers only, so that the project's own tests can use it.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

SENTENCES = Path(__file__).with_name("check_sentences.jsonl")
MAX_WORDPIECES = 512


class Sentence(NamedTuple):
    """A sentence, 1 for favourable or 0 for unfavourable, and what it is an example of."""

    text: str
    polarity: int
    kind: str
    template_alike: bool
    """Whether a training template has the same shape, with other words."""


class Answer(NamedTuple):
    """The network's prediction of a sentence."""

    sentence: Sentence
    positive: float
    """Probability that the sentence is favourable, 0 to 1."""

    @property
    def right(self) -> bool:
        """Return whether the prediction agrees with the sentence's polarity."""
        return (self.positive >= 0.5) == bool(self.sentence.polarity)


class Network:
    """A model folder, fed by the reference tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Load `model.onnx`, `assets/vocab.txt` and `assets/labels.txt`."""
        vocabulary = str(folder / "assets" / "vocab.txt")
        self.tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=False, strip_accents=False)
        self.tokenizer.enable_truncation(MAX_WORDPIECES)
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        self._pos = (folder / "assets" / "labels.txt").read_text("utf-8").split().index("pos")

    def positive(self, text: str) -> float:
        """Return the probability that the text is favourable, 0 to 1."""
        ids = np.array([self.tokenizer.encode(unicodedata.normalize("NFC", text)).ids], np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        logits = np.asarray(self._session.run(["logits"], fed)[0], np.float64)[0]
        return float(1 / np.exp(logits - logits[self._pos]).sum())


def sentences(path: Path = SENTENCES) -> list[Sentence]:
    """Read JSON lines with the fields of `Sentence`."""
    return [Sentence(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def predict(folder: Path, examples: list[Sentence]) -> list[Answer]:
    """Return the prediction of the model in this folder for every sentence, in order."""
    network = Network(folder)
    return [Answer(sentence, network.positive(sentence.text)) for sentence in examples]


def report(answers: list[Answer]) -> Iterator[str]:
    """Yield lines: how many answers are right, by kind and in all, and which are wrong."""
    n_by_kind = Counter(answer.sentence.kind for answer in answers)
    right = Counter(answer.sentence.kind for answer in answers if answer.right)
    yield from (f"{kind}: {right[kind]} of {n}" for kind, n in n_by_kind.items())
    alike = [answer for answer in answers if answer.sentence.template_alike]
    yield f"shaped like a training template: {sum(a.right for a in alike)} of {len(alike)}"
    yield f"in all: {right.total()} of {n_by_kind.total()}"
    for answer in answers:
        if not answer.right:
            yield f"wrong: {answer.sentence.text} (P(pos) {answer.positive:.3f}, {answer.sentence.kind})"
