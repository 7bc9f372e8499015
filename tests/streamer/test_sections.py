"""The sections of a configuration, each by itself."""

from typing import get_args

import pytest
from pydantic import ValidationError

from streamer import config
from streamer.config import Config, Transport


def test_line_rate_follows_speed_and_line():
    web = config.Web(pixel_mm=0.5, web_speed_m_min=60)
    assert (web.down_mm, web.line_rate_hz) == (0.5, 2000)
    assert config.Web(pixel_mm=0.5, line_mm=0.25, web_speed_m_min=60).line_rate_hz == 4000


def test_sections_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().web.pixel_mm = 1


def test_all_kinds_of_source_are_known():
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(config.Source)[0])}
    assert kinds == {"simulator", "replay", "stream", "genicam", "gentl"}


@pytest.mark.parametrize(
    ("name", "halo"),
    [
        ("fca_fast", 10), ("fca", 10), ("quantized_fca", 10), ("sww", 4), ("histogram", 4),
        ("moments", 4), ("aota", 4), ("aota_original", 3), ("grnr", 2),
    ],
)  # fmt: skip
def test_the_halo_of_a_score_follows_its_method(name, halo):
    assert config.Scoring(method=name, patch_size=9).halo_features == halo


def test_lines_need_a_halo_of_their_own():
    halos = [config.Scoring(lines="on", patch_size=size).halo_features for size in (3, 9, 15)]
    assert halos == [11, 11, 16]
    assert config.Scoring(lines="on", method="grnr").halo_features == 11


def test_the_halo_of_every_method_is_known():
    assert all(config.Scoring(method=name).halo_features > 0 for name in get_args(config.Method))
    unchecked = config.Scoring().model_copy(update={"method": "other"})
    with pytest.raises(AssertionError, match="other"):
        _ = unchecked.halo_features


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"method": "moments", "reference": "knn"},
            "reference must be median, or method one of fca, fca_fast, quantized_fca, sww, got "
            "reference: knn with method: moments",
        ),
        (
            {"reference": "prototypes"},
            "reference: prototypes needs method: fca or sww, got reference: prototypes with "
            "method: fca_fast",
        ),
        (
            {"references": 3},
            "references needs reference: random, knn or prototypes, got reference: median",
        ),
        ({"reference": "all", "references": 3}, "references needs reference: random, knn or"),
        ({"reference": "knn", "references": 0}, "greater than or equal to 1"),
    ],
)
def test_references_that_a_method_cannot_have_are_explained(settings, text):
    with pytest.raises(ValueError, match=text):
        config.Scoring(**settings)


@pytest.mark.parametrize("name", ["fca", "fca_fast", "quantized_fca", "sww"])
@pytest.mark.parametrize("kind", ["random", "all", "knn"])
def test_what_compares_windows_may_have_several_references(name, kind):
    assert config.Scoring(method=name, reference=kind).reference == kind


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"precision": "bf16"}, "precision must be one of fp32, int8 with engine: onnxruntime"),
        ({"engine": "torch", "precision": "int8"}, "set engine: onnxruntime or openvino"),
        ({"engine": "openvino", "provider": "cuda"}, "provider must be cpu with engine: openvino"),
        ({"precision": "int8", "provider": "cuda"}, "or a precision below fp32, got cuda"),
        ({"int8_file": "a.onnx"}, "int8_file needs precision: int8, got precision: fp32"),
        ({"channels": 0}, "greater than or equal to 1"),
    ],
)
def test_what_no_engine_has_is_refused(keys, rule):
    with pytest.raises(ValueError, match=rule):
        config.Backbone(**keys)


@pytest.mark.parametrize("tiles", ["tcp://127.0.0.1:1", "tcp://camera-host:5570", "inproc://x"])
def test_shared_memory_is_of_one_host(tiles):
    with pytest.raises(ValidationError, match="kind: shared_memory needs an ipc:// .* this host"):
        Transport(kind="shared_memory", tiles=tiles)
    assert Transport(tiles=tiles).kind == "sockets"


@pytest.mark.parametrize("tiles", ["", "ipc:///run/tiles"])
def test_shared_memory_goes_with_local_tiles_and_any_other_endpoints(tiles):
    chosen = Transport(kind="shared_memory", tiles=tiles, results="tcp://127.0.0.1:1")
    assert chosen.endpoints == {
        "tiles": tiles,
        "results": "tcp://127.0.0.1:1",
        "ledger": "",
        "beats": "",
    }


def test_edges_of_a_stream_are_not_looked_for_unless_told():
    assert config.Edges().stream == "off"
    assert config.Edges(stream=False).stream == "off"  # a bare `off` in YAML
    assert config.Edges(stream="auto", selvedge_mm=12).guard_mm == 5


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"margin_left_mm": 5}, "edges.stream must be fixed or auto with edges.margin_left_mm"),
        ({"ignore": [{"first_mm": 1, "end_mm": 2}]}, "got off; set edges.stream: fixed"),
        ({"stream": "fixed", "selvedge_mm": 5}, "edges.stream must be auto .*, got fixed"),
        ({"stream": "auto", "guard_mm": -1}, "greater than or equal to 0"),
    ],
)
def test_edges_that_would_be_ignored_are_refused(keys, rule):
    with pytest.raises(ValueError, match=rule):
        config.Edges(**keys)


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"first_mm": 10, "end_mm": 10}, "end_mm must be > first_mm = 10.0, got 10.0"),
        ({"first_mm": 0, "end_mm": 1, "from_m": 5, "to_m": 4}, "to_m must be > from_m = 5.0"),
    ],
)
def test_a_zone_without_area_is_refused(keys, rule):
    with pytest.raises(ValueError, match=rule):
        config.IgnoreZone(**keys)


def test_severe_alarms_wait_for_somebody_and_nothing_is_held_back_by_default():
    alarms = config.Alarms()
    assert (alarms.store, alarms.latch, alarms.debounce_ms, alarms.flood_per_10min) == (
        None, "high", 0, None,
    )  # fmt: skip
    assert config.Alarms(latch=False).latch == "off"  # how YAML reads a bare off


@pytest.mark.parametrize(
    "wrong",
    [{"latch": "severe"}, {"debounce_ms": -1}, {"flood_per_10min": 0}, {"flood_per_10min": 1001}],
)
def test_wrong_settings_of_alarms_are_named(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        config.Alarms(**wrong)
