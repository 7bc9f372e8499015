"""Which kernel scores a roll: it is named truthfully, changes no verdict, and can be ruled out."""

import pytest

from kernels.compiled import usable_paths

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SHORT = {"source__length_m": 1.5, "source__clean_m": 0.5}
built = pytest.mark.skipif(not usable_paths(), reason="no compiled kernel is built")


def manifest_of(line):
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    return line.manifest()


@built
def test_the_manifest_names_the_kernel_that_ran_and_no_kernel_changes_a_verdict(
    start_line, monkeypatch, tmp_path
):
    recording = tmp_path / "web"
    assert start_line(command=("simulate", "--out", str(recording)), **SHORT).finish()[0] == 0
    monkeypatch.delenv("LINESCAN_KERNEL", raising=False)
    fastest = manifest_of(start_line(kernels__require="native", **SHORT))
    assert fastest["engine"].endswith(f", fca_fast on {usable_paths()[0]}")
    for path in ("portable", "reference"):
        monkeypatch.setenv("LINESCAN_KERNEL", path)
        replay = start_line(command=("replay", str(recording)), roll__name=path)
        found = manifest_of(replay)
        assert found["engine"].endswith(f", fca_fast on {path}")
        assert found["digests"] == fastest["digests"]


@built
def test_windows_too_large_for_the_compiled_kernels_are_not_said_to_run_there(
    start_line, monkeypatch
):
    monkeypatch.delenv("LINESCAN_KERNEL", raising=False)
    line = start_line(scoring__patch_size=13, tiles__lines=512, **SHORT)
    assert manifest_of(line)["engine"].endswith(", fca_fast on reference")


def test_native_is_refused_where_torch_would_score_before_any_process_starts(
    start_line, monkeypatch
):
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    line = start_line(kernels__require="native")
    code, out, err = line.finish()
    assert (code, out) == (3, "")
    (said,) = err.splitlines()
    assert said.startswith(
        "error: fca_score_fast (scoring.method: fca_fast) must run in a compiled"
    )
    assert "got reference on cpu: LINESCAN_KERNEL asks for it" in said
    assert said.endswith("unset LINESCAN_KERNEL, or set kernels.require: any")
    assert not line.folder.exists()
    assert line.leftovers() == []


def test_a_worker_alone_refuses_too(start_line, monkeypatch):
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    names = ("tiles", "results", "ledger")
    endpoints = {f"transport__{name}": f"ipc:///tmp/no-one-{name}" for name in names}
    line = start_line(command=("score",), kernels__require="native", web__columns=256, **endpoints)
    code, _, err = line.finish()
    assert code == 3, err
    assert "must run in a compiled kernel as kernels.require: native says" in err


def test_a_kernel_that_is_not_there_is_an_environment_fault(start_line, monkeypatch):
    monkeypatch.setenv("LINESCAN_KERNEL", "sse9")
    line = start_line()
    code, _, err = line.finish()
    assert code == 3, err
    assert "LINESCAN_KERNEL must be one of" in err
    assert not line.folder.exists()
