"""What the parent tells the capture process, as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.lookout import LookConfig
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.contract import InputSpec, Region
from edge_runtime.pixels.region import cut_input


@dataclass(frozen=True)
class Order:
    """What the parent wants: the camera and its options, the model's input, the inherited descriptors, the parent's
    process id, and the ``region`` of the frame in which movement counts.
    """

    address: CameraAddress
    shrink_for: InputSpec | None
    frames_fd: int
    event_fd: int
    parent: int
    options: CameraOptions = field(default_factory=CameraOptions)
    region: Region | None = None

    def to_json(self) -> str:
        """The order as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Order:
        """The order in a line of JSON."""
        data = json.loads(text)
        shrink_for = read_spec(data.pop("shrink_for"))
        address, region, options = CameraAddress(**data.pop("address")), data.pop("region"), data.pop("options")
        look = options.pop("look")
        return cls(
            address,
            shrink_for,
            **data,
            options=CameraOptions(**options, look=LookConfig(**look) if look else None),
            region=read_region(region),
        )


def read_spec(value: dict[str, Any] | None) -> InputSpec | None:
    """The input in a line of JSON, for a region of the frame if it names one."""
    if value is None:
        return None
    region = value.pop("region", None)
    return cut_input(InputSpec(**value), read_region(region))


def read_region(value: dict[str, float] | None) -> Region | None:
    """The region in a line of JSON."""
    return Region(**value) if value else None


def shrink_line(spec: InputSpec) -> str:
    """A later line: images are for this input from now on."""
    return json.dumps({"shrink_for": asdict(spec)}) + "\n"


def watch_line(region: Region | None) -> str:
    """A later line: movement counts in this region from now on."""
    return json.dumps({"watch": asdict(region) if region else None}) + "\n"


def look_line() -> str:
    """A later line: the next frame is looked at."""
    return json.dumps({"look": True}) + "\n"
