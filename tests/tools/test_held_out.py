"""Leaving sets out of a choice: by hand on small tables, and the whole way on made-up sets."""

import json

import cv2
import held_out
import numpy as np
import pytest
from held_out import BASES, Bar, candidates, leave_each_out, parse_options, run
from hypothesis import given, settings
from hypothesis import strategies as st


def figures(table) -> dict[str, dict[str, np.ndarray]]:
    """(candidates, sets[, 1 + draws]) as figures by name."""
    values = np.asarray(table, float)
    values = values[..., None] if values.ndim == 2 else values
    return {
        f"c{n}": {f"s{m}": one for m, one in enumerate(row)} for n, row in enumerate(values)
    }  # fmt: skip


class TestLeavingOut:
    def test_a_set_that_decides_for_itself_is_found_out(self) -> None:
        # c1 is best only because of s0; whoever has not seen s0 takes c0.
        left = leave_each_out(figures([[0.5, 0.8, 0.8], [0.9, 0.7, 0.7]]))
        assert [(one.seeing, one.blind) for one in left] == [
            ("c1", "c0"),
            ("c1", "c1"),
            ("c1", "c1"),
        ]
        assert [round(float(one.optimism[0]), 3) for one in left] == [0.4, 0.0, 0.0]
        assert [float(one.blind_figures[0]) for one in left] == [0.5, 0.7, 0.7]

    def test_a_choice_that_others_share_costs_nothing(self) -> None:
        left = leave_each_out(figures([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]]))
        assert all(one.blind == "c0" and one.optimism[0] == 0 for one in left)

    def test_draws_choose_for_themselves(self) -> None:
        table = np.zeros((2, 2, 3))
        table[0, 1] = [1, 0, 1]  # on the others of s0, the first draw prefers c1
        table[1, 1] = [0, 1, 0]
        table[0, 0], table[1, 0] = 0.2, 0.7
        (first, _) = leave_each_out(figures(table))
        assert first.blind_figures.tolist() == [0.2, 0.7, 0.2]

    @settings(max_examples=50)
    @given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 5))
    def test_seeing_is_best_in_the_mean_of_all(self, seed, candidates_count, sets) -> None:
        values = np.random.default_rng(seed).uniform(0, 1, (candidates_count, sets, 4))
        left = leave_each_out(figures(values))
        seen = np.mean([one.seeing_figures for one in left], axis=0)
        assert np.allclose(seen, values.mean(axis=1).max(axis=0))
        for number, one in enumerate(left):
            others = np.delete(values, number, axis=1).mean(axis=1)
            assert others[int(one.blind[1:]), 0] == others[:, 0].max()

    def test_a_bar_rules_out_what_a_seen_set_loses_by(self) -> None:
        table = figures([[0.9, 0.9, 0.1], [0.5, 0.5, 0.5]])  # c0 is best, and fails on s2
        bar = Bar({f"s{n}": np.array([0.4]) for n in range(3)}, 0.005)
        left = leave_each_out(table, bar)
        assert [(one.seeing, one.blind) for one in left] == [
            ("c1", "c1"),
            ("c1", "c1"),
            ("c1", "c0"),
        ]
        assert round(float(left[2].optimism[0]), 3) == 0.4  # who has not seen s2 fails on it
        assert {one.seeing for one in leave_each_out(table)} == {"c0"}

    def test_where_nothing_passes_the_mean_decides(self) -> None:
        bar = Bar({f"s{n}": np.array([0.99]) for n in range(2)}, 0.0)
        assert {one.seeing for one in leave_each_out(figures([[0.2, 0.3], [0.1, 0.1]]), bar)} == {
            "c0"
        }

    def test_one_set_cannot_be_left_out(self) -> None:
        with pytest.raises(ValueError, match="sets must be two or more to leave one out, got 1"):
            leave_each_out(figures([[0.5]]))


def test_candidates_are_all_pairs() -> None:
    found = candidates([8, 12], [0.6, 1.0])
    assert list(found)[1] == "8 levels, blur 1"
    assert found["12 levels, blur 0.6"] == ("scoring.levels=12", "scoring.sigma_blur=0.6")
    assert len(found) == 4


def write_set(data, name: str, seed: int) -> None:
    for number in range(2):
        rng = np.random.default_rng([seed, number])
        down, across = np.mgrid[:160, :176]
        weave = 120 + 25 * np.sin(down * 1.1 + number) + 25 * np.sin(across * 0.9)
        pixels = (weave + rng.normal(0, 4, weave.shape)).astype(np.uint8)
        mask = np.zeros_like(pixels)
        pixels[60:90, 70:100], mask[60:90, 70:100] = 40, 255
        for kind, values in (("images", pixels), ("masks", mask)):
            folder = data / name / "weave" / kind
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{number}.png"), values)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder, "first", 1)
    write_set(folder, "rail400", 2)
    return folder


def options(data, tmp_path, *more):
    fixed = ["--data", str(data), "--sets", "first", "rail400", "--levels", "8", "12", "--blurs",
             "0.8", "--resamples", "5", "--work", str(tmp_path / "work")]  # fmt: skip
    return parse_options([*fixed, *more])


class TestRun:
    def test_the_whole_way_and_again_from_what_is_kept(
        self, data, tmp_path, capsys, monkeypatch
    ) -> None:
        out = tmp_path / "figures.json"
        chosen = options(data, tmp_path, "--figures", "pro30", "--json", str(out))
        assert run(chosen) == 0
        first = capsys.readouterr().out
        assert first.startswith("### pro30")
        assert [line.split(" | ")[0] for line in first.splitlines()[4:]] == [
            "| first", "| rail400", "| mean"
        ]  # fmt: skip
        runs = json.loads(out.read_text())
        assert list(runs) == [*BASES, "8 levels, blur 0.8", "12 levels, blur 0.8"]
        assert "auroc" in runs["published"]["first"]
        assert "auroc" not in runs["published"]["rail400"]  # boxes
        assert runs["12 levels, blur 0.8"]["first"]["auroc"] > 0.9
        assert runs["8 levels, blur 0.8"] != runs["12 levels, blur 0.8"]
        monkeypatch.setattr(
            held_out, "judge_runs", lambda *_: pytest.fail("kept figures are judged")
        )
        assert run(chosen) == 0
        assert capsys.readouterr().out == first

    def test_what_is_shipped_must_be_measured(self, data, tmp_path, capsys) -> None:
        assert run(options(data, tmp_path, "--shipped", "16", "0.8")) == 2
        assert "--shipped must be of the grid" in capsys.readouterr().err

    def test_missing_sets_are_2(self, tmp_path, capsys) -> None:
        assert run(options(tmp_path, tmp_path)) == 2
        assert "DATASET must hold images" in capsys.readouterr().err
