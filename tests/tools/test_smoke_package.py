"""The smoke test of a package: passes on the one that is imported here, fails when it is not so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import smoke_package

import kernels
from kernels.compiled import usable_paths

ROOT = Path(kernels.__file__).parents[1]
HERE = "native" if kernels.load_native().loaded else "reference"


@pytest.fixture(autouse=True)
def _not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINESCAN_KERNEL", raising=False)


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command would have been run for; it ends well, or as a missing kernel makes it."""
    required: list[str] = []

    def inspect(value: str) -> smoke_package.subprocess.CompletedProcess[str]:
        required.append(value)
        refused = value == "native" and HERE == "reference"
        said = "error: kernels._native is not built" if refused else ""
        return smoke_package.subprocess.CompletedProcess([], 3 if refused else 0, "", said)

    monkeypatch.setattr(smoke_package, "_inspect", inspect)
    return required


def test_the_package_of_this_checkout_passes(inspected, capsys) -> None:
    smoke_package.main(HERE, ROOT)
    path = [*usable_paths(), "reference"][0]
    assert capsys.readouterr().out.startswith(f"{ROOT.name}: scores on {path}; ")
    assert inspected == ["any", "native"]
    assert "LINESCAN_KERNEL" not in os.environ


def test_a_package_from_elsewhere_fails(tmp_path) -> None:
    with pytest.raises(SystemExit, match=f"error: .* must lie under {tmp_path}"):
        smoke_package.main(HERE, tmp_path)


def test_the_other_kernel_than_expected_fails() -> None:
    other = "reference" if HERE == "native" else "native"
    with pytest.raises(SystemExit, match="error: .*compiled kernel"):
        smoke_package.main(other, ROOT)


@pytest.mark.skipif(HERE == "reference", reason="compares a compiled kernel with torch")
def test_a_kernel_that_differs_from_torch_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels import compiled

    right = compiled.score_levels

    def wrong(*arguments: object) -> object:
        return right(*arguments) * 1.001

    monkeypatch.setattr(compiled, "score_levels", wrong)
    with pytest.raises(SystemExit, match="must agree to the bit"):
        smoke_package.main(HERE, ROOT)


@pytest.mark.parametrize(("code", "said"), [(1, "boom"), (3, "no reason")])
def test_a_command_that_fails_fails(monkeypatch: pytest.MonkeyPatch, code, said) -> None:
    ended = smoke_package.subprocess.CompletedProcess([], code, "", said)
    monkeypatch.setattr(smoke_package, "_inspect", lambda _: ended)
    with pytest.raises(SystemExit, match=f"kernels.require=any ended with {code}: {said}"):
        smoke_package.main(HERE, ROOT)
