"""Pictures: what is drawn lies where the numbers say, and what cannot be drawn is refused."""

import numpy as np
import pytest
from synthetic_trials import make_trials

from lrs.core.errors import InvalidInput
from lrs.core.family import load_family
from phase_diagrams import Axis
from phase_diagrams.analysis.boundary import boundary
from phase_diagrams.analysis.overlays import (
    margin,
    names,
    overlays,
    parameters_at,
    promise,
    region_constants,
    theorem_overlay,
)
from phase_diagrams.draw.canvas import position, save, slices, values_at
from phase_diagrams.draw.plot import failure_map, failure_modes, failure_modes_of, quantity_map, success_map
from theory import constants

FIXED = {"d": 40, "r": 2, "t": 60}


def linear(p, solver):
    return 12 + 3 * p["k"]


@pytest.fixture(scope="module")
def trials():
    return make_trials(["m=10:50:4", "k=1:6"], FIXED, linear, replicates=5)


def texts(figure):
    return [t.get_text() for legend in figure.legends for t in legend.get_texts()]


@pytest.mark.parametrize(
    ("values", "between", "half"),
    [((10, 20, 30, 45), [10, 15, 37.5, 60], [0, 0.5, 2.5, 4]), ((10, 20, 40, 80), [10, 200**0.5, 5], [0, 0.5, -1])],
)
def test_positions_and_values_are_inverse_on_uneven_axes(values, between, half):
    """Steps are divided evenly, and factors by factors."""
    axis = Axis("m", values)
    assert position(axis, between) == pytest.approx(half)
    inside = np.array([-0.5, 0, 1.5, 2.5])
    assert position(axis, values_at(axis, inside)) == pytest.approx(inside)
    assert position(axis, [np.inf, -np.inf]).tolist() == [np.inf, -np.inf]


def test_success_map_shows_rates_in_the_right_cells(trials):
    figure = success_map(trials)
    mesh = figure.axes[0].collections[0].get_array()
    for column, m in enumerate(range(10, 51, 4)):
        for row, k in enumerate(range(1, 7)):
            cell = trials.frame[(trials.frame["m"] == m) & (trials.frame["k"] == k)]
            assert mesh[row, column] == pytest.approx(cell["success"].mean())
    assert figure.axes[0].get_xlabel() == "m   (samples per task)"
    assert "n = 5 replicates in every cell" in texts(figure)


def test_cells_carry_a_number_only_where_it_is_not_the_usual_one():
    few = make_trials(
        ["m=10:50:4", "k=1:6"], FIXED, linear, replicates=5, keep=lambda r: r["replicate"] < 3 or r["cell"] != 7
    )
    figure = success_map(few)
    assert "n = 5 replicates, but for cells with a number of their own" in texts(figure)
    assert [t.get_text() for t in figure.axes[0].texts] == ["3"]


def test_boundary_is_drawn_in_cell_coordinates(trials):
    line = success_map(trials).axes[0].lines[0]
    x, y = line.get_data()
    assert y[1:-1].tolist() == [0, 1, 2, 3, 4, 5]
    assert 10 + 4 * x[1:-1] == pytest.approx([p.fit.x50 for p in boundary(trials).points])


def test_the_band_leaves_the_colours_of_the_cells_alone(trials):
    figure = success_map(trials)
    cells, *bands = figure.axes[0].collections
    assert bands
    assert all(len(band.get_facecolor()) == 0 for band in bands)
    assert not any(band.get_hatch() for band in bands)
    assert cells.get_linewidth()[0] > 0  # an edge of its own colour, so that no seam shows


def test_a_boundary_that_is_not_resolved_is_hatched():
    def threshold(p, solver):
        return 1e6 if p["k"] == 3 else 12 + 4 * p["k"]

    figure = success_map(make_trials(["m=10:50:4", "k=1:6"], FIXED, threshold, replicates=5))
    (hatched,) = [patch for patch in figure.axes[0].patches if patch.get_hatch() == "xx"]
    assert (hatched.get_y(), hatched.get_height()) == (1.5, 1)  # the row of k = 3
    assert any("not resolved" in t.get_text() for t in figure.legends[0].get_texts())


def test_counting_limit_is_where_the_formula_puts_it(trials):
    figure = success_map(trials, overlays=overlays(["counting"]))
    path = figure.axes[0].collections[-1].get_paths()[0].vertices
    m, k = 10 + 4 * path[:, 0], 1 + path[:, 1]
    assert m == pytest.approx(2 + k + 2 * 38 / 60, abs=0.05)


#: The users that a private run needs are drawn in sweeps that have a target.
TARGETLESS = [name for name in names(load_family()) if name != "private"]


def test_every_overlay_draws_and_says_so_when_outside(trials):
    labels = texts(success_map(trials, overlays=overlays(TARGETLESS)))
    assert any("constants 1, not calibrated" in t for t in labels)
    far = success_map(trials, overlays=overlays(["theorem"], {"C_total": 1e4, "C_task": 1}))
    assert any("(outside this picture)" in t for t in texts(far))


def test_overlays_follow_ratio_axes():
    trials = make_trials(["k/d=0.05:0.3:0.05", "m/d=0.25:1:0.25"], FIXED, linear, replicates=1)
    p = parameters_at(trials.spec, {"k/d": np.array([0.1]), "m/d": np.array([0.5])})
    assert {n: float(v) for n, v in zip(p, (a[0] for a in p.values()), strict=True)} == {
        "d": 40, "r": 2, "t": 60, "k": 4, "m": 20,
    }  # fmt: skip
    expected = np.log(20 / max(3 * 4 * 40 * 16 / 60, 2 * 8))
    overlay = theorem_overlay({"C_total": 3, "C_task": 2})
    assert margin(overlay, p)[0] == pytest.approx(expected)
    success_map(trials, overlays=overlays(TARGETLESS))


def test_violations_are_the_failures_inside_the_region_deepest_first(trials):
    constants = {"C_total": 1.0, "C_task": 1.0}
    kept = promise(trials, constants)
    found = kept.broken
    frame = trials.frame
    needed = np.maximum(frame["k"] * 40 * 16 / 60, np.maximum(frame["k"], 8))
    assert len(found) == ((frame["m"] >= needed) & ~frame["success"]).sum() > 0
    assert kept.inside == (frame["m"] >= needed).sum()
    assert kept.sentence.startswith(f"{len(found)} of {kept.inside} trials")
    assert found["margin"].is_monotonic_decreasing
    figure = success_map(trials, marked=found)
    assert any("violation" in t for t in texts(figure))
    assert promise(trials, {"C_total": 1e6, "C_task": 1.0}).inside == 0


def test_noisy_cells_cannot_violate_the_noiseless_theorem():
    trials = make_trials(["m=10:50:20", "noise=0.1,0.2"], FIXED | {"k": 1}, lambda p, s: 100, replicates=1)
    assert promise(trials, {"C_total": 1, "C_task": 1}).inside == 0


def test_structured_instances_are_outside_the_theorem():
    trials = make_trials(["m=10:50:20", "coherence=0,0.9"], FIXED | {"k": 1}, lambda p, s: 100, replicates=1)
    kept = promise(trials, {"C_total": 0.1, "C_task": 0.1})
    assert kept.inside == len(kept.broken) == 3
    assert set(kept.broken["coherence"]) == {0}


def test_frozen_constants_are_those_of_the_lock_file():
    frozen = region_constants("amht")
    assert (frozen.values or {}) == {n: c.value for n, c in constants("amht").items()}
    assert frozen.source == "calibration of 'amht' certified no constant"  # neither passed its hold-out
    assert region_constants("amht", {"C_total": 2, "C_task": 3}).source == "given"


def test_a_solver_without_constants_is_promised_nothing(trials):
    assert "no constants of 'iht'" in region_constants("iht").source
    kept = promise(trials)
    assert not kept.made
    assert kept.inside == 0


def test_unfinished_cells_are_split_and_impossible_ones_hatched():
    part = make_trials(["m=10:50:20", "k=38:42"], FIXED, linear, replicates=4, keep=lambda r: r["replicate"] < 3)
    patches = success_map(part).axes[0].patches
    assert sum(p.get_hatch() == "///" for p in patches) == 6
    assert sum(len(p.get_path().vertices) == 4 for p in patches if not p.get_hatch()) == 2 * 9
    labels = texts(success_map(part))
    assert "impossible" in labels
    assert any(t.startswith("split cell") for t in labels)


def test_failure_modes_name_the_part_that_failed(trials):
    frame = trials.frame.head(9).copy()
    ends = ["iteration cap", "non-finite", "raised", "timeout", "crashed"]
    frame["outcome"] = ["recovered", *["not recovered"] * 3, *ends]
    frame["subspace_distance"] = [0, 0.5, 1e-9, 1e-9, 1, *[np.nan] * 4]
    frame["support_recall"] = [1, 0.5, 0.5, 1, 1, *[np.nan] * 4]
    frame["support_precision"] = 1.0
    expected = ["recovered", "subspace", "support", "weights", *ends]
    assert failure_modes(frame, trials.spec.of_family).tolist() == expected
    looks = failure_modes_of(trials.spec.of_family)
    assert set(expected) == set(looks)
    assert len(set(looks.values())) == len(looks)  # no two with one letter and colour


def test_failure_map_shows_the_most_frequent_mode(trials):
    figure = failure_map(trials)
    values = figure.axes[0].collections[0].get_array()
    assert list(failure_modes_of(trials.spec.of_family))[int(values[0, -1])] == "recovered"
    assert list(failure_modes_of(trials.spec.of_family))[int(values[-1, 0])] == "subspace"


@pytest.mark.parametrize("column", ["iterations", "rate", "theta_error", "subspace_distance"])
def test_quantity_maps_show_medians(trials, column):
    values = quantity_map(trials, column).axes[0].collections[0].get_array()
    cell = trials.frame[(trials.frame["m"] == 14) & (trials.frame["k"] == 3)]
    assert values[2, 1] == pytest.approx(cell[column].median())


def test_one_axis_gives_a_curve_and_words_give_no_boundary():
    curve = success_map(make_trials(["m=10:50:4"], FIXED | {"k": 2}, linear, replicates=5))
    assert curve.axes[0].get_ylabel() == "share of replicates recovered"
    words = make_trials(["x_law=gaussian,rademacher", "b_law=uniform,signs"], FIXED | {"m": 20, "k": 2}, linear)
    assert not success_map(words).axes[0].lines


def test_further_axes_are_slices():
    trials = make_trials(["m=10:50:20", "k=1:2", "r=1:3"], {"d": 40, "t": 60}, linear, replicates=2)
    assert slices(trials.spec) == [{"r": 1}, {"r": 2}, {"r": 3}]
    assert "r = 3" in success_map(trials, at={"r": 3}).axes[0].get_title()


def test_saving_twice_gives_the_same_files(trials, tmp_path):
    first = save(success_map(trials), tmp_path / "a")
    second = save(success_map(trials), tmp_path / "b")
    assert [p.suffix for p in first] == [".png", ".svg"]
    assert first[1].read_bytes() == second[1].read_bytes()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: success_map(t, "zzz"), "solver: 'zzz' is not in this sweep; it has a"),
        (lambda t: quantity_map(t, "colour"), "column: 'colour' has no map"),
        (lambda t: overlays(["counting", "nope"]), "overlay: 'nope' is not known; choose from theorem"),
        (lambda t: overlays(["theorem"], {"C": 1}), "no constant 'C'"),
        (lambda t: overlays(["theorem"], {"C_total": 1}), "pass both"),
        (lambda t: overlays(["theorem"], {"C_total": -1, "C_task": 1}), "C_total: expected a positive number"),
        (lambda t: save(success_map(t), "/nonexistent/folder/a"), "cannot be written"),
    ],
)
def test_bad_input_names_the_argument(trials, call, message):
    with pytest.raises(InvalidInput, match=message):
        call(trials)


def test_maps_need_two_axes_and_a_trace_for_rates(trials):
    single = make_trials(["m=10:50:20"], FIXED | {"k": 2}, linear, replicates=2)
    with pytest.raises(InvalidInput, match="one axis"):
        failure_map(single)
    untraced = make_trials(["m=10:50:20", "k=1:2"], FIXED, linear, replicates=2)
    untraced.frame["rate"] = np.nan
    with pytest.raises(InvalidInput, match="--trace"):
        quantity_map(untraced, "rate")


def test_overlays_need_numbers():
    words = make_trials(["m=10:50:20", "x_law=gaussian,rademacher"], FIXED | {"k": 2}, linear, replicates=2)
    with pytest.raises(InvalidInput, match="must take numbers"):
        success_map(words, overlays=overlays(["counting"]))
