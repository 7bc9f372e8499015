"""Alarms under a fading lamp: the light, what is seen of the web, regions, the table."""

import json

import light_drift
import numpy as np
import pytest
from light_drift import Watch, clean_web, faded, main, parse_options, regions, table, watch_web

from streamer.config_file import load_config
from streamer.scoring.brightness import log_brightness
from streamer.scoring.line_contrast import log_contrast, turned_contrast
from streamer.sections import LINE_HALO

SMALL = ("web.pixel_mm=0.2", "source.columns=128", "profile.bootstrap_m=0.8")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_light_is_lost_evenly_though_pixels_are_whole(dtype) -> None:
    pixels = np.full((4, 40_000), 101, dtype)
    lost = np.array([0.0, 0.002, 0.01, 0.5])
    dimmed = faded(pixels, lost, np.random.default_rng(0))
    assert dimmed.dtype == dtype
    np.testing.assert_allclose(dimmed.mean(axis=1), 101 * (1 - lost), atol=0.02)
    assert (dimmed[0] == 101).mean() > 0.999  # a draw of nearly 1 rounds up
    colours = faded(pixels.reshape(4, -1, 2), lost, np.random.default_rng(0))
    np.testing.assert_array_equal(colours, dimmed.reshape(4, -1, 2))


def test_full_scale_stays_within_the_pixel() -> None:
    white = np.full((1, 100), 255, np.uint8)
    assert (faded(white, np.zeros(1), np.random.default_rng(0)) == 255).all()


def test_a_web_seen_in_blocks_is_seen_as_a_whole() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (720, 64)).astype(np.uint8)
    watch = Watch(0.0)
    for top in (0, 240, 480):
        watch.see(pixels[top : top + 240], 8)
    rows = 90 - LINE_HALO
    assert watch.rows == rows  # the last ones are known with the next block
    light, seen = np.concatenate(watch.light), watch.lines(8)
    np.testing.assert_array_equal(light, log_brightness(pixels, 8)[:rows])
    np.testing.assert_array_equal(seen.contrast, log_contrast(pixels, 8)[:, :rows])
    np.testing.assert_array_equal(seen.turned, turned_contrast(pixels, 8)[:, : 2 * rows])


def test_the_web_is_clean_whole_cells_and_its_seeds_differ() -> None:
    chosen = load_config(None, [*SMALL, "source.defects_per_m=9", "source.clean_m=0"])
    one, again, other = (next(clean_web(chosen, seed, 5000)) for seed in (3, 3, 4))
    assert one.shape == (2048, 128)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert sum(len(block) for block in clean_web(chosen, 3, 5000)) == 4096


def test_a_recording_is_refused(capsys, tmp_path) -> None:
    assert main(["--set", "source.kind=replay", "--set", f"source.path={tmp_path}"]) == 1
    assert "source.kind must be simulator, got replay" in capsys.readouterr().err


def test_light_falls_with_the_web_and_only_for_the_lamp_that_fades() -> None:
    chosen = load_config(None, SMALL)
    options = parse_options(["--fades", "0", "400", "--metres", "2"])
    steady, fading = (np.concatenate(w.light) for w in watch_web(chosen, 5, options))
    lost = 1 - np.exp(fading - steady).mean(axis=1)
    metres = np.arange(len(lost)) * 8 * 0.2e-3
    np.testing.assert_allclose(lost, 4 * metres / 100, atol=0.003)


def test_regions_count_once_and_only_where_they_reach_the_level() -> None:
    scores = np.zeros((20, 20))
    scores[2:9, 3] = 0.7
    scores[4, 3] = scores[8, 3] = 1.0
    scores[15, 15] = 0.99
    assert regions(scores, 0.6) == 1
    assert regions(scores, 0.8) == 2
    assert regions(np.zeros((3, 3)), 0.6) == 0


def test_the_table_has_rates_and_intervals() -> None:
    found = table({0.0: {"brightness": 0, "lines": 0}, 5.0: {"brightness": 12, "lines": 1}}, 200)
    assert "| 0 % | 0 | 0.00 (0.00 to 1.84) | 0 | 0.00 (0.00 to 1.84) |" in found
    assert "| 5 % | 12 | 6.00 (3.10 to 10.48) | 1 | 0.50 (0.01 to 2.79) |" in found
    assert found.endswith("200 m of clean web after the bootstrap")


def test_a_lamp_that_fades_fast_alarms_by_brightness_and_not_by_lines(tmp_path, capsys) -> None:
    """20 % over 2 m: in the same column it is darker, beside it everything is."""
    out = tmp_path / "counts.json"
    settings = [part for one in SMALL for part in ("--set", one)]
    fades = ("--fades", "0", "1000", "--metres", "2.2", "--first-seed", "7")
    assert main([*settings, *fades, "--json", str(out)]) == 0
    counts = json.loads(out.read_text())
    assert counts["alarms"]["0.0"] == {"brightness": 0, "lines": 0}
    assert counts["alarms"]["1000.0"]["brightness"] > 0
    assert counts["alarms"]["1000.0"]["lines"] == 0
    told = capsys.readouterr()
    assert "| 1000 % |" in told.out
    assert told.err.startswith("seed 7: ")
    assert counts["metres"] == pytest.approx(2.2 - 0.8, abs=light_drift.BLOCK_CELLS * 8 * 0.2e-3)
