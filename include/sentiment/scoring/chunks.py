"""Cut a text that is longer than the network's window into chunks, and combine the chunks' predictions."""

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
"""Wordpieces that the network takes at once, special pieces included."""
# Wordpieces of text in one chunk: [CLS] and [SEP] take two.
WINDOW = MAX_WORDPIECES - 2
CHUNK_RULE = "510 at sentence ends, else spaces; logits by length; 2"
"""Part of a model's fingerprint: change it with whatever changes a cut or how chunks are combined."""
# A probability may come as 0, whose logarithm can't be averaged.
LEAST_PROBABILITY = 1e-30


def cut(text: str, encoding: Encoding) -> list[tuple[int, int, int]]:
    """Return the chunks of a text, in order, as (begin, end, wordpieces): characters of `text`, without special pieces.

    Each chunk is as long as the window allows and ends with a sentence, else before a space, else between two words.
    So the chunks' wordpieces, one after the other, are the text's. `encoding` is the tokenizer's of all of the text.
    """
    offsets, word_ids = encoding.offsets[1:-1], encoding.word_ids[1:-1]
    starts = [begin for begin, _ in offsets]
    # A cut inside a word would change its wordpieces: only pieces that begin a word may begin a chunk.
    word_starts = {i for i in range(1, len(offsets)) if word_ids[i] != word_ids[i - 1]}
    sentence_starts = word_starts.intersection(bisect_left(starts, begin) for begin, _ in sentences.spans(text))
    after_space = {i for i in word_starts if offsets[i][0] > offsets[i - 1][1]}
    cuts = [0]
    while len(offsets) - cuts[-1] > WINDOW:
        within_reach = range(cuts[-1] + WINDOW, cuts[-1], -1)
        best_first = (sentence_starts, after_space, word_starts)
        cuts.append(next(i for allowed in best_first for i in within_reach if i in allowed))
    begins = [0, *(starts[i] for i in cuts[1:]), len(text)]
    pieces = pairwise([*cuts, len(offsets)])
    return [(*span, last - first) for span, (first, last) in zip(pairwise(begins), pieces, strict=True)]


def combined(scored: DataFrame, labels: tuple[str, ...]) -> DataFrame:
    """Replace the column `class` by `label_probabilities`: an array of one for each label, over all chunks.

    The probabilities are the softmax of the mean of the chunks' logits, weighted by the chunks' lengths. `class` holds
    Spark NLP's annotations of the chunks and `lengths` their wordpieces, both in the text's order; `lengths` is null
    for a single chunk, whose probabilities are taken as they are. `label_probabilities` is null for a text of which
    nothing reached the network. The query fails where a chunk of a text has no annotation.
    """
    # The annotator keeps the chunks' order; the `begin` and `end` of each annotation are those of all of the text.
    per_label = ", ".join(f"double(one.metadata[{quoted(label)}])" for label in labels)
    zeros = ", ".join("0D" for _ in labels)
    by_chunk = scored.selectExpr("*", f"transform(class, one -> array({per_label})) AS by_chunk")
    sums = by_chunk.selectExpr("*", f"{SUMS.format(zeros=zeros)} AS sums")
    logits = sums.selectExpr("*", f"{MEANS} AS logits")
    powers = logits.selectExpr("*", "transform(logits, logit -> exp(logit - array_max(logits))) AS powers")
    return powers.selectExpr("*", f"{PROBABILITIES} AS label_probabilities").drop(
        "class", "by_chunk", "sums", "logits", "powers"
    )


# Spark NLP gives probabilities, not logits. Their logarithms are the logits up to a constant for each chunk, which
# moves all labels' means alike, and softmax does not change when a constant is added to all.
SUMS = f"""CASE WHEN size(by_chunk) = size(lengths) THEN
  aggregate(arrays_zip(by_chunk, lengths), array({{zeros}}), (total, one) -> zip_with(total, one.by_chunk,
    (so_far, p) -> so_far + ln(greatest(p, double('{LEAST_PROBABILITY}'))) * one.lengths))
  WHEN lengths IS NOT NULL THEN raise_error('a chunk of a text was not scored') END"""
MEANS = "transform(sums, total -> total / aggregate(lengths, 0, (a, b) -> a + b))"
PROBABILITIES = """CASE WHEN lengths IS NULL THEN element_at(by_chunk, 1)
  ELSE transform(powers, power -> power / aggregate(powers, 0D, (a, b) -> a + b)) END"""
