"""The model of a run: the named one, or the installed one, which the run follows when it changes."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.cli.flags import make_first_run, open_flagged_classifier, open_flagged_model, read_stated_flags
from edge_runtime.cli.run.outputs import needs_maps
from edge_runtime.errors import EdgeRuntimeError, MissingInputError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.installed.candidate import ModelFollower
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.store.store import Store
from edge_runtime.system.watchdog import Watchdog


class RunModel:
    """``classifier`` is the one to begin with; a `Loop` asks `between_frames` for another."""

    def __init__(self, classifier: Classifier, follower: ModelFollower | None, watchdog: Watchdog) -> None:
        self.classifier, self._follower, self._watchdog = classifier, follower, watchdog

    @property
    def model(self) -> ModelFile:
        return self.classifier.model

    def between_frames(self, num_labels: int, num_late: int) -> Classifier | None:
        """Feeds the watchdog; returns another classifier when the model in use has changed."""
        self._watchdog.alive(num_labels)
        changed = self._follower(num_labels, num_late) if self._follower is not None else None
        if changed is not None:
            self.classifier = changed
        return changed


@contextlib.contextmanager
def open_run_model(flags: Namespace) -> Iterator[RunModel]:
    """The model that the flags of ``run`` select, for as long as the block runs.

    A run that ends through the model's fault, or through a bug, counts against a candidate; a missing camera does not.
    """
    watchdog = Watchdog()
    maps = needs_maps(flags)
    if flags.model:
        model = open_flagged_model(flags)
        yield RunModel(open_flagged_classifier(flags, model, model.contract.region, maps=maps), None, watchdog)
        watchdog.stopping()
        return

    def load(path: Path) -> Classifier:
        # Where others may write the store, what it holds is as unknown as a file that a flag names.
        model = open_model(path, flags.labels, read_stated_flags(flags), meet_unproved=make_first_run(flags))
        return open_flagged_classifier(flags, model, model.contract.region, maps=maps)

    follower = ModelFollower(Store(), load)
    path = follower.begin()
    try:
        classifier = load(path)
    except (ModelError, MissingInputError) as error:
        if (
            isinstance(error, MissingInputError) and path.exists()
        ):  # the --labels file is missing: not the model's fault
            raise
        classifier = load(follower.instead(error))
    except (SystemExit, ImportError):  # told to end while starting
        follower.end()
        raise
    try:
        yield RunModel(classifier, follower, watchdog)
    except ModelError:
        raise
    except (EdgeRuntimeError, SystemExit):
        follower.end()
        raise
    watchdog.stopping()
    follower.end()
