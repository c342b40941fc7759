"""What people see of a long run: in a log a line every few seconds, on a narrow terminal the bar, the count and the time."""

import io
import sys
import threading

import pytest
from rich.console import Console

from lrs.commands import progress


class _Heard(io.StringIO):
    """Standard error of a log, which tells when it holds a text."""

    def __init__(self, wanted):
        super().__init__()
        self.wanted, self.there = wanted, threading.Event()

    def write(self, text):
        done = super().write(text)
        if self.wanted in self.getvalue():
            self.there.set()
        return done


def test_a_log_hears_of_a_run_that_reports_nothing(monkeypatch):
    log = _Heard("3/10 (")
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    with progress.shown("claims") as display:
        display.say("starts")
        display("recovery/exact: 8 of 8 trials kept", 3, 10)
        assert log.there.wait(60)  # the run itself says nothing more
    lines = log.getvalue().splitlines()
    assert lines[0] == "claims: starts"
    assert any(line.endswith("left): recovery/exact: 8 of 8 trials kept") for line in lines)
    count = len(log.getvalue())
    assert not any(t.name for t in threading.enumerate() if t is not threading.main_thread() and "_write" in t.name)
    assert len(log.getvalue()) == count


@pytest.mark.parametrize("width", [80, 60])
def test_bar_count_and_time_survive_a_narrow_terminal(monkeypatch, width):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, legacy_windows=False)
    monkeypatch.setattr(progress, "stderr", lambda: console)
    with progress.shown("claims") as display:
        display("invariance/task-permutation: " + "38 of 40 trials kept, 3 of 16 cells decided, " * 4, 12, 42, 125.0)
        display.say("CONFIRMED    conduct/answers (88 trials)")
    text = out.getvalue()
    frame = next(line for line in text.replace("\r", "\n").splitlines() if "12/42" in line)
    assert "━" in frame
    assert "12/42 0 s, 2.1 min left" in frame
    assert "invariance/task" in frame
    assert "CONFIRMED    conduct/answers (88 trials)" in text


def test_quiet_shows_nothing(capsys):
    with progress.shown("trials", quiet=True) as display:
        display("x", 1, 2)
        display.say("y")
    assert capsys.readouterr() == ("", "")
