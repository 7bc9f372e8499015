from __future__ import annotations

import pytest

import kernels
from kernels import running
from kernels.compiled import LARGEST_PATCH, PATH_VARIABLE, usable_paths
from kernels.ops import COMPILED, OPERATORS

built = pytest.mark.skipif(not usable_paths(), reason="no compiled kernel is built")


@pytest.fixture(autouse=True)
def _not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PATH_VARIABLE, raising=False)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_runs_what_backends_says(operator: str) -> None:
    found = running(operator)
    assert (found.operator, found.device) == (operator, "cpu")
    assert found.path == kernels.backends()[operator]["cpu"]
    assert found.is_compiled == (found.path != "reference")
    assert found.reason


@built
@pytest.mark.parametrize("operator", COMPILED)
def test_the_fastest_path_says_what_it_was_chosen_from(operator: str) -> None:
    found = running(operator, LARGEST_PATCH)
    assert found.path == usable_paths()[0]
    assert found.reason == f"the fastest of {', '.join(usable_paths())} on this CPU"
    assert found.remedy == ""


@built
def test_a_forced_path_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "portable")
    found = running("fca_score_fast", 9)
    assert (found.path, found.reason) == ("portable", "LINESCAN_KERNEL asks for it")
    monkeypatch.setenv(PATH_VARIABLE, "reference")
    found = running("fca_score_fast", 9)
    assert (found.path, found.remedy) == ("reference", "unset LINESCAN_KERNEL")


@built
def test_large_windows_run_in_torch() -> None:
    found = running("fca_score_fast", LARGEST_PATCH + 2)
    assert found.path == "reference"
    assert found.reason == "compiled kernels take a patch_size up to 11, got 13"


def test_a_module_that_is_not_there_gives_its_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    report = kernels.LoadReport(False, None, "nothing was built", "build it")
    monkeypatch.setattr("kernels.paths._native", lambda: None)
    monkeypatch.setattr("kernels.choice.load_native", lambda: report)
    found = running("fca_score_fast")
    assert (found.path, found.reason, found.remedy) == (
        "reference",
        "nothing was built",
        "build it",
    )


def test_an_operator_that_was_never_compiled_says_so() -> None:
    found = running("channel_range")
    assert found.reason == "channel_range has no compiled kernel for cpu"
    assert found.remedy == ""


def test_another_device_has_its_own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"fca_score_fast": {"cpu": "avx2", "cuda": "cuda"}}
    monkeypatch.setattr("kernels.choice.backends", lambda: table)
    found = running("fca_score_fast", LARGEST_PATCH, device="cuda")
    assert (found.path, found.reason) == ("cuda", "compiled for cuda")
    assert running("fca_score_fast", LARGEST_PATCH + 2, device="cuda").path == "reference"


def test_why_torch_runs_on_a_device_is_asked_of_its_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = dict.fromkeys(["fca_score", "channel_range"], {"cuda": "reference"})
    monkeypatch.setattr("kernels.choice.backends", lambda: table)
    report = kernels.LoadReport(False, None, "an old driver", "update it")
    monkeypatch.setattr("kernels.cuda.load_cuda", lambda: report)
    found = running("fca_score", 9, device="cuda")
    assert (found.path, found.reason, found.remedy) == ("reference", "an old driver", "update it")
    found = running("channel_range", device="cuda")
    assert found.reason == "channel_range has no compiled kernel for cuda"


def test_what_is_unknown_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match="no_such_operator"):
        running("no_such_operator")
    monkeypatch.setenv(PATH_VARIABLE, "sse9")
    with pytest.raises(ValueError, match="LINESCAN_KERNEL must be one of"):
        running("fca_score_fast")
