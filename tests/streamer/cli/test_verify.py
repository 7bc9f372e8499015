"""Forms of a backbone: which there are, and that each is really compared."""

from contextlib import closing

import numpy as np
import pytest

from streamer import config
from streamer.backbones import installed, open_backbone
from streamer.backbones.calibration_set import CalibrationSet
from streamer.backbones.channel_subset import chosen_channels
from streamer.backbones.faults import ProviderError
from streamer.cli import verify as module
from streamer.cli.verify import SUBSET_TOLERANCE, TOLERANCES, Form, forms_of, judge, verify
from streamer.compose.calibration_web import simulated_defects

BACKBONE = config.Backbone(threads=1)
WEB = CalibrationSet("web", [simulated_defects().images[0][:256, :256]])


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return config.Config(backbone=BACKBONE.model_copy(update={"cache": cache}))


def names(forms):
    return [form.name for form in forms]


def form(chosen, tolerance="fp32", **update):
    return Form("form", chosen.backbone.model_copy(update=update), TOLERANCES[tolerance])


def test_forms_are_all_engines_and_precisions_and_torch_first():
    assert names(forms_of(BACKBONE)) == [
        "torch fp32",
        "onnxruntime fp32",
        "openvino fp32",
        "openvino bf16",
        "onnxruntime int8",
        "openvino int8",
    ]


def test_a_subset_comes_beside_the_whole_with_a_wider_tolerance():
    forms = {one.name: one for one in forms_of(BACKBONE.model_copy(update={"channels": 64}))}
    assert len(forms) == 11
    assert forms["openvino int8"].tolerance == TOLERANCES["int8"]
    subset = forms["openvino int8 64 channels"]
    assert subset.tolerance == TOLERANCES["int8"] + SUBSET_TOLERANCE
    assert subset.settings.channels == 64


def test_the_reference_is_whole_and_on_the_cpu_whatever_is_configured():
    settings = config.Backbone(provider="cuda", allow_fallback=True, channels=8, threads=1)
    first = forms_of(settings)[0].settings
    assert (first.engine, first.provider, first.channels) == ("torch", "cpu", None)
    assert not first.allow_fallback


def test_forms_are_valid_settings():
    for one in forms_of(BACKBONE.model_copy(update={"channels": 16})):
        assert config.Backbone.model_validate(one.settings.model_dump()) == one.settings


def test_a_file_of_the_users_is_compared_with_onnxruntime(tmp_path):
    own = config.Backbone(onnx_file=tmp_path / "a.onnx", onnx_stride=8, onnx_radius=33)
    assert names(forms_of(own)) == [
        "onnxruntime fp32",
        "openvino fp32",
        "openvino bf16",
        "onnxruntime int8",
        "openvino int8",
    ]


def test_the_int8_file_is_that_of_the_configured_channels(tmp_path):
    file = tmp_path / "net.onnx"
    settings = config.Backbone(precision="int8", int8_file=file, channels=16)
    files = {one.name: one.settings.int8_file for one in forms_of(settings)}
    assert {name for name, found in files.items() if found == file} == {
        "onnxruntime int8 16 channels",
        "openvino int8 16 channels",
    }


def test_the_export_agrees_with_torch(chosen):
    told = []
    first, second = verify(chosen, forms_of(chosen.backbone)[:2], WEB, told.append)
    assert told == ["torch fp32", "onnxruntime fp32"]
    assert (first.engine, first.agreement) == ("torch:cpu", None)
    assert second.engine == "onnxruntime:CPUExecutionProvider"
    assert second.departures == ()
    assert second.agreement.feature_mean < 1e-5
    assert second.agreement.regions > 0, "nothing is decided on this web"


def test_int8_departs_where_no_more_than_float_is_allowed(chosen):
    """The same form passes with its own tolerance and fails with that of float32."""
    reference = forms_of(chosen.backbone)[0]
    lenient, strict = (form(chosen, limits, precision="int8") for limits in ("int8", "fp32"))
    found = verify(chosen, [reference, lenient, strict], WEB)[1:]
    assert found[0].departures == ()
    assert any("mean difference of features" in text for text in found[1].departures)
    assert found[0].engine.endswith("int8 calibrated on simulator")


def test_features_of_a_subset_are_compared_with_the_same_channels(chosen):
    reference = forms_of(chosen.backbone)[0]
    (_, found) = verify(chosen, [reference, form(chosen, channels=16)], WEB)
    assert found.agreement.feature_mean < 1e-5
    assert found.agreement.score_max > 0.001  # the scores are those of fewer channels


def test_a_judgement_is_what_inspect_says(chosen):
    with closing(open_backbone(chosen.backbone)) as backbone:
        found = judge(WEB.images[0], backbone, chosen)
    assert found.features.shape == (240, 32, 32)
    assert found.scores.shape == found.levels.shape == (32, 32)
    strongest = max(one.peak for one in found.regions)
    assert strongest == pytest.approx(float(found.levels.max()))


def test_what_does_not_run_says_why_unless_it_is_configured(chosen, monkeypatch):
    monkeypatch.setattr(installed, "has_openvino", lambda: False)
    reference = forms_of(chosen.backbone)[0]
    missing = form(chosen, engine="openvino")
    (_, outcome) = verify(chosen, [reference, missing], WEB)
    assert (outcome.engine, outcome.agreement) == ("", None)
    assert 'pip install "linescan[cpu,openvino]"' in outcome.reason
    configured = chosen.model_copy(update={"backbone": missing.settings})
    with pytest.raises(ProviderError, match="openvino"):
        verify(configured, [reference, missing], WEB)


def test_an_image_that_is_too_small_is_refused(chosen):
    tiny = CalibrationSet("tiny", [np.zeros((8, 64), np.uint8)])
    with pytest.raises(ValueError, match="image must be at least 17 pixels"):
        verify(chosen, forms_of(chosen.backbone)[:1], tiny)


def test_the_reference_is_cut_to_the_channels_of_the_form(chosen):
    with closing(open_backbone(chosen.backbone)) as backbone:
        whole = judge(WEB.images[0], backbone, chosen)
    cut = module._as_form(whole, form(chosen, channels=8))
    assert np.array_equal(cut.features, whole.features[chosen_channels(8, 240)])
    assert module._as_form(whole, form(chosen)) is whole
