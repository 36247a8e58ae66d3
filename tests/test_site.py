"""The documentation builds as a site, every page is in its index, and nothing is loaded from elsewhere."""

from __future__ import annotations

import os
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


# What a reader must come upon under the link of each everyday task: one click from the index.
ANSWERS = {
    "know how many photos I need": "100 images per class",
    "collect photos with the device's camera": "edge-runtime collect --label",
    "sort the frames that devices were unsure of, train again, deploy": "make sort FROM=frames",
    "teach a device a few classes on the spot, in a minute": "edge-runtime teach",
    'understand "unknown"': "--acceptance",
    "convert a Keras model that I made elsewhere": "-m convert model.keras --labels",
    "run a `.tflite` file that someone else made": "edge-runtime adopt",
    "know why a model was refused": "--max-drop",
    "find the layer that lost accuracy": "convert.explain",
    "compare int8 with float32": "make compare",
    "find the smallest network for my data": "make search",
    "train without a clone or make": "edge-train photos",
    "use the Pi camera": "--camera csi",
    "use a network camera with a password": "--camera-password-file",
    "start at boot": "systemctl enable",
    "install a new model, or go back to the old one": "candidate",
    "sign models": "convert.sign",
    "deploy to many devices": "make deploy INVENTORY",
    "install without internet": "make bundle",
    "open the live page from another machine": "--web-token-file",
    "connect Home Assistant": "Home Assistant",
    "scrape metrics": "edge_runtime_",
    "keep the frames the model is unsure of": "--save-uncertain",
    "see where the model looked": "--explain",
    "notice a dirty lens, a broken lamp or a changed scene": "reason `drift`",
    "classify only a part of the frame": "--region",
    "save power: look only when something moves": "--on-motion",
    "know how fast it is": "frame in memory to label",
    "find out why something does not work": "edge-runtime doctor",
}


def make_slug(heading: str) -> str:
    """The anchor that the site gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def read_section(link: str) -> str:
    """The text under ``page.md`` or ``page.md#anchor``, with the sections below it; fails where there is none."""
    page, _, anchor = link.partition("#")
    text = (ROOT / "docs" / page).read_text("utf-8")
    if not anchor:
        return text
    heads = [head for head in re.finditer(r"^(#+) (.+)$", text, re.MULTILINE) if make_slug(head[2]) == anchor]
    assert heads, f"{page} has no heading {anchor}"
    level = len(heads[0][1])
    end = re.search(rf"^#{{1,{level}}} ", text[heads[0].end() :], re.MULTILINE)
    return text[heads[0].end() :][: end.start() if end else None]


def test_the_answer_to_every_everyday_task_stands_under_its_link_in_the_index() -> None:
    rows = re.findall(
        r"^\| (?!I want)([^|]+) \| \[[^\]]+\]\(([^)]+)\) \|$", (ROOT / "docs/index.md").read_text("utf-8"), re.M
    )
    assert dict(rows).keys() == ANSWERS.keys()
    assert [task for task, link in rows if ANSWERS[task] not in read_section(link)] == []


def list_links(page: str) -> set[str]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = re.findall(r"\]\(([^)#:]+\.md)", text)
    return {os.path.normpath(os.path.join(os.path.dirname(page), link)) for link in found}


def test_every_guide_is_at_most_two_clicks_from_the_index() -> None:
    near = {"index.md"}
    for _ in range(2):
        near |= {link for page in near if (ROOT / "docs" / page).exists() for link in list_links(page)}
    guides = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert guides - near == set()


def test_links_to_headings_lead_to_one() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        for link, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8")):
            read_section(f"{os.path.relpath(page.parent / link if link else page, ROOT / 'docs')}#{anchor}")


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
