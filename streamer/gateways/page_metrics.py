"""How the line stands as Prometheus metrics in base units; knows no HTTP."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from streamer.line_status import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from streamer.gateways.page_board import Shown
    from streamer.line_status import LineStatus, StageView

MS_PER_S = 1000.0
MM_PER_M = 1000.0
S_PER_MIN = 60.0
PIXELS = "_px"
_STAGE = ("stage", "process")


def line_registry(
    shown: Callable[[], Shown], own: Callable[[], Iterable[Metric]]
) -> CollectorRegistry:
    """A registry of its own with the line's metrics and those of whoever serves them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LineCollector(shown, own))
    return registry


class LineCollector(Collector):
    """Reads the last view whenever it is asked.

    What is not known now (speed, lag, stages of a silent sink) is left out: a missing series can be
    seen and alerted on, the last value of one cannot. Counts go on standing.
    """

    def __init__(
        self, shown: Callable[[], Shown], own: Callable[[], Iterable[Metric]] = tuple
    ) -> None:
        """Ask `shown` for the line and `own` for what else is to be told."""
        self._shown, self._own = shown, own

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they stand now."""
        shown = self._shown()
        yield from _validity(shown)
        yield from _alarms(shown)
        status = shown.view.status
        if status is not None:
            yield from _counts(status)
        if status is not None and shown.is_fresh:
            yield from _gauges(status)
            yield from _stages(status.stages)
        yield from self._own()


def _validity(shown: Shown) -> Iterator[Metric]:
    yield _gauge("data_valid", "1 while web is being inspected.", float(shown.data_valid))
    yield _gauge("sink_up", "1 while the sink says how the line stands.", float(shown.is_fresh))
    states = {state.value: state is shown.state for state in RunState}
    yield StateSetMetricFamily("linescan_state", "Run state as in OPC 40100-1.", value=states)
    if shown.view.status is not None:
        text = "Since the sink's count of life rose."
        yield _gauge("beat_age_seconds", text, shown.beat_age_s)


def _alarms(shown: Shown) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "linescan_alarms",
        "Alarms that are not normal.",
        labels=("kind", "severity", "condition"),
    )
    counts = Counter((a.kind.value, a.severity.value, a.condition.value) for a in shown.view.alarms)
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    yield family
    messages = CounterMetricFamily(
        "linescan_alarm_messages", "Alarm messages heard of the sink.", labels=("kind",)
    )
    for kind, count in shown.messages:
        messages.add_metric((kind,), count)
    yield messages


def _counts(status: LineStatus) -> Iterator[Metric]:
    yield CounterMetricFamily("linescan_beats", "The sink's count of life.", value=status.beat)
    yield CounterMetricFamily("linescan_defects", "Defects of the roll.", value=status.defects)
    yield _counter(
        "lines",
        "Lines of the roll that were captured and that have verdicts.",
        "result",
        {"captured": status.last_line, "judged": status.judged_line},
    )
    areas = {k.removesuffix(PIXELS): v for k, v in status.figures.items() if k.endswith(PIXELS)}
    yield _counter("pixels", "Area of the roll by what became of it.", "result", areas)
    text = "Length of the roll without a verdict, over the full width, by reason."
    yield _counter("not_inspected_meters", text, "reason", status.not_inspected_m)
    digests = {"config": status.config_digest, "model": status.model_digest}
    yield InfoMetricFamily("linescan_digest", "What the verdicts were made with.", value=digests)


def _gauges(status: LineStatus) -> Iterator[Metric]:
    text = "1 while web passes, or passed just before, that nobody has judged."
    yield _gauge("not_inspected_active", text, float(status.not_inspected_active))
    yield _gauge("position_meters", "Way of the roll so far.", status.position_mm / MM_PER_M)
    speed = status.speed_m_min / S_PER_MIN
    yield _gauge("web_speed_meters_per_second", "Speed of the web.", speed)
    yield _gauge("lag_seconds", "Age of the oldest line without one.", status.lag_ms / MS_PER_S)
    yield _gauge("lag_meters", "The web's way in that time.", status.lag_mm / MM_PER_M)
    text = "From the capture of a line to its verdict, 99th percentile."
    yield _gauge("latency_p99_seconds", text, status.latency_p99_ms / MS_PER_S)
    yield _gauge(
        "latency_p99_meters", "The web's way in that time.", status.latency_p99_mm / MM_PER_M
    )
    if status.actuator_mm:
        way = status.actuator_mm / MM_PER_M
        yield _gauge("actuator_meters", "Way from camera to actuator.", way)
    yield _gauge("alarms_unacknowledged", "Alarms that nobody took.", status.unacknowledged)
    figures = {k: v for k, v in status.figures.items() if not k.endswith(PIXELS)}
    family = GaugeMetricFamily(
        "linescan_figure", "Other figures of the line, by name with unit.", labels=("name",)
    )
    for name, value in figures.items():
        family.add_metric((name,), value)
    yield family


def _stages(stages: Iterable[StageView]) -> Iterator[Metric]:
    ages = _stage_gauge("age_seconds", "Age of the last heartbeat past its announced call.")
    depths = _stage_gauge("queue_depth", "What waits for the stage.")
    lines = _stage_gauge("last_line", "How far the stage has come.")
    figures = _stage_gauge("figure", "What the stage says, by name with unit.", "name")
    infos = InfoMetricFamily("linescan_stage", "State and engine of a stage.", labels=_STAGE)
    for one in stages:
        labels = (one.stage, one.process)
        ages.add_metric(labels, one.age_ms / MS_PER_S)
        depths.add_metric(labels, one.queue_depth)
        lines.add_metric(labels, one.last_line)
        infos.add_metric(labels, {"state": one.state, "backend": one.backend})
        for name, value in one.figures.items():
            figures.add_metric((*labels, name), value)
    yield from (ages, depths, lines, figures, infos)


def _stage_gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"linescan_stage_{name}", text, labels=(*_STAGE, *labels))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"linescan_{name}", text, value=value)


def _counter(name: str, text: str, label: str, values: dict[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"linescan_{name}", text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
