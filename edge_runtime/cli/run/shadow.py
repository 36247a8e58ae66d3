"""The candidate of ``run --shadow``: its flags, and how its file becomes a `Shadow`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge_runtime.cli.flags import make_first_run, read_threshold_flags

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from edge_runtime.live.shadow import Shadow


def add_shadow_flags(parser: ArgumentParser) -> None:
    """Adds --shadow, and the flag that saves frames to which the candidate gives another label."""
    group = parser.add_argument_group("candidate")
    group.add_argument(
        "--shadow",
        metavar="MODEL",
        help="score this model on the same frames, without publishing its labels: how often it agrees, what it takes",
    )
    group.add_argument(
        "--save-differences",
        metavar="DIR",
        help="save frames to which it gives another label (default: the folder of another --save flag)",
    )


@contextlib.contextmanager
def open_shadow(flags: Namespace, *, live: bool) -> Iterator[Shadow | None]:
    """The candidate that the flags name, None without one; closed when the block ends.

    A file that nobody vouches for is tried in a separate process first, as for every model. Raises what opening a
    model and `Classifier` raise.
    """
    if not flags.shadow:
        yield None
        return
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.live.shadow import Shadow
    from edge_runtime.model.model_file import open_model
    from edge_runtime.pixels.region import parse_region

    model = open_model(flags.shadow, meet_unproved=make_first_run(flags))
    threshold, by_label = read_threshold_flags(flags)
    classifier = Classifier(
        model,
        backend=flags.backend,
        threshold=threshold,
        top_k=flags.top_k,
        region=parse_region(flags.region) if flags.region else model.contract.region,
        class_thresholds={label: by_label[label] for label in by_label if label in model.contract.spec.labels},
    )
    with contextlib.closing(Shadow(classifier, live=live)) as shadow:
        yield shadow
