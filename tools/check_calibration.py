"""Does the realised rate of false alarms lie in the stated interval? Known tails and clean webs."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from clean_scores import real_folds, remember, simulated_config, simulated_scores
from running_level import at_level, running_levels
from scipy import stats
from score_fields import TAILS, FieldCase, draw_tiles

from streamer.calibration import CalibrationTarget, calibrate
from streamer.calibration.blocks import block_maxima, finite
from streamer.calibration.tail import TailKind
from streamer.config import Config
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from streamer.calibration import Calibration
    from streamer.message import ScoreArray

KINDS: tuple[TailKind, ...] = get_args(TailKind)
COLUMNS = 14  # blocks across a web of 1024 pixels
# One cell per block of 9 x 9 features of 8 pixels: maxima can be drawn as they are.
DRAWN = CalibrationTarget(WebGeometry(1024, 0.5, 0.5, 60.0), 72, 1, 1.0)
LEVEL_WINDOW = 9  # tiles that the running level is the median of
SEEDS = {600: 100, 4000: 30, 40_000: 6}
SURFACES = (("fabric", 1), ("rail", 2), ("fabric", 3))
WIDTH, PATCH, STRIDE = 256, 9, 8


@dataclass(frozen=True, slots=True)
class Row:
    """How often what came lay in what was stated, over `trials`.

    `inside`, `above`, `below` are shares: of the rate and its interval. `beyond_all` counts rates
    above also what was stated for the case that everything that was cut off is normal web. `ratio`
    is the median of the realised rate over the wanted one, `width` that of the interval's upper end
    over it; `level_ratio` that of the level over the true one.
    """

    part: str
    case: str
    tail: str
    blocks: int
    trials: int
    inside: float
    above: float
    below: float
    beyond_all: float
    ratio: float
    width: float
    level_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One calibration, and the lowest and highest rate per 100 m that what came speaks for."""

    made: Calibration
    lowest: float
    highest: float
    realised: float
    true_level: float | None = None


def synthetic_rows(seeds_share: float) -> Iterator[Row]:
    """Known tails: the true rate of the level, without chance."""
    for blocks, seeds in SEEDS.items():
        count = max(round(seeds * seeds_share), 2)
        cases = [FieldCase(tail, blocks) for tail in TAILS]
        cases += [FieldCase(tail, blocks, smoothing=0.7) for tail in ("exponential", "normal")]
        cases += [
            FieldCase(tail, blocks, defects=defects)
            for tail in ("exponential", "normal", "gpd -0.2", "gpd +0.2")
            for defects in (0.05, 0.1)
        ]
        for case in cases:
            for kind in KINDS:
                target = replace(DRAWN, tail=kind)
                trials = [_synthetic_trial(case, target, seed) for seed in range(count)]
                yield _row("synthetic", _name(case), target, trials)


def _synthetic_trial(case: FieldCase, target: CalibrationTarget, seed: int) -> Trial:
    tiles = draw_tiles(case, COLUMNS, target.chance, np.random.default_rng(seed))
    made = calibrate(tiles, target)
    rate = case.true_chance(made.alarm_level) * target.blocks_per_100m
    return Trial(made, rate, rate, rate, case.true_level(target.chance))


def drift_rows(seeds_share: float) -> Iterator[Row]:
    """A web whose level drifts: the next kilometre at the level learnt, raw and in its units."""
    ways = {"raw": _raw_trial, "in units of the level": _normalised_trial}
    count = max(round(20 * seeds_share), 2)
    for drift, kind, name in product((0.0, 0.05, 0.1), KINDS, ways):
        case = FieldCase("normal", 4000, drift=drift)
        target = replace(DRAWN, false_alarms_per_100m=20.0, tail=kind)
        trials = [ways[name](case, target, seed) for seed in range(count)]
        yield _row("drift", f"drift {drift:.0%}, {name}", target, trials)


def _drifting_web(case: FieldCase, seed: int) -> tuple[list[NDArray[np.float64]], int]:
    """Tiles of 10 times the blocks of the case, and how many are learnt from."""
    longer = replace(case, blocks=10 * case.blocks)
    tiles = draw_tiles(longer, COLUMNS, DRAWN.chance, np.random.default_rng(seed))
    return tiles, len(tiles) // 10


def _raw_trial(case: FieldCase, target: CalibrationTarget, seed: int) -> Trial:
    tiles, learnt = _drifting_web(case, seed)
    made = calibrate(tiles[:learnt], target)
    above = sum(int((tile > made.alarm_level).sum()) for tile in tiles[learnt:])
    return _counted(made, above, sum(tile.size for tile in tiles[learnt:]), target)


def _normalised_trial(case: FieldCase, target: CalibrationTarget, seed: int) -> Trial:
    tiles, learnt = _drifting_web(case, seed)
    levels = running_levels(np.array([float(np.median(tile)) for tile in tiles]), LEVEL_WINDOW)
    units = [tile / level for tile, level in zip(tiles, levels.tolist(), strict=True)]
    made = calibrate(units[:learnt], target)
    raised = [at_level(made, level).alarm_level for level in levels[learnt:].tolist()]
    pairs = zip(tiles[learnt:], raised, strict=True)
    above = sum(int((tile > level).sum()) for tile, level in pairs)
    return _counted(made, above, sum(tile.size for tile in tiles[learnt:]), target)


def real_rows(data: Path) -> Iterator[Row]:
    """Clean images: calibrated on some, counted on the others, at rates that they can show."""
    chosen = Config.model_validate({"backbone": {"threads": 1}})
    folds = [(f.name, f.learnt, f.fresh) for f in real_folds(data, chosen)]
    groups = {"aitex": "aitex/", "magnetic_tile": "magnetic_tile/"}
    for group, prefix in {**groups, "brodatz, skimage": ""}.items():
        mine = [f for f in folds if (f[0].startswith(prefix) if prefix else "/" not in f[0])]
        for kind in KINDS:
            for chance in (1e-2, 1e-3):
                trials = [_fold_trial(fold, kind, chance) for fold in mine]
                fits = [t for t in trials if t.made.rate_interval is not None]
                few = f", {len(trials) - len(fits)} with too few blocks" if fits != trials else ""
                target = _fold_target(mine[0][2], kind, chance)
                yield _row("real", f"{group}, chance {chance:g}{few}", target, fits)


def _fold_target(fresh: Sequence[ScoreArray], kind: TailKind, chance: float) -> CalibrationTarget:
    geometry = WebGeometry(STRIDE * fresh[0].shape[1], 0.5, 0.5, 60.0)
    plain = CalibrationTarget(geometry, STRIDE, PATCH, 1.0, kind)
    return replace(plain, false_alarms_per_100m=chance * plain.blocks_per_100m)


def _fold_trial(
    fold: tuple[str, Sequence[ScoreArray], Sequence[ScoreArray]], kind: TailKind, chance: float
) -> Trial:
    _, learnt, fresh = fold
    target = _fold_target(fresh, kind, chance)
    return _trial(calibrate(learnt, target), _maxima(fresh), target)


def simulated_rows(cache: Path, metres: float) -> Iterator[Row]:
    """Simulated webs without a defect: calibrated on the first metres, counted on the rest."""
    webs = []
    for surface, seed in SURFACES:
        chosen = simulated_config(surface, seed, metres, WIDTH)
        file = cache / f"{surface}-{seed}-{metres:g}m-{WIDTH}.npz"
        webs.append(remember(file, _scores_of(chosen)))
    tile_m = 512 * 0.5 / 1000
    geometry = WebGeometry(WIDTH, 0.5, 0.5, 60.0)
    for learnt_m in (1.5, 10.0, 100.0):
        count = round(learnt_m / tile_m)
        for kind in KINDS:
            for rate in (1.0, 10.0, 100.0):
                target = CalibrationTarget(geometry, STRIDE, PATCH, rate, kind)
                trials = [
                    _trial(calibrate(web[:count], target), _maxima(web[count:]), target)
                    for web in webs
                ]
                name = f"{learnt_m:g} m learnt, {rate:g} per 100 m wanted"
                yield _row("simulated", name, target, trials)


def _scores_of(chosen: Config) -> Callable[[], tuple[ScoreArray, ...]]:
    return lambda: simulated_scores(chosen)


def _maxima(maps: Iterable[ScoreArray]) -> NDArray[np.float64]:
    return np.concatenate([finite(block_maxima(np.asarray(m, np.float64), PATCH)) for m in maps])


def _trial(made: Calibration, maxima: NDArray[np.float64], target: CalibrationTarget) -> Trial:
    return _counted(made, int((maxima > made.alarm_level).sum()), maxima.size, target)


def _counted(made: Calibration, above: int, blocks: int, target: CalibrationTarget) -> Trial:
    """The rates that a count speaks for: exact 95 % limits of a Poisson count (Garwood 1936).

    Blocks that rise together come in clumps: `dependence` of them count as one.
    """
    clumps = above / made.dependence
    low = stats.chi2.ppf(0.025, 2 * clumps) / 2 if above else 0.0
    high = stats.chi2.ppf(0.975, 2 * clumps + 2) / 2
    scale = target.blocks_per_100m / blocks
    joint = scale * made.dependence
    return Trial(made, float(low * joint), float(high * joint), above * scale)


def _row(part: str, case: str, target: CalibrationTarget, trials: Sequence[Trial]) -> Row:
    count = max(len(trials), 1)
    ends = [t.made.rate_interval or (0.0, float("inf")) for t in trials]
    above = [t.lowest > high for t, (_, high) in zip(trials, ends, strict=True)]
    below = [t.highest < low for t, (low, _) in zip(trials, ends, strict=True)]
    beyond = [t.lowest > (t.made.rate_if_normal or float("inf")) for t in trials]
    wanted = target.false_alarms_per_100m
    ratios = [t.made.alarm_level / t.true_level for t in trials if t.true_level]
    return Row(
        part,
        case,
        target.tail,
        round(float(np.median([t.made.blocks for t in trials]))) if trials else 0,
        len(trials),
        1 - (sum(above) + sum(below)) / count if trials else float("nan"),
        sum(above) / count,
        sum(below) / count,
        sum(beyond) / count,
        float(np.median([t.realised for t in trials])) / wanted if trials else float("nan"),
        float(np.median([high for _, high in ends])) / wanted if trials else float("nan"),
        float(np.median(ratios)) if ratios else None,
    )


def _name(case: FieldCase) -> str:
    joined = f", smoothed {case.smoothing:g}" if case.smoothing else ""
    spoilt = f", {case.defects:.0%} defects" if case.defects else ""
    return f"{case.tail}{joined}{spoilt}"


def _line(row: Row) -> str:
    level = f"{row.level_ratio:5.2f}" if row.level_ratio is not None else "    -"
    return (
        f"{row.part:9s} {row.case:44s} {row.tail:11s} {row.blocks:6d} {row.trials:4d} "
        f"{row.inside:6.2f} {row.above:6.2f} {row.below:6.2f} {row.beyond_all:6.2f} "
        f"{row.ratio:8.3g} {row.width:8.3g} {level}"
    )


HEAD = (
    f"{'part':9s} {'case':44s} {'tail':11s} {'blocks':>6s} {'n':>4s} {'inside':>6s} {'above':>6s} "
    f"{'below':>6s} {'beyond':>6s} {'realised':>8s} {'upper':>8s} level\n"
    "(realised rate and upper end of its interval over the wanted rate; level over the true one)"
)


def main() -> None:
    """Print the table, and write it as JSON where --json names a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("synthetic", "drift", "simulated", "real")
    parser.add_argument("--parts", nargs="*", choices=parts, default=parts)
    parser.add_argument("--seeds", type=float, default=1.0, help="Share of the seeds to draw.")
    parser.add_argument("--metres", type=float, default=300.0, help="Length of simulated webs.")
    parser.add_argument("--cache", type=Path, default=Path("build/clean_scores"))
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    data = Path(os.environ.get("LINESCAN_DATA", "../shared/data"))
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "synthetic": lambda: synthetic_rows(chosen.seeds),
        "drift": lambda: drift_rows(chosen.seeds),
        "simulated": lambda: simulated_rows(chosen.cache, chosen.metres),
        "real": lambda: real_rows(data),
    }
    print(HEAD)
    rows = []
    for part in chosen.parts:
        for row in makers[part]():
            rows.append(row)
            print(_line(row), flush=True)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
