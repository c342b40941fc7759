"""Calibration on a cheap solver (iterative hard thresholding), and a lock file that cannot be tampered with."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from lrs import cli
from lrs.core.errors import InvalidInput
from lrs.core.family import Success
from lrs.families.low_rank_sparse.generate import InstanceSpec
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.solver import Solution, Status, load_solver
from theory.language.symbols import constant_symbol
from theory.statistics import calibration as cal
from theory.statistics.evidence import BinomialTest

QUICK = BinomialTest(p0=0.95, p1=0.8, alpha=0.01, beta=0.01)


def iht(problem, *, rng, callback=None):
    """Normalised iterative hard thresholding of one sparse regression."""
    X, y = problem.data.task(0)
    k, d = problem.sparsity, problem.d
    b = np.zeros(d)
    support = np.argsort(-np.abs(X.T @ y))[:k]
    for _ in range(300):
        gradient = X.T @ (y - X @ b)
        on = np.flatnonzero(b) if b.any() else support
        size = (gradient[on] @ gradient[on]) / max(np.linalg.norm(X[:, on] @ gradient[on]) ** 2, 1e-300)
        step = b + size * gradient
        kept = np.argpartition(-np.abs(step), k - 1)[:k]
        new = np.zeros(d)
        new[kept] = step[kept]
        if np.linalg.norm(new - b) < 1e-10 * np.linalg.norm(new):
            break
        b = new
    model = LRSModel(np.zeros((d, 0)), np.zeros((1, 0)), sparse.csr_array(new[None]))
    return Solution(model, Status.CONVERGED, 1)


def half_data(problem, *, rng, callback=None):
    """The same on the first half of the rows: a variant of half the efficiency."""
    rows = np.arange(problem.data.n) < problem.data.n // 2
    return iht(replace(problem, data=problem.data.rows(rows)), rng=rng)


def broken(problem, *, rng, callback=None):
    raise np.linalg.LinAlgError("never works")


def draw(rng, scale):
    return {"d": int(rng.integers(40, 81)) * scale, "r": 0, "k": int(rng.integers(2, 7))}


def boundary(constant, sizes):
    return InstanceSpec(t=1, m=math.ceil(constant * sizes["k"] * math.log(sizes["d"])), **sizes)


constant_symbol("C_iht", "C_{k}", "constant of the rows that iterative hard thresholding needs")
SHELLS = cal.Shells("C_iht", "m >= C_iht*k*log(d)", draw, boundary)
GRID = tuple(5 * 2 ** (-j / 2) for j in range(8))


@pytest.fixture(scope="module")
def reference():
    return cal.calibrate(SHELLS, iht, grid=GRID, test=QUICK, trials=80)


def test_descent_keeps_the_last_certified_constant(reference):
    certified = [shell.certified for shell in reference.shells]
    stop = certified.index(False)
    assert stop > 0
    assert reference.value == GRID[stop - 1]
    assert reference.refuted == reference.shells[-1].constant < reference.value
    assert reference.shells[-1].below
    assert [shell.constant for shell in reference.shells] == list(GRID[: len(certified)])
    for shell in reference.shells:
        test = QUICK.verdict(shell.successes, shell.failures)
        assert shell.certified == (test.name == "CONFIRMED")
    assert reference.doubts == ("it has no hold-out",)


def held(calibration, certified):
    """The calibration with a hold-out of 230 of 250 trials, called certified or not."""
    return replace(
        calibration, hold_out=cal.ShellResult(calibration.value, 230, 20, certified, False), hold_out_scale=2
    )


def test_a_constant_is_certified_by_its_hold_out_and_inside_its_grid_only(reference, tmp_path):
    good = held(reference, True)
    assert (good.certified, good.doubts) == (True, ())
    assert (good.to_constant().status, good.to_constant().value) == ("calibrated", reference.value)
    failed = held(reference, False)
    assert failed.doubts == ("its hold-out at 2 d failed (230 of 250 recovered)",)
    for end, word in (("top", reference.grid[reference.grid.index(reference.value) :]), ("end", None)):
        grid = word or reference.grid[: reference.grid.index(reference.value) + 1]
        stuck = replace(good, grid=grid)
        assert stuck.doubts == (f"{reference.value:g} is the {end} of its grid",)
        assert stuck.to_constant().status == "NOT CERTIFIED"
    constant = failed.to_constant()
    assert (constant.status, constant.value) == ("NOT CERTIFIED", reference.value)
    assert constant.source.startswith("NOT CERTIFIED: its hold-out at 2 d failed (230 of 250")
    name = f"{__name__}:iht"
    path = cal.write_lock(tmp_path / "lock.json", {name: [replace(failed, solver=cal.identity(name))]})
    assert json.loads(path.read_text(encoding="utf-8"))["solvers"][name]["calibrations"][0]["certified"] is False
    assert cal.constants(name, path) == {}
    assert cal.constants(name, path, certified=False)["C_iht"].status == "NOT CERTIFIED"
    cal.write_lock(path, {name: [replace(good, solver=cal.identity(name))]}, overwrite=True)
    assert cal.constants(name, path)["C_iht"].status == "calibrated"


def test_a_calibration_is_reproducible_and_seeded(reference):
    again = cal.calibrate(SHELLS, iht, grid=GRID[:3], test=QUICK, trials=80)
    assert again.shells == reference.shells[:3]
    runs = [cal.run_shell(SHELLS, iht, 1.4, QUICK, 30, (1, seed)) for seed in (0, 0, 1, 2)]
    assert runs[0] == runs[1]
    assert len({(r.successes, r.failures) for r in runs}) > 1


def test_hold_out_at_four_times_the_dimension(reference):
    # The critical constant has a success probability of .91, between p₁ and p₀: 80 trials leave that open as often as not.
    held = cal.hold_out(reference, SHELLS, iht, scale=4, trials=1000)
    assert held.hold_out.constant == reference.value
    assert held.hold_out.certified
    assert held.hold_out_scale == 4
    other = replace(SHELLS, bound="m >= C_iht*k")
    with pytest.raises(InvalidInput, match=r"^shells: C_iht of 'm >= C"):
        cal.hold_out(reference, other, iht)


def test_efficiency_of_a_variant(reference):
    variant = cal.calibrate(SHELLS, half_data, grid=tuple(2 * c for c in GRID), test=QUICK, trials=80)
    ratio = cal.efficiency(reference, variant)
    assert ratio.ratio == pytest.approx(0.5)
    assert ratio.low <= 0.5 <= ratio.high
    same = cal.efficiency(reference, reference)
    assert same.ratio == 1
    assert same.low < 1 < same.high
    with pytest.raises(InvalidInput, match=r"^variant: calibrated on another bound, with another test or another cri"):
        cal.efficiency(reference, replace(variant, test=BinomialTest()))
    with pytest.raises(InvalidInput, match=r"^variant: calibrated .* another criterion than the reference"):
        cal.efficiency(reference, replace(variant, criterion="theta"))


def one_task_short(problem, *, rng, callback=None):
    """Right but for one task of eighty, whose error is 1e-5 of it and below 1e-6 of all: not recovered."""
    solution = load_solver("ridge")(problem, rng=rng)
    theta = solution.model.theta
    theta[0] *= 1 + 1e-5
    scale = np.linalg.norm(theta) / np.linalg.norm(theta[0])
    assert scale > 20
    U, s, Vt = np.linalg.svd(theta.T, full_matrices=False)
    return Solution(LRSModel(U, (s[:, None] * Vt).T, sparse.csr_array(theta.shape)), Status.CONVERGED, 1)


def test_every_task_has_to_be_right_and_the_criterion_is_named(reference):
    assert (reference.criterion, reference.tolerance) == ("all", 1e-6)
    assert "recovered by the criterion 'all' to 1e-06" in reference.to_constant().source
    shells = cal.Shells(
        "C_iht", "m >= C_iht", lambda rng, scale: {}, lambda c, sizes: InstanceSpec(t=900, m=6, d=3, r=3, k=0)
    )
    loose = replace(shells, success=Success("theta", 1e-6))
    assert cal.run_shell(shells, one_task_short, 1.0, QUICK, 3, (1,)).successes == 0
    assert cal.run_shell(loose, one_task_short, 1.0, QUICK, 3, (1,)).successes == 3
    with pytest.raises(InvalidInput, match=r"^shells: judged by 'theta' to 1e-06, but the calibration by 'all'"):
        cal.hold_out(reference, replace(SHELLS, success=Success("theta")), iht)


def test_a_shell_that_does_not_exist_and_a_solver_that_does_not_load_are_nobody_s_failures():
    with pytest.raises(InvalidInput, match=r"^solver: no solver named 'nobody'"):
        cal.calibrate(SHELLS, "nobody", grid=GRID, test=QUICK, trials=5)
    with pytest.raises(InvalidInput, match="is of low-rank-sparse"):
        cal.calibrate(SHELLS, "gd-symmetric", grid=GRID, test=QUICK, trials=5)


def test_a_solver_that_never_works_gets_no_constant(reference):
    none = cal.calibrate(SHELLS, broken, grid=GRID, test=QUICK, trials=80)
    assert none.value is None
    assert none.refuted == GRID[0]
    assert len(none.shells) == 1
    assert np.isnan(cal.efficiency(reference, none).ratio)
    assert cal.efficiency(reference, none).low == 0
    with pytest.raises(InvalidInput, match=r"^calibration: C_iht has no certified value"):
        cal.hold_out(none, SHELLS, broken)


def test_averaging_over_the_region_certifies_what_fails_on_its_boundary(reference):
    """Why shells: draws from all of {m ≥ C g} pass at a C whose own boundary fails."""
    weak = 1.5
    inside = replace(
        SHELLS,
        draw=lambda rng, scale: {**draw(rng, scale), "slack": int(rng.integers(0, 100))},
        spec=lambda c, sizes: boundary(
            c * math.exp(sizes["slack"] / 50), {n: v for n, v in sizes.items() if n != "slack"}
        ),
    )
    averaged = cal.run_shell(inside, iht, weak, QUICK, 200, (5, 0))
    on_boundary = cal.run_shell(SHELLS, iht, weak, QUICK, 200, (5, 0))
    assert averaged.certified
    assert not on_boundary.certified


# ------------------------------------------------------------------------------------------------ the lock file
@pytest.fixture
def lock(tmp_path, reference):
    return cal.write_lock(tmp_path / "lock.json", {f"{__name__}:iht": [replace(reference, solver=cal.identity(iht))]})


def test_lock_round_trip(lock, reference):
    (read,) = cal.read_lock(lock)[f"{__name__}:iht"]
    assert read == reference
    document = json.loads(lock.read_text(encoding="utf-8"))
    entry = document["solvers"][f"{__name__}:iht"]
    assert entry["constants"] == {"C_iht": reference.value}
    assert len(entry["hash"]) == 64


def test_lock_is_added_to_and_not_replaced_in_silence(lock, reference):
    cal.write_lock(lock, {"other": [reference]})
    assert set(cal.read_lock(lock)) == {f"{__name__}:iht", "other"}
    with pytest.raises(InvalidInput, match="holds constants of 'other' already"):
        cal.write_lock(lock, {"other": [reference]})
    cal.write_lock(lock, {"other": []}, overwrite=True)
    assert "other" not in cal.read_lock(lock)


@pytest.mark.parametrize(
    "edit",
    [
        lambda entry: entry["calibrations"][0].update(value=0.01),
        lambda entry: entry["constants"].update(C_iht=0.01),
        lambda entry: entry["calibrations"][0].update(seed=7),
        lambda entry: entry["calibrations"][0]["grid"].pop(),
        lambda entry: entry["calibrations"][0]["shells"][0].update(failures=0, successes=999),
        lambda entry: entry["calibrations"][0].update(solver="mine:solver()"),
        lambda entry: entry.pop("hash"),
        lambda entry: entry.update(calibrations=3),
    ],
)
def test_an_edited_lock_is_refused(edit, lock):
    document = json.loads(lock.read_text(encoding="utf-8"))
    (entry,) = document["solvers"].values()
    edit(entry)
    lock.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InvalidInput, match="were edited by hand; make them again with lrs calibrate"):
        cal.read_lock(lock)


def test_a_renamed_entry_is_an_edited_one(lock):
    document = json.loads(lock.read_text(encoding="utf-8"))
    document["solvers"] = {"amht": next(iter(document["solvers"].values()))}
    lock.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InvalidInput, match="the constants of 'amht' were edited by hand"):
        cal.read_lock(lock)


def test_constants_of_another_solver_are_refused(tmp_path, reference):
    path = cal.write_lock(tmp_path / "lock.json", {"amht": [reference]})  # made by iht, filed under amht
    with pytest.raises(InvalidInput, match=r"'amht' were made by another solver, .*iht\(\); 'amht' is lrs.amht"):
        cal.calibrations("amht", path)
    with pytest.raises(InvalidInput, match="no constants of 'mine', it holds those of amht"):
        cal.constants("mine", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "not a lock file of constants"),
        ("[1]", "not a lock file of constants"),
        ('{"format": "other"}', "not a lock file of constants"),
        ('{"format": "lrs-toolkit constants", "version": 99}', "version 99, this toolkit reads up to version 3"),
    ],
)
def test_other_files_are_refused(text, message, tmp_path):
    path = tmp_path / "lock.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=message):
        cal.read_lock(path)


def test_missing_lock(tmp_path):
    with pytest.raises(InvalidInput, match="no such lock file; make one with lrs calibrate"):
        cal.read_lock(tmp_path / "none.json")


def test_identity_tells_parameters_from_defaults():
    from lrs.amht import AMHT

    assert cal.identity(AMHT()) == cal.identity("amht")
    assert cal.identity(AMHT(attempts=5)) == cal.identity(AMHT()).replace("()", "(attempts=5)")
    assert cal.identity(iht).endswith("test_calibration:iht()")


# ------------------------------------------------------------------------------------------------ the theorem's bounds
def test_corner_lies_on_both_boundaries():
    spec = cal.corner({"C_task": 2.5, "C_total": 1.5}, {"d": 20, "r": 2, "k": 3})
    assert spec.m == math.ceil(2.5 * 8)
    assert spec.t == math.ceil(1.5 * 3 * 20 * 16 / spec.m)
    assert cal.corner({"C_task": 2.5, "C_total": 1e-9}, {"d": 20, "r": 2, "k": 3}).t == 2  # the weights must span


def test_theorem_shells_name_their_bound():
    shells = cal.theorem_shells("C_total", 3.0)
    assert shells.bound == "m*t >= C_total*d*k*r**4"
    assert shells.spec(2.0, {"d": 20, "r": 1, "k": 4}) == cal.corner(
        {"C_task": 3.0, "C_total": 2.0}, {"d": 20, "r": 1, "k": 4}
    )
    with pytest.raises(InvalidInput, match=r"^name: expected 'C_task' or 'C_total'"):
        cal.theorem_shells("C", 3.0)


def test_shipped_constants_belong_to_the_reference_solver():
    frozen = cal.calibrations("amht")
    assert set(frozen) == {"C_task", "C_total"}
    assert cal.constants("amht") == {}
    for name, calibration in frozen.items():
        assert cal.constants("amht", certified=False)[name].value == calibration.value
        assert not calibration.certified  # the paper's shape fails at twice the dimension
        shells = {shell.constant: shell for shell in calibration.shells}
        assert shells[calibration.value].certified
        assert calibration.hold_out is not None
        assert calibration.bound == cal.theorem_shells(name, 1.0).bound
        assert calibration.configurations == cal.theorem_shells(name, 1.0).configurations


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cal.calibrate(SHELLS, iht, grid=(1, 2)), "grid: expected positive numbers"),
        (lambda: cal.calibrate(SHELLS, iht, grid=()), "grid: expected positive numbers"),
        (lambda: cal.calibrate(SHELLS, iht, grid=(1.0,), trials=0), "trials: expected at least 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidInput, match=f"^{message}"):
        call()


# ------------------------------------------------------------------------------------------------ the verb
def test_calibrate_verb_on_a_solver_that_never_works(capsys, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "never.py").write_text(
        "def solver(problem, *, rng, callback=None):\n    raise ValueError('no')\n", encoding="utf-8"
    )
    out = tmp_path / "lock.json"
    code = cli.run(["calibrate", "--solver", "never:solver", "--steps", "2", "--top", "4", "--json", "-o", str(out)])
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert code == 1
    assert document["constants"] == {"C_task": None}
    assert not out.exists()
    assert "too small" in captured.err


def test_calibrate_verb_refuses_nonsense(capsys, tmp_path):
    assert cli.run(["calibrate", "--p0", "0.5", "--p1", "0.6"]) == 2
    assert "p1: the tolerated alternative must lie below" in capsys.readouterr().err
    assert cli.run(["calibrate", "--reference", "amht", "--lock", str(tmp_path / "none.json")]) == 2
    assert "no such lock file" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ the lemma's constant
def lemma_violations(m, v_error, d=200, k=5, c1=0.25, states=800):
    """States in which one sparse step breaks ‖c − b*‖_∞ ≤ Δ, and those in which it lets a false coordinate in.

    A state has b − b* uniform in ±γ on the true support with γ = 1, and v − v* in a random direction of length ``v_error``.
    """
    broken = false = 0
    for i in range(states):
        rng = np.random.default_rng([3, 8, i])
        X = rng.standard_normal((m, d))
        support = rng.permutation(d)[:k]
        truth = np.zeros(d)
        truth[support] = rng.uniform(0.5, 1.5, k) * rng.choice([-1, 1], k)
        v = rng.standard_normal(d)
        v *= v_error / np.linalg.norm(v)
        b = truth.copy()
        b[support] += rng.uniform(-1, 1, k)
        c = b - X.T @ (X @ (b - truth) + X @ v) / m
        threshold = np.abs(v).max() + c1 * (1.0 + v_error / math.sqrt(k))
        broken += bool(np.abs(c - truth).max() > threshold)
        false += bool((np.abs(c[truth == 0]) > threshold).any())
    return broken, false


def test_support_containment_holds_from_fifteen_k_log_d():
    assert 15 * 5 * math.log(200) <= 400
    assert lemma_violations(400, 1.0) == (0, 0)


def test_support_containment_fails_below_four_k_log_d():
    assert 4 * 5 * math.log(200) > 100
    broken, false = lemma_violations(100, 1.0, states=200)
    assert broken > 40
    assert false > 40


@pytest.mark.slow
def test_the_lemma_needs_more_when_only_b_is_wrong():
    """With v all but exact nothing pads the threshold: fifteen is then not quite enough, thirty is."""
    assert 0 < lemma_violations(400, 0.1)[0] < 40
    assert lemma_violations(800, 0.1) == (0, 0)
