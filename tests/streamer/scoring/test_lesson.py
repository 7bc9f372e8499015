import pytest

from streamer.config import Config
from streamer.message import Halo
from streamer.scoring.fca import FcaFast
from streamer.scoring.features import Edges
from streamer.scoring.lesson import Lesson


def test_lesson_is_what_is_configured(backbone, geometry) -> None:
    settings = Config.model_validate(
        {
            "scoring": {"patch_size": 5},
            "calibration": {
                "false_alarms_per_100m": 7.0,
                "alarm_level": 0.25,
                "tail": "gpd",
                "lanes": "pooled",
            },
        }
    )
    lesson = Lesson.of(settings, geometry, backbone.spec)
    assert isinstance(lesson.method, FcaFast)
    assert lesson.spec is backbone.spec
    assert (lesson.target.stride, lesson.target.block) == (8, 5)
    assert lesson.target.geometry == geometry
    assert lesson.target.false_alarms_per_100m == 7.0
    assert lesson.alarm_level == 0.25
    assert lesson.target.tail == "gpd"
    assert lesson.pools_lanes
    assert lesson.detectors == ()


@pytest.mark.parametrize("detectors", [(), ("brightness",), ("lines",), ("brightness", "lines")])
def test_detectors_that_are_asked_for_share_the_false_alarms(detectors, backbone, geometry) -> None:
    settings = Config.model_validate(
        {
            "scoring": dict.fromkeys(detectors, "on"),
            "calibration": {"false_alarms_per_100m": 6.0},
        }
    )
    lesson = Lesson.of(settings, geometry, backbone.spec)
    assert lesson.detectors == detectors
    assert (lesson.brightness, lesson.lines) == ("brightness" in detectors, "lines" in detectors)
    assert lesson.target.false_alarms_per_100m == 6.0 / (1 + len(detectors))


def test_a_side_without_its_whole_halo_is_the_edge_of_the_web(lesson) -> None:
    # Windows of 9 reach 8 features, the blur 2, and the receptive field 12 pixels.
    assert lesson.edges(Halo(92, 91, 0, 112)) == Edges(
        top=False, bottom=True, left=True, right=False
    )
    assert lesson.edges(Halo()) == Edges()
