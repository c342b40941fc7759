"""Helper modules of these tests are importable by name, here and in the worker processes that are started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
