"""Write the student as an ONNX graph of standard operators: opset 17, IR 9, the embedding in int8.

The operators are in the order in which ONNX Runtime recognises GELU and layer norms to fuse them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tools.train_bundled.recipe import Ints, Recipe
from tools.train_bundled.student import EPSILON, Params

OPSET, IR = 17, 9
INPUTS = ("input_ids", "attention_mask")
MASKED = 1e9


class Graph:
    """Nodes and constants, added one after another; every method but `model` returns its output's name."""

    def __init__(self) -> None:
        """Create an empty graph."""
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, kind: type[np.generic] = np.float32, name: str = "") -> str:
        """Add a constant array."""
        name = name or f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(value, kind, order="C"), name))
        return name

    def integers(self, *numbers: int) -> str:
        """Add a constant vector of int64."""
        return self.constant(numbers, np.int64)

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator's node."""
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def linear(self, p: Params, x: str) -> str:
        """Multiply by a matrix and add a bias."""
        return self.node("Add", self.node("MatMul", x, self.constant(p["weight"])), self.constant(p["bias"]))

    def norm(self, p: Params, x: str) -> str:
        """Normalise the last axis."""
        gain, bias = self.constant(p["gain"]), self.constant(p["bias"])
        return self.node("LayerNormalization", x, gain, bias, axis=-1, epsilon=EPSILON)

    def gelu(self, x: str) -> str:
        """Apply the exact GELU."""
        bent = self.node("Erf", self.node("Div", x, self.constant(np.sqrt(2))))
        product = self.node("Mul", x, self.node("Add", bent, self.constant(1)))
        return self.node("Mul", product, self.constant(0.5))

    def model(self, result: str) -> onnx.ModelProto:
        """Return the checked model, whose output `logits` is `result`."""
        self._nodes.append(helper.make_node("Identity", [result], ["logits"]))
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in INPUTS]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])]
        graph = helper.make_graph(self._nodes, "cinema-fr", inputs, outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(model, full_check=True)
        return model


def write(params: Params, rows: Ints, recipe: Recipe, path: Path) -> None:
    """Write the graph; `rows` has the embedding's row of every wordpiece id."""
    graph = Graph()
    x = _embedding(graph, params, rows)
    mask = _mask(graph)
    first, second = params["layers"]
    x = _layer(graph, first, x, x, mask, recipe)
    start = graph.node("Slice", x, graph.integers(0), graph.integers(1), graph.integers(1))
    summary = graph.node("Squeeze", _layer(graph, second, start, x, mask, recipe), graph.integers(1))
    hidden = graph.node("Relu", graph.linear(params["summary"], summary))
    onnx.save(graph.model(graph.linear(params["classes"], hidden)), path)


def _embedding(graph: Graph, params: Params, rows: Ints) -> str:
    embeddings = np.asarray(params["words"], np.float32)[rows]
    scale = np.abs(embeddings).max() / 127
    rounded = graph.constant(np.rint(embeddings / scale), np.int8, "word_embeddings")
    picked = graph.node("Gather", rounded, "input_ids", axis=0)
    word = graph.node("DequantizeLinear", picked, graph.constant(scale), graph.constant(0, np.int8))
    length = graph.node("Slice", graph.node("Shape", "input_ids"), graph.integers(1), graph.integers(2))
    positions = graph.constant(params["places"], name="position_embeddings")
    position = graph.node("Slice", positions, graph.integers(0), length, graph.integers(0))
    return graph.norm(params["norm"], graph.node("Add", word, position))


def _mask(graph: Graph) -> str:
    """Add the attention mask, (batch, 1, 1, length): 0 at wordpieces, -1e9 at padding."""
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    missing = graph.node("Mul", graph.node("Sub", mask, graph.constant(1)), graph.constant(MASKED))
    return graph.node("Unsqueeze", missing, graph.integers(1, 2))


def _layer(graph: Graph, layer: Params, asking: str, x: str, mask: str, recipe: Recipe) -> str:
    def heads(name: str, inputs: str, order: tuple[int, ...]) -> str:
        split = graph.node("Reshape", graph.linear(layer[name], inputs), graph.integers(0, 0, recipe.heads, -1))
        return graph.node("Transpose", split, perm=order)

    products = graph.node("MatMul", heads("query", asking, (0, 2, 1, 3)), heads("key", x, (0, 2, 3, 1)))
    scores = graph.node("Add", graph.node("Mul", products, graph.constant(recipe.head_width**-0.5)), mask)
    attention = graph.node("Softmax", scores, axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", attention, heads("value", x, (0, 2, 1, 3))), perm=(0, 2, 1, 3))
    joined = graph.node("Reshape", mixed, graph.integers(0, 0, recipe.width))
    y = graph.norm(layer["attended"], graph.node("Add", asking, graph.linear(layer["output"], joined)))
    fed = graph.linear(layer["narrow"], graph.gelu(graph.linear(layer["widen"], y)))
    return graph.norm(layer["fed"], graph.node("Add", y, fed))
