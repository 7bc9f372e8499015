"""Curves as paths: they start and end where they must, and hold what the metrics integrate."""

import numpy as np
import pytest

from streamer.evaluation.curves import HEIGHT, MOST_POINTS, PLOTS, WIDTH, draw_curves
from streamer.evaluation.pixel_metrics import ScoreCounts, auroc, average_precision, pro


def counts(seed=0, size=3000):
    generator = np.random.default_rng(seed)
    normal = generator.random(size) * np.linspace(0.02, 1, size)
    defective = generator.random(size) * np.linspace(0.4, 0.02, size)
    return ScoreCounts(normal, defective, 5 * defective / defective.sum())


def points(path):
    pairs = [pair.split() for pair in path.removeprefix("M").split("L")]
    x, y = np.array(pairs, float).T
    return x / WIDTH, 1 - y / HEIGHT


class TestPaths:
    def test_the_area_under_them_is_the_metric(self):
        given = counts()
        paths = draw_curves(given, boxes=False)
        x, y = points(paths["roc"])
        assert np.trapezoid(y, x) == pytest.approx(auroc(given), abs=5e-3)
        x, y = points(paths["pro"])
        assert np.trapezoid(y, x) == pytest.approx(pro(given), abs=5e-3)
        x, y = points(paths["pr"])
        assert np.trapezoid(y, x) == pytest.approx(average_precision(given), abs=2e-2)

    def test_they_run_from_corner_to_corner(self):
        x, y = points(draw_curves(counts(), boxes=False)["roc"])
        assert (x[0], y[0]) == (0, 0)
        assert (x[-1], y[-1]) == pytest.approx((1, 1))
        assert (np.diff(x) >= 0).all()
        assert (np.diff(y) >= 0).all()

    def test_a_logarithmic_axis_puts_each_power_at_the_same_distance(self):
        """Of rates 1e-3 and 1e-1 one is at a half of six powers, one at five sixths."""
        normal = np.array([1, 99, 900.0])
        stairs = ScoreCounts(normal, np.array([1, 1, 0.0]), np.array([1, 1, 0.0]))
        x, y = points(draw_curves(stairs, boxes=False)["roc_log"])
        found = dict(zip(x.round(3), y, strict=True))
        assert found[0.5] == pytest.approx(0.5)
        assert found[0.833] == pytest.approx(1)

    def test_they_stay_short(self):
        for path in draw_curves(counts(size=100_000), boxes=False).values():
            assert path.count("L") < MOST_POINTS

    def test_boxes_have_curves_of_regions_alone(self):
        assert set(draw_curves(counts(), boxes=True)) == {"pro", "pro_log"}

    def test_one_kind_of_pixel_has_none(self):
        assert draw_curves(ScoreCounts(np.ones(2), np.zeros(2), np.zeros(2)), boxes=False) == {}

    def test_missed_regions_keep_the_overlap_below_one(self):
        given = counts()
        missing = ScoreCounts(given.normal, given.defective, given.coverage, missed=5)
        assert points(draw_curves(missing, boxes=True)["pro_log"])[1].max() == pytest.approx(0.5)


class TestAxes:
    def test_ticks_of_rates(self):
        assert [label for _, label in PLOTS["roc"].axis.ticks] == ["0", "0.5", "1"]
        assert [label for _, label in PLOTS["pro"].axis.ticks] == ["0", "0.15", "0.3"]

    def test_ticks_of_powers(self):
        ticks = PLOTS["roc_log"].axis.ticks
        assert [label for _, label in ticks] == [f"1e{p}" for p in range(-6, 1)]
        assert ticks[0][0] == 0
        assert ticks[-1][0] == pytest.approx(WIDTH)

    def test_values_beyond_the_ends_lie_on_them(self):
        assert PLOTS["pro"].axis.place(np.array([-1.0, 0.15, 2.0])) == pytest.approx([0, 0.5, 1])
