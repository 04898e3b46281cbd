"""Read classifiers that Spark NLP has saved itself, in 2021 or today, and write them with other vocabulary and labels.

Such a folder holds `metadata/`, `fields/` (vocabulary, labels: serialised Scala maps) and the graph, whose file name
ends with its engine.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sentiment.errors import ParameterError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from sparknlp.annotator import DistilBertForSequenceClassification

ANNOTATOR = "com.johnsnowlabs.nlp.annotators.classifier.dl.DistilBertForSequenceClassification"
GRAPHS = ("*_tensorflow", "*_onnx")
ALTERED = ("vocabulary", "labels")
Engine = Literal["tensorflow", "onnx"]


def graphs(folder: Path) -> list[Path]:
    """Return the files of the network below a saved classifier, sorted; none where the folder is not there."""
    matches = [path for pattern in GRAPHS for path in folder.glob(pattern) if not path.name.startswith(".")]
    return sorted(
        file for path in matches for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()
    )


def check(folder: Path) -> Engine:
    """Return the engine of a saved classifier; raise ParameterError where the folder holds something else."""
    files = sorted((folder / "metadata").glob("part-*"))
    text = files[0].read_text("utf-8") if files else ""
    kind = json.loads(text.splitlines()[0]).get("class", "nothing") if text.startswith("{") else "nothing readable"
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


def field(spark: SparkSession, classifier: DistilBertForSequenceClassification, name: str) -> list[str]:
    """Return a field's values (wordpieces or labels) in the order of their ids, from 0.

    Raises ParameterError where an id is missing.
    """
    java: Any = classifier._java_obj
    scala = getattr(java, name)().getOrDefault()
    jvm: Any = spark._jvm
    as_java = jvm.scala.collection.JavaConverters.mapAsJavaMap(scala)
    # As one JSON text: py4j would cross between Python and Java for each of 119,547 entries.
    ids: dict[str, int] = json.loads(jvm.com.fasterxml.jackson.databind.ObjectMapper().writeValueAsString(as_java))
    ordered = sorted(ids, key=ids.__getitem__)
    if sorted(ids.values()) != list(range(len(ids))):
        raise ParameterError(f"The ids of the field {name} are not 0 to {len(ids) - 1}.", "sentiment model list")
    return ordered


def with_fields(spark: SparkSession, source: Path, target: Path, fields: dict[str, list[str]]) -> None:
    """Write the saved classifier to `target` with these values, in order of ids, for its `ALTERED` fields.

    Other files are hard links where the file system allows: the graph may be 500 MB.
    """
    altered = {source / "fields" / name for name in ALTERED}

    def ignore(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder) / name in altered]

    shutil.copytree(source, target, ignore=ignore, copy_function=_linked)
    jvm: Any = spark._jvm
    # A loaded classifier ignores setVocabulary, so the fields are written as the files that `load` reads.
    fresh = jvm.com.johnsnowlabs.nlp.annotators.classifier.dl.DistilBertForSequenceClassification()
    for name, values in fields.items():
        arguments = (target.absolute().as_uri(), name, scala_ids(spark, values))
        getattr(fresh, name)().serialize(spark._jsparkSession, *arguments)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def scala_ids(spark: SparkSession, values: list[str]) -> Any:
    """Return a Scala map, value -> its index in the list."""
    jvm: Any = spark._jvm
    # One call with JSON, as in `field`; a LinkedHashMap keeps the order.
    packed = json.dumps({value: i for i, value in enumerate(values)})
    kind = jvm.java.lang.Class.forName("java.util.LinkedHashMap")
    java_map = jvm.com.fasterxml.jackson.databind.ObjectMapper().readValue(packed, kind)
    return jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(java_map)
