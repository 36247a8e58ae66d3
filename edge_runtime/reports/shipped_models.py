"""The list of the models that this package ships, for people and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from edge_runtime.model.model_file import ModelFile


def list_object(models: Mapping[str, ModelFile]) -> dict[str, Any]:
    """The ``models``, by name, as a JSON object."""
    return {
        "v": 1,
        "type": "models",
        "models": [
            {
                "name": name,
                "path": str(model.path),
                "model": model.contract.spec.name,
                "flatbuffer_bytes": len(model.flatbuffer),
                "scores": [dataclasses.asdict(score) for score in model.contract.scores],
            }
            for name, model in models.items()
        ],
    }


def list_text(models: Mapping[str, ModelFile]) -> str:
    """One line per model: its name, kind, size and accuracy."""
    lines = []
    for name, model in models.items():
        spec = model.contract.spec
        scores = ", ".join(f"{100 * score.accuracy:.2f} % with {score.backend}" for score in model.contract.scores)
        lines.append(
            f"{name:<10} {spec.name}: {len(spec.labels)} classes, {spec.input.width}x{spec.input.height}, "
            f"{len(model.flatbuffer):,} bytes; {scores or 'never measured'}"
        )
    return "\n".join(lines)
