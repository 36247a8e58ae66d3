"""One model, ready to classify frames: the path that training's test, conversion's gate and the device share.

Loading fails closed: everything that can be checked is checked once, here, and nothing of it again per frame.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Contract, TensorSpec
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.inference.postprocess import Prediction, predict, softmax
from edge_runtime.inference.quantization import apply_pixel_table, pixel_table, real_table
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.pixels.preprocess import Image, can_be_written, preprocess


class HasPixels(Protocol):
    """A camera's frame: ``pixels`` is (h, w, 3) uint8 BGR."""

    @property
    def pixels(self) -> Image: ...


class Classifier:
    """``Classifier(path).classify(frame)`` gives a `Prediction`; also a context manager. Not for two threads at once.

    ``contract`` is what the file says, ``model`` the verified file, ``interpreter`` what runs it.
    """

    def __init__(
        self,
        model: str | Path | ModelFile,
        threads: int = 1,
        backend: str = "auto",
        labels: str | Path | None = None,
        threshold: float | None = None,
        top_k: int = 3,
    ) -> None:
        """Loads and checks ``model``; ``labels`` is for foreign files, ``threshold`` replaces the contract's.

        Raises: what `open_model` and `Interpreter` raise, and
            ModelError: the contract and the interpreter's real tensors differ.
            UsageError: ``threshold`` is no probability, ``top_k`` is below 1, or ``labels`` came with a ModelFile.
        """
        if isinstance(model, ModelFile) and labels is not None:
            raise UsageError(
                f"The model is already open, so the labels {labels} cannot be used; give them to open_model."
            )
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise UsageError(f"The threshold is {threshold}, expected a probability in [0, 1].")
        if top_k < 1:
            raise UsageError(f"top_k is {top_k}, expected at least 1.")
        self.model = model if isinstance(model, ModelFile) else open_model(model, labels)
        self.contract: Contract = self.model.contract
        self.interpreter = Interpreter(self.model.flatbuffer, backend, threads)
        _expect_same("input", self.interpreter.input, self.contract.input_tensor)
        _expect_same("output", self.interpreter.output, self.contract.output_tensor)
        self.threshold = self.contract.threshold if threshold is None else threshold
        self.top_k = top_k
        self._input_spec = self.contract.spec.input
        self._labels = self.contract.spec.labels
        self._pixel_table = pixel_table(self.contract.normalization, self.contract.input_tensor)
        self._fills_tensor = self._pixel_table is None and can_be_written(self.interpreter.input_view())
        self._real_table = real_table(self.contract.output_tensor)
        self._logits = self.contract.spec.output == "logits"

    def classify(self, frame: Image | HasPixels) -> Prediction:
        """The Prediction for a (h, w, 3) uint8 BGR frame of any size.

        Raises:
            DataError: the frame is something else.
        """
        return predict(self.probabilities(frame), self._labels, self.threshold, self.top_k)

    def probabilities(self, frame: Image | HasPixels) -> NDArray[np.float32]:
        """(classes,) float32 probabilities in output order."""
        stored = self.raw_output(frame)
        real: NDArray[np.float32] = stored if self._real_table is None else self._real_table.take(stored.view(np.uint8))
        return softmax(real) if self._logits else real

    def raw_output(self, frame: Image | HasPixels) -> NDArray[Any]:
        """(classes,) output in its stored dtype."""
        if not self._fills_tensor:
            return self.interpreter.invoke(self.input_tensor(frame))
        pixels: Image = getattr(frame, "pixels", frame)  # type: ignore[arg-type]
        preprocess(pixels, self._input_spec, self.interpreter.input_view)  # what it returns must not be kept
        return self.interpreter.run()

    def input_tensor(self, frame: Image | HasPixels) -> NDArray[Any]:
        """(H, W, 3) input in its stored dtype, RGB."""
        pixels: Image = getattr(frame, "pixels", frame)  # type: ignore[arg-type]
        return apply_pixel_table(preprocess(pixels, self._input_spec), self._pixel_table)

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to release: the interpreter's memory goes with this object."""


def _expect_same(which: str, real: TensorSpec, promised: TensorSpec) -> None:
    if real != promised:
        raise ModelError(
            f"The model's {which} is {_words(real)} but its contract says {_words(promised)}: they come from "
            "different runs. Convert the model again."
        )


def _words(tensor: TensorSpec) -> str:
    quantization = (
        "" if tensor.dtype == "float32" else f" with scale {tensor.scale!r} and zero point {tensor.zero_point}"
    )
    return f"{tensor.shape} {tensor.dtype}{quantization}"
