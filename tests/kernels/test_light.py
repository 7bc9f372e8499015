from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from kernels import LightTable, LineCorrection, SampleFill, flat_field
from kernels.light import GAIN_BITS, LARGEST_GAIN, PRODUCT_BITS, SHARE_BITS
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


def random_fill(random: np.random.Generator, samples: int, count: int) -> SampleFill:
    filled = np.sort(random.choice(samples, min(count, samples - 1), replace=False))
    good = np.setdiff1d(np.arange(samples), filled)
    left, right = random.choice(good, (2, len(filled)))
    shares = random.integers(0, (1 << SHARE_BITS) + 1, len(filled), dtype=np.uint32)
    shares[random.random(len(filled)) < 0.2] = random.choice([0, 1 << SHARE_BITS])
    return SampleFill(filled, left, right, shares)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from([8, 16]),
    size=st.tuples(st.integers(0, 12), st.one_of(st.integers(2, 70), st.integers(250, 300))),
    fills=st.integers(0, 40),
    places=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    upwards=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_fills_are_mixed_from_corrected_samples_wherever_those_lie(
    any_path, bits, size, fills, places, upwards, seed
):
    random = np.random.default_rng(seed)
    levels, table = random_case(random, bits, *size)
    fill = random_fill(random, size[1], fills)
    raw = levels[::-1] if upwards else levels
    first, end = sorted(round(place * size[1]) for place in places)
    around = np.full((len(raw), end - first + 9), 7, levels.dtype)
    before = levels.copy()
    LineCorrection(table, fill)(raw, first, around[:, 4:-5])
    wanted = flat_field(raw, table)
    for filled, left, right, share in zip(
        fill.filled, fill.left, fill.right, fill.right_share.tolist(), strict=True
    ):
        for line in wanted:
            mixed = int(line[left]) * ((1 << SHARE_BITS) - share) + int(line[right]) * share
            line[filled] = (mixed + (1 << SHARE_BITS) // 2) // (1 << SHARE_BITS)
    assert np.array_equal(around[:, 4:-5], wanted[:, first:end])
    assert (around[:, :4] == 7).all()
    assert (around[:, -5:] == 7).all()
    assert np.array_equal(levels, before)


def test_a_correction_keeps_the_path_and_the_numbers_it_was_made_with(need_path, monkeypatch):
    need_path("portable")
    monkeypatch.setenv(PATH_VARIABLE, "portable")
    table = LightTable.of(np.full(4, 2.0), np.zeros(4), 8)
    correct = LineCorrection(table)
    monkeypatch.setenv(PATH_VARIABLE, "abacus")
    table.gain[:] = 0
    into = np.zeros((1, 4), np.uint8)
    correct(np.full((1, 4), 50, np.uint8), 0, into)
    assert into.tolist() == [[100] * 4]


def test_what_does_not_fit_is_refused(any_path):
    correct = LineCorrection(LightTable.of(np.ones(4), np.zeros(4), 8))
    lines, apart = np.zeros((6, 4), np.uint8), np.zeros((6, 4), np.uint8)
    for raw, first, into, text in (
        (lines[:, :3], 0, apart, "raw must have the samples of a line, got 3"),
        (lines.astype(np.uint16), 0, apart, "must be uint8, got uint16 and uint8"),
        (lines, 0, apart.astype(np.uint16), "must be uint8, got uint8 and uint16"),
        (np.asfortranarray(lines), 0, apart, "samples of raw must lie side by side, got"),
        (lines, 0, np.asfortranarray(apart), "samples of corrected must lie side by side"),
        (lines, 0, apart[:5], "corrected must have the lines of raw, got 5"),
        (lines, 1, apart, "corrected must .* the line"),
        (lines, -1, apart[:, :2], "must .* the line"),
        (lines, 2**62, apart[:, :2], "must .* the line"),
        (lines[:4], 0, lines[1:5], "corrected must lie apart from raw"),
        (lines, 0, lines, "corrected must lie apart from raw"),
    ):
        with pytest.raises(ValueError, match=text):
            correct(raw, first, into)
    with pytest.raises(ValueError, match=r"must be \(lines, samples\), got \(6, 4\) and \(6, 3\)"):
        flat_field(lines, LightTable.of(np.ones(4), np.zeros(4), 8), apart[:, :3])


FILLS = [
    ({"left": [0, 0, 0]}, "left, right and right_share must be as many as filled"),
    ({"filled": [1, 1]}, "filled must rise"),
    ({"filled": [2, 1]}, "filled must rise"),
    ({"filled": [1, 4]}, "fills must be within"),
    ({"left": [0, -1]}, "fills must be within"),
    ({"right": [3, 1 << 40]}, "fills must be within"),
    ({"right_share": [0, 4097]}, "right_share must be <= 4096"),
    ({"right": [3, 1]}, "what a sample is filled from must not be filled itself"),
]


def fill_arrays(**changed: list[int]) -> dict[str, np.ndarray]:
    good = {"filled": [1, 2], "left": [0, 0], "right": [3, 3], "right_share": [1365, 2731]}
    kinds = {"right_share": np.uint32}
    return {
        name: np.array(value, kinds.get(name, np.int64)) for name, value in (good | changed).items()
    }


@pytest.mark.parametrize(("change", "text"), FILLS)
def test_fills_that_mean_nothing_are_refused(any_path, change, text):
    table = LightTable.of(np.ones(4), np.zeros(4), 8)
    LineCorrection(table, SampleFill(**fill_arrays()))
    with pytest.raises(ValueError, match=text):
        LineCorrection(table, SampleFill(**fill_arrays(**change)))


def module_arguments(**changed: object) -> dict[str, object]:
    tables = {"gain": np.zeros(4, np.uint16), "offset": np.zeros(4, np.uint16)}
    return tables | fill_arrays() | {"path": "portable"} | changed


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"offset": np.zeros(5, np.uint16)}, "offset must be as many as gain, got 5"),
        ({"path": "abacus"}, "path must be one that this CPU has, got abacus"),
        *((fill_arrays(**change), text) for change, text in FILLS),
    ],
)
def test_the_module_guards_itself(need_path, change, text):
    need_path("portable")
    from kernels import _native

    with pytest.raises(ValueError, match=text):
        _native.ByteCorrection(**module_arguments(**change))


def test_the_module_knows_where_lines_overlap(need_path):
    need_path("portable")
    from kernels import _native

    correct = _native.ByteCorrection(**module_arguments()).correct
    both = np.zeros((7, 4), np.uint8)
    for raw, into in ((both[:6], both[1:]), (both[1:], both[:6]), (both[5::-1], both[:6])):
        with pytest.raises(ValueError, match="corrected must lie apart from raw"):
            correct(raw, 0, into)
    # Fills read beyond the part.
    with pytest.raises(ValueError, match="corrected must lie apart from raw"):
        correct(both[:1], 2, both[:1, :2])


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
