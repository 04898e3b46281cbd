"""Train and evaluate the bundled model: `python -m tools.train_bundled --help`."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from tools.train_bundled import check
from tools.train_bundled.recipe import Recipe

EXAMPLES = """examples, from the project's root:
  python -m tools.train_bundled cv --reviews ../shared/data/allocine-train.jsonl
  python -m tools.train_bundled cv --reviews ../shared/data/allocine-train.jsonl --folds 0 --no-student
  python -m tools.train_bundled fit --reviews ../shared/data/allocine-train.jsonl /tmp/cinema-fr
  python -m tools.train_bundled check include/sentiment/scoring/bundled/cinema-fr
"""


def cross_validate(options: argparse.Namespace) -> None:
    """Print the figures of the recipe, its teacher and a plain model."""
    from tools.train_bundled import crossvalidation, reviews

    read = reviews.read(options.reviews)
    print(*crossvalidation.cross_validate(read, _recipe(options), options.folds, not options.no_student), sep="\n")


def fit(options: argparse.Namespace) -> None:
    """Write the model folder."""
    from tools.train_bundled import fitting, reviews

    print(*fitting.fit(reviews.read(options.reviews), _recipe(options), options.folder), sep="\n")


def check_model(options: argparse.Namespace) -> None:
    """Print which of the check sentences a model gets right."""
    print(*check.report(check.predict(options.model, check.sentences(options.sentences))), sep="\n")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.train_bundled",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    learning = argparse.ArgumentParser(add_help=False)
    learning.add_argument("--reviews", type=Path, required=True, help="JSON lines with review and polarity (0 or 1)")
    learning.add_argument("--seed", type=int, default=0, help="of folds, weights and lessons (0)")

    cv = commands.add_parser("cv", parents=[learning], help="judge the recipe by five-fold cross-validation")
    cv.add_argument("--folds", type=int, nargs="+", choices=range(5), default=range(5), help="which folds (all)")
    cv.add_argument("--no-student", action="store_true", help="only the teacher and the plain model: a minute")
    cv.set_defaults(run=cross_validate)

    fitted = commands.add_parser("fit", parents=[learning], help="train on all reviews and write a model folder")
    fitted.add_argument("folder", type=Path, metavar="OUTDIR", help="where model.onnx and assets/ go")
    fitted.set_defaults(run=fit)

    checked = commands.add_parser("check", help="print which short sentences a model gets right")
    checked.add_argument("model", type=Path, metavar="MODEL_FOLDER", help="folder with model.onnx and assets/")
    checked.add_argument("--sentences", type=Path, default=check.SENTENCES, help="other sentences than our own")
    checked.set_defaults(run=check_model)
    return parser.parse_args()


def _recipe(options: argparse.Namespace) -> Recipe:
    return replace(Recipe(), seed=options.seed)


def main() -> None:
    """Run the command; progress goes to stderr, results to stdout."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    options = arguments()
    options.run(options)


if __name__ == "__main__":
    main()
