"""Write what the reference says of sentences: Hugging Face's cased tokenizer and ONNX Runtime.

    python tools/make_golden.py tests/golden/own-sentences.jsonl \
        --model include/sentiment/scoring/bundled/demo-fr > /tmp/golden.jsonl

Each line {"text", "polarity"} comes back with `n_wordpieces` (special pieces included, cut at 512) and `pos`,
the probability of the positive label, one text at a time and unpadded.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

MAX_WORDPIECES = 512


class Reference:
    """The network fed by the reference tokenizer."""

    def __init__(self, model: Path) -> None:
        self._tokenizer = BertWordPieceTokenizer(
            str(model / "assets" / "vocab.txt"), lowercase=False, strip_accents=False
        )
        self._tokenizer.enable_truncation(MAX_WORDPIECES)
        self._session = ort.InferenceSession(str(model / "model.onnx"), providers=["CPUExecutionProvider"])
        self._positive = (model / "assets" / "labels.txt").read_text("utf-8").split().index("pos")

    def score(self, text: str) -> tuple[int, float]:
        """Number of wordpieces, and probability of the positive label."""
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        logits = self._session.run(["logits"], feed)[0][0].astype(np.float64)
        chances = np.exp(logits - logits.max())
        return ids.shape[1], float(chances[self._positive] / chances.sum())


def scored(line: str, reference: Reference) -> dict[str, Any]:
    """One line of the golden file."""
    given = json.loads(line)
    n_wordpieces, pos = reference.score(given["text"])
    return {"text": given["text"], "polarity": given["polarity"], "n_wordpieces": n_wordpieces, "pos": round(pos, 6)}


def main() -> None:
    """Read the file named, write to standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    reference = Reference(options.model)
    for line in options.sentences.read_text("utf-8").splitlines():
        sys.stdout.write(json.dumps(scored(line, reference), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
