"""What libraries print to the error stream while they start is kept from people, unless the start fails."""

from __future__ import annotations

import os

import pytest

from edge_runtime.system.quiet_start import quiet_start


def test_chatter_below_python_is_swallowed_and_later_words_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_start():
        os.write(2, b"chatter\n")
    os.write(2, b"a warning\n")
    assert capfd.readouterr().err == "a warning\n"


def test_a_start_that_fails_shows_what_was_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError, match=r"broken"), quiet_start():
        os.write(2, b"the reason\n")
        raise ImportError("broken")
    assert capfd.readouterr().err == "the reason\n"
