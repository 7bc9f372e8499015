"""The texture profile: what is normal for one web, learnt, saved and checked; knows no tile."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError

from streamer.calibration import Calibration, calibrate
from streamer.message import require
from streamer.scoring.bands import BandPlace, score_bands
from streamer.scoring.brightness import BrightnessProfile
from streamer.scoring.fca import FcaFast
from streamer.scoring.features import ChannelScale
from streamer.scoring.line_profile import LineProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from streamer.message import ScoreArray
    from streamer.ports import BackboneSpec
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.method import Method, Parameter

# 2: the calibration says what it is worth, and has levels of lanes; 3: and bands; 4: and, with or
# without bands, brightness; 6: and, with or without both, lines both ways (5 had them one way).
FORMAT, BANDED_FORMAT, BRIGHT_FORMAT, LINED_FORMAT = 2, 3, 4, 6
HEADER_SIZE = 8  # bytes that say how long the JSON header of safetensors is


@dataclass(frozen=True, slots=True, eq=False)
class TextureProfile:
    """What normal means: channel scale, reference order statistics and calibrated score.

    `reference` is as the method has it, for FCA (C, T * T), ascending, uint8 levels or float32;
    with `bands` it is one for each of some cross-web bands, (bands, C, T * T), or several,
    (bands, K, C, T * T). `backbone` is the digest of the feature extractor, `parameters` those of
    the method. Without `brightness` and `lines` texture alone is known.
    """

    scale: ChannelScale
    reference: torch.Tensor
    calibration: Calibration
    method: str
    parameters: Mapping[str, Parameter]
    backbone_name: str
    backbone: str
    bands: BandPlace | None = None
    brightness: BrightnessProfile | None = None
    lines: LineProfile | None = None
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        channels = (self.scale.offset.numel(), self.scale.factor.numel())
        require(len(set(channels)) == 1, "profile must have one number of channels", channels)
        if self.bands is not None:
            shape = tuple(self.reference.shape)
            fits = len(shape) in (3, 4) and shape[-2] == channels[0] and min(shape) > 0
            require(fits, f"bands of a profile must be (bands, {channels[0]}, T * T)", shape)
        object.__setattr__(self, "digest", self._digest())

    def score(self, method: Method, quantised: torch.Tensor, first_column: int) -> ScoreArray:
        """(C, H, W) to (H, W) float32; `first_column` is the web column of column 0, in features.

        Raises:
            ValueError: the profile has bands and the method knows none.
        """
        if self.bands is None:
            return method.score(quantised, self.reference)
        banded = require_bands(method)
        return score_bands(banded, quantised, self.reference, self.bands, first_column)

    def to_bytes(self) -> bytes:
        """As safetensors; the same profile gives the same bytes."""
        # One metadata key only: safetensors does not fix the order of several.
        description = json.dumps({**self._description(), "digest": self.digest}, sort_keys=True)
        return safetensors.torch.save(self._tensors(), metadata={"profile": description})

    def save(self, path: Path) -> None:
        """Write `path`, complete or not at all."""
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_bytes(self.to_bytes())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def from_bytes(cls, content: bytes) -> TextureProfile:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: no profile, of another format, or its content is damaged.
        """
        description = _read_description(content)
        try:
            tensors = safetensors.torch.load(content)
            profile = cls(
                ChannelScale(tensors["offset"], tensors["factor"]),
                tensors["reference"],
                Calibration(**description["calibration"]),
                description["method"],
                description["parameters"],
                description["backbone_name"],
                description["backbone"],
                BandPlace(**description["bands"]) if "bands" in description else None,
                BrightnessProfile.of(description["brightness"], tensors["brightness"])
                if "brightness" in description
                else None,
                LineProfile.of(description["lines"], tensors["lines"], tensors["lines_turned"])
                if "lines" in description
                else None,
            )
        except (KeyError, TypeError, SafetensorError) as error:
            msg = (
                f"profile must be complete, got {error!r}; learn it again with `linescan calibrate`"
            )
            raise ValueError(msg) from None
        require(
            profile.digest == description.get("digest"),
            f"profile must have the digest {description.get('digest')}",
            profile.digest,
        )
        return profile

    @classmethod
    def load(cls, path: Path) -> TextureProfile:
        """Read a profile file.

        Raises:
            ValueError: see `from_bytes`; the text names the file.
            OSError: the file cannot be read.
        """
        try:
            return cls.from_bytes(path.read_bytes())
        except ValueError as error:
            msg = f"{path}: {error}"
            raise ValueError(msg) from None

    def _description(self) -> dict[str, object]:
        parts: dict[str, object] = {}
        if self.bands is not None:
            parts["bands"] = asdict(self.bands)
        if self.brightness is not None:
            parts["brightness"] = self.brightness.description
        if self.lines is not None:
            parts["lines"] = self.lines.description
        return {
            # A program that knows no bands, brightness or lines must not score with them.
            "format": _format_of(parts),
            **parts,
            "method": self.method,
            "parameters": dict(self.parameters),
            "backbone_name": self.backbone_name,
            "backbone": self.backbone,
            "calibration": asdict(self.calibration),
        }

    def _tensors(self) -> dict[str, torch.Tensor]:
        bright = {} if self.brightness is None else {"brightness": self.brightness.median}
        lined = {}
        if self.lines is not None:
            lined = {"lines": self.lines.median.contiguous(), "lines_turned": self.lines.turned}
        return (
            bright
            | lined
            | {
                "offset": self.scale.offset.cpu(),
                "factor": self.scale.factor.cpu(),
                "reference": self.reference.cpu().contiguous(),
            }
        )

    def _digest(self) -> str:
        content = hashlib.sha256(json.dumps(self._description(), sort_keys=True).encode())
        for name, tensor in sorted(self._tensors().items()):
            content.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            content.update(tensor.numpy().tobytes())
        return content.hexdigest()


def require_fit(profile: TextureProfile, method: Method, spec: BackboneSpec) -> None:
    """Raise ValueError if `profile` was learnt from other features or for another score."""
    advice = "learn a profile with this configuration: `linescan calibrate`"
    given = f"{profile.backbone_name} {profile.backbone[:12]}"
    require(
        profile.backbone == spec.digest,
        f"profile must be learnt with backbone {spec.name} {spec.digest[:12]} ({advice})",
        given,
    )
    require(
        profile.method == method.name,
        f"profile must be for method {method.name} ({advice})",
        profile.method,
    )
    ours, theirs = dict(method.parameters), dict(profile.parameters)
    differing = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
    rule = ", ".join(f"{key} = {ours.get(key)}" for key in differing)
    require(
        not differing,
        f"profile must be for {rule} ({advice})",
        {key: theirs.get(key) for key in differing},
    )


def require_bands(method: Method) -> FcaFast:
    """The method, if it scores with a reference per band.

    Raises:
        ValueError: it is another one.
    """
    if not isinstance(method, FcaFast):
        msg = f"scoring.method must be fca_fast for references per band, got {method.name}"
        raise ValueError(msg)  # noqa: TRY004 (a setting is wrong, not a type)
    return method


def learn_profile(
    maps: Sequence[torch.Tensor], scale: ChannelScale, lesson: Lesson, lanes: Sequence[int] = ()
) -> TextureProfile:
    """The profile of `maps`, each (C, H, W) quantised, calibrated on the scores it gives them.

    `lanes` are those of the maps, if there are several and they are known.

    Raises:
        ValueError: no map holds a whole window.
    """
    reference = learn_reference(maps, lesson.method)
    usable = [index for index, m in enumerate(maps) if holds_window(m, lesson.method)]
    scores = [lesson.method.score(maps[index], reference) for index in usable]
    known = [lanes[index] for index in usable] if lanes and lesson.pools_lanes else ()
    return complete_profile(scale, reference, scores, lesson, known)


def learn_reference(maps: Sequence[torch.Tensor], method: Method) -> torch.Tensor:
    """What is normal in those of `maps` that hold a window.

    Raises:
        ValueError: none does.
    """
    size = method.patch_size
    usable = [m for m in maps if holds_window(m, method)]
    require(
        len(usable) > 0,
        f"maps must hold a window of {size} x {size} features",
        [tuple(m.shape) for m in maps],
    )
    return method.reference(usable)


def complete_profile(
    scale: ChannelScale,
    reference: torch.Tensor,
    scores: Sequence[ScoreArray],
    lesson: Lesson,
    lanes: Sequence[int] = (),
    bands: BandPlace | None = None,
) -> TextureProfile:
    """The profile with its calibration from `scores` (of `lanes`), which its own reference gave.

    With `bands`, `reference` is (bands, C, T * T).
    """
    calibration = calibrate(scores, lesson.target, lanes)
    if lesson.alarm_level is not None:
        calibration = calibration.with_alarm_level(lesson.alarm_level)
    method, spec = lesson.method, lesson.spec
    learnt_for = (method.name, method.parameters, spec.name, spec.digest)
    return TextureProfile(scale, reference, calibration, *learnt_for, bands)


def holds_window(quantised: torch.Tensor, method: Method) -> bool:
    """Whether the map is large enough for one window."""
    return min(quantised.shape[1:]) >= method.patch_size


def _read_description(content: bytes) -> dict[str, Any]:
    """The metadata of a safetensors container, checked to be a profile of our format."""
    end = HEADER_SIZE + int.from_bytes(content[:HEADER_SIZE], "little")
    try:
        metadata = json.loads(content[HEADER_SIZE:end])["__metadata__"]
        description: dict[str, Any] = json.loads(metadata["profile"])
    except (ValueError, KeyError, TypeError):
        msg = "profile must be a file of `linescan calibrate`, got something else"
        raise ValueError(msg) from None
    expected, given = _format_of(description), description.get("format")
    rule = f"profile must have format {expected} (learn it again with `linescan calibrate`)"
    require(given == expected, rule, given)
    return description


def _format_of(description: Mapping[str, object]) -> int:
    if "lines" in description:
        return LINED_FORMAT
    if "brightness" in description:
        return BRIGHT_FORMAT
    return BANDED_FORMAT if "bands" in description else FORMAT
