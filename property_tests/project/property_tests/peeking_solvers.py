"""Solvers that look for the truth instead of solving the problem: in their generator, the public code, and all around."""

import contextlib
import gc
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from lrs import Instance, InstanceSpec, LRSModel, Solution, Status, generate
from phase_diagrams.sweeps import identity
from property_tests.examine.configuration import Configuration


def answer(problem, keys):
    """The truth of the instance drawn from one of the keys whose rows are these; nothing where none is."""
    spec = plain(problem)
    for key in keys:
        instance = generate(spec, key)
        if np.array_equal(instance.problem.data.X, problem.data.X):
            return Solution(instance.truth, Status.CONVERGED, 1, 0.0)
    t, d, r = problem.t, problem.d, problem.rank
    return Solution(LRSModel(np.eye(d, r), np.zeros((t, r)), sparse.csr_array((t, d))), Status.STALLED, 1, 1.0)


def plain(problem):
    return InstanceSpec(t=problem.t, m=problem.data.n // problem.t, d=problem.d, r=problem.rank, k=problem.sparsity)


def reads_its_generator(problem, *, rng, callback=None):
    """The key of the data is what the generator was seeded with, up to the last number or two."""
    held = rng.bit_generator.seed_seq.entropy
    held = [int(n) for n in np.atleast_1d(np.array(held, dtype=object))]
    keys = [(*held[:n], *last) for n in range(len(held) + 1) for last in ((), (0,), (1,), (2,))]
    return answer(problem, [key for key in keys if key])


def knows_the_suite(problem, *, rng, callback=None):
    """Seed 0, the phases by name, the first replicates, and the text of the plain configuration of this size."""
    configuration = Configuration(spec=plain(problem))
    phases = ("explore/0", "decide/0", "press/0", "shrink/0", "confirm/0")
    return answer(problem, [configuration.seed(phase, i) for phase in phases for i in range(3)])


def knows_the_sweep(problem, *, rng, callback=None):
    """The first seeds and replicates of a sweep over plain instances."""
    parameters = plain(problem).to_dict()
    return answer(problem, [identity.instance_key(seed, parameters, i) for seed in range(3) for i in range(3)])


def _searched(data):
    """The keys of this problem's data under every nonce that a text holds."""
    return [n.decode() for n in set(re.findall(rb"[0-9a-f]{32}", data))]


def _memory(pid):
    """What a process holds beside the files it maps, as far as the system lets it be read."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, *rest = line.split()
            if rights.startswith("rw") and (len(rest) < 4 or rest[3] == "[heap]"):
                low, high = (int(n, 16) for n in place.split("-"))
                memory.seek(low)
                yield memory.read(high - low) or b""


def _descriptors(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            if os.path.isfile(f"/proc/{pid}/fd/{name}"):
                yield Path(f"/proc/{pid}/fd/{name}").read_bytes()


def _files():
    """The folder the test tells it about, which a real attacker would find by the time of its files."""
    for path in Path(os.environ.get("LRS_PEEK", os.devnull)).rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def _arguments(pid):
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            yield Path(f"/proc/{pid}/{name}").read_bytes()


def _held():
    """Truths that are objects of this very process: in a frame, or anywhere the garbage collector looks."""
    frame, around = sys._getframe(), []
    while frame is not None:
        around += frame.f_locals.values()
        frame = frame.f_back
    return [v for v in (*around, *gc.get_objects()) if type(v) is Instance]


def reads_everything(problem, *, rng, callback=None):
    """Looks for the truth, or a nonce that draws it, wherever a process of an ordinary user can look; says where it was."""
    for instance in _held():
        if np.array_equal(instance.problem.data.y, problem.data.y):
            return Solution(instance.truth, Status.CONVERGED, 1, 0.0, info={"objects": True})
    spec, parent = plain(problem), os.getppid()
    parameters, configuration = spec.to_dict(), Configuration(spec=spec)
    places = {
        "own memory": lambda: _memory("self"),
        "arguments": lambda: _arguments(parent),
        "memory": lambda: _memory(parent),
        "descriptors": lambda: _descriptors(parent),
        "files": _files,
    }
    info, found = {}, reads_its_generator(problem, rng=rng)
    for place in [p for p in places if p != "own memory" or not _SEEN]:
        nonces = []
        with contextlib.suppress(OSError):
            for data in places[place]():
                nonces += _searched(data)
        keys = [configuration.seed("decide/0", 0, n) for n in nonces]
        keys += [identity.instance_key(0, parameters, i, n) for n in nonces for i in range(2)]
        tried = answer(problem, keys)
        info[place] = tried.status is Status.CONVERGED
        found = tried if info[place] else found
    _SEEN.append(True)  # what it once read of others would be found in its own memory
    return replace(found, info=info)


_SEEN: list[bool] = []
