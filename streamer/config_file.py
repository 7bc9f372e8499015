"""Configuration files and overrides to a checked Config, with faults by file, line and key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from streamer.config import Config, ConfigError, Light, ReplaySource, Section, SimulatorSource
from streamer.correction.light_file import LightFile
from streamer.presets import preset_defaults

FROM_COMMAND_LINE = 0
# What a source takes over from one of another kind in the file.
_KEPT = {
    "simulator": set(SimulatorSource.model_fields),
    "replay": set(ReplaySource.model_fields),
    "stream": {"kind", "camera"},
    "genicam": {"kind", "camera"},
    "gentl": {"kind", "camera"},
}


@dataclass(frozen=True, slots=True)
class _Document:
    """A parsed YAML file and where each key stands in it: its line, or FROM_COMMAND_LINE."""

    name: str
    content: dict[str, Any]
    lines: dict[tuple[str, ...], int]


def load_config(path: Path | None, settings: tuple[str, ...] = ()) -> Config:
    """Read `path` (None: all defaults) and apply `settings` of the form "section.key=value".

    Raises:
        ConfigError: one line per fault, "<file>:<line>: <key path>: <rule>, got <value>".
    """
    document = _Document("defaults", {}, {}) if path is None else _read_document(path)
    kind_of_file = _source_kind(document)
    for setting in settings:
        _apply_setting(document, setting)
    _choose_source(document, settings, kind_of_file)
    _choose_preset(document, settings)
    _include_faults(document)
    try:
        return _with_light_digest(Config.model_validate(document.content))
    except ValidationError as error:
        raise ConfigError(_fault_lines(document, error)) from None


def _with_light_digest(config: Config) -> Config:
    """Name each light file by what is in it, so that the digest of the config covers it."""
    sides = tuple(
        side.model_copy(update={"light": _named(side.light)}) if side.light else side
        for side in config.cameras
    )
    return config.model_copy(update={"light": _named(config.light), "cameras": sides})


def _named(light: Light) -> Light:
    """A file that cannot be used is left to the source, which says what is wrong with it."""
    if light.file is None or light.digest is not None:
        return light
    try:
        digest = LightFile.from_bytes(light.file.read_bytes()).digest
    except (OSError, ValueError):
        return light
    return light.model_copy(update={"digest": digest})


def _read_document(path: Path) -> _Document:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        msg = f"{path}: config file must be readable, got {error.strerror}"
        raise ConfigError(msg) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or an impossible date
        msg = f"{_place_in(path, error)}: config file must be YAML in UTF-8, got: {_reason(error)}"
        raise ConfigError(msg) from None
    if not isinstance(content, dict | None):
        msg = f"{path}:1: config file must be a mapping of sections, got {type(content).__name__}"
        raise ConfigError(msg)
    lines: dict[tuple[str, ...], int] = {}
    _collect_lines(path, node, (), lines)
    # A section whose keys are all commented out reads as null.
    sections = {key: section for key, section in (content or {}).items() if section is not None}
    return _Document(str(path), sections, lines)


def _place_in(path: Path, error: Exception) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return str(path) if mark is None else f"{path}:{mark.line + 1}"


def _reason(error: Exception) -> str:
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
    return problem or " ".join(str(error).split())


def _collect_lines(
    path: Path, node: yaml.Node | None, prefix: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key_node, value_node in node.value:
        key = (*prefix, str(key_node.value))
        line = key_node.start_mark.line + 1
        if key in lines:
            name = ".".join(key)
            msg = f"{path}:{line}: {name}: key must appear once, first seen in line {lines[key]}"
            raise ConfigError(msg)
        lines[key] = line
        _collect_lines(path, value_node, key, lines)


def _apply_setting(document: _Document, setting: str) -> None:
    keys, separator, value = setting.partition("=")
    path = tuple(keys.strip().split("."))
    if not separator or not all(path):
        msg = f"--set: setting must be section.key=value, got {setting!r}"
        raise ConfigError(msg)
    section: Any = document.content
    for key in path[:-1]:
        if section.get(key) is None:
            section[key] = {}
        section = section[key]
        if not isinstance(section, dict):
            msg = f"--set: {keys} must name a key of a section, got {setting!r}"
            raise ConfigError(msg)
    try:
        section[path[-1]] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        msg = f"--set: {keys}: value must be YAML, got {value!r}; quote text like '*' inside it"
        raise ConfigError(msg) from None
    for replaced in [key for key in document.lines if key[: len(path)] == path]:
        del document.lines[replaced]
    document.lines[path] = FROM_COMMAND_LINE


def _source_kind(document: _Document) -> str:
    source = document.content.get("source")
    return str(source.get("kind", "simulator")) if isinstance(source, dict) else "simulator"


def _choose_source(document: _Document, settings: tuple[str, ...], kind_of_file: str) -> None:
    """A source is simulated unless it says otherwise; one of another kind starts from defaults.

    `--set source.kind=replay` over a file that configures the simulator would otherwise fail at
    every key of the file that a replay does not have. A camera takes over its name alone: a width
    that was simulated is none to set it to.
    """
    source = document.content.get("source")
    if not isinstance(source, dict):
        return
    source.setdefault("kind", "simulator")
    kept = _KEPT.get(str(source["kind"]))
    named = {setting.partition("=")[0].strip() for setting in settings}
    if kept is None or "source.kind" not in named or source["kind"] == kind_of_file:
        return
    of_source = {".".join(name.split(".")[:2]) for name in named}
    for key in set(source) - kept:
        if f"source.{key}" not in of_source:
            del source[key]


def _include_faults(document: _Document) -> None:
    """A fault script in a file of its own takes the place of the file's name."""
    source = document.content.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("faults"), str):
        return
    path = Path(source["faults"])
    place = _place(document, ("source", "faults"))
    try:
        script = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{place}: source.faults: file must be readable, got {error.strerror}: {path}"
        raise ConfigError(msg) from None
    except (yaml.YAMLError, ValueError) as error:
        msg = f"{_place_in(path, error)}: fault script must be YAML in UTF-8, got: {_reason(error)}"
        raise ConfigError(msg) from None
    if not isinstance(script, list):
        msg = f"{path}:1: fault script must be a list of faults, got {type(script).__name__}"
        raise ConfigError(msg)
    source["faults"] = script


def _choose_preset(document: _Document, settings: tuple[str, ...]) -> None:
    """A preset of the command line beats the file, a key of the command line beats the preset.

    A preset of the file sets defaults only: what stands beside it in the file is meant.
    """
    named = {setting.partition("=")[0].strip() for setting in settings}
    if "preset" not in named:
        return
    for section, keys in preset_defaults(document.content.get("preset")).items():
        given = document.content.setdefault(section, {})
        if section in named or not isinstance(given, dict):
            continue
        for key, value in keys.items():
            if f"{section}.{key}" not in named:
                given[key] = value
                document.lines[section, key] = FROM_COMMAND_LINE


def _fault_lines(document: _Document, error: ValidationError) -> str:
    return "\n".join(_fault_line(document, dict(fault)) for fault in error.errors())


def _fault_line(document: _Document, fault: dict[str, Any]) -> str:
    keys = tuple(str(part) for part in fault["loc"] if str(part) not in _KEPT)
    rule = "unknown key; `linescan schema` lists the known ones"
    if fault["type"] != "extra_forbidden":
        rule = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    shown = "" if isinstance(given, Section | dict) else f", got {given!r}"
    if not keys:  # of the whole: its text begins with the key
        return f"{_place(document, _leading_key(rule))}: {rule}"
    return f"{_place(document, keys)}: {'.'.join(keys)}: {rule}{shown}"


def _place(document: _Document, keys: tuple[str, ...]) -> str:
    """Where the key stands, or the nearest section around it."""
    around = (keys[:depth] for depth in range(len(keys), 0, -1))
    line = next((document.lines[key] for key in around if key in document.lines), None)
    if line == FROM_COMMAND_LINE:
        return "--set"
    return f"{document.name}:{line}" if line else document.name


def _leading_key(text: str) -> tuple[str, ...]:
    """The key path that `text` begins with: "tiles.lines must be ..."."""
    return tuple(text.split(maxsplit=1)[0].rstrip(":").split(".")) if text else ()


def place_fault(path: Path | None, settings: tuple[str, ...], text: str) -> str:
    """`text`, a fault that begins with a key path, with the file and line of that key before it."""
    document = _Document("defaults", {}, {}) if path is None else _read_document(path)
    for setting in settings:
        _apply_setting(document, setting)
    return f"{_place(document, _leading_key(text))}: {text}"
