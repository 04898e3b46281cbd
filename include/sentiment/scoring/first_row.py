"""The last layer for [CLS] alone: of what that layer gives, a classifier of BERT's kind reads nothing else.

Keys and values need all wordpieces; query, feed-forward network and norms are then computed for one. Of a network of L
layers that saves 10 of 12 L parts of the multiplications, and changes no sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BY_ROW = {"SkipLayerNormalization", "LayerNormalization", "MatMul", "BiasGelu", "Gelu", "FastGelu", "Add"}
"""Operators that treat each wordpiece by itself, given constants of one dimension (two, for a product)."""
HIDE = -10_000.0
"""Added by default to the score of what is padded."""
FOR_ONE_ROW = """
attention (float[N, L, W] x, int64[N, L] attention_mask) => (float[N, 1, W] mixed) {
    x_first = Gather <axis = 1> (x, zero)
    q_product = MatMul (x_first, q_weight)
    q_rows = Add (q_product, q_bias)
    q_parts = Reshape (q_rows, heads)
    q = Transpose <perm = [0, 2, 1, 3]> (q_parts)
    k_product = MatMul (x, k_weight)
    k_rows = Add (k_product, k_bias)
    k_parts = Reshape (k_rows, heads)
    k = Transpose <perm = [0, 2, 3, 1]> (k_parts)
    v_product = MatMul (x, v_weight)
    v_rows = Add (v_product, v_bias)
    v_parts = Reshape (v_rows, heads)
    v = Transpose <perm = [0, 2, 1, 3]> (v_parts)
    products = MatMul (q, k)
    scores = Mul (products, scale)
    there = Cast <to = 1> (attention_mask)
    absent = Sub (one, there)
    hidden = Mul (absent, hide)
    hidden_for_heads = Reshape (hidden, for_heads)
    seen = Add (scores, hidden_for_heads)
    chances = Softmax <axis = -1> (seen)
    mixed_parts = MatMul (chances, v)
    mixed_rows = Transpose <perm = [0, 2, 1, 3]> (mixed_parts)
    mixed = Reshape (mixed_rows, joined)
}
"""
PLAIN_ATTENTION = {"num_heads", "mask_filter_value", "scale"}
MASK = "attention_mask"
"""The graph's input: 1 for a wordpiece, 0 for what is padded; int64, shape (texts, wordpieces)."""


def narrow(model: Any) -> bool:
    """Change a fused graph (`onnx.ModelProto`) in place; False, and nothing changed, where it is built otherwise."""
    graph = _Graph(model.graph)
    attention = next((node for node in reversed(model.graph.node) if node.op_type == "Attention"), None)
    reader = next((node for node in model.graph.node if graph.reads_first_row(node)), None)
    if attention is None or reader is None or not graph.is_plain(attention):
        return False
    x, mixed = attention.input[0], attention.output[0]
    between = graph.by_row(reader.input[0], {x, mixed})
    if (
        not between
        or not graph.read_only_by(mixed, between)
        or not all(graph.read_only_by(node.output[0], [*between, reader]) for node in between)
    ):
        return False
    for node in between:
        for place, name in enumerate(node.input):
            node.input[place] = f"{x}/first" if name == x else name
    graph.split(attention)
    return True


class _Graph:
    """A graph with what made each value, what reads it, and its constants."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.maker = {name: node for node in graph.node for name in node.output}
        self.constants = {each.name: each for each in graph.initializer}

    def constant(self, name: str) -> NDArray[np.generic]:
        from onnx import numpy_helper

        return numpy_helper.to_array(self.constants[name])

    def reads_first_row(self, node: Any) -> bool:
        """Whether it takes the first wordpiece of each text."""
        axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
        indices = node.input[1] if node.op_type == "Gather" else ""
        return axis == 1 and indices in self.constants and self.constant(indices).tolist() in (0, [0])

    def is_plain(self, attention: Any) -> bool:
        """Whether it has three like projections, constant ones, and at most a mask."""
        usual = {each.name for each in attention.attribute if each.name != "unidirectional" or each.i}
        known = all(name in self.constants for name in attention.input[1:3])
        return usual <= PLAIN_ATTENTION and known and not any(attention.input[4:])

    def by_row(self, name: str, ends: set[str]) -> list[Any]:
        """The nodes that make this value of those at the `ends`; none, where one does not treat rows by themselves."""
        found: list[Any] = []
        open_ = [name]
        while open_:
            name = open_.pop()
            node = self.maker.get(name)
            if name in ends or node in found:
                continue
            if node is None or not self._is_by_row(node):
                return []
            found.append(node)
            open_ += [each for each in node.input if each and each not in self.constants]
        return found

    def _is_by_row(self, node: Any) -> bool:
        ranks = [len(self.constants[name].dims) for name in node.input if name in self.constants]
        if node.op_type == "MatMul":
            return ranks == [2] and node.input[1] in self.constants
        return node.op_type in BY_ROW and max(ranks, default=0) <= 1

    def read_only_by(self, name: str, readers: list[Any]) -> bool:
        read = all(node in readers for node in self.graph.node if name in node.input)
        return read and name not in {each.name for each in self.graph.output}

    def split(self, attention: Any) -> None:
        """Let the first row ask, in place of all; makes the value `.../first` of what the attention is given."""
        from onnx import numpy_helper, parser

        x, mixed = attention.input[0], attention.output[0]
        named = {"x": x, "x_first": f"{x}/first", "mixed": mixed, MASK: MASK}
        nodes = list(parser.parse_graph(FOR_ONE_ROW).node)
        for node in nodes:
            node.name = node.output[0] = named.get(node.output[0], f"{mixed}/{node.output[0]}")
            node.input[:] = [named.get(name, f"{mixed}/{name}") for name in node.input]
        made = [numpy_helper.from_array(a, f"{mixed}/{name}") for name, a in self._constants(attention).items()]
        place = list(self.graph.node).index(attention)
        after = list(self.graph.node)[place + 1 :]
        del self.graph.node[place:]
        self.graph.node.extend([*nodes, *after])
        for name in attention.input[1:3]:
            self.graph.initializer.remove(self.constants[name])
        self.graph.initializer.extend(made)

    def _constants(self, attention: Any) -> dict[str, NDArray[np.generic]]:
        """What `FOR_ONE_ROW` names and does not make."""
        from onnx import helper

        told = {each.name: helper.get_attribute_value(each) for each in attention.attribute}
        weights, biases = (self.constant(name) for name in attention.input[1:3])
        n_heads, width = told["num_heads"], weights.shape[1] // 3
        made = {f"{name}_weight": part for name, part in zip("qkv", np.split(weights, 3, 1), strict=True)}
        made |= {f"{name}_bias": part for name, part in zip("qkv", np.split(biases, 3), strict=True)}
        made |= {
            "zero": np.zeros(1, np.int64),
            "one": np.ones(1, np.float32),
            "scale": np.array([told.get("scale", (width // n_heads) ** -0.5)], np.float32),
            "hide": np.array([told.get("mask_filter_value", HIDE)], np.float32),
            "heads": np.array([0, 0, n_heads, -1]),
            "for_heads": np.array([0, 1, 1, -1]),
            "joined": np.array([0, 0, -1]),
        }
        return {name: np.ascontiguousarray(values) for name, values in made.items()}
