import json
import sys

import check_calibration
import numpy as np
import pytest
from check_calibration import DRAWN, Trial, main
from clean_scores import Fold
from score_fields import FieldCase

from streamer.calibration import Calibration


def trial(interval: tuple[float, float] | None, realised: tuple[float, float]) -> Trial:
    made = Calibration(
        0.0, 1.0, 100, 1.0, rate_interval=interval, rate_if_normal=interval and interval[1] * 2
    )
    return Trial(made, *realised, realised=sum(realised) / 2)


def test_rates_within_above_and_below_are_told_apart() -> None:
    trials = [
        trial((1.0, 3.0), (2.0, 2.0)),
        trial((1.0, 3.0), (2.5, 9.0)),  # what came may still be 3
        trial((1.0, 3.0), (4.0, 5.0)),
        trial((1.0, 3.0), (7.0, 9.0)),
        trial((1.0, 3.0), (0.1, 0.5)),
    ]
    row = check_calibration._row("part", "case", DRAWN, trials)
    assert (row.inside, row.above, row.below, row.beyond_all) == pytest.approx((0.4, 0.4, 0.2, 0.2))
    assert (row.trials, row.blocks, row.width, row.level_ratio) == (5, 100, 3.0, None)


def test_counts_speak_for_the_limits_of_poisson() -> None:
    made = Calibration(0.0, 1.0, 100, 1.0)
    blocks = round(DRAWN.blocks_per_100m)
    found = check_calibration._counted(made, 10, blocks, DRAWN)
    # Garwood: 10 events speak for 4.80 to 18.39.
    assert (found.lowest, found.highest) == pytest.approx((4.795, 18.39), rel=1e-2)
    none = check_calibration._counted(made, 0, blocks, DRAWN)
    assert (none.lowest, none.highest) == (0.0, pytest.approx(3.689, rel=1e-2))


def test_a_level_that_alarms_too_often_is_found_out(monkeypatch) -> None:
    """The check can fail: levels at 40 % of what they should be are outside."""
    plain = check_calibration.calibrate

    def bold(maps, target):
        made = plain(maps, target)
        return Calibration(
            0.0, 0.4 * made.alarm_level, made.blocks, 1.0,
            rate_interval=made.rate_interval, rate_if_normal=made.rate_if_normal,
        )  # fmt: skip

    case = FieldCase("exponential", 4000)
    shares = []
    for level in (plain, bold):
        monkeypatch.setattr(check_calibration, "calibrate", level)
        trials = [check_calibration._synthetic_trial(case, DRAWN, seed) for seed in range(5)]
        shares.append(check_calibration._row("p", "c", DRAWN, trials).inside)
    assert shares == [1.0, 0.0]


def test_real_folds_are_counted_at_rates_they_can_show(monkeypatch, tmp_path) -> None:
    rng = np.random.default_rng(1)
    maps = [rng.exponential(1.0, (90, 180)).astype(np.float32) for _ in range(4)]
    small = (maps[0][:20, :20],)
    folds = [
        Fold("aitex/fabric00 strip 0", tuple(maps[:2]), tuple(maps[2:])),
        Fold("magnetic_tile/free", tuple(maps[:2]), tuple(maps[2:])),
        Fold("D1", small, small),
    ]
    monkeypatch.setattr(check_calibration, "real_folds", lambda data, chosen: iter(folds))
    rows = list(check_calibration.real_rows(tmp_path))
    assert len(rows) == 12
    assert all(row.inside == 1.0 for row in rows if row.trials)
    assert "1 with too few blocks" in rows[-1].case


def test_the_table_is_printed_and_written(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(check_calibration, "SEEDS", {600: 2})
    out = tmp_path / "rows.json"
    options = ["--parts", "synthetic", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["check_calibration.py", *options])
    main()
    rows = json.loads(out.read_text())
    assert {row["tail"] for row in rows} == {"exponential", "gpd"}
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(rows) + 2
    assert "gpd -0.2, 10% defects" in "".join(printed)
