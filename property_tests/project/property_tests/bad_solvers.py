"""Solvers that misbehave in one way each, and the honest one they are made from."""

import contextlib
import os
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
from scipy import sparse

from lrs import Iterate, LRSModel, Solution, Status


def honest(problem, *, rng, callback=None):
    """One cheap answer of the right shape."""
    d, t = problem.d, problem.t
    U = np.linalg.qr(rng.standard_normal((d, problem.rank)))[0]
    model = LRSModel(U, np.zeros((t, problem.rank)), sparse.csr_array((t, d)))
    if callback is not None:
        callback(Iterate(0, model, 1.0))
    return Solution(model, Status.CONVERGED, 1, 1.0)


def raises(problem, *, rng, callback=None):
    raise RuntimeError("no idea")


def hangs(problem, *, rng, callback=None):
    while True:
        pass


def iterates_forever(problem, *, rng, callback=None):
    model = honest(problem, rng=rng).model
    iteration = 0
    while True:
        with contextlib.suppress(Exception):  # a solver that shields itself from errors of its callback
            callback(Iterate(iteration, model, 1.0))
        iteration += 1


def wrong_shape(problem, *, rng, callback=None):
    answer = honest(problem, rng=rng)
    return replace(answer, model=LRSModel(answer.model.U, answer.model.W[1:], answer.model.B[1:]))


def transposed(problem, *, rng, callback=None):
    answer = honest(problem, rng=rng)
    return replace(answer, model=LRSModel(answer.model.U.T, answer.model.W, answer.model.B))


def not_finite(problem, *, rng, callback=None):
    model = honest(problem, rng=rng).model
    object.__setattr__(model, "W", np.full_like(model.W, np.nan))
    return Solution(model, Status.CONVERGED, 1, 0.0)


def not_finite_refused(problem, *, rng, callback=None):
    model = honest(problem, rng=rng).model
    return Solution(LRSModel(model.U, np.full_like(model.W, np.nan), model.B), Status.CONVERGED, 1, 0.0)


def not_orthonormal(problem, *, rng, callback=None):
    answer = honest(problem, rng=rng)
    return replace(answer, model=LRSModel(2 * answer.model.U, answer.model.W, answer.model.B))


def too_dense(problem, *, rng, callback=None):
    model = honest(problem, rng=rng).model
    return Solution(LRSModel(model.U, model.W, np.ones((problem.t, problem.d))), Status.CONVERGED, 1, 0.0)


def writes_to_input(problem, *, rng, callback=None):
    problem.data.y[0] = 0.0
    return honest(problem, rng=rng)


def unlocks_and_writes(problem, *, rng, callback=None):
    y = problem.data.y
    base = y if y.base is None else y.base
    base.flags.writeable = True
    base[0] += 1.0
    return honest(problem, rng=rng, callback=callback)


def prints(problem, *, rng, callback=None):
    print("iteration 1: loss 3.2")
    return honest(problem, rng=rng, callback=callback)


def prints_below_python(problem, *, rng, callback=None):
    os.write(1, b"hello from C\n")
    return honest(problem, rng=rng, callback=callback)


def forks(problem, *, rng, callback=None):
    if os.fork() == 0:
        return honest(problem, rng=rng, callback=callback)  # the child carries on as if it were the worker
    os.wait()
    return honest(problem, rng=rng, callback=callback)


def starts_a_program(problem, *, rng, callback=None):
    subprocess.run([sys.executable, "-c", ""], check=True)
    return honest(problem, rng=rng, callback=callback)


def aborts(problem, *, rng, callback=None):
    os.abort()


def exits(problem, *, rng, callback=None):
    os._exit(3)


def leaves(problem, *, rng, callback=None):
    sys.exit(1)


def missing_package(problem, *, rng, callback=None):
    import a_package_nobody_has  # noqa: F401


def global_numpy_state(problem, *, rng, callback=None):
    np.random.seed(0)  # noqa: NPY002
    return honest(problem, rng=rng, callback=callback)


def global_python_state(problem, *, rng, callback=None):
    random.random()
    return honest(problem, rng=rng, callback=callback)


def not_a_solution(problem, *, rng, callback=None):
    return honest(problem, rng=rng).model


def model_of_arrays(problem, *, rng, callback=None):
    return Solution((1, 2, 3), Status.CONVERGED, 1, 0.0)


def no_status(problem, *, rng, callback=None):
    return replace(honest(problem, rng=rng), status="fine")
