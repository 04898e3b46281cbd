"""A model is brought: from a folder, a zip or the publisher's store, checked, tried, and only then put in its place."""

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

from sentiment.errors import DataError, InfrastructureError, ParameterError
from sentiment.orchestration import placing
from sentiment.runtime import jars
from sentiment.scoring import onnx_folder, registry, saved
from sentiment.scoring.registry import SAVED, Model
from sentiment.settings import MODEL_PATTERN, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PUBLISHED = "distilbert_multilingual_sequence_classifier_allocine"
PUBLISHED_ZIP = f"{PUBLISHED}_fr_3.3.3_3.0_1637501723857.zip"
"""The model this pipeline exists for, and the file it can be had as."""
LANGUAGE = "fr"
ZIP_NAME = re.compile(r"(?P<name>.+)_[a-z]{2,3}_\d+\.\d+\.\d+_\d+\.\d+_\d+")
"""How the publisher names zips: model, language, Spark NLP, Spark, milliseconds."""
NAMELESS = re.compile(r"LABEL_\d+")
TRIED = "Un film magnifique, à voir absolument !"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What is to be added: a folder, a zip or a published name; under which name; what its labels are called."""

    place: str
    name: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        """The name given, else what the place is called; ParameterError where that is no name."""
        stem = Path(self.place).name.removesuffix(".zip")
        published = ZIP_NAME.fullmatch(stem)
        model_id = self.name or (published["name"] if published else stem)
        if not re.fullmatch(MODEL_PATTERN, model_id):
            raise ParameterError(
                f"{model_id!r} is no name for a model; expected letters, digits, '_', '.' and '-'.",
                f"sentiment model add {self.place} --name my-model",
            )
        return model_id


def add(asked: Asked, config: Settings, session: Callable[[], SparkSession], tell: Tell) -> Model:
    """Bring the model, try it by one text, put it below the models folder and register it.

    Raises ParameterError, with the reason, for what can't score; nothing is left behind then.
    """
    model_id = asked.model_id
    with placing.place(model_id, config, f"sentiment model add {asked.place} --name NEW") as place:
        beside = place.folder.parent
        with _brought(asked, config, session, tell, beside) as found:
            spark = _taken(found, place.folder, asked, config, session, tell)
        model = registry.read(model_id, place.folder)
        tell("scoring one text with it")
        _try(spark, model, beside / "served")
        return place.put(model, asked.place)


@contextmanager
def _brought(
    asked: Asked, config: Settings, session: Callable[[], SparkSession], tell: Tell, beside: Path
) -> Iterator[Path]:
    """The folder that holds the model, wherever it came from."""
    place = Path(asked.place).expanduser()
    if place.is_dir():
        yield _root(place)
    elif zipfile.is_zipfile(place):
        tell(f"unpacking {place.name}")
        _unpack(place, beside / "unpacked")
        yield _root(beside / "unpacked")
    elif place.exists():
        raise ParameterError(f"{place} is neither a folder nor a whole zip.", "bring it once more, whole")
    elif "/" in asked.place or place.suffix == ".zip":
        raise ParameterError(f"There is no {place}.", "sentiment model add --help")
    else:
        yield _pretrained(asked.place, config, session, tell, beside / "pretrained")


def _root(place: Path) -> Path:
    """Where the model begins: in the folder itself, or in the only folder below it."""
    below: list[Path] = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    for folder in [place, *below] if len(below) == 1 else [place]:
        if (folder / "model.onnx").exists() or (folder / "metadata").is_dir():
            return folder
    raise ParameterError(
        f"{place} holds no model; expected model.onnx with assets/, or metadata/ and fields/ as Spark NLP saves them.",
        "sentiment model add --help",
    )


def _unpack(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        outside = [name for name in opened.namelist() if name.startswith("/") or ".." in Path(name).parts]
        if outside:
            raise ParameterError(f"{archive} holds {outside[0]!r}, which leads out of its folder.", "bring another zip")
        size = sum(each.file_size for each in opened.infolist())
        free = shutil.disk_usage(target.parent).free
        if size > free:
            raise InfrastructureError(
                f"{archive.name} unpacks to {size / 1e9:.1f} GB; {free / 1e9:.1f} GB are free below {target.parent}.",
                "make room, then the same command",
            )
        try:
            opened.extractall(target)
        except zipfile.BadZipFile as error:
            raise ParameterError(f"{archive} is damaged: {error}.", "bring the zip once more, whole") from error


def _pretrained(name: str, config: Settings, session: Callable[[], SparkSession], tell: Tell, target: Path) -> Path:
    """Fetch a published model by its name; ParameterError saying how to bring it where that is not possible."""
    from py4j.protocol import Py4JError
    from sparknlp.annotator import DistilBertForSequenceClassification

    tell(f"no folder or zip {name!r} here: asking the publisher's store")
    try:
        jars.fetch(config, tell, jars.PRETRAINED)
        jars.fetch(config, tell, jars.TENSORFLOW)
        session()
        found = DistilBertForSequenceClassification.pretrained(name, LANGUAGE)
        found.write().save(target.absolute().as_uri())
    except (Py4JError, InfrastructureError) as error:
        archive = PUBLISHED_ZIP if name == PUBLISHED else f"{name}_{LANGUAGE}_….zip"
        raise ParameterError(
            f"There is no folder or zip {name!r} here, and the publisher's store gave no model of that name, or can't "
            f"be reached from this machine. On one that reaches it, get {archive} from the model's page and bring it "
            "here. Nothing was registered.",
            f"sentiment model add {archive}",
        ) from error
    return target


def _taken(
    found: Path, folder: Path, asked: Asked, config: Settings, session: Callable[[], SparkSession], tell: Tell
) -> SparkSession:
    """Copy what scores to `folder`, with its vocabulary and labels as text; returns the session that can load it."""
    if (found / "metadata").is_dir():
        if saved.check(found) == "tensorflow":
            tell("the engine of older models")
            jars.fetch(config, tell, jars.TENSORFLOW)
        shutil.copytree(found, folder / SAVED)
        spark = session()
        tell("loading it")
        _write_assets(spark, folder)
    else:
        (folder / "assets").mkdir(parents=True)
        for name in onnx_folder.FILES:
            if (found / name).is_file():
                shutil.copyfile(found / name, folder / name)
        onnx_folder.check(folder)
        spark = session()
    _name_labels(folder / "assets" / "labels.txt", asked)
    return spark


def _write_assets(spark: SparkSession, folder: Path) -> None:
    classifier = saved.load(spark, folder / SAVED)
    (folder / "assets").mkdir()
    for field, name in (("vocabulary", "vocab.txt"), ("labels", "labels.txt")):
        words = saved.field(spark, classifier, field)
        (folder / "assets" / name).write_text("\n".join(words) + "\n", "utf-8")


def _name_labels(path: Path, asked: Asked) -> None:
    """Give the labels the names that were asked for; ParameterError where they have none, or another number."""
    there = onnx_folder.lines(path)
    names = ("neg", "pos") if len(there) == 2 else (f"name{i}" for i in range(len(there)))
    again = f"sentiment model add {asked.place} --labels {','.join(names)}"
    if asked.labels and len(set(asked.labels)) != len(there):
        raise ParameterError(f"--labels has {len(asked.labels)} names; the model has {len(there)} labels.", again)
    if not asked.labels and all(NAMELESS.fullmatch(label) for label in there):
        raise ParameterError(f"The labels {', '.join(there)} say nothing; name them, in this order.", again)
    path.write_text("\n".join(asked.labels or there) + "\n", "utf-8")


def _try(spark: SparkSession, model: Model, served: Path) -> None:
    """Score one text as a night would."""
    from sentiment.scoring import network

    texts = spark.createDataFrame([("tried", TRIED)], "text_hash string, text string")
    row = network.score(texts, network.load(spark, model, served), model).collect()[0]
    chances = json.loads(row["probabilities"]).values()
    if len(chances) != len(model.labels) or not 0.99 < sum(chances) < 1.01:
        raise DataError(f"{model.model_id} gives {row['probabilities']} for {TRIED!r}.", "sentiment model list")
