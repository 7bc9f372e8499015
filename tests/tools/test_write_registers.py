"""What is made from the register map is what lies in deploy/plc, and says what the map says."""

import importlib.util
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "write_registers.py"
SPEC = importlib.util.spec_from_file_location("write_registers", TOOL)
write_registers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(write_registers)


def test_what_lies_in_deploy_is_not_stale():
    assert write_registers.stale(write_registers.FOLDER) == []


def test_it_writes_what_is_missing_and_checks_without_writing(tmp_path, capsys):
    assert write_registers.main(["--folder", str(tmp_path), "--check"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "registers.md must be written anew" in capsys.readouterr().out
    assert write_registers.main(["--folder", str(tmp_path)]) == 0
    assert write_registers.main(["--folder", str(tmp_path), "--check"]) == 0
    (tmp_path / "registers.st").write_text("old")
    assert write_registers.stale(tmp_path) == [tmp_path / "registers.st"]
