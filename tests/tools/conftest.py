"""The tools are scripts beside the package: their folder goes on the path, as when they run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
