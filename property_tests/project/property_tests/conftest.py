"""Helper modules of these tests, the toy family among them, are importable by name, here and in the worker processes that are started."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "toy")]
