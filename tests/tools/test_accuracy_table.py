"""Comparing evaluations: sets that one lacks, undefined figures, means, wrong files."""

import json

import accuracy_table
import pytest
from accuracy_table import Evaluation, base_table, difference_table, main, shared_sets


@pytest.fixture
def written(tmp_path):
    def write(name, sets, seconds=(0.1, 0.02)):
        means = {
            key: {"mean": {f: None if v is None else {"value": v} for f, v in figures.items()}}
            for key, figures in sets.items()
        }
        spent = dict(zip(("backbone_cpu", "scoring_cpu"), seconds, strict=True))
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"runs": [{"sets": means, "seconds_per_mpix": spent}]}))
        return path

    return write


@pytest.fixture
def base(written):
    sets = {"cloth": {"auroc": 0.9, "ap": 0.5}, "rail": {"auroc": None, "pro30": 0.4}}
    return written("paper", sets)


@pytest.fixture
def other(written):
    sets = {"cloth": {"auroc": 0.95, "ap": 0.4}, "rail": {"pro30": 0.5}, "more": {"ap": 1.0}}
    return written("fine", sets, (0.2, 0.03))


def cells(table):
    return {row.split("|")[1].strip(): [c.strip() for c in row.split("|")[2:-1]] for row in table}


def test_only_sets_with_the_figure_in_all_runs_are_compared(base, other) -> None:
    runs = Evaluation.read(base), Evaluation.read(other)
    assert shared_sets("auroc", *runs) == ["cloth"]
    assert shared_sets("pro30", *runs) == ["rail"]
    assert shared_sets("region_hits", *runs) == []


def test_base_has_its_figures_and_their_mean(base) -> None:
    table = cells(base_table(Evaluation.read(base)))
    assert table["paper"] == ["cloth", "rail", "mean"]
    assert table["AUROC"] == ["0.9000", "-", "0.9000"]
    assert table["PRO(0.3)"] == ["-", "0.4000", "0.4000"]


def test_differences_have_a_sign_a_mean_and_the_worst_set(written) -> None:
    one = Evaluation.read(written("a", {"x": {"ap": 0.5}, "y": {"ap": 0.2}}))
    two = Evaluation.read(written("b", {"x": {"ap": 0.4}, "y": {"ap": 0.5}}))
    table = cells(difference_table(one, two))
    assert table["AP"] == ["-0.1000", "+0.3000", "+0.1000", "-0.1000"]


def test_the_time_of_a_run_stands_beside_its_name(base, other) -> None:
    table = difference_table(Evaluation.read(base), Evaluation.read(other))
    assert table[0].startswith("| fine (0.200 + 0.030 CPU s/Mpix) |")


def test_all_is_printed(base, other, capsys) -> None:
    assert main([str(base), str(other)]) == 0
    printed = capsys.readouterr().out
    assert "| AUROC | +0.0500 | - | +0.0500 | +0.0500 |" in printed
    assert printed.count("|---|") + printed.count("| --- |") >= 2


@pytest.mark.parametrize("content", ["{}", "[]", "not json", '{"runs": []}', '{"runs": [3]}'])
def test_what_is_no_evaluation_is_named(tmp_path, content, capsys) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    assert main([str(path)]) == 2
    assert f"error: {path}: file must be of `linescan evaluate --out`" in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path, capsys) -> None:
    assert accuracy_table.main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
