"""Read the fields that Spark NLP saved with a classifier as bytes, so that no object of a stranger's comes to life.

A field is a folder of Hadoop sequence files (version 6, NullWritable -> BytesWritable); each value is an array of
`scala.Tuple2` of texts or Integers in Java's serialisation. Java would make an object of any class such a stream
names; here any other class is refused. Formats: Hadoop's SequenceFile.java, and chapter 6 of the Java Object
Serialization Specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from sentiment.errors import ParameterError

HEADER = b"SEQ\x06\x21org.apache.hadoop.io.NullWritable\x22org.apache.hadoop.io.BytesWritable\x00\x00"
"""Of a sequence file whose records are not compressed."""
SYNC_BYTES, SYNC_ESCAPE = 16, -1
CLASSES = {
    "[Lscala.Tuple2;": (),
    "scala.Tuple2": ("_1", "_2"),
    "java.lang.Integer": ("value",),
    "java.lang.Number": (),
}
"""Class -> its fields: all that a field may hold, beside texts."""
STREAM = b"\xac\xed\x00\x05"
NULL, REFERENCE, CLASS, OBJECT, TEXT, ARRAY, END = b"\x70", b"\x71", b"\x72", b"\x73", b"\x74", b"\x75", b"\x78"
FIRST_HANDLE = 0x7E0000


def read(folder: Path) -> dict[str, str | int]:
    """Return the map that a field's folder holds; raise ParameterError, naming the file, where one holds more."""
    pairs: dict[str, str | int] = {}
    for path in sorted(folder.glob("part-*")):
        try:
            for record in _records(path.read_bytes()):
                pairs.update(_pairs(record))
        except (ValueError, IndexError, TypeError, RecursionError, struct.error) as error:
            raise ParameterError(
                f"{path} is not read: {error}; expected pairs of texts and numbers as Spark NLP saves them.",
                "bring a complete copy of the folder or zip, from its author",
            ) from error
    return pairs


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the values of a sequence file."""
    if not data.startswith(HEADER):
        raise ValueError("it is no plain sequence file of bytes")
    at = len(HEADER)
    if data[at : at + 4] != bytes(4):
        raise ValueError("its header holds metadata")
    at += 4 + SYNC_BYTES
    while at < len(data):
        (n_bytes,) = struct.unpack_from(">i", data, at)
        at += 4
        if n_bytes == SYNC_ESCAPE:
            at += SYNC_BYTES
            continue
        key_bytes, value_bytes = struct.unpack_from(">ii", data, at)
        if key_bytes or value_bytes != n_bytes - 4 or at + 4 + n_bytes > len(data):
            raise ValueError(f"the record at byte {at} is cut short")
        yield data[at + 8 : at + 4 + n_bytes]
        at += 4 + n_bytes


def _pairs(record: bytes) -> dict[str, str | int]:
    """Return the pairs of one serialised array."""
    stream = _Stream(record)
    array = stream.value()
    if not isinstance(array, list) or not stream.is_over():
        raise ValueError("it is no array of pairs")
    for pair in array:
        if not isinstance(pair, tuple) or not isinstance(pair[0], str) or not isinstance(pair[1], str | int):
            raise ValueError(f"it holds {pair!r}")
    return dict(array)


class _Stream:
    """A stream of Java's serialisation, read value by value into texts, numbers, tuples and lists."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._handles: list[object] = []
        if self._take(4) != STREAM:
            raise ValueError("it is no stream of serialised objects")

    def is_over(self) -> bool:
        return self._at == len(self._data)

    def _take(self, n_bytes: int) -> bytes:
        taken = self._data[self._at : self._at + n_bytes]
        if len(taken) != n_bytes:
            raise ValueError("it is cut short")
        self._at += n_bytes
        return taken

    def _number(self, n_bytes: int, signed: bool = False) -> int:
        return int.from_bytes(self._take(n_bytes), "big", signed=signed)

    def value(self) -> object:
        """Return the next value; raise ValueError for anything that `CLASSES` doesn't list."""
        readers = {REFERENCE: self._referenced, OBJECT: self._object, TEXT: self._text, ARRAY: self._array}
        kind = self._take(1)
        if kind not in readers:
            raise ValueError(f"it holds a value of kind {kind.hex()}")
        return readers[kind]()

    def _referenced(self) -> object:
        return self._handles[self._number(4) - FIRST_HANDLE]

    def _text(self) -> str:
        text = self._utf()
        self._handles.append(text)
        return text

    def _utf(self) -> str:
        # Java's own UTF-8: NUL as two bytes, and characters beyond the first plane as two surrogates.
        raw = self._take(self._number(2)).replace(b"\xc0\x80", b"\x00").decode("utf-8", "surrogatepass")
        return raw.encode("utf-16", "surrogatepass").decode("utf-16")

    def _array(self) -> list[object]:
        if self._class() != "[Lscala.Tuple2;":
            raise ValueError("it holds an array that is not one of pairs")
        self._handles.append(None)
        return [self.value() for _ in range(self._number(4))]

    def _object(self) -> object:
        name = self._class()
        self._handles.append(None)
        slot = len(self._handles) - 1
        if name == "java.lang.Integer":
            # Small numbers are one object, which later pairs refer to.
            self._handles[slot] = self._number(4, signed=True)
            return self._handles[slot]
        if name == "scala.Tuple2":
            return self.value(), self.value()
        raise ValueError(f"it holds an object of {name}")

    def _class(self) -> str | None:
        """Return the name of the class that is described next; None for the superclass of one that has none."""
        kind = self._take(1)
        if kind == NULL:
            return None
        if kind == REFERENCE:
            return str(self._referenced())
        name = self._utf() if kind == CLASS else kind.hex()
        if name not in CLASSES:
            raise ValueError(f"it names the class {name}")
        self._take(8)  # the version of the class
        self._handles.append(name)
        self._take(1)  # how it is serialised: of these classes always by its fields
        fields = tuple(self._field() for _ in range(self._number(2)))
        if fields != CLASSES[name] or self._take(1) != END:
            raise ValueError(f"{name} is described with the fields {fields}")
        self._class()
        return name

    def _field(self) -> str:
        kind, name = self._take(1), self._utf()
        if kind in b"[L":
            self.value()  # the name of the field's class
        return name
