"""Every page at three widths and in both themes: axe-core has no serious or critical finding, and no text stands on
another one. The pages: reports of the host, the live page, the sorting page, and the documentation as a site.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.browser.faults import FAULTS
from tests.browser.pages import PAGES

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WIDTHS = (1400, 900, 400)
THEMES = (False, True)
SERIOUS = ("serious", "critical")
Find = Callable[[], list[Any]]


def look(page: Any, list_findings: Find, where: str, settle: Callable[[], object] = lambda: None) -> list[Any]:
    """What is wrong with the open page, at each width and in each theme."""
    found: list[Any] = []
    for width in WIDTHS:
        for dark in THEMES:
            page.size(width, 1000, dark=dark, phone=width == 400)
            settle()
            wrong = [each for each in list_findings() if each[1] in SERIOUS]
            wrong += [fault for fault in page.value(FAULTS) if "given twice" not in fault]
            found += [(where, width, "dark" if dark else "light", each) for each in wrong]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_host_is_accessible(name: str, page: Any, list_findings: Find, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    page.open(path.as_uri())
    page.wait_for("document.readyState === 'complete' && document.querySelector('h1') !== null")
    assert look(page, list_findings, name) == []
    page.open("about:blank")


def test_the_live_page_is_accessible(run: Any, page: Any, list_findings: Find) -> None:
    run()
    page.wait_for("document.getElementById('label')?.textContent === 'red'")
    assert look(page, list_findings, "live", lambda: page.value("new Promise((done) => setTimeout(done, 400))")) == []


@pytest.fixture
def sorting(page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sorting page on twelve frames of three scenes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    frames = tmp_path / "frames"
    frames.mkdir()
    random = np.random.default_rng(3)
    for number in range(12):
        ground = cv2.resize(random.integers(0, 255, (6, 8, 3)).astype(np.uint8), (160, 120))
        cv2.imwrite(str(frames / f"20261124T0000{number:02}.000Z-{number:08d}.jpg"), ground)
    command = [sys.executable, "-m", "train.sort", str(frames), "--into", str(tmp_path / "photos")]
    command += ["--labels", "mug", "pen", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith("sort here: "):
        assert line, "the process ended"
    page.size(1400, 1000)
    page.open(line.split()[2])
    page.wait_for("document.querySelectorAll('#tiles li[data-index]').length > 0", 30)
    yield
    page.open("about:blank")
    process.kill()
    process.wait(10)
    process.stderr.close()


def test_the_sorting_page_is_accessible(sorting: None, page: Any, list_findings: Find) -> None:
    assert look(page, list_findings, "sort", lambda: page.value("new Promise((done) => setTimeout(done, 300))")) == []


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The addresses of all pages of the documentation, built."""
    local = ROOT / ".venv-docs" / "bin" / "mkdocs"
    mkdocs = str(local) if local.exists() else shutil.which("mkdocs")
    if mkdocs is None:
        pytest.skip("mkdocs is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    command = [mkdocs, "build", "--quiet", "--config-file", str(ROOT / ".mkdocs.yml"), "--site-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    # Served, because the page for missing pages names its parts from the root.
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
        yield [f"http://127.0.0.1:{server.server_port}/{name}" for name in names]
        server.shutdown()


def test_every_page_of_the_site_is_accessible(site: list[str], page: Any, list_findings: Find) -> None:
    found: list[Any] = []
    for address in site:
        page.size(1400, 1000)
        page.open(address)
        page.wait_for("document.readyState === 'complete' && document.querySelector('h1') !== null")
        # Colours fade into the other theme and layout; half-way they have no contrast.
        page.value("document.head.append(Object.assign(document.createElement('style'), "
                   "{ textContent: '* { transition: none !important; animation: none !important }' }))")  # fmt: skip
        for dark in THEMES:
            page.size(1400, 1000, dark=dark)
            page.wait_for(f"document.body.getAttribute('data-md-color-scheme') === '{'slate' if dark else 'default'}'")
            for width in WIDTHS:
                page.size(width, 1000, dark=dark, phone=width == 400)
                if page.value("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                    found.append((address, width, "wider than its window"))
                found += [(address, width, dark, each) for each in list_findings() if each[1] in SERIOUS]
    assert found == []
