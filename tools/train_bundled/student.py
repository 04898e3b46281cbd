"""The student: a DistilBERT of two layers, initialised near the teacher's sum of contributions.

Initialised at random, so small a network learns no vocabulary from 2,000 reviews. Its first layer therefore begins with
heads that attend one and two wordpieces back, and one that counts how often a wordpiece occurs; in the second, [CLS]
attends to all positions alike and reads, in component 0 of the values, every wordpiece's contribution. All weights are
trained.
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

POSITIONS = slice(0, 32)
"""Components of the embedding that encode the position: cosines and sines in turn."""
CODE = slice(32, 62)
"""Components that identify the wordpiece: random signs."""
LEANING = 62
"""Component initialised with the wordpiece's contribution by itself."""
SIZE = 0.3
"""Absolute value of a usual component of an embedding."""
SHARPNESS = 20.0
"""Attention score of the positions that a head shall attend to, where others have about 0."""
EPSILON = 1e-12
ROUND_ROWS = 1024
"""Rows are padded to a multiple, so that folds share what is compiled."""


class Output(NamedTuple):
    """Logits (texts, 2), and the contribution of every wordpiece as the network computes it (texts, length)."""

    logits: jax.Array
    contributions: jax.Array


def begin(leanings: Floats, recipe: Recipe, rng: np.random.Generator) -> Params:
    """Return the initial parameters; `leanings` has every row's contribution by itself, in the teacher's unit."""
    width = recipe.width
    turns = np.linspace(0.15, 3.0, 16) + rng.uniform(-0.05, 0.05, 16)
    params = {
        "words": _embeddings(leanings, recipe, rng),
        "places": _positions(turns, recipe),
        "norm": _norm(width),
        "layers": [_first_layer(turns, recipe, rng), _second_layer(recipe, rng)],
        "summary": _dense(width, width, rng),
        "classes": _dense(width, 2, rng, 0.1),
    }
    return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), params)


def _embeddings(leanings: Floats, recipe: Recipe, rng: np.random.Generator) -> Floats:
    """Embeddings of one length: a code and noise; the last component, which marks [CLS], is only [CLS]'s."""
    n = -(-len(leanings) // ROUND_ROWS) * ROUND_ROWS
    embeddings = np.zeros((n, recipe.width))
    embeddings[:, CODE] = rng.choice([-SIZE, SIZE], (n, CODE.stop - CODE.start))
    noise = rng.normal(size=(n, recipe.width - 2 - CODE.stop))
    embeddings[:, CODE.stop : -2] = (
        SIZE * np.sqrt(noise.shape[1]) * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    )
    embeddings[: len(leanings), LEANING] = SIZE * leanings
    embeddings[CLS] = 0
    embeddings[CLS, -1] = SIZE * _mark(recipe)
    return embeddings


def _mark(recipe: Recipe) -> float:
    """Return the component that marks [CLS], in units of SIZE; it gives that embedding the length of the others."""
    return float(np.sqrt(recipe.width - 2 - POSITIONS.stop))


def _positions(turns: Floats, recipe: Recipe) -> Floats:
    angles = np.arange(MAX_WORDPIECES)[:, None] * turns
    positions = np.zeros((MAX_WORDPIECES, recipe.width))
    positions[:, POSITIONS] = 0.42 * np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(MAX_WORDPIECES, -1)
    return positions


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
    """Have a head attend `steps` wordpieces back: queries are rotated by the position's rotation over as many steps."""
    span = slice(head * recipe.head_width, (head + 1) * recipe.head_width)
    query, key = (np.zeros((recipe.width, recipe.head_width)) for _ in range(2))
    for i, turn in enumerate(steps * turns):
        pair = slice(2 * i, 2 * i + 2)
        query[pair, pair] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        key[pair, pair] = np.eye(2)
    layer["query"]["weight"][:, span] = 2.5 * query
    layer["key"]["weight"][:, span] = 2.5 * key


def _count(layer: Params, head: int, recipe: Recipe) -> None:
    """Have a head attend to [CLS] and to every occurrence of its own wordpiece alike.

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
    """Return random weights, queries and keys scaled by `attention`, so that attention is nearly even."""
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
    """Run the network; the second layer is computed for [CLS] alone, the only position that is read."""
    x = _normed(params["norm"], params["words"][rows] + params["places"][: rows.shape[1]])
    first, second = params["layers"]
    x = _through(first, x, x, mask, recipe)
    summary = _through(second, x[:, :1], x, mask, recipe)[:, 0]
    logits = _linear(params["classes"], jax.nn.relu(_linear(params["summary"], summary)))
    contributions = x @ second["value"]["weight"][:, 0] + second["value"]["bias"][0]
    return Output(logits, contributions)


def _through(layer: Params, asking: jax.Array, x: jax.Array, mask: jax.Array, recipe: Recipe) -> jax.Array:
    """Apply one layer; `asking` has the positions that are computed, (texts, positions, width)."""

    def heads(name: str, inputs: jax.Array) -> jax.Array:
        return _linear(layer[name], inputs).reshape(*inputs.shape[:2], recipe.heads, recipe.head_width)

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
    """Return every text's probability of being favourable, 0 to 1."""
    positive = np.zeros(len(texts))
    for batch in batches(texts, recipe):
        logits = np.asarray(_logits(params, batch.rows, batch.mask, recipe), np.float64)
        margin = (logits[:, 1] - logits[:, 0])[: len(batch.members)]
        positive[batch.members] = 1 / (1 + np.exp(-margin))
    return positive
