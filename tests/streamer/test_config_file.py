"""The configuration: one place, one fault, one line; and the documented file tells the truth."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import config
from streamer.config import Config, ConfigError, ReplaySource
from streamer.config_file import load_config
from streamer.correction.flat_field import LightReference
from streamer.correction.light_file import LightFacts, LightFile
from streamer.fault_script import Fault
from streamer.presets import PresetName

DOCUMENTED = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "line.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def fault(path, *settings):
    with pytest.raises(ConfigError) as caught:
        load_config(path, settings)
    return str(caught.value)


def test_nothing_given_is_all_defaults():
    assert load_config(None) == Config()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "web:\nsource:\n"])
def test_what_says_nothing_is_all_defaults(write, text):
    assert load_config(write(text)) == Config()


def test_the_documented_file_has_the_defaults_but_for_the_length_of_its_web():
    documented = load_config(DOCUMENTED)
    assert documented.source.length_m == 20
    assert documented.preset == "balanced"
    as_default = documented.source.model_copy(update={"length_m": Config().source.length_m})
    assert documented.model_copy(update={"source": as_default, "preset": None}) == Config()


def test_the_documented_file_leaves_the_keys_of_the_preset_to_it(write):
    text = DOCUMENTED.read_text(encoding="utf-8")
    for name in get_args(PresetName):
        chosen = load_config(write(text.replace("preset: balanced", f"preset: {name}", 1)))
        assert chosen.beyond_preset == []
    written_down = load_config(write(_with_preset_keys()))
    assert written_down == load_config(DOCUMENTED)


def _with_preset_keys():
    """The documented file with the keys that it leaves to the preset written down."""
    lines = DOCUMENTED.read_text(encoding="utf-8").splitlines()
    return "\n".join("  " + line[4:] if "# (preset) " in line else line for line in lines)


def _sections(model):
    return {name: field.annotation for name, field in model.model_fields.items()}


def test_the_documented_file_names_every_key_and_no_other():
    content = yaml.safe_load(_with_preset_keys())
    for name, section in _sections(Config).items():
        if name == "source":
            section = config.SimulatorSource
        if name in ("preset", "cameras"):
            continue  # no sections: a name, and a list that is shown in comments
        assert list(content[name]) == list(section.model_fields), name
    assert set(content) == set(_sections(Config))


def test_the_cameras_of_the_documented_file_are_valid_with_their_comment_marks_removed(write):
    lines = DOCUMENTED.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("# cameras:"))
    block = "\n".join(line.removeprefix("# ") for line in lines[first : first + 5])
    (camera,) = load_config(write(block)).cameras
    assert set(yaml.safe_load(block)["cameras"][0]) == set(type(camera).model_fields)
    assert (camera.first_mm, camera.source.camera) == (500.0, "cam1")


def _commented_source(number):
    """The n-th source of the documented file that stands in comments, as YAML."""
    lines = DOCUMENTED.read_text(encoding="utf-8").splitlines()
    first = [n for n, line in enumerate(lines) if line.startswith("# source:")][number]
    block = []
    for line in lines[first:]:
        if not line.startswith("# ") or (block and line.startswith("# source:")):
            break
        block.append(line.removeprefix("# "))
    return "\n".join(block)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, ReplaySource(path=Path("recordings/web1"))),
        (1, config.StreamSource(address="rtsp://camera/live", allow_lossy=True)),
    ],
)
def test_the_other_sources_of_the_documented_file_are_valid_with_their_comment_marks_removed(
    write, number, expected
):
    block = _commented_source(number)
    assert load_config(write(block)).source == expected
    assert set(yaml.safe_load(block)["source"]) == set(type(expected).model_fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web:\n  pixel_mm: 0.5\n  speed: 3\n", ":3: web.speed: unknown key"),
        ("wep: {}\n", ":1: wep: unknown key"),
        ("web:\n  web_speed_m_s: 1\n", ":2: web.web_speed_m_s: unknown key"),
        ("web:\n  pixel_mm: 0.5 mm\n", ":2: web.pixel_mm: Input should be a valid number"),
        ("web:\n  pixel_mm: 0\n", ":2: web.pixel_mm: Input should be greater than 0, got 0"),
        ("web:\n  pixel_mm: .inf\n", ":2: web.pixel_mm: Input should be a finite number, got inf"),
        ("tiles:\n  lines: many\n", ":2: tiles.lines: Input should be a valid integer"),
        ("tiles:\n  lines: 512.5\n", ":2: tiles.lines: Input should be a valid integer"),
        ("tiles: 5\n", ":1: tiles: Input should be a valid dictionary"),
        ("tiles:\n  overload: hope\n", ":2: tiles.overload: Input should be 'block'"),
        ("source:\n  kind: camera\n", ":1: source: Input tag 'camera' found using 'kind'"),
        ("source:\n  kind: replay\n", ":1: source.path: Field required"),
        ("source:\n  kind: simulator\n  columns: 3\n", ":3: source.columns: Input should be"),
        ("source:\n  camera: a b\n", ":2: source.camera: String should match pattern"),
        ("roll:\n  name: ../up\n", ":2: roll.name: String should match pattern"),
        ("roll:\n  name: 123\n", ":2: roll.name: Input should be a valid string, got 123"),
        ("scoring:\n  patch_size: 8\n", ":1: scoring: patch_size must be odd, got 8"),
        (
            "backbone:\n  onnx_file: a.onnx\n",
            ":1: backbone: onnx_file, onnx_stride and onnx_radius must be given together",
        ),
        (
            "profile:\n  mode: per_tile\n  file: a\n",
            ":1: profile: file needs mode: fixed, got mode: per_tile",
        ),
        (
            "supervisor:\n  beat_ms: 2000\n",
            ":1: supervisor.stall_ms must be >= 3 * supervisor.beat_ms = 6000, got 3000",
        ),
        (
            "tiles:\n  worker_timeout_ms: 300\n",
            ":2: tiles.worker_timeout_ms must be >= 2 * supervisor.beat_ms = 400, got 300",
        ),
        (
            "tiles:\n  verdict_timeout_ms: 1000\n",
            ":2: tiles.verdict_timeout_ms must be >= score.tile_timeout_ms = 30000, got 1000",
        ),
        (
            "supervisor:\n  stop_timeout_ms: 200\n",
            ":2: supervisor.stop_timeout_ms must be >= tiles.drain_timeout_ms = 30000, got 200",
        ),
        (
            "web:\n  columns: 300\n",
            ":2: web.columns must be source.columns = 1024, got 300",
        ),
        ("web:\n  pixel_mm: 1\nweb: {}\n", ":3: web: key must appear once, first seen in line 1"),
        (
            "web:\n  pixel_mm: 1\n  pixel_mm: 2\n",
            ":3: web.pixel_mm: key must appear once, first seen in line 2",
        ),
        ("web: [1,\n", ":2: config file must be YAML in UTF-8, got: "),
        ("web:\n\tpixel_mm: 1\n", ":2: config file must be YAML in UTF-8, got: "),
        ("roll:\n  name: 2024-13-45\n", ": config file must be YAML in UTF-8, got: month must be"),
        ("- web\n", ":1: config file must be a mapping of sections, got list"),
        ("1: 2\n", ":1: 1: Keys should be strings"),
    ],
)
def test_a_fault_names_file_line_key_rule_and_value(write, text, expected):
    path = write(text)
    assert fault(path).startswith(f"{path}{expected}")


def test_every_fault_has_a_line_of_its_own(write):
    path = write("web:\n  pixel_mm: -1\n  x: 2\ntiles:\n  lines: 0\n")
    lines = fault(path).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines] == ["2", "3", "5"]
    assert lines[0].endswith("got -1")


def test_unreadable_files_are_named(tmp_path):
    missing = tmp_path / "no.yaml"
    assert (
        fault(missing) == f"{missing}: config file must be readable, got No such file or directory"
    )
    assert "must be readable" in fault(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00web")
    assert "must be YAML in UTF-8" in fault(binary)


def test_settings_override_the_file(write):
    path = write("web:\n  pixel_mm: 0.1\n  columns: 1024\n")
    loaded = load_config(path, ("web.pixel_mm=0.2", "tiles.lines=256", "web.pixel_mm=0.3"))
    assert (loaded.web.pixel_mm, loaded.web.columns, loaded.tiles.lines) == (0.3, 1024, 256)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("source.length_m=3", 3.0),
        ("source.length_m = 3.5", 3.5),
        ("source={kind: simulator, length_m: 4}", 4.0),
    ],
)
def test_a_setting_is_yaml(setting, expected):
    assert load_config(None, (setting,)).source.length_m == expected


def test_a_setting_may_be_null_or_hold_an_equals_sign():
    loaded = load_config(None, ("scoring.sigma_s=null", "source.kind=replay", "source.path=a=b"))
    assert loaded.scoring.sigma_s is None
    assert loaded.source.path == Path("a=b")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("web.pixel_mm", "--set: setting must be section.key=value, got 'web.pixel_mm'"),
        ("=3", "--set: setting must be section.key=value, got '=3'"),
        ("web..x=3", "--set: setting must be section.key=value"),
        ("web.pixel_mm=[1", "--set: web.pixel_mm: value must be YAML, got '[1'"),
        ("roll.name=2024-13-45", "--set: roll.name: value must be YAML, got '2024-13-45'"),
        ("web.pixel_mm=-1", "--set: web.pixel_mm: Input should be greater than 0, got -1"),
        ("web.pixel=1", "--set: web.pixel: unknown key"),
        ("wep.pixel_mm=1", "--set: wep.pixel_mm: unknown key"),
        ("web=3", "--set: web: Input should be a valid dictionary"),
        ("web.columns.left=1", "--set: web.columns.left must name a key of a section"),
    ],
)
def test_a_wrong_setting_is_told_from_a_wrong_file(write, setting, expected):
    path = write("web:\n  pixel_mm: 0.5\n  columns: 5\n")
    got = fault(path, setting)
    if setting.startswith("wep"):  # the section itself is what nobody knows
        expected = "wep: unknown key"
    assert expected in got
    assert "line.yaml" not in got or setting.startswith("wep")


def test_faults_of_the_file_keep_their_line_beside_settings(write):
    path = write("web:\n  columns: 0\n")
    assert fault(path, "web.pixel_mm=1").startswith(f"{path}:2: web.columns: ")


@pytest.mark.parametrize(
    "setting",
    [
        "web.pixel_mm=0.4",
        "source.seed=7",
        "tiles.lines=256",
        "backbone.name=resnet18",
        "scoring.levels=8",
        "profile.mode=per_tile",
        "calibration.alarm_level=0.5",
        "decision.grow_ratio=0.5",
    ],
)
def test_the_digest_follows_what_decides_verdicts(setting):
    assert load_config(None, (setting,)).digest != Config().digest


@pytest.mark.parametrize(
    "setting",
    [
        "roll.name=x",
        "roll.folder=/elsewhere",
        "transport.tiles=tcp://127.0.0.1:1",
        "alarms.publish=tcp://127.0.0.1:1",
        "supervisor.restarts=1",
        "score.workers=3",
        "kernels.require=native",
        "limits.not_inspected_percent=1",
    ],
)
def test_the_digest_ignores_where_and_how_it_runs(setting):
    assert load_config(None, (setting,)).digest == Config().digest


def test_the_digest_does_not_depend_on_the_process():
    assert Config().digest == Config.model_validate(Config().model_dump()).digest
    assert len(Config().digest) == 64


def test_the_effective_configuration_reads_back(write):
    settings = (
        "source.kind=replay", "source.path='some dir/a: b'", "web.columns=77", "profile.file=p.bin",
        "scoring.sigma_s=null", "roll.name=2024-01-02T0", "transport.beats=ipc:///tmp/x",
    )  # fmt: skip
    given = load_config(None, settings)
    assert load_config(write(given.to_yaml())) == given
    assert load_config(write(Config().to_yaml())) == Config()


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {
            "pixel_mm": st.floats(1e-6, 1e6),
            "web_speed_m_min": st.floats(1e-6, 1e6),
            "line_mm": st.none() | st.floats(1e-6, 1e6),
        }
    ),
    st.integers(0, 2**70),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
)
def test_any_values_survive_the_round_trip(tmp_path_factory, web, seed, name):
    content = {"web": web, "source": {"kind": "simulator", "seed": seed}, "roll": {"name": name}}
    given_config = Config.model_validate(content)
    path = tmp_path_factory.mktemp("c") / "c.yaml"
    path.write_text(given_config.to_yaml(), encoding="utf-8")
    assert load_config(path) == given_config


def test_a_source_of_another_kind_starts_from_its_defaults(write):
    path = write("source:\n  surface: rail\n  camera: left\n  pace: line_rate\n")
    loaded = load_config(path, ("source.kind=replay", "source.path=web.png"))
    assert loaded.source == ReplaySource(path=Path("web.png"), camera="left", pace="line_rate")


def test_a_key_that_the_other_kind_does_not_have_is_a_fault_when_it_was_asked_for():
    asked = ("source.kind=replay", "source.path=a", "source.surface=rail")
    assert "--set: source.surface: unknown key" in fault(None, *asked)


def test_motion_without_an_encoder_is_refused(write):
    text = (
        "source:\n  line_camera: {counts_per_line: null}\n  faults:\n  - {kind: reverse, at_m: 1}\n"
    )
    assert "faults of kind reverse need line_camera.counts_per_line, got null" in fault(write(text))


def test_an_encoder_must_count(write):
    path = write("source:\n  line_camera: {counts_per_line: 0}\n")
    assert "counts_per_line must be a number other than 0" in fault(path)


def test_the_documented_fault_script_is_one():
    script = DOCUMENTED.parent / "deploy" / "faults" / "tour.yaml"
    chosen = load_config(None, (f"source.faults={script}",)).source
    known = {kind.__name__ for kind in get_args(get_args(Fault)[0])}
    assert {type(one).__name__ for one in chosen.faults} == known


def test_a_stream_takes_over_a_name_alone(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("source:\n  camera: left\n  surface: rail\n  bits: 8\n  block_lines: 128\n")
    chosen = ("source.kind=stream", "source.address=/dev/video0")
    source = load_config(path, chosen).source
    assert (source.kind, source.camera, source.block_lines) == ("stream", "left", 256)


def test_a_camera_takes_over_no_width_of_a_simulated_web(tmp_path):
    path = tmp_path / "line.yaml"
    path.write_text("source:\n  camera: left\n  columns: 1024\n  seed: 4\n  block_lines: 64\n")
    chosen = ("source.kind=genicam", "source.address=10.0.0.2", "source.features.Gain=3")
    source = load_config(path, chosen).source
    assert (source.kind, source.camera, source.columns) == ("genicam", "left", None)
    assert source.features == {"Gain": 3}
    assert source.block_lines == 256


def test_a_stream_takes_over_the_name_of_a_simulated_camera(tmp_path):
    path = tmp_path / "line.yaml"
    path.write_text("source:\n  camera: left\n  columns: 1024\n  seed: 4\n  channels: 3\n")
    chosen = ("source.kind=stream", "source.address=rtsp://c/x", "source.allow_lossy=true")
    source = load_config(path, chosen).source
    assert (source.kind, source.camera, source.channels) == ("stream", "left", 1)


def test_a_file_of_a_camera_keeps_its_keys_when_its_kind_is_said_again(tmp_path):
    path = tmp_path / "line.yaml"
    path.write_text("source:\n  kind: genicam\n  address: 10.0.0.2\n  columns: 4096\n")
    source = load_config(path, ("source.kind=genicam", "source.gain=2")).source
    assert (source.columns, source.gain) == (4096, 2)


def test_a_fault_in_a_camera_names_its_key(tmp_path):
    path = tmp_path / "line.yaml"
    path.write_text("source:\n  kind: genicam\n  address: 10.0.0.2\n  gain: much\n")
    with pytest.raises(ConfigError, match=r"line.yaml:4: source.gain: .*got 'much'"):
        load_config(path)
    path.write_text("source:\n  kind: genicam\n")
    with pytest.raises(ConfigError, match=r"line.yaml:1: source: address or serial must be set"):
        load_config(path)


def light_file(folder, level=100.0):
    white = np.full((1024, 1), level, np.float32)
    facts = LightFacts("2026-01-02T03:04:05Z", "cam0", "white", 64)
    made = LightFile(LightReference(8, white), facts)
    path = folder / f"light{level:g}"
    path.write_bytes(made.to_bytes())
    return path, made.digest


def test_the_digest_covers_what_is_in_the_light_file(tmp_path):
    path, digest = light_file(tmp_path)
    loaded = load_config(None, (f"light.file={path}",))
    assert loaded.light.digest == digest
    assert loaded.digest == load_config(None, (f"light.file={path}",)).digest
    path.write_bytes(light_file(tmp_path, 120.0)[0].read_bytes())
    assert load_config(None, (f"light.file={path}",)).digest != loaded.digest
    kept = load_config(None, (f"light.file={path}", f"light.digest={digest}"))
    assert kept.light.digest == digest  # the source will refuse the file


def test_a_light_file_that_is_none_is_left_to_the_source(tmp_path):
    assert load_config(None, (f"light.file={tmp_path}",)).light.digest is None
    (tmp_path / "x").write_text("nothing")
    assert load_config(None, (f"light.file={tmp_path / 'x'}",)).light.digest is None


def test_light_is_off_unless_something_is_to_be_done(tmp_path):
    assert not Config().light.is_on
    for setting in ("light.black_level=2", "light.lamp_drift=slow", f"light.file={tmp_path}"):
        assert load_config(None, (setting,)).light.is_on
    assert "digest needs file, got digest" in fault(None, f"light.digest={'a' * 64}")
