"""Images as one web: maps come back where they belong, whatever widths, seams and losses."""

import cv2
import numpy as np
import pytest

from streamer.cli.evaluate_maps import read_pixels, score_stills
from streamer.cli.evaluate_web import score_web
from streamer.config import Config


def config(**sections):
    """Tiles of 80 lines as wide as the web, each judged by itself unless told otherwise."""
    given = {"tiles": {"lines": 80, "columns": 256}, "profile": {"mode": "per_tile"}} | sections
    return Config(**given)


def web(paths, blocks, settings=None, *, normalised=False):
    return score_web(paths, settings or config(), blocks, normalised=normalised)


def test_one_tile_per_image_is_the_image_by_itself(texture, blocks):
    paths = [texture("a.png", 80, 160), texture("bb.png", 80, 160)]
    found = web(paths, blocks)
    alone = score_stills(paths, Config(), blocks, normalised=False)
    assert [entry.image for entry in found.maps] == [str(path) for path in paths]
    for one, other in zip(found.maps, alone.maps, strict=True):
        assert np.allclose(one.scores, other.scores, atol=1e-6)


def test_images_of_any_length_start_a_tile_of_their_own(texture, blocks):
    """100 lines are no multiple of stride or tile: the second image must not shift."""
    first, second = texture("a.png", 100, 160), texture("bb.png", 140, 160)
    together, alone = web([first, second], blocks), web([second], blocks)
    assert [entry.scores.shape for entry in together.maps] == [(13, 20), (18, 20)]
    assert not any(np.isnan(entry.scores).any() for entry in together.maps)
    assert np.array_equal(together.maps[1].scores, alone.maps[0].scores)


def test_a_fixed_profile_is_made_of_the_first_metres(texture, blocks):
    """The first image is judged by itself, the later ones by what it taught."""
    paths = [texture(name, 160, 160) for name in ("a.png", "bb.png", "ccc.png")]
    fixed = config(profile={"mode": "fixed", "bootstrap_m": 0.05})
    maps = web(paths, blocks, fixed).maps
    per_tile = web(paths, blocks).maps
    assert np.array_equal(maps[0].scores, per_tile[0].scores)
    assert not np.array_equal(maps[2].scores, per_tile[2].scores)


def test_narrow_images_are_padded_and_the_padding_is_not_theirs(texture, blocks):
    paths = [texture("a.png", 80, 160), texture("bb.png", 80, 120)]
    maps = web(paths, blocks).maps
    assert maps[1].shape == (80, 120)
    assert maps[1].scores.shape == (10, 15)
    assert not np.isnan(maps[1].scores).any()


def test_a_width_off_the_grid_keeps_its_last_cell(texture, blocks):
    """It is cut by the web's edge, as the last cell of a web is on the line."""
    paths = [texture("a.png", 80, 160), texture("bb.png", 80, 117)]
    together, alone = web(paths, blocks).maps[1], web(paths[1:], blocks).maps[0]
    assert together.scores.shape == (10, 15)
    assert np.allclose(together.scores, alone.scores, atol=1e-6)


def test_several_lanes_are_stitched(texture, blocks):
    path = texture("a.png", 80, 256)
    lanes = config(tiles={"lines": 80, "columns": 128})
    (found,) = web([path], blocks, lanes).maps
    assert found.scores.shape == (10, 32)
    assert not np.isnan(found.scores).any()


def test_a_lost_image_is_named_and_the_web_goes_on(texture, blocks):
    paths = [texture(name, 80, 160) for name in ("a.png", "bb.png", "ccc.png")]
    paths[1].write_bytes(paths[1].read_bytes()[:-30])
    found = web(paths, blocks)
    assert [entry.image for entry in found.maps] == [str(paths[0]), str(paths[2])]
    (fault,) = found.faults
    assert fault.startswith(f"{paths[1]}: PNG must have")
    alone = web([paths[2]], blocks)
    assert np.array_equal(found.maps[1].scores, alone.maps[0].scores)


def test_an_image_without_a_readable_header_is_no_piece(texture, blocks, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    found = web([tmp_path / "bad.png", texture("a.png", 80, 160)], blocks)
    assert len(found.maps) == 1
    assert found.faults[0].startswith(str(tmp_path / "bad.png"))
    nothing = web([tmp_path / "bad.png"], blocks)
    assert nothing.maps == ()


def test_images_of_another_depth_are_no_pieces_of_the_web(texture, blocks, tmp_path):
    cv2.imwrite(str(tmp_path / "rgb.png"), np.zeros((80, 160, 3), np.uint8))
    found = web([texture("a.png", 80, 160), tmp_path / "rgb.png"], blocks)
    assert len(found.maps) == 1
    assert "image must have 1 channels of 8 bits" in found.faults[0]


@pytest.mark.parametrize("place", [0, 1])
def test_an_image_too_short_for_a_window_is_named(texture, blocks, place):
    paths = [texture("a.png", 80, 160)]
    paths.insert(place, texture("bb.png", 40, 160))
    found = web(paths, blocks)
    assert [entry.shape for entry in found.maps] == [(80, 160)]
    assert found.faults[0].startswith(f"{paths[place]}: image must hold a tile, got 40 lines")


def test_normalised_scores_are_those_of_each_tile(texture, blocks):
    path = texture("a.png", 80, 160)
    raw, normal = (web([path], blocks, normalised=flag).maps[0].scores for flag in (False, True))
    slope, offset = np.polyfit(raw.ravel(), normal.ravel(), 1)
    assert normal == pytest.approx(slope * raw + offset, abs=1e-3)
    assert slope > 1


def test_a_profile_that_does_not_fit_stops_the_web(texture, blocks, tmp_path):
    (tmp_path / "p").write_bytes(b"no profile")
    settings = config(profile={"mode": "fixed", "file": tmp_path / "p"})
    with pytest.raises(ValueError, match="profile"):
        web([texture("a.png", 80, 160)], blocks, settings)


def test_times_are_those_of_the_images_tiles(texture, blocks):
    paths = [texture("a.png", 80, 160), texture("bb.png", 240, 160)]
    maps = web(paths, blocks).maps
    assert all(entry.backbone_s > 0 and entry.scoring_s > 0 for entry in maps)
    assert all(entry.backbone_cpu_s > 0 and entry.scoring_cpu_s > 0 for entry in maps)
    assert read_pixels(paths[1]).shape == maps[1].shape
