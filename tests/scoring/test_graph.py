"""A graph is fused where its logits stay the same, and has an int8 twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sentiment.scoring import first_row, graph
from sentiment.scoring.folders import BUNDLED

from tests.kit import networks
from tests.kit.networks import Size

ROWS = [[2, 50, 60, 70, 3], [2, *range(100, 400), 3]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.make(tmp_path_factory.mktemp("graph") / "it", Size(2, 64, 4)) / "model.onnx"


def kinds(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def logits_of_rows(path: Path) -> list[Any]:
    network = graph.session(path)
    return [graph.logits(network, [row])[0] for row in ROWS]


def value_of(path: Path, name: str) -> Any:
    """Return a value inside the graph for the longer of the rows."""
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    onnx.save(model, path)
    fed = np.array([ROWS[1]], np.int64)
    return graph.session(path).run([name], {"input_ids": fed, "attention_mask": np.ones_like(fed)})[0]


def test_attention_gelu_and_layer_norms_are_fused_and_nothing_else_changes(exported: Path, tmp_path: Path) -> None:
    assert graph.fuse(exported, tmp_path / "fused.onnx")
    operators = kinds(tmp_path / "fused.onnx")
    assert (operators["Attention"], operators["BiasGelu"], operators["SkipLayerNormalization"]) == (1, 2, 4)
    assert np.allclose(logits_of_rows(exported), logits_of_rows(tmp_path / "fused.onnx"), atol=graph.TOLERANCE)


def test_the_last_layer_is_computed_for_the_first_wordpiece_alone(exported: Path, tmp_path: Path) -> None:
    graph.fuse(exported, tmp_path / "fused.onnx")
    softmax = next(n for n in onnx.load(tmp_path / "fused.onnx").graph.node if n.op_type == "Softmax")
    assert value_of(tmp_path / "fused.onnx", softmax.input[0]).shape == (1, 4, 1, 302)  # texts, heads, queries, keys


def test_padding_changes_no_logit(exported: Path, tmp_path: Path) -> None:
    graph.fuse(exported, tmp_path / "fused.onnx")
    one, other = (graph.logits(graph.session(path), ROWS) for path in (exported, tmp_path / "fused.onnx"))
    assert np.allclose(one, other, atol=graph.TOLERANCE)


@pytest.mark.parametrize("change", ["another row is read", "all rows are read", "a mask by query"])
def test_a_graph_built_otherwise_is_not_narrowed(exported: Path, tmp_path: Path, change: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(first_row, "narrow", lambda model: False)
        graph.fuse(exported, tmp_path / "fused.onnx")
    model = onnx.load(tmp_path / "fused.onnx")
    last = [node for node in model.graph.node if node.op_type == "Attention"][-1]
    reader = [node for node in model.graph.node if node.op_type == "Gather"][-1]
    if change == "another row is read":
        model.graph.initializer.append(numpy_helper.from_array(np.array(1), "one"))
        reader.input[1] = "one"
    elif change == "all rows are read":
        model.graph.output.append(onnx.helper.make_tensor_value_info(reader.input[0], onnx.TensorProto.FLOAT, None))
    else:
        last.attribute.append(onnx.helper.make_attribute("unidirectional", 1))
    before = model.SerializeToString()
    assert not first_row.narrow(model)
    assert model.SerializeToString() == before


def test_a_fused_graph_does_not_change_again(exported: Path, tmp_path: Path) -> None:
    graph.fuse(exported, tmp_path / "once.onnx")
    graph.fuse(tmp_path / "once.onnx", tmp_path / "twice.onnx")
    assert kinds(tmp_path / "once.onnx") == kinds(tmp_path / "twice.onnx")


def test_a_fused_graph_with_other_logits_is_not_used(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(graph, "TOLERANCE", -1)
    assert not graph.fuse(exported, tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == exported.read_bytes()
    (warning,) = (record for record in caplog.records if record.name == graph.__name__)
    assert (warning.levelname, warning.args) == ("WARNING", (exported,))


@pytest.mark.parametrize(
    "spoil", [lambda a: a.astype(np.float16), lambda a: np.full_like(a, np.nan)], ids=["type", "NaN"]
)
def test_a_fused_graph_that_does_not_run_or_gives_nan_is_not_used(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Any], Any]
) -> None:
    narrow = first_row.narrow

    def and_spoil(model: Any) -> None:
        narrow(model)
        weights = [w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT][-1]
        weights.CopyFrom(numpy_helper.from_array(spoil(numpy_helper.to_array(weights)), weights.name))

    monkeypatch.setattr(first_row, "narrow", and_spoil)
    assert not graph.fuse(exported, tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == exported.read_bytes()


@pytest.mark.parametrize("name", ["cinema-fr", "demo-fr"])
def test_a_bundled_network_is_fused(tmp_path: Path, name: str) -> None:
    original = BUNDLED / name / "model.onnx"
    assert graph.fuse(original, tmp_path / "fused.onnx")
    assert kinds(tmp_path / "fused.onnx")["SkipLayerNormalization"] > 0
    assert np.allclose(logits_of_rows(original), logits_of_rows(tmp_path / "fused.onnx"), atol=graph.TOLERANCE)


def test_the_int8_twin_is_fused_and_smaller_with_nearly_the_same_logits(exported: Path, tmp_path: Path) -> None:
    graph.quantize(exported, tmp_path / "int8.onnx")
    operators = kinds(tmp_path / "int8.onnx")
    assert operators["QAttention"] == 1
    assert operators["MatMulInteger"] > 4
    assert np.allclose(logits_of_rows(exported), logits_of_rows(tmp_path / "int8.onnx"), atol=0.05)
    assert (tmp_path / "int8.onnx").stat().st_size < exported.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
