"""The pages on command lines and Python say what the code says today."""

from __future__ import annotations

import sys

import pytest

from tests.tools.docs.reference import DOCS, render_api, render_command_line


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse and annotations print otherwise elsewhere")
def test_the_reference_pages_are_those_of_the_code() -> None:
    stale = [
        name
        for name, made in (("command-line.md", render_command_line()), ("python-api.md", render_api()))
        if (DOCS / name).read_text(encoding="utf-8") != made
    ]
    assert stale == [], "run make reference"
