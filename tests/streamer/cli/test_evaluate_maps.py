"""Maps of single images: the score of `inspect`, its times, and faults that name their file."""

import numpy as np
import pytest
import torch

from streamer.cli.evaluate_maps import (
    TimedBackbone,
    named_fault,
    read_pixels,
    score_stills,
    warm_up,
)
from streamer.config import Config
from streamer.scoring.image_scorer import score_image
from streamer.scoring.lesson import Lesson
from streamer.web import WebGeometry


def test_the_map_is_that_of_the_image_scorer(texture, blocks):
    path, config, backbone = texture("a.png"), Config(), blocks
    (found,) = score_stills([path], config, backbone, normalised=False).maps
    lesson = Lesson.of(config, WebGeometry(160, 0.5, 0.5, 60), backbone.spec)
    expected = score_image(read_pixels(path), backbone, lesson)
    assert np.array_equal(found.scores, expected.scores)
    assert (found.image, found.shape, found.stride) == (str(path), (128, 160), 8)
    assert found.patch_size == 9


def test_normalised_scores_are_in_units_of_the_alarm_level(texture, blocks):
    path, config = texture("a.png"), Config()
    raw, normal = (
        score_stills([path], config, blocks, normalised=flag).maps[0].scores
        for flag in (False, True)
    )
    slope, offset = np.polyfit(raw.ravel(), normal.ravel(), 1)
    assert normal == pytest.approx(slope * raw + offset, abs=1e-3)
    assert slope > 1
    assert np.median(normal) == pytest.approx(0, abs=0.5)


def test_narrow_images_have_smaller_windows(texture, blocks):
    (found,) = score_stills([texture("a.png", 40, 160)], Config(), blocks, normalised=False).maps
    assert found.patch_size == 5


def test_one_bad_image_does_not_stop_the_others(texture, tmp_path, blocks):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    paths = [bad, texture("good.png"), tmp_path / "gone.png", texture("tiny.png", 8, 8)]
    found = score_stills(paths, Config(), blocks, normalised=False)
    assert [entry.image for entry in found.maps] == [str(paths[1])]
    assert len(found.faults) == 3
    for path, fault in zip((paths[0], paths[2], paths[3]), found.faults, strict=True):
        assert fault.startswith(str(path))
        assert fault.count(path.name) == 1


def test_a_profile_that_is_none_stops_all(texture, tmp_path, blocks):
    (tmp_path / "p").write_bytes(b"no profile")
    config = Config(profile={"file": tmp_path / "p"})
    with pytest.raises(ValueError, match="profile"):
        score_stills([texture("a.png")], config, blocks, normalised=False)


def test_a_profile_for_another_score_stops_all(texture, tmp_path, blocks):
    path, learnt = texture("a.png"), Config()
    lesson = Lesson.of(learnt, WebGeometry(160, 0.5, 0.5, 60), blocks.spec)
    file = tmp_path / "p.safetensors"
    score_image(read_pixels(path), blocks, lesson).profile.save(file)
    other = {"profile": {"file": str(file)}, "scoring": {"levels": 20}}
    with pytest.raises(ValueError, match="profile must be for levels = 20"):
        score_stills([path], Config.model_validate(other), blocks, normalised=False)


def test_times_are_told_apart(texture, blocks):
    (found,) = score_stills([texture("a.png")], Config(), blocks, normalised=False).maps
    assert found.backbone_s > 0
    assert found.scoring_s > 0
    assert found.backbone_cpu_s > 0
    assert found.scoring_cpu_s > 0


def test_a_timed_backbone_is_the_one_within(blocks):
    inner = blocks
    timed = TimedBackbone(inner)
    pixels = np.zeros((16, 16), np.uint8)
    assert torch.equal(timed.embed(pixels), inner.embed(pixels))
    assert timed.spec is inner.spec
    assert (timed.seconds > 0).all()
    timed.close()
    assert inner.closed


def test_warming_up_uses_the_backbone(blocks):
    backbone = blocks
    warm_up(Config(), backbone)
    assert backbone.calls > 0


def test_warming_up_does_not_depend_on_a_level_set_by_hand(blocks):
    lowest = Config.model_validate({"calibration": {"alarm_level": 1e-9}})
    warm_up(lowest, blocks)
    assert blocks.calls > 0


def test_faults_name_their_file_once(tmp_path):
    path = tmp_path / "a.png"
    assert named_fault(path, ValueError("a.png: it is cut")) == f"{path}: it is cut"
    assert named_fault(path, ValueError(f"{path}: it is cut")) == f"{path}: it is cut"
    missing = FileNotFoundError(2, "No such file", str(path))
    assert named_fault(path, missing) == f"{path}: No such file"


def test_features_that_are_none_are_a_fault_of_their_image(texture, blocks, monkeypatch):
    embed, paths = blocks.embed, [texture("a.png"), texture("bb.png")]
    broken = iter([True, False])

    def embed_or_fail(pixels):
        features = embed(pixels)
        return features * torch.nan if next(broken) else features

    monkeypatch.setattr(blocks, "embed", embed_or_fail)
    found = score_stills(paths, Config(), blocks, normalised=False)
    assert [entry.image for entry in found.maps] == [str(paths[1])]
    (fault,) = found.faults
    assert fault.startswith(f"{paths[0]}: features must be finite, got NaN or infinity")
