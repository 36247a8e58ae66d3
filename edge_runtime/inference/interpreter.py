"""Runs a flatbuffer with LiteRT, else tflite-runtime: the only module that imports either, and only to load a model.

Both are used through their `Interpreter` class, never LiteRT's `CompiledModel`, which crashes on a damaged file.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import TensorSpec
from edge_runtime.errors import ConfigurationError, DataError, ModelError, UsageError
from edge_runtime.system.quiet_start import quiet_start

# In order of preference: LiteRT is two to five times as fast with integer models.
BACKENDS = ("litert", "tflite")
KERNELS = ("default", "reference")
MAX_THREADS = 64
MAX_NATIVE_TEXT = 300
_PACKAGES = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}
_INSTALL = {"litert": "'edge-runtime[litert]'", "tflite": "'edge-runtime[tflite]'"}
_DEFAULT_KERNELS = {"litert": "litert-xnnpack", "tflite": "tflite-builtin"}
_log = logging.getLogger(__name__)


@cache
def _load(backend: str) -> tuple[Any, str] | str:
    """The module and version of ``backend``, or why it cannot be used."""
    package = _PACKAGES[backend]
    try:
        module = importlib.import_module(f"{package}.interpreter")
        return module, str(getattr(importlib.import_module(package), "__version__", "unknown"))
    except (ImportError, AttributeError) as error:  # with NumPy 2 tflite-runtime raises either
        return f"{package}: {error}"


def list_available_backends() -> tuple[str, ...]:
    """The names of `BACKENDS` that can be imported here, in order of preference."""
    return tuple(backend for backend in BACKENDS if not isinstance(_load(backend), str))


def import_backend(backend: str = "auto") -> None:
    """Imports in advance what `Interpreter` will use, because it is slow; a missing one is left for it to report."""
    for name in BACKENDS if backend == "auto" else {backend} & set(BACKENDS):
        if not isinstance(_load(name), str):
            return


def _choose(backend: str) -> tuple[str, Any, str]:
    if backend not in ("auto", *BACKENDS):
        raise UsageError(f"`backend` is {backend!r}, expected auto, {' or '.join(BACKENDS)}.")
    reasons: list[str] = []
    for name in BACKENDS if backend == "auto" else (backend,):
        found = _load(name)
        if not isinstance(found, str):
            for reason in reasons:
                _log.warning("Falling back to %s: %s", name, reason)
            return name, *found
        reasons.append(found)
    names = " or ".join(_INSTALL[name] for name in (BACKENDS if backend == "auto" else (backend,)))
    raise ConfigurationError(f"No backend can be loaded ({'; '.join(reasons)}). Install one: pip install {names}.")


class Interpreter:
    """One loaded model with one input and one output.

    ``backend`` and ``version`` name the library, ``kernels`` the arithmetic ("litert-xnnpack", "tflite-builtin",
    "reference"); ``input`` and ``output`` are the model's real tensors; ``num_extra`` counts its extra outputs. Not for
    use by two threads at once.
    """

    def __init__(
        self,
        flatbuffer: bytes,
        backend: str = "auto",
        threads: int = 1,
        kernels: str = "default",
        *,
        keep_tensors: bool = False,
        extra_outputs: Sequence[int] = (),
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        """Loads ``flatbuffer``. With ``keep_tensors`` and reference kernels `tensor` can read everything that it
        computes. ``extra_outputs`` are the numbers of inner tensors for `extra` to return; ``input_shape`` is for a
        model that leaves its input's size open.

        Raises:
            ModelError: the interpreter refuses the flatbuffer, or it does not have exactly one input and one output of
                a known type.
            UsageError: ``backend``, ``threads`` or ``kernels`` is not an allowed value.
            ConfigurationError: the requested backend is not installed.
        """
        if not 1 <= threads <= MAX_THREADS:
            raise UsageError(f"`threads` is {threads}, expected 1 to {MAX_THREADS}.")
        if kernels not in KERNELS:
            raise UsageError(f"`kernels` is {kernels!r}, expected {' or '.join(KERNELS)}.")
        self.backend, module, self.version = _choose(backend)
        self.kernels = _DEFAULT_KERNELS[self.backend] if kernels == "default" else kernels
        resolvers = module.OpResolverType
        if extra_outputs:
            from edge_runtime.model.inner_tensors import declare_outputs

            flatbuffer = declare_outputs(flatbuffer, extra_outputs)
        try:
            with quiet_start():  # it announces its delegate on stderr
                self._native = module.Interpreter(
                    model_content=flatbuffer,
                    num_threads=threads,
                    experimental_op_resolver_type=resolvers.AUTO if kernels == "default" else resolvers.BUILTIN_REF,
                    experimental_preserve_all_tensors=keep_tensors,
                )
                if input_shape is not None:
                    _resize_open_input(self._native, input_shape)
                self._native.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            from edge_runtime.model.operators import explain_refusal

            raise ModelError(
                f"{self.backend} {self.version} refuses the model ({_one_line(error)}): {explain_refusal(str(error))}"
            ) from error
        inputs, outputs = self._native.get_input_details(), self._native.get_output_details()
        num_outputs = len(outputs) - len(extra_outputs)
        if len(inputs) != 1 or num_outputs != 1:
            raise ModelError(f"The model has {len(inputs)} inputs and {num_outputs} outputs, expected 1 of each.")
        self.input, self.output = _input_spec(inputs[0]), _flat(_spec(outputs[0]))
        self._input_shape = self.input.shape[1:]
        self._input_dtype = np.dtype(self.input.dtype)
        # These are functions: if a view outlived a call, the next `invoke` would refuse to run.
        self._input_view = self._native.tensor(inputs[0]["index"])
        self._output_view = self._native.tensor(outputs[0]["index"])
        self.num_extra = len(extra_outputs)
        self._extra_views = [self._native.tensor(details["index"]) for details in outputs[1:]]

    def invoke(self, input_tensor: NDArray[Any]) -> NDArray[Any]:
        """A copy of the (n,) output, in its stored dtype, for one (H, W, 3) input tensor in its stored dtype.

        Raises:
            DataError: ``input_tensor`` has another shape or dtype.
        """
        if input_tensor.shape != self._input_shape or input_tensor.dtype != self._input_dtype:
            raise DataError(
                f"The input tensor is {input_tensor.shape} {input_tensor.dtype}, "
                f"expected {self._input_shape} {self._input_dtype}."
            )
        self._input_view()[0] = input_tensor
        return self.run()

    def input_view(self) -> NDArray[Any]:
        """The (H, W, 3) input tensor itself, to be filled for `run`, which fails while a reference to it exists."""
        view: NDArray[Any] = self._input_view()[0]
        return view

    def run(self) -> NDArray[Any]:
        """As `invoke`, with the content of `input_view`."""
        self._native.invoke()
        output: NDArray[Any] = self._output_view().reshape(self.output.shape)[0].copy()
        return output

    def extra(self, number: int, dtype: Any = None) -> NDArray[Any]:
        """A copy of extra output ``number``, counted from 0, of the last `run` or `invoke`, in its shape; its stored
        values, converted to ``dtype`` if given.
        """
        view = self._extra_views[number]()
        values: NDArray[Any] = view.copy() if dtype is None else view.astype(dtype)
        return values

    def close(self) -> None:
        """Releases the memory; every later `invoke` and `input_view` raises UsageError."""
        self._native = None
        self._input_view = self._output_view = _refuse_closed
        self._extra_views = []

    def tensor(self, index: int) -> NDArray[Any]:
        """A copy of tensor ``index`` of the flatbuffer after the last `invoke`; needs ``keep_tensors``."""
        values: NDArray[Any] = self._native.get_tensor(index)
        return values


def _resize_open_input(native: Any, shape: tuple[int, ...]) -> None:
    """Gives ``shape`` to an input with open sides, which are -1 in the file; any other input stays as it is."""
    (details, *_) = native.get_input_details()
    if -1 in details["shape_signature"] and tuple(details["shape"]) != shape:
        native.resize_tensor_input(details["index"], shape, strict=True)


def _refuse_closed() -> NDArray[Any]:
    raise UsageError("The classifier is closed, expected an open one; make another.")


def _spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    return TensorSpec(shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))


def _input_spec(details: dict[str, Any]) -> TensorSpec:
    """As `_spec`; an 8-bit input without a scale takes the numbers as they are."""
    if not details["quantization"][0] and np.dtype(details["dtype"]).itemsize == 1:
        details = {**details, "quantization": (1.0, 0)}
    return _spec(details)


def _flat(tensor: TensorSpec) -> TensorSpec:
    """Turns (classes,), (1, 1, 1, classes) and (1, classes, 1, 1) into (1, classes)."""
    if tensor.shape and math.prod(tensor.shape) == max(tensor.shape):
        return dataclasses.replace(tensor, shape=(1, max(tensor.shape)))
    return tensor


def _one_line(error: Exception) -> str:
    """The native text in one line, without duplicate lines: an interpreter repeats some for every operator."""
    lines = dict.fromkeys(" ".join(line.split()) for line in str(error).splitlines())
    text = " ".join(line for line in lines if line)
    return text if len(text) <= MAX_NATIVE_TEXT else text[: MAX_NATIVE_TEXT - 3] + "..."
