"""The cost of edges: every web is measured against the budget and a copy."""

import json

import numpy as np
import pytest
from bench_edges import SHARE_GOAL, Cost, RepeatedBlocks, measure, parse_options, run, table


def test_every_web_is_measured(capsys):
    code = run(parse_options(["--columns", "1024", "--lines", "1024", "--rounds", "1", "--json"]))
    costs = [Cost(**row) for row in json.loads(capsys.readouterr().out)]
    assert {cost.case for cost in costs} == {
        *("white margins", "table margins", "black margins", "bright margins", "no margin")
    }
    for cost in costs:
        assert cost.share == pytest.approx(cost.ns_per_pixel * 0.6)
        assert cost.us_per_group == pytest.approx(cost.ns_per_pixel * 1024 * 256 / 1000)
    assert code == int(any(cost.share > SHARE_GOAL for cost in costs))


def test_the_cost_is_positive_and_stands_in_the_table():
    cost = measure("grey", np.full((512, 1024), 128, np.uint8), 1024, 3)
    assert cost.ns_per_pixel > 0
    assert f"| grey | {cost.ns_per_pixel:.4f} |" in table([cost])


def test_blocks_repeat_without_a_copy():
    pixels = np.arange(512 * 8, dtype=np.uint32).astype(np.uint8).reshape(512, 8)
    source = RepeatedBlocks(pixels, 1024)
    blocks = []
    while (block := source.read_into(np.empty((256, 8), np.uint8))) is not None:
        blocks.append(block)
    source.close()
    assert [block.first_line for block in blocks] == [0, 256, 512, 768]
    assert all(np.shares_memory(block.pixels, pixels) for block in blocks)
    np.testing.assert_array_equal(blocks[2].pixels, pixels[:256])
