"""A budget over runs cannot be overdrawn, forged or moved; the billboard as files is the billboard."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lrs import InstanceSpec, InvalidInput, generate
from lrs.private import Client, Clip, Schedule, SeededNoise, Server, rho_for
from lrs.private import run as play
from lrs.private.budget import Budget, read_key
from lrs.private.exchange import (
    read_answer,
    read_request,
    read_transcript,
    write_answer,
    write_request,
    write_transcript,
)

KEY = b"0123456789abcdef-owner"
TARGET = ("--solver", "private-amht", "--epsilon", "1", "--delta", "1e-6")


@pytest.fixture
def path(tmp_path):
    Budget.create(tmp_path / "mine.txt", KEY, epsilon=2.0, delta=1e-6)
    return tmp_path / "mine.txt"


def test_runs_add_up_and_the_total_is_not_exceeded(path):
    rho = rho_for(1.0, 1e-6)
    first = Budget.spend(path, KEY, "first", rho)
    assert first.left == pytest.approx(rho_for(2.0, 1e-6) - rho)
    assert "in 1 runs" in first.sentence
    # √ρ is about proportional to ε: of ε = 2 not two but three and a half runs at ε = 1 can be paid.
    for number in range(2, 4):
        Budget.spend(path, KEY, f"run {number}", rho)
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="nothing was spent"):
        Budget.spend(path, KEY, "one too many", rho)
    assert path.read_bytes() == before
    with pytest.raises(InvalidInput, match="nothing was spent"):
        Budget.spend(path, KEY, "free of noise", float("inf"))


def forged(text: str) -> str:
    document = json.loads(text)
    document["spent"] = []
    return json.dumps(document)


@pytest.mark.parametrize(
    "change",
    [
        forged,
        lambda text: text.replace('"epsilon": 2.0', '"epsilon": 20.0'),
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: "",
        lambda text: json.dumps({**json.loads(text), "more": 1}),
    ],
)
def test_an_altered_file_is_refused(path, change):
    Budget.spend(path, KEY, "first", 0.01)
    path.write_text(change(path.read_text()))
    with pytest.raises(InvalidInput, match="was altered; nothing was spent"):
        Budget.spend(path, KEY, "second", 0.01)


def test_another_name_and_another_key_are_refused(path):
    copy = path.with_name("copy.txt")
    copy.write_bytes(path.read_bytes())
    for where, key in ((copy, KEY), (path, KEY + b"!")):
        with pytest.raises(InvalidInput, match="not written with this key under this name"):
            Budget.spend(where, key, "run", 0.01)
    with pytest.raises(InvalidInput, match="counts add-remove users"):
        Budget.spend(path, KEY, "run", 0.01, "replace-one")
    with pytest.raises(InvalidInput, match="exists already"):
        Budget.create(path, KEY, epsilon=5.0, delta=1e-6)
    with pytest.raises(InvalidInput, match="does not exist"):
        Budget.spend(path.with_name("none"), KEY, "run", 0.01)
    path.with_name(f".{path.name}.lock").touch()
    with pytest.raises(InvalidInput, match="another run"):
        Budget.spend(path, KEY, "run", 0.01)


def test_runs_at_the_same_time_never_spend_more_than_there_is(path):
    def one(number):
        try:
            return Budget.spend(path, KEY, f"run {number}", rho_for(0.5, 1e-6)).left
        except InvalidInput:
            return None

    with ThreadPoolExecutor(8) as pool:
        paid = [left for left in pool.map(one, range(40)) if left is not None]
    assert len(Budget.open(path, KEY).spent) == len(paid) == len(set(paid)), "no run forgets what another one spent"
    assert min(paid) == Budget.open(path, KEY).left >= 0


def test_a_file_that_another_run_is_making_is_not_made_anew(path, monkeypatch):
    Budget.spend(path, KEY, "first", 0.01)
    # Both looked before either wrote: the second one looks again when it is alone.
    looked = [False]
    exists = type(path).exists
    monkeypatch.setattr(type(path), "exists", lambda self, **_: looked.pop() if looked else exists(self))
    path.with_name(f".{path.name}.lock").touch()
    with pytest.raises(InvalidInput, match="another run"):
        Budget.create(path, KEY, epsilon=2.0, delta=1e-6)
    assert len(Budget.open(path, KEY).spent) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--groups",), "groups: the users of an instance are numbered by position"),
        (("--epsilon", "1e-14"), "noise beyond 64-bit integers"),
        (("--clip-user", "0"), "clip_user: expected a positive"),
        (("--clip-user", "inf"), "clip_user: expected a positive"),
        (("--population", "40", "--delta", "0.1"), "delta: 0.1 is not below one over the population"),
        (("-r", "99"), "rank: r = 99 is outside"),
        (("-o", "nowhere/there.npz"), "the folder nowhere does not exist"),
    ],
)
def test_what_cannot_run_is_not_paid_for(run, instance_file, path, tmp_path, options, message):
    (tmp_path / "key").write_bytes(KEY)
    before = path.read_bytes()
    common = ("solve", instance_file, *TARGET, "--budget-file", str(path), "--budget-key", str(tmp_path / "key"))
    code, _, err = run(*common, *options)
    assert code == 2
    assert message in err
    assert path.read_bytes() == before


def test_a_short_or_missing_key_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    for name in ("key", "none"):
        with pytest.raises(InvalidInput, match="budget_key"):
            read_key(tmp_path / name)


def test_command_line_pays_before_it_looks_and_says_what_is_left(run, instance_file, tmp_path):
    key, budget, transcript = (str(tmp_path / name) for name in ("key", "spent so far", "all.npz"))
    with open(key, "wb") as stream:
        stream.write(KEY)
    common = ("solve", instance_file, *TARGET, "--budget-file", budget, "--budget-key", key)
    code, _, err = run(*common)
    assert code == 2
    assert "does not exist; pass a total" in err
    code, out, err = run(*common, "--budget-total", "1.2", "--json", "--transcript", transcript)
    assert code == 0, err
    document = json.loads(out)
    assert Budget.open(budget, KEY).left == document["budget"]["left_rho"]
    spent = sum(r["charged"] for r in document["privacy"]["releases"])
    assert spent <= Budget.open(budget, KEY).spent[0][1]
    assert len(read_transcript(transcript).releases) == len(document["privacy"]["releases"])
    code, out, err = run(*common)
    assert code == 2
    assert "is left; nothing was spent" in err
    assert out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget-file", "f"), "budget_key: a budget file is authenticated"),
        (("--budget-key", "f"), "budget_file: a key or a total needs the file"),
        (("--budget-file", "f", "--budget-key", "k", "--insecure-seed"), "insecure_seed: a seeded run is not private"),
    ],
)
def test_command_line_refusals(run, instance_file, options, message):
    code, _, err = run("solve", instance_file, *TARGET, *options)
    assert code == 2
    assert message in err


# ---------------------------------------------------------------- the billboard as files
@pytest.mark.parametrize("kind", ["gradient", "statistics"])
def test_separate_programs_learn_what_one_program_learns(tmp_path, kind):
    data = generate(InstanceSpec(t=6, m=8, d=5, r=1, k=1), 0).problem.data
    schedule = Schedule(rho=10.0, rounds=2, sparsity=1, kind=kind, clip=Clip(x=5, y=5, xb=5, w=3))
    together, apart = (Server(schedule, np.eye(5, 1), SeededNoise(0)) for _ in range(2))
    clients = [Client(X, y, f"u{i}") for i, (X, y) in enumerate(data)]
    play(together, clients)
    board, answers = tmp_path / "board.npz", [tmp_path / f"{i}.npz" for i in range(6)]
    while (request := apart.request()) is not None:
        write_request(board, request, overwrite=True)
        for client, path in zip(clients, answers, strict=True):  # each of them elsewhere
            write_answer(path, client.answer(read_request(board)), overwrite=True)
        apart.receive(read_answer(path, request) for path in answers)
    assert np.array_equal(together.U, apart.U)
    path = write_transcript(tmp_path / "all.npz", apart.transcript)
    found = read_transcript(path)
    assert [r for r, _ in found.releases] == [r for r, _ in together.transcript.releases]
    assert all(np.array_equal(a, b) for a, b in zip(found.subspaces, apart.transcript.subspaces, strict=True))
    assert len(found.subspaces) == 4


def test_an_answer_to_another_question_is_refused(tmp_path):
    data = generate(InstanceSpec(t=1, m=8, d=5, r=1, k=1), 0).problem.data
    server = Server(Schedule(rho=10.0, rounds=1, sparsity=1), np.eye(5, 1), SeededNoise(0))
    request = server.request()
    answer = Client(*data.task(0)).answer(request)
    for wrong in (
        {"gradient": np.zeros((5, 1), dtype=np.int64)},
        {"moment": np.eye(4, dtype=np.int64)},
        {"moment": np.eye(5)},
    ):
        path = write_answer(tmp_path / "answer", wrong, overwrite=True)
        with pytest.raises(InvalidInput, match="does not answer the request of round 0"):
            read_answer(path, request)
    assert read_answer(write_answer(tmp_path / "right", answer), request).keys() == {"moment", "features"}
