"""Runs from the command line: combinations, names, and what their digests depend on."""

import re
from dataclasses import replace

import pytest

from streamer.cli import evaluate_runs
from streamer.cli.evaluate_runs import Choices, MapOptions, choose_runs, program_digest, run_digest
from streamer.cli.options import UsageFault
from streamer.ports import BackboneSpec

SPEC = BackboneSpec("blocks", 8, 12, 4, "b10c", "torch:cpu", (0, 6))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def choose(*settings, **names):
    return choose_runs(Choices(None, settings, **names))


def digest(run, options=None, spec=SPEC):
    return run_digest(run, spec, options or MapOptions())


class TestCombinations:
    def test_without_a_choice_there_is_the_configuration(self):
        (run,) = choose("scoring.levels=8")
        assert (run.name, run.settings) == ("as configured", ("scoring.levels=8",))
        assert run.config.scoring.levels == 8

    def test_all_of_them_the_first_of_each_before_the_others(self):
        runs = choose(methods=("fca", "fca_fast"), features=("efficientnet_lite0", "resnet18"))
        assert [run.name for run in runs] == [
            "fca, efficientnet_lite0",
            "fca, resnet18",
            "fca_fast, efficientnet_lite0",
            "fca_fast, resnet18",
        ]
        assert runs[1].config.backbone.name == "resnet18"
        assert runs[1].config.scoring.method == "fca"

    def test_a_file_is_a_feature(self):
        names = {"features": ("models/stride 8.onnx",), "onnx_stride": 8, "onnx_radius": 64}
        (run,) = choose(**names)
        assert run.name == "stride 8.onnx"
        assert str(run.config.backbone.onnx_file) == "models/stride 8.onnx"
        assert run.config.backbone.onnx_radius == 64

    def test_a_name_leaves_the_file_of_the_configuration_aside(self):
        given = [f"backbone.onnx_{key}" for key in ("file=a.onnx", "stride=8", "radius=9")]
        runs = choose(*given, features=("resnet18",))
        assert runs[0].config.backbone.onnx_file is None

    def test_what_the_configuration_does_not_know_is_its_own_error(self):
        with pytest.raises(UsageFault, match=r"scoring\.(reference|method)"):
            choose(references=("none_such",))

    def test_the_same_twice(self):
        with pytest.raises(UsageFault, match="runs must differ, got fca twice"):
            choose(methods=("fca", "fca"))


class TestWebs:
    @pytest.mark.parametrize(
        ("pattern", "web"),
        [(None, ""), (r"\d+$", "07"), (r"^([a-z]+)_", "left"), (r"roll(\d)", "")],
    )
    def test_the_web_of_an_image_is_what_the_pattern_finds(self, pattern, web):
        compiled = None if pattern is None else re.compile(pattern)
        assert MapOptions(stream=True, web_pattern=compiled).web_of("left_07") == web


class TestDigest:
    @pytest.mark.parametrize(
        "setting",
        ["scoring.levels=8", "scoring.method=fca", "profile.mode=per_tile", "tiles.lines=256"],
    )
    def test_what_changes_a_map_changes_it(self, setting):
        assert digest(choose()[0]) != digest(choose(setting)[0])

    @pytest.mark.parametrize(
        "setting",
        ["backbone.threads=1", "scoring.threads=2", "roll.folder=x", "decision.grow_ratio=0.5"],
    )
    def test_what_changes_none_does_not(self, setting):
        assert digest(choose()[0]) == digest(choose(setting)[0])

    def test_model_and_options_do(self):
        run = choose()[0]
        others = [
            digest(run, spec=replace(SPEC, digest="other")),
            digest(run, MapOptions(stream=True)),
            digest(run, MapOptions(normalised=True)),
        ]
        assert len({digest(run), *others}) == 4

    def test_a_profile_counts_by_its_content(self, tmp_path):
        for name in "ab":
            (tmp_path / name).write_bytes(b"same")
        first, second = (digest(choose(f"profile.file={name}")[0]) for name in "ab")
        assert first == second
        (tmp_path / "b").write_bytes(b"other")
        assert digest(choose("profile.file=b")[0]) != first

    def test_the_programs_own_files_count(self, tmp_path, monkeypatch):
        fake = tmp_path / "streamer"
        (fake / "cli").mkdir(parents=True)
        for name in (
            "__init__.py",
            *(f"cli/{n}.py" for n in ("evaluate_maps", "evaluate_web", "stills")),
        ):
            (fake / name).write_text("1")
        monkeypatch.setattr(evaluate_runs.streamer, "__file__", str(fake / "__init__.py"))
        before = program_digest()
        (fake / "cli/bench.py").write_text("2")
        assert program_digest() == before
        (fake / "tiling.py").write_text("3")
        with_tiling = program_digest()
        assert with_tiling != before
        (fake / "compose").mkdir()
        (fake / "compose/geometry.py").write_text("4")  # how webs are cut
        assert program_digest() != with_tiling
