"""A solver that takes twenty times as long as the one it wraps."""

from phase_diagrams.sweeps.synthetic import Synthetic


def slow(problem, *, rng, callback=None):
    solver = Synthetic()
    state = rng.bit_generator.state
    for _ in range(20):
        rng.bit_generator.state = state
        solution = solver(problem, rng=rng, callback=callback)
    return solution
