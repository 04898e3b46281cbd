"""Teaches a student: what each wordpiece contributes, and how likely each text is favourable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tools.train_bundled import lessons
from tools.train_bundled.lessons import Batch, Lesson, LessonSource
from tools.train_bundled.own_sentences import OwnSentences
from tools.train_bundled.recipe import Ints, Recipe
from tools.train_bundled.student import Params, begin, forward
from tools.train_bundled.teacher import Calibration, Teacher
from tools.train_bundled.vocabulary import Vocabulary

log = logging.getLogger(__name__)

LAST_RATE = 0.01
"""Share of the learning rate that is left at the end."""
EXTREME = 3.0
"""Beyond so many usual contributions, a row does not begin."""

OPTIMIZER = optax.chain(
    optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.99), optax.add_decayed_weights(1e-3), optax.scale(-1.0)
)
"""AdamW; its steps are multiplied by the learning rate afterwards."""


class Goal(NamedTuple):
    """What a batch shall give; weights are 0 where nothing is known or nothing stands."""

    contributions: np.ndarray
    contribution_weights: np.ndarray
    positive: np.ndarray
    positive_weights: np.ndarray


class Loss(NamedTuple):
    """Squared error of the contributions, cross-entropy of the texts."""

    contributions: jax.Array
    texts: jax.Array


def train(texts: Sequence[Ints], source: LessonSource, recipe: Recipe) -> Params:
    """Train a student on these texts, given as rows of the vocabulary."""
    rng = np.random.default_rng(recipe.seed)
    leanings = np.clip(source.teacher.leanings() / source.unit, -EXTREME, EXTREME)
    params = begin(leanings, recipe, rng)
    state = OPTIMIZER.init(params)
    for epoch in range(recipe.epochs):
        drawn = lessons.draw(texts, source, recipe, rng)
        epoch_batches = list(lessons.batches([lesson.rows for lesson in drawn], recipe))
        losses = []
        for i, n in enumerate(rng.permutation(len(epoch_batches))):
            rate = _rate(epoch * len(epoch_batches) + i, recipe.epochs * len(epoch_batches), recipe)
            goal = _goal(epoch_batches[n], drawn)
            params, state, loss = _step(params, state, epoch_batches[n].rows, epoch_batches[n].mask, goal, rate, recipe)
            losses.append(loss)
        means = np.mean(np.array(losses), axis=0)
        log.info("epoch %d of %d: contributions %.3f, texts %.3f", epoch + 1, recipe.epochs, *means)
    return params


def lesson_source(
    texts: Sequence[Ints], vocabulary: Vocabulary, teacher: Teacher, calibration: Calibration
) -> LessonSource:
    """Return the sources of lessons on these texts."""
    unit = float(np.concatenate([teacher.explain(text).contributions for text in texts]).std())
    return LessonSource(teacher, calibration, unit, vocabulary, OwnSentences())


def _rate(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of a step: linear warm-up, then cosine decay."""
    done = (step - recipe.warm_up) / max(1, steps - recipe.warm_up)
    falling = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + np.cos(np.pi * min(max(done, 0.0), 1.0)))
    return float(recipe.learning_rate * min(1.0, (step + 1) / recipe.warm_up) * falling)


def _goal(batch: Batch, drawn: Sequence[Lesson]) -> Goal:
    height, length = batch.rows.shape
    goal = Goal(*(np.zeros(shape, np.float32) for shape in ((height, length), (height, length), height, height)))
    for i, member in enumerate(batch.members):
        lesson = drawn[member]
        goal.positive[i], goal.positive_weights[i] = lesson.positive, 1
        if lesson.contributions is not None:
            goal.contributions[i, 1 : len(lesson.rows) + 1] = lesson.contributions
            goal.contribution_weights[i, : len(lesson.rows) + 2] = 1
    return goal


def _loss(params: Params, rows: jax.Array, mask: jax.Array, goal: Goal, recipe: Recipe) -> tuple[jax.Array, Loss]:
    output = forward(params, rows, mask, recipe)
    errors = goal.contribution_weights * (output.contributions - goal.contributions) ** 2
    chances = jax.nn.log_softmax(output.logits)
    surprise = -goal.positive * chances[:, 1] - (1 - goal.positive) * chances[:, 0]
    loss = Loss(
        errors.sum() / jnp.maximum(1, goal.contribution_weights.sum()),
        (goal.positive_weights * surprise).sum() / goal.positive_weights.sum(),
    )
    return loss.contributions + loss.texts, loss


@partial(jax.jit, static_argnames="recipe", donate_argnames=("params", "state"))
def _step(
    params: Params, state: optax.OptState, rows: jax.Array, mask: jax.Array, goal: Goal, rate: float, recipe: Recipe
) -> tuple[Params, optax.OptState, Loss]:
    gradients, loss = jax.grad(_loss, has_aux=True)(params, rows, mask, goal, recipe)
    steps, state = OPTIMIZER.update(gradients, state, params)
    return optax.apply_updates(params, jax.tree.map(lambda step: rate * step, steps)), state, loss
