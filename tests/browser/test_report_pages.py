"""The pages of the host in a real browser, at three widths and in both themes: no label covers another one, nothing is cut
off, the page is never wider than its window, and no name is given twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.faults import FAULTS
from tests.browser.pages import PAGES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", PAGES)
def test_every_label_is_readable_at_every_width_and_in_both_themes(name: str, page: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    page.complaints.clear()
    for width in (400, 900, 1400):
        for dark in (False, True):
            page.size(width, 1000, dark=dark, phone=width == 400)
            page.open(path.as_uri())
            page.wait_for("document.readyState === 'complete' && document.querySelector('h1') !== null")
            assert (width, dark, page.value(FAULTS)) == (width, dark, [])
            ground = page.value("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(20, 24, 27)" if dark else "rgb(251, 251, 249)")
    page.open("about:blank")
    assert page.complaints == []
