"""Read classifiers that Spark NLP has saved itself, in 2021 or today, and write them with other vocabulary and labels.

Such a folder holds `metadata/`, `fields/` (vocabulary, labels and, of TensorFlow's graphs, signatures: serialised Scala
maps) and the graph, whose file name ends with its engine. Java loads only copies by `with_fields`: it would make any
object that a stranger's fields or metadata name.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sentiment.errors import ParameterError
from sentiment.scoring import saved_fields

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from sparknlp.annotator import DistilBertForSequenceClassification

ANNOTATOR = "com.johnsnowlabs.nlp.annotators.classifier.dl.DistilBertForSequenceClassification"
GRAPHS = ("*_tensorflow", "*_onnx")
SIGNATURES = "signatures"
Engine = Literal["tensorflow", "onnx"]


def graphs(folder: Path) -> list[Path]:
    """Return the files of the network below a saved classifier, sorted; none where the folder is not there."""
    return sorted(
        file for path in _networks(folder) for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()
    )


def _networks(folder: Path) -> list[Path]:
    return [path for pattern in GRAPHS for path in folder.glob(pattern) if not path.name.startswith(".")]


def check(folder: Path) -> Engine:
    """Return the engine of a saved classifier; raise ParameterError where the folder holds something else."""
    kind = str(_metadata(folder).get("class", "nothing readable"))
    if kind != ANNOTATOR:
        raise ParameterError(
            f"{folder / 'metadata'} describes {kind.rsplit('.', 1)[-1]}; expected a saved "
            "DistilBertForSequenceClassification, not a whole pipeline.",
            "save that stage of the pipeline alone, then: sentiment model add FOLDER",
        )
    if not graphs(folder) or not (folder / "fields" / "vocabulary").is_dir():
        raise ParameterError(
            f"{folder} holds {'no vocabulary' if graphs(folder) else 'no graph'}; expected metadata/, fields/ and a "
            "file whose name ends with _tensorflow or _onnx.",
            "bring a complete copy of the folder or zip",
        )
    return "tensorflow" if any(folder.glob("*_tensorflow")) else "onnx"


def _metadata(folder: Path) -> dict[str, Any]:
    """Return what Spark ML reads first: class, uid and parameters; empty where there is nothing of the kind."""
    files = sorted((folder / "metadata").glob("part-*"))
    try:
        described = json.loads(files[0].read_text("utf-8").partition("\n")[0]) if files else {}
    except ValueError:
        return {}
    return described if isinstance(described, dict) else {}


def load(spark: SparkSession, folder: Path) -> DistilBertForSequenceClassification:
    """Return the classifier of a saved folder; raise ParameterError with the engine's message if it does not load."""
    from py4j.protocol import Py4JJavaError
    from sparknlp.annotator import DistilBertForSequenceClassification

    try:
        return DistilBertForSequenceClassification.load(folder.absolute().as_uri())
    except Py4JJavaError as error:
        raise ParameterError(
            f"{folder} does not load: {error.java_exception.toString().splitlines()[0][:300]}",
            "bring a complete copy of the folder or zip",
        ) from error


def field(folder: Path, name: str) -> list[str]:
    """Return the values of a field of a saved classifier (wordpieces or labels) in the order of their ids, from 0.

    Raises ParameterError where the field holds something else, or an id is missing.
    """
    ids = saved_fields.read(folder / "fields" / name)
    if sorted(map(str, ids.values())) != sorted(map(str, range(len(ids)))):
        raise ParameterError(f"The ids of the field {name} are not 0 to {len(ids) - 1}.", "sentiment model list")
    return sorted(ids, key=lambda value: int(ids[value]))


def with_fields(spark: SparkSession, source: Path, target: Path, fields: dict[str, list[str]]) -> None:
    """Write the saved classifier to `target` with these values, in order of ids, as its fields.

    Of `source` it has the graph, by hard links where the file system allows (the graph may be 500 MB), and, written
    anew, the metadata that `check` read and the signatures.
    """
    (target / "metadata").mkdir(parents=True)
    # Of a key that is there twice Java may read another value than was checked.
    (target / "metadata" / "part-00000").write_text(json.dumps(_metadata(source)) + "\n", "utf-8")
    for path in _networks(source):
        # With its checksum, by which Hadoop sees whether the graph is damaged.
        for file in (path, path.with_name(f".{path.name}.crc")):
            if file.is_dir():
                shutil.copytree(file, target / file.name, copy_function=_linked)
            elif file.exists():
                _linked(str(file), str(target / file.name))
    maps: dict[str, dict[str, Any]] = {name: _by_id(values) for name, values in fields.items()}
    if signatures := saved_fields.read(source / "fields" / SIGNATURES):
        maps[SIGNATURES] = signatures
    jvm: Any = spark._jvm
    # A loaded classifier ignores setVocabulary, so the fields are written as the files that `load` reads.
    fresh = jvm.com.johnsnowlabs.nlp.annotators.classifier.dl.DistilBertForSequenceClassification()
    for name, values in maps.items():
        arguments = (target.absolute().as_uri(), name, _scala_map(spark, values))
        getattr(fresh, name)().serialize(spark._jsparkSession, *arguments)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _by_id(values: list[str]) -> dict[str, int]:
    return {value: i for i, value in enumerate(values)}


def scala_ids(spark: SparkSession, values: list[str]) -> Any:
    """Return a Scala map, value -> its index in the list."""
    return _scala_map(spark, _by_id(values))


def _scala_map(spark: SparkSession, values: dict[str, Any]) -> Any:
    jvm: Any = spark._jvm
    # As one JSON text: py4j would cross between Python and Java for each of 119,547 entries.
    kind = jvm.java.lang.Class.forName("java.util.LinkedHashMap")
    java_map = jvm.com.fasterxml.jackson.databind.ObjectMapper().readValue(json.dumps(values), kind)
    return jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(java_map)
