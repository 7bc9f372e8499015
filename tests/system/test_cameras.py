"""Two cameras side by side in real processes: one web, one ledger, defects where they are."""

import json

import numpy as np
import pytest
import yaml

from streamer.config import SimulatorSource, Web
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulator import SimulatedWeb

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

COLUMNS, LINES = 480, 6000
# Camera cam1 begins at column 224 and cam0 ends at 256: they share 32 columns, the seam is at 240.
SIMULATED = ("columns", "length_m", "clean_m", "defects_per_m")
SETTINGS = {"tiles__columns": 240} | {f"source__{name}": None for name in SIMULATED}


@pytest.fixture(scope="module")
def web():
    """(pixels of a simulated web, its ground truth)."""
    settings = SimulatorSource(
        columns=COLUMNS, length_m=LINES * 0.5 / 1000, clean_m=1, defects_per_m=4, seed=5
    )
    source = SimulatedWeb(settings, Web(), 0)
    blocks = []
    while (block := source.read_into(new_buffer(source.format, 500))) is not None:
        blocks.append(block.pixels[: block.valid_lines].copy())
    return np.concatenate(blocks), json.loads(source.truth)


@pytest.fixture
def line_file(web, tmp_path):
    """A configuration of two cameras that replay their views of the web."""
    pixels, _ = web
    for name, columns in (("cam0", slice(0, 256)), ("cam1", slice(224, COLUMNS))):
        np.save(tmp_path / f"{name}.npy", pixels[:, columns])
    side = {"first_mm": 112.0, "source": source(tmp_path, "cam1")}
    content = {"source": source(tmp_path, "cam0"), "cameras": [side]}
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def source(folder, camera):
    return {"kind": "replay", "camera": camera, "path": str(folder / f"{camera}.npy")}


def test_two_cameras_are_one_web(start_line, line_file, web):
    line = start_line(command=("run", "--config", str(line_file)), **SETTINGS)
    for name in ("capture-cam0", "capture-cam1"):
        line.wait_for(name)
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    manifest = line.manifest()
    assert manifest["totals"]["lines"] == LINES
    assert manifest["totals"]["coverage"]["is_exact"]
    assert manifest["totals"]["coverage"]["inspected_px"] == LINES * COLUMNS
    assert manifest["config"]["web"]["seams"] == [240]
    assert set(manifest["profile_digests"]) == {"0", "1"}
    np.save(line_file.parent / "whole.npy", web[0])
    file = line_file.parent / "one.yaml"
    whole = {**source(line_file.parent, "whole"), "camera": "cam0"}
    file.write_text(yaml.safe_dump({"source": whole}), encoding="utf-8")
    one = start_line(command=("run", "--config", str(file)), roll__name="one", **SETTINGS)
    assert one.finish()[0] == 0
    # What is plainly a defect is one here and there, at the same place; a faint one may be missed,
    # for every camera learns its level from its own columns and sees no neighbour at the seam.
    found, plain = boxes(line), [box for box in boxes(one) if box[4] > 1.5]
    assert len(plain) >= 3
    assert all(any(touches(a, b) for b in found) for a in plain)


def test_a_killed_camera_comes_back_and_costs_its_own_lines_alone(start_line, line_file):
    line = start_line(command=("run", "--config", str(line_file)), **SETTINGS)
    line.wait_for_lines(256)
    line.wait_for("capture-cam1").kill()
    code, _, err = line.finish()
    manifest = line.manifest()
    coverage = manifest["totals"]["coverage"]
    assert manifest["outcome"] == "complete", err + line.log()
    assert manifest["totals"]["lines"] == LINES
    assert coverage["is_exact"]
    lost = coverage["not_inspected_px"].get("camera_loss", 0)
    assert coverage["inspected_px"] + lost == LINES * COLUMNS
    assert lost % 240 == 0
    assert lost < LINES * 240
    assert code == (5 if lost else 0)


def boxes(line):
    """(first line, end line, first mm, end mm, peak) of every defect, from the defect log."""
    import sqlite3

    with sqlite3.connect(line.folder / "defects.sqlite") as log:
        rows = log.execute(
            "SELECT first_line, end_line, cross_first_mm, cross_end_mm, peak FROM defects"
        )
        return rows.fetchall()


def touches(a, b):
    return a[0] <= b[1] + 16 and b[0] <= a[1] + 16 and a[2] <= b[3] + 8 and b[2] <= a[3] + 8
