"""Where a text longer than the network's window is cut, and how what the chunks say becomes one answer."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from sentiment.contract import quoted
from sentiment.scoring import sentences

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from tokenizers import Encoding

MAX_WORDPIECES = 512
WINDOW = MAX_WORDPIECES - 2
"""Wordpieces of text in one chunk: [CLS] and [SEP] take two."""
CHUNK_RULE = "510 at sentence ends, else spaces; logits by length; 2"
"""Part of a model's fingerprint: change it with whatever changes a cut or how chunks are combined."""
LEAST_PROBABILITY = 1e-30


def cut(text: str, encoding: Encoding) -> list[tuple[int, int, int]]:
    """Chunks of a text, in order, as (begin, end, wordpieces): characters of `text`, without [CLS] and [SEP].

    Each is as long as it may be and ends with a sentence, else before a space, else between two words; so the
    chunks' wordpieces, one after the other, are the text's. `encoding` is the tokenizer's of the whole text.
    """
    offsets, words = encoding.offsets[1:-1], encoding.word_ids[1:-1]
    starts = [begin for begin, _ in offsets]
    whole = {i for i in range(1, len(offsets)) if words[i] != words[i - 1]}
    openings = whole.intersection(bisect_left(starts, begin) for begin, _ in sentences.spans(text))
    spaced = {i for i in whole if offsets[i][0] > offsets[i - 1][1]}
    places = [0]
    while len(offsets) - places[-1] > WINDOW:
        reach = range(places[-1] + WINDOW, places[-1], -1)
        places.append(next(i for allowed in (openings, spaced, whole) for i in reach if i in allowed))
    begins = [0, *(starts[place] for place in places[1:]), len(text)]
    pieces = pairwise([*places, len(offsets)])
    return [(*span, last - first) for span, (first, last) in zip(pairwise(begins), pieces, strict=True)]


def combined(scored: DataFrame, labels: tuple[str, ...]) -> DataFrame:
    """Turn `class` and `lengths` into `chances`, an array: the probability of each label over all chunks.

    That is the softmax of the mean of the chunks' logits, weighted by length. `class` holds the annotations of the
    chunks, `lengths` their wordpieces, both in the text's order; null for one chunk, whose answer is taken as it is.
    (The annotator keeps that order; its `begin` and `end` are those of the whole.) A chunk's logits are known up to a
    constant, as the logarithms of its probabilities, and softmax does not see that constant. A text of which nothing
    was scored has no chances.
    """
    said = ", ".join(f"double(one.metadata[{quoted(label)}])" for label in labels)
    zeros = ", ".join("0D" for _ in labels)
    told = scored.selectExpr("*", f"transform(class, one -> array({said})) AS said")
    sums = told.selectExpr("*", f"{SUMS.format(zeros=zeros)} AS sums")
    logits = sums.selectExpr("*", f"{MEANS} AS logits")
    powers = logits.selectExpr("*", "transform(logits, logit -> exp(logit - array_max(logits))) AS powers")
    return powers.selectExpr("*", f"{CHANCES} AS chances").drop("class", "said", "sums", "logits", "powers")


SUMS = f"""CASE WHEN size(said) = size(lengths) THEN
  aggregate(arrays_zip(said, lengths), array({{zeros}}), (total, one) -> zip_with(total, one.said,
    (so_far, p) -> so_far + ln(greatest(p, double('{LEAST_PROBABILITY}'))) * one.lengths))
  WHEN lengths IS NOT NULL THEN raise_error('a chunk of a text was not scored') END"""
MEANS = "transform(sums, each -> each / aggregate(lengths, 0, (a, b) -> a + b))"
CHANCES = """CASE WHEN lengths IS NULL THEN element_at(said, 1)
  ELSE transform(powers, power -> power / aggregate(powers, 0D, (a, b) -> a + b)) END"""
