"""Make a network's ONNX graph faster without changing its logits, and make its int8 twin.

By the tools of ONNX Runtime 1.19.2, the version inside Spark NLP. That version fuses GELU and layer norms by itself as
it loads a graph, but attention only in a file that was fused before; later versions of the tools no longer recognise
DistilBERT's attention.
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
"""Largest difference allowed between a logit of the fused graph and the original's."""
LENGTHS = (2, 17, 130, 512)
"""Wordpieces of the rows by which a fused graph is compared with the original."""


def fuse(source: Path, target: Path) -> bool:
    """Write the graph with attention, GELU and layer norms fused and its last layer narrowed, and return True.

    Writes a copy of `source` and returns False where nothing can be fused, or where the fused graph does not run or
    its logits are further than `TOLERANCE` from the original's; both are run on rows of `LENGTHS`.
    """
    from onnxruntime.transformers import optimizer

    # 0 heads and 0 values: read from the graph. Level 0: what ONNX Runtime fuses itself, it fuses as it loads one.
    with _quiet():
        optimized = optimizer.optimize_model(str(source), model_type="bert", num_heads=0, hidden_size=0, opt_level=0)
    if any(optimized.get_fused_operator_statistics().values()):
        first_row.narrow(optimized.model)
        optimized.save_model_to_file(str(target))
        if _max_difference(source, target) <= TOLERANCE:
            return True
        log.warning("the fused graph of %s gives other logits: the original is scored instead", source)
    shutil.copyfile(source, target)
    return False


def quantize(source: Path, target: Path) -> None:
    """Write the int8 twin of a graph: fused, weights quantised by channel, activations dynamically."""
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
                # Inference of types knows no fused operators; all of their values are floats.
                extra_options={"DefaultTensorType": TensorProto.FLOAT},
            )


@contextmanager
def _quiet() -> Iterator[None]:
    # ONNX Runtime's tools print, and log to the root logger, each node that they skip and each type they can't infer.
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def session(graph: Path, threads: int = 1) -> Any:
    """Return an ONNX Runtime session over this file, on the CPU, with so many threads within an operator.

    Raises onnxruntime's Fail, InvalidArgument, InvalidGraph or InvalidProtobuf for a file that is no such graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what fails raises an error
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def logits(network: Any, ids: list[list[int]]) -> NDArray[np.float32]:
    """Return the network's logits for rows of wordpiece ids, padded to the longest; shape (rows, labels).

    Raises onnxruntime's Fail, InvalidArgument or RuntimeException where an id or a length has no embedding.
    """
    longest = max(map(len, ids))
    fed = np.array([row + [0] * (longest - len(row)) for row in ids], np.int64)
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in ids], np.int64)
    rows: NDArray[np.float32] = network.run(None, dict(zip(INPUTS, (fed, mask), strict=True)))[0]
    return rows


def _max_difference(original: Path, fused: Path) -> float:
    """Return the largest difference between logits of the two graphs, for each row alone and for all of them, padded.

    Infinite where the fused graph does not run, as with weights of 16 bits; NaN where it gives NaN.
    """
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, RuntimeException

    rows = [[int(n) for n in np.random.default_rng(length).integers(0, 100, length)] for length in LENGTHS]
    # All rows at once, padded, show whether the mask is still heeded.
    batches = [*([row] for row in rows), rows]
    network = session(original)
    expected = [logits(network, batch) for batch in batches]
    try:
        network = session(fused)
        actual = [logits(network, batch) for batch in batches]
    except (Fail, InvalidGraph, RuntimeException):
        return math.inf
    # np.max, not max: only the former returns NaN where one of the differences is NaN, which is no `<= TOLERANCE`.
    return float(np.max([abs(a - b).max() for a, b in zip(expected, actual, strict=True)]))
