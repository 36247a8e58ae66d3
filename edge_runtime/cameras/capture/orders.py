"""What the parent tells the capture process, as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.contract import InputSpec, Region
from edge_runtime.pixels.region import cut_input


@dataclass(frozen=True)
class Order:
    """What the parent wants: the camera and what is known of it, the model's input, the inherited descriptors, and the
    parent's process id."""

    address: CameraAddress
    shrink_for: InputSpec | None
    frames_fd: int
    event_fd: int
    parent: int
    options: CameraOptions = field(default_factory=CameraOptions)

    def to_json(self) -> str:
        """The order as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Order:
        """The order that a line of JSON holds."""
        data = json.loads(text)
        shrink_for = read_spec(data.pop("shrink_for"))
        address, options = CameraAddress(**data.pop("address")), CameraOptions(**data.pop("options"))
        return cls(address, shrink_for, **data, options=options)


def read_spec(value: dict[str, Any] | None) -> InputSpec | None:
    """The input that a line of JSON holds, of a region of the frame where it names one."""
    if value is None:
        return None
    region = value.pop("region", None)
    return cut_input(InputSpec(**value), Region(**region) if region else None)


def spec_to_json(spec: InputSpec) -> str:
    """A later line: images are for this input from now on."""
    return json.dumps(asdict(spec)) + "\n"
