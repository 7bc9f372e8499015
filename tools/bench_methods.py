"""Measures every scoring method on one map: what learning and scoring cost beside fca_fast."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import torch

from streamer import config
from streamer.scoring import open_scorer
from streamer.scoring.features import ChannelScale

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from streamer.scoring.method import Method

BASE = "fca_fast"
ZEROS = 0.7  # share of exact zeros in rectified features of real images
SMALLEST_SIDE = 9


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one thread for one map: the best of some repeats."""

    name: str
    reach: int
    learn_s: float
    score_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--side", type=int, default=128, help="features; 128: a megapixel of web")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--methods", nargs="*", default=[], help="[default: all]")
    given = parser.parse_args()
    for name, least in (("channels", 1), ("side", SMALLEST_SIDE), ("repeats", 1)):
        value = getattr(given, name)
        if value < least:
            parser.error(f"--{name} must be >= {least}, got {value}")
    known = get_args(config.Method)
    if unknown := sorted(set(given.methods) - set(known)):
        parser.error(f"--methods must be of {', '.join(known)}, got {', '.join(unknown)}")
    torch.set_num_threads(1)
    features = rectified(given.channels, given.side)
    base = measure(BASE, features, given.repeats)
    print(f"CPU s of one thread, {tuple(features.shape)}, best of {given.repeats}\n")
    print("| method | reach | learn | score | score / fca_fast |\n|---|---|---|---|---|")
    for name in known:
        if name in given.methods or not given.methods:
            print(row(base if name == BASE else measure(name, features, given.repeats), base))


def rectified(channels: int, side: int) -> Tensor:
    """Random features (channels, side, side) in 0..1 with as many zeros as real ones have."""
    uniform = torch.rand((channels, side, side), generator=torch.Generator().manual_seed(0))
    return (uniform - ZEROS).relu_().div_(1 - ZEROS)


def measure(name: str, features: Tensor, repeats: int) -> Cost:
    method = open_scorer(config.Scoring.model_validate({"method": name}))
    quantised, reference = prepared(method, features)
    learn_s = best_of(repeats, lambda: method.reference([quantised]))
    score_s = best_of(repeats, lambda: method.score(quantised, reference))
    return Cost(name, method.reach, learn_s, score_s)


def prepared(method: Method, features: Tensor) -> tuple[Tensor, Tensor]:
    """Quantised features and what is learnt of them: the first call pays for loading."""
    channels = len(features)
    scale = ChannelScale(torch.zeros(channels), torch.ones(channels))
    quantised = method.quantise(features, scale)
    return quantised, method.reference([quantised])


def best_of(repeats: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return min(seconds)


def row(cost: Cost, base: Cost) -> str:
    ratio = f"{cost.score_s / base.score_s:.1f}x"
    return f"| {cost.name} | {cost.reach} | {cost.learn_s:.3f} | {cost.score_s:.3f} | {ratio} |"


if __name__ == "__main__":
    main()
