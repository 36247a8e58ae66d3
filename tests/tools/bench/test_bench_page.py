"""What the bench writes: its table, its plot, its figures of whole programs."""

from __future__ import annotations

import urllib.request

from tests.tools.bench.live import Figure
from tests.tools.bench.live import to_markdown as figures_to_markdown
from tests.tools.bench.page import to_markdown, to_svg
from tests.tools.bench.race import Timing
from tests.tools.device.loopback_camera import stream

RACES = {
    "net, 32x32": (
        Timing("bare invoke()", 80.0, 90.0, 100),
        Timing("edge_runtime", 100.0, 120.0, 100),
        Timing("other", float("nan"), float("nan"), 0, "ImportError: no other"),
    )
}


def test_the_table_has_ratios_of_medians_and_says_why_a_contender_is_missing() -> None:
    lines = to_markdown(RACES, "a machine").splitlines()
    assert "| edge_runtime | 100 | 120 | 1.25 |" in lines
    assert "| other | – | – | ImportError: no other |" in lines


def test_the_chart_has_a_bar_for_everyone_that_ran() -> None:
    chart = to_svg({**RACES, "nobody ran": RACES["net, 32x32"][2:]})
    assert chart.startswith("<svg xmlns=") and ">net, 32x32</text>" in chart
    assert ">1.00</text>" in chart and ">1.25</text>" in chart
    assert "other" not in chart and "nobody" not in chart


def test_whole_programs_are_shown_beside_their_aims() -> None:
    table = figures_to_markdown((Figure("start", "1.4 x", "1.5 x", {"imports_s": 0.1}),))
    assert "| start | 1.4 x | 1.5 x |" in table


def test_the_network_camera_sends_numbered_jpegs() -> None:
    with stream(64, 48) as address, urllib.request.urlopen(address, timeout=5) as answer:
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        head = answer.read(400)
    assert head.startswith(b"--frame\r\nContent-Type: image/jpeg") and b"\xff\xd8" in head
