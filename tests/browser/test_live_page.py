"""The live page in a real browser, on a real run with a network camera: what a viewer sees, in every state."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_runtime.cameras.pace import UNKNOWN_S

pytestmark = pytest.mark.slow
Run = Callable[..., subprocess.Popen[str]]
LABEL = "document.getElementById('label')?.textContent"
CHIP = "document.getElementById('chip-word')?.textContent"
VEIL = "document.getElementById('veil')?.hidden === false && document.getElementById('veil').innerText"
WIDTHS = {"phone": (390, 844, True), "narrow": (320, 640, True), "desktop": (1280, 800, False)}


def words(page: Any, chip: str, limit_s: float = 2 * UNKNOWN_S) -> str:
    """Waits for the chip; a camera that stops before its rate is known is missed only after ``UNKNOWN_S``."""
    page.wait_for(f"{CHIP} === {json.dumps(chip)}", limit_s)
    return str(page.value("document.getElementById('chip').innerText"))


def veiled(page: Any, start: str) -> None:
    """Waits until these words stand over the picture."""
    page.wait_for(f"({VEIL} || '').startsWith({json.dumps(start)})")


def test_label_and_bars_follow_the_picture(run: Run, page: Any, camera: Any) -> None:
    run()
    for name, colour in {"red": (40, 40, 200), "green": (40, 200, 40), "blue": (200, 40, 40)}.items():
        camera.colour = colour
        page.wait_for(f"{LABEL} === {json.dumps(name)}")
        page.wait_for(f"document.querySelector('#changes b')?.textContent === {json.dumps(name)}")
        bars = page.value("[...document.querySelectorAll('#bars li')].map((row) => [row.querySelector('.name').textContent, "
                          "parseFloat(row.querySelector('.fill').style.width), row.querySelector('.value').textContent])")  # fmt: skip
        assert bars[0][0] == name and len(bars) == 3
        assert bars[0][1] > bars[1][1] >= bars[2][1]
        assert bars[0][2].endswith(" %")
    assert words(page, "live") == "live"
    changes = page.wait_for("document.querySelectorAll('#changes li').length >= 3 && [...document.querySelectorAll('#changes b')]"
                            ".map((name) => name.textContent)")  # fmt: skip
    assert changes[:3] == ["blue", "green", "red"]
    page.wait_for("[...document.querySelectorAll('#changes img')].every((image) => image.naturalWidth === 128)")
    assert page.complaints == []


def test_the_picture_on_the_page_is_the_camera_s_and_fresh(run: Run, page: Any, camera: Any) -> None:
    run()
    page.wait_for("document.getElementById('stage').className === ''")
    camera.colour = (200, 40, 40)
    pixel = "[...document.getElementById('frame').getContext('2d').getImageData(160, 120, 1, 1).data].slice(0, 3)"
    page.wait_for(f"(([r, g, b]) => b > 180 && r < 110)({pixel})")
    age_ms = page.value("parseFloat(document.getElementById('age').textContent)")
    assert 0 <= age_ms < 1000


def test_a_frozen_a_black_and_a_lost_camera_are_said_in_words_and_never_shown_as_live(
    run: Run, page: Any, camera: Any
) -> None:
    run()
    page.wait_for(f"{LABEL} === 'red'")
    camera.frozen = camera.picture(0)
    assert "the same image for" in words(page, "frozen")
    veiled(page, "Frozen")
    assert page.value(LABEL) == "no label"
    camera.frozen = camera_black()
    assert "black" in words(page, "black")
    veiled(page, "Black")
    camera.frozen = None
    words(page, "live")
    page.wait_for(f"{LABEL} === 'red'")
    camera.server.stop()
    assert "cannot be reached" in words(page, "no camera")
    veiled(page, "No camera")
    assert page.value(LABEL) == "no label" and page.value("document.querySelectorAll('#bars li').length") == 0
    page.wait_for(
        "parseFloat(document.getElementById('age').textContent) > 1 && document.getElementById('age').className === 'late'"
    )
    camera.server.start()
    words(page, "live", 30)
    page.wait_for(f"{LABEL} === 'red'")
    assert page.complaints == []


def camera_black() -> bytes:
    import numpy as np

    return bytes(cv2.imencode(".jpg", np.zeros((240, 320, 3), np.uint8))[1].tobytes())


def test_a_lost_connection_is_said_and_ends_by_itself(run: Run, page: Any) -> None:
    process = run(address="18931")
    page.wait_for(f"{LABEL} === 'red'")
    process.terminate()
    assert process.wait(10) == 0
    assert "nothing heard from the device" in words(page, "connection lost")
    veiled(page, "Connection lost")
    assert page.value(LABEL) == "no label"
    page.open("about:blank")


def test_a_camera_of_unknown_rate_is_not_called_live_while_nothing_comes(run: Run, page: Any, camera: Any) -> None:
    camera.server.fps = 0.2  # a label holds for two seconds
    run()
    page.wait_for(f"{CHIP} === 'waiting' && ({VEIL} || '').startsWith('No fresh frame for')", 30)
    assert "No fresh frame for" in page.value("document.getElementById('chip').innerText")
    camera.server.fps = 20
    assert words(page, "live") == "live"
    assert page.complaints == []


def test_below_the_threshold_the_label_is_drawn_as_unknown(run: Run, page: Any) -> None:
    run("--threshold", "1.0")
    page.wait_for(f"{LABEL} === 'unknown'")
    assert page.value("document.getElementById('label').className") == "unknown"
    assert page.value("document.getElementById('bars').className") == "unknown"
    assert page.value("document.getElementById('guess').textContent") == "not sure; best guess red, below 100 %"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", sorted(WIDTHS))
def test_nothing_overflows(run: Run, page: Any, camera: Any, width: str, dark: bool) -> None:
    run("--hold", "2/3")
    page.wait_for(f"{LABEL} === 'red'")
    across, down, phone = WIDTHS[width]
    page.size(across, down, dark=dark, phone=phone)
    page.wait_for(f"innerWidth === {across}")
    for _ in range(2):
        assert page.value("document.documentElement.scrollWidth") <= across
        wide = page.value("[...document.querySelectorAll('body *')].filter((part) => !part.closest('#changes, .unseen') && "
                          "part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.id || part.tagName)")  # fmt: skip
        assert wide == []
        camera.server.stop()
        words(page, "no camera")


def evil_model(folder: Path) -> Path:
    """The toy model with its first class named like markup."""
    import dataclasses

    from edge_runtime.model.model_file import open_model, write_model

    toy = open_model(Path(__file__).parents[1] / "edge_runtime" / "toys" / "uint8_metadata.tflite")
    labels = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", *toy.contract.spec.labels[2:])
    spec = dataclasses.replace(
        toy.contract.spec, labels=labels, input=dataclasses.replace(toy.contract.spec.input, resize="crop")
    )
    path = folder / "evil.tflite"
    path.write_bytes(write_model(toy.flatbuffer, dataclasses.replace(toy.contract, spec=spec, parts={}), None))
    return path


def test_a_class_named_like_markup_is_shown_as_text(run: Run, page: Any, tmp_path: Path) -> None:
    run(model=evil_model(tmp_path))
    page.wait_for(f"{LABEL} === '<img src=x onerror=alert(1)>'")
    page.wait_for("document.querySelector('#changes b')?.textContent === '<img src=x onerror=alert(1)>'")
    assert page.value("document.querySelectorAll('img').length === document.querySelectorAll('#changes img').length")
    assert page.value("document.querySelectorAll('script').length") == 1
    assert page.complaints == []


def test_the_part_that_the_model_sees_is_framed(run: Run, page: Any, tmp_path: Path) -> None:
    run(model=evil_model(tmp_path))  # it crops the middle: 240 of 320 pixels
    page.wait_for("document.getElementById('crop').textContent.includes('the framed part')")
    page.wait_for("document.getElementById('stage').className === ''")
    row = page.value(
        "[5, 20, 160, 300].map((x) => document.getElementById('frame').getContext('2d').getImageData(x, 120, 1, 1).data[0])"
    )
    assert max(row[0], row[1], row[3]) < 0.7 * row[2]


def test_a_switch_shows_where_the_model_looks(run: Run, page: Any) -> None:
    run()
    page.wait_for(f"{LABEL} === 'red'")
    pixels = "[...document.getElementById('frame').getContext('2d').getImageData(100, 100, 40, 40).data]"
    colours = f"{pixels}.reduce((n, v, i, all) => n + (i % 4 === 1 && all[i - 1] > 150 && v > 60 && v < 150 && all[i + 1] < 60), 0)"
    page.wait_for(f"{colours} < 100")
    page.value("document.getElementById('heat').click()")
    assert page.value("document.getElementById('heat').getAttribute('aria-pressed')") == "true"
    page.wait_for(f"{colours} > 800")
    page.value("document.getElementById('heat').click()")
    page.wait_for(f"{colours} < 100")


def test_inline_script_and_other_servers_are_blocked(run: Run, page: Any) -> None:
    run()
    page.wait_for(f"{LABEL} === 'red'")
    page.value("window.violations = []; document.addEventListener('securitypolicyviolation', (event) => "
               "violations.push(event.effectiveDirective))")  # fmt: skip
    page.value(
        "document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.2:9/x.png' })); 1"
    )
    page.value("fetch('http://127.0.0.2:9/').catch(() => 1)")
    assert (
        page.value(
            "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'written'; } catch { return 'refused'; } })()"
        )
        == "refused"
    )
    page.wait_for("violations.includes('img-src') && violations.includes('connect-src')")
    assert page.value("document.querySelectorAll('body').length") == 1


def test_the_keyboard_reaches_everything_and_pauses_the_picture(run: Run, page: Any) -> None:
    run()
    page.wait_for("document.getElementById('stage').className === ''")
    press(page, "Tab", 9)
    assert page.value("document.activeElement.id") == "heat"
    press(page, "Tab", 9)
    assert page.value("document.activeElement.id") == "pause"
    press(page, " ", 32)
    veiled(page, "Paused")
    assert page.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    page.wait_for("fetch('api/state').then((answer) => answer.json()).then((state) => state.viewers === 0)")
    press(page, " ", 32)
    page.wait_for("document.getElementById('stage').className === ''")
    press(page, "Tab", 9)
    assert page.value("document.activeElement.id") == "changes"


def press(page: Any, key: str, code: int) -> None:
    text = {"text": key} if key == " " else {}
    page.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


def test_the_token_opens_the_page_with_all_its_parts(run: Run, page: Any, tmp_path: Path) -> None:
    token = "3f1c9a7be2d84c0f9a6b5d2e7c1f8a40"
    (tmp_path / "token").write_text(token)
    (tmp_path / "token").chmod(0o600)
    page.call("Network.setExtraHTTPHeaders", headers={
        "Authorization": "Basic " + base64.b64encode(f"me:{token}".encode()).decode()
    })  # fmt: skip
    try:
        run("--web-token-file", str(tmp_path / "token"))
        page.wait_for(f"{LABEL} === 'red'")
        page.wait_for("document.getElementById('stage').className === ''")
        assert page.value(LABEL) == "red"
    finally:
        page.call("Network.setExtraHTTPHeaders", headers={})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("state", ["live", "no camera", "unknown"])
def test_accessibility_has_no_finding(
    run: Run, page: Any, camera: Any, list_findings: Callable[[], list[Any]], state: str, dark: bool
) -> None:
    run(*(["--threshold", "1.0"] if state == "unknown" else []))
    page.size(390, 844, dark=dark, phone=True)
    page.wait_for(f"{LABEL} === {json.dumps('unknown' if state == 'unknown' else 'red')}")
    if state == "no camera":
        camera.server.stop()
        words(page, "no camera")
    page.wait_for("document.getAnimations().length === 0")  # the bars would be measured half-way
    assert list_findings() == []


BOX = "(({{ left, top, width, height }}) => [left, top, width, height])(document.getElementById('{}').getBoundingClientRect())"


def test_a_rectangle_dragged_over_the_frame_becomes_the_flag_to_copy(run: Run, page: Any) -> None:
    run()
    page.wait_for("document.getElementById('stage').className === ''")
    box = page.value(BOX.format("frame"))
    drag(page, box, (0.75, 0.8), (0.25, 0.4))  # from the lower right to the upper left
    flag = page.wait_for(
        "document.getElementById('region').hidden === false && document.getElementById('region-flag').textContent"
    )
    assert flag.startswith("--region ")
    region = [float(part) for part in flag.split()[1].split(",")]
    assert region == pytest.approx([0.25, 0.4, 0.5, 0.4], abs=0.03)  # a scroll bar may appear meanwhile
    # The page moves the frame when a line around it wraps or appears, and the mark follows.
    expected = f"[{', '.join(map(str, region))}]"
    page.wait_for(f"""(([left, top, width, height], mark, [x, y, w, h]) =>
        [left + x * width, top + y * height, w * width, h * height].every((side, i) => Math.abs(side - mark[i]) < 3)
    )({BOX.format("frame")}, {BOX.format("mark")}, {expected})""")
    page.value("document.getElementById('region-copy').click()")
    page.wait_for("['Copied', 'Selected'].includes(document.getElementById('region-copy').textContent)")
    assert page.value("getSelection().toString()") == flag
    drag(page, box, (0.5, 0.5), (0.5, 0.5))  # a click takes it back
    page.wait_for("document.getElementById('region').hidden && document.getElementById('mark').hidden")
    assert page.complaints == []


def drag(page: Any, box: list[float], start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, from one place of the frame to another, both in fractions."""
    for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
        page.call("Input.dispatchMouseEvent", type=kind, x=box[0] + x * box[2], y=box[1] + y * box[3], button="left",
                  buttons=0 if kind == "mouseReleased" else 1, clickCount=1)  # fmt: skip


def test_a_region_is_framed_on_the_page_and_named(run: Run, page: Any) -> None:
    run("--region", "0.5,0,0.5,1")
    page.wait_for("document.getElementById('crop').textContent.includes('the framed part')")
    page.wait_for("document.getElementById('facts').textContent.includes('0.5,0,0.5,1')")
    left, right = page.value(
        "[20, 240].map((x) => document.getElementById('frame').getContext('2d').getImageData(x, 120, 1, 1).data[0])"
    )
    assert left < 0.7 * right


def test_a_still_scene_says_since_when_and_stays_in_view(run: Run, page: Any, camera: Any, tmp_path: Path) -> None:
    run("--on-motion")
    page.wait_for(f"{LABEL} === 'red'")
    words = page.wait_for("document.getElementById('rest').textContent.includes('last known') && "
                          "document.getElementById('rest').textContent", 30)  # fmt: skip
    assert re.fullmatch(r"Nothing has moved since \d\d:\d\d:\d\d; last known label from \d\d:\d\d:\d\d", words)
    time.sleep(4.0)
    assert page.value(LABEL) == "red" and page.value(CHIP) == "live"
    assert page.value("document.getElementById('veil').hidden"), "the frame is as old as nothing has moved"
    assert "skipped on purpose" in page.value("document.querySelector('[data-name=\"Frames per second\"]').textContent")
    page.screenshot(tmp_path / "still.png")
    page.value("location.reload()")
    page.wait_for(f"{LABEL} === 'red' && document.getElementById('stage').className === ''", 20)
    camera.colour = (200, 40, 40)
    page.wait_for(f"{LABEL} === 'blue'")
    assert page.complaints == []
