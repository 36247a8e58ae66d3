"""Places names beside the points of a plot so that none covers another name, a point or an interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from convert.output.theme import LIGHT

Spot = tuple[float, float]
Span = tuple[Spot, Spot]
_GAP = 9.0  # px between a point and its name
_NEAR = 22.0  # px; a name further away gets a line to its point


def place_names(
    plot: Axes, names: Sequence[str], spots: Sequence[Spot], taken: Sequence[Span], *, must: bool = False
) -> bool:
    """Writes each name near its spot (data coordinates), clear of all spots and of the upright bars ``taken``, each
    from one end to the other.

    Returns False, with nothing written, when there is no room for a name; with ``must`` it gets its first position.
    """
    figure = plot.get_figure(root=True)
    assert figure is not None
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer, frame = canvas.get_renderer(), plot.get_window_extent()  # type: ignore[no-untyped-call]
    pixels = [_transform(plot, spot) for spot in spots]
    blocked = [_bar(_transform(plot, low), _transform(plot, high)) for low, high in taken]
    blocked += [_box(x, y, 5.0, 5.0) for x, y in pixels]
    chosen: list[tuple[str, Bbox, Spot]] = []
    # From the right: of two points beside each other the left one has its name on the left.
    for name, (x, y) in sorted(zip(names, pixels, strict=True), key=lambda named: -named[1][0]):
        written = plot.text(0, 0, name)
        size = written.get_window_extent(renderer)
        written.remove()
        room = Bbox.from_extents(frame.x0 + 2, frame.y0 + 2, figure.bbox.x1 - 4, frame.y1 + 6)
        places = [box for box in _candidates(x, y, size.width, size.height) if _contains(room, box)]
        free = next((box for box in places if _is_free(box, (x, y), blocked)), None)
        if free is None and not must:
            return False
        box = free or (places[0] if places else _box(x, y + 12, size.width / 2, size.height / 2))
        blocked += [box, *_line_boxes((x, y), box)]
        chosen.append((name, box, (x, y)))
    back = plot.transData.inverted()
    for name, box, spot in chosen:
        if _line_boxes(spot, box):
            end = back.transform(_nearest(spot, box))
            start = back.transform(spot)
            plot.plot([start[0], end[0]], [start[1], end[1]], color=LIGHT["soft"], linewidth=0.7, zorder=1.6)
        x, y = back.transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        plot.text(x, y, name, ha="center", va="center", zorder=5).set_in_layout(False)
    # The layout is done: names that reach past the frame must not move it again.
    figure.set_layout_engine("none")
    return True


def _transform(plot: Axes, spot: Spot) -> Spot:
    """Data coordinates in px."""
    x, y = plot.transData.transform(spot)
    return float(x), float(y)


def _candidates(x: float, y: float, width: float, height: float) -> Iterator[Bbox]:
    """Boxes around a point, nearest first: right, left, above and below, then the same one line further away."""
    for rise in (0.0, 12.0, -12.0, 20.0, -20.0, 34.0, -34.0, 48.0, -48.0, 62.0, -62.0, 76.0, -76.0, 90.0, -90.0):
        beside = _GAP if abs(rise) < 16 else 0.0
        for left in (x + beside, x - beside - width, x - width / 2, x + 30, x - 30 - width):
            if abs(rise) >= 12 or not left < x < left + width:
                yield Bbox.from_bounds(left, y + rise - height / 2, width, height)


def _box(x: float, y: float, half_width: float, half_height: float) -> Bbox:
    return Bbox.from_extents(x - half_width, y - half_height, x + half_width, y + half_height)


def _bar(low: Spot, high: Spot) -> Bbox:
    return Bbox.from_extents(low[0] - 3, low[1] - 3, high[0] + 3, high[1] + 3)


def _contains(room: Bbox, box: Bbox) -> bool:
    return bool(room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1)


def _is_free(box: Bbox, spot: Spot, blocked: Sequence[Bbox]) -> bool:
    """Whether nothing lies under the box, and no name under the line that leads to it."""
    line = _line_boxes(spot, box)
    return not any(_overlap(box, other) for other in blocked) and not any(
        _overlap(piece, other) for piece in line for other in blocked if other.width > 10.5
    )


def _nearest(spot: Spot, box: Bbox) -> Spot:
    return min(max(spot[0], box.x0), box.x1), min(max(spot[1], box.y0), box.y1)


def _line_boxes(spot: Spot, box: Bbox) -> list[Bbox]:
    """Small boxes along the line from a far name to its point; none when the name is near."""
    end = _nearest(spot, box)
    length = ((end[0] - spot[0]) ** 2 + (end[1] - spot[1]) ** 2) ** 0.5
    if length < _NEAR:
        return []
    steps = int(length / 3)
    parts = [(step + 2) / (steps + 2) for step in range(steps)]
    return [_box(spot[0] + part * (end[0] - spot[0]), spot[1] + part * (end[1] - spot[1]), 1.0, 1.0) for part in parts]


def _overlap(one: Bbox, other: Bbox) -> bool:
    return bool(one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1)
