"""Counts on made-up webs: what is above is counted, what the decision makes of it, what is kept."""

import json
from dataclasses import replace

import numpy as np
import pytest
import realised_alarms
from realised_alarms import Case, Count, Row, Web, count_web, poisson_limits, run, summarise

from streamer.calibration import Calibration

WEB = Web("fabric", 1, 40.0, 256)
SHAPE = (64, 32)  # cells of a tile of 512 lines by 256 columns
EXACT = Case(10.0, "exponential", 20.0)


def drawn_web(seed: int, tiles: int = 160) -> tuple[np.ndarray, ...]:
    """Score maps whose cells are independent with an exponential tail."""
    rng = np.random.default_rng(seed)
    return tuple(rng.exponential(1.0, SHAPE).astype(np.float32) for _ in range(tiles))


def count(blocks: int, stated: tuple[float, float], metres: float = 100.0) -> Count:
    return Count("w", EXACT, metres, blocks, blocks, 1.0, *stated, stated[1])


class TestCounting:
    def test_an_exponential_tail_keeps_the_wanted_rate(self) -> None:
        (found,) = count_web(WEB, drawn_web(1), [EXACT])
        rate = 100 * found.blocks / found.metres
        assert found.metres == pytest.approx(160 * 0.256 - 10, abs=0.2)
        assert found.stated_low < rate < found.stated_high
        assert 0 < found.alarms <= found.blocks

    def test_what_is_learnt_is_not_counted(self) -> None:
        web = list(drawn_web(2))
        web[0] = web[0].copy()
        web[0][3:6, 3:6] = 1e3  # within the 10 m that are learnt, cut off as a defect
        (found,) = count_web(WEB, web, [EXACT])
        (same,) = count_web(WEB, [*web[:39], *(one * 0 for one in web[39:])], [EXACT])
        assert found.blocks > same.blocks == same.alarms == 0

    def test_one_defect_over_two_tiles_and_strips_is_one_alarm(self) -> None:
        tiles = [np.zeros(SHAPE, np.float32) for _ in range(40)]
        for number in (3, 4, 15, 16):  # the decision takes 16 tiles at once
            tiles[number][:, 5] = 2.0
        made = Calibration(0.0, 1.0, 100, 1.0)
        assert realised_alarms.alarms_of(tiles, made, WEB.geometry) == 2

    def test_levels_that_are_too_low_are_found_out(self, monkeypatch) -> None:
        plain = realised_alarms.calibrate

        def bold(maps, target):
            made = plain(maps, target)
            return replace(made, alarm_level=0.4 * made.alarm_level, background=0.0)

        monkeypatch.setattr(realised_alarms, "calibrate", bold)
        counts = [one for seed in range(3) for one in count_web(WEB, drawn_web(seed), [EXACT])]
        row = summarise(EXACT, counts)
        assert (row.above, row.point, row.within) == (3, 0, False)


class TestSummary:
    def test_webs_inside_touching_and_above(self) -> None:
        counts = [count(2, (1, 3)), count(4, (1, 3)), count(30, (1, 3)), count(0, (5, 9))]
        row = summarise(EXACT, counts)
        # 4 events speak for 1.09 to 10.2, 30 for 20.2 to 42.8, none for up to 3.7.
        assert (row.point, row.limits, row.above) == (1, 2, 1)
        assert (row.webs, row.metres, row.blocks) == (4, 400.0, 36)
        assert row.stated == (2.0, 4.5)

    def test_clumps_widen_the_limits(self) -> None:
        single = summarise(EXACT, [count(16, (1, 3))]).realised
        clumped = summarise(EXACT, [replace(count(16, (1, 3)), dependence=4.0)]).realised
        assert single[0] == clumped[0] == 16.0
        assert clumped[1] < single[1] < 16 < single[2] < clumped[2]

    def test_limits_of_garwood(self) -> None:
        assert poisson_limits(10) == (pytest.approx(4.795, 1e-3), pytest.approx(18.39, 1e-3))
        assert poisson_limits(0) == (0.0, pytest.approx(3.689, 1e-3))

    def test_the_table_says_what_is_outside(self) -> None:
        outside = summarise(EXACT, [count(90, (1, 3))])
        lines = realised_alarms.table([outside, replace(outside, stated=(50, 100))]).splitlines()
        assert isinstance(outside, Row)
        assert [line.rpartition("| ")[2] for line in lines[2:]] == ["OUTSIDE |", "within |"]


class TestRun:
    @pytest.fixture
    def options(self, tmp_path, monkeypatch):
        made = []

        def scores(self, folder):
            made.append(self.name)
            return drawn_web(self.seed)

        monkeypatch.setattr(Web, "scores", scores)
        arguments = ["--surfaces", "fabric", "--seeds", "1", "2", "--metres", "40", "--columns",
                     "256", "--learnt", "10", "--wanted", "20", "--work", str(tmp_path),
                     "--json", str(tmp_path / "rows.json")]  # fmt: skip
        return realised_alarms.parse_options(arguments), made

    def test_webs_are_counted_once(self, options, capsys) -> None:
        chosen, made = options
        assert run(chosen) == 0
        first = capsys.readouterr().out
        assert made == ["fabric-1-40m-256", "fabric-2-40m-256"]
        assert run(chosen) == 0
        assert capsys.readouterr().out == first
        assert len(made) == 2
        rows = json.loads(chosen.json.read_text())
        assert [row["case"]["tail"] for row in rows] == ["exponential", "gpd"]

    def test_other_cases_are_counted_anew(self, options) -> None:
        chosen, made = options
        run(chosen)
        chosen.wanted = [30.0]
        run(chosen)
        assert len(made) == 4

    def test_a_rate_outside_is_1(self, options, monkeypatch) -> None:
        monkeypatch.setattr(realised_alarms, "_blocks_above", lambda maps, made: 100_000)
        assert run(options[0]) == 1


def test_a_simulated_web_is_scored_as_the_line_does(tmp_path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        realised_alarms, "simulated_scores", lambda chosen: asked.append(chosen) or drawn_web(1, 2)
    )
    first, again = (WEB.scores(tmp_path) for _ in range(2))
    assert len(asked) == 1
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert (asked[0].source.length_m, asked[0].source.defects_per_m) == (40.0, 0.0)
    assert asked[0].web.pixel_mm == realised_alarms.PIXEL_MM
    assert asked[0].tiles.lines == realised_alarms.TILE_LINES
    assert asked[0].scoring.patch_size == realised_alarms.PATCH
