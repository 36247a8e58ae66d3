"""The documentation builds as a site, every page is in its index, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_page_is_named_in_the_index_of_the_site_or_linked_by_the_zoo() -> None:
    nav = (ROOT / ".mkdocs.yml").read_text("utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    cards = {page for page in pages if page.startswith("zoo/") and page != "zoo/README.md"}
    assert {page for page in pages - cards if page not in nav} == set()


def test_every_thing_on_the_list_of_everyday_things_has_a_page() -> None:
    rows = re.findall(
        r"^\| (?!I want)([^|]+) \| \[[^\]]+\]\(([^)]+)\) \|$", (ROOT / "docs/index.md").read_text("utf-8"), re.M
    )
    assert len(rows) >= 20
    assert [page for _, page in rows if not (ROOT / "docs" / page).exists()] == []


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    mkdocs = ROOT / ".venv-docs" / "bin" / "mkdocs"
    if not mkdocs.exists() and shutil.which("mkdocs") is None:
        pytest.skip("mkdocs is not installed: make docs")
    done = subprocess.run(
        [mkdocs if mkdocs.exists() else "mkdocs", "build", "--quiet", "--config-file", ROOT / ".mkdocs.yml", "--site-dir", tmp_path],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = [
        tag
        for page in tmp_path.rglob("*.html")
        for tag in re.findall(
            r"<(?:script|link|img|source|iframe)\b[^>]*\b(?:src|href|srcset)=\"https?://[^>]*", page.read_text("utf-8")
        )
    ]
    assert loaded == []
