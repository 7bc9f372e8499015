"""Which configuration a command works with."""

from pathlib import Path

import pytest

from streamer.cli.options import UsageFault, read_config
from streamer.config import Config


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_the_defaults_hold():
    assert read_config(None) == Config()
    assert read_config(None, ["web.pixel_mm=2"]).web.pixel_mm == 2


def test_config_yaml_of_the_working_directory_is_taken(empty_folder):
    (empty_folder / "config.yaml").write_text("web:\n  pixel_mm: 3\n")
    assert read_config(None).web.pixel_mm == 3


def test_a_named_file_goes_before_it(empty_folder):
    (empty_folder / "config.yaml").write_text("web:\n  pixel_mm: 3\n")
    (empty_folder / "other.yaml").write_text("web:\n  pixel_mm: 4\n")
    assert read_config(Path("other.yaml"), ["decision.min_area_mm2=7"]).web.pixel_mm == 4


def test_a_folder_called_config_yaml_is_no_configuration(empty_folder):
    (empty_folder / "config.yaml").mkdir()
    assert read_config(None) == Config()


@pytest.mark.parametrize(
    ("path", "settings", "text"),
    [
        (Path("gone.yaml"), [], "gone.yaml: config file must be readable"),
        (None, ["web.pixel_mm=x"], "--set: web.pixel_mm: Input should be a valid number"),
    ],
)
def test_what_cannot_be_used_is_a_usage_fault(path, settings, text):
    with pytest.raises(UsageFault, match=text):
        read_config(path, settings)
