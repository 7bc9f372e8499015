"""Sets a camera as configured and compares what it kept; knows no driver."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.camera_sections import CameraSettings
    from streamer.sources.camera_port import FeatureAccess, FeatureValue


@dataclass(frozen=True, slots=True)
class Setting:
    """One value to set: the key of the configuration, and the names that cameras give it.

    The first name counts that the camera has; an optional one may be missing.
    """

    key: str
    names: tuple[str, ...]
    value: FeatureValue
    optional: bool = False


def planned(settings: CameraSettings) -> Iterator[Setting]:
    """What is set, in order: SFNC names first, then those of older cameras.

    The offset goes to 0 before the width, so that any region can follow any other.
    """
    yield from _region(settings)
    if settings.exposure_us is not None:
        names = ("ExposureTime", "ExposureTimeAbs", "ExposureTimeRaw")
        yield Setting("exposure_us", names, settings.exposure_us)
    if settings.gain is not None:
        yield Setting("gain", ("Gain", "GainAbs", "GainRaw"), settings.gain)
    if settings.line_rate_hz is not None:
        enable = ("AcquisitionLineRateEnable",)
        yield Setting("line_rate_hz", enable, True, optional=True)
        names = ("AcquisitionLineRate", "AcquisitionLineRateAbs", "AcquisitionLineRateRaw")
        yield Setting("line_rate_hz", names, settings.line_rate_hz)
    yield from _encoder(settings)
    yield from _trigger(settings)
    for name, value in settings.features.items():
        yield Setting(f"features.{name}", (name,), value)
    yield from _chunks(settings)


def _region(settings: CameraSettings) -> Iterator[Setting]:
    if settings.pixel_format is not None:
        yield Setting("pixel_format", ("PixelFormat",), settings.pixel_format)
    if settings.columns is not None:
        if settings.first_column is not None:
            yield Setting("first_column", ("OffsetX",), 0)
        yield Setting("columns", ("Width",), settings.columns)
    if settings.first_column is not None:
        yield Setting("first_column", ("OffsetX",), settings.first_column)
    if settings.frame_lines is not None:
        yield Setting("frame_lines", ("Height",), settings.frame_lines)


def _encoder(settings: CameraSettings) -> Iterator[Setting]:
    for key, name in (
        ("encoder_selector", "EncoderSelector"),
        ("encoder_source_a", "EncoderSourceA"),
        ("encoder_source_b", "EncoderSourceB"),
    ):
        value = getattr(settings, key)
        if value is not None:
            yield Setting(key, (name,), value)


def _trigger(settings: CameraSettings) -> Iterator[Setting]:
    """The source goes before the switch: a trigger that is on may lock its source."""
    if settings.trigger_selector is not None:
        yield Setting("trigger_selector", ("TriggerSelector",), settings.trigger_selector)
    if settings.trigger_source == "off":
        yield Setting("trigger_source", ("TriggerMode",), "Off")
        return
    if settings.trigger_source is not None:
        yield Setting("trigger_source", ("TriggerSource",), settings.trigger_source)
    if settings.trigger_activation is not None:
        key = "trigger_activation"
        yield Setting(key, ("TriggerActivation",), settings.trigger_activation)
    if settings.trigger_source is not None:
        yield Setting("trigger_source", ("TriggerMode",), "On")


def _chunks(settings: CameraSettings) -> Iterator[Setting]:
    names = settings.chunks.names
    if names:
        yield Setting("chunks", ("ChunkModeActive",), True)
    for name in names:
        yield Setting("chunks", ("ChunkSelector",), name.removeprefix("Chunk"))
        yield Setting("chunks", ("ChunkEnable",), True)


def apply_settings(access: FeatureAccess, settings: CameraSettings) -> tuple[str, ...]:
    """Set everything and read it back; returns the values that the camera rounded, in words.

    Each value is compared at once, and at the end those again that no later one was to change.

    Raises:
        ValueError: the camera has no such feature, refuses a value, or keeps another one.
    """
    done = [(one, name) for one in planned(settings) if (name := _found(access, one))]
    for setting, name in done:
        try:
            access.write(name, setting.value)
        except ValueError as error:
            raise _refusal(access, setting, name, f"refused: {error}") from None
        _compare(access, setting, name, settings.tolerance)
    times = Counter(name for _, name in done)
    selected_anew = any(times[name] > 1 for name in times if name.endswith("Selector"))
    once = [(one, name) for one, name in done if times[name] == 1 and not selected_anew]
    notes = (_compare(access, one, name, settings.tolerance) for one, name in once)
    return tuple(note for note in notes if note)


def _found(access: FeatureAccess, setting: Setting) -> str:
    """The camera's name of the feature; "" when an optional one is missing."""
    name = next((name for name in setting.names if access.has(name)), "")
    if not name and not setting.optional:
        msg = (
            f"source.{setting.key} must name what the camera has, got a camera without "
            f"{' or '.join(setting.names)}; remove the key, or use source.features"
        )
        raise ValueError(msg)
    return name


def _compare(access: FeatureAccess, setting: Setting, name: str, tolerance: float) -> str:
    """A note when the camera rounded; raises ValueError when it keeps another value."""
    kept, wanted = access.read(name), setting.value
    if kept is None or kept == wanted or str(kept) == str(wanted):
        return ""
    is_number = not any(isinstance(value, bool | str) for value in (kept, wanted))
    if is_number and abs(float(kept) - float(wanted)) <= tolerance * abs(float(wanted)):
        return f"source.{setting.key}: {wanted} was rounded to {kept} by the camera ({name})"
    raise _refusal(access, setting, name, f"it keeps {kept}")


def _refusal(access: FeatureAccess, setting: Setting, name: str, fault: str) -> ValueError:
    allowed = access.allowed(name)
    advice = f"; it accepts {allowed}" if allowed else ""
    return ValueError(
        f"source.{setting.key} must be a value that the camera takes, "
        f"got {setting.value} ({name}): {fault}{advice}"
    )
