"""Check that a folder with an ONNX network can score; each fault is an error that names its file and reason."""

from __future__ import annotations

from pathlib import Path

from sentiment.errors import ParameterError
from sentiment.scoring import graph
from sentiment.scoring.chunks import MAX_WORDPIECES

# What ONNX Runtime 1.19.2, the version inside Spark NLP, reads.
MAX_IR_VERSION, MAX_OPSET = 10, 21
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
FILES = ("model.onnx", "assets/vocab.txt", "assets/labels.txt")
MEND = "mend the folder, then: sentiment model add FOLDER"


def check(folder: Path) -> None:
    """Raise ParameterError, naming file and reason, where the folder is not a classifier that this engine runs.

    The vocabulary's size is tried out: its last id must have an embedding and the next id must have none.
    """
    for name in FILES:
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            raise ParameterError(f"{folder / name} is missing or empty; expected {', '.join(FILES)}.", MEND)
    _check_graph(folder / "model.onnx")
    labels = lines(folder / "assets" / "labels.txt")
    if len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
        raise ParameterError(f"{folder / 'assets/labels.txt'} holds a label twice, or an empty one.", MEND)
    _check_network(folder, len(labels))


def lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file, without the line feed at its end."""
    # str.splitlines would end a line at U+2028 and others too, and these may be wordpieces.
    return path.read_text("utf-8").removesuffix("\n").split("\n")


def _check_graph(path: Path) -> None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ParameterError(f"{path} is cut short, or no ONNX graph ({error}).", MEND) from error
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    if model.ir_version > MAX_IR_VERSION or opsets.get("", 1) > MAX_OPSET:
        raise ParameterError(
            f"{path} has IR version {model.ir_version} and opset {opsets.get('', 1)}; this engine reads IR versions to "
            f"{MAX_IR_VERSION} and opsets to {MAX_OPSET}.",
            "export it with an older opset, then: sentiment model add FOLDER",
        )
    inputs, outputs = ({value.name for value in side} for side in (model.graph.input, model.graph.output))
    # Before IR version 4 weights had to be listed among the inputs, too.
    inputs -= {weights.name for weights in model.graph.initializer}
    if inputs != set(graph.INPUTS) or "logits" not in outputs:
        raise ParameterError(
            f"{path} takes {sorted(inputs)} and gives {sorted(outputs)}; expected {list(graph.INPUTS)} and 'logits'.",
            "export a DistilBERT for sequence classification, then: sentiment model add FOLDER",
        )


def _check_network(folder: Path, n_labels: int) -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf

    path, pieces = folder / "model.onnx", lines(folder / "assets" / "vocab.txt")
    missing = [piece for piece in SPECIAL if piece not in pieces]
    if missing:
        raise ParameterError(f"{folder / 'assets/vocab.txt'} lacks {', '.join(missing)}.", MEND)
    try:
        network = graph.session(path)
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as error:
        raise ParameterError(f"{path} is cut short, or no graph that this engine runs: {error}", MEND) from error
    # Exporters name the embeddings as they please, so how many there are is found by trying ids.
    if not _runs(network, [len(pieces) - 1]) or _runs(network, [len(pieces)]):
        raise ParameterError(
            f"{folder / 'assets/vocab.txt'} holds {len(pieces):,} wordpieces; the network has "
            f"{'more' if _runs(network, [len(pieces)]) else 'fewer'}.",
            "bring the vocabulary that it was trained with, then: sentiment model add FOLDER",
        )
    if not _runs(network, [0] * MAX_WORDPIECES):
        raise ParameterError(f"{path} takes no {MAX_WORDPIECES} wordpieces at once.", MEND)
    n_logits = graph.logits(network, [[0]]).shape[-1]
    if n_logits != n_labels:
        raise ParameterError(
            f"{folder / 'assets/labels.txt'} names {n_labels} labels; the network has {n_logits}.", MEND
        )


def _runs(network: object, ids: list[int]) -> bool:
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

    try:
        graph.logits(network, [ids])
    except (Fail, InvalidArgument, RuntimeException):
        return False
    return True
