"""The tables of the defect log: strict, and their statements fit them."""

import sqlite3

import pytest

from streamer.outputs.defect_tables import ALL_COVERAGE, ALL_DEFECTS, PUT_DEFECT, TABLES

ROW = (3, "new", "low", "unknown", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, "1970", "raw.png", None)


@pytest.fixture
def log():
    with sqlite3.connect(":memory:") as opened:
        opened.executescript(TABLES)
        yield opened
    opened.close()


def test_a_defect_is_put_once_and_keeps_the_picture_it_had(log):
    log.execute(PUT_DEFECT, ROW)
    log.execute(PUT_DEFECT, (3, "end", *ROW[2:15], None, "overlay.png"))
    ((number, state, *_, raw, overlay, repeat, period),) = log.execute(ALL_DEFECTS)
    assert (number, state, raw, overlay) == (3, "end", "raw.png", "overlay.png")
    assert (repeat, period) == (None, None)


def test_a_value_of_another_type_is_refused(log):
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in REAL column"):
        log.execute(PUT_DEFECT, (*ROW[:4], "far down", *ROW[5:]))


def test_coverage_is_read_in_web_order(log):
    insert = "INSERT INTO coverage VALUES (NULL, 'cam0', 0, ?, ?, 0, 9, 'inspected', '')"
    log.executemany(insert, [(8, 16), (0, 8)])
    assert [row[2:4] for row in log.execute(ALL_COVERAGE)] == [(0, 8), (8, 16)]


def test_the_history_of_an_alarm_is_found_by_its_index(log):
    (plan,) = log.execute("EXPLAIN QUERY PLAN SELECT * FROM alarms WHERE id = 'x'")
    assert "alarms_by_id" in plan[-1]
