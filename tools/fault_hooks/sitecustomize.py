"""Makes a scorer fail as a file says; python loads it where PYTHONPATH names this folder.

LINESCAN_SCORER_FAULT names the file; when it exists, the first worker that scores a tile takes it
away and does what it says: hang, raise, nan or shape.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from streamer.message import Tile
    from streamer.ports import Verdict

SPOILT_MODULE = "streamer.stages.score"


def _taken(file: Path) -> str:
    """What the file says, once; "" when there is none."""
    mine = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.rename(mine)
    except FileNotFoundError:
        return ""
    return mine.read_text().strip()


def _spoilt(verdict: Verdict, fault: str) -> Verdict:
    scores = verdict.score_map.scores
    if fault == "nan":
        scores = scores * float("nan")
    elif fault == "shape":
        scores = scores[:-1]
    return replace(verdict, score_map=replace(verdict.score_map, scores=scores))


class _Scorer:
    """Another scorer that fails when the file says so."""

    def __init__(self, scorer: Any, file: Path) -> None:
        self._scorer, self._file = scorer, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    def score(self, tile: Tile) -> Verdict:
        """Score, unless it is to fail."""
        fault = _taken(self._file)
        if fault == "hang":
            time.sleep(3600)
        if fault == "raise":
            msg = "the fault file says so"
            raise RuntimeError(msg)
        verdict: Verdict = self._scorer.score(tile)
        return _spoilt(verdict, fault) if fault else verdict


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the loader of the module."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Load it, then put our scorer between the stage and its own."""
        self._loader.exec_module(module)
        run, file = module.ScoreStage.run, Path(os.environ["LINESCAN_SCORER_FAULT"])

        def run_with_faults(stage: Any) -> Any:
            stage.scorer = _Scorer(stage.scorer, file)
            return run(stage)

        module.ScoreStage.run = run_with_faults


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Only of the module that is spoilt."""
        if fullname != SPOILT_MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


if "LINESCAN_SCORER_FAULT" in os.environ:
    sys.meta_path.insert(0, _Finder())
