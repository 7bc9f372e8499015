from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.scoring.brightness import LightStrip, learn_brightness
from streamer.scoring.core_strips import Core
from streamer.scoring.detectors import Look
from streamer.scoring.features import fixed_scale
from streamer.scoring.lane import LaneKey, LaneLearner
from streamer.scoring.profile import TextureProfile, learn_profile

KEY = LaneKey("roll", "cam0", 0)


def core(seed: int, rows: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 16, (4, rows, 32), generator=generator).to(torch.uint8)


@pytest.fixture
def scale(backbone):
    return fixed_scale(backbone.spec)


def test_key_is_the_lane_of_a_tile(web, tile_of) -> None:
    tile = tile_of(web(128, 256), lane=3, camera="left")
    assert LaneKey.of(tile) == LaneKey("roll", "left", 3)


def test_bootstrap_ends_at_its_number_and_gives_the_profile_of_its_cores(lesson, scale) -> None:
    learner = LaneLearner(3)
    for sequence in range(3):
        assert not learner.is_due(sequence)
        learner.remember(Core(sequence, core(sequence)), lesson)
    assert learner.profile_for(2) is None
    assert learner.is_due(3)
    learner.learn(3, scale, lesson)
    expected = learn_profile([core(0), core(1), core(2)], scale, lesson)
    assert learner.profile_for(3).digest == expected.digest
    assert learner.cores == {}


def test_order_of_arrival_within_the_bootstrap_does_not_matter(lesson, scale) -> None:
    digests = set()
    for order in ([0, 1, 2], [2, 0, 1, 0]):
        learner = LaneLearner(3)
        for sequence in order:
            learner.remember(Core(sequence, core(sequence)), lesson)
        learner.learn(3, scale, lesson)
        digests.add(learner.profile_for(3).digest)
    assert len(digests) == 1


def test_tiles_before_the_profile_stay_without_it(lesson, scale) -> None:
    learner = LaneLearner(2)
    learner.remember(Core(0, core(0)), lesson)
    learner.learn(2, scale, lesson)
    assert learner.profile_for(1) is None
    assert learner.profile_for(2) is not None


def test_missing_tiles_do_not_prolong_the_bootstrap(lesson) -> None:
    learner = LaneLearner(4)
    learner.remember(Core(2, core(2)), lesson)
    assert not learner.is_due(3)
    assert learner.is_due(4)
    assert learner.is_due(9)


def test_a_lane_that_missed_its_bootstrap_starts_it_at_its_first_tile(lesson) -> None:
    learner = LaneLearner(4)
    assert not learner.is_due(10)
    learner.remember(Core(10, core(10)), lesson)
    assert not learner.is_due(13)
    assert learner.is_due(14)


def test_tiles_too_small_for_a_window_teach_nothing(lesson) -> None:
    learner = LaneLearner(2)
    learner.remember(Core(0, core(0, rows=8)), lesson)
    assert learner.cores == {}
    assert not learner.is_due(5)


def test_a_lane_that_never_learns_remembers_nothing(lesson) -> None:
    learner = LaneLearner(0)
    learner.remember(Core(0, core(0)), lesson)
    assert learner.cores == {}
    assert not learner.is_due(7)


def test_only_the_core_is_kept_not_the_tile_around_it(lesson) -> None:
    learner = LaneLearner(2)
    whole = core(0, rows=40)
    learner.remember(Core(0, whole[:, 10:26]), lesson)
    kept = learner.cores[0].features
    assert kept.untyped_storage().nbytes() == kept.numel()


def test_the_news_is_told_once_and_never_of_an_adopted_profile(lesson, scale) -> None:
    learner = LaneLearner(1)
    assert learner.take_news(KEY) is None
    learner.remember(Core(0, core(0)), lesson)
    learner.learn(1, scale, lesson)
    state = learner.take_news(KEY)
    assert (state.roll, state.camera, state.lane, state.sequence) == ("roll", "cam0", 0, 1)
    assert TextureProfile.from_bytes(state.profile).digest == state.digest
    assert learner.take_news(KEY) is None
    other = LaneLearner(1)
    other.adopt(TextureProfile.from_bytes(state.profile), 1)
    assert other.take_news(KEY) is None
    assert other.profile_for(1).digest == state.digest
    assert not other.is_due(5)


def test_unscaled_cores_are_scaled_together(lesson, unbounded_backbone) -> None:
    learner = LaneLearner(2)
    low, high = core(0).float(), core(1).float() * 10
    learner.remember(Core(0, low), lesson)
    learner.remember(Core(1, high), lesson)
    learner.learn(2, None, lesson)
    assert 1 / learner.profile_for(2).scale.factor[0].item() == pytest.approx(150, abs=1)


def light(seed: int) -> LightStrip:
    noise = np.random.default_rng(seed).normal(-1, 0.02, (16, 32))
    return LightStrip(noise.astype(np.float32), 4)


def test_brightness_is_learnt_from_the_lights_of_the_same_tiles(lesson, scale) -> None:
    lesson = replace(lesson, brightness=True)
    learner = LaneLearner(3)
    for sequence in (2, 0, 1, 5):
        rows = 4 if sequence == 1 else 16  # too small for a window
        learner.remember(Core(sequence, core(sequence, rows)), lesson, Look(light(sequence)))
    learner.learn(3, scale, lesson)
    learnt = learner.profile_for(3).brightness
    expected = learn_brightness([light(0), light(2), light(5)], lesson.target)
    assert torch.equal(learnt.median, expected.median)
    assert learnt.description == expected.description
    assert learner.looks == {}


def test_brightness_that_is_not_asked_for_is_not_learnt(lesson, scale) -> None:
    learner = LaneLearner(1)
    learner.remember(Core(0, core(0)), lesson)
    learner.learn(1, scale, lesson)
    assert learner.profile_for(1).brightness is None
    assert learner.profile_for(1).lines is None
