"""Commands about models: add, list, quantize, choose and retire them; predict, evaluate and rescore with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sentiment import settings
from sentiment.cli.render import ERR, OUT, show, table
from sentiment.cli.values import command_line, parse_date, wrong_value
from sentiment.errors import SentimentError
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.labels import Band

app = typer.Typer(
    help="Models that can score reviews.\n\nExample: `sentiment model list`",
    no_args_is_help=True,
)


def predict(
    text: Annotated[str, typer.Argument(help="a review, in French")],
    model: Annotated[str | None, typer.Option(help="a name of `sentiment model list`")] = None,
) -> None:
    """Print label and probabilities of one text, by the same code that scores a night, and whether they are uncertain.

    Example: `sentiment predict "j'ai bien aime le film harry potter!"`
    """
    import json

    from sentiment.runtime import spark
    from sentiment.scoring import network, registry

    config = settings.load()
    if not text.strip():
        raise wrong_value("TEXT", text, "a text that is not blank", "sentiment predict 'Un film magnifique !'")
    chosen = registry.find(model or config.model, config)
    with ERR.status("starting Spark and loading the network"):
        session = spark.session("sentiment predict", rows=1, quiet=True)
        pipeline = network.load(session, chosen, config.models_served)
        frame = session.createDataFrame([("typed", text)], "text_hash string, text string")
        row = network.score(frame, pipeline, chosen).collect()[0]
    probabilities = json.loads(row["probabilities"])
    OUT.print(f"{row['label']}  " + "  ".join(f"{label} {p:.4f}" for label, p in probabilities.items()))
    OUT.print(confidence_line(row["p_positive"], row["score"], _band(chosen.model_id, config)))
    session.stop()


def confidence_line(p_positive: float | None, score: float, band: Band) -> str:
    """Return whether a prediction is uncertain, as the views have it, by the band of probabilities that are.

    `p_positive` is null of a model without a positive label; then `score`, the greatest probability, decides.
    """
    low, high = band
    if p_positive is None:
        return f"{'uncertain' if score <= high else 'not uncertain'}: up to {high:.4f} is"
    return (
        f"{'uncertain' if low <= p_positive <= high else 'not uncertain'}: a p_positive of {low:.4f} to {high:.4f} is"
    )


def _band(model_id: str, config: settings.Settings) -> Band:
    from sentiment.drift import confidence

    of_settings = config.uncertain_low, config.uncertain_high
    if not config.database_url:
        return of_settings
    try:
        return confidence.band_of_model(model_id) or of_settings
    except SentimentError:
        # A prediction needs no database.
        return of_settings


def evaluate(
    labelled: Annotated[str, typer.Argument(metavar="FILE", help="labelled reviews: a file, folder, glob or s3://…")],
    model: Annotated[str | None, typer.Option(help="a name of `sentiment model list`; default SENTIMENT_MODEL")] = None,
    against: Annotated[str | None, typer.Option(help="another model, to compare with on the same records")] = None,
    labels: Annotated[
        LabelSource | None, typer.Option(help="the column with the labels; else polarity, or without one rating")
    ] = None,
    digits: Annotated[int, typer.Option(help="decimals of the table", min=1, max=10)] = 2,
    mistakes: Annotated[int, typer.Option(help="how many of the worst to show", min=0, max=100)] = 10,
    name: Annotated[str | None, typer.Option(help="name to store the set under; else its file's")] = None,
    source_name: Annotated[str | None, typer.Option(hidden=True)] = None,
    profile: Annotated[str | None, typer.Option(help="a name of `sentiment source list`; else what fits best")] = None,
    encoding: Annotated[str | None, typer.Option(help="the file's encoding, where it is not UTF-8")] = None,
    store: Annotated[bool, typer.Option(help="store the figures in the reviews database")] = True,
) -> None:
    """Measure how good a model is on a labelled file: the model card's table, intervals, calibration, worst mistakes.

    The file is read as a dump is. A rating is a weak label: up to 2 negative, from 4 positive. Each model runs in a
    process of its own; its progress goes to standard error.

    Examples: `sentiment evaluate test.jsonl`, `sentiment evaluate reviews.csv --labels rating --no-store`,
    `sentiment evaluate test.jsonl --model cinema-fr --against mine --digits 4`
    """
    from sentiment.local import evaluations
    from sentiment.orchestration import evaluating

    if source_name:
        ERR.print("--source-name is the earlier name of --name.")
    chosen, set_name = model or settings.load().model, name or source_name
    request = evaluating.Request(labelled, chosen, against, labels, set_name, profile, encoding, store)
    results = evaluations.run(request, mistakes, lambda line: ERR.print(escape(line)))
    for evaluation in results:
        # Plain: labels and reviews may hold brackets, which rich would take for markup.
        for line in evaluating.report_lines(evaluation, digits):
            OUT.out(line, highlight=False)
        OUT.out("")
    if against:
        OUT.out(evaluating.comparison_sentence(*results), highlight=False)
    if store:
        ids = ", ".join(evaluation.evaluation_id for evaluation in results)
        OUT.out(f"Stored in sentiment.v_evaluation as {ids}.", highlight=False)


def rescore(
    model: Annotated[str, typer.Option(help="a name of `sentiment model list`")],
    first: Annotated[str, typer.Option("--from", help="first night, a Paris date")],
    last: Annotated[str, typer.Option("--to", help="last night, a Paris date")],
    source: Annotated[str | None, typer.Option(help="where the reviews come from")] = None,
) -> None:
    """Score published nights by another model, beside the current one, as the DAG rescore_reviews does.

    Typed again after an interruption, it continues where it stopped.

    Example: `sentiment rescore --model mine --from 2026-01-01 --to 2026-11-22`
    """
    from sentiment.jobs import entry
    from sentiment.jobs import rescore as job
    from sentiment.orchestration import rescoring
    from sentiment.runtime import spark
    from sentiment.workspace import Workspace

    config = settings.load()

    def again(**days: object) -> str:
        typed = {"model": model, "from": first, "to": last, "source": source}
        return command_line("sentiment rescore", typed | days)

    first_night = parse_date("--from", first, lambda day: again(**{"from": day}))
    last_night = parse_date("--to", last, lambda day: again(to=day))
    request = rescoring.Request(model, source or config.source, first_night, last_night)
    if rescoring.pending(request):
        # A night's job logs through Airflow; typed in a shell, its progress belongs on the terminal.
        entry.log_own_progress("%(message)s")
        job.work(spark.session(f"sentiment rescore {model}"), request, Workspace(config.lake))
    OUT.print(escape(rescoring.report(**vars(request))))


@app.command("list")
def list_models() -> None:
    """List the bundled models and those added to this installation.

    Example: `sentiment model list`
    """
    from sentiment.scoring import folders, registry

    config = settings.load()
    models = [registry.find(name, config) for name in sorted(folders.known(config))]
    rows = [(m.model_id, ", ".join(m.labels), m.fingerprint[:12], m.folder) for m in models]
    show(table(["model", "labels", "fingerprint", "folder"], rows))


@app.command("add")
def add_model(
    origin: Annotated[str, typer.Argument(help="a folder, a zip, or the name of a published model")],
    name: Annotated[str | None, typer.Option(help="its name here; else that of the folder, zip or model")] = None,
    labels: Annotated[str | None, typer.Option(help="names of its labels, in the network's order")] = None,
    trust: Annotated[bool, typer.Option(help="let the publisher's store run code of the model's author")] = False,
) -> None:
    """Check a model, try it by one text and register it, or refuse it with the reason.

    A folder holds model.onnx with assets/vocab.txt and assets/labels.txt, or what Spark NLP saved of a
    DistilBertForSequenceClassification, of 2021 or of today; a zip holds the same.

    Examples: `sentiment model add ~/mine --name mine --labels neg,pos`,
    `sentiment model add distilbert_multilingual_sequence_classifier_allocine --trust`
    """
    from sentiment.orchestration import adding
    from sentiment.runtime import spark

    label_names = tuple(label.strip() for label in (labels or "").split(",") if label.strip())
    request, config = adding.Request(origin, name, label_names, trust), settings.load()
    with ERR.status("adding the model") as status:
        model = adding.add(request, config, lambda: spark.session("sentiment model add", quiet=True), status.update)
    OUT.print(f"{model.model_id} can score: labels {', '.join(model.labels)}, {model.engine}, in {model.folder}.")
    OUT.print(f"Next: sentiment predict 'Un film magnifique !' --model {model.model_id}")


@app.command("quantize")
def quantize_model(
    model_id: Annotated[str, typer.Argument(help="as `sentiment model list` names it")],
    sample: Annotated[
        Path | None, typer.Option(help="texts to compare by, one a line; without it made-up ones")
    ] = None,
    anyway: Annotated[bool, typer.Option(help="register it even below 99 % agreement")] = False,
) -> None:
    """Make a model's int8 twin, a smaller and faster one, and compare the two.

    Example: `sentiment model quantize cinema-fr`
    """
    from sentiment.orchestration import quantizing
    from sentiment.scoring import registry

    config = settings.load()
    texts = quantizing.sample(sample)
    with ERR.status("quantising") as status:
        parent = registry.find(model_id, config)
        twin, comparison = quantizing.quantize(parent, texts, config, anyway, status.update)
    OUT.print(f"{twin.model_id}: {comparison.summary()}.")
    OUT.print(f"Next: sentiment predict 'Un film magnifique !' --model {twin.model_id}")


@app.command("use")
def use_model(
    model_id: Annotated[str, typer.Argument(help="as `sentiment model list` names it")],
    anyway: Annotated[bool, typer.Option(help="even if the views then show less than now")] = False,
) -> None:
    """Make a model the current one, which the views show. One that has scored less than the current is refused.

    Example: `sentiment model use cinema-fr`
    """
    from sentiment.orchestration import rescoring

    lost = rescoring.use(model_id, anyway)
    missing = "all that they showed" if lost.is_complete else f"all that they showed but {lost.summary()}"
    OUT.print(f"The views show {model_id}, which has scored {missing}.")
    scheduled = settings.load().model
    if scheduled != model_id:
        OUT.print(f"Scheduled nights are still scored by {scheduled}. Next: set SENTIMENT_MODEL={model_id}")


@app.command("retire")
def retire_model(
    model_id: Annotated[str, typer.Argument(help="as `sentiment model list` names it")],
    undo: Annotated[bool, typer.Option(help="take it back, while its scores are still stored")] = False,
) -> None:
    """Mark a model as no longer used: after SENTIMENT_KEEP_RETIRED_DAYS maintain_store removes its scores.

    Example: `sentiment model retire cinema-fr-int8`
    """
    from sentiment.scoring import registry

    registry.retire(model_id, undo)
    days = settings.load().keep_retired_days
    OUT.print(f"{model_id} is in use again." if undo else f"{model_id} is retired; its scores go in {days} days.")
