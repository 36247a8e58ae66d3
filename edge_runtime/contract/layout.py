"""The memory layout of a foreign model's input tensor, if it is not (1, height, width, 3) RGB."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import ModelError

CHANNELS = ("rgb", "bgr", "grey")
AXES = ("NHWC", "NCHW", "NHW")


@dataclass(frozen=True)
class InputLayout:
    """``channels`` is the colour order, or "grey" for one channel; ``axes`` is the order of batch, height, width and
    channels; "NHW" has no axis for its single grey channel.
    """

    channels: str
    axes: str

    def __post_init__(self) -> None:
        for what, value, allowed in (("channel order", self.channels, CHANNELS), ("axes", self.axes, AXES)):
            if value not in allowed:
                raise ModelError(f"The input's {what} is {value!r}, expected one of {', '.join(allowed)}.")
        if self.axes == "NHW" and self.channels != "grey":
            raise ModelError(f"The input's axes are NHW with {self.channels} channels, expected grey ones.")

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """The shape of a tensor with one image of this size."""
        count = 1 if self.channels == "grey" else 3
        sizes = {"N": 1, "H": height, "W": width, "C": count}
        return tuple(sizes[axis] for axis in self.axes)


OURS = InputLayout("rgb", "NHWC")
