"""A ready test file and a list of expected failures for a user's own repository."""

from __future__ import annotations

import re
import time
from pathlib import Path

from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, reference
from lrs.core.files import write_text
from property_tests.examine.claim import Verdict
from property_tests.show.report import prepare
from property_tests.verify import Report

_TEST = '''"""What {solver} promises, checked claim by claim (see `lrs claims`). Written by `lrs write`."""

from pathlib import Path

from property_tests.verify import parametrize_with_claims, read_expected

EXPECTED = read_expected(Path(__file__).with_name("{expected}"))


@parametrize_with_claims({family})
def test_{name}(claim, lrs_check):
    lrs_check(claim, solver="{solver}", expected=EXPECTED{also})
'''

_HEAD = """# Claims that {solver} is known to break, and why that is accepted. A claim that is kept after all makes the test
# fail, so this list cannot go stale. Written {date} from: {sentence}
"""


def paths(solver: str, folder: Path, *, force: bool = False) -> tuple[Path, Path]:
    """The two files for a solver; their folder is made. Refused when one of them exists, unless ``force``.

    Raises
    ------
    InvalidInput
    """
    folder = prepare(folder)
    name = _identifier(solver)
    files = (folder / f"test_{name}_claims.py", folder / f"{name}_expected.toml")
    for file in files:
        if file.exists() and not force:
            raise InvalidInput(f"{file}: exists already; choose another folder or pass --force")
    return files


def _identifier(solver: str) -> str:
    return re.sub(r"\W+", "_", solver).strip("_").lower()


def _text(value: str) -> str:
    """A TOML basic string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in escaped) + '"'


def write(report: Report, files: tuple[Path, Path]) -> None:
    """Write the test file and the expected failures of a probing run."""
    test, expected = files
    name = _identifier(report.solver)
    family = "" if report.family.name == LOW_RANK_SPARSE else f'family="{reference(report.family)}"'
    also = f", {family}" if family else ""
    text = _TEST.format(solver=report.solver, name=name, expected=expected.name, family=family, also=also)
    write_text(test, text)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    blocks = [_HEAD.format(solver=report.solver, date=date, sentence=report.sentence)]
    for r in report.with_verdict(Verdict.REFUTED):
        reason = f"refuted when this file was written ({r.why or 'see lrs verify'}); say here why that is accepted"
        blocks.append(f"[[expected]]\nclaim = {_text(r.claim.name)}\nreason = {_text(reason)}\n")
    write_text(expected, "\n".join(blocks))
