"""Everything that capture can do at once: faults, edges, light, a recorder, shared memory."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

TOUR = Path(__file__).parents[2] / "deploy" / "faults" / "tour.yaml"
SETTINGS = {
    "source__columns": 384,
    "source__length_m": 6,
    "source__faults": TOUR,
    "tiles__columns": 384,
    "edges__stream": "auto",
    "light__black_level": 1,
    "recorder__mode": "alarms",
    "recorder__ring_m": 8,
    "score__workers": 2,
}


def test_they_go_together_and_the_way_of_the_tiles_changes_no_verdict(start_line):
    manifests = []
    for kind in ("sockets", "shared_memory"):
        line = start_line(transport__kind=kind, roll__name=kind, **SETTINGS)
        code, _, err = line.finish()
        assert code == 5, err + line.log()  # the faults cost lines
        manifests.append(line.manifest())
        assert line.leftovers() == []
    for manifest in manifests:
        coverage = manifest["totals"]["coverage"]
        assert manifest["outcome"] == "complete"
        assert manifest["capture_starts"] == 1
        assert coverage["is_exact"]
        assert set(coverage["not_inspected_px"]) == {"camera_loss", "overspeed", "partial_frame"}
    assert manifests[0]["digests"] == manifests[1]["digests"]


def test_two_simulated_cameras_see_one_web_in_colour(start_line, tmp_path):
    side = "{first_mm: 112, source: {kind: simulator, camera: cam1, columns: 480, length_m: 3, "
    side += "clean_m: 1, defects_per_m: 1, channels: 3, bits: 16, view: [224, 480]}}"
    line = start_line(
        cameras=f"[{side}]",
        source__columns=480,
        source__view="[0, 256]",
        source__channels=3,
        source__bits=16,
        tiles__columns=240,
        profile__mode="rolling",
        edges__stream="fixed",
        edges__margin_left_mm=8,
        edges__margin_right_mm=8,
        transport__kind="shared_memory",
    )
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    coverage = line.manifest()["totals"]["coverage"]
    assert coverage["is_exact"]
    assert coverage["masked_px"] == 2 * 16 * 6000
    assert coverage["inspected_px"] == (480 - 32) * 6000
    assert line.leftovers() == []
