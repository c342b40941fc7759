"""Sweeps as values: names, ranges, ratios, cells, identity."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs import InstanceSpec, InvalidInput, generate
from lrs.core.family import Success, load_family
from phase_diagrams.sweeps import identity
from phase_diagrams.sweeps.grid import Axis, Sampling, SweepSpec, build, differences, parse_fixed, read_specification

BASE = {"x": "m=14:40:4", "y": "k=1:6", "fixed": "d=40,r=2,t=60", "replicates": 5, "seed": 1}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("m=14:40:4", (14, 18, 22, 26, 30, 34, 38)),
        ("m=10:80:5", tuple(range(10, 81, 5))),
        ("k=1:6", (1, 2, 3, 4, 5, 6)),
        ("k=3", (3,)),
        ("k=1,4,2", (1, 4, 2)),
        ("k=6:1:-2", (6, 4, 2)),
        ("noise=0:0.3:0.1", (0.0, 0.1, 0.2, 0.3)),  # not 0.30000000000000004
        ("noise=1e-3:1e-1:*10", (0.001, 0.01, 0.1)),
        ("m=10:160:*2", (10, 20, 40, 80, 160)),
        ("x_law=gaussian,rademacher", ("gaussian", "rademacher")),
        ("kappa=none,4", (None, 4.0)),
    ],
)
def test_values_of_an_axis(text, values):
    assert Axis.parse(text).values == values


@given(st.integers(1, 50), st.integers(0, 40), st.integers(1, 7))
def test_a_range_includes_its_stop_when_a_step_lands_on_it(start, steps, step):
    stop = start + steps * step
    values = Axis.parse(f"m={start}:{stop}:{step}").values
    assert values[-1] == stop
    assert Axis.parse(f"m={start}:{stop + step - 1}:{step}").values == values


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"x": "mm=3"}, "did you mean 'm'"),
        ({"x": "noize=0:1:0.1"}, "did you mean 'noise'"),
        ({"x": "m=10:20:0"}, "step 0"),
        ({"x": "m=20:10"}, "empty"),
        ({"x": "m=1.5"}, "whole numbers"),
        ({"x": "m=a:b"}, "not a number"),
        ({"x": "m"}, "name=values"),
        ({"x": "m=5,5"}, "more than once"),
        ({"x": "m=nan"}, "not finite"),
        ({"x": "m=1:1e12"}, "larger step"),
        ({"x": "m/m=1"}, "always 1"),
        ({"x": "m/noise=1"}, "not a ratio"),
        ({"x": "m=1:3", "y": "m=1:3"}, "'m' is given twice"),
        ({"x": "m=1:3", "y": "m/d=.1,.2"}, "both set m"),
        ({"x": "k=1:3"}, "given twice|m missing"),
        ({"fixed": "d=40,r=2"}, "t missing"),
        ({"fixed": "d=40,r=2,t=60,m=3"}, "given twice"),
        ({"fixed": "d=40,d=41,r=2,t=60"}, "given twice"),
        ({"fixed": "d=40,r=2,t"}, "name=value"),
        ({"x": "m/k=3", "y": "k/m=3"}, "circle"),
        ({"solvers": ["amht", "amht"]}, "twice"),
        ({"replicates": 0}, "at least 1"),
        ({"seed": -1}, "at least 0"),
        ({"success": "most"}, "all, theta, subspace, parts or a fraction"),
        ({"success": "1.5"}, "lies in"),
        ({"tolerance": -1.0}, "positive"),
        ({"nested": "k"}, "only m"),
        ({"nested": "m/d"}, "not an axis"),
        ({"nested": "m", "y": "k/m=.1,.2"}, "changes with m"),
        ({"precision": 0.0}, "positive half-width"),
        ({"precision": 1.0, "confidence": 1.2}, r"\[0.5, 1\)"),
        ({"precision": 1.0, "x": "m=10,5,20"}, "increasing"),
        ({"precision": 1.0, "x": "m=10,15"}, "at least 3"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, words):
    with pytest.raises(InvalidInput, match=words):
        build({**BASE, **settings})


def test_ratios_set_sizes():
    spec = build({"x": "m/d=0.25,0.5", "y": "k/m=0.1,0.2", "fixed": "d=40,r=2,t/d=2"})
    assert [(c.parameters["m"], c.parameters["k"], c.parameters["t"]) for c in spec.cells] == [
        (10, 1, 80),
        (10, 2, 80),
        (20, 2, 80),
        (20, 4, 80),
    ]


def test_impossible_cells_are_kept_and_say_why():
    spec = build({"x": "m=0,5", "y": "k=3,9", "fixed": "d=4,r=1,t=5"})
    assert [c.spec is None for c in spec.cells] == [True, True, False, True]
    assert "m: expected an integer of at least 1" in spec.cells[0].reason
    assert "k: 9 is outside" in spec.cells[3].reason


def test_cells_are_found_by_index_and_by_coordinates():
    spec = build(BASE)
    assert all(spec.find_cell(f"m={c.coordinates['m']},k={c.coordinates['k']}") is c for c in spec.cells)
    assert all(spec.find_cell(str(c.index)) is c for c in spec.cells)
    for text, words in (("99", "outside"), ("-1", "outside"), ("m=14", "each axis"), ("m=15,k=1", "not on the grid")):
        with pytest.raises(InvalidInput, match=words):
            spec.find_cell(text)


def test_lines_run_along_the_threshold_axis():
    spec = build({**BASE, "x": "k=1:6", "y": "m=14:40:4", "nested": "m"})
    for i, line in enumerate(spec.lines):
        assert [spec.cells[c].coordinates["m"] for c in line] == list(spec.axes[1].values)
        assert len({spec.cells[c].coordinates["k"] for c in line}) == 1
        assert {spec.line_of[c] for c in line} == {i}


# ------------------------------------------------------------------------------------------------ identity
def test_identity_is_the_documented_recipe():
    """Recomputed here from the documentation alone; a change of any step would silently change every sweep's data."""
    import hashlib

    text = '{"d":40,"k":2,"r":2,"t":60}'
    parameters = InstanceSpec(t=60, m=14, d=40, r=2, k=2).to_dict()
    assert identity.cell_text(parameters) == text

    def key(purpose: str, nonce: str = "") -> int:
        words = f"s{len(purpose)}:{purpose}i1:1s{len(text)}:{text}i1:3".encode()
        made = hashlib.blake2b(words, digest_size=16, key=bytes.fromhex(nonce), person=b"lrs-streams-2")
        return int.from_bytes(made.digest(), "big")

    nonce = "0123456789abcdef" * 2
    assert identity.instance_key(1, parameters, 3) == (key("sweep/data"),)
    assert identity.instance_key(1, parameters, 3, nonce) == (key("sweep/data", nonce),)
    assert identity.solver_key(1, parameters, 3, nonce) == (key("sweep/solver", nonce),)


@given(m=st.integers(1, 6), more=st.integers(1, 4), k=st.integers(0, 3), replicate=st.integers(0, 5))
def test_rows_are_nested_in_m(m, more, k, replicate):
    small, large = (InstanceSpec(t=2, m=rows, d=4, r=1, k=k) for rows in (m, m + more))
    key = identity.instance_key(7, small.to_dict(), replicate)
    assert key == identity.instance_key(7, large.to_dict(), replicate)
    a, b = generate(small, key).problem.data, generate(large, key).problem.data.prefix(m)
    assert np.array_equal(a.X, b.X)
    assert np.allclose(a.y, b.y, rtol=1e-14, atol=1e-14)  # products of other shapes round differently


@given(st.permutations(["t", "d", "r", "k"]))
def test_order_of_writing_does_not_change_the_sweep(order):
    fixed = {"t": 60, "d": 40, "r": 2, "noise": 0.5}
    a = SweepSpec(axes=(Axis("m", (1, 2)), Axis("k", (1,))), fixed=fixed)
    b = SweepSpec(
        axes=(Axis("m", (1, 2)), Axis("k", (1,))), fixed={n: fixed[n] for n in [*order, "noise"] if n in fixed}
    )
    assert a.canonical() == b.canonical()
    assert a.hash() == b.hash()


def test_numbers_of_another_type_are_the_same_sweep():
    a = SweepSpec(axes=(Axis("m", (np.int64(5), 6.0)), Axis("kappa", (2,))), fixed={"t": 5, "d": 4, "r": 1, "k": 1})
    b = build({"x": "m=5,6", "y": "kappa=2", "fixed": "t=5,d=4,r=1,k=1"})
    assert a.hash() == b.hash()
    assert identity.cell_text(a.cells[0].parameters) == identity.cell_text(b.cells[0].parameters)


def test_specification_survives_its_file_form():
    spec = build({**BASE, "nested": "m", "success": "0.99", "tolerance": 0.01, "trace": True})
    again = SweepSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again.hash() == spec.hash()
    assert differences(spec, again) == []


def test_differences_are_named():
    spec = build(BASE)
    other = build({**BASE, "x": "m=14:20:2", "fixed": "d=50,r=2,t=60", "tolerance": 1e-3})
    text = "; ".join(differences(spec, other))
    for words in ("axis m: was 14,18", "now 14,16,18,20", "fixed d: was 40, now 50", "success tolerance: was 1e-06"):
        assert words in text


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_specification_files(tmp_path, suffix):
    path = tmp_path / f"sweep.{suffix}"
    if suffix == "toml":
        path.write_text(
            'x = "m=14:40:4"\ny = {k = [1, 2, 3, 4, 5, 6]}\nreplicates = 5\nseed = 1\n[fixed]\nd = 40\nr = 2\nt = 60\n'
        )
    else:
        path.write_text(json.dumps({**BASE, "fixed": {"d": 40, "r": 2, "t": 60}}))
    assert build(read_specification(path)).hash() == build(BASE).hash()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.toml", "x = ", "not valid TOML"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "[1]", "expected a table"),
        ("a.toml", 'replicate = 5\nx = "m=1"', "did you mean 'replicates'"),
        ("a.toml", b"\xff\xfe", "not a text file"),
        ("b.toml", None, "no such file"),
    ],
)
def test_bad_specification_files(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput, match=words):
        build(read_specification(path))


@pytest.mark.parametrize(
    ("success", "good", "bad"),
    [
        (Success(), {"tasks_recovered": 1.0}, {"tasks_recovered": 0.99}),
        (Success(0.9), {"tasks_recovered": 0.9}, {"tasks_recovered": 0.89}),
        (Success("theta"), {"theta_error": 1e-6}, {"theta_error": 1.1e-6}),
        (Success("theta"), {"theta_error": 1e-6}, {"theta_error": float("nan")}),
        (Success("subspace", 0.1), {"subspace_distance": 0.1}, {"subspace_distance": 0.11}),
        (Success("parts"), {}, {"tasks_recovered": 0.99}),
        (Success("parts"), {"subspace_distance": 1e-6}, {"subspace_distance": 1e-5}),
        (Success("parts"), {}, {"support_recall": 0.99}),
    ],
)
def test_success_criteria(success, good, bad):
    perfect = {"tasks_recovered": 1.0, "subspace_distance": 0.0, "support_precision": 1.0, "support_recall": 1.0}
    family = load_family()
    chosen = success.of(family)
    assert chosen.met(family, {**perfect, "theta_error": 0.0, **good})
    assert not chosen.met(family, {**perfect, "theta_error": 0.0, **bad})


def test_fixed_parameters_from_several_options():
    assert parse_fixed(["d=40,r=2", "t=60", "x_law=student-t"]) == {"d": 40, "r": 2, "t": 60, "x_law": "student-t"}
    assert Sampling(nested="m", precision=1.0).kind == "nested adaptive"
