"""The tables of the defect log and their statements, in SQLite; knows no roll."""

from __future__ import annotations

SCHEMA_VERSION = 2  # 2: raw and overlay pictures, repeats

TABLES = """
CREATE TABLE defects (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, severity TEXT NOT NULL, class TEXT NOT NULL,
    down_first_mm REAL NOT NULL, down_end_mm REAL NOT NULL,
    cross_first_mm REAL NOT NULL, cross_end_mm REAL NOT NULL,
    area_mm2 REAL NOT NULL, peak REAL NOT NULL, mean REAL NOT NULL,
    first_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    captured_ns INTEGER NOT NULL, captured_utc TEXT NOT NULL,
    evidence_raw TEXT, evidence_overlay TEXT,
    repeat_id INTEGER, repeat_period_mm REAL) STRICT;
CREATE TABLE alarms (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    severity TEXT NOT NULL, camera TEXT NOT NULL,
    down_first_mm REAL NOT NULL, down_end_mm REAL NOT NULL,
    cross_first_mm REAL NOT NULL, cross_end_mm REAL NOT NULL,
    peak REAL NOT NULL, raised_ns INTEGER NOT NULL, raised_utc TEXT NOT NULL,
    captured_ns INTEGER NOT NULL, signal TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX alarms_by_id ON alarms (id, sequence);
CREATE TABLE coverage (
    number INTEGER PRIMARY KEY, camera TEXT NOT NULL, lane INTEGER NOT NULL,
    first_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    first_column INTEGER NOT NULL, end_column INTEGER NOT NULL,
    status TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE pieces (
    first_line INTEGER PRIMARY KEY, first_row INTEGER NOT NULL, line_count INTEGER NOT NULL) STRICT;
"""

_CHANGED = (
    *("state", "severity", "class"),
    *("down_first_mm", "down_end_mm", "cross_first_mm", "cross_end_mm"),
    *("area_mm2", "peak", "mean", "first_line", "end_line", "captured_ns", "captured_utc"),
)
PUT_DEFECT = f"""
INSERT INTO defects (id, {", ".join(_CHANGED)}, evidence_raw, evidence_overlay)
VALUES ({", ".join("?" * (len(_CHANGED) + 3))})
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGED)},
    evidence_raw = coalesce(excluded.evidence_raw, evidence_raw),
    evidence_overlay = coalesce(excluded.evidence_overlay, evidence_overlay)
"""

ALL_DEFECTS = """
SELECT id, state, severity, class, down_first_mm, down_end_mm, cross_first_mm, cross_end_mm,
    area_mm2, peak, mean, first_line, end_line, captured_utc,
    evidence_raw, evidence_overlay, repeat_id, repeat_period_mm
FROM defects WHERE class != 'merged' ORDER BY first_line, cross_first_mm, id
"""
ALL_COVERAGE = """
SELECT camera, lane, first_line, end_line, first_column, end_column, status, detail
FROM coverage ORDER BY first_line, lane, first_column, number
"""
