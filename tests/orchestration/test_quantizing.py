"""An int8 twin is registered with its comparison where it agrees with its parent; else nothing of it is left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import DataError, ParameterError
from sentiment.orchestration import quantizing
from sentiment.scoring import registry
from sentiment.scoring.registry import SAVED, Model
from sentiment.settings import Settings

from tests.kit import networks
from tests.kit.networks import Size

TEXTS = ["Un film magnifique, à voir absolument !", "Deux heures d'ennui.", "Ni bon ni mauvais, mais sincère."]


@pytest.fixture
def config(server: object, tmp_path: Path) -> Settings:
    return settings.load().model_copy(update={"models": tmp_path / "models"})


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Model]:
    """A network of random weights; what is registered of it and its twin is gone afterwards."""
    folder = networks.make(tmp_path / "random", Size(2, 64, 4))
    yield registry.read("random", folder)
    with transaction() as c:
        for name in ("random-int8", "random"):
            c.execute(sa.text("DELETE FROM sentiment.model WHERE model_id = :name"), {"name": name})


def registered() -> dict[str, Any]:
    with transaction() as c:
        return {row.model_id: row for row in c.execute(sa.text("SELECT * FROM sentiment.model"))}


def quiet(_: str) -> None:
    pass


@pytest.mark.heavy
def test_a_twin_is_registered_with_how_it_compares(config: Settings, parent: Model) -> None:
    twin, comparison = quantizing.quantize(parent, TEXTS * 4, config, anyway=True, progress=quiet)
    assert twin == registry.find("random-int8", config)
    assert (twin.labels, twin.vocabulary()) == (parent.labels, parent.vocabulary())
    assert (comparison.texts, len(comparison.speedups)) == (12, quantizing.ROUNDS)
    assert 0 < comparison.size_ratio < 1
    row = registered()["random-int8"]
    assert (row.fingerprint, row.is_current, row.parent_model_id) == (twin.fingerprint, False, "random")
    assert (row.parent_agreement, row.parent_texts) == (comparison.agreement, 12)
    assert row.parent_speedup == sorted(comparison.speedups)[1]
    assert [path.name for path in config.models.iterdir()] == ["random-int8"]
    with pytest.raises(ParameterError, match="'random-int8'"):
        quantizing.quantize(parent, TEXTS, config, anyway=True, progress=quiet)


def test_agreement_is_the_share_of_like_labels(parent: Model, tmp_path: Path) -> None:
    assert quantizing.compare(parent, parent.folder, TEXTS, quiet).agreement == 1
    other = networks.make(tmp_path / "other", Size(2, 64, 4), ("pos", "neg"))
    shutil.copyfile(negated(other / "model.onnx", tmp_path / "negated.onnx"), other / "model.onnx")
    assert quantizing.compare(parent, other, TEXTS, quiet).agreement == 0


def negated(graph: Path, target: Path) -> Path:
    """The same network with its logits negated."""
    import onnx

    model = onnx.load(graph)
    model.graph.node[-1].op_type = "Neg"
    onnx.save(model, target)
    return target


def test_a_twin_that_predicts_otherwise_is_removed(
    config: Settings, parent: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantizing, "LEAST_AGREEMENT", 1.01)
    with pytest.raises(DataError, match="random") as refused:
        quantizing.quantize(parent, TEXTS, config, anyway=False, progress=quiet)
    assert refused.value.try_next == "sentiment model quantize random --anyway"
    assert list(config.models.iterdir()) == []
    assert "random-int8" not in registered()


def test_a_twin_whose_comparison_cannot_be_recorded_is_removed(
    config: Settings, parent: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(quantizing, "_record", cut_off)
    with pytest.raises(ConnectionError):
        quantizing.quantize(parent, TEXTS, config, anyway=True, progress=quiet)
    assert list(config.models.iterdir()) == []


def test_a_folder_that_appears_meanwhile_stays(
    config: Settings, parent: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare(parent: Model, folder: Path, texts: list[str], progress: quantizing.Progress) -> quantizing.Comparison:
        shutil.copytree(folder, config.models / "random-int8")
        return quantizing.Comparison(len(texts), 1.0, (1.0,), 1.0)

    monkeypatch.setattr(quantizing, "compare", compare)
    with pytest.raises(OSError, match="not empty"):
        quantizing.quantize(parent, TEXTS, config, anyway=False, progress=quiet)
    assert [path.name for path in config.models.iterdir()] == ["random-int8"]
    assert (config.models / "random-int8" / "model.onnx").is_file()
    assert "random-int8" not in registered()


def test_a_model_saved_by_spark_nlp_is_refused(config: Settings, parent: Model) -> None:
    (parent.folder / SAVED).mkdir()
    with pytest.raises(ParameterError) as refused:
        quantizing.quantize(parent, TEXTS, config, anyway=False, progress=quiet)
    assert "sentiment model add FOLDER" in refused.value.try_next
    assert list(config.models.glob("*")) == []


def test_texts_are_lines_of_a_file_or_sample_reviews(tmp_path: Path) -> None:
    reviews_and_canary = quantizing.sample(None)
    assert len(reviews_and_canary) == quantizing.SAMPLE_TEXTS + len(registry.CANARY.read_text("utf-8").splitlines())
    path = tmp_path / "texts.txt"
    with pytest.raises(ParameterError, match=str(path)):
        quantizing.sample(path)
    path.write_text(" \n", "utf-8")
    with pytest.raises(ParameterError, match=str(path)):
        quantizing.sample(path)
    path.write_text("un\n\ndeux\n", "utf-8")
    assert quantizing.sample(path) == ["un", "deux"]
