"""`kernels.require`: what may score, what is refused and with which sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import kernels
from kernels import compiled
from streamer.config import Config
from streamer.scoring.faults import KernelError
from streamer.scoring.kernel_gate import VARIABLE, require_kernels, scoring_kernel


@pytest.fixture(autouse=True)
def _not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def native(**sections: object) -> Config:
    return Config.model_validate({"kernels": {"require": "native"}, **sections})


def refusal(settings: Config) -> str:
    with pytest.raises(KernelError) as caught:
        require_kernels(settings)
    return str(caught.value)


def test_the_variable_is_the_one_that_the_kernels_read() -> None:
    assert VARIABLE == compiled.PATH_VARIABLE


@pytest.mark.skipif(not compiled.usable_paths(), reason="no compiled kernel is built")
def test_a_compiled_kernel_is_let_through() -> None:
    require_kernels(native())
    found = scoring_kernel(native())
    assert (found.operator, found.path) == ("fca_score_fast", compiled.usable_paths()[0])


def test_a_forced_reference_is_refused_with_what_was_found_and_the_next_step(monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "reference")
    said = refusal(native())
    assert "\n" not in said
    assert said.startswith(
        "fca_score_fast (scoring.method: fca_fast) must run in a compiled kernel as "
        "kernels.require: native says, got reference on cpu: LINESCAN_KERNEL asks for it"
    )
    assert f"backends: {kernels.backends()['fca_score_fast']}" in said
    assert f"library: {kernels.load_native().reason}" in said
    assert said.endswith("; unset LINESCAN_KERNEL, or set kernels.require: any")


def test_a_library_that_is_not_built_is_refused(monkeypatch) -> None:
    report = kernels.LoadReport(False, None, "kernels._native is not built", "install g++")
    monkeypatch.setattr("kernels.paths._native", lambda: None)
    monkeypatch.setattr("kernels.choice.load_native", lambda: report)
    said = refusal(native())
    assert "got reference on cpu: kernels._native is not built" in said
    assert said.endswith("; install g++, or set kernels.require: any")


@pytest.mark.skipif(not compiled.usable_paths(), reason="no compiled kernel is built")
def test_windows_that_no_compiled_kernel_takes_are_refused() -> None:
    said = refusal(native(scoring={"patch_size": 13}))
    assert "compiled kernels take a patch_size up to 11, got 13" in said
    assert "choose a patch_size of 11 or less" in said


def test_the_refusal_names_the_method_and_its_kernel(monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "reference")
    said = refusal(native(scoring={"method": "fca"}))
    assert said.startswith("fca_score (scoring.method: fca) must run")


@pytest.mark.skipif(not compiled.usable_paths(), reason="no compiled kernel is built")
def test_the_published_form_has_a_compiled_kernel_too(monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    require_kernels(native(scoring={"method": "fca"}))


@pytest.mark.parametrize("name", ["sww", "moments", "grnr"])
def test_a_method_without_a_kernel_says_so(name) -> None:
    said = refusal(native(scoring={"method": name}))
    assert said.startswith(f"{name} (scoring.method: {name}) must run in a compiled kernel as ")
    assert f"got reference on cpu: {name} is written in torch and has no compiled kernel" in said
    assert said.endswith("; choose scoring.method: fca_fast or fca, or set kernels.require: any")
    assert scoring_kernel(Config.model_validate({"scoring": {"method": name}})).operator == name


def test_a_kernel_that_is_not_there_is_refused_for_methods_without_one_too(monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "sse9")
    said = refusal(Config.model_validate({"scoring": {"method": "moments"}}))
    assert said.startswith("LINESCAN_KERNEL must be one of ")


def test_any_lets_the_reference_run(monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "reference")
    require_kernels(Config())
    assert scoring_kernel(Config()).path == "reference"


@pytest.mark.parametrize("require", ["any", "native"])
def test_a_kernel_that_is_not_there_is_refused_either_way(monkeypatch, require) -> None:
    monkeypatch.setenv(VARIABLE, "sse9")
    said = refusal(Config.model_validate({"kernels": {"require": require}}))
    assert said.startswith("LINESCAN_KERNEL must be one of ")
    assert said.endswith("got 'sse9'")


@pytest.mark.parametrize(("found", "passes"), [("cuda", True), ("reference", False)])
def test_on_cuda_the_kernel_of_cuda_counts(monkeypatch, found, passes) -> None:
    table = {"fca_score_fast": {"cpu": "reference", "cuda": found}}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("kernels.choice.backends", lambda: table)
    monkeypatch.setattr(kernels, "backends", lambda: table)
    report = kernels.LoadReport(False, None, "an old driver")
    monkeypatch.setattr("kernels.cuda.load_cuda", lambda: report)
    settings = native(backbone={"engine": "torch", "provider": "cuda"})
    if passes:
        require_kernels(settings)
    else:
        assert "got reference on cuda: an old driver" in refusal(settings)
    # Features of the other engine are CPU arrays, whatever computed them.
    assert scoring_kernel(native(backbone={"provider": "cuda"})).device == "cpu"


def test_without_a_rule_torch_is_not_even_imported() -> None:
    code = (
        "import sys; from streamer.config import Config; "
        "from streamer.scoring.kernel_gate import require_kernels; "
        "require_kernels(Config()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
