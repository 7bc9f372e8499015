"""The whole line: real processes, real sockets, real backbone; killed, interrupted, starved."""

import resource
import signal
import socket
import sqlite3
import time

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def coverage(line):
    manifest = line.manifest()
    totals = manifest["totals"]["coverage"]
    assert totals["is_exact"]
    assert totals["captured_px"] == manifest["totals"]["lines"] * manifest["web"]["columns"]
    return totals


def test_a_roll_is_inspected_to_its_end(start_line):
    line = start_line()
    code, out, err = line.finish()
    assert code == 0, err + line.log()
    assert coverage(line)["not_inspected_percent"] == 0
    assert line.manifest()["totals"]["lines"] == 6000
    assert "planted found" in out
    for name in ("manifest.json", "map.zarr", "defects.sqlite", "report.html", "evidence"):
        assert (line.folder / name).exists()
    assert line.leftovers() == []


def test_killed_score_is_restarted_and_nothing_is_lost(start_line):
    line = start_line(source__length_m=6.0)
    line.wait_for_lines(2000)
    line.children()["score-0"].send_signal(signal.SIGKILL)
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    assert coverage(line)["not_inspected_percent"] == 0
    assert "score-0 ended with signal SIGKILL; restart 1" in " ".join(err.split())
    assert line.leftovers() == []


def test_the_verdicts_are_those_of_an_undisturbed_roll(start_line):
    digests = []
    for name, workers, kill in (("roll", 1, False), ("b", 2, False), ("c", 1, True)):
        line = start_line(roll__name=name, score__workers=workers)
        if kill:
            line.wait_for_lines(500)
            line.children()["score-0"].send_signal(signal.SIGKILL)
        code, _, err = line.finish()
        assert code == 0, err
        digests.append(line.manifest()["digests"])
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.timeout(400)
def test_a_profile_that_goes_on_learning_is_the_same_whoever_learns(start_line):
    rolling = {"profile__mode": "rolling", "profile__refresh_m": 0.25, "profile__window_m": 1.0}
    found = []
    for name, workers, kill in (("roll", 1, False), ("b", 2, False), ("c", 1, True)):
        line = start_line(**rolling, roll__name=name, score__workers=workers, tiles__columns=128)
        if kill:
            line.wait_for_lines(3500)  # after several refreshes, amid a segment
            line.children()["score-0"].send_signal(signal.SIGKILL)
        code, _, err = line.finish()
        assert code == 0, err
        manifest = line.manifest()
        assert manifest["totals"]["coverage"]["not_inspected_px"] == {}
        found.append([manifest[key] for key in ("digests", "profile_digests", "profile_drift")])
    assert found[0] == found[1] == found[2]
    assert 0 < max(found[0][2].values()) < 0.1


def test_stopped_score_counts_as_stalled_and_is_replaced(start_line):
    line = start_line(source__length_m=6.0, score__tile_timeout_ms=3000)
    line.wait_for_lines(2000)
    line.children()["score-0"].send_signal(signal.SIGSTOP)
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    assert coverage(line)["not_inspected_percent"] == 0
    assert "stalled" in err
    assert line.leftovers() == []


def test_killed_capture_goes_on_and_its_loss_is_named(start_line):
    line = start_line(source__length_m=8.0)
    line.wait_for_lines(2000)
    line.children()["capture"].send_signal(signal.SIGKILL)
    code, out, err = line.finish()
    totals = coverage(line)
    assert line.manifest()["totals"]["lines"] == 16000
    assert set(totals["not_inspected_px"]) <= {"camera_loss"}
    assert code == (5 if totals["not_inspected_px"] else 0), err + line.log()
    assert line.manifest()["capture_starts"] == 2
    assert "capture 1x" in out
    assert line.leftovers() == []


def test_killed_sink_ends_the_roll_and_leaves_no_process(start_line):
    line = start_line(source__length_m=8.0)
    line.wait_for_lines(2000)
    line.children()["sink"].send_signal(signal.SIGKILL)
    code, _, err = line.finish(timeout_s=20)  # nobody waits for verdicts that nobody can take
    assert code == 1
    assert "sink ended with signal SIGKILL" in " ".join(err.split())
    assert "INFO" not in err
    log = sqlite3.connect(f"file:{line.folder / 'defects.sqlite'}?mode=ro", uri=True)
    (last,) = log.execute("SELECT max(end_line) FROM coverage").fetchone()
    log.close()
    assert last >= 2000  # what was committed still reads
    assert line.leftovers() == []


def test_killed_parent_takes_everything_with_it(start_line):
    line = start_line(source__length_m=50.0)
    line.wait_for_lines(2000)
    line.children()
    line.process.kill()
    line.process.wait()
    deadline = time.monotonic() + 60
    while line.leftovers() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert line.leftovers() == []
    coverage(line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_ends_with_0(start_line, number):
    line = start_line(source__length_m=50.0)
    line.wait_for_lines(1500)
    line.process.send_signal(number)
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    assert coverage(line)["not_inspected_percent"] == 0
    assert 1500 <= line.manifest()["totals"]["lines"] < 100_000
    assert line.manifest()["outcome"] == "stopped on request"
    assert line.leftovers() == []


def test_a_second_interrupt_ends_at_once_with_130(start_line):
    line = start_line(source__length_m=50.0)
    line.wait_for_lines(1500)
    line.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    line.process.send_signal(signal.SIGINT)
    code, _, err = line.finish(20)
    assert code == 130
    assert "Traceback" not in err
    assert line.leftovers() == []


@pytest.mark.parametrize("delay_s", [0.05, 0.4, 0.9, 1.6, 2.6, 4.0])
def test_an_interrupt_at_any_moment_leaves_nothing_behind(start_line, delay_s):
    line = start_line()
    time.sleep(delay_s)
    line.process.send_signal(signal.SIGINT)
    code, _, err = line.finish()
    # An interpreter that is interrupted while it sets itself up says so and ends with 1.
    starts = ("Fatal Python error", "Could not import runpy")
    starting = delay_s < 0.1 and any(text in err for text in starts)
    assert code in (0, 130, -signal.SIGINT) or starting, err + line.log()
    # Before Python has installed any handler the default action of the signal ends it.
    assert code != -signal.SIGINT or delay_s < 0.1
    assert "Traceback" not in err or delay_s < 0.5  # while Python itself still imports
    assert line.leftovers() == []


def test_a_taken_port_is_an_environment_fault(start_line):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        line = start_line(alarms__publish=endpoint)
        code, _, err = line.finish()
    assert code == 3
    assert endpoint in err
    assert "Traceback" not in err
    assert line.leftovers() == []


def test_a_full_disk_ends_the_roll_with_a_clear_error(start_line):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    line = start_line(preexec=limit, source__length_m=8.0)
    code, _, err = line.finish()
    assert code == 3, err + line.log()
    assert "must be writable" in err
    assert "Traceback" not in err
    assert line.leftovers() == []


def test_a_roll_is_never_overwritten(start_line):
    line = start_line(source__length_m=1.0, source__clean_m=0.5)
    assert line.finish()[0] == 0
    code, _, err = start_line(source__length_m=1.0).finish()
    assert code == 2
    assert "roll.name must be new" in err
