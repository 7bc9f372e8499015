"""Whether the configured job can run on this machine; prints nothing."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from streamer.backbones import open_backbone
from streamer.backbones.faults import ParityError, ProviderError
from streamer.backbones.installed import has_onnxruntime, has_openvino
from streamer.compose.calibration_web import simulated_webs
from streamer.compose.cameras import camera_light, camera_sources
from streamer.compose.children import capture_plan
from streamer.compose.geometry import tile_grid
from streamer.compose.tile_links import chosen_slots, require_tile_room
from streamer.scoring.faults import KernelError
from streamer.scoring.kernel_gate import require_kernels, scoring_kernel
from streamer.scoring.profile import TextureProfile
from streamer.sources import open_source
from streamer.transport.segment import FOLDER, SegmentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer import config

_DISK_MINIMUM = 100 << 20
_DISK_AMPLE = 5 << 30


class State(StrEnum):
    """What a finding means for the configured job; only `FAIL` keeps it from running."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what to do about it."""

    topic: str
    subject: str
    state: State
    found: str
    advice: str = ""


def inspect_readiness(settings: config.Config) -> list[Finding]:
    """Try everything that the configured job needs, and say what else could run here."""
    return [
        probe_backbone(settings.backbone),
        *list_providers(),
        *list_catalogue(),
        *list_kernels(),
        probe_kernel(settings),
        *probe_sources(settings),
        *probe_profile(settings.profile),
        *probe_tile_memory(settings),
        probe_local_sockets(Path(tempfile.gettempdir())),
        probe_disk(settings.roll.folder),
        *probe_ports(settings),
    ]


def probe_backbone(settings: config.Backbone) -> Finding:
    """Open the configured backbone, embed a small image and say what really ran."""
    subject = settings.onnx_file.stem if settings.onnx_file else settings.name
    try:
        with closing(open_backbone(settings, simulated_webs)) as backbone:
            side = 8 * backbone.spec.stride
            features = backbone.embed(np.zeros((side, side), np.uint8))
    except (ProviderError, ParityError, OSError, ValueError, RuntimeError) as error:
        return Finding("backbone", subject, State.FAIL, "does not run", str(error))
    return Finding(
        "backbone", subject, State.OK, f"{backbone.spec.engine}, {features.shape[0]} channels"
    )


def list_providers() -> Iterator[Finding]:
    """Engines, their providers, devices or precisions; what runs is the probe's matter."""
    import torch

    if has_onnxruntime():
        from streamer.backbones.onnx_session import available_providers

        built = ", ".join(available_providers())
        yield Finding("engine", "onnxruntime", State.OK, f"built with {built}")
    else:
        yield Finding("engine", "onnxruntime", State.NOTE, "not installed")
    yield _openvino()
    found = f"{torch.get_num_threads()} threads, no CUDA"
    if torch.cuda.is_available():
        found = f"CUDA {torch.version.cuda}: {torch.cuda.get_device_name()}"
    yield Finding("engine", "torch", State.OK, found)


def _openvino() -> Finding:
    if not has_openvino():
        advice = (
            'pip install "linescan[openvino]" for backbone.engine: openvino, bf16 and fast int8'
        )
        return Finding("engine", "openvino", State.NOTE, "not installed", advice)
    from streamer.backbones.openvino_runtime import cpu_precisions

    return Finding("engine", "openvino", State.OK, f"runs {', '.join(cpu_precisions())} here")


def list_catalogue() -> Iterator[Finding]:
    """Which feature extractors could be opened here, and why the others could not."""
    from streamer.backbones.catalogue import entries

    for entry in entries():
        obstacle = entry.weights.obstacle()
        state = State.NOTE if obstacle else State.OK
        found = "weights are not here" if obstacle else "weights are here"
        yield Finding("catalogue", entry.name, state, found, obstacle)


def list_kernels() -> Iterator[Finding]:
    """Which implementation each operation has here, and why."""
    import kernels

    try:
        for name, devices in kernels.backends().items():
            each = (kernels.running(name, device=device) for device in devices)
            found = "; ".join(f"{one.device}: {one.path} ({one.reason})" for one in each)
            yield Finding("kernels", name, State.OK, found)
    except ValueError as error:
        yield Finding("kernels", "LINESCAN_KERNEL", State.FAIL, "is not there", str(error))
    report = kernels.load_native()
    state = State.OK if report.loaded else State.NOTE
    yield Finding("kernels", "native library", state, report.path or "not built", report.reason)


def probe_kernel(settings: config.Config) -> Finding:
    """What would score as configured, and whether `kernels.require` allows it."""
    subject = f"scoring.method {settings.scoring.method}"
    try:
        require_kernels(settings)
        found = scoring_kernel(settings)
    except KernelError as error:
        return Finding("kernels", subject, State.FAIL, "must not run", str(error))
    state = State.OK if found.is_compiled else State.NOTE
    text = f"{found.path} on {found.device}"
    return Finding("kernels", subject, state, text, "" if found.is_compiled else found.reason)


def probe_sources(settings: config.Config) -> Iterator[Finding]:
    """Each configured camera."""
    return (probe_source(settings, index) for index in range(len(camera_sources(settings))))


def probe_source(settings: config.Config, index: int = 0) -> Finding:
    """Open the source of a camera, correct its light, and lay tiles over its width."""
    source, light = camera_sources(settings)[index], camera_light(settings, index)
    subject = f"{source.kind} {source.camera}"
    try:
        with closing(open_source(source, settings.web, light=light)) as opened:
            web = opened.format
        lanes = len(tile_grid(settings, web.columns).lanes)
    except (OSError, ValueError) as error:
        return Finding("source", subject, State.FAIL, "cannot be inspected", str(error))
    found = f"{web.columns} columns, {web.channels} x {web.bits} bits, {lanes} lanes"
    return Finding("source", subject, State.OK, found)


def probe_profile(settings: config.Profile) -> Iterator[Finding]:
    """Whether the saved profile reads, when one is configured; its fit is the worker's matter."""
    if settings.file is None:
        return
    subject = settings.file.name
    try:
        found = f"learnt with {TextureProfile.load(settings.file).backbone_name}"
        yield Finding("profile", subject, State.OK, found)
    except OSError as error:
        advice = f"profile.file must be readable, got {settings.file} ({error.strerror})"
        yield Finding("profile", subject, State.FAIL, "does not read", advice)
    except ValueError as error:
        yield Finding("profile", subject, State.FAIL, "is no profile", str(error))


def probe_tile_memory(settings: config.Config) -> Iterator[Finding]:
    """Whether the tiles fit into shared memory, when they are to travel there."""
    try:
        with closing(open_source(settings.source, settings.web)) as opened:
            form = opened.format
        slots = chosen_slots(settings, capture_plan(settings, form), form)
        require_tile_room([slots] if slots else [])
    except SegmentError as error:
        yield Finding("tiles", str(FOLDER), State.FAIL, "has too little room", str(error))
    except (OSError, ValueError):
        return  # what is wrong with source or tiles is the probe of the source's to say
    else:
        if slots is not None:
            yield Finding("tiles", str(FOLDER), State.OK, f"takes {slots}")


def probe_local_sockets(folder: Path) -> Finding:
    """Bind a socket of the kind that the stages talk over."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="linescan-doctor-", dir=folder) as inner,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        ):
            listener.bind(f"{inner}/doctor")
    except OSError as error:
        advice = f"set TMPDIR to a short path on a local disk that can be written ({error})"
        return Finding("ipc", str(folder), State.FAIL, "takes no socket", advice)
    return Finding("ipc", str(folder), State.OK, "takes sockets")


def probe_disk(folder: Path) -> Finding:
    """Whether rolls can be written, and how much room there is."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        advice = f"roll.folder must be a folder that can be written, got {folder}"
        return Finding("disk", str(folder), State.FAIL, "cannot be written", advice)
    free = shutil.disk_usage(existing).free
    found = f"{free / (1 << 30):.1f} GiB free"
    if free < _DISK_AMPLE:
        state = State.FAIL if free < _DISK_MINIMUM else State.NOTE
        return Finding("disk", str(folder), state, found, "free some, or set roll.folder elsewhere")
    return Finding("disk", str(folder), State.OK, found)


def probe_ports(settings: config.Config) -> Iterator[Finding]:
    """Whether the TCP endpoints that this machine is to serve are free."""
    endpoints = {
        "alarms.publish": settings.alarms.publish,
        "alarms.snapshot": settings.alarms.snapshot,
    }
    for key, endpoint in endpoints.items():
        if endpoint.startswith("tcp://"):
            yield _probe_port(key, endpoint)
        elif not endpoint.startswith(("ipc://", "inproc://")):
            advice = f"{key} must be a tcp:// or ipc:// endpoint, got {endpoint!r}"
            yield Finding("port", key, State.FAIL, "is no endpoint", advice)


def _probe_port(key: str, endpoint: str) -> Finding:
    advice = f"{key} must be a free address of this machine, got {endpoint}"
    try:
        address = urlsplit(endpoint)
        host = "" if address.hostname in (None, "*") else str(address.hostname)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            # As ZeroMQ does it: a port that was closed a moment ago is free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, address.port or 0))
    except ValueError as error:
        return Finding("port", key, State.FAIL, f"is no address ({error})", advice)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        found = "is taken" if taken else f"cannot be bound ({error.strerror})"
        return Finding("port", key, State.FAIL, f"{endpoint} {found}", advice)
    return Finding("port", key, State.OK, f"{endpoint} is free")
