"""Make a DistilBERT of the published model's size with random weights, and its int8 twin, for tests and measurements.

The graph is what PyTorch's exporter writes for `DistilBertForSequenceClassification`: layer norm, GELU and attention in
their small operators, so that a run time has something to fuse. Weights are normal with deviation 0.02, as BERT begins.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sentiment.scoring import graph
from sentiment.scoring.folders import BUNDLED

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET, IR_VERSION = 14, 8
POSITIONS = 512
LABELS = ("neg", "pos")
DEVIATION = 0.02
SEED = 1


@dataclass(frozen=True)
class Size:
    """The size of a network, by default that of the published one.

    The vocabulary is the bundled one, of 30,106 wordpieces. The published network's has 119,547, which makes the file
    larger (540 rather than 260 MB), not the scoring slower.
    """

    layers: int = 6
    width: int = 768
    """Numbers for each wordpiece between layers."""
    heads: int = 12
    """Attention heads; `width` is a multiple of it."""


def make(folder: Path, size: Size | None = None, labels: tuple[str, ...] = LABELS) -> Path:
    """Write `model.onnx` and `assets/` into a new folder, as `sentiment model add` takes it; return the folder."""
    chosen, assets = size or Size(), BUNDLED / "cinema-fr" / "assets"
    shutil.copytree(assets, folder / "assets")
    (folder / "assets" / "labels.txt").write_text("\n".join(labels) + "\n", "utf-8")
    n_pieces = len((assets / "vocab.txt").read_text("utf-8").splitlines())
    _Graph(chosen, n_pieces, len(labels)).save(folder / "model.onnx")
    return folder


def quantize(folder: Path, target: Path) -> Path:
    """Write the int8 twin that people make: dynamic quantisation by ONNX Runtime, nothing fused; return `target`."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    shutil.copytree(folder / "assets", target / "assets")
    quantize_dynamic(
        folder / "model.onnx",
        target / "model.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
    )
    return target


def quantize_fused(folder: Path, target: Path) -> Path:
    """Write the int8 twin that `graph.quantize` makes; return `target`."""
    shutil.copytree(folder / "assets", target / "assets")
    graph.quantize(folder / "model.onnx", target / "model.onnx")
    return target


class _Graph:
    """A network that is built operator by operator: methods add nodes and return the name of their result."""

    def __init__(self, size: Size, n_pieces: int, n_labels: int) -> None:
        self.size, self.n_pieces, self.n_labels = size, n_pieces, n_labels
        self._random = np.random.default_rng(SEED)
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def save(self, path: Path) -> None:
        """Build the graph and write it; raise onnx's ValidationError where it is none."""
        import onnx
        from onnx import TensorProto, helper

        logits = self._head(self._body())
        ids = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in graph.INPUTS]
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", self.n_labels])
        self._nodes.append(helper.make_node("Identity", [logits], ["logits"]))
        network = helper.make_graph(self._nodes, "distilbert", ids, [output], self._weights)
        model = helper.make_model(network, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        onnx.save(model, path)

    def _body(self) -> str:
        x = self._embedded()
        hidden = self._op("Equal", self._op("Cast", "attention_mask", to=1), self._constant(np.float32(0)))
        for _ in range(self.size.layers):
            x = self._norm(self._op("Add", self._attention(x, hidden), x))
            x = self._norm(self._op("Add", self._feed_forward(x), x))
        return x

    def _embedded(self) -> str:
        length = self._op("Gather", self._op("Shape", "input_ids"), self._constant(np.int64(1)), axis=0)
        ends = self._op("Unsqueeze", length, self._constant(np.array([0])))
        positions = self._op(
            "Slice",
            self._constant(np.arange(POSITIONS)[None]),
            self._constant(np.array([0])),
            ends,
            self._constant(np.array([1])),
        )
        pieces = self._op("Gather", self._weight(self.n_pieces, self.size.width), "input_ids")
        by_position = self._op("Gather", self._weight(POSITIONS, self.size.width), positions)
        return self._norm(self._op("Add", pieces, by_position))

    def _attention(self, x: str, hidden: str) -> str:
        head_width = self.size.width // self.size.heads
        shape = self._op("Shape", x)
        batch, length = (self._op("Gather", shape, self._constant(np.int64(n)), axis=0) for n in (0, 1))

        def heads(order: list[int]) -> str:
            parts = self._op(
                "Reshape", self._linear(x, self.size.width), self._shape(batch, -1, self.size.heads, head_width)
            )
            return self._op("Transpose", parts, perm=order)

        q, k, v = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
        scores = self._op("MatMul", self._op("Div", q, self._constant(np.float32(head_width**0.5))), k)
        mask = self._op(
            "Expand", self._op("Reshape", hidden, self._shape(batch, 1, 1, length)), self._op("Shape", scores)
        )
        masked = self._op("Where", mask, self._constant(np.float32(np.finfo(np.float32).min)), scores)
        mixed = self._op("MatMul", self._op("Softmax", masked, axis=-1), v)
        joined = self._op(
            "Reshape", self._op("Transpose", mixed, perm=[0, 2, 1, 3]), self._shape(batch, -1, self.size.width)
        )
        return self._linear(joined, self.size.width)

    def _shape(self, *dims: str | int) -> str:
        first = self._constant(np.array([0]))
        parts = [self._op("Unsqueeze", d, first) if isinstance(d, str) else self._constant(np.array([d])) for d in dims]
        return self._op("Concat", *parts, axis=0)

    def _feed_forward(self, x: str) -> str:
        inner = self._linear(x, 4 * self.size.width)
        erf = self._op("Erf", self._op("Div", inner, self._constant(np.float32(2**0.5))))
        gelu = self._op(
            "Mul",
            self._op("Mul", inner, self._op("Add", erf, self._constant(np.float32(1)))),
            self._constant(np.float32(0.5)),
        )
        return self._linear(gelu, self.size.width, 4 * self.size.width)

    def _norm(self, x: str) -> str:
        from_mean = self._op("Sub", x, self._op("ReduceMean", x, axes=[-1]))
        variance = self._op("ReduceMean", self._op("Pow", from_mean, self._constant(np.float32(2))), axes=[-1])
        scaled = self._op(
            "Div", from_mean, self._op("Sqrt", self._op("Add", variance, self._constant(np.float32(1e-12))))
        )
        ones, zeros = np.ones(self.size.width, np.float32), np.zeros(self.size.width, np.float32)
        return self._op("Add", self._op("Mul", scaled, self._constant(ones)), self._constant(zeros))

    def _head(self, x: str) -> str:
        first = self._op("Gather", x, self._constant(np.int64(0)), axis=1)
        return self._linear(self._op("Relu", self._linear(first, self.size.width)), self.n_labels)

    def _linear(self, x: str, n_out: int, n_in: int | None = None) -> str:
        product = self._op("MatMul", x, self._weight(n_in or self.size.width, n_out))
        return self._op("Add", self._constant(self._normal(n_out)), product)

    def _normal(self, *shape: int) -> NDArray[np.float32]:
        return self._random.normal(0, DEVIATION, shape).astype(np.float32)

    def _weight(self, *shape: int) -> str:
        return self._constant(self._normal(*shape))

    def _constant(self, values: NDArray[np.generic] | np.generic) -> str:
        from onnx import numpy_helper

        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{kind}_{name}", **attributes))
        return name
