"""Hostile inputs: whatever is handed to a verb, it ends in a documented exit code with one sentence and loses nothing.

A group of the table is a command with ``{}`` for the name of a file of the zoo, or a list of commands as they are; all of its
inputs share the exit codes that are allowed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from lrs import LRSModel, LRSRegressor, MultiTaskData, Problem, cli, solve
from lrs.core.errors import InvalidInput
from property_tests.examine.ledger import Ledger
from property_tests.project import zoo

pytestmark = pytest.mark.slow

PROGRESS = re.compile(r"\w+: .*\(\d+ s\)")
SECONDS = 600  # by the clock: longer than any of them takes on a busy machine
TABLE = "--task school --target score -r 1 -k 1"
GENERATE = "generate -t 4 -m 5 -d 4 -r 1 -k 1 -o new.npz"
#: What files a group goes through → the commands, and the exit codes that are allowed.
FILES: dict[str, Sequence[tuple[str, Sequence[int]]]] = {
    "archives": [
        ("solve {}", (2,)),
        ("solve {} --family low-rank-sparse", (2,)),
        ("check {}", (2,)),
        ("predict model.npz {}", (2,)),
        ("profile {}", (2,)),
        ("info {}", (0, 2)),  # a table of kinds may be read where the rest is damaged
    ],
    "models": [
        ("predict {} good.npz", (2,)),
        ("adapt {} good.csv --task school --target score", (2,)),
        ("info {}", (0, 2)),
    ],
    "tables": [
        (f"solve {{}} {TABLE} --solver global", (2,)),
        ("predict model.npz {} --task school", (0, 2)),  # a damaged target is not looked at
        ("adapt model.npz {} --task school --target score", (2,)),
        (f"check {{}} {TABLE}", (2,)),
        ("info {}", (0, 2)),
    ],
    "odd": [
        ("info {}", (2,)),
        (f"solve {{}} {TABLE}", (2,)),
        ("predict {} good.npz", (2,)),
        ("predict model.npz {} --task school", (2,)),
        ("adapt model.npz {} --task school --target score", (2,)),
        ("check {}", (2,)),
        ("profile {}", (2,)),
        ("rate {}", (2,)),
        ("sweep --spec {} --out out --workers 0", (2,)),
        ("verify --expected {}", (2,)),
        ("calibrate --reference amht --lock {}", (2,)),
        (
            f"solve good.csv {TABLE} --solver private-amht --epsilon 1 --delta 1e-6 --budget-file b --budget-key {{}}",
            (2,),
        ),
    ],
    "sweeps": [
        (f"{verb} {{}}", (2,))
        for verb in ("sweep status", "boundary", "plot", "scaling", "report", "sweep verify --workers 0")
    ]
    + [("sweep export {} -o out.csv", (2,)), ("replay {} 0 0", (2,)), ("sweep merge {} --out out", (2,))]
    + [("duel global ridge --in {}", (2,)), ("sweep --out {}", (2,))],
    "ledger": [("verify --ledger {} --claims conduct/answers", (2,))],
    "expected": [("verify --expected {} --claims conduct/answers", (2,))],
    "spec": [("sweep --spec {} --out out --workers 0", (2,)), ("sweep --spec {} --out out --dry-run", (2,))],
    "lock": [("calibrate --reference amht --lock {}", (2,)), ("calibrate -o {}", (2,))],
    "budget": [
        (
            f"solve good.csv {TABLE} --solver private-amht --epsilon 1 --delta 1e-6 --budget-key key --budget-file {{}}",
            (2,),
        )
    ],
    "trace": [("rate {}", (1, 2)), ("rate {} --column error", (1, 2))],
}
REFUSED = (
    "sweep status",
    "boundary",
    "report --hash",
    "plot",
    "sweep export -o out.csv",
    "scaling",
    "sweep verify --workers 0",
)


def _values(command: str, options: dict[str, str]) -> list[str]:
    """The command with every value of every option."""
    return [f"{command} {option} {value}" for option, values in options.items() for value in values.split("|")]


NUMBER = "x|nan|''|1e400|-1|99999999999999999999999999"
#: Commands that are refused whatever the files.
COMMANDS: dict[str, list[str]] = {
    "generate": [
        *_values(
            GENERATE,
            {"-t": f"{NUMBER}|0|1.5", "-m": NUMBER, "-d": f"{NUMBER}|0", "-r": f"{NUMBER}|9", "-k": f"{NUMBER}|9"},
        ),
        *_values(GENERATE, {"--noise": "x|nan|-1|1e400|inf", "--kappa": "0|nan|x|1e400", "--coherence": "2|-1|nan"}),
        *_values(
            GENERATE, {"--w-spread": "nan|-1|1e400", "--w-rank": "9|-1|x", "--duplicates": "-1|99|x", "--zeta": "0|-1"}
        ),
        *_values(GENERATE, {"--b-law": "x|''", "--b-scale": "nan|1e400|x", "--x-law": "x", "--ragged": "1|-1|nan"}),
        *_values(GENERATE, {"--seed": "x|-1|1.5|''", "--family": "x|os:system|''|/dev/zero"}),
        *_values(
            "generate -t 4 -m 5 -d 4 -r 1 -k 1", {"-o": "/dev/null|/dev/full|folder.npz|/proc/x|no/x|.|/|..|pipe.npz"}
        ),
        f"generate -t 4 -m 5 -d 4 -r 1 -k 1 -o {'n' * 300}",
        "generate -t 4 -m 5 -d 4 -r 1 -k 1 -o good.npz",
        "generate -t 1000000 -m 1000000 -d 1000 -r 1 -k 1 -o new.npz",
        "generate -t 3 -m 3 -d 1000000000 -r 2 -k 1 -o new.npz",
        "generate",
        "generate --hue 3",
    ],
    "solve": [
        *_values(
            "solve good.npz",
            {"-r": f"{NUMBER}|9|1.5", "-k": f"{NUMBER}|9", "--seed": "x|-1|nan", "--noise": "x|nan|-1|1e400|inf"},
        ),
        *_values("solve good.npz", {"--train": "0|-1|2|nan|x", "--threads": "0|-1|x", "--memory": "x|0|-1GB|''"}),
        *_values(
            "solve good.npz",
            {"--solver": "x|''|:|os:system|os:|nope:x|json:loads|builtins:exit|builtins:print|zoo.py:x"},
        ),
        *_values("solve good.npz", {"-o": "/dev/null|/dev/full|.|/|no/x.npz|good.npz|folder.npz|pipe.npz"}),
        *_values(
            "solve good.npz",
            {"--epsilon": "1", "--clip": "x=1", "--rounds": "3", "--budget-file": "b", "--transcript": "t"},
        ),
        *_values("solve good.npz --solver private-amht --delta 1e-6", {"--epsilon": "0|-1|nan|x", "--rho": "-1|nan"}),
        *_values("solve good.npz --solver private-amht --epsilon 1", {"--delta": "0|1|2|-1|nan|x"}),
        *_values(
            "solve good.npz --solver private-amht --epsilon 1 --delta 1e-6",
            {"--clip": "x|x=|x=nan|x=1,x=1|hue=1", "--rounds": "0|-1|x"},
        ),
        *_values(
            "solve good.npz --solver private-amht --epsilon 1 --delta 1e-6",
            {"--release": "x", "--neighbours": "x|''", "--population": "0|-1"},
        ),
        *_values(
            "solve good.npz --solver private-amht --epsilon 1 --delta 1e-6",
            {"--clip-user": "0|-1|nan", "--start-share": "0|1|nan|-1"},
        ),
        *_values("solve good.csv", {"--task": "x|''|school", "--target": "score"}),
        *_values(
            f"solve good.csv {TABLE}",
            {"--features": "x|school|score|x0,x0|','", "-r": "0.5|99", "-k": "99", "--task": "score"},
        ),
        "solve good.csv",
        "solve good.npz --intercept",
        "solve good.npz --task school",
        "solve model.npz",
        "solve absent.npz",
        "solve absent.csv -r 1 -k 1",
        "solve good.txt",
        "solve ''",
        "solve trace.csv --task error --target error -r 1 -k 1",
        "solve good.npz good.npz",
        f"solve {'n' * 300}.npz",
        "solve",
    ],
    "predict": [
        "predict model.npz good.csv",
        "predict model.npz good.csv --task x",
        "predict model.npz good.csv --task school --target x",
        "predict model.npz good.csv --task x0",
        "predict model.npz small.npz",
        "predict good.npz good.csv --task school",
        "predict good.csv model.npz",
        *_values(
            "predict model.npz good.npz",
            {"-o": "/dev/null|/dev/full|.|no/x.csv|good.csv|pipe.csv|folder.csv", "--task": "x"},
        ),
        "predict model.npz",
        "adapt model.npz good.npz",
        "adapt model.npz good.csv --target score --task school",
        "adapt model.npz good.csv --target x",
        "adapt good.npz good.csv --target score",
        *_values(
            "adapt model.npz good.csv --target score",
            {"-k": f"{NUMBER}|99", "--train": "0|2|nan", "--seed": "-1|x", "-o": "/dev/null|.|good.csv/x"},
        ),
    ],
    "look": [
        "info",
        "info absent.npz",
        "info folder",
        "info good.csv --family low-rank-sparse",
        "info good.npz --family matrix-sensing",
        "info good.npz --family x",
        "info /dev/stdin",
        "info /dev/zero",
        "info /proc/self/mem",
        "info key",
        "solvers --family x",
        "solvers extra",
        "claims --family x",
        "claims nothing/*",
        "claims --theorem x",
        "theorems show",
        "theorems show x",
        "theorems hue",
        "theorems prove --timeout nan",
        "theorems prove --timeout -1",
        "theorems prove -o /dev/null",
        "theorems prove -o x.txt",
        "theorems prove -o no/x.png",
        "hue",
        "--hue",
        "''",
    ],
    "check": [
        *_values(
            "check good.npz",
            {
                "--rank": "x|-1|99",
                "--sparsity": "x|-1|99",
                "--delta": "0|1|nan|x|2",
                "--theorem": "x|''",
                "--family": "x|matrix-sensing",
            },
        ),
        *_values("check good.npz", {"--model": "x|good.npz|folder.npz|pipe.npz|small.npz", "--task": "school"}),
        "check good.csv",
        f"check good.csv {TABLE} --task x",
        "check good.npz --exact",
        "check model.npz",
    ],
    "plan": [
        "plan",
        *_values("plan -d 20 -r 2 -k 2 --measure 0", {"-t": "x|nan|''|1e400|-1|0", "-m": "x|nan|''|1e400|-1|0"}),
        *_values("plan -r 1 -k 1 -t 10 --measure 0", {"-d": "x|nan|''|1e400|-1|0"}),
        *_values("plan -d 20 -r 2 -k 2 -t 10", {"--measure": "-1|x", "--delta": "0|1|nan|x"}),
        *_values(
            "plan -d 20 -r 2 -k 2 -t 10 --measure 0",
            {"-r": "99|-1", "-k": "99|-1", "--epsilon": "0|-1|nan", "--family": "x", "-o": "x.txt|/dev/null|no/x.png"},
        ),
        *_values("plan -d 20 -r 2 -k 2 -t 10 --measure 1", {"--solver": "x|os:system|''"}),
        "plan -d 20 -r 2 -k 2 -t 10 -m 10",
    ],
    "profile": [
        *_values(
            "profile good.npz",
            {"--theorem": "x|amht-formal|''", "--solver": "x", "--x": "x|r|r=|r=x|hue=1|r=-1|r=nan", "--rounds": "0|x"},
        ),
        *_values(
            "profile good.npz",
            {"--delta": "0|1|nan", "--seed": "-1", "--replicates": "0", "-o": "x.txt|/dev/null|no/x.png"},
        ),
        "profile good.csv",
        "profile",
    ],
    "rate": [
        *_values(
            "rate trace.csv",
            {"--column": "x|''", "--rate": "0|1|-1|nan|x", "--constant": "0|-1|nan|x", "--start": "-1|x|24|99999"},
        ),
        *_values(
            "rate trace.csv", {"--condition": "0|-1|nan|x|1e400", "--scale": "0|-1|nan|x", "--noise": "-1|nan|x|1e400"}
        ),
        *_values(
            "rate trace.csv",
            {"--dtype": "x|int8", "--min-decades": "nan|x|-1", "-o": "x.txt|/dev/null|no/x.png|/dev/full"},
        ),
        "rate",
        "rate absent.csv",
        "rate good.npz",
    ],
    "calibrate": [
        *_values(
            "calibrate",
            {
                "--solver": "x|''|os:system",
                "--top": "0|-1|nan|inf|x|1e400",
                "--steps": "0|x",
                "--budget": "0|x",
                "--p0": "0|2|nan|.5",
            },
        ),
        *_values(
            "calibrate",
            {
                "--p1": "-1|1|nan",
                "--alpha": "0|1|nan",
                "--beta": "0|1|nan",
                "--seed": "-1",
                "--scale": "0",
                "--reference": "x",
            },
        ),
        *_values(
            "calibrate",
            {"-o": "/dev/null|.|no/x.json|pipe.json|/dev/full", "--lock": "x --reference amht", "--study": "x --laws"},
        ),
    ],
    "audit": _values(
        "audit",
        {
            "--epsilon": "0|-1|nan|x|inf",
            "--delta": "0|1|nan|x",
            "--rounds": "0|x",
            "--trials": "0|-1|x",
            "--alpha": "0|1|nan",
            "--mutant": "x|''",
            "--audits": "0|x",
            "--release": "x",
            "--solver": "x|os:system|''",
            "--seed": "-1|x",
        },
    ),
    "verify": [
        *_values(
            "verify",
            {
                "--solver": "x|''|:|nope:x|os:system",
                "--claims": "nothing|''",
                "--theorem": "x",
                "--family": "x|''",
                "--budget": "x|''",
            },
        ),
        *_values(
            "verify",
            {
                "--alpha": "0|1|nan|-1|x",
                "--beta": "0|1|nan|-1|x",
                "--seed": "-1|x",
                "--nonce": f"x|''|{'0' * 31}",
                "--jobs": "0|-1|x",
                "--memory": "x|0",
            },
        ),
        *_values(
            "verify",
            {
                "--expected": "absent",
                "--ledger": "/dev/null|.|no/x|pipe.jsonl",
                "--out": "good.npz|/dev/null|/proc/x|key/x",
                "--draw": "x|''",
            },
        ),
        *_values(
            "verify --claims conduct/answers",
            {
                "--replay": 'x|\'\'|{}|[]|null|1|\'{"configuration": 3}\'|\'{"configuration": {}, "phase": 1, "replicate": 1e400}\''
            },
        ),
        "verify --mutants --solver amht",
        "verify --every-claim",
        "verify --replay '{}' --nonce x",
        "verify --expected expected_claim_number.toml --solver x",
        *_values("write", {"--out": "good.npz|/dev/null|/proc/x", "--budget": "x", "--family": "x", "--jobs": "0"}),
        "write x",
        "write os:system",
        "write",
    ],
    "sweep": [
        "sweep",
        "sweep --out out",
        *_values(
            "sweep --out out --fixed d=5,r=1,t=8,k=1 --solver global --workers 0",
            {"--x": "x|m|m=|m=x|m=nan|m=5:1:1|m=1:5:0|hue=1:3|m=-1|m=1e400|''|m=1:99999999999"},
        ),
        *_values(
            "sweep --out out --x m=6,12 --solver global --workers 0",
            {"--fixed": "x|d|d=|d=x|d=5,d=6|hue=3|d=5|d=-1,r=1,t=8,k=1|d=nan,r=1,t=8,k=1"},
        ),
        *_values(
            "sweep --out out --x m=6,12 --fixed d=5,r=1,t=8,k=1",
            {"--solver": "x|''|os:system|nope:x", "--replicates": "0|-1|x|1e9", "--seed": "-1|x", "--nonce": "x|''"},
        ),
        *_values(
            "sweep --out out --x m=6,12 --fixed d=5,r=1,t=8,k=1",
            {"--success": "x|2|nan|-1", "--tolerance": "0|-1|nan|x", "--nested": "x|k", "--precision": "0|-1|nan|x"},
        ),
        *_values(
            "sweep --out out --x m=6,12 --fixed d=5,r=1,t=8,k=1",
            {"--confidence": "0|1|nan|x", "--workers": "-1|x", "--shard": "x|0/0|3/2|-1/2|1", "--family": "x"},
        ),
        *_values(
            "sweep --out out --x m=6,12 --fixed d=5,r=1,t=8,k=1",
            {"--seconds-per-call": "0|-1|nan|x", "--memory": "x|0", "--spec": "absent|good.npz", "--y": "m=1,2|x"},
        ),
        *_values(
            "sweep --x m=6,12 --fixed d=5,r=1,t=8,k=1 --solver global --workers 0",
            {"--out": "good.npz|/dev/null|/proc/x|.|sweep|key/x"},
        ),
        *_values("sweep status", {"": "absent|good.npz|.|/dev/null|''"}),
        *_values("sweep export sweep", {"-o": "x.txt|/dev/null|.|no/x.csv|good.csv|good.parquet|pipe.csv|/dev/full"}),
        *_values(
            "sweep verify sweep --workers 0",
            {"--sample": "x|-1|0|nan|200%|''|1e400", "--workers": "-1|x", "--seed": "x"},
        ),
        "sweep merge sweep absent --out merged",
        "sweep merge sweep --out good.npz",
        "sweep merge --out merged",
        *_values("sweep selftest", {"--lines": "0|x", "--size": "40,3,2", "--seed": "x|-1"}),
        *_values("sweep selftest --exact", {"--size": "x|1|0,0,0|3,9,1|-1,2,3"}),
    ],
    "maps": [
        *_values("boundary sweep", {"--along": "x|t|''", "--confidence": "0|1|nan|x", "--link": "x"}),
        *_values("scaling sweep", {"--factors": "x", "--confidence": "0|1|nan"}),
        *_values(
            "plot sweep",
            {
                "--overlay": "x",
                "--what": "x",
                "--solver": "x",
                "--along": "x",
                "--constants": "x|C=|C_total=nan|C_total=-1",
                "--confidence": "0|nan",
                "--out": "good.npz|/dev/null|/proc/x",
            },
        ),
        *_values(
            "report sweep", {"-o": "/dev/null|.|no/x.html|/dev/full|pipe.npz", "--constants": "x", "--confidence": "2"}
        ),
        *_values("replay sweep", {"": "x 0|99 0|-1 0|0 99|0 -1|0 x|m=6 0|m=x,k=1 0|m=6,k=1,hue=2 0|0"}),
        *_values(
            "replay sweep 0 0",
            {
                "--solver": "x|ridge|os:system",
                "--save": "/dev/null|.|no/x|good.npz|pipe.npz",
                "--seconds-per-call": "0|nan",
                "--memory": "x",
            },
        ),
        *_values(
            "duel global ridge --in sweep",
            {
                "--rate": "0|1|nan|x",
                "--confidence": "0|nan",
                "--timing": "-1|x",
                "--x": "x",
                "--replicates": "0",
                "--out": "no/x|/dev/null",
            },
        ),
        "duel global --in sweep",
        "duel global global --in sweep",
        "duel global x --in absent",
    ],
    "names": [
        "info -x.csv",
        "info ''",
        "info ' '",
        f"info {'a' * 5000}.npz",
        "info 'a\x01b.npz'",
        *_values("solve good.npz", {"-o": "''|no/such/m.npz|/proc/x.npz|model.npz"}),
        *_values("solve good.npz", {"--solver": "''|:|os:getcwd|os.path|json:dumps|antigravity:x"}),
        *_values("solve good.npz", {"--memory": "1|1ZB", "-r": "1000|AUTO", "-k": "-3|1e3", "--train": "0|nan|2"}),
        *_values(
            "solve good.csv -r 1 -k 1",
            {
                "--task school --target": "school|[/]|''",
                "--task score --target": "score",
                "--task [bold] --target": "[/]",
                "--task school --target score --features": "score,x1|school|x1,x1|x9",
            },
        ),
        "predict good.csv model.npz --task school",
        "predict model.npz model.npz",
        "adapt good.npz good.csv --target score",
        "adapt model.npz good.npz --target y",
    ],
    "meanings": [
        "plan -d 10 -r 2",
        "plan -d 10 -r 20 -k 2 -t 5",
        "limit -t 3 -m 4 -d 5 -r 9 -k 1",
        "rate /dev/null",
        "rate /dev/zero",
        "theorems show",
        "theorems show nope",
        "theorems nope",
        "claims 'nope/*'",
        "verify --budget huge",
        "verify --claims ''",
        *_values("sweep --fixed t=2,d=3,r=1,k=1 --out o", {"--x": "m=5:1|m=1:1e9|m=1:5:0|m=|=5|m=1,1|m=x|q=1"}),
        "sweep --x m=5 --x m=6 --out o",
        "sweep --x m=5 --y m=6 --fixed t=2,d=3,r=1,k=1 --out o",
        "sweep --x m=5 --fixed m=6,t=2,d=3,r=1,k=1 --out o",
        "sweep --out good.csv --x m=5 --fixed t=2,d=3,r=1,k=1",
        "replay . 0 0",
        "audit --trials 0",
        "audit --mutant nope",
        "calibrate --p0 2",
        "calibrate --p0 .5 --p1 .9",
        "check good.npz --theorem ''",
        "profile good.npz --x q=1",
        "duel amht amht --in .",
        "write nobody:x",
        "write nobody --out o",
    ],
}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def run(words: Sequence[str]) -> Ended:
    """In this process."""
    out, err = io.StringIO(), io.StringIO()

    def late(*_: object) -> None:
        raise TimeoutError("did not end")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("default")
            code = cli.run(list(words))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Ended(code, out.getvalue(), err.getvalue())


def complaint(ended: Ended, allowed: Sequence[int]) -> str:
    """What is wrong with how a command ended."""
    lines = ended.err.splitlines()
    if ended.code not in allowed:
        return f"exit code {ended.code}, expected {allowed}: {ended.err[-300:] or ended.out[-300:]}"
    if "Traceback" in ended.err + ended.out or "Warning" in ended.err:
        return f"a traceback or a warning: {ended.err[-300:]}"
    # Notes, of torn lines for instance, and the progress of a slow machine are no part of the one sentence.
    notes = [line for line in lines if line.startswith(("lrs: note: ", "lrs: warning: ")) or PROGRESS.match(line)]
    lines = [line for line in lines if line not in notes]
    if ended.code == 2 and (len(lines) != 1 or not lines[0].startswith("lrs: error: ") or ended.out):
        return f"not one sentence: {ended.err[-300:]} {ended.out[-100:]}"
    if "nan %" in ended.out or len(ended.err) > 3000:
        return f"no sentence for people: {ended.out[-200:]}{ended.err[:200]}"
    return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The zoo, as the working directory."""
    made = tmp_path_factory.mktemp("zoo")
    before = os.getcwd()
    os.environ |= {"COLUMNS": "200", "NO_COLOR": "1"}
    os.chdir(made)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        zoo.good(made)
    yield made
    os.chdir(before)


@pytest.fixture(scope="module")
def kept(folder: Path) -> Iterator[None]:
    """What was there is there afterwards, and nothing beside it."""
    good = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}
    devices = set(os.listdir("/dev"))
    yield
    assert {p: p.read_bytes() for p in good} == good
    assert set(os.listdir("/dev")) == devices
    assert not list(folder.rglob(".lrs-*"))


def complaints(cases: Sequence[tuple[str, Sequence[int]]]) -> list[str]:
    found = []
    for command, allowed in cases:
        if wrong := complaint(run(shlex.split(command)), allowed):
            found.append(f"lrs {command[:150]}: {wrong}")
    return found


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.usefixtures("kept")
def test_files(kind: str, folder: Path):
    names = zoo.texts_of(folder, kind) if kind in zoo.TEXTS else list(getattr(zoo, kind)(folder))
    assert not complaints([(command.format(name), allowed) for name in names for command, allowed in FILES[kind]])


@pytest.mark.usefixtures("kept")
def test_journals(folder: Path):
    found = []
    for name, refused in zoo.journals(folder).items():
        for verb in REFUSED:
            words = shlex.split(verb)
            options = words[2:] if words[0] == "sweep" else words[1:]
            command = " ".join(
                [*words[: len(words) - len(options)], name, *options, *(["--force"] if "export" in verb else [])]
            )
            allowed = (2,) if refused else (0,) if verb == "sweep status" else (0, 1, 2)  # 2: where nothing is left
            found += complaints([(command, allowed)])
        if not refused:
            ended = run(["sweep", "status", name])
            sound = name in ("j_no_journal", "j_host", "j_host_null")
            if not sound and "note" not in ended.err and "recorded twice" not in ended.err:
                found.append(f"{name}: the damage is not reported")
    assert not found


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.usefixtures("kept")
def test_options(verb: str, folder: Path):
    for name in ("folder.npz", "folder.csv", "pipe.npz", "pipe.csv", "pipe.json", "pipe.jsonl"):
        if not (folder / name).exists():
            (folder / name).mkdir() if name.startswith("folder") else os.mkfifo(folder / name)
    assert not complaints([(command, (2,)) for command in COMMANDS[verb]])


def test_the_table_is_large(folder: Path):
    assert sum(map(len, COMMANDS.values())) > 300


# ------------------------------------------------------------------------------------------------ streams, disks, signals
LRS = f"{shlex.quote(sys.executable)} -c 'from lrs.cli import main; main()'"
ASCII = "env LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
#: Commands of a shell, where lrs is the verb; exit codes; what stands in the one line on standard error (nothing: none).
SHELL: list[tuple[str, Sequence[int], str]] = [
    ("lrs info good.npz >&-", (2,), "standard output is closed"),
    ("lrs solve good.npz -o closed.npz >&-", (2,), "standard output is closed"),
    ("lrs info good.npz <&-", (0,), ""),
    ("lrs info good.npz 2>&-", (0,), ""),
    ("lrs info absent.npz 2>&-", (2,), ""),
    ("lrs info absent.npz 2>/dev/full", (2,), ""),
    ("lrs --help >/dev/full", (2,), "standard output cannot be written (No space left on device)"),
    ("lrs info good.npz >/dev/full", (2,), "standard output cannot be written (No space left on device)"),
    ("lrs info good.npz --json >/dev/full", (2,), "standard output cannot be written (No space left on device)"),
    ("lrs predict model.npz good.npz >/dev/full", (2,), "standard output cannot be written (No space left on device)"),
    ("set -o pipefail; lrs predict model.npz good.npz | head -1", (0, 1), ""),
    ("set -o pipefail; lrs solvers --json | true", (0, 1), ""),
    (f"{ASCII} lrs info good.npz", (0,), ""),
    (f"{ASCII} lrs info 'ü.csv'", (2,), "no such file"),
    (f"{ASCII} lrs solve good.npz", (0,), ""),
    ("lrs info $'\\xff.csv'", (0,), ""),
    ("lrs info $'\\xfe.csv' --json", (2,), "no such file"),
    ("lrs predict model.npz good.npz -o $'\\xfe.csv'", (0,), ""),
    (
        "ulimit -f 1; lrs predict model.npz good.npz -o kept.csv --force",
        (2,),
        "kept.csv: cannot be written (File too large)",
    ),
    ("ulimit -f 1; lrs solve good.npz -o kept.npz --force", (2,), "kept.npz: cannot be written (File too large)"),
    ("ulimit -f 1; lrs generate -t 30 -m 20 -d 8 -r 1 -k 1 -o kept.npz --force", (2,), "kept.npz: cannot be written"),
    ("ulimit -f 1; lrs sweep export sweep -o kept.csv --force", (2,), "kept.csv: cannot be written (File too large)"),
    ("ulimit -f 1; lrs plan -d 20 -r 2 -k 2 -t 10 --measure 0 -o kept.png", (2,), "kept.png: cannot be written"),
    ("ulimit -f 1; lrs report sweep -o kept.html", (2,), "kept.html: cannot be written (File too large)"),
]


@pytest.fixture(scope="module")
def precious(folder: Path) -> Path:
    """Files that a failed command must leave as they are, and one whose name is no text."""
    for suffix in ("csv", "npz", "png", "html"):
        (folder / f"kept.{suffix}").write_bytes(b"precious")
    (folder / os.fsdecode(b"\xff.csv")).write_text("a,b\n1,2\n")
    return folder


@pytest.mark.parametrize(("command", "codes", "said"), SHELL, ids=[c for c, _, _ in SHELL])
def test_streams_and_disks(command: str, codes: Sequence[int], said: str, precious: Path):
    script = f'lrs() {{ {LRS} "$@"; }}\n' if "env" not in command else ""
    done = subprocess.run(
        ["bash", "-c", script + (command.replace(" lrs ", f" {LRS} ") if not script else command)],
        capture_output=True,
        timeout=SECONDS,
        cwd=precious,
        check=False,
    )
    err = done.stderr.decode(errors="replace")
    assert done.returncode in codes, err
    assert said in err
    assert err.count("\n") == (said != "")
    assert "Traceback" not in err
    assert {(precious / f"kept.{suffix}").read_bytes() for suffix in ("csv", "npz", "png", "html")} == {b"precious"}
    assert not list(precious.glob(".lrs-*"))


def test_a_sweep_that_found_no_room_goes_on(precious: Path):
    command = f"{LRS} sweep --x m=6,12 --fixed d=5,r=1,t=8,k=1 --solver global --replicates 3 --workers 0 --out room"
    full = subprocess.run(
        ["bash", "-c", f"ulimit -f 0; JOBLIB_MULTIPROCESSING=0 {command}"],
        capture_output=True,
        text=True,
        cwd=precious,
        check=False,
    )
    assert full.returncode == 2
    assert "cannot be written" in full.stderr
    assert "run the same command again to go on" in full.stderr
    assert full.stderr.count("\n") == 1
    again = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=precious, check=False)
    assert (again.returncode, again.stderr) == (0, "")


def test_a_full_disk_under_verify_is_named_and_sigterm_leaves_what_is_known(precious: Path):
    command = f"{LRS} verify --claims conduct/answers --jobs 1"
    full = subprocess.run(
        ["bash", "-c", f"ulimit -f 1; {command} --ledger full.jsonl"],
        capture_output=True,
        text=True,
        cwd=precious,
        check=False,
    )
    assert full.returncode == 2
    assert "full.jsonl: cannot be written (File too large); what is recorded there is kept" in full.stderr
    assert "Traceback" not in full.stderr
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command.replace('conduct/answers', 'recovery/*')} --ledger stopped.jsonl"],
        cwd=precious,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    book = precious / "stopped.jsonl"
    while not book.exists() or book.read_bytes().count(b"\n") < 3:
        assert process.poll() is None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    process.terminate()
    out, err = process.communicate()
    assert process.returncode in (1, 3, 130)
    assert "interrupted" in err + out
    assert "Traceback" not in err
    assert len(Ledger(book, read_only=True)) >= 2


# ------------------------------------------------------------------------------------------------ Python
def _data(**changed: Any) -> MultiTaskData:
    parts = {"X": np.ones((6, 2)), "y": np.ones(6), "offsets": np.array([0, 3, 6])} | changed
    return MultiTaskData(**parts)


def _model(**changed: Any) -> LRSModel:
    return LRSModel(**({"U": np.eye(3)[:, :1], "W": np.ones((2, 1)), "B": np.zeros((2, 3))} | changed))


def _fit(X: Any, y: Any, groups: Any = None, **options: Any) -> LRSRegressor:
    return LRSRegressor(**options).fit(X, y, groups=groups)


DATES = np.arange(6).astype("datetime64[D]")
RAGGED = [[1.0], [1.0, 2.0]]
EVERYTHING = [None, "x", b"x", {}, object(), float("nan"), DATES, RAGGED, [["a"]], np.array(["1", "2"]), np.array(None)]
MISUSES: dict[str, Callable[[], Any]] = {
    **{f"X {i}": lambda v=v: _data(X=v) for i, v in enumerate(EVERYTHING)},
    **{f"y {i}": lambda v=v: _data(y=v) for i, v in enumerate(EVERYTHING)},
    **{f"offsets {i}": lambda v=v: _data(offsets=v) for i, v in enumerate(EVERYTHING)},
    **{f"U {i}": lambda v=v: _model(U=v) for i, v in enumerate(EVERYTHING)},
    **{f"W {i}": lambda v=v: _model(W=v) for i, v in enumerate(EVERYTHING)},
    **{f"B {i}": lambda v=v: _model(B=v) for i, v in enumerate(EVERYTHING)},
    **{f"problem {i}": lambda v=v: solve(v) for i, v in enumerate(EVERYTHING)},
    **{f"rank {i}": lambda v=v: Problem(_data(), v, 1) for i, v in enumerate(EVERYTHING)},
    **{f"sparsity {i}": lambda v=v: Problem(_data(), 1, v) for i, v in enumerate(EVERYTHING)},
    **{f"noise {i}": lambda v=v: Problem(_data(), 1, 1, v) for i, v in enumerate(EVERYTHING)},
    **{f"data {i}": lambda v=v: Problem(v, 1, 1) for i, v in enumerate(EVERYTHING)},
    **{f"predict {i}": lambda v=v: _model().predict(v, 0) for i, v in enumerate(EVERYTHING)},
    **{f"tasks {i}": lambda v=v: _model().predict(np.ones((2, 3)), v) for i, v in enumerate(EVERYTHING)},
    **{f"arrays {i}": lambda v=v: MultiTaskData.from_arrays(v, np.ones((2, 3))) for i, v in enumerate(EVERYTHING)},
    **{f"responses {i}": lambda v=v: MultiTaskData.from_arrays([np.ones((2, 1))], v) for i, v in enumerate(EVERYTHING)},
    **{
        f"groups {i}": lambda v=v: MultiTaskData.from_groups(np.ones((6, 2)), np.ones(6), v)
        for i, v in enumerate(EVERYTHING)
        if v is not DATES
    },
    "no rows": lambda: _data(X=np.ones((0, 2)), y=np.ones(0), offsets=np.array([0, 0])),
    "no features": lambda: _data(X=np.ones((6, 0))),
    "complex": lambda: _data(X=np.ones((6, 2)) * 1j),
    "structured": lambda: _data(y=np.zeros(6, dtype=[("a", float)])),
    "names": lambda: _data(feature_names=("a",)),
    "frame of words": lambda: MultiTaskData.from_frame(
        pd.DataFrame({"t": [1], "y": ["a"], "x": [1]}), task="t", target="y"
    ),
    "frame of dates": lambda: MultiTaskData.from_frame(
        pd.DataFrame({"t": [1], "y": [1], "x": pd.to_datetime(["2020"])}), task="t", target="y"
    ),
    "frame without rows": lambda: MultiTaskData.from_frame(
        pd.DataFrame({"t": [], "y": [], "x": []}), task="t", target="y"
    ),
    "solver number": lambda: solve(Problem(_data(), 1, 1), 3),
    "solver name": lambda: solve(Problem(_data(), 1, 1), "nobody"),
    "solver module": lambda: solve(Problem(_data(), 1, 1), "os:system"),
    "solver leaves": lambda: solve(Problem(_data(), 1, 1), lambda problem, *, rng, callback=None: sys.exit(0)),
    "solver returns": lambda: solve(Problem(_data(), 1, 1), lambda problem, *, rng, callback=None: 3),
    "seed": lambda: solve(Problem(_data(), 1, 1), seed="x"),
    "groups of another type": lambda: _fit(np.ones((4, 2)), np.arange(4.0), [1, 1, 2, 2]).predict(
        np.ones((2, 2)), groups=["1", "2"]
    ),
    "regressor rank": lambda: _fit(np.ones((4, 2)), np.arange(4.0), [1, 1, 2, 2], rank=9),
    "regressor sparsity": lambda: _fit(np.ones((4, 2)), np.arange(4.0), [1, 1, 2, 2], sparsity="x"),
    "regressor groups": lambda: _fit(np.ones((4, 2)), np.arange(4.0), [1, None, "a", 2]),
}


@pytest.fixture
def unchecked_module() -> Iterator[None]:
    """A user has no checker of annotations."""
    import jaxtyping

    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("name", MISUSES)
@pytest.mark.usefixtures("unchecked_module")
def test_misuse_of_the_library_is_refused_by_name(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidInput) as caught:
            MISUSES[name]()
    assert ":" in str(caught.value)
    assert len(str(caught.value)) < 2000
