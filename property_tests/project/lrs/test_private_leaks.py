"""Attacks on a private run: what one user does to its rows must show nowhere but in its own bounded contribution.

The rule: what is wrong with the schema is refused before anything is looked at; whatever one user's values are, that user adds
zero or is clipped, and nothing else shows.
"""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from lrs import InstanceSpec, InvalidInput, LRSRegressor, MultiTaskData, PrivateAMHT, Problem, generate, solve
from lrs.private import Clip, Cohort, Request, statistics
from lrs.private.server import user_group

LEVELS = Clip(x=5.0, y=6.6, xb=4.7, w=2.4)
DATA = generate(InstanceSpec(t=40, m=12, d=8, r=1, k=1), 0).problem.data
TARGET = ("--solver", "private-amht", "--epsilon", "1", "--delta", "1e-6", "-r", "1", "-k", "1")
COLUMNS = ("--task", "user", "--target", "y")
SEEDED = ("--seed", "1", "--insecure-seed")


def private(**options) -> PrivateAMHT:
    return PrivateAMHT(**{"epsilon": 1.0, "delta": 1e-6, "clip": LEVELS, "insecure_seed": 1, **options})


def lines(data: MultiTaskData = DATA) -> list[str]:
    """The records of a table, users u10 … u49."""
    return [
        ",".join([f"u{10 + i}", *(repr(float(v)) for v in x), repr(float(y))])
        for i, x, y in zip(data.groups, data.X, data.y, strict=True)
    ]


HEADER = ",".join(["user", *(f"x{j}" for j in range(8)), "y"])


@pytest.fixture
def fitted(run, tmp_path, monkeypatch):
    """``fitted(records, *options)``: exit code, JSON and the data that the private solver got, by user."""

    def fit(records, *options, name="users.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes("\n".join([HEADER, *records, ""]).encode(encoding, "surrogateescape"))
        seen = []
        call = PrivateAMHT.__call__
        with monkeypatch.context() as patch:

            def spy(self, problem, **rest):
                seen.append(problem.data)
                return call(self, problem, **rest)

            patch.setattr(PrivateAMHT, "__call__", spy)
            code, out, err = run("solve", str(path), *COLUMNS, *TARGET, *SEEDED, *options, "--json")
        assert code == 0, err
        data = seen[0]
        users = {str(n): (X.tobytes(), y.tobytes()) for n, (X, y) in zip(data.task_names, data, strict=True)}
        return json.loads(out), users

    return fit


def others(users, who):
    return {name: rows for name, rows in users.items() if name != who}


# ---------------------------------------------------------------- leak 1: the split
@pytest.mark.parametrize("options", [(), ("--train", "0.75")])
def test_a_user_that_sorts_first_does_not_move_the_rows_of_the_others(fitted, options):
    _, without = fitted(lines(), *options)
    _, with_it = fitted([r.replace("u10", "a0") for r in lines() if r.startswith("u10")] + lines(), *options)
    assert set(with_it) == {*without, "a0"}
    assert others(with_it, "a0") == without
    if not options:
        assert len(without["u10"][1]) == 8 * 12, "all rows are fitted unless told otherwise"


# ---------------------------------------------------------------- leak 2: floating-point noise
@pytest.mark.parametrize("release", ["gradient", "statistics"])
def test_released_numbers_lie_on_a_lattice_that_tells_nothing(release):
    """The low bits of noise plus sum told membership: multiples of one public unit have none."""
    for tasks in (np.arange(40), np.arange(39)):
        problem = Problem(DATA.select(tasks), 1, 1)
        solver = private(release=release, insecure_seed=None)
        for entry, noisy in solve(problem, solver).info["transcript"].releases:
            unit = 2.0 ** (np.frexp(entry.sensitivity)[1] - 1 - 30)
            whole = 2 * noisy / unit  # twice, as symmetric sums are halved
            assert np.array_equal(whole, np.rint(whole)), entry.name


@pytest.mark.parametrize("kind", ["moment", "gradient", "statistics"])
def test_a_user_changes_an_exact_sum_by_its_own_contribution_and_not_by_a_bit_more(kind):
    """Sums of floats depend on order and size of all terms, so that rounding tells of others (Casacuberta et al. 2022)."""
    request = Request(1, kind, np.linalg.qr(np.eye(8, 2) + 0.1)[0], LEVELS, 1)
    data = MultiTaskData(DATA.X, DATA.y * np.repeat(10.0 ** np.linspace(-6, 6, 40), 12), DATA.offsets)
    whole = Cohort(data).answer(request)
    for user in (0, 17, 39):
        rest = Cohort(data.select([i for i in range(40) if i != user])).answer(request)
        alone = Cohort(data.select([user])).answer(request)
        for name, value in whole.items():
            assert np.array_equal(value - rest[name], alone[name]), name


@pytest.mark.parametrize("kind", ["moment", "gradient", "statistics"])
def test_not_a_bit_of_what_a_user_works_out_depends_on_who_else_is_there(kind, monkeypatch):
    """Before anything is rounded: one matrix product of all users rounds by where in it a user stands."""
    seen = []
    monkeypatch.setattr(statistics, "contribution", lambda name, each, *_, **__: seen.append(each) or np.zeros(1))
    rng = np.random.default_rng(0)
    for d, r, m in ((5, 1, 3), (8, 2, 12), (20, 3, 7), (33, 4, 40)):
        data = generate(InstanceSpec(t=23, m=m, d=d, r=r, k=1), 1).problem.data
        U, S = np.linalg.qr(rng.standard_normal((d, r)))[0], rng.standard_normal((d, d))
        request = Request(1, kind, U, LEVELS, 1, whiten=S @ S.T + np.eye(d), features=True)
        for users in ([4], [4, 9], range(3, 23), range(5)):
            for cohort in (data, data.select(list(users))):
                Cohort(cohort).answer(request)
            half = len(seen) // 2
            for whole, part in zip(seen[:half], seen[half:], strict=True):
                assert np.array_equal(whole[list(users)], part)
            seen.clear()


# ---------------------------------------------------------------- leak 3: values that stop the run
HUGE = [(1e160, 1e160), (1e308, 1.0), (1e-160, 1e160), (1e308, 1e308), (5e-324, 5e-324), (0.0, 1.0), (1.0, 0.0)]


@pytest.mark.parametrize(("x", "y"), HUGE)
@pytest.mark.parametrize("release", ["gradient", "statistics"])
def test_no_finite_values_of_a_user_stop_the_run(release, x, y):
    rng = np.random.default_rng(3)
    rows = [*(X for X, _ in DATA), x * np.sign(rng.standard_normal((6, 8)))]
    responses = [*(v for _, v in DATA), y * np.sign(rng.standard_normal(6))]
    problem = Problem(MultiTaskData.from_arrays(rows, responses), 1, 1)
    found = solve(problem, private(release=release)).info["transcript"]
    usual = solve(Problem(DATA, 1, 1), private(release=release)).info["transcript"]
    assert [a.shape for _, a in found.releases] == [a.shape for _, a in usual.releases]
    assert all(np.isfinite(U).all() for U in found.subspaces)
    (entry, noisy), (_, before) = found.releases[0], usual.releases[0]
    assert np.linalg.norm(noisy - before) <= entry.sensitivity, "the same noise: the difference is the user"


def test_no_rows_whatever_reach_the_sums_of_the_others():
    """Rows of any size and shape: collinear, constant, subnormal, fewer than parameters."""
    rng = np.random.default_rng(8)
    good = [DATA.task(i) for i in range(4)]
    requests = [Request(1, kind, np.eye(8, 2), LEVELS, 2) for kind in ("moment", "gradient", "statistics")]
    known = [Cohort(MultiTaskData.from_arrays(*map(list, zip(*good, strict=True)))).answer(r) for r in requests]
    for _ in range(25):
        m = int(rng.choice([1, 2, 12, 20]))
        X = rng.standard_normal((m, 8)) * 10.0 ** rng.uniform(-320, 307, (1 if rng.random() < 0.5 else m, 8))
        X[:, rng.integers(8)] = X[:, 0] if rng.random() < 0.5 else 0.0
        if rng.random() < 0.3:
            X[:] = X[0]
        user = X, rng.standard_normal(m) * 10.0 ** rng.uniform(-320, 307)
        place = int(rng.integers(5))
        both = Cohort(MultiTaskData.from_arrays(*map(list, zip(*good[:place], user, *good[place:], strict=True))))
        alone = Cohort(MultiTaskData.from_arrays([user[0]], [user[1]]))
        for request, before in zip(requests, known, strict=True):
            added, total = alone.answer(request), both.answer(request)
            assert all(np.array_equal(total[name] - before[name], added[name]) for name in before)


# ---------------------------------------------------------------- leak 4: the estimator
def test_the_estimator_centres_by_nothing_and_keeps_nothing_of_a_user():
    sizes = []
    for t in (20, 40):
        data = DATA.select(np.arange(t))
        labels = np.array([f"user-{g}" for g in data.groups])
        y = data.y.copy()
        y[data.groups == 0] = 1e6
        fitted = LRSRegressor(1, 1, solver=private(), fit_intercept=True).fit(data.X, y, groups=labels)
        assert fitted.intercept_ == 0
        text = pickle.dumps(fitted)
        assert b"user-" not in text
        sizes.append(len(text))
        with pytest.raises(InvalidInput, match="never leave the users"):
            fitted.predict(data.X, groups=labels)
        assert fitted.model_.adapt(np.column_stack([data.X[:12], np.ones(12)]), y[:12]).w.shape == (1,)
    assert abs(sizes[0] - sizes[1]) < 50, "a pickle that grows with the users holds something of them"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["X", "y"])
def test_a_missing_value_of_a_user_does_not_stop_the_estimator(value, where):
    X, y = DATA.X.copy(), DATA.y.copy()
    (X if where == "X" else y)[5] = value
    found = LRSRegressor(1, 1, solver=private()).fit(X, y, groups=DATA.groups)
    left_out = DATA.groups != 0
    usual = LRSRegressor(1, 1, solver=private()).fit(DATA.X[left_out], DATA.y[left_out], groups=DATA.groups[left_out])
    assert np.array_equal(found.model_.U, usual.model_.U), "that user adds zero"


# ---------------------------------------------------------------- leak 5: groups
def test_groups_need_ids_and_depend_on_nobody_else():
    with pytest.raises(InvalidInput, match="groups: users need ids of their own"):
        solve(Problem(DATA, 1, 1), private(groups=True))
    unnamed = [DATA.select(np.arange(20)), DATA.select(np.arange(20, 40))]
    with pytest.raises(InvalidInput, match="groups: users need ids of their own"):
        private(groups=True).train(unnamed, d=8, rank=1, sparsity=1, rng=np.random.default_rng(0))
    names = [f"u{i}" for i in range(40)]
    assert [user_group(n, 4) for n in names[1:]] == [user_group(n, 4) for n in names][1:]


def test_groups_of_a_table_do_not_change_with_who_takes_part(fitted):
    document, _ = fitted(lines(), "--groups")
    assert {r["group"] for r in document["privacy"]["releases"]} == {None, *range(20)}


# ---------------------------------------------------------------- small ones
def test_no_noise_is_called_no_privacy_and_a_large_delta_is_warned_of(run, tmp_path):
    path = tmp_path / "users.csv"
    path.write_text("\n".join([HEADER, *lines(), ""]))
    common = ("solve", str(path), *COLUMNS, "--solver", "private-amht", "-r", "1", "-k", "1")
    code, out, _ = run(*common, "--epsilon", "inf", "--delta", "1e-6")
    text = " ".join(out.split())
    assert code == 0
    assert "secure" not in text
    assert "nothing of this run may be published" in text
    assert "not private at all" in text
    code, out, _ = run(*common, "--epsilon", "1", "--delta", "0.3")
    assert "δ = 0.3 is not below one over the number of users" in " ".join(out.split())
    code, out, _ = run(*common, "--epsilon", "1", "--delta", "1e-6")
    assert "WARNING" not in out
    assert "only the server model and U may be published" in " ".join(out.split())


def test_rank_and_sparsity_are_asked_for_before_a_row_is_read(run, tmp_path):
    path = tmp_path / "users.csv"
    path.write_text(HEADER + "\n")  # a table that cannot be fitted: the option is what is refused
    code, _, err = run("solve", str(path), *COLUMNS, "--solver", "private-amht", "--epsilon", "1", "--delta", "1e-6")
    assert code == 2
    assert "rank: a table does not say its rank" in err


# ---------------------------------------------------------------- attacks on the reader of tables
CELLS = {
    "text": "abc",
    "empty": "",
    "infinite": "inf",
    "beyond the largest number": "1e999",
    "not a number": "nan",
    "huge": "1e160",
    "not UTF-8": "\udcff",
    "NUL": "\0",
    "an open quotation mark": '"0.5',
    "one field too many": "1,2",
    "a very long field": "9" * 200_000,
}


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_of_a_user_stops_the_run_or_reaches_another_user(fitted, cell):
    records = lines()
    usual, before = fitted(records)
    row = next(i for i, r in enumerate(records) if r.startswith("u25"))
    fields = records[row].split(",")
    fields[3] = CELLS[cell]
    records[row] = ",".join(fields)
    document, after = fitted(records)
    assert others(after, "u25") == others(before, "u25")
    assert document.keys() == usual.keys()
    assert document["privacy"].keys() == usual["privacy"].keys()


def test_a_line_cut_short_does_not_stop_the_run(fitted):
    records = lines()
    row = next(i for i, r in enumerate(records) if r.startswith("u25"))
    _, before = fitted(records)
    for cut in ("u25,1.0", "u25", "", ",".join(["", *records[row].split(",")[1:]])):
        _, after = fitted([*records[:row], cut, *records[row + 1 :]])
        assert others(after, "u25") == others(before, "u25")


def test_the_id_of_one_user_does_not_change_the_ids_of_the_others(fitted):
    """Ids that all look like numbers became numbers, until somebody was called otherwise: another order, other groups."""
    numbers = [r[1:] for r in lines()]
    _, before = fitted(numbers)
    _, after = fitted([*numbers, *(r.replace("u10", "zoe") for r in lines() if r.startswith("u10"))])
    assert others(after, "zoe") == before


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        (HEADER.replace("user", "who"), COLUMNS, "task: no column 'user'"),
        (HEADER, ("--task", "user"), "target: name the target column"),
        (HEADER, (*COLUMNS, "--features", "x0,x9"), "features: 'x9' is no feature column"),
        (HEADER.replace("x1", "x0"), COLUMNS, "occur more than once"),
    ],
)
def test_a_wrong_schema_is_refused_before_any_value_is_looked_at(run, tmp_path, header, options, message):
    path = tmp_path / "users.csv"
    path.write_text(header + "\n" + "x" * 100 + '"\n')  # values that no reader could read
    code, out, err = run("solve", str(path), *options, *TARGET)
    assert code == 2
    assert message in err
    assert out == ""


def test_a_parquet_table_is_read_user_by_user(run, tmp_path):
    import pandas as pd

    frame = pd.DataFrame(DATA.X, columns=[f"x{j}" for j in range(8)]).assign(user=DATA.groups, y=DATA.y)
    frame.loc[5, "x2"] = np.nan
    frame.to_parquet(tmp_path / "users.parquet")
    code, out, err = run("solve", str(tmp_path / "users.parquet"), *COLUMNS, *TARGET, "--json")
    assert code == 0, err
    assert json.loads(out)["unusable_users"] == 1
