"""Presets: defaults that anything explicit beats, in one table."""

from typing import get_args

import pytest
import yaml

from streamer.config import Backbone, Config, Scoring
from streamer.config_file import load_config
from streamer.presets import PRESETS, PresetName, overridden, preset_defaults, with_preset

FAST = PRESETS["fast"]


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "line.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_table_has_every_preset():
    assert set(PRESETS) == set(get_args(PresetName))


def test_presets_differ_and_set_the_same_keys():
    keys = [{(s, k) for s, part in preset.items() for k in part} for preset in PRESETS.values()]
    assert keys[0] == keys[1] == keys[2]
    effective = {load_config(None, (f"preset={name}",)).digest for name in PRESETS}
    assert len(effective) == 3


def test_balanced_is_what_no_preset_is():
    balanced = load_config(None, ("preset=balanced",))
    assert balanced.preset == "balanced"
    assert balanced.model_copy(update={"preset": None}) == Config()
    assert balanced.digest == Config().digest


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_of_the_file_sets_its_keys_and_no_other(write, name):
    loaded = load_config(write(f"preset: {name}\n"))
    for section, keys in PRESETS[name].items():
        found = getattr(loaded, section).model_dump()
        assert keys == {key: found[key] for key in keys}
        default = getattr(Config(), section).model_dump()
        assert all(found[key] == default[key] for key in set(found) - set(keys))


def test_an_explicit_key_of_the_file_beats_the_preset_of_the_file(write):
    loaded = load_config(write("preset: fast\nscoring:\n  levels: 20\n  threads: 2\n"))
    assert (loaded.scoring.levels, loaded.scoring.threads) == (20, 2)
    assert loaded.backbone.reduce == FAST["backbone"]["reduce"]
    assert loaded.beyond_preset == ["scoring.levels"]


def test_a_preset_of_the_command_line_beats_the_file(write):
    path = write("scoring:\n  levels: 20\n  threads: 2\nbackbone:\n")
    loaded = load_config(path, ("preset=fast",))
    assert (loaded.scoring.levels, loaded.scoring.threads) == (FAST["scoring"]["levels"], 2)
    assert loaded.beyond_preset == []


def test_a_key_of_the_command_line_beats_its_preset_in_either_order(write):
    path = write("scoring:\n  levels: 12\n")
    for settings in (("preset=fast", "scoring.levels=20"), ("scoring.levels=20", "preset=fast")):
        loaded = load_config(path, settings)
        assert loaded.scoring.levels == 20
        assert loaded.backbone.reduce == FAST["backbone"]["reduce"]


def test_a_section_of_the_command_line_is_left_as_it_is(write):
    loaded = load_config(write(""), ("preset=fast", "scoring={levels: 20}"))
    assert loaded.scoring.levels == 20


def test_a_preset_of_the_command_line_beats_that_of_the_file(write):
    path = write("preset: fast\n")
    assert load_config(path, ("preset=balanced",)).digest == Config().digest
    assert load_config(path, ("preset=null",)).digest == Config().digest


def test_the_effective_configuration_reads_back(write):
    loaded = load_config(None, ("preset=fast", "scoring.levels=20"))
    again = load_config(write(loaded.to_yaml()))
    assert again == loaded
    assert yaml.safe_load(loaded.to_yaml())["preset"] == "fast"


def test_faults_are_placed_as_ever(write):
    path = write("preset: quick\n")
    with pytest.raises(ValueError, match=r"line.yaml:1: preset: Input should be 'fast', 'balanc"):
        load_config(path)
    path = write("preset: fast\nscoring:\n  levels: many\n")
    with pytest.raises(ValueError, match=r"line.yaml:3: scoring.levels: Input should be a valid"):
        load_config(path)
    path = write("preset: fast\nbackbone: 3\n")
    with pytest.raises(ValueError, match=r"line.yaml:2: backbone: Input should be a valid dict"):
        load_config(path)
    path = write("preset: fast\nbackbone:\n  engine: torch\n  precision: int8\n")
    with pytest.raises(ValueError, match=r"line.yaml:2: backbone: precision must be one of fp32"):
        load_config(path)
    path = write("preset: [fast]\n")
    with pytest.raises(ValueError, match=r"line.yaml:1: preset: Input should be"):
        load_config(path)


def test_sections_given_as_values_stay_whole():
    given = Config(preset="fast", scoring=Scoring(levels=20))
    assert given.scoring == Scoring(levels=20)
    assert given.backbone == Backbone(**FAST["backbone"])


def test_unknown_content_is_left_alone():
    content = {"preset": "quick", "scoring": 3}
    assert with_preset(content) == content
    assert preset_defaults(None) == preset_defaults("quick") == preset_defaults([]) == {}
    assert with_preset({"preset": "fast", "scoring": 3})["scoring"] == 3


def test_what_is_beyond_a_preset_is_named_in_order():
    effective = {"backbone": dict(FAST["backbone"], reduce=4), "scoring": dict(FAST["scoring"])}
    assert overridden("fast", effective) == ["backbone.reduce"]
    assert overridden(None, effective) == []
