"""A recorded web gives the verdicts of the live one; damage costs its lines and nothing else."""

import cv2
import numpy as np
import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def finished(line, expected=0):
    code, _, err = line.finish()
    assert code == expected, err + line.log()
    return line


def test_a_recording_replays_to_the_digests_of_the_live_roll(start_line, tmp_path):
    live = finished(start_line()).manifest()
    recording = tmp_path / "web"
    finished(start_line(command=("simulate", "--out", str(recording))))
    again = finished(start_line(command=("replay", str(recording)), roll__name="again")).manifest()
    assert again["digests"] == live["digests"]
    assert again["truth"]["defects"] == live["truth"]["defects"]


def weave(lines, seed):
    y, x = np.mgrid[0:lines, 0:256]
    noise = np.random.default_rng(seed).normal(0, 10, y.shape)
    return (120 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7) + noise).clip(0, 255).astype(np.uint8)


def test_pieces_of_other_widths_and_a_damaged_file(start_line, tmp_path):
    folder = tmp_path / "pieces"
    folder.mkdir()
    for n, width in enumerate((256, 200, 256, 256)):
        cv2.imwrite(str(folder / f"{n}.png"), weave(400, n)[:, :width])
    damaged = folder / "2.png"
    damaged.write_bytes(damaged.read_bytes()[:-20_000])
    command = ("replay", str(folder), "--seams", "--width", "pad")
    line = start_line(command=command, limits__not_inspected_percent=0)
    finished(line, expected=5)
    manifest = line.manifest()
    totals = manifest["totals"]["coverage"]
    assert manifest["totals"]["lines"] == 1600
    assert totals["is_exact"]
    assert totals["masked_px"] == 400 * 56
    assert totals["not_inspected_px"] == {"corrupt_input": 400 * 256}
    assert totals["inspected_px"] == 1600 * 256 - 400 * 56 - 400 * 256
    tolerant = start_line(command=command, limits__not_inspected_percent=30, roll__name="again")
    finished(tolerant)
