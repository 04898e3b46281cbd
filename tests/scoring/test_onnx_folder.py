"""A folder that can't score is refused with its reason, and nothing of it remains."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest
from sentiment import settings
from sentiment.errors import ParameterError
from sentiment.orchestration import adding
from sentiment.scoring import onnx_folder

from tests.kit import networks
from tests.kit.networks import Size

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.make(tmp_path_factory.mktemp("sound") / "it", Size(1, 32, 2))


def one_piece_less(folder: Path) -> None:
    vocabulary = folder / "assets" / "vocab.txt"
    vocabulary.write_text("\n".join(onnx_folder.lines(vocabulary)[:-1]) + "\n", "utf-8")


def one_piece_more(folder: Path) -> None:
    with (folder / "assets" / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("encore\n")


def no_separator(folder: Path) -> None:
    vocabulary = folder / "assets" / "vocab.txt"
    vocabulary.write_text(vocabulary.read_text("utf-8").replace("[SEP]\n", "[SEPARATOR]\n"), "utf-8")


def no_labels(folder: Path) -> None:
    (folder / "assets" / "labels.txt").unlink()


def three_labels(folder: Path) -> None:
    (folder / "assets" / "labels.txt").write_text("neg\npos\nneutre\n", "utf-8")


def twice_the_same_label(folder: Path) -> None:
    (folder / "assets" / "labels.txt").write_text("pos\npos\n", "utf-8")


def too_new(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    graph.ir_version = 11
    onnx.save(graph, folder / "model.onnx")


def cut_short(folder: Path) -> None:
    graph = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(graph[: len(graph) // 2])


def other_inputs(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    graph.graph.input[0].name = "tokens"
    onnx.save(graph, folder / "model.onnx")


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (one_piece_less, r"vocab\.txt .*30,105"),
    (one_piece_more, r"vocab\.txt .*30,107"),
    (no_separator, r"vocab\.txt .*\[SEP\]"),
    (no_labels, r"labels\.txt"),
    (three_labels, r"labels\.txt .*\b3\b.*\b2\b"),
    (twice_the_same_label, r"labels\.txt"),
    (too_new, r"model\.onnx .*\b11\b.*\b10\b"),
    (cut_short, r"model\.onnx"),
    (other_inputs, r"model\.onnx .*'tokens'"),
]


def test_a_sound_folder_passes(sound: Path) -> None:
    onnx_folder.check(sound)


@pytest.mark.parametrize(("spoil", "reason"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_faulty_folder_is_refused_and_leaves_nothing(
    sound: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    shutil.copytree(sound, tmp_path / "mine")
    spoil(tmp_path / "mine")
    config = settings.load().model_copy(update={"models": tmp_path / "models"})

    def no_session() -> SparkSession:
        raise AssertionError("refused before Spark starts")

    with pytest.raises(ParameterError, match=reason) as refused:
        adding.add(adding.Request(str(tmp_path / "mine")), config, no_session, lambda _: None)
    assert refused.value.try_next
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("origin", ["not/there", "empty", "text.zip"])
def test_an_origin_without_a_model_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip", "utf-8")
    config = settings.load().model_copy(update={"models": tmp_path / "models"})
    with pytest.raises(ParameterError, match=origin):
        adding.add(adding.Request(origin), config, lambda: pytest.fail("no session"), lambda _: None)


def test_a_zip_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "sly.zip", "w") as archive:
        archive.writestr("../outside.txt", "here")
    config = settings.load().model_copy(update={"models": tmp_path / "models"})
    with pytest.raises(ParameterError, match=r"\.\./outside\.txt"):
        adding.add(adding.Request(str(tmp_path / "sly.zip")), config, lambda: pytest.fail("no session"), lambda _: None)
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.parametrize(
    ("origin", "name", "model_id"),
    [
        (adding.PUBLISHED_ZIP, None, adding.PUBLISHED),
        ("some/mine", None, "mine"),
        ("some/mine.zip", "other", "other"),
        (adding.PUBLISHED, None, adding.PUBLISHED),
    ],
)
def test_what_a_model_is_called(origin: str, name: str | None, model_id: str) -> None:
    assert adding.Request(origin, name).model_id == model_id


def test_a_name_must_be_one() -> None:
    request = adding.Request("some/my model")
    with pytest.raises(ParameterError, match="my model"):
        str(request.model_id)
