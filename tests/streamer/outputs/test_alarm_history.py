"""The alarm history: every message of a defect, and each alarm from begin to end."""

import pytest

from streamer.message import Alarm, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs.alarm_history import (
    alarm_messages,
    count_alarms,
    defect_of,
    read_alarms,
)
from streamer.outputs.defect_log import DefectLog

NEW, UPDATE, END = DefectState.NEW, DefectState.UPDATE, DefectState.END
SEVENTH = "r/cam0/defect-7"
DEFECT, SYSTEM, BLIND = AlarmKind.DEFECT, AlarmKind.SYSTEM, AlarmKind.NOT_INSPECTED


def alarm(sequence, name, state, kind=DEFECT, text=""):
    return Alarm(
        id=name,
        sequence=sequence,
        kind=kind,
        state=state,
        severity=Severity.HIGH,
        roll="r",
        camera="cam0",
        region=RegionMm(1.0, 2.0 * sequence, 3.0, 4.0),
        encoder_first=0,
        encoder_end=8,
        raised_ns=sequence * 1_000_000_000,
        captured_ns=4,
        peak=float(sequence),
        config_digest="c",
        model_digest="m",
        text=text,
    )


@pytest.fixture
def folder(tmp_path):
    log = DefectLog(tmp_path)
    for one in (
        alarm(1, SEVENTH, NEW),
        alarm(2, "silent-score-0", NEW, SYSTEM, "score-0 is silent"),
        alarm(3, SEVENTH, UPDATE),
        alarm(4, "r/cam0/defect-70", NEW),
        alarm(5, SEVENTH, END),
        alarm(6, "not-inspected-1", NEW, BLIND),
        alarm(7, "silent-score-0", END, SYSTEM, "score-0 is back"),
    ):
        log.add_alarm(one)
    log.close()
    return tmp_path


def test_the_history_of_a_defect_is_every_message_of_its_alarm(folder):
    history = alarm_messages(folder, SEVENTH)
    assert [(m.sequence, m.state, m.peak) for m in history] == [
        (1, "new", 1.0),
        (3, "update", 3.0),
        (5, "end", 5.0),
    ]
    assert history[1].raised_utc == "1970-01-01T00:00:03.000000Z"
    assert history[1].down_end_mm == 6.0
    assert alarm_messages(folder, "no such alarm") == ()


def test_an_alarm_has_its_begin_its_end_and_what_it_said_last(folder):
    silent, blind = read_alarms(folder, ("system", "not_inspected"))
    assert silent.raised_utc == "1970-01-01T00:00:02.000000Z"
    assert silent.ended_utc == "1970-01-01T00:00:07.000000Z"
    assert (silent.messages, silent.last.text) == (2, "score-0 is back")
    assert blind.ended_utc is None


def test_alarms_are_bounded_from_the_first_on(folder):
    assert [a.last.id for a in read_alarms(folder, ("defect",))] == [SEVENTH, "r/cam0/defect-70"]
    assert [a.last.id for a in read_alarms(folder, ("defect",), most=1)] == [SEVENTH]


def test_alarms_and_messages_are_counted_by_kind(folder):
    assert count_alarms(folder) == {"defect": (2, 4), "not_inspected": (1, 1), "system": (1, 2)}


def test_a_folder_without_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="defect log must exist, got no"):
        read_alarms(tmp_path, ("system",))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("r/cam0/defect-12", 12),
        ("r/a+b/defect-0", 0),
        ("r/cam0/silent-score-0", None),
        ("r/cam0/defect-", None),
        ("defect-3", 3),
    ],
)
def test_the_name_of_an_alarm_says_which_defect_it_is_about(name, number):
    assert defect_of(name) == number
