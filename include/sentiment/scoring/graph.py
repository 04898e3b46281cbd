"""A network's ONNX graph, made faster without another answer, by the tools of the very runtime inside Spark NLP.

That runtime joins GELU and layer norms by itself as it loads a graph, attention only when that was done before.
"""

from __future__ import annotations

import io
import logging
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.scoring import first_row

log = logging.getLogger(__name__)

INPUTS = ("input_ids", first_row.MASK)
TOLERANCE = 1e-5
"""How far a fused graph's logits may be from the original's."""
LENGTHS = (2, 17, 130, 512)
"""Wordpieces of the rows by which the two are compared."""


def fuse(source: Path, target: Path) -> bool:
    """Write the graph with attention, GELU and layer norms fused and its last layer narrowed; else a copy, and False.

    A fused graph that answers otherwise is not kept either: both are run on rows of `LENGTHS`.
    """
    from onnxruntime.transformers import optimizer

    with _quiet():
        found = optimizer.optimize_model(str(source), model_type="bert", num_heads=0, hidden_size=0, opt_level=0)
    if any(found.get_fused_operator_statistics().values()):
        first_row.narrow(found.model)
        found.save_model_to_file(str(target))
        if _apart(source, target) <= TOLERANCE:
            return True
        log.warning("the fused graph of %s answers otherwise: it is scored as it is", source)
    shutil.copyfile(source, target)
    return False


def quantize(source: Path, target: Path) -> None:
    """Write the int8 twin of a graph: fused, weights by channel, activations by their own range as they come."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fused = Path(folder) / "model.onnx"
        fuse(source, fused)
        with _quiet():
            quantize_dynamic(
                fused,
                target,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Attention"],
                extra_options={"DefaultTensorType": TensorProto.FLOAT},
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """The tools tell, in print and by the root logger, what they leave alone and which types they had to be told."""
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def session(graph: Path, threads: int = 1) -> Any:
    """ONNX Runtime's session over this file, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what fails raises an error
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def logits(network: Any, ids: list[list[int]]) -> NDArray[np.float32]:
    """What the network says of rows of wordpiece ids, padded to the longest; shape (rows, labels)."""
    longest = max(map(len, ids))
    fed = np.array([row + [0] * (longest - len(row)) for row in ids], np.int64)
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in ids], np.int64)
    said: NDArray[np.float32] = network.run(None, dict(zip(INPUTS, (fed, mask), strict=True)))[0]
    return said


def _apart(one: Path, other: Path) -> float:
    """The largest difference of any logit of the two graphs, for rows alone and for all of them, padded.

    Infinite where the other is no graph that runs, as for weights of 16 bits; NaN where it says that.
    """
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, RuntimeException

    rows = [[int(n) for n in np.random.default_rng(length).integers(0, 100, length)] for length in LENGTHS]
    fed = [*([row] for row in rows), rows]
    original = session(one)
    wanted = [logits(original, each) for each in fed]
    try:
        fused = session(other)
        found = [logits(fused, each) for each in fed]
    except (Fail, InvalidGraph, RuntimeException):
        return math.inf
    return float(np.max([abs(a - b).max() for a, b in zip(wanted, found, strict=True)]))
