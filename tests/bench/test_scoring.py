"""Tools of the scoring bench: a network that runs, texts as long as real ones, processes that end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sentiment.scoring import graph

from bench import scoring, sides
from bench.sides import Task
from tests.kit import networks
from tests.kit.networks import Size

TEXTS = ["J'ai bien aimé ce film !", "Un désastre.", "Ni l'un ni l'autre, " * 20]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A network of one small layer, and its int8 twin."""
    parent = tmp_path_factory.mktemp("networks")
    fp32 = networks.make(parent / "fp32", Size(layers=1, width=64, heads=4))
    return {"fp32": fp32, "int8": networks.quantize(fp32, parent / "int8")}


def logits(folder: Path, ids: list[int], padding: int = 0) -> Any:
    network = graph.session(folder / "model.onnx")
    return graph.logits(network, [ids, [1] * (len(ids) + padding)] if padding else [ids])[0]


def test_the_network_heeds_mask_and_positions(folders: dict[str, Path]) -> None:
    ids = [2, 50, 60, 70, 3]
    alone = logits(folders["fp32"], ids)
    assert alone.shape == (2,)
    assert abs(alone - logits(folders["fp32"], ids, padding=7)).max() < 1e-7, "what is masked is not attended to"
    assert abs(alone - logits(folders["fp32"], [2, 70, 60, 50, 3])).max() > 1e-6, "positions count"
    assert np.allclose(alone, logits(folders["int8"], ids), atol=0.05)
    sizes = {kind: (folder / "model.onnx").stat().st_size for kind, folder in folders.items()}
    assert sizes["int8"] < sizes["fp32"]


def test_texts_are_as_long_as_real_ones(home: Path) -> None:
    lengths = sorted(map(len, scoring.like_real_ones(400)))
    assert lengths == sorted(map(len, scoring.like_real_ones(400)))
    assert 540 <= sum(lengths) / 400 <= 600
    for quantile, chars in zip(scoring.QUANTILES[1:-1], scoring.CHARS[1:-1], strict=True):
        assert abs(lengths[round(quantile * 400)] - chars) <= 0.1 * chars


@pytest.mark.parametrize("way", [sides.raw, sides.batched])
def test_a_side_scores_on_request_and_ends(folders: dict[str, Path], way: Any) -> None:
    before = set(psutil.Process().children(recursive=True))
    with sides.sides({"it": (way, Task(folders["int8"], TEXTS, cores=2))}) as started:
        assert started["it"].texts_per_s() > 0
    remaining = set(psutil.Process().children(recursive=True)) - before
    assert not [p for p in remaining if "resource_tracker" not in " ".join(p.cmdline())]
