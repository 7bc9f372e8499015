"""From tiles to the alarm that a roller leaves marks: its life, and its pitch in the message."""

import json
from itertools import chain

import jsonschema
import numpy as np
import pytest

from streamer.message import AlarmKind, DefectState, Severity
from streamer.outputs.alarm_message import alarm_record, alarm_schema, encode
from streamer.repeats import RepeatSettings
from tests.streamer.stages.test_sink import HELLO, Roll, end, row, score_map

ROWS, PITCH_MM = 40, 64.0  # a tile row is 16 mm long
MARKED = (0, 4, 8, 16, 20, 24)  # the one at 12 is missing


def marked_tiles(sequence, marked):
    scores = np.zeros((2, 2), np.float32)
    scores[0, 1] = 3.0 * (sequence in marked)
    return [score_map(sequence, 0, scores=scores), score_map(sequence, 1)]


def alarms_of(clock, marked, repeats=None, cut=ROWS):
    rules = RepeatSettings(tolerance_down_mm=4, reannounce_mm=100) if repeats is None else repeats
    tiles = chain.from_iterable(marked_tiles(n, marked) for n in range(cut))
    roll = Roll(clock, [HELLO, [row(n) for n in range(cut)], *tiles, end(cut)], repeats=rules)
    roll.run()
    assert roll.outputs[-1].published == roll.record.alarms
    return roll, [alarm for alarm in roll.record.alarms if "/repeat-" in alarm.id]


def test_marks_of_a_roller_are_an_alarm_with_their_pitch_though_one_is_missing(clock):
    roll, (new, *updates, ended) = alarms_of(clock, MARKED)
    assert (new.kind, new.severity) == (AlarmKind.DEFECT, Severity.HIGH)
    assert [a.state for a in (new, *updates, ended)] == [
        DefectState.NEW,
        *[DefectState.UPDATE] * len(updates),
        DefectState.END,
    ]
    assert len(updates) >= 1
    assert [a.repeat_mm for a in (new, *updates, ended)] == pytest.approx(
        [PITCH_MM] * (2 + len(updates))
    )
    assert "comes again every 64.0 mm, 4 times so far: a roller of 20 mm diameter?" in new.text
    assert new.region.down_first <= 16 * 16 + 4 <= new.region.down_end
    assert sorted(n for repeat in roll.record.repeats for n in repeat.defects) == [1, 2, 3, 4, 5, 6]


def test_the_alarm_of_a_repeat_is_told_as_the_schema_says(clock):
    _, alarms = alarms_of(clock, MARKED)
    for alarm in alarms:
        message = json.loads(encode(alarm_record(alarm, "me")))
        jsonschema.validate(message, alarm_schema())
        assert message["repeat_mm"] == pytest.approx(PITCH_MM)


def test_other_defects_between_the_marks_only_ask_for_more_of_them(clock):
    _, alarms = alarms_of(clock, (*range(0, ROWS, 4), 9, 19))
    assert alarms[0].state is DefectState.NEW
    assert len({alarm.id for alarm in alarms}) == 1
    assert [a.repeat_mm for a in alarms] == pytest.approx([PITCH_MM] * len(alarms))


def test_a_repeat_that_goes_on_ends_with_the_roll(clock):
    roll, alarms = alarms_of(clock, MARKED, cut=25)
    assert alarms[-1].state is DefectState.END
    assert roll.book.active == 0


def test_alarms_of_single_defects_have_no_pitch(clock):
    roll, _ = alarms_of(clock, MARKED)
    others = [alarm for alarm in roll.record.alarms if "/defect-" in alarm.id]
    assert len(others) == 2 * len(MARKED)
    assert {alarm.repeat_mm for alarm in others} == {0.0}


def test_defects_at_no_constant_pitch_are_no_repeat(clock):
    assert alarms_of(clock, (0, 5, 7, 18, 21, 30))[1] == []


def test_no_repeat_is_told_where_they_are_not_looked_for(clock):
    roll = Roll(
        clock,
        [
            HELLO,
            [row(n) for n in range(ROWS)],
            *chain.from_iterable(marked_tiles(n, MARKED) for n in range(ROWS)),
            end(ROWS),
        ],
    )
    roll.run()
    assert not [alarm for alarm in roll.record.alarms if "/repeat-" in alarm.id]
