"""The end of a roll as an exit code: loss, breakage, and what is in order."""

import pytest

from streamer.compose.outcome import RollEnd


@pytest.mark.parametrize(
    ("end", "limit", "code"),
    [
        (RollEnd("complete", 100, 0.0, True), 0, 0),
        (RollEnd("stopped on request", 100, 0.0, True), 0, 0),
        (RollEnd("stopped before the first line", 0, 100.0, True), 0, 0),
        (RollEnd("cam1: stopped on request", 100, 0.0, True), 0, 0),
        (RollEnd("cam1: OSError: camera gone", 100, 0.0, True), 0, 1),
        (RollEnd("complete", 100, 0.1, True), 0, 5),
        (RollEnd("complete", 100, 0.1, True), 0.1, 0),
        # Stopping a line that sees nothing does not make its roll a good one.
        (RollEnd("stopped on request", 100, 100.0, True), 0, 5),
        (RollEnd("capture did not end the roll", 100, 0.0, True), 0, 1),
        (RollEnd("OSError: camera gone", 100, 0.0, True), 0, 1),
        (RollEnd("complete", 100, 0.0, False), 0, 1),
        (RollEnd("complete", 100, 50.0, False), 0, 1),
    ],
)
def test_exit_code(end, limit, code):
    assert end.exit_code(limit) == code


def test_a_manifest_reads_as_its_roll_ended():
    coverage = {"captured_px": 7, "not_inspected_percent": 2.5, "is_exact": True}
    manifest = {"outcome": "complete", "totals": {"coverage": coverage}}
    assert RollEnd.of_manifest(manifest) == RollEnd("complete", 7, 2.5, True)
