"""Zips that strangers hand in are bounded before anything of them is unpacked."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from sentiment.errors import ParameterError
from sentiment.orchestration import adding, archives
from sentiment.scoring import saved
from sentiment.settings import Settings

ENTRY, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
FLAGS = {ENTRY: 6, CENTRAL: 8}
METHOD = {ENTRY: 8, CENTRAL: 10}


def zipped(path: Path, name: str = "model.onnx") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"a" * 1000)
    return path


def patched(path: Path, offsets: dict[bytes, int], value: int, kind: str = "<H") -> Path:
    """Write `value` at an offset of each header."""
    data = bytearray(path.read_bytes())
    for header, offset in offsets.items():
        struct.pack_into(kind, data, data.index(header) + offset, value)
    path.write_bytes(data)
    return path


def refused(path: Path, target: Path) -> str:
    with pytest.raises(ParameterError) as error:
        archives.unpack(path, target)
    assert not any(target.rglob("*"))
    return error.value.try_next


def test_what_is_within_bounds_is_unpacked(tmp_path: Path) -> None:
    archives.unpack(zipped(tmp_path / "a.zip"), tmp_path / "to")
    assert (tmp_path / "to" / "model.onnx").stat().st_size == 1000


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = patched(zipped(tmp_path / "l'été.zip"), FLAGS, archives.ENCRYPTED)
    assert "unzip" in refused(path, tmp_path / "to")


def test_another_compression_is_refused(tmp_path: Path) -> None:
    assert "unzip" in refused(patched(zipped(tmp_path / "a.zip"), METHOD, 97), tmp_path / "to")


def test_more_than_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 999)
    assert "unzip" in refused(zipped(tmp_path / "a.zip"), tmp_path / "to")


def test_a_zip_that_declares_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = patched(zipped(tmp_path / "a.zip"), {ENTRY: 22, CENTRAL: 24}, 10, "<I")
    with pytest.raises(ParameterError):
        archives.unpack(path, tmp_path / "to")


@pytest.mark.parametrize("member", ["../out", "/out"])
def test_a_member_outside_is_refused(tmp_path: Path, member: str) -> None:
    refused(zipped(tmp_path / "a.zip", member), tmp_path / "to")


def test_the_graph_that_spark_nlp_unpacks_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "check", lambda _: "onnx")
    (tmp_path / "mine" / "metadata").mkdir(parents=True)
    zipped(tmp_path / "mine" / "distilbert_classification_tensorflow", "../out")
    config = Settings(home=tmp_path / "home")
    with pytest.raises(ParameterError, match="leads out"):
        adding.add(adding.Request(str(tmp_path / "mine")), config, lambda: pytest.fail("no Java"), lambda _: None)


def test_the_publisher_s_store_needs_trust(tmp_path: Path) -> None:
    config = Settings(home=tmp_path / "home")
    with pytest.raises(ParameterError) as error:
        adding.add(adding.Request(adding.PUBLISHED), config, lambda: pytest.fail("no Java"), lambda _: None)
    assert error.value.try_next == f"sentiment model add {adding.PUBLISHED} --trust"
