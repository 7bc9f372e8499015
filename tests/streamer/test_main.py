"""The process entry: its exit code, and that nothing replaces it at the last moment."""

import os
import signal
import subprocess
import sys

import pytest

from streamer import __main__ as entry
from streamer import cli


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_exit_code_is_that_of_the_command_and_stays_it(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["linescan", "schema", "alarm"])
    seen = []
    monkeypatch.setattr(cli, "run_command", lambda arguments: seen.append(arguments) or 5)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert (ended.value.code, seen) == (5, [["schema", "alarm"]])
    os.kill(os.getpid(), signal.SIGTERM)  # too late to matter
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_while_modules_load_leaves_no_traceback():
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'streamer.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from streamer.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "")


def test_an_interrupt_that_comes_while_modules_load_waits_for_them():
    """Libraries turn it into faults of their own where it ends their import."""
    code = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'streamer.cli':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        if name == 'pydantic':\n"
        "            print('pydantic is loaded after it', flush=True)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from streamer.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "")
    assert ran.stdout == "pydantic is loaded after it\n"


def test_an_interrupt_of_compiled_text_is_no_death_from_the_signal(tmp_path):
    """Python takes note of one that ends text it runs, and would let it replace the exit code."""
    (tmp_path / "interrupted_line.py").write_text(
        "import contextlib\n"
        "from streamer import __main__ as entry, cli\n"
        "def run_command(arguments):\n"
        "    with contextlib.suppress(KeyboardInterrupt):\n"
        "        exec('import signal; signal.raise_signal(signal.SIGINT)')\n"
        "    print('cleaned up')\n"
        "    return 130\n"
        "cli.run_command = run_command\n"
        "entry.main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "interrupted_line"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "cleaned up\n", "")


def test_libraries_are_told_to_stay_silent_before_any_of_them_loads():
    code = (
        "import os, sys\n"
        "import streamer\n"
        "assert not {'cv2', 'onnxruntime'} & set(sys.modules)\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['OPENCV_LOG_LEVEL'])\n"
    )
    known = {"ORT_DISABLE_TELEMETRY", "OPENCV_LOG_LEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in known}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout == "1 SILENT\n"
