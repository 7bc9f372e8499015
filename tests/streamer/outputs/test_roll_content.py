"""A roll folder is read once, and compared with the truth where there is one."""

from dataclasses import replace

import pytest

from streamer.outputs.defect_log import LOG_NAME
from streamer.outputs.roll_content import read_roll
from tests.streamer.outputs.test_report import GEOMETRY, MANIFEST, TRUTH, make_roll


def test_what_the_folder_says_is_there(tmp_path):
    content = read_roll(make_roll(tmp_path))
    assert content.manifest["roll"] == "roll7"
    assert content.geometry == GEOMETRY
    assert (content.form.stride, content.form.columns) == (8, 13)
    assert [d.id for d in content.log.defects] == [2, 1]
    assert content.match is None


def test_planted_defects_are_matched(tmp_path):
    match = read_roll(make_roll(tmp_path, replace(MANIFEST, truth=TRUTH))).match
    assert [truth.id for truth in match.missed] == ["2"]
    assert [truth.id for truth in match.found] == ["1"]


def test_a_log_that_is_none_is_refused(tmp_path):
    make_roll(tmp_path)
    (tmp_path / LOG_NAME).write_bytes(b"no database at all, but long enough to look like one" * 9)
    with pytest.raises(ValueError, match="defect log must be readable"):
        read_roll(tmp_path)
