"""Add a model from a folder, a zip or the publisher's store: check it, score one text by it, then register it."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment.errors import DataError, InfrastructureError, ParameterError, quoted
from sentiment.orchestration import archives, model_folders
from sentiment.runtime import jars
from sentiment.scoring import onnx_folder, registry, saved
from sentiment.scoring.registry import SAVED, Model
from sentiment.settings import MODEL_PATTERN, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PUBLISHED = "distilbert_multilingual_sequence_classifier_allocine"
"""The model that this pipeline was made for, by its name in the publisher's store."""
PUBLISHED_ZIP = f"{PUBLISHED}_fr_3.3.3_3.0_1637501723857.zip"
"""The file in which the publisher's page offers it."""
LANGUAGE = "fr"
# Model, language, Spark NLP's version, Spark's, milliseconds since 1970.
ZIP_NAME = re.compile(r"(?P<name>.+)_[a-z]{2,3}_\d+\.\d+\.\d+_\d+\.\d+_\d+")
# What Hugging Face writes where nobody named the labels.
DEFAULT_LABEL = re.compile(r"LABEL_\d+")
TRIAL_TEXT = "Un film magnifique, à voir absolument !"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """A model to be added."""

    origin: str
    """A folder, a zip or a name in the publisher's store."""
    name: str | None = None
    """What to call the model; else the name of its origin."""
    labels: tuple[str, ...] = ()
    """Names of its labels, in the network's order; else those that come with it."""
    trust: bool = False
    """Whether what the publisher's store hands over may run code of the model's author."""

    @property
    def model_id(self) -> str:
        """Return the name asked for, else that of the origin; ParameterError where it can't be a model's name."""
        stem = Path(self.origin).name.removesuffix(".zip")
        published = ZIP_NAME.fullmatch(stem)
        model_id = self.name or (published["name"] if published else stem)
        if not re.fullmatch(MODEL_PATTERN, model_id):
            raise ParameterError(
                f"{model_id!r} is no name for a model; expected letters, digits, '_', '.' and '-'.",
                f"sentiment model add {quoted(self.origin)} --name my-model",
            )
        return model_id


def add(request: Request, config: Settings, session: Callable[[], SparkSession], progress: Progress) -> Model:
    """Add the model below the models folder and register it; it scores no night until one is run by it.

    `session` starts Spark, which happens only once the files have passed their checks. `progress` receives a line
    for each stage. Raises ParameterError, with the reason, for a model that can't score, DataError for one whose
    probabilities don't add up; nothing is left behind then.
    """
    model_id = request.model_id
    with model_folders.new_folder(
        model_id, config, f"sentiment model add {quoted(request.origin)} --name NEW"
    ) as folder:
        scratch = folder.path.parent
        with _source_folder(request, config, session, progress, scratch) as source:
            spark = _copy(source, folder.path, request, config, session, progress)
        model = registry.read(model_id, folder.path)
        progress("scoring one text with it")
        _score_trial_text(spark, model, scratch / "served")
        return folder.publish(model, request.origin)


@contextmanager
def _source_folder(
    request: Request, config: Settings, session: Callable[[], SparkSession], progress: Progress, scratch: Path
) -> Iterator[Path]:
    """Yield the folder that holds the model, unpacked or fetched into `scratch` where it is not one already."""
    origin = Path(request.origin).expanduser()
    if origin.is_dir():
        yield _model_root(origin)
    elif zipfile.is_zipfile(origin):
        progress(f"unpacking {origin.name}")
        archives.unpack(origin, scratch / "unpacked")
        yield _model_root(scratch / "unpacked")
    elif origin.exists():
        raise ParameterError(f"{origin} is neither a folder nor a complete zip.", "bring it once more, complete")
    elif "/" in request.origin or origin.suffix == ".zip":
        raise ParameterError(f"There is no {origin}.", "sentiment model add --help")
    else:
        yield _download(request, config, session, progress, scratch / "pretrained")


def _model_root(folder: Path) -> Path:
    """Return the folder in which the model's files lie: the folder itself, or the only one below it."""
    # Zips made on a Mac hold __MACOSX beside the model.
    below = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    for candidate in [folder, *below] if len(below) == 1 else [folder]:
        if (candidate / "model.onnx").exists() or (candidate / "metadata").is_dir():
            return candidate
    raise ParameterError(
        f"{folder} holds no model; expected model.onnx with assets/, or metadata/ and fields/ as Spark NLP saves them.",
        "sentiment model add --help",
    )


def _download(
    request: Request, config: Settings, session: Callable[[], SparkSession], progress: Progress, target: Path
) -> Path:
    """Fetch a published model by its name; ParameterError, with the file to bring instead, where that fails."""
    name, archive = request.origin, _archive_of(request.origin)
    if not request.trust:
        raise ParameterError(
            f"There is no folder or zip {name!r} here. From the publisher's store Spark NLP loads a model as Java "
            f"objects, which can run code of the model's author; a folder or {archive} is read without.",
            f"sentiment model add {quoted(name)} --trust",
        )
    from py4j.protocol import Py4JError
    from sparknlp.annotator import DistilBertForSequenceClassification

    progress(f"no folder or zip {name!r} here: asking the publisher's store")
    try:
        # Before the session: Java reads its class path once.
        jars.fetch(config, progress, jars.PRETRAINED)
        jars.fetch(config, progress, jars.TENSORFLOW)
        session()
        classifier = DistilBertForSequenceClassification.pretrained(name, LANGUAGE)
        classifier.write().save(target.absolute().as_uri())
    except (Py4JError, InfrastructureError) as error:
        raise ParameterError(
            f"There is no folder or zip {name!r} here, and the publisher's store has no model of that name, or can't "
            f"be reached from this machine. On one that reaches it, get {archive} from the model's page and bring it "
            "here. Nothing was registered.",
            f"sentiment model add {quoted(archive)}",
        ) from error
    return target


def _archive_of(name: str) -> str:
    return PUBLISHED_ZIP if name == PUBLISHED else f"{name}_{LANGUAGE}_….zip"


def _copy(
    source: Path,
    folder: Path,
    request: Request,
    config: Settings,
    session: Callable[[], SparkSession],
    progress: Progress,
) -> SparkSession:
    """Copy what scores to `folder`, with vocabulary and labels as text; return the session that can load it."""
    if (source / "metadata").is_dir():
        if saved.check(source) == "tensorflow":
            progress("the engine of older models")
            jars.fetch(config, progress, jars.TENSORFLOW)
        for graph in filter(zipfile.is_zipfile, saved.graphs(source)):
            archives.check(graph)  # Spark NLP unpacks it
        shutil.copytree(source, folder / SAVED)
        _write_assets(folder)
        spark = session()
    else:
        (folder / "assets").mkdir(parents=True)
        for name in onnx_folder.FILES:
            # Only what scores: a folder may hold a training run beside it.
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        onnx_folder.check(folder)
        spark = session()
    _name_labels(folder / "assets" / "labels.txt", request)
    return spark


def _write_assets(folder: Path) -> None:
    """Write vocabulary and labels of a model that Spark NLP saved as the text files of an ONNX folder."""
    (folder / "assets").mkdir()
    for field, name in (("vocabulary", "vocab.txt"), ("labels", "labels.txt")):
        lines = saved.field(folder / SAVED, field)
        (folder / "assets" / name).write_text("\n".join(lines) + "\n", "utf-8")


def _name_labels(path: Path, request: Request) -> None:
    """Write the requested names over the labels; ParameterError where names are missing or too many."""
    labels = onnx_folder.lines(path)
    names = ("neg", "pos") if len(labels) == 2 else (f"name{i}" for i in range(len(labels)))
    again = f"sentiment model add {quoted(request.origin)} --labels {','.join(names)}"
    if request.labels and len(set(request.labels)) != len(labels):
        raise ParameterError(f"--labels has {len(request.labels)} names; the model has {len(labels)} labels.", again)
    if not request.labels and all(DEFAULT_LABEL.fullmatch(label) for label in labels):
        raise ParameterError(f"The labels {', '.join(labels)} have no meaning; name them, in this order.", again)
    path.write_text("\n".join(request.labels or labels) + "\n", "utf-8")


def _score_trial_text(spark: SparkSession, model: Model, served: Path) -> None:
    """Score one text as a night would; DataError where its probabilities are not one a label, adding up to 1."""
    from sentiment.scoring import network

    # By the network of a night rather than ONNX Runtime alone: Spark NLP may refuse a graph that runs elsewhere.
    texts = spark.createDataFrame([("trial", TRIAL_TEXT)], "text_hash string, text string")
    row = network.score(texts, network.load(spark, model, served), model).collect()[0]
    probabilities = json.loads(row["probabilities"]).values()
    # Softmax of float32 logits misses 1 by some 1e-6; what misses it by more has no softmax over its labels.
    if len(probabilities) != len(model.labels) or not 0.99 < sum(probabilities) < 1.01:
        raise DataError(f"{model.model_id} gives {row['probabilities']} for {TRIAL_TEXT!r}.", "sentiment model list")
