"""The student: a DistilBERT of two layers, begun near the sum that the teacher is.

Learnt from nothing, so small a network finds no words in 2,000 reviews. So its first layer begins with heads that look
one and two wordpieces back, and one that tells how often a wordpiece occurs; and in the second, [CLS] attends to all
alike and finds, in component 0 of the values, what each wordpiece contributes. All of it is free to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tools.train_bundled.lessons import batches
from tools.train_bundled.recipe import CLS, MAX_WORDPIECES, Floats, Ints, Recipe

Params = dict[str, Any]
"""Arrays by name; layers and norms are dictionaries themselves."""

PLACES = slice(0, 32)
"""Components of the embedding that tell the position: cosines and sines in turn."""
CODE = slice(32, 62)
"""Components by which a wordpiece is told from others: random signs."""
LEANING = 62
"""Component that begins as what the wordpiece contributes by itself."""
SIZE = 0.3
"""Of a usual component of an embedding."""
SHARPNESS = 20.0
"""Attention score of what a head is to look at, where others have about 0."""
EPSILON = 1e-12
ROUND_ROWS = 1024
"""Rows are padded to a multiple, so that folds share what is compiled."""


class Output(NamedTuple):
    """Logits of each text, and what each wordpiece contributes by the network's own account."""

    logits: jax.Array
    contributions: jax.Array


def begin(leanings: Floats, recipe: Recipe, rng: np.random.Generator) -> Params:
    """The student before its first lesson; `leanings` is what each row contributes by itself, in the teacher's unit."""
    width = recipe.width
    turns = np.linspace(0.15, 3.0, 16) + rng.uniform(-0.05, 0.05, 16)
    params = {
        "words": _words(leanings, recipe, rng),
        "places": _places(turns, recipe),
        "norm": _norm(width),
        "layers": [_first_layer(turns, recipe, rng), _second_layer(recipe, rng)],
        "summary": _dense(width, width, rng),
        "classes": _dense(width, 2, rng, 0.1),
    }
    return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), params)


def _words(leanings: Floats, recipe: Recipe, rng: np.random.Generator) -> Floats:
    """Embeddings of one length: a code and noise; the last component, which marks [CLS], is only [CLS]'s."""
    n = -(-len(leanings) // ROUND_ROWS) * ROUND_ROWS
    words = np.zeros((n, recipe.width))
    words[:, CODE] = rng.choice([-SIZE, SIZE], (n, CODE.stop - CODE.start))
    noise = rng.normal(size=(n, recipe.width - 2 - CODE.stop))
    words[:, CODE.stop : -2] = SIZE * np.sqrt(noise.shape[1]) * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    words[: len(leanings), LEANING] = SIZE * leanings
    words[CLS] = 0
    words[CLS, -1] = SIZE * _mark(recipe)
    return words


def _mark(recipe: Recipe) -> float:
    """The component that marks [CLS], in usual components: it makes the embedding as long as the others."""
    return float(np.sqrt(recipe.width - 2 - PLACES.stop))


def _places(turns: Floats, recipe: Recipe) -> Floats:
    angles = np.arange(MAX_WORDPIECES)[:, None] * turns
    places = np.zeros((MAX_WORDPIECES, recipe.width))
    places[:, PLACES] = 0.42 * np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(MAX_WORDPIECES, -1)
    return places


def _first_layer(turns: Floats, recipe: Recipe, rng: np.random.Generator) -> Params:
    layer = _layer(recipe, rng, attention=0.3)
    _look_back(layer, 0, 1, turns, recipe)
    _count(layer, 1, recipe)
    _look_back(layer, 2, 2, turns, recipe)
    return layer


def _second_layer(recipe: Recipe, rng: np.random.Generator) -> Params:
    layer = _layer(recipe, rng, attention=0.1)
    layer["value"]["weight"][:, 0] = 0
    layer["output"]["weight"][0] *= 10
    return layer


def _look_back(layer: Params, head: int, steps: int, turns: Floats, recipe: Recipe) -> None:
    """Let a head look so many wordpieces back: queries are turned by what the position turns in that time."""
    span = slice(head * recipe.head_width, (head + 1) * recipe.head_width)
    query, key = (np.zeros((recipe.width, recipe.head_width)) for _ in range(2))
    for i, turn in enumerate(steps * turns):
        pair = slice(2 * i, 2 * i + 2)
        query[pair, pair] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        key[pair, pair] = np.eye(2)
    layer["query"]["weight"][:, span] = 2.5 * query
    layer["key"]["weight"][:, span] = 2.5 * key


def _count(layer: Params, head: int, recipe: Recipe) -> None:
    """Let a head look at [CLS] and at its own wordpiece wherever it stands, all alike.

    So 1 / (1 + occurrences) of its attention is on [CLS]; that share is written to the last component but one.
    """
    start = head * recipe.head_width
    span, mark = slice(start, start + recipe.head_width), start + CODE.stop - CODE.start
    strength = SHARPNESS * np.sqrt(recipe.head_width)
    for name in ("query", "key"):
        layer[name]["weight"][:, span] = 0
        layer[name]["weight"][CODE, start:mark] = np.sqrt(strength / (mark - start)) * np.eye(mark - start)
    layer["key"]["weight"][-1, mark] = np.sqrt(strength) / _mark(recipe)
    layer["query"]["bias"][mark] = np.sqrt(strength)
    layer["value"]["weight"][:, span] *= 0.3
    layer["value"]["weight"][:, start] = 0
    layer["value"]["weight"][-1, start] = 1 / _mark(recipe)
    layer["output"]["weight"][start] = 0
    layer["output"]["weight"][start, -2] = 4


def _layer(recipe: Recipe, rng: np.random.Generator, attention: float) -> Params:
    """Random weights, of which queries and keys are made smaller, so that attention is nearly even."""
    width, inner = recipe.width, recipe.feed_forward
    layer: Params = {name: _dense(width, width, rng) for name in ("query", "key", "value", "output")}
    layer["query"]["weight"] *= attention
    layer["key"]["weight"] *= attention
    layer["attended"], layer["fed"] = _norm(width), _norm(width)
    layer["widen"], layer["narrow"] = _dense(width, inner, rng), _dense(inner, width, rng, 0.5 / np.sqrt(inner))
    return layer


def _dense(inputs: int, outputs: int, rng: np.random.Generator, spread: float | None = None) -> Params:
    return {"weight": rng.normal(0, spread or inputs**-0.5, (inputs, outputs)), "bias": np.zeros(outputs)}


def _norm(width: int) -> Params:
    return {"gain": np.ones(width), "bias": np.zeros(width)}


def forward(params: Params, rows: jax.Array, mask: jax.Array, recipe: Recipe) -> Output:
    """Run the network; the second layer only for [CLS], which is all that is read of it."""
    x = _normed(params["norm"], params["words"][rows] + params["places"][: rows.shape[1]])
    first, second = params["layers"]
    x = _through(first, x, x, mask, recipe)
    summary = _through(second, x[:, :1], x, mask, recipe)[:, 0]
    logits = _linear(params["classes"], jax.nn.relu(_linear(params["summary"], summary)))
    contributions = x @ second["value"]["weight"][:, 0] + second["value"]["bias"][0]
    return Output(logits, contributions)


def _through(layer: Params, asking: jax.Array, x: jax.Array, mask: jax.Array, recipe: Recipe) -> jax.Array:
    """One layer, for the places that ask."""

    def heads(name: str, given: jax.Array) -> jax.Array:
        return _linear(layer[name], given).reshape(*given.shape[:2], recipe.heads, recipe.head_width)

    scores = jnp.einsum("bqhd,bkhd->bhqk", heads("query", asking), heads("key", x)) * recipe.head_width**-0.5
    attention = jax.nn.softmax(jnp.where(mask[:, None, None, :], scores, -1e9), axis=-1)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", attention, heads("value", x)).reshape(asking.shape)
    y = _normed(layer["attended"], asking + _linear(layer["output"], mixed))
    inner = jax.nn.gelu(_linear(layer["widen"], y), approximate=False)
    return _normed(layer["fed"], y + _linear(layer["narrow"], inner))


def _linear(p: Params, x: jax.Array) -> jax.Array:
    return x @ p["weight"] + p["bias"]


def _normed(p: Params, x: jax.Array) -> jax.Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON) * p["gain"] + p["bias"]


@partial(jax.jit, static_argnames="recipe")
def _logits(params: Params, rows: jax.Array, mask: jax.Array, recipe: Recipe) -> jax.Array:
    return forward(params, rows, mask, recipe).logits


def probabilities(params: Params, texts: Sequence[Ints], recipe: Recipe) -> Floats:
    """The probability of each text's being favourable."""
    said = np.zeros(len(texts))
    for batch in batches(texts, recipe):
        logits = np.asarray(_logits(params, batch.rows, batch.mask, recipe), np.float64)
        margin = (logits[:, 1] - logits[:, 0])[: len(batch.members)]
        said[batch.members] = 1 / (1 + np.exp(-margin))
    return said
