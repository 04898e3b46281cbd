"""Fields that Spark NLP saved are read as bytes: pairs of texts and numbers, and nothing that could come to life."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentiment.errors import ParameterError
from sentiment.orchestration import adding
from sentiment.scoring import saved, saved_fields
from sentiment.settings import Settings

VERSION = bytes(8)


def utf(text: str) -> bytes:
    # As Java writes it: each half of a surrogate pair on its own, NUL as two bytes.
    units = text.encode("utf-16-be", "surrogatepass")
    halves = "".join(chr(int.from_bytes(units[i : i + 2], "big")) for i in range(0, len(units), 2))
    raw = halves.encode("utf-8", "surrogatepass").replace(b"\x00", b"\xc0\x80")
    return len(raw).to_bytes(2, "big") + raw


def described(name: str, fields: bytes = bytes(2), above: bytes = b"p") -> bytes:
    return b"r" + utf(name) + VERSION + b"\x02" + fields + b"x" + above


def referred(number: int) -> bytes:
    return b"q" + (saved_fields.FIRST_HANDLE + number).to_bytes(4, "big")


PAIR = described(
    "scala.Tuple2", b"\x00\x02L" + utf("_1") + b"t" + utf("Ljava/lang/Object;") + b"L" + utf("_2") + referred(3)
)
NUMBER = described("java.lang.Integer", b"\x00\x01I" + utf("value"), described("java.lang.Number"))


def array(first: bytes, *others: bytes) -> bytes:
    n = (1 + len(others)).to_bytes(4, "big")
    return saved_fields.STREAM + b"u" + described("[Lscala.Tuple2;") + n + b"s" + PAIR + first + b"".join(others)


def field(folder: Path, *records: bytes) -> Path:
    sync = bytes(range(16))
    parts = [saved_fields.HEADER, bytes(4), sync]
    for record in records:
        value = len(record).to_bytes(4, "big") + record
        parts += [len(value).to_bytes(4, "big"), bytes(4), value, b"\xff\xff\xff\xff", sync]
    folder.mkdir(parents=True)
    (folder / "part-00000").write_bytes(b"".join(parts))
    return folder


def numbered(text: str, number: int) -> bytes:
    return b"t" + utf(text) + b"s" + NUMBER + number.to_bytes(4, "big", signed=True)


def test_pairs_are_read_with_every_character(tmp_path: Path) -> None:
    texts = ("é\x00", "🎬 film")
    # Handles: 0 array's class, 1 array, 2 pair's class, 3 its field's, 4 pair, 5 text, 6 and 7 number's classes, 8 it.
    shared = b"s" + referred(2) + b"t" + utf("the same") + referred(8)
    records = [array(numbered(texts[0], 70_000), shared), array(numbered(texts[1], -1))]
    read = saved_fields.read(field(tmp_path / "f", *records))
    assert read == {texts[0]: 70_000, "the same": 70_000, texts[1]: -1}


def test_pairs_of_texts_are_read(tmp_path: Path) -> None:
    assert saved_fields.read(field(tmp_path / "f", array(b"t" + utf("logits") + b"t" + utf("Call:0")))) == {
        "logits": "Call:0"
    }


GADGET = b"s" + described("org.apache.commons.collections.functors.InvokerTransformer")


@pytest.mark.parametrize(
    "record",
    [
        array(b"t" + utf("neg") + GADGET),
        array(GADGET + GADGET),
        saved_fields.STREAM + GADGET,
        saved_fields.STREAM + b"u" + described("[Ljava.lang.Object;") + b"\x00\x00\x00\x01" + GADGET,
        array(numbered("neg", 0)) + GADGET,
        array(b"t" + utf("neg") + b"s" + described("java.lang.Integer", above=described("evil.Number"))),
        array(b"t" + utf("neg") + b"p"),
        array(b"t" + utf("neg") + referred(500)),
        array(b"s" + referred(2) + (b"s" + referred(2)) * 20_000),
        array(numbered("neg", 0))[:-2],
        saved_fields.STREAM + b"w\x02ab",
        b"pickle",
    ],
)
def test_anything_else_is_refused(tmp_path: Path, record: bytes) -> None:
    with pytest.raises(ParameterError):
        saved_fields.read(field(tmp_path / "f", record))


@pytest.mark.parametrize("compressed", [b"\x01\x00", b"\x00\x01"])
def test_another_sequence_file_is_refused(tmp_path: Path, compressed: bytes) -> None:
    path = field(tmp_path / "f", array(numbered("neg", 0))) / "part-00000"
    path.write_bytes(path.read_bytes().replace(b"\x00\x00" + bytes(4), compressed + bytes(4), 1))
    with pytest.raises(ParameterError):
        saved_fields.read(tmp_path / "f")


def test_a_model_with_other_objects_is_refused_before_java_starts(tmp_path: Path) -> None:
    origin = tmp_path / "stranger"
    (origin / "metadata").mkdir(parents=True)
    (origin / "metadata" / "part-00000").write_text(json.dumps({"class": saved.ANNOTATOR}), "utf-8")
    (origin / "distilbert_classification_onnx").write_bytes(b"graph")
    field(origin / "fields" / "vocabulary", array(b"t" + utf("[PAD]") + GADGET))
    config = Settings(home=tmp_path / "home")
    with pytest.raises(ParameterError, match="InvokerTransformer"):
        adding.add(adding.Request(str(origin)), config, lambda: pytest.fail("Java was started"), lambda _: None)
    assert list(config.models.iterdir()) == []
