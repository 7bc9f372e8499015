"""A scorer fails once, as the file says, and is itself otherwise."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamer.message import ScoreMap
from streamer.ports import Verdict

HOOKS = Path(__file__).parents[2] / "tools" / "fault_hooks"
SPEC = importlib.util.spec_from_file_location("scorer_faults", HOOKS / "sitecustomize.py")
hooks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(hooks)


class Scorer:
    """Scores every tile alike."""

    description = "even"

    def score(self, tile):
        return tile


def test_without_a_file_nothing_changes(tmp_path):
    scorer = hooks._Scorer(Scorer(), tmp_path / "fault")
    assert scorer.score("tile") == "tile"
    assert scorer.description == "even"


def test_it_raises_once(tmp_path):
    (tmp_path / "fault").write_text("raise")
    scorer = hooks._Scorer(Scorer(), tmp_path / "fault")
    with pytest.raises(RuntimeError, match="the fault file says so"):
        scorer.score("tile")
    assert scorer.score("tile") == "tile"


@pytest.mark.parametrize(
    ("fault", "rule"),
    [("nan", "scores must be finite where there is web"), ("shape", r"scores must be \(2, 2\)")],
)
def test_spoilt_scores_are_refused_by_the_message_itself(tmp_path, fault, rule):
    place = ("r", "c", 0, 0, 0, 16, 0, 16, 8)
    told = ScoreMap(*place, np.ones((2, 2), np.float32), 0.0, 1.0, "p", "m", 1, 2, "w")

    class Fixed(Scorer):
        def score(self, _):
            return Verdict(told, None)

    (tmp_path / "fault").write_text(fault)
    with pytest.raises(ValueError, match=rule):
        hooks._Scorer(Fixed(), tmp_path / "fault").score(0)


def test_a_process_that_is_told_of_the_hooks_has_them():
    code = "import streamer.stages.score as s; print(s.ScoreStage.run.__name__)"
    told = {**os.environ, "LINESCAN_SCORER_FAULT": "/nowhere", "PYTHONPATH": str(HOOKS)}
    for environment, name in ((told, "run_with_faults"), (os.environ, "run")):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert out.stdout.strip() == name
