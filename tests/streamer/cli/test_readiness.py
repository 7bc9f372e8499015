"""The probes behind `linescan doctor`, each with what it needs and without."""

from __future__ import annotations

import os
import shutil
import socket
from collections import namedtuple
from typing import TYPE_CHECKING

import numpy as np
import pytest

import kernels
from kernels.compiled import usable_paths
from streamer import config
from streamer.backbones import installed
from streamer.backbones.catalogue import entries
from streamer.backbones.installed import has_openvino
from streamer.cli import readiness
from streamer.cli.readiness import (
    State,
    list_catalogue,
    list_kernels,
    list_providers,
    probe_backbone,
    probe_disk,
    probe_kernel,
    probe_local_sockets,
    probe_ports,
    probe_profile,
    probe_source,
    probe_tile_memory,
)

if TYPE_CHECKING:
    from pathlib import Path

_GIB = 1 << 30


def _ports(publish: str, snapshot: str = "ipc:///unused") -> list[readiness.Finding]:
    alarms = config.Alarms(publish=publish, snapshot=snapshot)
    return list(probe_ports(config.Config(alarms=alarms)))


def test_backbone_that_runs_says_on_what() -> None:
    finding = probe_backbone(config.Backbone(engine="torch", threads=1))
    assert (finding.state, finding.subject) == (State.OK, "efficientnet_lite0")
    assert finding.found == "torch:cpu, 240 channels"


def test_backbone_without_its_engine_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installed, "has_onnxruntime", lambda: False)
    finding = probe_backbone(config.Backbone())
    assert finding.state is State.FAIL
    assert "pip install" in finding.advice


def test_backbone_from_a_missing_file_is_named(tmp_path: Path) -> None:
    settings = config.Backbone(onnx_file=tmp_path / "own.onnx", onnx_stride=8, onnx_radius=3)
    finding = probe_backbone(settings)
    assert (finding.state, finding.subject) == (State.FAIL, "own")
    assert "onnx_file must be a readable file" in finding.advice


def test_providers_and_devices_are_listed() -> None:
    onnxruntime, _, torch = list_providers()
    assert "CPUExecutionProvider" in onnxruntime.found
    assert torch.state is State.OK


def test_openvino_says_its_precisions_or_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if has_openvino():
        _, found, _ = list_providers()
        assert (found.subject, found.state) == ("openvino", State.OK)
        assert "runs fp32" in found.found
    monkeypatch.setattr(readiness, "has_openvino", lambda: False)
    _, missing, _ = list_providers()
    assert (missing.state, missing.found) == (State.NOTE, "not installed")
    assert "linescan[openvino]" in missing.advice


def test_missing_onnxruntime_is_a_note_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "has_onnxruntime", lambda: False)
    onnxruntime, _, _ = list_providers()
    assert (onnxruntime.state, onnxruntime.found) == (State.NOTE, "not installed")


def test_catalogue_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    findings = {finding.subject: finding for finding in list_catalogue()}
    assert set(findings) == {entry.name for entry in entries()}
    assert findings["efficientnet_lite0"].state is State.OK
    assert findings["resnet18"].state is State.NOTE
    assert str(tmp_path) in findings["resnet18"].advice


@pytest.mark.parametrize(("loaded", "state"), [(True, State.OK), (False, State.NOTE)])
def test_kernels_are_listed_by_device_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, loaded: bool, state: State
) -> None:
    table = {"fca_score": {"cpu": "reference", "cuda": "x"}}
    monkeypatch.setattr(kernels, "backends", lambda: table)
    monkeypatch.setattr("kernels.choice.backends", lambda: table)
    monkeypatch.setattr("kernels.choice.COMPILED", ())
    report = kernels.LoadReport(loaded, "/lib/native.so" if loaded else None, "because")
    monkeypatch.setattr(kernels, "load_native", lambda: report)
    score, native = list_kernels()
    why = "fca_score has no compiled kernel for cpu"
    assert score.found == f"cpu: reference ({why}); cuda: x (compiled for cuda)"
    assert native.state is state
    assert native.found == ("/lib/native.so" if loaded else "not built")


def test_every_public_kernel_is_listed() -> None:
    assert {finding.subject for finding in list_kernels()} > set(kernels.backends())


def test_a_kernel_that_is_not_there_is_a_finding_and_no_crash(monkeypatch) -> None:
    monkeypatch.setenv("LINESCAN_KERNEL", "sse9")
    forced, native = list_kernels()
    assert (forced.subject, forced.state) == ("LINESCAN_KERNEL", State.FAIL)
    assert "LINESCAN_KERNEL must be one of" in forced.advice
    assert native.subject == "native library"
    assert probe_kernel(config.Config()).state is State.FAIL


@pytest.mark.parametrize(("require", "state"), [("any", State.NOTE), ("native", State.FAIL)])
def test_torch_is_a_note_unless_it_must_not_score(monkeypatch, require, state) -> None:
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    found = probe_kernel(config.Config(kernels=config.Kernels(require=require)))
    assert (found.subject, found.state) == ("scoring.method fca_fast", state)
    assert "LINESCAN_KERNEL asks for it" in found.advice


@pytest.mark.skipif(not usable_paths(), reason="no compiled kernel is built")
def test_the_kernel_that_scores_is_named(monkeypatch) -> None:
    monkeypatch.delenv("LINESCAN_KERNEL", raising=False)
    found = probe_kernel(config.Config(kernels=config.Kernels(require="native")))
    assert (found.state, found.found) == (State.OK, f"{usable_paths()[0]} on cpu")


def _source(**sections: dict[str, object]) -> readiness.Finding:
    return probe_source(config.Config.model_validate(sections))


def test_simulator_is_always_there() -> None:
    finding = _source()
    assert (finding.state, finding.found) == (State.OK, "1024 columns, 1 x 8 bits, 1 lanes")


def test_recording_must_be_there_and_wide_enough(tmp_path: Path) -> None:
    web = tmp_path / "web.npy"
    np.save(web, np.zeros((50, 100), np.uint8))
    source = {"kind": "replay", "path": web}
    assert _source(source=source).state is State.OK
    np.save(web, np.zeros((50, 71), np.uint8))
    assert _source(source=source).state is State.FAIL
    web.write_bytes(b"")
    assert "web.npy: file must be a .npy array" in _source(source=source).advice
    web.unlink()
    assert _source(source=source).advice.startswith("source.path must exist, got ")


def test_each_camera_is_opened_with_its_light(tmp_path: Path) -> None:
    other = {"kind": "simulator", "camera": "cam1", "columns": 256}
    side = {"first_mm": 500, "source": other, "light": {"file": tmp_path / "gone"}}
    chosen = config.Config.model_validate({"cameras": [side]})
    first, second = readiness.probe_sources(chosen)
    assert (first.subject, first.state) == ("simulator cam0", State.OK)
    assert (second.subject, second.state) == ("simulator cam1", State.FAIL)
    assert "light.file must be readable" in second.advice


def test_tiles_that_do_not_fit_the_backbone_are_found() -> None:
    finding = _source(tiles={"lines": 100})
    assert finding.state is State.FAIL
    assert "must be a multiple of 16" in finding.advice


def test_profile_is_looked_at_when_there_is_one(tmp_path: Path) -> None:
    assert list(probe_profile(config.Profile())) == []
    path = tmp_path / "normal"
    (finding,) = probe_profile(config.Profile(file=path))
    assert (finding.state, finding.subject) == (State.FAIL, "normal")
    path.write_text("something else")
    (finding,) = probe_profile(config.Profile(file=path))
    assert "must be a file of `linescan calibrate`" in finding.advice


def test_folder_takes_sockets_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert probe_local_sockets(tmp_path).state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_takes_no_socket(tmp_path: Path) -> None:
    finding = probe_local_sockets(tmp_path / "gone")
    assert finding.state is State.FAIL
    assert finding.advice.startswith("set TMPDIR to a short path")


def test_path_too_long_for_a_socket_is_found(tmp_path: Path) -> None:
    """Unix limits the path of a socket to about 100 bytes."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    assert probe_local_sockets(deep).state is State.FAIL
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "state"),
    [(100 * _GIB, State.OK), (1 * _GIB, State.NOTE), (10 << 20, State.FAIL), (0, State.FAIL)],
)
def test_disk_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    usage = namedtuple("usage", "total used free")(200 * _GIB, 0, free)  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert probe_disk(tmp_path / "rolls").state is state


def test_folder_that_does_not_exist_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert probe_disk(tmp_path / "a" / "b").state in (State.OK, State.NOTE)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "rolls").touch()
    finding = probe_disk(tmp_path / "rolls")
    assert finding.state is State.FAIL
    assert "roll.folder must be a folder that can be written" in finding.advice


def test_folder_without_permission_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert probe_disk(tmp_path).state is State.FAIL


def test_free_port() -> None:
    (finding,) = _ports("tcp://127.0.0.1:0")
    assert finding.state is State.OK


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_taken_port(host: str) -> None:
    address = "" if host == "*" else host
    with socket.create_server((address, 0)) as taken:
        (finding,) = _ports(f"tcp://{host}:{taken.getsockname()[1]}")
    assert finding.state is State.FAIL
    assert "is taken" in finding.found


def test_port_closed_a_moment_ago_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    (finding,) = _ports(f"tcp://127.0.0.1:{port}")
    assert finding.state is State.OK


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ("tcp://127.0.0.1:99999", "is no address"),
        ("tcp://127.0.0.1:http", "is no address"),
        ("tcp://192.0.2.1:5571", "cannot be bound"),
    ],
)
def test_other_addresses_are_refused(endpoint: str, found: str) -> None:
    (finding,) = _ports(endpoint)
    assert finding.state is State.FAIL
    assert found in finding.found
    assert endpoint in finding.advice


def test_both_alarm_endpoints_are_probed_and_local_sockets_are_not() -> None:
    findings = _ports("tcp://127.0.0.1:0", "tcp://127.0.0.1:0")
    assert [finding.subject for finding in findings] == ["alarms.publish", "alarms.snapshot"]
    assert _ports("ipc:///unused") == []


def _memory(**tiles: int) -> list[readiness.Finding]:
    shared = config.Transport(kind="shared_memory")
    source = config.SimulatorSource(columns=65536)
    return list(
        probe_tile_memory(
            config.Config(source=source, transport=shared, tiles=config.Tiles(**tiles))
        )
    )


def test_tiles_that_fit_into_shared_memory() -> None:
    (finding,) = _memory(lines=64, columns=1024)
    assert (finding.topic, finding.state) == ("tiles", State.OK)
    assert " slots of " in finding.found


def test_too_little_shared_memory_says_what_to_set() -> None:
    (finding,) = _memory(lines=65536, columns=65536, capacity=4096)
    assert finding.state is State.FAIL
    assert "tiles.capacity" in finding.advice


def test_shared_memory_is_looked_at_only_when_it_is_chosen() -> None:
    assert list(probe_tile_memory(config.Config())) == []
    assert _memory(lines=511) == []  # the source's probe says that this is no multiple
