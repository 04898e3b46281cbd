"""
# Evaluate a model

Measures how good a model is on a labelled set: the table of the published model's card, and how far to trust it.

`find_set >> evaluate >> evaluate_against >> report`

**What.** The file is read as a night's dump would be (JSON lines, a JSON array, CSV, Parquet, .xlsx; columns by their
usual names). Its texts are scored by the very code that scores nights, never from the cache, and only counts are
collected: precision, recall, f1-score and support of each label, accuracy, macro and weighted average, 95 % intervals,
the confusion matrix, calibration (ECE, Brier score). The log of `evaluate` shows all of it, and the wrong answers that
the model was surest of, with the beginnings of their texts; `"mistakes": 0` keeps texts out of the log. With
`against`, `evaluate_against` does the same for another model and tests, by McNemar's exact test, whether one is right
more often.

**Labels.** The column `polarity` (0 and 1, or the model's own label names); without one, `rating` as a weak label: up
to 2 negative, from 4 positive. `labels` asks for one of the two. Records without a label, or in between, are left out
and counted; a label that is none of the model's is an error that names the record.

**Parameters.** `labelled_set` (a file, folder or glob, or like `s3://bucket/key`), `model` and `against` (of
`sentiment model list`), `labels`, `name` (under which the set is kept; its file's name), `profile`, `encoding`,
`mistakes`. `sentiment evaluate FILE --model MODEL --against OTHER` does the same.

```json
{"labelled_set": "/data/allocine-test.jsonl", "model": "cinema-fr"}
```

**What it leaves** are rows of `sentiment.evaluation`, `evaluation_class`, `evaluation_confusion` and
`evaluation_comparison`; `sentiment.v_evaluation` shows the newest of each model and set. Texts are not stored. Nothing
that a night published changes.

**The same again** is evaluated again, as another row. Stopped anywhere, it begins again from the file.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.orchestration import params
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import on_demand
from sentiment.orchestration.spark_tasks import EVALUATION_ID, SparkEvaluate
from sentiment.settings import MODEL_PATTERN

PARAMS = {
    "labelled_set": Param(
        type="string",
        minLength=1,
        maxLength=1000,
        pattern=r"^[^\r\n]+$",
        examples=["/data/allocine-test.jsonl"],
        title="Labelled set",
        description="labelled reviews: a file, folder or glob, or like s3://bucket/key",
    ),
    "labels": Param(
        None,
        type=["null", "string"],
        enum=[None, *LabelSource],
        title="Labels",
        description="the column that labels come from; empty: polarity where there is one, else rating",
    ),
    "name": Param(
        None,
        type=["null", "string"],
        minLength=1,
        maxLength=200,
        title="Name",
        description="name under which the set is stored; empty: its file's name",
    ),
    "profile": params.profile("the one that fits best"),
    "encoding": params.encoding("the profile's, or UTF-8"),
    "model": params.model(description="which model is evaluated"),
    "against": Param(
        None,
        type=["null", "string"],
        pattern=MODEL_PATTERN,
        examples=params.models(),
        title="Against",
        description="another model to compare with, on the same records; empty: none",
    ),
    "mistakes": Param(
        10,
        type="integer",
        minimum=0,
        maximum=100,
        title="Mistakes",
        description="how many of the worst mistakes the log shows, with the beginnings of their texts; 0: none",
    ),
}
TASKS = ("evaluate", "evaluate_against")


@dag(**on_demand("Evaluate a model", "models"), params=PARAMS, doc_md=__doc__)
def evaluate_model() -> None:
    """Evaluate one model on a labelled set, or two on the same records."""

    @sentiment_task(execution_timeout=timedelta(hours=1))
    def find_set() -> dict[str, Any]:
        """Receive the set and check it, before any Spark starts; return it with the models."""
        from sentiment.orchestration import evaluating

        values = dict(get_current_context()["params"])
        uri, labels, mistakes = (values.pop(name) for name in ("labelled_set", "labels", "mistakes"))
        request = evaluating.Request(uri, labels=LabelSource(labels) if labels else None, **values)
        labelled_set = evaluating.set_to_json(evaluating.find_set(request))
        return {"set": labelled_set, "mistakes": mistakes, "model": request.model, "against": request.against}

    @sentiment_task(trigger_rule="none_failed", execution_timeout=timedelta(minutes=10))
    def report() -> str:
        from sentiment.orchestration import evaluating

        pulled = (get_current_context()["ti"].xcom_pull(task_ids=name, key=EVALUATION_ID) for name in TASKS)
        done = [evaluation_id for evaluation_id in pulled if evaluation_id]
        evaluating.clear(done)
        return evaluating.report(done)

    day = timedelta(days=1)
    evaluate = SparkEvaluate(task_id=TASKS[0], which="model", execution_timeout=day)
    evaluate_against = SparkEvaluate(task_id=TASKS[1], which="against", against=TASKS[0], execution_timeout=day)
    find_set() >> evaluate >> evaluate_against >> report()


evaluate_model()
