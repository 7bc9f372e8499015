"""Scores with the installed package, without the checkout, and says which kernel did it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 40
DEFECT = (12, 21)
ENVIRONMENT_FAULT = 3


def main(expected: str, home: Path) -> None:
    """Check that the package under `home` scores, with `expected`: "native" or "reference"."""
    import kernels
    import streamer

    for package in (kernels, streamer):
        place = Path(str(package.__file__)).resolve()
        _check(place.is_relative_to(home.resolve()), f"{place} must lie under {home}")
    template = resources.files(streamer) / "outputs" / "templates" / "report.html.j2"
    _check(template.is_file(), "the template of the report must be in the package")
    _check_kernel(expected, home)
    _check_scores()
    _check_command(expected)
    path = kernels.backends()["fca_score_fast"]["cpu"]
    print(f"{home.name}: scores on {path}; {kernels.load_native().reason}")


def _check_kernel(expected: str, home: Path) -> None:
    import kernels

    report, path = kernels.load_native(), kernels.backends()["fca_score_fast"]["cpu"]
    if expected == "native":
        inside = report.path is not None and Path(report.path).resolve().is_relative_to(
            home.resolve()
        )
        _check(report.loaded and inside, f"the compiled kernels must load, got {report}")
        _check(path != "reference", f"backends() must name a compiled path, got {path}")
        return
    _check(not report.loaded, f"no compiled kernel must be there, got {report}")
    _check("is not built" in report.reason, f"the reason must be told, got {report.reason}")
    _check("install a C++20 compiler" in report.reason, f"a next step, got {report.reason}")
    _check(path == "reference", f"backends() must say reference, got {path}")


def _check_scores() -> None:
    """The map peaks where it is not as elsewhere, and torch gives the same bits."""
    import torch

    found = _scores()
    peak = divmod(int(found.argmax()), SIDE)
    near = max(abs(peak[axis] - DEFECT[axis]) for axis in (0, 1)) <= 1
    _check(near, f"the scores must peak at {DEFECT}, got {peak}")
    os.environ["LINESCAN_KERNEL"] = "reference"
    same = torch.equal(_scores(), found)
    del os.environ["LINESCAN_KERNEL"]
    _check(same, "compiled kernel and torch must agree to the bit")


def _scores() -> Tensor:
    import torch

    import kernels

    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(4, 9, (3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    reference = kernels.median_reference(levels, 9)
    row, column = DEFECT
    levels[:, row - 1 : row + 2, column - 1 : column + 2] = 15
    return kernels.fca_score_fast(levels, reference)


def _check_command(expected: str) -> None:
    """The command inspects an image; with `kernels.require: native` only if a kernel is there."""
    for required in ("any", "native"):
        refused = (required, expected) == ("native", "reference")
        done = _inspect(required)
        _check(
            done.returncode == (ENVIRONMENT_FAULT if refused else 0),
            f"kernels.require={required} ended with {done.returncode}: {done.stderr}",
        )
        _check(not refused or "is not built" in done.stderr, f"no reason in {done.stderr}")


def _inspect(required: str) -> subprocess.CompletedProcess[str]:
    import numpy as np
    from PIL import Image

    settings = ["backbone.engine=torch", "backbone.threads=1", f"kernels.require={required}"]
    options = [part for setting in settings for part in ("--set", setting)]
    command = Path(sys.executable).with_name("linescan")
    with tempfile.TemporaryDirectory() as folder:
        pixels = np.random.default_rng(0).integers(0, 255, (128, 128), np.uint8)
        Image.fromarray(pixels).save(f"{folder}/web.png")
        return subprocess.run(
            [str(command), "inspect", "web.png", "--out", "found", *options],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )


def _check(holds: bool, rule: str) -> None:
    if not holds:
        sys.exit(f"error: {rule}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
