"""Named sets of defaults, from fast to fine; knows no section's type and no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

PresetName = Literal["fast", "balanced", "fine"]
Defaults: TypeAlias = Mapping[str, Mapping[str, int | float | str | None]]

# Section -> key -> value. An explicit key beats each of them. `balanced` is what the keys have
# when no preset is named; BENCHMARKS.md has the speed and accuracy that the others follow from.
# Blur and window are about as wide on the web in all of them: 72 to 80 pixels, 6 of them blurred.
PRESETS: Mapping[PresetName, Defaults] = {
    "fast": {
        "backbone": {"name": "efficientnet_lite0", "reduce": 2},
        "scoring": {
            "method": "fca_fast",
            "patch_size": 5,
            "levels": 12,
            "window_stride": 1,
            "sigma_blur": 0.5,
        },
    },
    "balanced": {
        "backbone": {"name": "efficientnet_lite0", "reduce": 1},
        "scoring": {
            "method": "fca_fast",
            "patch_size": 9,
            "levels": 12,
            "window_stride": 2,
            "sigma_blur": 0.8,
        },
    },
    "fine": {
        "backbone": {"name": "efficientnet_lite0_fine", "reduce": 1},
        "scoring": {
            "method": "fca_fast",
            "patch_size": 9,
            "levels": 12,
            "window_stride": 2,
            "sigma_blur": 1.6,
        },
    },
}


def with_preset(content: Mapping[str, object]) -> dict[str, object]:
    """The `content` of a configuration with the defaults of the preset that it names.

    What it says itself stays; a section that is no mapping, or a preset that is unknown, is left
    for whoever checks the content.
    """
    defaults = preset_defaults(content.get("preset"))
    filled = dict(content)
    for section, keys in defaults.items():
        given = content.get(section, {})
        if isinstance(given, Mapping):
            filled[section] = {**keys, **given}
    return filled


def preset_defaults(name: object) -> Defaults:
    """What the preset called `name` sets; nothing for null or an unknown name."""
    return next((defaults for known, defaults in PRESETS.items() if known == name), {})


def overridden(name: object, effective: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The keys, as "section.key", that are not as the preset `name` would have them."""
    return [
        f"{section}.{key}"
        for section, keys in preset_defaults(name).items()
        for key, value in keys.items()
        if effective[section][key] != value
    ]
