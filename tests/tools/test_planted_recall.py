"""Recall on simulated webs: what counts, the intervals, what is printed, a failed roll."""

import json

import planted_recall
import pytest
from planted_recall import Tally, main, rate_interval, share_interval, table
from scipy import stats

from streamer.message import RegionMm
from streamer.outputs.truth import TruthDefect, match_truth

PLANTED = (
    TruthDefect("1", "hole", RegionMm(0, 2, 0, 2)),
    TruthDefect("2", "hole", RegionMm(100, 103, 0, 1)),
    TruthDefect("3", "knot", RegionMm(200, 201.5, 50, 51.5)),
    TruthDefect("4", "crack", RegionMm(300, 300.2, 0, 9)),
)
DETECTED = {7: RegionMm(1, 3, 1, 3), 8: RegionMm(500, 501, 0, 1), 9: RegionMm(300, 301, 4, 5)}


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    made.add(match_truth(PLANTED, DETECTED), metres=50, least_mm=2)
    return made


def test_defects_count_by_their_longer_side(tally) -> None:
    assert dict(tally.kinds) == {"hole": [1, 2], "crack": [1, 1]}
    assert tally.smaller == [0, 1]
    assert tally.total == (2, 3)
    assert (tally.false_alarms, tally.metres) == (1, 50)


def test_rolls_add_up(tally) -> None:
    tally.add(match_truth(PLANTED[:1], {}), metres=30, least_mm=2)
    assert dict(tally.kinds) == {"hole": [1, 3], "crack": [1, 1]}
    assert (tally.false_alarms, tally.metres) == (1, 80)


@pytest.mark.parametrize(("found", "planted"), [(0, 5), (5, 5), (19, 20), (950, 1000)])
def test_share_interval_holds_the_shares_that_explain_the_counts(found, planted) -> None:
    low, high = share_interval(found, planted)
    assert 0 <= low <= found / planted <= high <= 1
    z = stats.norm.ppf(0.975)
    for end in {low, high} - {0.0, 1.0}:  # the score test is just passed at both ends
        deviation = abs(found / planted - end) / (end * (1 - end) / planted) ** 0.5
        assert deviation == pytest.approx(z, rel=1e-6)


def test_nothing_planted_says_nothing() -> None:
    assert share_interval(0, 0) == (0, 1)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_rate_interval_is_that_of_a_poisson_count(count) -> None:
    low, high = rate_interval(count, metres=250)
    assert low <= count / 2.5 <= high
    assert stats.poisson.cdf(count, high * 2.5) == pytest.approx(0.025)
    if count:
        assert stats.poisson.sf(count - 1, low * 2.5) == pytest.approx(0.025)


def test_table_names_every_kind_and_the_rate(tally) -> None:
    text = table(tally, 2)
    assert "| crack | 1 of 1 | 1.000 |" in text
    assert "| hole | 1 of 2 | 0.500 |" in text
    assert "| all | 2 of 3 | 0.667 |" in text
    assert "smaller ones found: 0 of 1; 1 false alarms on 50 m: 2.00 per 100 m" in text


def test_rolls_are_run_one_by_one_with_seeds_of_their_own(monkeypatch, tmp_path, capsys) -> None:
    seen = []

    def run(command):
        seen.append([entry for entry in command if entry.startswith("source.seed")][0])
        return {}

    monkeypatch.setattr(planted_recall, "run_line", run)
    monkeypatch.setattr(
        planted_recall, "match_roll", lambda _, folder: (match_truth(PLANTED, DETECTED), 10.0)
    )
    out = tmp_path / "counts.json"
    assert main(["--rolls", "2", "--first-seed", "5", "--json", str(out)]) == 0
    assert seen == ["source.seed=5", "source.seed=6"]
    assert json.loads(out.read_text())["kinds"] == {"hole": [2, 4], "crack": [2, 2]}
    assert "2 false alarms on 20 m" in capsys.readouterr().out


def test_failed_roll_ends_it(monkeypatch, capsys) -> None:
    def run(_):
        msg = "run must end with 0, got 3: error: no room"
        raise RuntimeError(msg)

    monkeypatch.setattr(planted_recall, "run_line", run)
    assert main(["--rolls", "1"]) == 1
    assert "error: run must end with 0, got 3: error: no room" in capsys.readouterr().err
