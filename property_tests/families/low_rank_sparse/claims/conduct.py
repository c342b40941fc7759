"""What any solver owes its caller, whatever it computes: an answer of the right shape, and no side effects.

The sandbox watches every call; these claims turn what it saw into verdicts. They hold everywhere and are about every
family, but for those about U and b. The configurations of low rank + sparse only vary sizes, noise and
over-specification; of another family they are what its region draws.
"""

from __future__ import annotations

from hypothesis import strategies as st

from lrs.core.family import LOW_RANK_SPARSE, family_of
from lrs.core.run import Fault
from lrs.families.low_rank_sparse import NOT_ORTHONORMAL, TOO_DENSE
from lrs.families.low_rank_sparse.generate import InstanceSpec
from property_tests.examine.claim import Always, Claim, Context, Outcome, register
from property_tests.examine.configuration import Configuration, Region
from property_tests.families.low_rank_sparse import strategies

_CITE = "the solver protocol (lrs.solver.Solver)"


@st.composite
def _anything(draw: st.DrawFn) -> Configuration:
    r, k = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    d = draw(st.integers(2 * (r + k), 24))
    spec = InstanceSpec(
        t=draw(st.integers(2 * r, 40)),
        m=draw(st.integers(r + k + 2, d + 4)),
        d=d,
        r=r,
        k=k,
        noise=draw(st.sampled_from([0.0, 0.1])),
    )
    told = {"rank": draw(st.sampled_from([None, r + 1])), "sparsity": draw(st.sampled_from([None, k + 1]))}
    return Configuration(spec=spec, told=told)


def anything(region: Region) -> st.SearchStrategy[Configuration]:
    """Small problems of any kind, with at least as many rows as parameters of a task; of another family, the region's."""
    return _anything() if family_of(region).name == LOW_RANK_SPARSE else region.draw()


def _answers(context: Context) -> Outcome:
    context.run()  # a hard fault fails the trial
    return Outcome(True, 1.0)


def _without(fault: Fault):
    def check(context: Context) -> Outcome:
        detail = context.run().faults.get(fault)
        if detail is None:
            return Outcome(True, 1.0)
        return Outcome(False, -1.0, f"the solver {fault.value}: {detail}", fault=fault)

    return check


_dense = _without(TOO_DENSE)


def _sparse_enough(context: Context) -> Outcome:
    """A threshold keeps what is large, not k entries: that these are at most k is promised inside the region only."""
    depth = context.region.depth(context.configuration)
    if context.traits.thresholds and depth.margin < 0:
        return Outcome(False, note=f"outside the region {context.region.name}, by its {depth.binding}", in_scope=False)
    return _dense(context)


def _anything_and_inside(region: Region) -> st.SearchStrategy[Configuration]:
    return anything(region) | strategies.inside(region, sizes=strategies.TINY, corners=("plain", "signs"))


register(
    Claim(
        name="conduct/answers",
        statement="The solver answers every valid problem with finite parameters of the right shape, within the limits.",
        cite=_CITE,
        kind=Always(p1=0.9),
        families=None,
        configurations=anything,
        check=_answers,
        requires=(),
        inside=False,
    )
)

_CONDUCT = {
    "input-unmodified": (Fault.INPUT_MODIFIED, "The solver leaves its input as it was."),
    "orthonormal-basis": (NOT_ORTHONORMAL, "The columns of the returned U are orthonormal."),
    "prints-nothing": (Fault.PRINTS, "The solver prints nothing."),
    "one-process": (Fault.FORKS, "The solver starts no other processes."),
    "own-randomness": (
        Fault.GLOBAL_RANDOM_STATE,
        "The solver leaves global random state alone and draws from its rng.",
    ),
}

for _name, (_fault, _statement) in _CONDUCT.items():
    register(
        Claim(
            name=f"conduct/{_name}",
            statement=_statement,
            cite=_CITE,
            kind=Always(p1=0.9),
            families=None if _fault is not NOT_ORTHONORMAL else (LOW_RANK_SPARSE,),
            configurations=anything,
            check=_without(_fault),
            inside=False,
        )
    )
register(
    Claim(
        name="conduct/sparse-enough",
        statement="No task's b has more than k non-zeros (of a solver with thresholds: inside its region).",
        cite="‖b⁽ⁱ⁾‖₀ ≤ k is part of the objective [S]; supp b ⊆ supp b*, sparse-vector lemma [D], for thresholds",
        kind=Always(p1=0.9),
        configurations=_anything_and_inside,
        check=_sparse_enough,
        inside=False,
    )
)
