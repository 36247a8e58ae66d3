"""Which public models are compared, what their makers' own code does with an image, and what `edge-runtime` is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Prepare = Callable[[Pixels], NDArray[np.float64]]


def raw(rgb: Pixels) -> NDArray[np.float64]:
    """Pixels 0 to 255 as they are."""
    return rgb.astype(np.float64)


def unit(rgb: Pixels) -> NDArray[np.float64]:
    """Pixels in 0 to 1."""
    return rgb / 255.0


def signed(rgb: Pixels) -> NDArray[np.float64]:
    """Pixels in -1 to 1."""
    return rgb / 127.5 - 1.0


def unit_bgr(rgb: Pixels) -> NDArray[np.float64]:
    """Pixels in 0 to 1, blue first, as cv2.imread gives them."""
    return rgb[..., ::-1] / 255.0


def grey(rgb: Pixels) -> NDArray[np.float64]:
    """One channel, 0 to 255, with the weights of ITU-R BT.601."""
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114]))


def unit_grey(rgb: Pixels) -> NDArray[np.float64]:
    """One channel in 0 to 1."""
    return grey(rgb)[..., None] / 255.0


@dataclass(frozen=True)
class Foreign:
    """A model at ``path`` of ``repository``. ``prepare`` makes real numbers of an (h, w, 3) uint8 RGB image as the maker's
    code does, of the centre square where ``is_cropped``, None when the model is of a kind that is refused, with ``refusal`` in the text. ``stated`` are the
    arguments of `StatedInput.parse`; ``labels`` a file of the repository, a number of invented ones, or None.
    """

    kind: str
    repository: str
    path: str
    prepare: Prepare | None = None
    labels: str | int | None = None
    stated: tuple[tuple[str, str], ...] = ()
    refusal: str = ""
    is_cropped: bool = False


_CORAL, _SUPPORT, _TINY = "google-coral/test_data", "tensorflow/tflite-support", "mlcommons/tiny"
_VISION = "tensorflow_lite_support/cc/test/testdata/task/vision/"
_PYTHON = "tensorflow_lite_support/metadata/python/tests/testdata/"
_IC = "benchmark/training/image_classification/trained_models/"
_VWW = "benchmark/training/visual_wake_words/trained_models/"
_ASSETS = "app/src/main/assets/"
_SIGNED, _UNIT, _RAW = (("normalize", "-1..1"),), (("normalize", "0..1"),), (("normalize", "0..255"),)

MODELS = (
    Foreign("Coral, uint8, 128 px", _CORAL, "mobilenet_v1_0.25_128_quant.tflite", raw),
    Foreign("Coral, uint8, 160 px", _CORAL, "mobilenet_v1_0.5_160_quant.tflite", raw),
    Foreign("Coral, uint8, 192 px", _CORAL, "mobilenet_v1_0.75_192_quant.tflite", raw),
    Foreign("Coral, uint8, 224 px", _CORAL, "mobilenet_v2_1.0_224_quant.tflite", raw),
    Foreign("Coral, birds", _CORAL, "mobilenet_v2_1.0_224_inat_bird_quant.tflite", raw),
    Foreign("Coral, insects", _CORAL, "mobilenet_v2_1.0_224_inat_insect_quant.tflite", raw),
    Foreign("TensorFlow 2 post-training, uint8", _CORAL, "tf2_mobilenet_v2_1.0_224_ptq.tflite", raw),
    Foreign("TensorFlow 1 float, no metadata", _SUPPORT, _VISION + "mobilenet_v1_0.25_224_1_default_1.tflite", signed, 1001, _SIGNED),
    Foreign("TensorFlow Hub float, metadata", _SUPPORT, _VISION + "mobilenet_v1_0.25_224_1_metadata_1.tflite", signed),
    Foreign("TensorFlow Hub uint8, metadata", _SUPPORT, _VISION + "mobilenet_v1_0.25_224_quant.tflite", raw),
    Foreign("uint8, metadata without a graph", _SUPPORT, _VISION + "mobilenet_v1_0.25_224_quant_without_subgraph_metadata.tflite", raw, 1001),
    Foreign("uint8 logits", _SUPPORT, _PYTHON + "image_classifier/mobilenet_v2_1.0_224_quant.tflite", raw, 1001),
    Foreign("AutoML, uint8, mean and deviation that do not hold", _SUPPORT, _VISION + "automl_labeler_model.tflite", raw),
    Foreign("MLPerf Tiny float, raw pixels", _TINY, _IC + "pretrainedResnet.tflite", raw, 10, _RAW),
    Foreign("MLPerf Tiny float, large", _TINY, _IC + "pretrainedResnet_large_float.tflite", raw, 10, _RAW),
    Foreign("MLPerf Tiny int8", _TINY, _IC + "pretrainedResnet_quant.tflite", raw, 10),
    Foreign("MLPerf Tiny int8, large", _TINY, _IC + "pretrainedResnet_large_int8.tflite", raw, 10),
    Foreign("MLPerf Tiny wake words, float", _TINY, _VWW + "vww_96_float.tflite", unit, 2, _UNIT),
    Foreign("MLPerf Tiny wake words, int8", _TINY, _VWW + "vww_96_int8.tflite", unit, 2),
    Foreign("Teachable Machine float", "CodeFreaks2020/Calorie-Counter", "model_unquant.tflite", signed, "labels.txt", _SIGNED),
    Foreign("Teachable Machine float", "Vipul2218/CarLogoTFLiteClassifier", _ASSETS + "model_unquant.tflite", signed, _ASSETS + "labels.txt", _SIGNED),
    Foreign("Teachable Machine float", "SrishtiRoy/Real-time-Image-Classifier", _ASSETS + "model_unquant.tflite", signed, _ASSETS + "labels.txt", _SIGNED),
    Foreign("Teachable Machine float", "RajSolai/IoT-quick-fruit-quality-checkup", "model_unquant.tflite", signed, 2, _SIGNED),
    Foreign("Teachable Machine uint8", "Vipul2218/CarLogoTFLiteClassifier", _ASSETS + "model.tflite", raw, _ASSETS + "labels.txt"),
    Foreign("Teachable Machine uint8, other scale", "Aseel12345678/mask_detection", "model.tflite", raw, "labels.txt"),
    Foreign("Teachable Machine uint8, numbered labels", "Arshdeep-13/Emotion-Detection-app", "model.tflite", raw, "labels.txt"),
    Foreign("Keras float, 64 px, 0 to 1", "15Eiman/ai-shapy-doodly", "model.tflite", unit, 4, _UNIT),
    Foreign("Keras float, 224 px, 0 to 1", "AmitSingh2329/plant_disease_model", "model.tflite", unit, 38, _UNIT),
    Foreign("Keras float, 30 px, raw pixels", "BhanuYadav140695/TRAFFIC_SIGN_CLASSIFIER", "model.tflite", raw, 43, _RAW),
    Foreign("Keras grey digits, float", "AnchitSingh/MnistApp", "model.tflite", unit_grey, 10, _UNIT),
    Foreign("grey digits, uint8 without a scale", "alankrantas/MNIST-Live-Detection-TFLite", "mnist.tflite", grey, 10),
    Foreign("OpenCV's colours (BGR), float", "Apfol/liveness-detection-opencv", "model.tflite", unit_bgr, 2, (*_UNIT, ("channels", "bgr"))),
    Foreign("one sigmoid, two labels", "PreetUnadkat/animal_classifier", "animal_classifier.tflite", unit, 2, _UNIT),
    Foreign("Ultralytics classifier, 640 px", "mohamed-cherif/Trash", "best_float16.tflite", unit, is_cropped=True),
    Foreign("Git LFS pointer", "Suoregnadrm/yolo_tflite", "best_float32.tflite", refusal="a Git LFS pointer"),
    Foreign("Edge TPU", _CORAL, "mobilenet_v1_0.25_128_quant_edgetpu.tflite", refusal="compiled for the Edge TPU"),
    Foreign("SSD detector", _SUPPORT, _VISION + "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite", refusal="it detects objects"),
    Foreign("Flex operators", "PreetUnadkat/animal_classifier", "efficientdet_lite0_320.tflite", refusal="needs TensorFlow itself"),
    Foreign("segmentation", _SUPPORT, _VISION + "deeplabv3.tflite", refusal="does not classify images"),
    Foreign("segmentation, class numbers", _CORAL, "deeplabv3_mnv2_dm05_pascal_quant.tflite", refusal="without the ARG_MAX"),
    Foreign("LSTM that keeps its state", _CORAL, "keras_lstm_mnist_ptq.tflite", refusal="keeps a state"),
    Foreign("pose", _CORAL, "movenet_single_pose_lightning_ptq.tflite", refusal="does not classify images"),
    Foreign("text", _SUPPORT, _PYTHON + "nl_classifier/movie_review.tflite", refusal="int32"),
    Foreign("float without a statement", "15Eiman/ai-shapy-doodly", "model.tflite", labels=4, refusal="how they are normalised"),
)  # fmt: skip
