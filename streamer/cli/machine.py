"""What a machine is and has installed; opens nothing and judges nothing."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "onnx",
    "onnxscript",
    "numpy",
    "opencv-python-headless",
    "pyzmq",
    "pydantic",
    "zarr",
)
_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_tile")
_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")


def system_facts() -> dict[str, str]:
    """Python, operating system, processor and memory, by name."""
    flags = _field(_CPUINFO, "flags").split()
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "processor": _field(_CPUINFO, "model name") or platform.processor() or platform.machine(),
        "cores": f"{usable_cores()} usable of {os.cpu_count()}",
        "instructions": " ".join(name for name in _INSTRUCTIONS if name in flags) or "unknown",
        "memory": f"{_gib('MemAvailable')} available of {_gib('MemTotal')}",
    }


def usable_cores() -> int:
    """Cores that this process may run on; fewer than the machine's in a container or cpuset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Installed version of each package that linescan may use; "" if it is not installed."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _field(file: Path, key: str) -> str:
    """First value of `key` in a "key: value" file of /proc; "" where there is none."""
    if not file.is_file():
        return ""
    lines = (line.partition(":") for line in file.read_text(encoding="utf-8").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def _gib(key: str) -> str:
    kibibytes = _field(_MEMINFO, key).removesuffix("kB").strip()
    return f"{int(kibibytes) / (1 << 20):.1f} GiB" if kibibytes else "unknown"
