"""The alarm book as configured: where it is kept, what an earlier sink left, who may use it."""

import pytest

from streamer.alarm_book.state import BookSettings
from streamer.compose.alarm_books import book_settings, open_alarm_book
from streamer.config import Config
from streamer.message import AlarmCondition, DefectState, Severity
from streamer.outputs.storage import StorageError
from tests.streamer.alarm_book.steps import NEW, alarm


@pytest.fixture
def config(tmp_path):
    return Config.model_validate({"roll": {"folder": tmp_path}, "alarms": {"latch": "off"}})


def keep(memory, book, messages):
    for message in messages:
        memory.publish(message)
    memory.commit(book.state)


def test_the_book_lies_in_the_folder_of_rolls_unless_a_file_is_given(config, tmp_path):
    _, memory, _ = open_alarm_book(config, 1)
    memory.close()
    assert (tmp_path / "alarms.sqlite").is_file()
    other = {"alarms": {"store": tmp_path / "other" / "a.sqlite"}}
    _, memory, _ = open_alarm_book(Config.model_validate(other), 1)
    memory.close()
    assert (tmp_path / "other" / "a.sqlite").is_file()


def test_what_a_dead_sink_left_active_ends_and_numbers_go_on(config):
    book, memory, first = open_alarm_book(config, 1)
    assert first == ()
    keep(memory, book, book.take(alarm(1, NEW), 5))
    memory.close()
    book, memory, first = open_alarm_book(config, 10)
    memory.close()
    (ended,) = first
    assert (ended.id, ended.sequence) == (alarm(1).id, 2)
    assert (ended.state, ended.condition) == (DefectState.END, AlarmCondition.NORMAL)
    assert book.sequence == 2


def test_a_second_line_is_told_to_use_a_file_of_its_own(config):
    _, memory, _ = open_alarm_book(config, 1)
    with pytest.raises(StorageError, match="set alarms.store to a file of its own"):
        open_alarm_book(config, 1)
    memory.close()


def test_settings_are_those_of_the_configuration():
    assert book_settings(Config()) == BookSettings(latch=Severity.HIGH)
    off = {"alarms": {"latch": "off"}}
    assert book_settings(Config.model_validate(off)) == BookSettings()
    told = {"alarms": {"latch": "medium", "debounce_ms": 300, "flood_per_10min": 10}}
    wanted = BookSettings(Severity.MEDIUM, 300, 10)
    assert book_settings(Config.model_validate(told)) == wanted
