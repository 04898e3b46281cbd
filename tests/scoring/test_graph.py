"""A graph is fused where that is safe, says the same, and has an int8 twin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sentiment.bench import networks
from sentiment.bench.networks import Size
from sentiment.scoring import graph
from sentiment.scoring.registry import BUNDLED

ROWS = [[2, 50, 60, 70, 3], [2, *range(100, 400), 3]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.make(tmp_path_factory.mktemp("graph") / "it", Size(2, 64, 4)) / "model.onnx"


def kinds(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def said(path: Path) -> list[Any]:
    network = graph.session(path)
    return [graph.logits(network, [row])[0] for row in ROWS]


def test_attention_gelu_and_layer_norms_are_fused_and_nothing_else_changes(exported: Path, tmp_path: Path) -> None:
    assert graph.fuse(exported, tmp_path / "fused.onnx")
    found = kinds(tmp_path / "fused.onnx")
    assert (found["Attention"], found["BiasGelu"], found["SkipLayerNormalization"]) == (2, 2, 4)
    assert "Softmax" not in found
    assert np.allclose(said(exported), said(tmp_path / "fused.onnx"), atol=graph.TOLERANCE)


def test_what_is_fused_already_is_left_alone(exported: Path, tmp_path: Path) -> None:
    graph.fuse(exported, tmp_path / "once.onnx")
    graph.fuse(tmp_path / "once.onnx", tmp_path / "twice.onnx")
    assert kinds(tmp_path / "once.onnx") == kinds(tmp_path / "twice.onnx")


def test_a_fused_graph_that_answers_otherwise_is_not_kept(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(graph, "TOLERANCE", -1)
    assert not graph.fuse(exported, tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == exported.read_bytes()
    assert "answers otherwise" in caplog.text


def test_the_bundled_network_is_fused(tmp_path: Path) -> None:
    original = BUNDLED / "demo-fr" / "model.onnx"
    assert graph.fuse(original, tmp_path / "fused.onnx")
    assert kinds(tmp_path / "fused.onnx")["SkipLayerNormalization"] > 0
    assert np.allclose(said(original), said(tmp_path / "fused.onnx"), atol=graph.TOLERANCE)


def test_the_int8_twin_is_fused_smaller_and_says_nearly_the_same(exported: Path, tmp_path: Path) -> None:
    graph.quantize(exported, tmp_path / "int8.onnx")
    found = kinds(tmp_path / "int8.onnx")
    assert found["QAttention"] == 2
    assert found["MatMulInteger"] > 4
    assert np.allclose(said(exported), said(tmp_path / "int8.onnx"), atol=0.05)
    assert (tmp_path / "int8.onnx").stat().st_size < exported.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
