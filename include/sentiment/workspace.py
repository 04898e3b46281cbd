"""The run workspace: Parquet between the steps of a run, and the manifests of what counts.

A step writes below a folder that carries its fencing token, so nothing is ever overwritten. A part exists for the
next step only once its manifest, a small JSON object, is written: that is one atomic write on a disk (rename) and on
an object store (put), so a killed step leaves only files that nobody reads.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from sentiment import schemas, settings
from sentiment.errors import InfrastructureError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

# An object store answers each after tens of milliseconds, and a score cache of years has many.
MANIFESTS_AT_ONCE = 16
BATCH_ROWS = 65_536
"""Most rows of a batch that is read without Spark, unless fewer are asked for."""
SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"
KEY_DIGITS = 15
"""Hex digits at the begin of a key of which `contract.key_checksum` is the sum."""


@dataclass(frozen=True)
class Part:
    """Parquet files that count together; what a manifest holds."""

    files: list[str]
    """Paths relative to the workspace."""
    rows: int
    checksum: str
    """Of the rows' keys, as `contract.key_checksum` makes it; of `received` the hashes of its files; may be empty."""


@dataclass(frozen=True)
class Folder:
    """What is below a folder of the workspace."""

    n_files: int
    n_bytes: int
    newest: datetime
    """When the newest file was written."""


def run_key(night: date, run_id: str) -> str:
    """Return the key of a run: its folder inside a dataset."""
    return f"night={night}/run={run_id}"


def _bits(keys: pa.Array) -> int:
    """Return the sum that `contract.key_checksum` makes of the keys."""
    heads = pc.utf8_slice_codeunits(keys.drop_null(), 0, KEY_DIGITS)
    return sum(int(head, 16) for head in heads.to_pylist())


class Workspace:
    """Parquet and manifests below one root, a folder or `s3a://…`; the setting SENTIMENT_LAKE names it."""

    def __init__(self, root: str | None = None) -> None:
        self.root = (root or settings.load().lake).rstrip("/")
        # Spark calls the file system s3a, pyarrow s3.
        address = self.root.replace("s3a://", "s3://", 1)
        self._fs: fs.FileSystem = fs.LocalFileSystem()
        self._base: str = address
        if "://" in address:
            self._fs, self._base = fs.FileSystem.from_uri(address)

    def folder(self, dataset: str, key: str, token: int, chunk: int = 0) -> str:
        """Return the folder that an attempt writes to, relative to the workspace."""
        return f"{dataset}/{key}/token={token}/chunk={chunk}"

    def address(self, relative: str) -> str:
        """Return a relative path as Spark takes it."""
        return f"{self.root}/{relative}"

    def local(self, relative: str) -> str:
        """Return a relative path as `filesystem` takes it."""
        return f"{self._base}/{relative}"

    @property
    def filesystem(self) -> fs.FileSystem:
        """The file system of the root, for readers and writers without Spark."""
        return self._fs

    def write(
        self, frame: DataFrame, dataset: str, key: str, token: int, rows: int, checksum: str, chunk: int = 0
    ) -> Part:
        """Write a frame as Parquet; `commit` makes the part exist. `rows` and `checksum` are only carried along.

        Raises PartSchemaError where the frame's columns are not those that `schemas` declares.
        """
        schemas.of_part(dataset, key).check(frame)
        folder = self.folder(dataset, key, token, chunk)
        # The folder carries the token, so one that is there already is a fault that overwriting would hide.
        frame.write.mode("errorifexists").parquet(self.address(folder))
        return Part(self.list_files(folder), rows, checksum)

    def counted(self, part: Part, key: str = "") -> Part:
        """Return a part with its number of rows and, where `key` names a column, with the checksum of that column.

        Both are those of the files, and no Spark job is started: rows stand in their footers, and a column of keys is
        read in a fraction of such a job's time.
        """
        if not key:
            return replace(part, rows=self.count(part))
        n_rows, total = 0, 0
        for batch in self.batches(part.files, [key]):
            n_rows += batch.num_rows
            total += _bits(batch.column(0))
        return replace(part, rows=n_rows, checksum=str(total))

    def batches(
        self, files: Sequence[str], columns: Collection[str], rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of Parquet files of the workspace, in their order, in batches of at most `rows` rows.

        Of `columns` a batch has those that its file has. Of a file at most one row group, compressed, is in memory.
        Raises InfrastructureError where a file is damaged.
        """
        # Spark writes times as 96 bits, which by default are read as nanoseconds: those end in 2262.
        options = {"coerce_int96_timestamp_unit": "us", "pre_buffer": True}
        for file in files:
            try:
                with pq.ParquetFile(self.local(file), filesystem=self._fs, **options) as opened:
                    names = [name for name in opened.schema_arrow.names if name in columns]
                    for group in range(opened.num_row_groups):
                        yield from opened.iter_batches(rows, row_groups=[group], columns=names)
            except pa.ArrowInvalid as error:
                raise InfrastructureError(f"{self.local(file)} is damaged: {error}", "sentiment runs") from error

    def columns(self, part: Part) -> list[str]:
        """Return the names of a part's columns, as its first file's footer has them; of a part without files none."""
        return list(self._footer(part.files[0]).schema.to_arrow_schema().names) if part.files else []

    def list_files(self, folder: str) -> list[str]:
        """Return the Parquet files below a folder, relative to the workspace, sorted."""
        selector = fs.FileSelector(self.local(folder), recursive=True)
        paths = (info.path for info in self._fs.get_file_info(selector) if info.path.endswith(".parquet"))
        return sorted(path[len(self._base) + 1 :] for path in paths)

    def commit(self, dataset: str, key: str, token: int, part: Part, chunk: int = 0) -> None:
        """Make a part exist, in one atomic write."""
        self._put(f"manifest/{self.folder(dataset, key, token, chunk)}.json", json.dumps(asdict(part)))

    def _put(self, relative: str, text: str) -> None:
        # A put on an object store is atomic; on a disk a rename is, so the text is written beside its name first.
        target = self.local(relative)
        self._fs.create_dir(target.rsplit("/", 1)[0], recursive=True)
        if not isinstance(self._fs, fs.LocalFileSystem):
            with self._fs.open_output_stream(target) as out:
                out.write(text.encode())
            return
        beside = f"{target}.{uuid4().hex}.tmp"
        with self._fs.open_output_stream(beside) as out:
            out.write(text.encode())
        self._fs.move(beside, target)

    def committed(self, dataset: str, key: str, token: int | None = None) -> list[Part]:
        """Return the committed parts of one attempt, or, without a token, of every attempt below the key."""
        below = f"manifest/{dataset}/{key}" + (f"/token={token}" if token is not None else "")
        selector = fs.FileSelector(self.local(below), recursive=True, allow_not_found=True)
        paths = sorted(i.path for i in self._fs.get_file_info(selector) if i.path.endswith(".json"))
        with ThreadPoolExecutor(MANIFESTS_AT_ONCE) as pool:
            return list(pool.map(self._load, paths))

    def _load(self, path: str) -> Part:
        with self._fs.open_input_stream(path) as stream:
            return Part(**json.loads(stream.read()))

    def size(self, relative: str) -> tuple[int, int]:
        """Return how many files and bytes are below a folder; zeros where there is no such folder."""
        selector = fs.FileSelector(self.local(relative), recursive=True, allow_not_found=True)
        files = [info for info in self._fs.get_file_info(selector) if info.is_file]
        return len(files), sum(info.size or 0 for info in files)

    def folders(self, pattern: str) -> dict[str, Folder]:
        """Return folders by relative path: what `pattern` matches at the start of the files' relative paths."""
        selector = fs.FileSelector(self._base, recursive=True, allow_not_found=True)
        by_folder: dict[str, list[fs.FileInfo]] = defaultdict(list)
        for info in self._fs.get_file_info(selector):
            if info.is_file and (match := re.match(pattern, info.path[len(self._base) + 1 :])):
                by_folder[match[0]].append(info)
        return {
            path: Folder(len(files), sum(f.size or 0 for f in files), max(f.mtime for f in files))
            for path, files in sorted(by_folder.items())
        }

    def exists(self, relative: str) -> bool:
        """Return whether there is a file or folder of this relative path."""
        return bool(self._fs.get_file_info(self.local(relative)).type != fs.FileType.NotFound)

    def remove(self, dataset: str, key: str) -> None:
        """Remove all of a key: first its manifests, so that no reader meets one without its files."""
        committed = [file for part in self.committed(dataset, key) for file in part.files]
        for folder in (f"manifest/{dataset}/{key}", f"{dataset}/{key}"):
            self.remove_folder(folder)
        # A part may name files outside its key: `received` is written before the dump has its name.
        for elsewhere in {file.rsplit("/", 1)[0] for file in committed if not file.startswith(f"{dataset}/{key}/")}:
            self.remove_folder(elsewhere)

    def remove_folder(self, relative: str) -> None:
        """Remove a folder that no manifest names; do nothing where there is none."""
        if self.exists(relative):
            self._fs.delete_dir(self.local(relative))

    def parts(self) -> dict[str, Part]:
        """Return every committed part, by the folder it was written to."""
        below = self.local("manifest")
        infos = self._fs.get_file_info(fs.FileSelector(below, recursive=True, allow_not_found=True))
        paths = sorted(info.path for info in infos if info.path.endswith(".json"))
        return {path[len(below) + 1 :].removesuffix(".json"): self._load(path) for path in paths}

    def files(self) -> dict[str, datetime]:
        """Return every Parquet file, committed or not, relative to the workspace, and when it was written."""
        infos = self._fs.get_file_info(fs.FileSelector(self._base, recursive=True, allow_not_found=True))
        return {info.path[len(self._base) + 1 :]: info.mtime for info in infos if info.path.endswith(".parquet")}

    def discard(self, folder: str) -> None:
        """Remove one part, committed or not; first its manifest."""
        manifest = self.local(f"manifest/{folder}.json")
        if self._fs.get_file_info(manifest).is_file:
            self._fs.delete_file(manifest)
        self._fs.delete_dir(self.local(folder))

    def count(self, part: Part) -> int:
        """Return the rows of a part's files, as their footers have it; nothing else of them is read."""
        return sum(self._footer(file).num_rows for file in part.files)

    def read(self, spark: SparkSession, parts: list[Part]) -> DataFrame:
        """Return one frame over committed parts; raise InfrastructureError where there is none, or a file is gone."""
        files = self.files_of(parts)
        reader, schema = spark.read, self._spark_schema(files[0])
        # Without a schema Spark starts a job to read this footer, each time.
        return (reader.schema(schema) if schema else reader).parquet(*(self.address(f) for f in files))

    def files_of(self, parts: Sequence[Part]) -> list[str]:
        """Return the files of committed parts; raise InfrastructureError where there is none, or a file is gone."""
        files = [f for part in parts for f in part.files]
        if not files:
            raise InfrastructureError(
                f"The workspace at {self.root} holds no committed part to read.", "sentiment runs"
            )
        missing = [i.path for i in self._fs.get_file_info([self.local(f) for f in files]) if not i.is_file]
        if missing:
            raise InfrastructureError(f"{missing[0]} is committed but gone from the workspace.", "sentiment runs")
        return files

    def _spark_schema(self, file: str) -> StructType | None:
        """Return the schema that Spark left in the footer of a file it wrote; None for a file of another writer."""
        from pyspark.sql.types import StructType

        schema = self._footer(file).metadata or {}
        return StructType.fromJson(json.loads(schema[SPARK_SCHEMA])) if SPARK_SCHEMA in schema else None

    def _footer(self, file: str) -> pq.FileMetaData:
        return pq.read_metadata(self.local(file), filesystem=self._fs)
