from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from streamer.correction.flat_field import LightReference
from streamer.correction.light_file import LightFacts, LightFile

FACTS = LightFacts("2026-01-02T03:04:05Z", "cam0", "white", 64, "dark", 32, "Mono8", 50.0)


def a_file(bits: int = 8, channels: int = 1, *, dark: bool = True) -> LightFile:
    white = np.linspace(100, 200, 5 * channels, dtype=np.float32).reshape(5, channels)
    return LightFile(LightReference(bits, white, white / 50 if dark else None), FACTS)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 3)])
def test_a_file_comes_back_whole(bits, channels, dark):
    written = a_file(bits, channels, dark=dark)
    read = LightFile.from_bytes(written.to_bytes())
    assert read.facts == FACTS
    assert read.reference.bits == bits
    assert np.array_equal(read.reference.white, written.reference.white)
    assert (read.reference.dark is None) == (not dark)
    assert read.digest == written.digest


def test_the_digest_is_of_the_light_not_of_the_date():
    one = a_file()
    later = replace(one, facts=replace(FACTS, created_utc="2027-01-01T00:00:00Z"))
    assert one.digest == later.digest
    assert one.to_bytes() != later.to_bytes()
    brighter = LightReference(8, one.reference.white + 1, one.reference.dark)
    assert replace(one, reference=brighter).digest != one.digest
    assert a_file(dark=False).digest != one.digest
    assert a_file(bits=16).digest != one.digest


def test_damage_is_noticed():
    content = bytearray(a_file().to_bytes())
    content[-1] ^= 1
    with pytest.raises(ValueError, match="light file must have digest"):
        LightFile.from_bytes(bytes(content))
    with pytest.raises(ValueError, match="light file must be whole"):
        LightFile.from_bytes(a_file().to_bytes()[:-8])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\xff" * 40,
        save({"white": np.zeros(3, np.float32)}),
        b"\x02" + b"\0" * 7 + b"[]",
    ],
)
def test_something_else_is_no_light_file(content):
    with pytest.raises(ValueError, match=r"light file must be one of `linescan calibrate-light`"):
        LightFile.from_bytes(content)


def test_another_version_is_refused():
    content = a_file().to_bytes().replace(b'\\"format\\": 1', b'\\"format\\": 9')
    with pytest.raises(ValueError, match=r"light file must have format 1 .*, got 9"):
        LightFile.from_bytes(content)
