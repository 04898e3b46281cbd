"""Compute a network's last layer for [CLS] alone: a classifier of BERT's kind reads nothing else of its output.

Keys and values need all wordpieces; query, feed-forward network and norms are then computed for one. Of a network of L
layers that saves 10 of 12 L parts of the multiplications, and changes no sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BY_ROW = {"SkipLayerNormalization", "LayerNormalization", "MatMul", "BiasGelu", "Gelu", "FastGelu", "Add"}
"""Operators that treat each wordpiece by itself, given constants of one dimension (two, for a product)."""
# What ONNX Runtime's Attention adds to a padded wordpiece's score, unless its attribute mask_filter_value is set.
HIDE = -10_000.0
# The fused operator Attention computes queries for all wordpieces; written out, it can do so for the first alone.
# N texts of L wordpieces, W values each.
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
    present = Cast <to = 1> (attention_mask)
    absent = Sub (one, present)
    hidden = Mul (absent, hide)
    hidden_for_heads = Reshape (hidden, for_heads)
    masked = Add (scores, hidden_for_heads)
    weights = Softmax <axis = -1> (masked)
    mixed_parts = MatMul (weights, v)
    mixed_rows = Transpose <perm = [0, 2, 1, 3]> (mixed_parts)
    mixed = Reshape (mixed_rows, joined)
}
"""
PLAIN_ATTENTION = {"num_heads", "mask_filter_value", "scale"}
"""Attributes of an Attention that `FOR_ONE_ROW` can stand for."""
MASK = "attention_mask"
"""Input of the graph: 1 for a wordpiece, 0 for padding; int64, shape (texts, wordpieces)."""


def narrow(model: Any) -> bool:
    """Let a fused graph (`onnx.ModelProto`, changed in place) compute its last layer for [CLS] alone.

    Returns False, with nothing changed, where the graph is built otherwise: the last Attention is not plain, another
    row than the first is read, or something else reads values of the last layer.
    """
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
        for position, name in enumerate(node.input):
            node.input[position] = f"{x}/first" if name == x else name
    graph.split(attention)
    return True


class _Graph:
    """A graph with the node that computes each value, and its constants, by name."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.producer = {name: node for node in graph.node for name in node.output}
        self.constants = {constant.name: constant for constant in graph.initializer}

    def constant(self, name: str) -> NDArray[np.generic]:
        from onnx import numpy_helper

        return numpy_helper.to_array(self.constants[name])

    def reads_first_row(self, node: Any) -> bool:
        """Whether the node takes the first wordpiece of each text."""
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        indices = node.input[1] if node.op_type == "Gather" else ""
        return axis == 1 and indices in self.constants and self.constant(indices).tolist() in (0, [0])

    def is_plain(self, attention: Any) -> bool:
        """Whether the Attention has constant weights and biases, and no inputs or attributes but those and a mask."""
        # An exporter may write unidirectional=0, which is the default and changes nothing.
        attributes = {a.name for a in attention.attribute if a.name != "unidirectional" or a.i}
        constant = all(name in self.constants for name in attention.input[1:3])
        return attributes <= PLAIN_ATTENTION and constant and not any(attention.input[4:])

    def by_row(self, name: str, ends: set[str]) -> list[Any]:
        """Return the nodes that compute the value from those at the `ends`; none where one of them mixes wordpieces."""
        nodes: list[Any] = []
        open_ = [name]
        while open_:
            name = open_.pop()
            node = self.producer.get(name)
            if name in ends or node in nodes:
                continue
            if node is None or not self._is_by_row(node):
                return []
            nodes.append(node)
            # An optional input that is absent has the empty name.
            open_ += [value for value in node.input if value and value not in self.constants]
        return nodes

    def _is_by_row(self, node: Any) -> bool:
        ranks = [len(self.constants[name].dims) for name in node.input if name in self.constants]
        if node.op_type == "MatMul":
            return ranks == [2] and node.input[1] in self.constants
        return node.op_type in BY_ROW and max(ranks, default=0) <= 1

    def read_only_by(self, name: str, readers: list[Any]) -> bool:
        """Whether no other node reads the value and it is no output of the graph."""
        only = all(node in readers for node in self.graph.node if name in node.input)
        return only and name not in {output.name for output in self.graph.output}

    def split(self, attention: Any) -> None:
        """Replace the Attention by `FOR_ONE_ROW`, which adds the value `<input>/first`: the input's first row."""
        from onnx import numpy_helper, parser

        x, mixed = attention.input[0], attention.output[0]
        named = {"x": x, "x_first": f"{x}/first", "mixed": mixed, MASK: MASK}
        nodes = list(parser.parse_graph(FOR_ONE_ROW).node)
        for node in nodes:
            node.name = node.output[0] = named.get(node.output[0], f"{mixed}/{node.output[0]}")
            node.input[:] = [named.get(name, f"{mixed}/{name}") for name in node.input]
        constants = [numpy_helper.from_array(a, f"{mixed}/{name}") for name, a in self._constants(attention).items()]
        # ONNX wants nodes in order of computation, so the new ones stand where the old one stood.
        index = list(self.graph.node).index(attention)
        after = list(self.graph.node)[index + 1 :]
        del self.graph.node[index:]
        self.graph.node.extend([*nodes, *after])
        for name in attention.input[1:3]:
            self.graph.initializer.remove(self.constants[name])
        self.graph.initializer.extend(constants)

    def _constants(self, attention: Any) -> dict[str, NDArray[np.generic]]:
        """Return the constants that `FOR_ONE_ROW` names and does not compute, by name."""
        from onnx import helper

        attributes = {a.name: helper.get_attribute_value(a) for a in attention.attribute}
        weights, biases = (self.constant(name) for name in attention.input[1:3])
        n_heads, width = attributes["num_heads"], weights.shape[1] // 3
        # Attention holds the weights of query, key and value side by side.
        constants = {f"{name}_weight": part for name, part in zip("qkv", np.split(weights, 3, 1), strict=True)}
        constants |= {f"{name}_bias": part for name, part in zip("qkv", np.split(biases, 3), strict=True)}
        constants |= {
            "zero": np.zeros(1, np.int64),
            "one": np.ones(1, np.float32),
            "scale": np.array([attributes.get("scale", (width // n_heads) ** -0.5)], np.float32),
            "hide": np.array([attributes.get("mask_filter_value", HIDE)], np.float32),
            "heads": np.array([0, 0, n_heads, -1]),
            "for_heads": np.array([0, 1, 1, -1]),
            "joined": np.array([0, 0, -1]),
        }
        return {name: np.ascontiguousarray(values) for name, values in constants.items()}
