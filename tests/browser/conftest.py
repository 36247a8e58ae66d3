"""A browser for the tests, and a network camera whose picture and faults they choose."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "edge_runtime" / "toys" / "uint8_metadata.tflite"


def module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"browser_tests_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


camera_fakes = module_at(ROOT / "tests" / "edge_runtime" / "conftest.py")


class ColourCamera:
    """Serves noisy pictures of one colour (BGR); `frozen` repeats one for ever."""

    def __init__(self) -> None:
        self.colour: tuple[int, int, int] = (40, 40, 200)
        self.frozen: bytes | None = None
        self._random = np.random.default_rng(5)
        self.server = camera_fakes.FakeNetworkCamera(fps=20, image=self.picture)

    def picture(self, number: int) -> bytes:
        if self.frozen is not None:
            return self.frozen
        noise = self._random.integers(0, 30, (240, 320, 3))
        return bytes(camera_fakes.encode(np.clip(noise + np.array(self.colour), 0, 255).astype(np.uint8)))


@pytest.fixture
def camera() -> Iterator[ColourCamera]:
    fake = ColourCamera()
    yield fake
    fake.server.stop()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    pytest.importorskip("websockets")
    pytest.importorskip("uvicorn")
    browser = module_at(Path(__file__).parent / "chromium.py").Page(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core: from EDGE_RUNTIME_AXE (a path to axe.min.js), else fetched by npm."""
    if given := os.environ.get("EDGE_RUNTIME_AXE"):
        return Path(given).read_text(encoding="utf-8")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so axe-core cannot be had")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(["npm", "pack", "axe-core@4.14.1"], cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.skip(f"npm cannot fetch axe-core: {done.stderr[-200:]}")
    archive = next(folder.glob("axe-core-*.tgz")).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        member = members.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


FINDINGS = """axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map((each) => [each.id, each.impact,
    each.nodes.map((node) => node.html.slice(0, 200) + node.failureSummary).join(' | ')]))"""


@pytest.fixture
def list_findings(page: Any, axe: str) -> Callable[[], list[Any]]:
    """What axe-core finds on the page that is open: rule, impact, elements."""

    def find() -> list[Any]:
        if page.value("typeof axe") == "undefined":
            page.value(axe + "\n;1")  # through the debugger, so the page's own policy stays as it is
        return list(page.value(FINDINGS))

    return find


@pytest.fixture
def run(camera: ColourCamera, page: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``edge-runtime run`` on the camera with its page open in the browser."""
    processes: list[subprocess.Popen[str]] = []

    def start(*flags: str, model: Path = TOY, address: str = "0") -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "edge_runtime",
            "run",
            "--model",
            str(model),
            "--camera",
            camera.server.address,
        ]
        process = subprocess.Popen(
            [*command, "--web", address, *flags], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stderr is not None
        url = ""
        end_s = time.monotonic() + 30
        while not url:
            line = process.stderr.readline()
            assert line and time.monotonic() < end_s, "the run did not say where its page is"
            url = line.removeprefix("live page: ").strip() if line.startswith("live page: ") else ""
        page.complaints.clear()
        page.size(1280, 800)
        page.open(url)
        page.wait_for("document.readyState === 'complete' && document.getElementById('stage') !== null")
        return process

    yield start
    page.open("about:blank")
    for process in processes:
        process.terminate()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()
