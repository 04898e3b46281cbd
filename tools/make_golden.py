"""Write the reference's scores of sentences: Hugging Face's cased tokenizer and ONNX Runtime, one text at a time.

The text is scored, and written, in its NFC form. `n_wordpieces` is the length of what the network is fed: [CLS] and
[SEP] count, and it never exceeds 512, where longer texts are cut. `pos` is the softmax probability of the label pos.
`--as-it-came` leaves the text alone: `shared/golden/demo-fr-allocine-train.jsonl` was made so, and one row of its
reviews (543) holds decomposed accents.

`--prepared` writes something else: of every text of a file the prepared text that reaches the annotators, the offsets
of its sentences, and those of its chunks if it is long. tests/scoring/test_pinned.py compares it. A text whose row
changes while PREPARATION_VERSION and CHUNK_RULE stay is refused: scores of older versions would be reused.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sentiment.runtime import spark as sessions
from sentiment.scoring import chunks, network, preparation, sentences
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

MAX_WORDPIECES = 512
EXAMPLE = """example:
  python tools/make_golden.py tests/golden/own-sentences.jsonl /tmp/golden.jsonl \\
      --model include/sentiment/scoring/bundled/cinema-fr
  python tools/make_golden.py --prepared tests/golden/prepared.jsonl tests/golden/prepared.jsonl \\
      --model include/sentiment/scoring/bundled/cinema-fr
"""


class ReferenceScore(NamedTuple):
    """The reference's wordpieces and prediction of one text."""

    n_wordpieces: int
    """Length of the network's input, [CLS] and [SEP] included; at most 512."""
    pos: float
    """Probability of the label pos, 0 to 1."""


class Reference:
    """A network fed by the reference tokenizer."""

    def __init__(self, model: Path) -> None:
        """Load `model.onnx`, `assets/vocab.txt` and `assets/labels.txt` from the folder."""
        self._tokenizer = BertWordPieceTokenizer(
            str(model / "assets" / "vocab.txt"),
            clean_text=True,
            handle_chinese_chars=True,
            strip_accents=False,
            lowercase=False,
        )
        self._tokenizer.enable_truncation(MAX_WORDPIECES)
        self._session = ort.InferenceSession(str(model / "model.onnx"), providers=["CPUExecutionProvider"])
        self._pos = (model / "assets" / "labels.txt").read_text("utf-8").split().index("pos")

    def score(self, text: str) -> ReferenceScore:
        """Score one text, neither padded nor normalised."""
        ids = np.asarray([self._tokenizer.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        logits = np.asarray(self._session.run(["logits"], feed)[0], dtype=np.float64)[0]
        chances = np.exp(logits - logits.max())
        return ReferenceScore(ids.shape[1], float(chances[self._pos] / chances.sum()))


def golden(lines: Iterator[str], reference: Reference, as_it_came: bool) -> Iterator[dict[str, Any]]:
    """Yield each sentence with the reference's score; polarity is null where the line has none."""
    for line in lines:
        sentence = json.loads(line)
        text = sentence["text"] if as_it_came else unicodedata.normalize("NFC", sentence["text"])
        scored = reference.score(text)
        yield {
            "text": text,
            "polarity": sentence.get("polarity"),
            "n_wordpieces": scored.n_wordpieces,
            "pos": round(scored.pos, 6),
        }


VERSIONS = {"preparation_version": preparation.PREPARATION_VERSION, "chunk_rule": chunks.CHUNK_RULE}


def prepared(spark: SparkSession, texts: list[str], vocabulary: list[str]) -> list[dict[str, Any]]:
    """Return every text's `prepared`, `sentences` [(begin, end)] and `chunks` [(begin, end, wordpieces)]."""
    tokenizer = network.reference_tokenizer({piece: i for i, piece in enumerate(vocabulary)})
    rows = spark.createDataFrame([(i, preparation.fed_form(t)) for i, t in enumerate(texts)], "i int, text string")
    fed_rows = rows.select("i", preparation.prepared(F.col("text")).alias("prepared")).collect()
    fed = {row["i"]: row["prepared"] for row in fed_rows}
    pinned = []
    for i, text in enumerate(texts):
        coded = tokenizer.encode(text)
        cuts = chunks.cut(text, coded) if len(coded.ids) > MAX_WORDPIECES else []
        spans = sentences.spans(text)
        pinned.append(
            {"text": text, "prepared": fed[i], "sentences": list(map(list, spans)), "chunks": list(map(list, cuts))}
        )
    return pinned


def pin(source: Path, output: Path, model: Path) -> None:
    """Write the versions and the row of every text of `source`; exit where rows changed and the versions did not."""
    versions, *before = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    vocabulary = (model / "assets" / "vocab.txt").read_text("utf-8").split("\n")[:-1]
    now = prepared(sessions.session("golden"), [row["text"] for row in before], vocabulary)
    changed = [was["text"] for was, row in zip(before, now, strict=True) if len(was) > 1 and was != row]
    if changed and versions == VERSIONS:
        raise SystemExit(f"Raise PREPARATION_VERSION or CHUNK_RULE first: {changed[0]!r} is prepared otherwise now.")
    output.write_text("".join(json.dumps(row) + "\n" for row in (VERSIONS, *now)), "utf-8")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sentences", type=Path, help="JSON lines with text and, optionally, polarity")
    parser.add_argument("output", type=Path, help="JSON lines to write; may be the file that is read")
    parser.add_argument("--model", type=Path, required=True, help="folder with model.onnx and assets/")
    parser.add_argument("--as-it-came", action="store_true", help="don't compose accents (NFC) first")
    parser.add_argument("--prepared", action="store_true", help="write what is fed, sentences and cuts instead")
    return parser.parse_args()


def main() -> None:
    """Read all, then write all, so that a golden file can be rewritten in place."""
    options = arguments()
    if options.prepared:
        pin(options.sentences, options.output, options.model)
        return
    lines = filter(str.strip, options.sentences.read_text("utf-8").split("\n"))
    rows = list(golden(lines, Reference(options.model), options.as_it_came))
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    options.output.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
