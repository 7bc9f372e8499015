"""The summary that a person reads at the end of a run; knows the roll folder, not the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from streamer.backbones.footprint import find_footprint
from streamer.cli.console import AnswerConsole
from streamer.message import RegionMm
from streamer.outputs.defect_log import read_log
from streamer.outputs.truth import default_tolerance_mm, match_truth, parse_truth
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from streamer.compose.line import RunResult
    from streamer.config import Config
    from streamer.outputs.truth import TruthMatch


def print_summary(result: RunResult, config: Config) -> None:
    """What was inspected, found and missed, how fast, and where the roll folder is."""
    console = AnswerConsole(highlight=False, markup=False)  # a path or fault may look like markup
    if not result.manifest:
        console.print(f"no manifest was written; logs are in {result.roll_folder / 'logs'}")
        return
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(style="bold")
    for name, value in summary_rows(result, config):
        table.add_row(name, value)
    console.print(table)


def summary_rows(result: RunResult, config: Config) -> list[tuple[str, str]]:
    """(name, value) pairs, in the order they are shown."""
    manifest = result.manifest
    totals, coverage = manifest["totals"], manifest["totals"]["coverage"]
    web_m_min = config.web.web_speed_m_min
    latency = manifest["latency_ms"]
    rows = [
        ("outcome", manifest["outcome"]),
        ("inspected", f"{totals['metres']:.2f} m, {coverage['inspected_m2']:.2f} m2"),
        ("masked", _masked(coverage)),
        ("not inspected", _not_inspected(coverage)),
        ("judged by itself", _self_judged(coverage, config)),
        ("new article", _new_articles(manifest)),
        ("defects", str(totals["defects"])),
        *_truth_rows(result, config),
        ("throughput", _throughput(manifest, config)),
        (
            "latency",
            f"p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms = "
            f"{latency['p99'] * web_m_min / 60:.0f} mm of web at {web_m_min:g} m/min",
        ),
        ("engine", manifest["engine"]),
        ("restarts", ", ".join(f"{name} {n}x" for name, n in result.restarts.items())),
        ("report", str(result.roll_folder / "report.html")),
    ]
    return [(name, value) for name, value in rows if value]


def _masked(coverage: dict[str, Any]) -> str:
    """Area without web, or ""; a manifest of before it was measured has none."""
    if not coverage["masked_px"]:
        return ""
    share = 100 * coverage["masked_px"] / coverage["captured_px"]
    return f"{coverage.get('masked_m2', 0.0):.2f} m2, {share:.1f} % of what was captured"


def _not_inspected(coverage: dict[str, Any]) -> str:
    reasons = ", ".join(
        f"{reason} {area} px" for reason, area in coverage["not_inspected_px"].items()
    )
    exact = "" if coverage["is_exact"] else "; COVERAGE DOES NOT ADD UP"
    return f"{coverage['not_inspected_percent']:.3f} %{f' ({reasons})' if reasons else ''}{exact}"


def _new_articles(manifest: dict[str, Any]) -> str:
    """Where the web began to look different for good; "" if it did not."""
    mm = manifest["web"]["line_mm"]
    found = {
        f"lane {lane} from {line * mm / 1000:.2f} m"
        for lane, lines in manifest.get("new_articles", {}).items()
        for line in lines
    }
    return ", ".join(sorted(found))


def _self_judged(coverage: dict[str, Any], config: Config) -> str:
    """What was inspected without the lane's profile; "" where none is meant to be made."""
    if config.profile.mode == "per_tile" or not coverage["self_judged_px"]:
        return ""
    return f"{coverage['self_judged_m2']:.2f} m2, before the profile was made"


def _throughput(manifest: dict[str, Any], config: Config) -> str:
    """Mpix/s from the first to the last verdict, and the web speed that it would follow."""
    rate = manifest["throughput_mpix_s"]
    columns = manifest["web"]["columns"]
    metres_per_min = rate * 1e6 / columns * config.web.down_mm / 1000 * 60
    return f"{rate:.2f} Mpix/s = {metres_per_min:.1f} m/min of this web"


def _truth_rows(result: RunResult, config: Config) -> list[tuple[str, str]]:
    match = match_manifest(result, config)
    if match is None:
        return []
    kinds = ", ".join(f"{kind} {found}/{all_}" for kind, (found, all_) in match.by_kind().items())
    return [
        ("planted found", f"{len(match.found)} of {len(match.truths)} ({kinds})"),
        ("planted missed", ", ".join(_place(t) for t in match.missed) or "none"),
        ("false alarms", str(len(match.false_alarms))),
    ]


def _place(truth: Any) -> str:
    region: RegionMm = truth.region
    return f"{truth.kind} at {region.down_first / 1000:.2f} m"


def match_manifest(result: RunResult, config: Config) -> TruthMatch | None:
    """Detected defects against planted ones; None when the web is not a simulated one."""
    truth, web = result.manifest.get("truth"), result.manifest["web"]
    if truth is None:
        return None
    geometry = WebGeometry(web["columns"], web["pixel_mm"], web["line_mm"], web["speed_m_min"])
    detected = {
        d.id: RegionMm(d.down_first_mm, d.down_end_mm, d.cross_first_mm, d.cross_end_mm)
        for d in read_log(result.roll_folder).defects
    }
    tolerance_mm = default_tolerance_mm(geometry, find_footprint(config.backbone).stride)
    truths = parse_truth(truth, geometry, result.manifest["totals"]["lines"])
    return match_truth(truths, detected, tolerance_mm)
