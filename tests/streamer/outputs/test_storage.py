"""Storage: whole files or none, and one form of error."""

import os
import sqlite3

import pytest

from streamer.outputs.storage import StorageError, storage_errors, utc_text, write_atomically


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old", "manifest")
    write_atomically(path, b"new", "manifest")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_the_old_file_stays_when_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old", "manifest")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="manifest must be writable at .*No space left.*MB free"):
        write_atomically(path, b"new", "manifest")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "absent" / "x.json"
    with pytest.raises(StorageError, match=f"report must be writable at {path}, got: No such file"):
        write_atomically(path, b"", "report")


def test_errors_of_sqlite_take_the_same_form(tmp_path):
    text = "defect log must be writable at .*log.sqlite, got: disk I/O error"
    with (
        pytest.raises(StorageError, match=text),
        storage_errors(tmp_path / "log.sqlite", "defect log"),
    ):
        raise sqlite3.OperationalError("disk I/O error")


def test_an_inner_error_is_not_wrapped_again(tmp_path):
    with pytest.raises(StorageError, match="^inner$"), storage_errors(tmp_path / "a", "outer"):
        raise StorageError("inner")


def test_other_errors_pass(tmp_path):
    with pytest.raises(KeyError), storage_errors(tmp_path / "a", "outer"):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456Z"),
        (1_709_164_799_999_999_999, "2024-02-28T23:59:59.999999Z"),
    ],
)
def test_utc_text_is_exact_and_says_z(time_ns, text, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert utc_text(time_ns) == text
