"""The runs of `linescan evaluate`: combinations of settings, and their digests; scores nothing."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import streamer
from streamer.cli.machine import package_versions
from streamer.cli.options import UsageFault, read_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.config import Config
    from streamer.ports import BackboneSpec

# Whatever else a section says changes no map: where results go, who watches, how many threads.
_IDLE_SECTIONS = frozenset(
    ("roll", "source", "decision", "score", "supervisor", "transport", "alarms", "limits")
)
_IDLE_KEYS = {"backbone": ("threads", "cache", "onnx_file"), "scoring": ("threads",)}
_CODE = ("backbones", "calibration", "compose", "scoring", "sources", "correction")


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line lets vary, and what it sets for all runs alike."""

    config: Path | None
    settings: tuple[str, ...]
    methods: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    onnx_stride: int | None = None
    onnx_radius: int | None = None


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How maps are made beside the configuration; see `linescan evaluate --help`.

    `web_pattern` tells apart the webs of a class by the names of its images.
    """

    stream: bool = False
    normalised: bool = False
    web_pattern: re.Pattern[str] | None = None

    def web_of(self, stem: str) -> str:
        """Which web an image belongs to: the first group of the pattern, else what it matches."""
        found = self.web_pattern.search(stem) if self.web_pattern else None
        if found is None:
            return ""
        return str(found[1] if found.re.groups else found[0])


@dataclass(frozen=True, slots=True)
class Run:
    """A configuration that is measured; `settings` are what sets it apart from the file."""

    name: str
    settings: tuple[str, ...]
    config: Config


def choose_runs(choices: Choices) -> tuple[Run, ...]:
    """All combinations of methods, features and references, the first of each before the others.

    Raises:
        UsageFault: a combination is no valid configuration, or occurs twice.
    """
    runs: list[Run] = []
    for parts in product(
        _or_as_configured(choices.methods),
        _or_as_configured(choices.features),
        _or_as_configured(choices.references),
    ):
        settings = tuple(_settings(parts, choices))
        name = ", ".join(Path(part).name for part in parts if part) or "as configured"
        if any(run.name == name for run in runs):
            msg = f"runs must differ, got {name} twice; name each method, feature, reference once"
            raise UsageFault(msg)
        config = read_config(choices.config, [*choices.settings, *settings])
        runs.append(Run(name, (*choices.settings, *settings), config))
    return tuple(runs)


def run_digest(run: Run, spec: BackboneSpec, options: MapOptions) -> str:
    """SHA-256 over everything that the maps of a run depend on beside the images.

    Settings that change no map (threads, addresses) do not count; files count by their content.
    """
    profile = run.config.profile.file
    content = {
        "config": _deciding(run.config),
        "model": spec.digest,
        "engine": spec.engine,
        "profile": None if profile is None else hashlib.sha256(profile.read_bytes()).hexdigest(),
        "options": [options.stream, options.normalised],
        "versions": package_versions(),
        "code": program_digest(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def program_digest() -> str:
    """SHA-256 over the program's own files that maps depend on: a change makes old maps void."""
    root = Path(streamer.__file__).parent
    files = [*root.glob("*.py"), *(f for part in _CODE for f in (root / part).rglob("*.py"))]
    files += [
        *(root / "cli" / name for name in ("evaluate_maps.py", "evaluate_web.py", "stills.py")),
        *(root.parent / "kernels").rglob("*"),
    ]
    total = hashlib.sha256()
    for file in sorted(f for f in files if f.suffix in (".py", ".so", ".cu", ".h", ".cpp")):
        total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()


def _or_as_configured(names: Sequence[str]) -> Sequence[str]:
    return names or ("",)


def _settings(parts: tuple[str, str, str], choices: Choices) -> Iterator[str]:
    method, feature, reference = parts
    if method:
        yield f"scoring.method={method}"
    if feature.lower().endswith(".onnx"):
        yield f"backbone.onnx_file={json.dumps(feature)}"
        for key in ("onnx_stride", "onnx_radius"):
            if getattr(choices, key) is not None:
                yield f"backbone.{key}={getattr(choices, key)}"
    elif feature:
        yield f"backbone.name={feature}"
        yield from (f"backbone.onnx_{key}=null" for key in ("file", "stride", "radius"))
    if reference:
        yield f"scoring.reference={reference}"


def _deciding(config: Config) -> dict[str, object]:
    content = config.model_dump(mode="json", exclude=set(_IDLE_SECTIONS))
    for section, keys in _IDLE_KEYS.items():
        for key in keys:
            content[section].pop(key, None)
    content["profile"].pop("file", None)
    return content
