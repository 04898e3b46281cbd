"""Classifiers saved by Spark NLP, of 2021 and of today: read, made exact, and as good as they were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.ml import Pipeline
from sentiment import settings
from sentiment.errors import ParameterError
from sentiment.orchestration import adding
from sentiment.scoring import network, registry, saved
from sentiment.scoring.preparation import fed_form
from sparknlp.annotator import Tokenizer
from sparknlp.base import DocumentAssembler

from tests.scoring.test_golden import SHARED, differing, lines, scored

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLD = SHARED / "models" / "saved-by-spark-nlp-3.4.4"
GOLDEN = SHARED / "golden"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the founders' shared/ folder is not beside this checkout"
)


@pytest.fixture
def added(spark: SparkSession, server: object, request: pytest.FixtureRequest, tmp_path: Path) -> registry.Model:
    """The old classifier, added as `sentiment model add` adds it."""
    config = settings.load().model_copy(update={"models": tmp_path})
    name = f"old-{request.node.callspec.id}" if hasattr(request.node, "callspec") else "old"
    return adding.add(adding.Request(str(OLD), name), config, lambda: spark, lambda _: None)


@needs_shared
def test_the_engine_of_2021_predicts_what_it_did_then(spark: SparkSession) -> None:
    """Unprepared, by the pipeline of the card."""
    golden = lines(GOLDEN / "saved-by-spark-nlp-3.4.4.jsonl")
    document = DocumentAssembler().setInputCol("text").setOutputCol("document")
    token = Tokenizer().setInputCols(["document"]).setOutputCol("token")
    texts = spark.createDataFrame([(i, row["text"]) for i, row in enumerate(golden)], "i int, text string")
    classifier = saved.load(spark, OLD).setInputCols(["document", "token"]).setOutputCol("class")
    rows = Pipeline(stages=[document, token, classifier]).fit(texts).transform(texts).select("i", "class").collect()
    annotations = {row["i"]: row["class"][0] for row in rows}
    assert len(annotations) == len(golden) == 20
    for i, row in enumerate(golden):
        assert annotations[i]["result"] == row["label"]
        assert abs(float(annotations[i]["metadata"]["pos"]) - row["pos"]) < 1e-5


@needs_shared
def test_with_prepared_text_it_predicts_what_the_reference_does(spark: SparkSession, added: registry.Model) -> None:
    pipeline = network.load(spark, added, added.folder.parent / ".served")
    texts = lines(SHARED / "data" / "allocine-train.jsonl")
    reviews = lines(GOLDEN / "saved-by-spark-nlp-3.4.4-exact-allocine-train.jsonl")
    uncut = [g | {"text": texts[g["row"]]["review"]} for g in reviews if g["n_wordpieces"] < 512]
    tokenizer = network.reference_tokenizer({piece: i for i, piece in enumerate(added.vocabulary())})
    composed = [row | {"n_wordpieces": len(tokenizer.encode(fed_form(row["text"])).ids)} for row in uncut]
    assert [row["row"] for row in uncut if row not in composed] == [543], "as it came, decomposed"
    reference_rows = [*composed, *lines(GOLDEN / "saved-by-spark-nlp-3.4.4-exact-close-calls.jsonl")]
    assert differing(scored(spark, pipeline, added, reference_rows), reference_rows) == []


@needs_shared
def test_a_zip_of_the_published_shape_is_the_same_model(
    spark: SparkSession, added: registry.Model, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / adding.PUBLISHED_ZIP.removesuffix(".zip")), "zip", OLD)
    config = settings.load().model_copy(update={"models": tmp_path / "models"})
    model = adding.add(adding.Request(archive), config, lambda: spark, lambda _: None)
    assert model.model_id == adding.PUBLISHED
    assert (model.fingerprint, model.labels, model.engine) == (added.fingerprint, ("neg", "pos"), "tensorflow")


def test_what_todays_spark_nlp_saves_can_be_brought(spark: SparkSession, server: object, tmp_path: Path) -> None:
    bundled = registry.find("cinema-fr", settings.load())
    pipeline = network.load(spark, bundled, settings.load().models_served)
    classifier: Any = pipeline.stages[-1]
    classifier.write().save((tmp_path / "today").as_uri())
    config = settings.load().model_copy(update={"models": tmp_path / "models"})
    model = adding.add(adding.Request(str(tmp_path / "today"), labels=("non", "oui")), config, lambda: spark, print)
    assert (model.engine, model.labels, model.positive_label) == ("onnx", ("non", "oui"), None)
    score = network.score(
        spark.createDataFrame([("1", "Un désastre.")], "text_hash string, text string"),
        network.load(spark, model, tmp_path / "served"),
        model,
    ).collect()[0]
    assert (score["label"], score["p_positive"], set(json.loads(score["probabilities"]))) == (
        "non",
        None,
        {"non", "oui"},
    )


def faulty(folder: Path, fault: str) -> None:
    """Write a saved folder with a fault."""
    (folder / "metadata").mkdir(parents=True)
    kind = "org.apache.spark.ml.PipelineModel" if fault == "pipeline" else saved.ANNOTATOR
    (folder / "metadata" / "part-00000").write_text("" if fault == "empty" else json.dumps({"class": kind}), "utf-8")
    if fault != "graph":
        (folder / "distilbert_classification_tensorflow").write_bytes(b"graph")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("pipeline", "PipelineModel"),
        ("empty", "metadata"),
        ("graph", "graph"),
        ("vocabulary", "vocabulary"),
    ],
)
def test_another_saved_thing_is_refused(tmp_path: Path, fault: str, reason: str) -> None:
    faulty(tmp_path / "it", fault)
    with pytest.raises(ParameterError, match=reason) as refused:
        saved.check(tmp_path / "it")
    assert refused.value.try_next


@pytest.fixture(autouse=True)
def unregistered(request: pytest.FixtureRequest) -> Any:
    """Remove what a test registered."""
    yield
    if "server" in request.fixturenames or "added" in request.fixturenames:
        from sentiment.database import transaction

        with transaction("owner") as c:
            c.exec_driver_sql(
                "DELETE FROM sentiment.model WHERE model_id LIKE 'old%%' OR model_id IN ('today', %(published)s)",
                {"published": adding.PUBLISHED},
            )
