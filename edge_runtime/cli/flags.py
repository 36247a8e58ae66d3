"""What the verbs share: their flags, how these become a model and a classifier, and how a result is printed.

Imports what it needs when it is called: start-up time is most of what classifying one image costs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.system.printable import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from edge_runtime.cameras.options import CameraOptions
    from edge_runtime.contract import Region
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.model.model_file import ModelFile
    from edge_runtime.model.stated_input import StatedInput

CAMERA_HELP = (
    "0 | /dev/video2 | NAME | csi | picamera2 | rtsp://... | http://.../stream.mjpg | video.mp4 | DIR | "
    "synthetic[:640x480@30] | demo"
)


def add_camera_flags(parser: ArgumentParser, default: str | None = "0") -> None:
    """Adds --camera and the flags that describe a camera; without ``default`` the camera is optional."""
    absent = f"(default {default})" if default is not None else "(default: none is opened)"
    parser.add_argument("--camera", default=default, metavar="CAMERA", help=f"{CAMERA_HELP} {absent}")
    parser.add_argument(
        "--camera-password-file",
        metavar="FILE",
        help="password of rtsp://user@... or http://user@..., or the variable EDGE_RUNTIME_CAMERA_PASSWORD",
    )
    parser.add_argument(
        "--camera-ca",
        metavar="FILE",
        help="the certificate of an https:// or rtsps:// camera, or its authority's (default: the system's)",
    )
    parser.add_argument(
        "--expect-fps",
        type=float,
        metavar="F",
        help="the camera's own rate if it is slow, such as 0.1 for one image in 10 s (default: "
        "measured); a snapshot address is polled at this rate (default 1)",
    )


def read_camera_options(flags: Namespace) -> CameraOptions:
    """What the flags say about the camera. Raises what `CameraOptions` raises."""
    from edge_runtime.cameras.options import CameraOptions

    return CameraOptions(expect_fps=flags.expect_fps, camera_ca=flags.camera_ca)


def verb_parser(verb: str, description: str, *examples: str) -> ArgumentParser:
    """The parser of one verb, with its examples below its help."""
    import argparse

    from edge_runtime.cli.verb_parser import VerbParser

    return VerbParser(
        prog=f"edge-runtime {verb}",
        description=description,
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_model_flags(parser: ArgumentParser) -> None:
    """Adds --model, and the flags that a third-party model may need."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a .tflite file, or the name of a model that ships with the package, see info --models "
        "(default: the installed model, or else the package's default)",
    )
    parser.add_argument("--labels", metavar="FILE", help="one label per line, or JSON, for models that carry none")
    add_stated_flags(parser)


def add_stated_flags(parser: ArgumentParser) -> None:
    """Adds the flags for what a third-party model may leave open: how its input is made."""
    group = parser.add_argument_group("for models by others (adopt writes these into the file)")
    group.add_argument(
        "--normalize", metavar="FORM", help="what float pixels become: 0..1, -1..1, 0..255, imagenet, or MEAN,STD"
    )
    group.add_argument("--channels", choices=("rgb", "bgr"), help="the order of its colours (default rgb)")
    group.add_argument(
        "--resize", choices=("stretch", "crop", "letterbox"), help="how an image is resized (default stretch)"
    )
    group.add_argument("--input-size", metavar="SIDE|WxH", help="for models that leave their size open")


def read_stated_flags(flags: Namespace) -> StatedInput | None:
    """What the flags of `add_stated_flags` state, None when nothing; raises UsageError when it is malformed."""
    texts = (flags.normalize, flags.channels, flags.resize, flags.input_size)
    if texts == (None, None, None, None):
        return None
    from edge_runtime.model.stated_input import StatedInput

    return StatedInput.parse(*texts)


def add_classifier_flags(parser: ArgumentParser) -> None:
    """Adds the flags of a model and of what runs it."""
    add_model_flags(parser)
    parser.add_argument(
        "--backend",
        choices=("auto", "litert", "tflite"),
        default="auto",
        help="what runs the model (default auto)",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the backend (default 1)")
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="P|LABEL=P",
        help="answer unknown below this probability, or for one label, such as mug=0.8; repeatable "
        "(default: the model's)",
    )
    parser.add_argument("--top-k", type=int, default=3, metavar="K", help="how many classes to show (default 3)")


def read_threshold_flags(flags: Namespace) -> tuple[float | None, dict[str, float]]:
    """The values of --threshold: a probability for all classes (None without one), and those for single classes by
    label.

    Raises:
        UsageError: a value is not a number.
    """
    from edge_runtime.errors import UsageError

    everywhere, by_label = None, {}
    for given in flags.threshold:
        label, _, number = given.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise UsageError(
                f"`threshold` is {given!r}, expected a probability in [0, 1], or one for a label such as mug=0.8."
            ) from None
        if label:
            by_label[label] = value
        else:
            everywhere = value
    return everywhere, by_label


def add_region_flag(parser: ArgumentParser, default: str) -> None:
    """Adds --region; ``default`` says in words what is looked at without it."""
    parser.add_argument(
        "--region",
        metavar="X,Y,W,H",
        help="look only at this part of each image, in fractions of its width and height from the top left, such as "
        f"0.25,0.25,0.5,0.5 (default {default})",
    )


def read_region_flag(flags: Namespace) -> Region | None:
    """The region that --region names, None without it and for verbs without that flag; raises UsageError."""
    given = getattr(flags, "region", None)
    if given is None:
        return None
    from edge_runtime.pixels.region import parse_region

    return parse_region(given)


def add_store_flag(parser: ArgumentParser) -> None:
    """Adds --store."""
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="where installed models are (default: $EDGE_RUNTIME_STORE, else /var/lib/edge-runtime for root or when it "
        "is in use, else ~/.local/state/edge-runtime)",
    )


def add_format_flag(parser: ArgumentParser) -> None:
    """Adds --format and --quiet."""
    from edge_runtime.cli.verb_parser import add_quiet_flag

    parser.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="for people or for programs (default text)"
    )
    add_quiet_flag(parser)


def open_flagged_model(flags: Namespace) -> ModelFile:
    """The model that the flags name, else the one in use; assumptions about it go to stderr.

    A file that neither the package, the store nor a trusted key vouches for is tried in a separate process first.
    """
    from edge_runtime.model.model_file import open_model

    model = open_model(flags.model, flags.labels, read_stated_flags(flags), meet_unproved=make_first_run(flags))
    for assumption in model.assumptions:
        say(flags, f"edge-runtime: assumed: {assumption}")
    return model


def make_first_run(flags: Namespace) -> Callable[[bytes, str, Callable[[], ModelFile]], None]:
    """What `open_model` does before it reads a file that nobody vouches for: it tries the file as ``flags`` say."""

    def try_first(content: bytes, name: str, read: Callable[[], ModelFile]) -> None:
        from edge_runtime.installed.first_run import FirstRun, first_run, is_known

        if not is_known(content):
            threads = getattr(flags, "threads", 1)
            how = FirstRun(_list_backends(flags), threads if isinstance(threads, int) else 1)  # bench has a list
            first_run(content, name, read, how)

    return try_first


def _list_backends(flags: Namespace) -> tuple[str, ...]:
    """The backends that will run the model; none for a verb that only reads it."""
    backend = getattr(flags, "backend", None)
    if backend != "all":
        return (backend,) if backend else ()
    from edge_runtime.inference.interpreter import list_available_backends

    return list_available_backends()


def open_flagged_classifier(
    flags: Namespace, model: ModelFile, region: Region | None = None, *, maps: bool = False
) -> Classifier:
    """``model``, ready to classify as the flags say, with ``maps`` where it has them; OpenCV gets as many threads as
    the backend. ``region`` is what is looked at without --region. Raises what `Classifier` raises.
    """
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.pixels.opencv import cv2

    threshold, class_thresholds = read_threshold_flags(flags)
    classifier = Classifier(
        model,
        threads=flags.threads,
        backend=flags.backend,
        threshold=threshold,
        top_k=flags.top_k,
        region=read_region_flag(flags) or region,
        maps=maps,
        class_thresholds=class_thresholds,
    )
    cv2.setNumThreads(flags.threads)
    return classifier


def say(flags: Namespace, text: str) -> None:
    """Prints one line for people to stderr, unless --quiet is given. Errors are not printed this way."""
    if not flags.quiet:
        print(printable(text), file=sys.stderr, flush=True)


def print_result(form: str, text: Callable[[], str], value: Callable[[], object]) -> None:
    """Prints one result to stdout: text for people, or one line of JSON."""
    if form == "text":
        print(printable(text()), flush=True)
    else:
        from edge_runtime.system.json_line import to_json_line

        print(to_json_line(value(), allow_nan=True), flush=True)
