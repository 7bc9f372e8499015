"""The recorder beside a real line: it sees all, delays nothing, and says what it lacks."""

import os
import signal
import time

import pytest

from streamer.sources.recording_reader import Recording
from streamer.stages.recorder import FELL_BEHIND, RESTARTED

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def details(folder):
    """Lines that the recording lacks, by reason."""
    found = {}
    for row in Recording(folder).rows():
        if hasattr(row, "detail"):
            found[row.detail] = found.get(row.detail, 0) + row.line_count
    return found


def covered(folder):
    """Every line of the recording is there or named as lost; how many lines."""
    end = 0
    for row in Recording(folder).rows():
        assert row.first_line == end
        end = row.first_line + row.line_count
    return end


def test_a_recording_replays_to_the_verdicts_of_the_live_roll(start_line):
    live = start_line(recorder__mode="all")
    code, _, err = live.finish()
    assert code == 0, err + live.log()
    assert live.leftovers() == []
    folder = live.folder / "recordings" / "roll"
    assert Recording(folder).tail().closed
    assert (covered(folder), details(folder)) == (6000, {})
    settings = dict.fromkeys(("source.columns", "source.length_m", "source.clean_m"))
    again = start_line(
        command=("replay", str(folder)),
        roll__name="again",
        source__defects_per_m=None,
        **{name.replace(".", "__"): None for name in settings},
    )
    code, _, err = again.finish()
    assert code == 0, err + again.log()
    assert again.manifest()["digests"] == live.manifest()["digests"]
    assert again.manifest()["truth"] == live.manifest()["truth"]


def test_a_recorder_that_hangs_delays_nobody_and_its_recording_names_what_it_lacks(start_line):
    line = start_line(
        source__length_m=12.0,
        source__pace="line_rate",
        web__web_speed_m_min=60,
        source__block_lines=64,
        recorder__mode="all",
        recorder__max_lag_blocks=4,
    )
    recorder = line.wait_for("recorder")
    line.wait_for_lines(2000)
    recorder.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    line.wait_for_lines(7000)
    assert time.monotonic() - stopped < 7  # 5000 lines pass in 2.5 s, whoever sleeps
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    manifest = line.manifest()
    assert manifest["totals"]["coverage"]["not_inspected_px"] == {}
    assert manifest["totals"]["lines"] == 24000
    folder = line.folder / "recordings" / "roll"
    lost = details(folder)
    assert set(lost) <= {FELL_BEHIND, RESTARTED}
    assert sum(lost.values()) > 2000
    assert covered(folder) == 24000
    assert line.leftovers() == []


def test_a_killed_recorder_is_started_again_and_goes_on_with_its_recording(start_line):
    line = start_line(
        source__length_m=10.0,
        source__pace="line_rate",
        web__web_speed_m_min=60,
        recorder__mode="all",
    )
    line.wait_for("recorder")
    line.wait_for_lines(2000)
    line.children()["recorder"].send_signal(signal.SIGKILL)
    code, out, err = line.finish()
    assert code == 0, err + line.log()
    assert "recorder 1x" in out
    folder = line.folder / "recordings" / "roll"
    assert covered(folder) == 20000
    assert set(details(folder)) <= {FELL_BEHIND, RESTARTED}
    assert line.manifest()["totals"]["coverage"]["not_inspected_px"] == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into any folder")
def test_a_folder_that_cannot_be_written_is_told_once(start_line, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused(start_line, locked)


def test_a_folder_that_is_none_is_told_once(start_line, tmp_path):
    place = tmp_path / "file"
    place.touch()
    refused(start_line, place)


def refused(start_line, folder):
    line = start_line(recorder__mode="all", recorder__folder=str(folder))
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    faults = [row for row in err.splitlines() if row.startswith("error: recorder")]
    assert len(faults) == 1
    assert str(folder) in faults[0]
    assert "Traceback" not in err + line.log()
    assert line.manifest()["totals"]["coverage"]["not_inspected_px"] == {}


def test_what_surrounds_a_defect_is_kept_and_replays(start_line):
    line = start_line(
        source__length_m=8.0,
        recorder__mode="alarms",
        recorder__ring_m=4,
        recorder__before_m=0.2,
        recorder__after_m=0.2,
    )
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    pieces = sorted((line.folder / "recordings").iterdir())
    assert len(pieces) == line.manifest()["totals"]["defects"] > 0
    settings = {f"source__{name}": None for name in ("columns", "length_m", "clean_m")}
    again = start_line(
        command=("replay", str(pieces[0])),
        roll__name="piece",
        source__defects_per_m=None,
        profile__mode="per_tile",
        **settings,
    )
    code, _, err = again.finish()
    assert code == 0, err + again.log()
    lines = again.manifest()["totals"]["lines"]
    assert 800 <= lines < 4000
