"""One model, ready to classify frames: the path shared by training's test, conversion's gate and the device.

Loading fails closed: everything that can be checked is checked once, here, and not again for each frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Contract, InputSpec, Neighbours, Region, TensorSpec
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.inference.postprocess import Prediction, add_first_score, predict, softmax
from edge_runtime.inference.quantization import apply_pixel_table, make_pixel_table, make_real_table
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.pixels.preprocess import Image, can_be_written, preprocess, rgb_to_bgr
from edge_runtime.pixels.region import cut_input
from edge_runtime.pixels.shrink import read_shrunk

if TYPE_CHECKING:  # most runs show no map
    from edge_runtime.inference.activation_map import ActivationMap, ClassMapper

CHANNELS = ("bgr", "rgb")


class HasPixels(Protocol):
    """A camera's frame: ``pixels`` is (h, w, 3) uint8 BGR."""

    @property
    def pixels(self) -> Image:
        """(h, w, 3) uint8 BGR."""


class Classifier:
    """``Classifier("model.tflite").classify(frame)`` gives a `Prediction`; also a context manager. Not for use by two
    threads at once.

    ``contract`` is what the file says, ``model`` the verified file, ``interpreter`` what runs it.
    """

    def __init__(
        self,
        model: str | Path | ModelFile | None = None,
        *,
        threads: int = 1,
        backend: str = "auto",
        top_k: int = 3,
        threshold: float | None = None,
        labels: str | Path | None = None,
        region: Region | None = None,
        maps: bool = False,
        class_thresholds: Mapping[str, float] | None = None,
    ) -> None:
        """Loads and checks ``model``.

        Args:
            model: a path, the name of a shipped model such as "resnet8", or an open `ModelFile`; None means the
                installed model, or the package's default if none is installed.
            threads: of the interpreter, 1 to 64. OpenCV's own are set by ``cv2.setNumThreads``.
            backend: "litert", "tflite", or "auto" for the first of them that is installed.
            top_k: how many classes a Prediction lists, at least 1.
            threshold: a probability in [0, 1] below which the answer is "unknown"; None takes the model's own. With 0
                no answer is unknown, not even for a frame unlike anything seen in training.
            labels: a text file with one label per line, only for models from elsewhere that carry none.
            region: the part of every image that is classified, None for all of it. ``contract.region`` is the one that
                the model was trained on; it is for a camera's frames, not for images that were already cut out.
            maps: whether `last_map` is to say where the model looked, for models that can (`has_maps`).
            class_thresholds: by label, the probability that a class needs instead of ``threshold``. The model's own
                apply unless ``threshold`` is given.

        Raises:
            MissingInputError: there is no such model or label file.
            ModelError: the file is damaged or contradicts itself, the interpreter refuses it, or its contract differs
                from the interpreter's real tensors.
            SignatureError: this device trusts a key and the file is not signed with it.
            ConfigurationError: no interpreter is installed, or the installed model may not be read by this user.
            UsageError: an argument is not one of the above, or ``labels`` was given with a ModelFile.
        """
        _expect_arguments(model, labels, threshold, top_k)
        self.model = model if isinstance(model, ModelFile) else open_model(model, labels)
        self.contract: Contract = self.model.contract
        self.top_k, self.region = top_k, region
        self._input_spec = cut_input(self.contract.spec.input, region)
        self._labels = self.contract.spec.labels
        self.threshold = self.contract.threshold if threshold is None else threshold
        own = self.contract.class_thresholds if threshold is None else None
        self.class_thresholds = {**(own or {}), **(class_thresholds or {})}
        _expect_thresholds(self.class_thresholds, self._labels)
        self._lowest: float | list[float] = self.threshold
        if self.class_thresholds:
            self._lowest = [self.class_thresholds.get(label, self.threshold) for label in self._labels]
        self._mapper = _make_mapper(self.model) if maps else None
        neighbours = self.contract.neighbours if threshold != 0 else None
        self.interpreter = self._load(backend, threads, neighbours)
        self._cut, self._neighbours = -1.0, None
        rows = self.model.neighbours
        if neighbours is not None and rows is not None:
            self._cut, self._neighbours = neighbours.cut, NeighbourTable(neighbours, rows)
        self._pixel_table = make_pixel_table(self.contract.normalization, self.contract.input_tensor)
        self._layout = self.contract.layout
        self._fills_tensor = (
            self._pixel_table is None and self._layout is None and can_be_written(self.interpreter.input_view())
        )
        self._real_table = make_real_table(self.contract.output_tensor)
        self._logits = self.contract.spec.output == "logits"

    def _load(self, backend: str, threads: int, neighbours: Neighbours | None) -> Interpreter:
        """The interpreter, whose real tensors are what the contract says."""
        extra_outputs = [] if neighbours is None else [neighbours.tensor]
        extra_outputs += [] if self._mapper is None else [self._mapper.tensor]
        interpreter = Interpreter(
            self.model.flatbuffer,
            backend,
            threads,
            extra_outputs=tuple(extra_outputs),
            input_shape=self.contract.input_tensor.shape,
        )
        _expect_same("input", interpreter.input, self.contract.input_tensor)
        _expect_same("output", interpreter.output, self.contract.output_tensor)
        if neighbours is not None:
            _expect_features(interpreter.extra(0), neighbours)
        return interpreter

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in output order."""
        return self._labels

    @property
    def input_spec(self) -> InputSpec:
        """The model's input and how it is made from an image, including ``region``."""
        return self._input_spec

    def classify(self, frame: Image | HasPixels | str | Path, *, channels: str = "bgr") -> Prediction:
        """The Prediction for one image: a (h, w, 3) uint8 array of any size, a camera's `Frame`, or the path of an
        image file.

        ``channels`` is the colour order of an array, "bgr" as in OpenCV or "rgb"; frames and files have their own. A
        JPEG file is decoded no larger than the model needs.

        Raises:
            DataError: the array is something else, or the file is not an image that OpenCV can decode.
            MissingInputError: there is no such file.
            UsageError: ``channels`` is neither "bgr" nor "rgb", "rgb" was given with a frame or a file, or the
                classifier is closed.
            ModelError: the model's output is not a number.
        """
        if channels != "bgr" or isinstance(frame, (str, Path)):
            frame = self._bgr_pixels(frame, channels)
        scores = self.probabilities(frame)
        if self._neighbours is None:
            return predict(scores, self._labels, self._lowest, self.top_k)
        similarity = self._neighbours.similarity(self.last_features())
        return predict(scores, self._labels, self._lowest, self.top_k, similarity=similarity, cut=self._cut)

    def classify_many(
        self, frames: Iterable[Image | HasPixels | str | Path], *, channels: str = "bgr"
    ) -> list[Prediction]:
        """The Prediction for each of ``frames``, in order, as `classify` gives it; raises as `classify`."""
        return [self.classify(frame, channels=channels) for frame in frames]

    def close(self) -> None:
        """Releases the interpreter's memory; may be called more than once. A closed classifier cannot be used again."""
        self.interpreter.close()

    def _bgr_pixels(self, frame: Image | HasPixels | str | Path, channels: str) -> Image | HasPixels:
        if channels not in CHANNELS:
            raise UsageError(f"`channels` is {channels!r}, expected {' or '.join(map(repr, CHANNELS))}.")
        if channels == "rgb" and (isinstance(frame, (str, Path)) or hasattr(frame, "pixels")):
            raise UsageError("`channels` is 'rgb', which is for arrays; a frame or a file knows its own colour order.")
        if isinstance(frame, (str, Path)):
            return read_shrunk(frame, self._input_spec)
        return rgb_to_bgr(frame) if channels == "rgb" else frame  # type: ignore[arg-type]

    def probabilities(self, frame: Image | HasPixels) -> NDArray[np.float32]:
        """(classes,) float32 probabilities in [0, 1], in output order, for a (h, w, 3) uint8 BGR array or a frame.

        Raises:
            DataError: the frame is something else.
        """
        stored = self.raw_output(frame)
        real: NDArray[np.float32] = stored if self._real_table is None else self._real_table.take(stored.view(np.uint8))
        if self.contract.is_binary:
            real = add_first_score(real, logits=self._logits)
        return softmax(real) if self._logits else real

    def last_features(self) -> NDArray[np.int8]:
        """(width,) int8 features, before the last layer, of the last classified frame; only for a model whose contract
        has neighbours.
        """
        return self.interpreter.extra(0).reshape(-1)

    @property
    def has_neighbours(self) -> bool:
        """Whether frames are compared with the model's neighbours."""
        return self._neighbours is not None

    @property
    def has_maps(self) -> bool:
        """Whether `last_map` can say where the model looked: ``maps`` was set, and the model's structure allows it."""
        return self._mapper is not None

    def last_map(self, index: int) -> ActivationMap:
        """Where in the last classified frame the score of class ``index`` (a Prediction's) comes from.

        Raises:
            ModelError: not `has_maps`.
        """
        if self._mapper is None:
            from edge_runtime.inference.activation_map import NO_MAP

            raise ModelError(NO_MAP)
        return self._mapper.map_class(self.interpreter.extra(self.interpreter.num_extra - 1, np.float32), index)

    def raw_output(self, frame: Image | HasPixels) -> NDArray[Any]:
        """(classes,) output in its stored dtype, for the same kinds of frame; raises as `probabilities`."""
        if not self._fills_tensor:
            return self.interpreter.invoke(self.input_tensor(frame))
        pixels: Image = getattr(frame, "pixels", frame)  # type: ignore[arg-type]
        preprocess(pixels, self._input_spec, self.interpreter.input_view)  # keep no reference, or `run` fails
        return self.interpreter.run()

    def input_tensor(self, frame: Image | HasPixels) -> NDArray[Any]:
        """The input tensor in its stored dtype, (H, W, 3) RGB unless the contract's layout says otherwise, for the same
        kinds of frame; raises as `probabilities`.
        """
        pixels: Image = getattr(frame, "pixels", frame)  # type: ignore[arg-type]
        if self._layout is not None:
            from edge_runtime.inference.arrangement import arrange_input

            return arrange_input(preprocess(pixels, self._input_spec), self._pixel_table, self._layout)
        return apply_pixel_table(preprocess(pixels, self._input_spec), self._pixel_table)

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _make_mapper(model: ModelFile) -> ClassMapper | None:
    from edge_runtime.inference.activation_map import make_class_mapper

    return make_class_mapper(model.flatbuffer, len(model.contract.spec.labels))


def _expect_arguments(
    model: str | Path | ModelFile | None, labels: str | Path | None, threshold: float | None, top_k: int
) -> None:
    if isinstance(model, ModelFile) and labels is not None:
        raise UsageError(f"The model is already open, so the labels {labels} cannot be used; give them to open_model.")
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UsageError(f"`threshold` is {threshold}, expected a probability in [0, 1].")
    if top_k < 1:
        raise UsageError(f"`top_k` is {top_k}, expected at least 1.")


def _expect_thresholds(thresholds: Mapping[str, float], labels: Sequence[str]) -> None:
    for label, threshold in thresholds.items():
        if label not in labels:
            raise UsageError(
                f"`class_thresholds` names {label!r}, expected a label of the model: {', '.join(labels[:10])}"
                f"{', ...' if len(labels) > 10 else ''}."
            )
        if not 0.0 <= threshold <= 1.0:
            raise UsageError(f"`class_thresholds` has {threshold} for {label}, expected a probability in [0, 1].")


def _expect_same(which: str, real: TensorSpec, promised: TensorSpec) -> None:
    if real != promised:
        raise ModelError(
            f"The model's {which} is {_words(real)} but its contract says {_words(promised)}: they come from "
            "different runs. Convert the model again."
        )


def _expect_features(found: NDArray[Any], promised: Neighbours) -> None:
    if found.size != promised.width or found.dtype != np.int8:
        raise ModelError(
            f"The model's tensor {promised.tensor} is {found.shape} {found.dtype} but its contract says it holds "
            f"{promised.width} int8 features: they come from different runs. Convert the model again."
        )


def _words(tensor: TensorSpec) -> str:
    quantization = (
        "" if tensor.dtype == "float32" else f" with scale {tensor.scale!r} and zero point {tensor.zero_point}"
    )
    return f"{tensor.shape} {tensor.dtype}{quantization}"
