"""The sorting page in a real browser, on a real process: keyboard alone, undo, a crash, a phone, and the camera."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
LABELS = ("key", "lamp", "mug", "pen", "shoe")
LEFT = "document.getElementById('left').textContent"
TILES = "[...document.querySelectorAll('#tiles li[data-index]')]"
Sort = Callable[..., subprocess.Popen[str]]


def save_scenes(folder: Path, num_scenes: int, num: int, right: float = 0.8) -> dict[str, str]:
    """``num`` noisy frames of each scene, a fifth of the scenes mistaken; the truth by file name."""
    rng = np.random.default_rng(7)
    truth: dict[str, str] = {}
    folder.mkdir()
    for scene in range(num_scenes):
        kind = LABELS[scene % 5]
        wrong = rng.random() >= right
        said = LABELS[(scene + 1 + int(rng.integers(4))) % 5] if wrong else kind
        score = rng.uniform(0.3, 0.6) if wrong else rng.uniform(0.4, 0.95)
        ground = cv2.resize(rng.integers(0, 255, (6, 8, 3)).astype(np.uint8), (160, 120)).astype(np.int64)
        for _ in range(num):
            pixels = np.clip(ground + rng.integers(-4, 5, ground.shape), 0, 255).astype(np.uint8)
            name = f"20251124T{len(truth) // 3600:02d}{len(truth) // 60 % 60:02d}{len(truth) % 60:02d}.000Z-{len(truth):08d}"
            (folder / f"{name}.jpg").write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
            record = {"ts": 1.764e9 + len(truth), "label": said, "top": [{"label": said, "score": float(score)}]}
            (folder / f"{name}.json").write_text(json.dumps(record))
            truth[f"{name}.jpg"] = kind
    return truth


@pytest.fixture
def sort(page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sort]:
    """Starts ``python -m train.sort`` and opens its page."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, size: tuple[int, int] = (1400, 900), phone: bool = False) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "train.sort", *arguments, "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("sort here: "):
            assert line, "the process ended"
        page.complaints.clear()
        page.size(*size, phone=phone)
        page.open(line.split()[2])
        page.wait_for(f"document.readyState === 'complete' && {LEFT} !== 'loading'", 30)
        return process

    yield start
    page.open("about:blank")
    for process in processes:
        process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def press(page: Any, key: str) -> None:
    code = {"Enter": 13, "Backspace": 8, "Delete": 46}.get(key, 0)
    event = {
        "key": key,
        "windowsVirtualKeyCode": code,
        **({"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}),
    }
    page.call("Input.dispatchKeyEvent", type="keyDown", **event)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


def on_page(page: Any) -> list[dict[str, Any]]:
    """The tiles that are shown: their first frame's number, their letter, their caption."""
    found: list[dict[str, Any]] = page.value(
        f"{TILES}.map((item) => ({{frame: parseInt(item.querySelector('img').src.split('/').at(-1)), "
        "key: item.querySelector('.key').textContent, words: item.querySelector('p').textContent, "
        "done: item.classList.contains('done')}))"
    )
    return found


def sorted_into(photos: Path) -> dict[str, str]:
    return {
        path.name: path.parent.name for path in photos.glob("*/*.jpg") if not path.parent.name.startswith(".sorted")
    }


def settled(page: Any, photos: Path, num: int, limit_s: float = 60.0) -> dict[str, str]:
    end_s = time.monotonic() + limit_s
    while len(found := sorted_into(photos)) != num:
        assert time.monotonic() < end_s, f"{len(found)} of {num} sorted; {page.value('document.body.innerText')}"
        time.sleep(0.1)
    return found


def test_a_thousand_frames_are_sorted_with_under_two_hundred_keys(sort: Sort, page: Any, tmp_path: Path) -> None:
    truth = save_scenes(tmp_path / "frames", num_scenes=200, num=5)
    sort(str(tmp_path / "frames"), "--into", str(tmp_path / "photos"), "--labels", *LABELS)
    names = sorted(truth)
    num_keys = 0
    while page.value(LEFT)[:13] != "0 frames left":
        tiles = on_page(page)
        assert tiles and num_keys < 400, page.value("document.body.innerText")
        # A person sees which tiles are not what the others are: chooses those by letter, and labels them together.
        wrong: dict[str, list[str]] = {}
        for tile in tiles:
            kind = truth[names[tile["frame"]]]
            if not tile["done"] and not tile["words"].startswith(f"{kind} "):
                wrong.setdefault(kind, []).append(tile["key"])
        for kind, letters in wrong.items():
            for key in [*letters, str(LABELS.index(kind) + 1)]:
                press(page, key)
                num_keys += 1
        if not tiles or len(tiles) > sum(map(len, wrong.values())):
            press(page, "Enter")
            num_keys += 1
    found = settled(page, tmp_path / "photos", 1000)
    assert found == truth
    assert num_keys < 200, num_keys
    print(f"{num_keys} keys")
    assert page.complaints == []


def test_undo_names_background_and_discard_by_keys(sort: Sort, page: Any, tmp_path: Path) -> None:
    save_scenes(tmp_path / "frames", num_scenes=6, num=1)
    photos = tmp_path / "photos"
    sort(str(tmp_path / "frames"), "--into", str(photos), "--labels", *LABELS)
    page.value("(document.getElementById('looks').value = '')")
    press(page, "1")
    assert list(settled(page, photos, 1).values()) == ["key"]
    press(page, "Backspace")
    settled(page, photos, 0)
    press(page, "0")
    press(page, "Delete")
    assert Counter(settled(page, photos, 2).values()) == {"background": 1, ".discarded": 1}
    press(page, "/")
    page.wait_for("document.getElementById('names').open")
    page.call("Input.insertText", text="old shoe")
    press(page, "Enter")
    assert Counter(settled(page, photos, 3).values())["old shoe"] == 1
    page.wait_for("[...document.querySelectorAll('#classes button')].some((b) => b.dataset.label === 'old shoe')")
    assert page.complaints == []


def test_a_stack_is_opened_and_its_frames_labelled_apart(sort: Sort, page: Any, tmp_path: Path) -> None:
    save_scenes(tmp_path / "frames", num_scenes=1, num=3, right=1.0)
    sort(str(tmp_path / "frames"), "--into", str(tmp_path / "photos"), "--labels", *LABELS)
    assert len(on_page(page)) == 1
    press(page, ".")
    assert len(on_page(page)) == 3
    press(page, "b")
    press(page, "2")
    press(page, "Enter")
    assert Counter(settled(page, tmp_path / "photos", 3).values()) == {"key": 2, "lamp": 1}


def test_a_killed_process_is_said_and_the_next_goes_on(sort: Sort, page: Any, tmp_path: Path) -> None:
    truth = save_scenes(tmp_path / "frames", num_scenes=60, num=2, right=1.0)
    photos = tmp_path / "photos"
    process = sort(str(tmp_path / "frames"), "--into", str(photos), "--labels", *LABELS)
    press(page, "Enter")  # a page of copies is under way
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    press(page, "Enter")
    page.wait_for("document.getElementById('trouble').textContent.includes('does not answer; start it again')", 20)
    page.open("about:blank")
    sort(str(tmp_path / "frames"), "--into", str(photos), "--labels", *LABELS)
    while page.value(LEFT)[:13] != "0 frames left":
        press(page, "Enter")
    assert settled(page, photos, 120) == truth
    assert [path.name for path in photos.rglob(".unfinished*")] == []


@pytest.mark.parametrize(("size", "phone"), [((1400, 900), False), ((900, 700), False), ((400, 800), True)])
def test_nothing_overflows(sort: Sort, page: Any, tmp_path: Path, size: tuple[int, int], phone: bool) -> None:
    # Two cameras, so that every filter is there.
    (tmp_path / "frames").mkdir()
    save_scenes(tmp_path / "frames" / "door", num_scenes=40, num=2)
    save_scenes(tmp_path / "frames" / "a window with a long name", num_scenes=1, num=1, right=0.0)
    sort(str(tmp_path / "frames"), "--into", str(tmp_path / "photos"), "--labels", *LABELS, size=size, phone=phone)
    assert page.value("document.documentElement.scrollWidth") <= size[0]
    assert page.value("document.documentElement.scrollHeight") <= size[1]
    cut = page.value(
        "[...document.querySelectorAll('#tiles li, footer button, header select:not([hidden] *)')].filter((part) => "
        "{ const box = part.getBoundingClientRect(); return box.right > innerWidth + 1 || box.bottom > innerHeight + 1; }).length"
    )
    assert cut == 0 and len(on_page(page)) >= 6
    # Every tile's caption stands under its image, in full.
    assert page.value(f"{TILES}.every((item) => item.scrollHeight <= item.clientHeight + 1)")


def test_a_class_named_like_markup_is_shown_as_text(sort: Sort, page: Any, tmp_path: Path) -> None:
    save_scenes(tmp_path / "frames", num_scenes=2, num=1)
    evil = "<img src=x onerror=alert(1)>"
    sort(str(tmp_path / "frames"), "--into", str(tmp_path / "photos"), "--labels", evil, "pen")
    assert evil in page.value("document.getElementById('classes').innerText")
    press(page, "1")
    assert list(settled(page, tmp_path / "photos", 1).values()) == [evil]
    assert page.complaints == []


def test_while_a_key_is_held_the_browser_s_camera_takes_images(sort: Sort, page: Any, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    sort("--into", str(photos), "--labels", "mug", "pen", "--capture")
    page.wait_for("document.getElementById('video').videoWidth > 0", 20)
    page.call("Input.dispatchKeyEvent", type="keyDown", key="2", text="2")
    page.wait_for("[...document.querySelectorAll('#classes button')].some((b) => b.dataset.label === 'pen' && "
                  "parseInt(b.querySelector('.count').textContent) >= 3)", 20)  # fmt: skip
    page.call("Input.dispatchKeyEvent", type="keyUp", key="2")
    time.sleep(0.5)
    taken = sorted((photos / "pen").iterdir())
    assert len(taken) >= 3 and not (photos / "mug").exists()
    assert all(cv2.imread(str(path)) is not None for path in taken)
    press(page, "Backspace")
    page.wait_for("document.getElementById('capture-said').textContent.includes('.discarded')", 20)
    assert len(list((photos / ".discarded").iterdir())) == len(taken)
    assert page.complaints == []
