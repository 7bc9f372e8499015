"""The ends of the hand-over benchmark: a paced web, whole tiles, notes that do not grow."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from transport_ends import (
    BLOCK_LINES,
    IdleScorer,
    Job,
    Notes,
    PacedSource,
    resident_bytes,
    run_capture_end,
    run_worker_end,
)

from streamer.message import Halo, Tile


def test_tiles_with_their_halo_are_square():
    job = Job("sockets", 64, 10, None)
    assert job.grid.tile_lines + 2 * job.grid.halo == 64
    assert len(job.grid.lanes) == 1
    assert job.lines == 10 * job.grid.tile_lines


@pytest.mark.parametrize("side", [32, 64, 256, 1024])
def test_a_block_completes_one_tile_at_most(side):
    job = Job("sockets", side, 10, None)
    assert 1 <= job.block_lines <= BLOCK_LINES
    assert 4 * job.block_lines <= job.grid.tile_lines


def test_the_source_keeps_its_rate_and_ends():
    job = Job("sockets", 64, 40, 1.0)
    started = time.monotonic()
    source = PacedSource(job)
    buffer, lines = np.zeros((job.block_lines, 64), np.uint8), 0
    while (block := source.read_into(buffer)) is not None:
        assert block.first_line == lines
        lines += block.valid_lines
    spent_s = time.monotonic() - started
    assert lines == 40 * 48
    assert spent_s >= lines * 64 / 1e6 * 0.9
    assert len(np.unique(buffer)) > 100
    source.close()


def test_times_are_noted_by_tile_and_those_beyond_are_left_out():
    notes = Notes(Job("sockets", 64, 3, None))
    notes.take(1, 5, 6)
    notes.take(7, 1, 1)
    assert notes.rows.tolist() == [[-1, -1], [5, 6], [-1, -1]]


def test_memory_is_noted_now_and_then():
    notes = Notes(Job("sockets", 64, 100, None, samples=10))
    for tile in range(101):
        notes.take(tile, 5)
    assert notes.rows.shape == (10, 2)
    assert (notes.rows[:, 0] > 1 << 20).all()
    assert abs(resident_bytes() - notes.rows[-1, 0]) < 50 << 20


def test_the_scorer_notes_when_it_has_a_tile_and_when_it_has_read_it():
    notes = Notes(Job("sockets", 64, 2, None))
    pixels = np.zeros((64, 64), np.uint8)
    verdict = IdleScorer(notes).score(
        Tile("r", "c", 0, 1, 48, 48, 0, 64, Halo(8, 8), pixels, 1, "d")
    )
    assert verdict.score_map.scores.shape == (1, 1)
    assert 0 < notes.rows[1, 0] <= notes.rows[1, 1]


@pytest.mark.parametrize("kind", ["sockets", "shared_memory"])
def test_both_ends_meet_and_every_tile_arrives_after_its_cut(kind, tmp_path):
    job, answers = Job(kind, 64, 12, None), []

    class Answer:
        def send(self, notes):
            answers.append(notes)

        def close(self):
            pass

    worker = threading.Thread(target=run_worker_end, args=(job, tmp_path, Answer()))
    worker.start()
    capture = run_capture_end(job, tmp_path)
    worker.join(20)
    (scored,) = answers
    assert (capture.rows[:, 0] > 0).all()
    assert (scored.rows[:, 0] > capture.rows[:, 0]).all()
    assert (scored.rows[:, 1] > scored.rows[:, 0]).all()
    assert capture.outside == 0
    assert min(capture.cpu_s, scored.cpu_s) > 0
