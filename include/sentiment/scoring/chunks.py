"""Where a text longer than the network's window is cut, and how what the chunks say becomes one answer."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from sentiment.scoring import sentences

if TYPE_CHECKING:
    from pyspark.sql import Column
    from tokenizers import Encoding

MAX_WORDPIECES = 512
WINDOW = MAX_WORDPIECES - 2
"""Wordpieces of text in one chunk: [CLS] and [SEP] take two."""
CHUNK_RULE = "510 at sentence ends, else spaces; logits by length; 1"
"""Part of a model's fingerprint: change it with whatever changes a cut or how chunks are combined."""
LEAST_PROBABILITY = 1e-30


def cut(text: str, encoding: Encoding) -> list[tuple[int, int, int]]:
    """Chunks of a text, in order, as (begin, end, wordpieces): characters of `text`, without [CLS] and [SEP].

    Each is as long as it may be and ends with a sentence, else before a space, else between two words; so the
    chunks' wordpieces, one after the other, are the text's. `encoding` is the tokenizer's of the whole text.
    """
    offsets, words = encoding.offsets[1:-1], encoding.word_ids[1:-1]
    starts = [begin for begin, _ in offsets]
    openings = {bisect_left(starts, begin) for begin, _ in sentences.spans(text)}
    spaced = {i for i in range(1, len(offsets)) if offsets[i][0] > offsets[i - 1][1]}
    whole = {i for i in range(1, len(offsets)) if words[i] != words[i - 1]}
    places = [0]
    while len(offsets) - places[-1] > WINDOW:
        reach = range(places[-1] + WINDOW, places[-1], -1)
        places.append(next(i for allowed in (openings, spaced, whole) for i in reach if i in allowed))
    begins = [0, *(starts[place] for place in places[1:]), len(text)]
    pieces = pairwise([*places, len(offsets)])
    return [(*span, last - first) for span, (first, last) in zip(pairwise(begins), pieces, strict=True)]


def combined(found: Column, lengths: Column, labels: tuple[str, ...]) -> dict[str, Column]:
    """Label -> probability over all chunks: softmax of the mean of their logits, weighted by length.

    `found` holds the annotations of the chunks, `lengths` their wordpieces, both in the text's order; null for one
    chunk. (The annotator keeps that order; its `begin` and `end` are those of the whole.) A chunk's logits are known
    up to a constant, as the logarithms of its probabilities, and softmax does not see that constant.
    """
    from pyspark.sql import functions as F

    if len(labels) < 2:
        return {label: found.getItem(0)["metadata"].getItem(label).cast("double") for label in labels}
    all_told = F.size(found) == F.size(lengths)
    told = F.when(all_told, found).otherwise(F.raise_error(F.lit("a chunk of a text was not scored")))
    logits = {label: _mean_logit(told, lengths, label) for label in labels}
    highest = F.greatest(*logits.values())
    powers = {label: F.exp(logit - highest) for label, logit in logits.items()}
    total = sum(powers.values(), F.lit(0.0))
    first = found.getItem(0)["metadata"]
    return {
        label: F.when(lengths.isNull(), first.getItem(label).cast("double")).otherwise(power / total)
        for label, power in powers.items()
    }


def _mean_logit(found: Column, lengths: Column, label: str) -> Column:
    from pyspark.sql import functions as F

    def logit(annotation: Column, length: Column) -> Column:
        probability = annotation["metadata"].getItem(label).cast("double")
        return F.ln(F.greatest(probability, F.lit(LEAST_PROBABILITY))) * length

    weighted = F.aggregate(F.zip_with(found, lengths, logit), F.lit(0.0), lambda a, b: a + b)
    return weighted / F.aggregate(lengths, F.lit(0), lambda a, b: a + b)
