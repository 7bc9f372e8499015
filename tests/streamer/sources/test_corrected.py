import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Light, SimulatorSource, Web
from streamer.correction.flat_field import FlatField, LightReference, flat_field_of
from streamer.correction.lamp_drift import DriftPlan
from streamer.correction.light_file import LightFacts, LightFile
from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.ports import WebFormat
from streamer.sources import open_source
from streamer.sources.corrected import CorrectedSource, open_corrected
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling

FACTS = LightFacts("2026-01-02T03:04:05Z", "cam0", "white", 64)
WEB = Web(pixel_mm=1.0)  # a segment of the watch is 1000 lines


class Scripted:
    """Delivers given items; blocks are copied to the buffer, or left in memory of its own."""

    def __init__(self, items, *, own_memory=False, bits=8):
        self.items, self.own_memory, self.closed = list(items), own_memory, False
        first = next(item for item in items if isinstance(item, LineBlock)).pixels
        channels = 1 if first.ndim == 2 else 3
        self.format = WebFormat(first.shape[1], channels, bits, "scripted")
        self.truth = b"{}"

    def read_into(self, buffer):
        if not self.items:
            return None
        item = self.items.pop(0)
        if isinstance(item, LineLoss) or self.own_memory:
            return item
        buffer[: len(item.pixels)] = item.pixels
        return replace(item, pixels=buffer[: len(item.pixels)])

    def close(self):
        self.closed = True


def block(pixels, first_line=0, valid=None):
    return LineBlock("cam0", first_line, pixels, len(pixels) if valid is None else valid, 1)


def reference(columns=40, channels=1, bits=8):
    full = (1 << bits) - 1
    white = (0.8 - 0.3 * np.linspace(-1, 1, columns)[:, None] ** 2) * full * np.ones(channels)
    return LightReference(bits, white.astype(np.float32), np.full_like(white, 0.02 * full))


def saved(tmp_path, made):
    path = tmp_path / "light.safetensors"
    path.write_bytes(LightFile(made, FACTS).to_bytes())
    return path


def seen(block):
    """The whole block as the web is."""
    return block.corrected(slice(None), Interval(0, block.columns))


def read_all(source, lines, shape, kind=np.uint8):
    read = []
    while (got := source.read_into(np.zeros((lines, *shape), kind))) is not None:
        read.append(got)
    return read


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 1), (8, 3), (16, 3)])
@pytest.mark.parametrize("own_memory", [False, True])
def test_what_the_lamp_did_is_undone(tmp_path, bits, channels, own_memory):
    made = reference(channels=channels, bits=bits)
    kind = np.dtype(f"u{bits // 8}")
    share = np.random.default_rng(0).uniform(0.1, 0.9, (30, 40, channels))
    raw = np.rint(made.dark + share * (made.white - made.dark)).astype(kind)
    raw = raw if channels == 3 else raw[:, :, 0]
    before = raw.copy()
    source = Scripted([block(raw)], own_memory=own_memory, bits=bits)
    corrected = open_corrected(source, Light(file=saved(tmp_path, made)), WEB)
    got = corrected.read_into(np.zeros((50, *raw.shape[1:]), kind))
    target = np.quantile(made.white - made.dark, 0.99, axis=0)
    wanted = (share * target).reshape(raw.shape)
    assert np.abs(seen(got) - wanted).max() <= (2.5 if bits == 8 else 12)
    assert np.array_equal(got.pixels, before)  # stays as it came
    assert np.array_equal(raw, before)  # the camera's own memory is nobody's to write to
    assert corrected.read_into(np.zeros((50, *raw.shape[1:]), kind)) is None


def test_losses_pass_and_filler_stays_as_it_came():
    raw = np.full((6, 40), 100, np.uint8)
    raw[4:] = 7
    loss = LineLoss("cam0", 6, 3, GapReason.CAMERA_LOSS, 1)
    for own_memory in (False, True):
        source = Scripted([block(raw, valid=4), loss], own_memory=own_memory)
        field = flat_field_of(reference())
        corrected = CorrectedSource(source, field, DriftPlan(1000))
        got = corrected.read_into(np.zeros((8, 40), np.uint8))
        assert got.pixels.shape == (6, 40)
        assert (got.pixels[4:] == 7).all()
        assert not (seen(got)[:4] == 100).all()
        assert corrected.read_into(np.zeros((8, 40), np.uint8)) == loss


def test_bad_columns_are_filled_unless_switched_off(tmp_path, caplog):
    made = reference(200)
    made.white[[50, 51]] = made.dark[[50, 51]]
    path, raw = saved(tmp_path, made), np.full((4, 200), 90, np.uint8)
    raw[:, [50, 51]] = 5
    with caplog.at_level(logging.WARNING):
        filled = open_corrected(Scripted([block(raw)]), Light(file=path), WEB)
    assert "2 bad columns are filled from those beside them: 50, 51" in caplog.text
    assert seen(filled.read_into(np.zeros((4, 200), np.uint8)))[:, 45:56].min() > 80
    left = open_corrected(Scripted([block(raw)]), Light(file=path, bad_pixels="off"), WEB)
    assert (seen(left.read_into(np.zeros((4, 200), np.uint8)))[:, [50, 51]] < 5).all()


@pytest.mark.parametrize("path", ["chosen", "reference"])
@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (16, 1), (8, 3), (16, 3)])
def test_each_channel_is_filled_from_its_own(monkeypatch, path, bits, channels):
    if path == "reference":
        monkeypatch.setenv("LINESCAN_KERNEL", path)
    columns, bad = 60, (0, 20, 21, 59)
    kind = np.dtype(f"u{bits // 8}")
    even = FlatField(np.ones((columns, channels)), np.zeros((columns, channels)), bad)
    raw = np.random.default_rng(bits + channels).integers(
        0, 1 << bits, (5, columns, channels), kind
    )
    shape = raw.shape if channels == 3 else raw.shape[:2]
    source = Scripted([block(raw.reshape(shape))], own_memory=True, bits=bits)
    got = CorrectedSource(source, even, DriftPlan(1000)).read_into(np.zeros((5, *shape[1:]), kind))
    whole, wide = seen(got).reshape(raw.shape), raw.astype(int)
    kept = np.setdiff1d(np.arange(columns), bad)
    assert np.array_equal(whole[:, kept], raw[:, kept])
    assert np.array_equal(whole[:, 0], raw[:, 1])
    assert np.array_equal(whole[:, 59], raw[:, 58])
    thirds = (wide[:, 19] * 2731 + wide[:, 22] * 1365 + 2048) // 4096
    assert np.array_equal(whole[:, 20], thirds)
    for first in range(columns):  # parts that hold neither neighbour, one, or both
        part = got.corrected(slice(1, 4), Interval(first, min(first + 2, columns)))
        assert np.array_equal(part.reshape(3, -1, channels), whole[1:4, first : first + 2])


def fading(lines, columns=40):
    """A web whose lamp loses 30 % over `lines`, with the texture of a chequered cloth."""
    at = np.arange(lines)[:, None]
    cloth = 120 + 20 * ((at + np.arange(columns)) % 2)
    return np.rint(cloth * (1 - 0.3 * at / lines)).astype(np.uint8)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=12), st.integers(0, 2**31))
def test_blocks_and_their_sizes_do_not_change_a_pixel(sizes, seed):
    web = fading(30_000)
    plan = DriftPlan(300, compensate=True, maintenance_share=0.1)

    def corrected(cuts):
        parts = [block(web[a:b], a) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
        source = CorrectedSource(Scripted(parts, own_memory=True), flat_field_of(reference()), plan)
        return np.concatenate([seen(b) for b in read_all(source, 30_000, (40,))])

    random = np.random.default_rng(seed)
    cuts, end = [0], 0
    while end < len(web):
        end = min(end + int(random.choice(sizes)) + 200, len(web))
        cuts.append(end)
    assert np.array_equal(corrected(cuts), corrected([0, len(web)]))


def test_a_fading_lamp_is_evened_and_announced():
    web = fading(200_000)
    parts = [block(web[a : a + 1000], a) for a in range(0, len(web), 1000)]
    plan = DriftPlan(1000, compensate=True, maintenance_share=0.15)
    source = CorrectedSource(Scripted(parts), flat_field_of(reference()), plan)
    blocks = read_all(source, 1000, (40,))
    means = np.array([seen(b).mean() for b in blocks])
    raw = np.array([part.pixels.mean() for part in parts])
    assert raw[-1] / raw[0] < 0.71
    assert means[100] / means[0] == pytest.approx(1, abs=0.04)  # lags by half the window
    assert means[-1] / means[0] > 0.85  # 25 % is all that a gain may add
    noticed = [bool(b.notices) for b in blocks]
    first = noticed.index(True)
    assert 100 <= first <= 130
    assert all(noticed[first:])


@settings(max_examples=40, deadline=None)
@given(
    lines=st.integers(100, 400),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 2)),
    block_lines=st.integers(20, 300),
    bits=st.sampled_from([8, 16]),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**31),
)
def test_tiles_are_those_of_lines_that_were_corrected_before(
    lines, sizes, block_lines, bits, channels, seed
):
    random = np.random.default_rng(seed)
    tall, broad, halo = (16 * size for size in sizes)
    columns = int(random.integers(40, 150))
    made = reference(columns, channels, bits)
    dead = random.choice(columns, 5, replace=False)
    made.white[dead] = made.dark[dead]
    shape = (lines, columns) if channels == 1 else (lines, columns, 3)
    web = random.integers(0, 1 << bits, shape).astype(f"u{bits // 8}")
    parts = [block(web[at : at + block_lines], at) for at in range(0, lines, block_lines)]
    plan = DriftPlan(30, compensate=True, web_level=200.0)  # another table every 30 lines
    source = CorrectedSource(Scripted(parts, own_memory=True, bits=bits), flat_field_of(made), plan)
    pending = read_all(source, block_lines, web.shape[1:], web.dtype)
    assert sum(len(b.pixels) for b in pending) == lines
    plain = [replace(b, pixels=seen(b), correction=None) for b in pending]
    grid = TileGrid(columns, tall, broad, halo, 8, 16, 16)
    both = [tiles_of(blocks, grid) for blocks in (pending, plain)]
    for one, other in zip(*both, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert replace(one, pixels=other.pixels) == other


def tiles_of(blocks, grid):
    state = start_tiling(Origin("roll", "cam0", ""), grid)
    rows = []
    for piece in blocks:
        state, more = cut(state, piece)
        rows += more
    rows += finish(state)[1]
    assert rows
    return [tile for row in rows for tile in row.tiles]


def test_a_partial_block_in_which_the_factor_changes_keeps_its_filler_and_its_seam():
    web = np.full((200, 40), 90, np.uint8)
    plan = DriftPlan(50, compensate=True, web_level=250.0)
    given_ = replace(block(web, valid=180), flags=LineFlag.SEAM | LineFlag.PARTIAL)
    source = CorrectedSource(Scripted([given_]), flat_field_of(reference()), plan)
    got = read_all(source, 200, (40,))
    assert len(got) > 2
    assert [b.first_line for b in got[1:]] == [b.first_line + len(b.pixels) for b in got[:-1]]
    assert [bool(b.flags & LineFlag.SEAM) for b in got] == [True] + [False] * (len(got) - 1)
    assert [len(b.pixels) - b.valid_lines for b in got] == [0] * (len(got) - 1) + [20]
    assert got[-1].flags & LineFlag.PARTIAL
    levels = [seen(b)[0].mean() for b in got[:-1]]
    assert levels[0] < levels[-1]


def test_a_black_level_alone_stretches(tmp_path):
    raw = np.array([[26, 51, 255]], np.uint8)
    source = open_corrected(Scripted([block(raw)]), Light(black_level=10.0), WEB)
    assert seen(source.read_into(np.zeros((1, 3), np.uint8))).tolist() == [[1, 28, 255]]


def test_the_format_names_the_light_and_closing_closes(tmp_path):
    made = reference()
    source = Scripted([block(np.zeros((2, 40), np.uint8))])
    corrected = open_corrected(source, Light(file=saved(tmp_path, made)), WEB)
    assert corrected.format.description == f"scripted, light {LightFile(made, FACTS).digest[:12]}"
    assert (corrected.format.columns, corrected.truth) == (40, b"{}")
    corrected.close()
    assert source.closed


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (reference(41), r"must have the source's 40 columns \(calibrate again .*\), got 41"),
        (reference(channels=3), "must have the source's 1 channels .*, got 3"),
        (reference(bits=16), "must have the source's 8 bits .*, got 16"),
        (LightReference(8, np.zeros((40, 1), np.float32)), "a column that sees light, got '40 bad"),
    ],
)
def test_a_light_that_does_not_fit_is_explained_and_the_source_closed(tmp_path, made, text):
    source = Scripted([block(np.zeros((2, 40), np.uint8))])
    with pytest.raises(ValueError, match=rf"light\.file .*{text}"):
        open_corrected(source, Light(file=saved(tmp_path, made)), WEB)
    assert source.closed


def test_files_that_are_none_are_explained(tmp_path):
    path = tmp_path / "light"
    source = Scripted([block(np.zeros((2, 40), np.uint8))])
    with pytest.raises(OSError, match="light.file must be readable, got .*light: No such file"):
        open_corrected(source, Light(file=path), WEB)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="light.file .*light: light file must be one of"):
        open_corrected(source, Light(file=path), WEB)
    with pytest.raises(ValueError, match=f"must have light.digest {'0' * 64}, got"):
        open_corrected(source, Light(file=saved(tmp_path, reference()), digest="0" * 64), WEB)


def test_a_field_of_another_width_is_refused():
    source = Scripted([block(np.zeros((2, 39), np.uint8))])
    with pytest.raises(ValueError, match=r"field must be for 39 columns and 1 channels, got"):
        CorrectedSource(source, flat_field_of(reference()), DriftPlan(1))


def test_any_source_is_corrected_through_the_factory(tmp_path):
    settings_ = SimulatorSource(columns=200, noise=0, rolloff=0.5, length_m=1)
    white = 200 * (1 - 0.5 * ((2 * np.arange(200) + 1) / 200 - 1) ** 2)[:, None]
    light = Light(file=saved(tmp_path, LightReference(8, white.astype(np.float32))))
    buffer = np.zeros((512, 200), np.uint8)
    sides = {}
    for name, chosen in (("raw", None), ("off", Light()), ("even", light)):
        source = open_source(settings_, Web(), light=chosen)
        means = seen(source.read_into(buffer)).mean(axis=0)
        sides[name] = means[[*range(20), *range(180, 200)]].mean() / means[80:120].mean()
        source.close()
    assert sides["raw"] == sides["off"] < 0.65
    assert sides["even"] == pytest.approx(1, abs=0.05)
