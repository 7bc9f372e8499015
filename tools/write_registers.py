"""Write what is made from the definitions for PLCs: documents and constants; decides nothing.

python tools/write_registers.py [--folder deploy/plc] [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from streamer.gateways import modbus_document, opc_ua_document

FOLDER = Path(__file__).parents[1] / "deploy" / "plc"


def written(folder: Path) -> dict[Path, str]:
    """Each file with what must stand in it."""
    return {
        folder / "registers.md": modbus_document.document(),
        folder / "registers.st": modbus_document.constants(),
        folder / "opc_ua.md": opc_ua_document.document(),
    }


def stale(folder: Path) -> list[Path]:
    """Files that say something else than the definitions, or are missing."""
    texts = written(folder)
    return [p for p, text in texts.items() if not p.exists() or p.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write, or with --check say what would change; 1 if something would."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    changed = stale(options.folder)
    for path in changed:
        print(f"{path} {'must be written anew' if options.check else 'written'}")
        if not options.check:
            path.write_text(written(options.folder)[path], "utf-8")
    return int(bool(changed) and options.check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
