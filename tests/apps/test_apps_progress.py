"""Progress stays off standard output, tells the time left, and does not mix with answers."""

from __future__ import annotations

import io
import sys
import weakref

import pytest

from fuzzsmooth.apps.cli import progress
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.showing import Output, show_all
from fuzzsmooth.jobs.answering import Truncated


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_short_work_leaves_no_line(capsys):
    with Display().stage("scan", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_long_work_tells_the_time_left(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 40.0, 50.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Display().stage("scan", 100) as advance:
        advance(10)  # second 10: too early for a line
        advance(10)  # second 40: 20 of 100 took 40 s, so 160 s are left
        advance(10)  # second 50: too early for the next
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "scan: 20 of 100, 160 s left\n"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Display().counts("fine[-tune") as update:
        update(5, 10)
    assert "fine[-tune" in screen.getvalue()
    assert "5/10" in screen.getvalue()
    assert capsys.readouterr().out == ""


def test_quiet_shows_nothing(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Display(quiet=True).counts("finetune") as update:
        update(5, 10)
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("out", "err", "quiet", "expected"),
    [
        (Terminal(), Terminal(), False, True),
        (io.StringIO(), Terminal(), False, False),
        (Terminal(), io.StringIO(), False, False),
        (Terminal(), Terminal(), True, False),
    ],
)
def test_answers_wait_only_where_a_bar_is_drawn(monkeypatch, out, err, quiet, expected):
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert Display(quiet).shares_terminal is expected


def test_answers_are_shown_and_counted_without_being_kept(capsys):
    """Whatever is shown or counted, no more than a few answers are alive at a time."""
    alive, most, counted = weakref.WeakSet(), [], []

    class Answer(dict):
        __hash__ = object.__hash__

    def answers():
        for row in range(50):
            record = Answer(row=row, truncated=row % 2 == 1)
            alive.add(record)
            most.append(len(alive))
            yield record

    truncated = Truncated()
    also = [truncated.add, lambda record: counted.append(record["row"])]
    page = Output(None, "jsonl", json=False)
    show_all(answers(), lambda record: [str(record["row"])], page, also=also)
    out, err = capsys.readouterr()
    assert out.split() == [str(row) for row in range(50)]
    assert counted == list(range(50))
    assert err == ""
    assert "25 texts are longer than the model reads" in truncated.sentence()
    assert "(rows 1, 3, 5, 7, 9, ...)" in truncated.sentence()
    assert max(most) <= 3
    kept = list(answers())
    assert max(most) >= len(kept), "control: answers that are kept are seen"
    assert Truncated().sentence() == ""
