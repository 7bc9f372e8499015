"""The benchmark of the verdict reads delays and beats from what a line told."""

import pytest
from bench_verdict import Heard, _quantiles, _show_alarms, _show_beats

MS = 1_000_000


def alarm(scored_ms, state="new"):
    return {"state": state, "scored_ns": scored_ms * MS, "captured_ns": (scored_ms - 100) * MS}


def test_delays_count_from_the_verdict_and_from_the_capture(capsys):
    heard = Heard([(210 * MS, alarm(200)), (305 * MS, alarm(300)), (999 * MS, alarm(1, "end"))])
    assert _show_alarms("few", heard, 60.0) == pytest.approx(10, abs=0.1)
    out = capsys.readouterr().out
    assert "few: 2 new alarms a minute, 3 messages" in out
    assert "capture to subscriber p50 108 ms" in out


def test_beats_are_compared_with_the_registers(capsys):
    heard = Heard(beats={n: 100 * n * MS for n in range(1, 5)}, shown={2: 215 * MS, 9: 1})
    assert _show_beats(heard) == pytest.approx([100, 100, 100])
    assert "beat over Modbus      p50 15 ms" in capsys.readouterr().out


def test_nothing_heard_is_said():
    assert _quantiles([]) == "none"
