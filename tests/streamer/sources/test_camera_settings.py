"""A camera is set in order, read back and compared; what it does not keep is explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.camera_sections import ChunkNames, GenicamSource
from streamer.sources.camera_settings import apply_settings, planned


class PaperCamera:
    """Features in memory; `rules` say what is kept of a value, or raise ValueError."""

    def __init__(self, features, rules=None):
        self.features = dict(features)
        self.rules = rules or {}
        self.written = []

    def has(self, name):
        return name in self.features

    def read(self, name):
        return self.features[name]

    def write(self, name, value):
        self.written.append((name, value))
        self.features[name] = self.rules.get(name, lambda given: given)(value)

    def allowed(self, name):
        return "1 to 100" if name == "ExposureTime" else ""


FEATURES = {
    "PixelFormat": "Mono8",
    "Width": 4096,
    "OffsetX": 0,
    "Height": 1,
    "ExposureTime": 10.0,
    "Gain": 0.0,
    "AcquisitionLineRate": 1000.0,
    "AcquisitionLineRateEnable": False,
    "EncoderSelector": "Encoder0",
    "EncoderSourceA": "Off",
    "EncoderSourceB": "Off",
    "TriggerSelector": "FrameStart",
    "TriggerSource": "Line0",
    "TriggerActivation": "RisingEdge",
    "TriggerMode": "Off",
    "ChunkModeActive": False,
    "ChunkSelector": "Image",
    "ChunkEnable": False,
}


def source(**keys):
    return GenicamSource(address="10.0.0.2", **keys)


def test_nothing_configured_sets_nothing():
    camera = PaperCamera(FEATURES)
    assert apply_settings(camera, source()) == ()
    assert camera.written == []


def test_everything_is_set_in_the_order_that_cameras_need():
    chosen = source(
        pixel_format="Mono16",
        columns=2048,
        first_column=1024,
        frame_lines=512,
        exposure_us=20,
        line_rate_hz=20000,
        encoder_selector="Encoder1",
        encoder_source_a="Line1",
        trigger_selector="LineStart",
        trigger_source="Encoder1",
        features={"B": 1, "A": 2},
        chunks=ChunkNames(line="ChunkLineID", encoder_first="ChunkEncoderValue"),
    )
    camera = PaperCamera(FEATURES | {"A": 0, "B": 0})
    assert apply_settings(camera, chosen) == ()
    assert camera.written == [
        ("PixelFormat", "Mono16"),
        ("OffsetX", 0),
        ("Width", 2048),
        ("OffsetX", 1024),
        ("Height", 512),
        ("ExposureTime", 20.0),
        ("AcquisitionLineRateEnable", True),
        ("AcquisitionLineRate", 20000.0),
        ("EncoderSelector", "Encoder1"),
        ("EncoderSourceA", "Line1"),
        ("TriggerSelector", "LineStart"),
        ("TriggerSource", "Encoder1"),
        ("TriggerMode", "On"),
        ("B", 1),
        ("A", 2),
        ("ChunkModeActive", True),
        ("ChunkSelector", "LineID"),
        ("ChunkEnable", True),
        ("ChunkSelector", "EncoderValue"),
        ("ChunkEnable", True),
    ]


def test_a_trigger_that_is_off_is_switched_off():
    assert [(one.names, one.value) for one in planned(source(trigger_source="off"))] == [
        (("TriggerMode",), "Off")
    ]


def test_older_names_are_found_and_an_optional_feature_may_be_missing():
    camera = PaperCamera({"ExposureTimeAbs": 0.0, "GainRaw": 0, "AcquisitionLineRateAbs": 0.0})
    apply_settings(camera, source(exposure_us=20, gain=3, line_rate_hz=5000))
    assert camera.written == [
        ("ExposureTimeAbs", 20.0),
        ("GainRaw", 3.0),
        ("AcquisitionLineRateAbs", 5000.0),
    ]


def test_a_camera_without_the_feature_is_explained():
    with pytest.raises(
        ValueError, match=r"source.line_rate_hz must name .* without AcquisitionLineRate or"
    ):
        apply_settings(PaperCamera({}), source(line_rate_hz=5000))
    with pytest.raises(ValueError, match=r"source.features.Foo must name what the camera has"):
        apply_settings(PaperCamera({}), source(features={"Foo": 1}))


def test_a_refused_value_is_explained_with_what_is_allowed():
    def refuse(value):
        msg = f"{value} is out of range"
        raise ValueError(msg)

    camera = PaperCamera(FEATURES, {"ExposureTime": refuse})
    with pytest.raises(
        ValueError, match=r"source.exposure_us must .* got 500.0 \(ExposureTime\)"
    ) as e:
        apply_settings(camera, source(exposure_us=500))
    assert "refused: 500.0 is out of range; it accepts 1 to 100" in str(e.value)


@given(wanted=st.floats(1, 1e6), error=st.floats(-0.5, 0.5))
def test_a_rounding_within_tolerance_is_said_and_beyond_it_refused(wanted, error):
    kept = wanted * (1 + error)
    camera = PaperCamera(FEATURES, {"ExposureTime": lambda _: kept})
    chosen = source(exposure_us=wanted, tolerance=0.02)
    if kept == wanted:
        assert apply_settings(camera, chosen) == ()
    elif abs(kept - wanted) <= 0.02 * wanted:
        (note,) = apply_settings(camera, chosen)
        assert f"{wanted} was rounded to {kept} by the camera (ExposureTime)" in note
    else:
        with pytest.raises(ValueError, match="it keeps"):
            apply_settings(camera, chosen)


def test_a_value_that_a_later_setting_changes_is_noticed():
    camera = PaperCamera(FEATURES)

    def clip(rate):
        camera.features["ExposureTime"] = min(camera.features["ExposureTime"], 1e6 / rate)
        return rate

    camera.rules = {"AcquisitionLineRate": clip}
    with pytest.raises(ValueError, match=r"source.exposure_us .* it keeps 50.0"):
        apply_settings(camera, source(exposure_us=400, line_rate_hz=20000))


def test_words_are_compared_exactly():
    camera = PaperCamera(FEATURES, {"PixelFormat": lambda _: "Mono12"})
    with pytest.raises(ValueError, match="it keeps Mono12"):
        apply_settings(camera, source(pixel_format="Mono16"))


def test_a_command_has_nothing_to_compare():
    camera = PaperCamera({"UserSetLoad": None}, {"UserSetLoad": lambda _: None})
    assert apply_settings(camera, source(features={"UserSetLoad": True})) == ()
    assert camera.written == [("UserSetLoad", True)]
