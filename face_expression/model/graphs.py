"""The small ONNX graphs of a bundle: they cut crops, prepare inputs and read YuNet's outputs.

`train.export.graphs` writes them. The browser runs the same files. They are small, so each runs on the thread that
calls it.
"""

import functools
import os
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime

from face_expression.errors import BundleError
from face_expression.model.config import EMBEDDED_CONFIG

GRAPH_NAMES = ("crop", "detector_input", "detector_output", "model_input", "quality")


def graph_file(name: str) -> str:
    """The name of a graph's file inside a bundle."""
    return f"{name}.onnx"


def load_session(
    model: Path | bytes, name: str, *, threads: int | None = None, keeps_memory: bool = True
) -> onnxruntime.InferenceSession:
    """Load a network or graph into ONNX Runtime, on the CPU.

    Args:
        model: an ONNX file, or its bytes.
        name: what to call it in errors.
        threads: for one call; None takes ONNX Runtime's default.
        keeps_memory: reuse the memory of a call for the next. It is never given back, so not for inputs of any size.

    Raises:
        BundleError: if ONNX Runtime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = keeps_memory
    # Several networks take turns; threads of one that wait busily would hold up the next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        raise BundleError(f"{name}: ONNX Runtime cannot load this file: {error}") from error


def giving_memory_back() -> onnxruntime.RunOptions:
    """Options for a call whose memory is not kept for the next one, though the session keeps it otherwise."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


class Graphs:
    """A bundle's graphs; safe to share between threads.

    Args:
        folder: the bundle's.

    Raises:
        BundleError: if a file is missing or is no graph.
    """

    def __init__(self, folder: Path):
        self._sessions = {
            name: load_session(folder / graph_file(name), str(folder / graph_file(name)), threads=1, keeps_memory=False)
            for name in GRAPH_NAMES
        }

    def run(self, name: str, **inputs: np.ndarray) -> list[np.ndarray]:
        """Run one graph; `train.export.graphs` describes its inputs and outputs."""
        return cast("list[np.ndarray]", self._sessions[name].run(None, inputs))


def embedded_graphs() -> Graphs:
    """The embedded bundle's graphs, loaded once for each process."""
    return _graphs_of_process(os.getpid())


@functools.cache
def _graphs_of_process(_: int) -> Graphs:
    return Graphs(EMBEDDED_CONFIG.parent)
