"""The roll folder: map, defect log, evidence, manifest and report together; decides nothing."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from streamer.decision import MERGED
from streamer.message import DefectState, Interval
from streamer.outputs.defect_log import CoverageRow, DefectLog, Evidence, Piece, read_log
from streamer.outputs.evidence import EvidenceStore
from streamer.outputs.manifest import Manifest, RollDigests, write_manifest
from streamer.outputs.report import render_report
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_coverage import coverage_of
from streamer.outputs.roll_map_labels import Labelling, write_labels
from streamer.outputs.roll_map_tiff import TIFF_NAME, write_tiff
from streamer.outputs.storage import storage_errors
from streamer.severity import DEFAULT_RULES, SeverityRules, severity_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer.config import Config
    from streamer.message import Alarm, Defect, ScoreMap
    from streamer.ports import RollSummary
    from streamer.repeats import Repeat
    from streamer.web import Strip, WebGeometry

NS_PER_S = 1_000_000_000


class RollFolder:
    """Writes everything that is kept of one roll; see ports.RollRecord."""

    def __init__(
        self,
        folder: Path,
        config: Config,
        geometry: WebGeometry,
        stride: int,
        severity: SeverityRules = DEFAULT_RULES,
    ) -> None:
        """Create the folder and its files; `severity` says how much its defects matter.

        Raises:
            FileExistsError: the folder holds a roll already.
            StorageError: it cannot be written.
        """
        self._folder, self._config, self._geometry = folder, config, geometry
        self._severity = severity
        with storage_errors(folder, "roll folder"):
            folder.mkdir(parents=True, exist_ok=True)
        columns = -(-geometry.columns // stride)
        form = MapFormat(folder.name, columns, stride, geometry.pixel_mm, geometry.line_mm)
        with ExitStack() as opened:
            self._map = RollMap(folder, form)
            opened.callback(self._map.close)
            self._log = DefectLog(folder)
            opened.callback(self._log.close)
            self._evidence = EvidenceStore(folder, geometry)
            opened.pop_all()
        self._digests = RollDigests()
        self._piece: Piece | None = None

    @property
    def backlog(self) -> int:
        """See ports.RollRecord: everything is written at once."""
        return 0

    def add_strip(self, strip: Strip) -> None:
        """See ports.RollRecord."""
        first_row = self._map.rows
        self._map.append(strip.scores, coverage_of(strip))
        self._digests.add_scores(strip)
        self._extend_piece(strip, first_row)
        lines = Interval(strip.first_line, strip.first_line + strip.line_count)
        for part in strip.coverage:
            camera = part.camera or self._config.source.camera
            row = CoverageRow(camera, part.lane, lines, part.columns, part.status, part.detail)
            self._log.add_coverage(row)
            self._digests.add_coverage(row)
        self._log.commit()

    def _extend_piece(self, strip: Strip, first_row: int) -> None:
        if self._piece is None or strip.starts_piece:
            self._piece = Piece(strip.first_line, first_row, strip.line_count)
        else:
            end = strip.first_line + strip.line_count
            known = self._piece
            self._piece = Piece(known.first_line, known.first_row, end - known.first_line)
        self._log.put_piece(self._piece)

    def add_evidence(self, score_map: ScoreMap) -> None:
        """See ports.RollRecord."""
        self._evidence.add(score_map)

    def add_defect(self, defect: Defect) -> None:
        """See ports.RollRecord; the pictures are made when the defect ends."""
        names = None
        if defect.state is DefectState.END and defect.defect_class != MERGED:
            paths = self._evidence.write(defect)
            names = paths and Evidence(*(str(path.relative_to(self._folder)) for path in paths))
        self._log.put_defect(defect, severity_of(defect, self._severity), names)
        self._digests.add_defect(defect)

    def add_repeat(self, repeat: Repeat) -> None:
        """See ports.RollRecord."""
        for number in repeat.defects:
            self._log.put_repeat(number, repeat.id, repeat.period_mm)

    def add_alarm(self, alarm: Alarm) -> None:
        """See ports.RollRecord."""
        self._log.add_alarm(alarm)

    def finish(self, summary: RollSummary, on_step: Callable[[], object] = lambda: None) -> None:
        """See ports.RollRecord; what may take long comes last, so that the rest is safe.

        Raises:
            StorageError: something cannot be written.
        """
        self._map.close()
        self._log.close()
        write_manifest(self._folder, self._manifest(summary))
        render_report(self._folder)
        self._finish_map(on_step)

    def _finish_map(self, on_step: Callable[[], object]) -> None:
        """What can only be drawn when every defect has ended."""
        log = read_log(self._folder)
        grow_level = self._config.decision.grow_ratio
        write_labels(self._folder, Labelling(log.defects, log.pieces, grow_level), on_step)
        if self._config.roll.tiff == "on" and self._map.rows:
            write_tiff(self._folder, self._folder / TIFF_NAME, on_step)

    def _manifest(self, summary: RollSummary) -> Manifest:
        seconds = max((summary.ended_ns - summary.started_ns) / NS_PER_S, 1e-9)
        return Manifest(
            roll=summary.roll,
            outcome=summary.outcome,
            started_ns=summary.started_ns,
            ended_ns=summary.ended_ns,
            geometry=self._geometry,
            lines=summary.last_line,
            coverage=summary.coverage,
            defects=summary.defects,
            latency_p50_ms=summary.latency_p50_s * 1000,
            latency_p99_ms=summary.latency_p99_s * 1000,
            throughput_mpix_s=summary.coverage.captured / seconds / 1e6,
            engine=summary.engine,
            workers=summary.workers,
            capture_starts=summary.capture_starts,
            self_judged_px=summary.self_judged_px,
            is_exact=summary.is_exact,
            model_digest=",".join(summary.model_digests),
            config=self._config.model_dump(mode="json"),
            config_digest=self._config.digest,
            digests=self._digests.as_dict(),
            profile_digests=summary.profile_digests,
            truth=json.loads(summary.truth) if summary.truth else None,
            profile_drift=summary.profile_drift,
            new_articles=summary.new_articles,
            camera_health=summary.camera_health,
        )

    def close(self) -> None:
        """See ports.RollRecord."""
        self._map.close()
        self._log.close()
