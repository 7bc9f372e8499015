"""What a PLC sees of each fault, and after how long: real processes, the Modbus registers, a table.

    python tools/fail_safe.py [--fault NAME ...] [--repeats 3] [--markdown]

A line inspects a simulated web at the speed of the web; when the PLC has trusted it for a while, a
fault is injected, and taken back if it can be. The PLC polls every 20 ms, and takes a heartbeat
that stands for 500 ms for blindness. Ends with 1 when one fault was seen too late or not at all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
from plc_view import PlcView, Sighting, sight
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from started_line import CAMERA, Line, free_port, started_line

from streamer.gateways.modbus_registers import WORD_COUNT, decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEED = {"web.web_speed_m_min": 20.0}
LIMIT_S = 1.0
STEADY_S = 2.0  # trusted for so long before a fault
START_S = 120.0
WATCH_S = 3.0  # for signs of a fault
RECOVERY_S = 60.0


@dataclass(frozen=True)
class Fault:
    """One row of the table; `inject` returns what takes it back, None: it is not taken back."""

    name: str
    inject: Callable[[Line], Callable[[], object] | None]
    recovers: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


def kill(name: str) -> Callable[[Line], None]:
    """Kill -9 of a stage."""
    return lambda line: line.child(name).kill()


def stop(name: str, *, goes_on: bool = True) -> Callable[[Line], Callable[[], object] | None]:
    """SIGSTOP of a stage; SIGCONT takes it back unless its parent must see to it."""

    def inject(line: Line) -> Callable[[], object] | None:
        process = line.child(name)
        process.suspend()
        return process.resume if goes_on else None

    return inject


def spoil_scorer(fault: str) -> Callable[[Line], None]:
    """The scorer fails within its next tile."""
    return lambda line: _write_at_once(line.folder / "scorer_fault", fault)


def stop_camera(line: Line) -> Callable[[], object]:
    """The camera hangs, and goes on."""
    for camera in line.cameras:
        camera.suspend()
    return lambda: list(map(psutil.Process.resume, line.cameras))


def fill_disk(line: Line) -> None:
    """The sink may write nothing more, as on a full disk."""
    line.child("sink").rlimit(psutil.RLIMIT_FSIZE, (1, 1))


FAULTS = (
    Fault("kill -9 of the score worker", kill("score-0")),
    Fault("SIGSTOP of the score worker", stop("score-0", goes_on=False)),
    Fault("scorer hangs in a call", spoil_scorer("hang")),
    Fault("kill -9 of capture", kill("capture")),
    Fault("SIGSTOP of capture", stop("capture", goes_on=False)),
    Fault("camera hangs", stop_camera, settings=CAMERA),
    Fault("kill -9 of the sink", kill("sink"), recovers=False),
    Fault("SIGSTOP of the sink", stop("sink")),
    Fault("disk full", fill_disk, recovers=False),
    Fault("kill -9 of the parent", lambda line: line.process.kill(), recovers=False),
    Fault("kill -9 of the Modbus gateway", kill("gateway-modbus")),
    Fault("SIGSTOP of the Modbus gateway", stop("gateway-modbus", goes_on=False)),
)


@dataclass(frozen=True)
class Outcome:
    """What was seen of one fault.

    `recovered_s` counts from when it was taken back, or from the fault itself if it was not.
    """

    sighting: Sighting
    recovered_s: float | None


def main() -> int:
    """Try every fault, print the table; 1 when the PLC was told of one too late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_KeepsLines)
    parser.add_argument("--fault", action="append", help="part of a name; all when not given")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", action="store_true", help="the table for a document")
    given = parser.parse_args()
    chosen = [f for f in FAULTS if not given.fault or any(part in f.name for part in given.fault)]
    rows, late = [], []
    for fault in chosen:
        outcomes = [try_fault(fault) for _ in range(given.repeats)]
        rows.append((fault.name, *_cells(outcomes, fault)))
        late += [fault.name for outcome in outcomes if not _in_time(outcome)]
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    _print_table(rows, "| " if given.markdown else "")
    for name in late:
        print(f"too late: {name}", file=sys.stderr)
    return 1 if late else 0


def try_fault(fault: Fault) -> Outcome:
    """Start a line, inject the fault when the PLC trusts it, and watch.

    Raises:
        TimeoutError: the line never inspected, or did not again though it should.
    """
    port = free_port()
    gateway = {"gateways.modbus.mode": "on", "gateways.modbus.port": port}
    with ExitStack() as opened:
        line = opened.enter_context(started_line(SPEED | gateway | fault.settings))
        view = PlcView(lambda: read_registers(port))
        opened.callback(view.close)
        view.wait_trusted(STEADY_S, START_S)
        since_s = time.monotonic()
        undo = fault.inject(line)
        time.sleep(WATCH_S)
        sighting = sight(view.glimpses, since_s)
        if undo is not None:
            since_s = time.monotonic()
            undo()
        if not fault.recovers:
            return Outcome(sighting, None)
        trusted_s = view.wait_trusted(STEADY_S / 2, RECOVERY_S)
        return Outcome(sighting, max(trusted_s - since_s, 0.0))


def read_registers(port: int) -> dict[str, int] | None:
    """All registers in one request over a connection of its own; None when nobody answers."""
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=0.1, retries=0)
    try:
        if not client.connect():  # type: ignore[no-untyped-call]
            return None
        answer = client.read_holding_registers(0, count=WORD_COUNT)
        return None if answer.isError() else decode(answer.registers)
    except (ModbusException, OSError):
        return None
    finally:
        client.close()  # type: ignore[no-untyped-call]


def _write_at_once(file: Path, text: str) -> None:
    whole = file.with_suffix(".new")
    whole.write_text(text)
    whole.rename(file)


def _in_time(outcome: Outcome) -> bool:
    blind_s = outcome.sighting.blind_s
    return blind_s is not None and blind_s <= LIMIT_S


def _cells(outcomes: list[Outcome], fault: Fault) -> tuple[str, ...]:
    seen = [outcome.sighting for outcome in outcomes]
    return (
        _times([s.data_invalid_s for s in seen]),
        _times([s.not_inspected_s for s in seen]),
        _times([s.heartbeat_stands_s for s in seen]),
        _times([s.no_answer_s for s in seen]),
        _times([s.blind_s for s in seen]),
        _times([o.recovered_s for o in outcomes]) if fault.recovers else "the roll has ended",
    )


def _times(seconds: list[float | None]) -> str:
    """Median and worst in milliseconds; "-" where it was never seen."""
    known = [value for value in seconds if value is not None]
    if not known:
        return "-"
    worst = "never" if len(known) < len(seconds) else f"{1000 * max(known):.0f}"
    return f"{1000 * statistics.median(known):.0f} ({worst})"


def _print_table(rows: list[tuple[str, ...]], edge: str) -> None:
    head = ("fault", "data invalid", "not inspected", "heartbeat stands", "no answer", "blind",
            "trusted again")  # fmt: skip
    if edge:
        rows = [tuple("---" for _ in head), *rows]
    for row in (head, *rows):
        print(edge + " | ".join(row) + edge.strip().rjust(len(edge)))


class _KeepsLines(argparse.RawDescriptionHelpFormatter):
    """The description as it is written."""


if __name__ == "__main__":
    sys.exit(main())
