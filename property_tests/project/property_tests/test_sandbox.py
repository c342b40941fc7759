"""Whatever a solver does in a call has its own text, and the next call finds a working sandbox."""

import os
import re

import bad_solvers
import numpy as np
import pytest

from lrs import InstanceSpec
from lrs.core.errors import InvalidInput
from lrs.core.run import Fault, Limits, SolverFault, Subject
from lrs.families.low_rank_sparse import NOT_ORTHONORMAL, TOO_DENSE
from lrs.families.low_rank_sparse.generate import generate
from lrs.isolation import Sandbox

PROBLEM = generate(InstanceSpec(t=6, m=8, d=7, r=2, k=1), 1).problem
SEED = (1, 2)


def sandbox(solver, **limits):
    return Sandbox(Subject.of(solver), Limits(**limits))


HARD = {
    "raises": (Fault.RAISED, r"RuntimeError: no idea \(bad_solvers.py, line \d+\)"),
    "iterates_forever": (Fault.ITERATIONS, "50 outer steps"),
    "wrong_shape": (Fault.WRONG_SHAPE, r"W \(5, 2\), expected .* \(6, 2\)"),
    "transposed": (Fault.WRONG_SHAPE, "shape"),
    "not_finite": (Fault.NOT_FINITE, "W: holds NaN"),
    "not_finite_refused": (Fault.NOT_FINITE, "W: holds NaN"),
    "writes_to_input": (Fault.RAISED, "read-only.*copy it first"),
    "aborts": (Fault.CRASHED, "signal SIGABRT in a call"),
    "exits": (Fault.CRASHED, "exit code 3 in a call"),
    "leaves": (Fault.RAISED, "SystemExit"),
    "missing_package": (Fault.MISSING_PACKAGE, "'a_package_nobody_has'"),
    "not_a_solution": (Fault.NOT_A_SOLUTION, "returned LRSModel"),
    "model_of_arrays": (Fault.NOT_A_SOLUTION, "the model is a tuple"),
    "no_status": (Fault.NOT_A_SOLUTION, "status is 'fine'"),
}

SOFT = {
    "not_orthonormal": (NOT_ORTHONORMAL, "= 3"),
    "too_dense": (TOO_DENSE, "7 non-zeros in task 0, at most k = 1"),
    "unlocks_and_writes": (Fault.INPUT_MODIFIED, "^y$"),
    "prints": (Fault.PRINTS, "iteration 1: loss 3.2"),
    "prints_below_python": (Fault.PRINTS, "hello from C"),
    "forks": (Fault.FORKS, "os.fork"),
    "starts_a_program": (Fault.FORKS, "subprocess.Popen"),
    "global_numpy_state": (Fault.GLOBAL_RANDOM_STATE, "rng that is passed"),
    "global_python_state": (Fault.GLOBAL_RANDOM_STATE, "rng that is passed"),
}


@pytest.fixture(scope="module")
def one_box():
    """One worker for all solvers that leave it alive: a switch inside picks which of them answers."""

    def switch(problem, *, rng, callback=None):
        return getattr(bad_solvers, problem.data.task_names[0])(problem, rng=rng, callback=callback)

    with sandbox(switch, iterations=50) as box:
        yield box


def named(name):
    data = PROBLEM.data
    labelled = type(data)(data.X, data.y, data.offsets, (name, *range(1, data.t)))
    return type(PROBLEM)(labelled, PROBLEM.rank, PROBLEM.sparsity)


@pytest.mark.parametrize("name", sorted(HARD))
def test_hard_fault_has_its_own_text_and_the_next_call_works(one_box, name):
    fault, detail = HARD[name]
    with pytest.raises(SolverFault, match=detail) as caught:
        one_box(named(name), SEED)
    assert caught.value.fault is fault
    assert fault.hard
    assert one_box(named("honest"), SEED).faults == {}


@pytest.mark.parametrize("name", sorted(SOFT))
def test_soft_fault_is_noted_beside_the_answer(one_box, name):
    fault, detail = SOFT[name]
    for _ in range(2):  # the second time as well: the same number seeds the same state
        run = one_box(named(name), SEED)
        assert set(run.faults) == {fault}
    assert not fault.hard

    assert re.search(detail, run.faults[fault])


def test_a_hang_is_ended_at_the_limit():
    with sandbox(bad_solvers.hangs, seconds=0.5) as box:
        box.start()
        with pytest.raises(SolverFault, match=r"0.5 s of processor time|2.5 s in a call") as caught:
            box(PROBLEM, SEED)
        assert caught.value.fault is Fault.TIMEOUT


def test_a_solver_that_sleeps_is_ended_by_the_clock():
    def waits(problem, *, rng, callback=None):
        import threading

        threading.Event().wait()

    with sandbox(waits, seconds=0.1) as box:
        box.start()
        with pytest.raises(SolverFault, match=r"within the time limit of a call: asleep for 0.1 s in a call"):
            box(PROBLEM, SEED)


def test_the_same_seed_gives_the_same_answer_and_input_stays(one_box):
    before = PROBLEM.data.X.copy()
    first, second, other = (one_box(named("honest"), seed) for seed in (SEED, SEED, (1, 3)))
    assert np.array_equal(first.model.U, second.model.U)
    assert not np.array_equal(first.model.U, other.model.U)
    assert np.array_equal(before, PROBLEM.data.X)


@pytest.mark.parametrize("t", [2, 6, 21, 40])
def test_writing_into_the_input_is_noticed_at_every_size(one_box, t):
    problem = generate(InstanceSpec(t=t, m=6, d=4, r=1, k=1), 1).problem
    data = problem.data
    labelled = type(data)(data.X, data.y, data.offsets, ("unlocks_and_writes", *range(1, t)))
    assert set(one_box(type(problem)(labelled, 1, 1), SEED).faults) == {Fault.INPUT_MODIFIED}


def test_trace_and_memory_are_recorded_when_asked(one_box):
    assert len(one_box(named("honest"), SEED).trace) == 1
    assert one_box(named("honest"), SEED, trace=False).trace == ()
    assert one_box(named("honest"), SEED).peak_bytes is None
    assert one_box(named("honest"), SEED, memory=True).peak_bytes > 1000


def test_load_errors_name_the_slip_or_the_package(tmp_path, monkeypatch):
    (tmp_path / "needs_it.py").write_text(
        "import another_package_nobody_has\ndef solve(problem, *, rng, callback=None): ...\n"
    )
    (tmp_path / "dies.py").write_text("import os\nos.abort()\n")
    (tmp_path / "broken.py").write_text("def solve(problem, *, rng, callback=None)\n")
    monkeypatch.chdir(tmp_path)
    for spec, message in (
        ("no_such_module:solve", "no_such_module"),
        ("needs_it_not:solve", "needs_it_not"),
        ("amth", "did you mean 'amht'"),
        ("broken:solve", "SyntaxError"),
    ):
        with pytest.raises(InvalidInput, match=message), sandbox(spec) as box:
            box.start()
    for spec, fault in (("needs_it:solve", Fault.MISSING_PACKAGE), ("dies:solve", Fault.CRASHED)):
        with pytest.raises(SolverFault) as caught, sandbox(spec) as box:
            box.start()
        assert caught.value.fault is fault


def test_the_hash_of_a_solver_follows_its_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "from bad_solvers import honest\ndef solve(problem, *, rng, callback=None):\n    return honest(problem, rng=rng)\n"
    hashes = []
    for version in (text, text, text + "# changed\n"):
        (tmp_path / "changing.py").write_text(version)
        with sandbox("changing:solve") as box:
            hashes.append(box.start().hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_workers_end_with_the_sandbox():
    box = sandbox(bad_solvers.honest)
    box.start()
    pid = box._process.pid
    box.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_worker_holds_no_truth():
    """A solver that searches its process for an instance finds none."""

    def search(problem, *, rng, callback=None):
        import gc

        found = [type(o).__name__ for o in gc.get_objects() if type(o).__name__ in ("Instance", "Configuration")]
        assert not found, found
        return bad_solvers.honest(problem, rng=rng)

    instance = generate(InstanceSpec(t=6, m=8, d=7, r=2, k=1), 1)
    with sandbox(search) as box:
        box(instance.problem, SEED)
