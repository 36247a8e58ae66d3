"""The backbone that taught models are built on: a file beside the installed models, checked like one of them.

It is not a model to run by itself, and too large for the package, so it is a separate file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import MissingInputError
from edge_runtime.installed.first_run import FirstRun, try_unknown
from edge_runtime.installed.install import fetch, name_of
from edge_runtime.installed.probe import Probe, probe
from edge_runtime.installed.teach.replaced_head import find_head
from edge_runtime.model.model_file import ModelFile, open_model, read_model
from edge_runtime.model.signatures import require_trusted
from edge_runtime.store.store import Store
from edge_runtime.system.durable import write_durably

FILE = "teach-backbone.tflite"


@dataclass(frozen=True)
class InstalledBackbone:
    """Where the backbone is now, its SHA-256, and its result in the probe."""

    path: Path
    sha256: str
    probe: Probe


def find_backbone(store: Store) -> Path:
    """The path of the installed backbone, which may not exist."""
    return store.folder / FILE


def open_backbone(path: Path | None, store: Store) -> ModelFile:
    """The verified backbone at ``path``, None for the installed one.

    Raises:
        MissingInputError: there is none.
        ModelError: it is damaged, or cannot be taught.
        SignatureError: this device trusts a key and it is not signed with it.
    """
    place = find_backbone(store) if path is None else path
    if not place.exists():
        raise MissingInputError(
            f"There is no backbone {place}, which taught models are built on. Make it on a workstation (make "
            "teach-backbone), then name the file with `backbone`, or put it there for good with edge-runtime install "
            "and `as_backbone`."
        )
    model = open_model(place, meet_unproved=try_unknown(FirstRun()))
    find_head(model.flatbuffer)
    return model


def install_backbone(source: str, store: Store, backend: str = "auto") -> InstalledBackbone:
    """Puts the backbone at ``source``, a path or an http(s) address, into ``store``; the model in use stays.

    Raises: as `edge_runtime.installed.install.install`; ModelError also if it cannot be taught.
    """
    content = fetch(source)
    name = name_of(source)
    require_trusted(content, name)
    tried = probe(content, name, None, backend)
    find_head(read_model(content, name, needs_contract=True).flatbuffer)
    path = find_backbone(store)
    with store.changing():
        write_durably(path, content)
    return InstalledBackbone(path, hashlib.sha256(content).hexdigest(), tried)
