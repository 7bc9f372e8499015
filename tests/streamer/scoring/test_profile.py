import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from streamer.calibration import Calibration
from streamer.config import Config
from streamer.scoring import open_scorer
from streamer.scoring.bands import BandPlace
from streamer.scoring.brightness import BrightnessProfile
from streamer.scoring.features import ChannelScale, Edges, embed_web, fixed_scale
from streamer.scoring.lesson import Lesson
from streamer.scoring.line_contrast import LINES
from streamer.scoring.line_profile import LineProfile
from streamer.scoring.line_spread import LineSpread
from streamer.scoring.profile import (
    TextureProfile,
    complete_profile,
    holds_window,
    learn_profile,
    learn_reference,
    require_fit,
)


@pytest.fixture
def quantised(backbone, lesson, web) -> torch.Tensor:
    features = embed_web(backbone, web(160, 256), Edges())
    return lesson.method.quantise(features, fixed_scale(backbone.spec))


@pytest.fixture
def profile(backbone, lesson, quantised) -> TextureProfile:
    return learn_profile([quantised], fixed_scale(backbone.spec), lesson)


def test_reference_is_that_of_the_windows_of_all_maps(lesson, quantised) -> None:
    """Two maps of whole windows are one map of twice as many, but no window crosses them."""
    whole = quantised[:, :18, :27]
    halves = [whole[:, :9], whole[:, 9:18]]
    expected = lesson.method.reference([whole])
    torch.testing.assert_close(learn_reference(halves, lesson.method), expected)
    ragged = [whole[:, :14], whole[:, 9:18]]  # the rows 9..13 of the first fill no window
    torch.testing.assert_close(learn_reference(ragged, lesson.method), expected)


def test_maps_without_a_window_are_left_out_or_refused(lesson, quantised) -> None:
    small = quantised[:, :8]
    assert not holds_window(small, lesson.method)
    expected = learn_reference([quantised], lesson.method)
    torch.testing.assert_close(learn_reference([small, quantised], lesson.method), expected)
    with pytest.raises(ValueError, match=r"hold a window of 9 x 9 features, got \[\(4, 8, 32\)\]"):
        learn_reference([small], lesson.method)


def test_profile_is_calibrated_on_its_own_scores(profile, lesson, quantised) -> None:
    scores = lesson.method.score(quantised, profile.reference)
    calibration = profile.calibration
    assert scores.min() < calibration.background < np.quantile(scores, 0.9)
    assert calibration.alarm_level > scores.max()
    assert calibration.blocks > 0


def test_alarm_level_by_hand_overrules(backbone, lesson, quantised) -> None:
    by_hand = replace(lesson, alarm_level=0.5)
    profile = learn_profile([quantised], fixed_scale(backbone.spec), by_hand)
    assert (profile.calibration.alarm_level, profile.calibration.blocks) == (0.5, 0)


def test_masked_scores_do_not_calibrate(backbone, lesson, quantised) -> None:
    scale, reference = fixed_scale(backbone.spec), learn_reference([quantised], lesson.method)
    scores = lesson.method.score(quantised, reference)
    hidden = scores.copy()
    hidden[:, :10] = np.nan
    wild = np.where(np.isnan(hidden), np.nan, scores)
    learnt = complete_profile(scale, reference, [wild], lesson).calibration
    assert learnt.blocks < complete_profile(scale, reference, [scores], lesson).calibration.blocks


def test_bytes_come_back_as_the_same_profile(profile) -> None:
    again = TextureProfile.from_bytes(profile.to_bytes())
    assert again.digest == profile.digest
    assert again.calibration == profile.calibration
    assert dict(again.parameters) == dict(profile.parameters)
    torch.testing.assert_close(again.reference, profile.reference)
    torch.testing.assert_close(again.scale.factor, profile.scale.factor)
    assert again.to_bytes() == profile.to_bytes()


def test_exact_profiles_keep_float_references(backbone, geometry, web) -> None:
    lesson = Lesson.of(
        Config.model_validate({"scoring": {"method": "fca", "patch_size": 5}}),
        geometry,
        backbone.spec,
    )
    scale = fixed_scale(backbone.spec)
    levels = lesson.method.quantise(embed_web(backbone, web(64, 80), Edges()), scale)
    profile = learn_profile([levels], scale, lesson)
    assert profile.reference.dtype == torch.float32
    again = TextureProfile.from_bytes(profile.to_bytes())
    torch.testing.assert_close(again.reference, profile.reference, rtol=0, atol=0)


def test_digest_changes_with_everything_in_the_profile(profile) -> None:
    reference = profile.reference.clone()
    reference[0, 0] ^= 1
    others = [
        replace(profile, reference=reference),
        replace(profile, scale=replace(profile.scale, offset=profile.scale.offset + 1)),
        replace(profile, calibration=Calibration(0.0, 1.0, 3, 1.0)),
        replace(profile, parameters={**profile.parameters, "levels": 8}),
        replace(profile, backbone="other"),
        replace(profile, method="fca"),
    ]
    assert len({other.digest for other in (profile, *others)}) == len(others) + 1


def test_file_comes_back_and_leaves_nothing_beside_it(profile, tmp_path) -> None:
    path = tmp_path / "linen.safetensors"
    profile.save(path)
    assert TextureProfile.load(path).digest == profile.digest
    assert [entry.name for entry in tmp_path.iterdir()] == ["linen.safetensors"]
    # Other programs can read it.
    assert safetensors.torch.load_file(path)["reference"].shape == (4, 81)


def test_a_place_that_takes_no_file_is_left_as_it_was(profile, tmp_path) -> None:
    (tmp_path / "web").mkdir()
    with pytest.raises(IsADirectoryError):
        profile.save(tmp_path / "web")
    assert [path.name for path in tmp_path.iterdir()] == ["web"]


def test_files_that_are_no_profile_are_refused_by_name(tmp_path, profile) -> None:
    path = tmp_path / "x.safetensors"
    foreign = safetensors.torch.save({"reference": torch.zeros(4, 81)})
    for content in (b"", b"12345", b"\xff" * 64, b"\x89PNG" * 100, foreign):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.safetensors: profile must be a file of"):
            TextureProfile.load(path)
    path.write_bytes(profile.to_bytes()[:-100])
    with pytest.raises(ValueError, match="profile must be complete"):
        TextureProfile.load(path)
    with pytest.raises(FileNotFoundError):
        TextureProfile.load(tmp_path / "none.safetensors")


def rewritten(profile: TextureProfile, **changes: object) -> bytes:
    content = profile.to_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    description = json.loads(header["__metadata__"]["profile"]) | changes
    tensors = safetensors.torch.load(content)
    return safetensors.torch.save(tensors, {"profile": json.dumps(description)})


def test_other_format_and_damaged_content_are_refused(profile) -> None:
    advice = r"profile must have format 2 \(learn it again with `linescan calibrate`\), got 1"
    with pytest.raises(ValueError, match=advice):
        TextureProfile.from_bytes(rewritten(profile, format=1))
    with pytest.raises(ValueError, match=f"profile must have the digest {profile.digest}"):
        TextureProfile.from_bytes(rewritten(profile, backbone="other"))
    with pytest.raises(ValueError, match="profile must be complete"):
        TextureProfile.from_bytes(rewritten(profile, calibration={"background": 0.0}))
    damaged = bytearray(profile.to_bytes())
    damaged[-1] ^= 1
    with pytest.raises(ValueError, match="profile must have the digest"):
        TextureProfile.from_bytes(bytes(damaged))


def test_profile_of_unchosen_channels_is_refused(profile) -> None:
    with pytest.raises(ValueError, match=r"one number of channels, got \(4, 3\)"):
        replace(profile, scale=ChannelScale(profile.scale.offset, profile.scale.factor[:3]))


def test_profile_fits_only_its_backbone_method_and_parameters(profile, lesson, geometry) -> None:
    require_fit(profile, lesson.method, lesson.spec)
    other = replace(lesson.spec, name="lite", digest="0123456789abcdef")
    with pytest.raises(ValueError, match="learnt with backbone lite 0123456789ab .* got 'blocks"):
        require_fit(profile, lesson.method, other)
    exact = Lesson.of(Config.model_validate({"scoring": {"method": "fca"}}), geometry, lesson.spec)
    with pytest.raises(ValueError, match="for method fca .*linescan calibrate.* got 'fca_fast'"):
        require_fit(profile, exact.method, lesson.spec)
    fewer = Lesson.of(
        Config.model_validate({"scoring": {"levels": 8, "sigma_blur": 1.0}}), geometry, lesson.spec
    )
    with pytest.raises(ValueError, match="for levels = 8 .* got {'levels': 16}"):
        require_fit(profile, fewer.method, lesson.spec)


def test_lanes_are_pooled_where_the_lesson_says_so(backbone, lesson, web) -> None:
    scale = fixed_scale(backbone.spec)
    features = [embed_web(backbone, web(512, 512, seed), Edges()) for seed in (1, 2)]
    maps = [lesson.method.quantise(part, scale) for part in features]
    small = maps[0][:, :4]
    pooling = replace(lesson, pools_lanes=True)
    learnt = learn_profile([small, *maps], scale, pooling, (0, 3, 5)).calibration
    assert [own.lane for own in learnt.lane_levels] == [3, 5]
    assert learn_profile([small, *maps], scale, lesson, (0, 3, 5)).calibration.lane_levels == ()


@pytest.fixture
def banded(profile) -> TextureProfile:
    reference = torch.stack([profile.reference, profile.reference // 2])
    return replace(profile, reference=reference, bands=BandPlace(8, 3))


def test_bands_are_saved_and_told_apart(profile, banded, tmp_path) -> None:
    path = tmp_path / "banded.safetensors"
    banded.save(path)
    loaded = TextureProfile.load(path)
    assert loaded.bands == BandPlace(8, 3)
    assert torch.equal(loaded.reference, banded.reference)
    digests = {profile.digest, banded.digest, replace(banded, bands=BandPlace(8, 2)).digest}
    assert len(digests) == 3
    assert loaded.digest == banded.digest


def test_a_program_without_bands_would_refuse_them(banded, profile) -> None:
    formats = [_description(one)["format"] for one in (profile, banded)]
    assert formats == [2, 3]


def _description(profile: TextureProfile) -> dict:
    content = profile.to_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["profile"])


def test_bands_need_their_reference_and_a_method_that_knows_them(banded, profile, settings) -> None:
    with pytest.raises(ValueError, match=r"bands of a profile must be \(bands, 4, T \* T\), got"):
        replace(profile, bands=BandPlace(8, 0))
    exact = open_scorer(settings.scoring.model_copy(update={"method": "fca"}))
    with pytest.raises(ValueError, match="scoring.method must be fca_fast for references per band"):
        banded.score(exact, torch.zeros(4, 20, 20), 0)


def test_scores_follow_the_bands_of_the_web(banded, profile, lesson, quantised) -> None:
    one = profile.score(lesson.method, quantised, 0)
    np.testing.assert_array_equal(one, lesson.method.score(quantised, profile.reference))
    # From column 0 on, all bands but the last lie before band 4: the first reference counts.
    left = banded.score(lesson.method, quantised[:, :, :24].contiguous(), 0)
    expected = profile.score(lesson.method, quantised[:, :, :24].contiguous(), 0)
    np.testing.assert_array_equal(left, expected)
    right = banded.score(lesson.method, quantised, 400)
    halved = replace(profile, reference=profile.reference // 2)
    np.testing.assert_array_equal(right, halved.score(lesson.method, quantised, 0))


@pytest.fixture
def lined(profile) -> TextureProfile:
    medians = torch.linspace(-1, 1, 80).reshape(2, 40), torch.linspace(-1, 1, 20)
    spreads = (LineSpread((0.01, 0.02), 0.3),) * len(LINES), (LineSpread((0.01,)),) * len(LINES)
    known = LineProfile(*medians, 6, 2, *spreads, Calibration(1.7, 6.0, 80, 1.0))
    return replace(profile, lines=known)


@pytest.fixture
def bright(profile) -> TextureProfile:
    median = torch.linspace(-2, -1, 32)
    return replace(
        profile, brightness=BrightnessProfile(median, 4, 0.01, Calibration(0.7, 6.0, 80, 1.0))
    )


def test_brightness_is_saved_and_told_apart(profile, bright, banded, tmp_path) -> None:
    path = tmp_path / "bright.safetensors"
    bright.save(path)
    loaded = TextureProfile.load(path)
    assert torch.equal(loaded.brightness.median, bright.brightness.median)
    assert loaded.brightness.description == bright.brightness.description
    assert loaded.digest == bright.digest
    assert loaded.to_bytes() == bright.to_bytes()
    known = bright.brightness
    others = [
        replace(bright, brightness=replace(known, median=known.median + 1)),
        replace(bright, brightness=replace(known, noise=0.02)),
        replace(bright, brightness=replace(known, first_column=5)),
        replace(banded, brightness=known),
    ]
    assert len({one.digest for one in (profile, bright, banded, *others)}) == 7


def test_a_program_without_brightness_would_refuse_it(profile, bright, banded) -> None:
    both = replace(banded, brightness=bright.brightness)
    formats = [_description(one)["format"] for one in (profile, banded, bright, both)]
    assert formats == [2, 3, 4, 4]
    again = TextureProfile.from_bytes(both.to_bytes())
    assert (again.bands, again.digest) == (both.bands, both.digest)


def test_lines_are_saved_and_told_apart(profile, bright, lined, banded, tmp_path) -> None:
    lined.save(tmp_path / "lined.safetensors")
    loaded = TextureProfile.load(tmp_path / "lined.safetensors")
    assert torch.equal(loaded.lines.median, lined.lines.median)
    assert torch.equal(loaded.lines.turned, lined.lines.turned)
    assert loaded.lines.description == lined.lines.description
    assert loaded.lines.spreads == lined.lines.spreads
    assert (loaded.digest, loaded.to_bytes()) == (lined.digest, lined.to_bytes())
    known = lined.lines
    other = (LineSpread((0.02,)),) * len(LINES)
    others = [
        replace(lined, lines=replace(known, median=known.median + 1)),
        replace(lined, lines=replace(known, turned=known.turned + 1)),
        replace(lined, lines=replace(known, spreads=(LineSpread((0.01, 0.02)),) * len(LINES))),
        replace(lined, lines=replace(known, turned_spreads=other)),
        replace(lined, lines=replace(known, first_strip=4)),
        replace(banded, lines=known),
        replace(bright, lines=known),
    ]
    assert len({one.digest for one in (profile, lined, *others)}) == 9
    assert {_description(one)["format"] for one in (lined, *others)} == {6}
    every = replace(banded, lines=known, brightness=bright.brightness)
    assert TextureProfile.from_bytes(every.to_bytes()).digest == every.digest


def test_damaged_lines_are_refused(lined) -> None:
    known = _description(lined)["lines"]
    for wrong in ({"strips": 2}, known | {"more": 1}, known | {"calibration": {}}):
        with pytest.raises(ValueError, match="profile must be complete"):
            TextureProfile.from_bytes(rewritten(lined, lines=wrong))
    unlike = [one | {"correlation": 2} for one in known["spreads"]]
    with pytest.raises(ValueError, match="correlation of a line must be within 0.95, got 2"):
        TextureProfile.from_bytes(rewritten(lined, lines=known | {"spreads": unlike}))
    with pytest.raises(ValueError, match="profile must have format 6 .*, got 5"):
        TextureProfile.from_bytes(rewritten(lined, format=5))
    with pytest.raises(ValueError, match="lines must be .* got"):
        TextureProfile.from_bytes(rewritten(lined, lines=known | {"lines": [[0.0, 9]]}))
    with pytest.raises(ValueError, match="profile must have the digest"):
        TextureProfile.from_bytes(rewritten(lined, lines=known | {"first_strip": 8}))


def test_damaged_brightness_is_refused(bright) -> None:
    known = _description(bright)["brightness"]
    for wrong in ({"first_column": 1}, known | {"more": 1}, known | {"calibration": {}}):
        with pytest.raises(ValueError, match="profile must be complete"):
            TextureProfile.from_bytes(rewritten(bright, brightness=wrong))
    with pytest.raises(ValueError, match="box of brightness must be 5 cells"):
        TextureProfile.from_bytes(rewritten(bright, brightness=known | {"box": 9}))
    with pytest.raises(ValueError, match="profile must have the digest"):
        TextureProfile.from_bytes(rewritten(bright, brightness=known | {"noise": 0.5}))
