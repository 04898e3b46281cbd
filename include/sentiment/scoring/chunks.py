"""Where a text longer than the network's window is cut, and how what the chunks say becomes one answer."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from sentiment.scoring import sentences

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
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


def combined(scored: DataFrame, labels: tuple[str, ...]) -> DataFrame:
    """Turn `class` and `lengths` into `chances`, an array: the probability of each label over all chunks.

    That is the softmax of the mean of the chunks' logits, weighted by length. `class` holds the annotations of the
    chunks, `lengths` their wordpieces, both in the text's order; null for one chunk, whose answer is taken as it is.
    (The annotator keeps that order; its `begin` and `end` are those of the whole.) A chunk's logits are known up to a
    constant, as the logarithms of its probabilities, and softmax does not see that constant. A text of which nothing
    was scored has no chances.
    """
    from pyspark.sql import functions as F

    said = F.transform(
        "class", lambda one: F.array(*(one["metadata"].getItem(label).cast("double") for label in labels))
    )
    told = scored.withColumn("said", said).drop("class")
    matching = F.size("said") == F.size("lengths")
    sums = F.aggregate(F.arrays_zip("said", "lengths"), F.array(*(F.lit(0.0) for _ in labels)), _added)
    checked = F.when(matching, sums).otherwise(F.raise_error(F.lit("a chunk of a text was not scored")))
    means = told.withColumn("logits", F.when(F.col("lengths").isNotNull(), _over(checked, F.col("lengths"))))
    highest = means.withColumn("highest", F.array_max("logits"))
    powers = highest.withColumn("powers", F.transform("logits", lambda logit: F.exp(logit - F.col("highest"))))
    total = F.aggregate("powers", F.lit(0.0), lambda a, b: a + b)
    softmax = powers.withColumn("total", total)
    shares = F.transform("powers", lambda power: power / F.col("total"))
    chances = F.when(F.col("lengths").isNull(), F.element_at("said", 1)).otherwise(shares)
    return softmax.withColumn("chances", chances).drop("said", "logits", "highest", "powers", "total")


def _added(total: Column, one: Column) -> Column:
    from pyspark.sql import functions as F

    def log(probability: Column) -> Column:
        return F.ln(F.greatest(probability, F.lit(LEAST_PROBABILITY)))

    return F.zip_with(total, one["said"], lambda so_far, p: so_far + log(p) * one["lengths"])


def _over(sums: Column, lengths: Column) -> Column:
    from pyspark.sql import functions as F

    weight = F.aggregate(lengths, F.lit(0), lambda a, b: a + b)
    return F.transform(sums, lambda each: each / weight)
