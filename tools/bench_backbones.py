"""Measures backbone and kernel of a worker for many configurations, interleaved.

Speeds are Mpix of web per second: what the halo of a tile costs is in them. The time of a
configuration is the best of its rounds; a round runs every configuration once, so that a busy
machine is as busy for all of them. `--clock cpu` counts the CPU time of all threads, divided by
their number: what others take from the machine is not in it, nor what threads wait for each other.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backbone_candidates import Candidate, candidates
from batched_tiles import BATCH, batch_ratio

from streamer import config
from streamer.backbones import open_backbone
from streamer.backbones.faults import ProviderError
from streamer.compose.calibration_web import simulated_webs
from streamer.compose.geometry import tile_grid
from streamer.scoring import open_scorer
from streamer.scoring.fca import use_threads
from streamer.scoring.features import Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import learn_reference
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from streamer.message import PixelArray
    from streamer.ports import Backbone
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.method import Method

DEFAULT = "balanced"
COLUMNS, LINES = 1024, 512


@dataclass(slots=True)
class Figures:
    """Best seconds of one tile on so many threads, by the chosen clock."""

    threads: int
    megapixels: float
    engine: str = ""
    channels: int = 0
    backbone_s: float = float("inf")
    kernel_s: float = float("inf")

    @property
    def mpix_s(self) -> float:
        """Mpix of web per second, backbone and kernel one after the other."""
        return self.megapixels / (self.backbone_s + self.kernel_s)


@dataclass(slots=True)
class Runner:
    """A configuration that is open, with its tile and what it takes for normal."""

    backbone: Backbone
    method: Method
    pixels: PixelArray
    scale: ChannelScale
    reference: torch.Tensor
    figures: Figures
    clock: str

    def now_s(self) -> float:
        """Seconds of the wall, or of CPU per thread."""
        if self.clock == "cpu":
            return time.process_time() / self.figures.threads
        return time.perf_counter()

    def run_once(self) -> None:
        """Embed and score the tile; keep the best times."""
        use_threads(self.figures.threads)
        started = self.now_s()
        features = self.backbone.embed(self.pixels)
        embedded = self.now_s()
        self.method.score(self.method.quantise(features, self.scale), self.reference)
        ended = self.now_s()
        figures = self.figures
        figures.backbone_s = min(figures.backbone_s, embedded - started)
        figures.kernel_s = min(figures.kernel_s, ended - embedded)


def open_runner(candidate: Candidate, threads: int, clock: str) -> Runner:
    """The candidate on a tile of the simulated fabric, its halo included.

    Raises:
        ProviderError: it does not run here.
    """
    settings = candidate.settings(threads)
    backbone = open_backbone(settings.backbone, simulated_webs)
    halo = tile_grid(settings, COLUMNS).halo
    pixels = _web(LINES + 2 * halo)
    method = open_scorer(settings.scoring)
    features = embed_web(backbone, pixels, Edges())
    scale = fixed_scale(backbone.spec) or learn_scale([features])
    reference = learn_reference([method.quantise(features, scale)], method)
    spec = backbone.spec
    figures = Figures(threads, LINES * COLUMNS / 1e6, spec.engine, spec.channels)
    return Runner(backbone, method, pixels, scale, reference, figures, clock)


def _web(lines: int) -> PixelArray:
    source = open_source(config.SimulatorSource(columns=COLUMNS, block_lines=lines), config.Web())
    with closing(source):
        buffer = new_buffer(source.format, lines)
        source.read_into(buffer)
    return buffer


def measure(
    chosen: Sequence[Candidate], threads: int, rounds: int, clock: str = "wall"
) -> dict[str, Figures | str]:
    """Figures by name, or why there are none."""
    found: dict[str, Figures | str] = {}
    runners: list[Runner] = []
    for candidate in chosen:
        try:
            runners.append(open_runner(candidate, threads, clock))
            found[candidate.name] = runners[-1].figures
        except (ProviderError, OSError) as error:
            found[candidate.name] = str(error)
    for number in range(rounds):
        print(f"{threads} threads, round {number + 1} of {rounds}", file=sys.stderr)
        for runner in runners:
            runner.run_once()
    for runner in runners:
        runner.backbone.close()
    return found


def table(results: dict[int, dict[str, Figures | str]], accuracy: dict[str, float]) -> list[str]:
    """Markdown rows: speeds, their ratio to the default of the same run, accuracy where known."""
    head = "| configuration | channels | " + " | ".join(
        f"backbone / kernel ms, {threads} thr. | Mpix/s | ratio" for threads in results
    )
    rows = [f"{head} | AUROC |", "|" + "---|" * (3 * len(results) + 3)]
    for name in next(iter(results.values())):
        cells = [_cells(figures, name) for figures in results.values()]
        first = next(iter(results.values()))[name]
        channels = str(first.channels) if isinstance(first, Figures) else "-"
        shown = f"{accuracy[name]:.4f}" if name in accuracy else ""
        rows.append(f"| {name} | {channels} | {' | '.join(cells)} | {shown} |")
    return rows


def _cells(results: dict[str, Figures | str], name: str) -> str:
    found, default = results[name], results.get(DEFAULT)
    if not isinstance(found, Figures):
        return "does not run | - | -"
    ratio = f"{found.mpix_s / default.mpix_s:.2f}x" if isinstance(default, Figures) else "-"
    times = f"{1e3 * found.backbone_s:.1f} / {1e3 * found.kernel_s:.1f}"
    return f"{times} | {found.mpix_s:.1f} | {ratio}"


def document(
    results: dict[int, dict[str, Figures | str]], batches: dict[str, float]
) -> dict[str, object]:
    """Everything measured, for machines."""
    rows = [
        {"configuration": name, "reason": found}
        if isinstance(found, str)
        else {"configuration": name, **asdict(found), "mpix_s": found.mpix_s}
        for figures in results.values()
        for name, found in figures.items()
    ]
    return {"columns": COLUMNS, "lines": LINES, "rows": rows, f"batch_of_{BATCH}": batches}


def _batches(rounds: int) -> dict[str, float]:
    found = {}
    for engine, precision in (("onnxruntime", "fp32"), ("openvino", "bf16"), ("openvino", "int8")):
        keys = {"engine": engine, "precision": precision, "threads": 1}
        name = f"{engine} {precision}"
        found[name] = batch_ratio(config.Backbone.model_validate(keys), rounds)
        print(f"{BATCH} tiles at once, {name}: {found[name]:.2f}x the time per tile")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--only", nargs="*", help="names that contain one of these, and balanced")
    parser.add_argument("--onnx", type=Path, help="a ResNet-50 v2 up to stride 8")
    parser.add_argument("--accuracy", type=Path, help='JSON {"configuration": AUROC}')
    parser.add_argument("--batches", action="store_true", help=f"also {BATCH} tiles at once")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds must be >= 1, got {options.rounds}")
    chosen = [
        one
        for one in candidates(options.onnx)
        if not options.only or one.name == DEFAULT or any(part in one.name for part in options.only)
    ]
    results = {
        count: measure(chosen, count, options.rounds, options.clock) for count in options.threads
    }
    accuracy = json.loads(options.accuracy.read_text()) if options.accuracy else {}
    print("\n".join(table(results, accuracy)))
    batches = _batches(options.rounds) if options.batches else {}
    if options.json:
        options.json.write_text(json.dumps(document(results, batches), indent=2) + "\n")


if __name__ == "__main__":
    main()
