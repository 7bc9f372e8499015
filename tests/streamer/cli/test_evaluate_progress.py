"""Progress in plain lines, as logs and pipes get them."""

import pytest

from streamer.cli import evaluate_progress
from streamer.cli.evaluate_progress import show_progress


def test_plain_lines_now_and_then_and_at_the_end(capsys, monkeypatch):
    clock = iter([10.0, 11.0, 16.0, 16.5])
    monkeypatch.setattr(evaluate_progress.time, "monotonic", lambda: next(clock))
    with show_progress(4) as progress:
        for number in range(4):
            progress.advance(1, f"run: [a]{number}.png")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "1 of 4 maps, run: [a]0.png",
        "3 of 4 maps, run: [a]2.png",
        "4 of 4 maps, run: [a]3.png",
    ]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with show_progress(2) as progress:
        progress.advance(2, "run: a.png")
        assert progress.bar is not None
        assert progress.bar.finished
    assert capsys.readouterr().out == ""


def test_a_reader_that_leaves_stops_nothing(monkeypatch):
    with show_progress(2) as progress:

        def broken(*_, **__):
            raise OSError

        monkeypatch.setattr(progress.console, "print", broken)
        progress.advance(1, "a")
        progress.advance(1, "b")
        assert progress.console.quiet


@pytest.mark.parametrize("total", [0, 3])
def test_nothing_to_do_says_nothing(total, capsys):
    with show_progress(total):
        pass
    assert capsys.readouterr().err == ""
