from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from kernels import LightTable, flat_field
from kernels.light import GAIN_BITS, LARGEST_GAIN, PRODUCT_BITS
from kernels.paths import PATH_VARIABLE


def corrected_by_hand(level: int, gain: int, offset: int, bits: int) -> int:
    """One sample, in Python's own integers."""
    point = PRODUCT_BITS[bits]
    product = level * gain // (1 << GAIN_BITS - point)
    left = product + (1 << point) // 2 - offset
    return min(max(left, 0) // (1 << point), (1 << bits) - 1)


def random_case(random: np.random.Generator, bits: int, lines: int, samples: int):
    levels = random.integers(0, 1 << bits, (lines, samples)).astype(f"u{bits // 8}")
    gain = random.integers(0, 1 << 16, samples, dtype=np.uint16)
    wide = np.uint16 if bits == 8 else np.uint32
    offset = random.integers(0, np.iinfo(wide).max, samples, dtype=wide, endpoint=True)
    offset >>= random.choice([0, 4, 8]).astype(wide)
    for table in (gain, offset):  # the ends of the ranges are where sums would wrap
        table[random.random(samples) < 0.1] = 0
        table[random.random(samples) < 0.1] = np.iinfo(table.dtype).max
    return levels, LightTable(bits, gain, offset)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from([8, 16]),
    lines=st.integers(0, 4),
    samples=st.one_of(st.integers(1, 70), st.integers(1020, 1100)),
    seed=st.integers(0, 2**31),
)
def test_every_path_has_the_bits_of_plain_integers(any_path, bits, lines, samples, seed):
    levels, table = random_case(np.random.default_rng(seed), bits, lines, samples)
    wanted = [
        [
            corrected_by_hand(int(level), int(gain), int(offset), bits)
            for level, gain, offset in zip(line, table.gain, table.offset, strict=True)
        ]
        for line in levels
    ]
    before = levels.copy()
    apart = flat_field(levels, table)
    assert apart.dtype == levels.dtype
    assert apart.tolist() == wanted
    assert np.array_equal(levels, before)
    into = np.empty_like(levels)
    assert flat_field(levels, table, into) is into
    assert np.array_equal(into, apart)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from([8, 16]),
    lines=st.integers(0, 5),
    places=st.lists(st.integers(0, 300), min_size=2, max_size=2),
    upwards=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_a_part_has_the_bits_of_the_whole_and_its_surroundings_stay(
    any_path, bits, lines, places, upwards, seed
):
    levels, table = random_case(np.random.default_rng(seed), bits, lines, 300)
    first, end = sorted(places)
    raw = levels[::-1] if upwards else levels
    around = np.full((lines, end - first + 9), 7, levels.dtype)
    flat_field(raw[:, first:end], table.part(first, end), around[:, 4:-5])
    assert np.array_equal(around[:, 4:-5], flat_field(raw, table)[:, first:end])
    assert (around[:, :4] == 7).all()
    assert (around[:, -5:] == 7).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_all_levels_at_the_extremes_do_not_wrap(any_path, bits):
    levels = np.arange(1 << bits).astype(f"u{bits // 8}")[:, None]
    wide = np.iinfo(np.uint16 if bits == 8 else np.uint32).max
    for gain, offset in ((65535, 0), (65535, wide), (0, 0), (8192, 0), (1, 3)):
        kind = np.uint16 if bits == 8 else np.uint32
        table = LightTable(bits, np.array([gain], np.uint16), np.array([offset], kind))
        wanted = [corrected_by_hand(level, gain, offset, bits) for level in range(1 << bits)]
        assert flat_field(levels, table)[:, 0].tolist() == wanted


@settings(max_examples=100, deadline=None)
@given(
    bits=st.sampled_from([8, 16]),
    gain=st.floats(0, LARGEST_GAIN),
    dark=st.floats(0, 60),
    seed=st.integers(0, 2**31),
)
def test_integers_follow_the_real_numbers(bits, gain, dark, seed):
    scale = 1 if bits == 8 else 257
    levels = np.random.default_rng(seed).integers(0, 1 << bits, (50, 1)).astype(f"u{bits // 8}")
    table = LightTable.of(np.array([gain]), np.array([dark * scale * gain]), bits)
    real = np.clip((levels - dark * scale) * gain, 0, (1 << bits) - 1)
    room = 0.07 if bits == 8 else 4.1  # half a step of the gain is 4 levels of 65536
    assert np.abs(flat_field(levels, table) - real).max() <= 0.5 + room


def test_a_gain_of_one_changes_nothing(any_path):
    for bits in (8, 16):
        levels = np.arange(1 << bits).astype(f"u{bits // 8}").reshape(-1, 64)
        table = LightTable.of(np.ones(64), np.zeros(64), bits)
        assert np.array_equal(flat_field(levels, table), levels)


@pytest.mark.parametrize(
    ("gain", "offset", "bits", "text"),
    [
        ([1.0], [0.0], 12, "bits must be 8 or 16, got 12"),
        ([-1.0], [0.0], 8, "gain must be finite and >= 0, got -1.0"),
        ([1.0], [float("nan")], 8, "offset must be finite and >= 0, got nan"),
        ([float("inf")], [0.0], 8, "gain must be finite and >= 0"),
    ],
)
def test_tables_that_mean_nothing_are_refused(gain, offset, bits, text):
    with pytest.raises(ValueError, match=text):
        LightTable.of(np.array(gain), np.array(offset), bits)


def test_large_gains_and_offsets_are_held():
    table = LightTable.of(np.array([9.0]), np.array([1e9]), 8)
    assert (table.gain.tolist(), table.offset.tolist()) == ([65535], [65535])
    assert flat_field(np.full((1, 1), 255, np.uint8), table).tolist() == [[0]]


def test_what_does_not_fit_is_refused(any_path):
    table = LightTable.of(np.ones(4), np.zeros(4), 8)
    lines = np.zeros((6, 4), np.uint8)
    for raw, into, text in (
        (lines[:, :3], None, r"raw must be \(lines, 4\) uint8, got \(6, 3\) uint8"),
        (lines.astype(np.uint16), None, r"raw must be \(lines, 4\) uint8, got \(6, 4\) uint16"),
        (np.asfortranarray(lines), None, "samples of raw must lie side by side, got strides"),
        (lines, np.asfortranarray(lines), "samples of corrected must lie side by side"),
        (lines, lines[:5], "corrected must have the lines of raw, 6, got 5"),
        (lines[:4], lines[1:5], "corrected must lie apart from raw"),
        (lines, lines, "corrected must lie apart from raw"),
    ):
        with pytest.raises(ValueError, match=text):
            flat_field(raw, table, into)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"gain": np.zeros(3, np.uint16)}, "gain must have the samples of a line, got 3"),
        ({"offset": np.zeros(5, np.uint16)}, "offset must have the samples of a line, got 5"),
        ({"corrected": np.zeros((5, 4), np.uint8)}, "corrected must have the lines of raw, got 5"),
        ({"corrected": np.zeros((6, 3), np.uint8)}, "corrected must have the samples of raw"),
        ({"path": "abacus"}, "path must be one that this CPU has, got abacus"),
    ],
)
def test_the_module_guards_itself(need_path, change, text):
    need_path("portable")
    from kernels import _native

    arguments = {
        "raw": np.zeros((6, 4), np.uint8),
        "gain": np.zeros(4, np.uint16),
        "offset": np.zeros(4, np.uint16),
        "corrected": np.zeros((6, 4), np.uint8),
        "path": "portable",
    }
    with pytest.raises(ValueError, match=text):
        _native.flat_bytes(**(arguments | change))
    both = np.zeros((7, 4), np.uint8)
    for raw, into in ((both[:6], both[1:]), (both[1:], both[:6]), (both[5::-1], both[:6])):
        with pytest.raises(ValueError, match="corrected must lie apart from raw"):
            _native.flat_bytes(**(arguments | {"raw": raw, "corrected": into}))
    for name in ("raw", "corrected"):
        with pytest.raises(ValueError, match=f"samples of {name} must lie side by side, got 6"):
            _native.flat_bytes(**(arguments | {name: np.zeros((6, 4), np.uint8, order="F")}))


def test_correcting_needs_no_torch():
    program = (
        "import sys, numpy as np; from kernels.light import LightTable, flat_field; "
        "flat_field(np.zeros((1, 2), np.uint8), LightTable.of(np.ones(2), np.zeros(2), 8)); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_public_name_is_there():
    for name in kernels.__all__:
        assert getattr(kernels, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'kernels' has no attribute 'nothing'"):
        kernels.nothing  # noqa: B018


def test_an_unknown_path_is_refused(monkeypatch):
    monkeypatch.setenv(PATH_VARIABLE, "abacus")
    with pytest.raises(ValueError, match="LINESCAN_KERNEL must be one of"):
        flat_field(np.zeros((1, 1), np.uint8), LightTable.of(np.ones(1), np.zeros(1), 8))
