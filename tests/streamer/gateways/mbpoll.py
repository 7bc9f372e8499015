"""Reads and writes registers with mbpoll, a Modbus client of another implementation (libmodbus)."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import pytest

from streamer.gateways.modbus_registers import BY_NAME, WORD_COUNT, decode

TIMEOUT_S = 10.0
ROW = re.compile(r"^\[(\d+)\]:\s+(-?\d+)", re.MULTILINE)


class RefusedError(Exception):
    """What mbpoll said of an exception of the server."""


def program():
    """Where mbpoll is; without it a skip, but a failure in CI."""
    found = shutil.which("mbpoll")
    if found is None:
        reason = "mbpoll must be installed to test the Modbus gateway with a foreign client"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return found


@dataclass
class Mbpoll:
    """One run of the program per request; addresses count from 0."""

    port: int
    unit: int = 1

    def words(self, address=0, count=WORD_COUNT, table=4):
        """Words of the holding (4) or input (3) registers."""
        said = self._run(f"-t{table}", f"-r{address}", f"-c{count}")
        rows = {int(at): int(value) % 65536 for at, value in ROW.findall(said)}
        return [rows[at] for at in range(address, address + count)]

    def values(self):
        """Values of the whole map by name, of one request."""
        return decode(self.words())

    def write(self, address, *words):
        """Write words; of one it makes function 6, of several function 16."""
        self._run("-t4", f"-r{address}", values=words)

    def acknowledge(self, number):
        """Write ack_seq as a PLC does: both words in one request."""
        self.write(BY_NAME["ack_seq"].address, number >> 16, number & 0xFFFF)

    def _run(self, *options, values=()):
        place = ("-mtcp", f"-p{self.port}", f"-a{self.unit}", "-0", "-1", "-q", "127.0.0.1")
        command = [program(), *options, *place, *map(str, values)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode or "failed" in done.stderr:
            raise RefusedError(done.stderr.strip() or done.stdout.strip())
        return done.stdout


def until(holds, patience_s=10.0):
    """Wait for something."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
