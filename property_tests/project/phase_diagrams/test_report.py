"""The page: self-contained, escaped, complete, with a hash that depends on results and on nothing else."""

import json
import re

import pytest
from synthetic_trials import make_trials

from lrs.core.errors import InvalidInput
from phase_diagrams.analysis.scaling import fit_scaling
from phase_diagrams.draw.plot import small_multiples
from phase_diagrams.draw.report import LONGEST_LIST, fit_note, integrity_hash, replay_lines, report, write

FIXED = {"d": 40, "r": 2, "t": 60}


def linear(p, solver):
    return 12 + 3 * p["k"] + 30 * solver


@pytest.fixture(scope="module")
def trials():
    return make_trials(["m=10:46:12", "k=1:2"], FIXED, linear, replicates=4, solvers=("a", "b<i>"))


@pytest.fixture(scope="module")
def page(trials):
    return report(trials, "runs/one", constants={"C_total": 1.0, "C_task": 1.0})


def _without_cells(page):
    """What is written on the page, apart from what its cells say when they are pointed at."""
    return page.partition('id="cells"')[0]


def test_every_cell_of_a_map_says_what_is_known_of_it(page, trials):
    cells = json.loads(re.search('id="cells">(.*?)</script>', page)[1])
    assert len(cells) == 2 * len(trials.spec.cells)  # one map a solver
    assert all(page.count(f'id="{name}"') == 1 for name in cells)
    text, line = cells["p0-cell-0"]
    assert text.startswith("m = 10, k = 1: 0 of 4 recovered, 95 % [0.00, 0.60]; run here: 4 not recovered")
    assert line == "lrs replay runs/one 0 0 --solver a"


def test_a_sweep_of_several_maps_has_one_panel_of_all(page, trials):
    assert page.count("at a glance") == 2  # the picture and its caption
    figure = small_multiples(trials, [{}])
    maps = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in maps] == ["a", "b<i>"]
    shares = [ax.collections[0].get_array() for ax in maps]
    assert shares[0].mean() > shares[1].mean()  # the second solver needs 30 rows more
    assert {ax.collections[0].get_clim() for ax in maps} == {(0.0, 1.0)}  # one scale
    assert maps[0].get_shared_x_axes().joined(*maps)
    cube = make_trials(["m=10:46:12", "k=1:2", "d=40,50,60"], {"r": 2, "t": 60}, linear, replicates=2)
    assert len([ax for ax in small_multiples(cube, [{"d": 40}, {"d": 60}]).axes if ax.get_title()]) == 2
    alone = make_trials(["m=10:46:12", "k=1:2"], FIXED, linear, replicates=2)
    assert "at a glance" not in report(alone, "s")


def test_page_is_self_contained(page):
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert sources
    assert all(s.startswith(("#", "data:image/png;base64,")) for s in sources)  # contents, and parts of pictures
    assert "src=" not in page
    assert 'name="viewport"' in page


def test_page_holds_every_part(page, trials):
    for heading in ("Maps", "Boundary", "Scaling", "Duels", "Specification", "Environment", "Integrity"):
        assert re.search(f'<h2 id="s[0-9]+">{heading}</h2>', page)
    assert integrity_hash(trials) in page
    assert "m = " in page
    assert "seed 0" in page
    assert "numpy" in page


def test_names_are_escaped(page):
    assert "b&lt;i&gt;" in page
    assert "b<i>" not in page


def test_violations_come_with_replay_lines(page):
    lines = re.findall(r"lrs replay runs/one (\d+) (\d+) --solver", _without_cells(page))
    assert len(set(lines)) == LONGEST_LIST


def test_a_long_list_of_violations_is_cut():
    trials = make_trials(["m=10:46:4"], FIXED | {"k": 1}, lambda p, s: 1e6, replicates=5)
    page = report(trials, "runs/four", constants={"C_total": 0.1, "C_task": 0.1})
    assert _without_cells(page).count("lrs replay runs/four") == LONGEST_LIST
    assert f"and {50 - LONGEST_LIST} more</pre>" in page


def test_without_constants_no_violation_is_claimed():
    page = report(make_trials(["m=10:46:12"], FIXED | {"k": 2}, linear, replicates=2), "runs/one")
    assert "no failure can" in page
    assert "lrs replay" not in _without_cells(page)


def test_hash_depends_on_results_only(trials):
    before = integrity_hash(trials)
    again = make_trials(["m=10:46:12", "k=1:2"], FIXED, linear, replicates=4, solvers=("a", "b<i>"))
    again.frame["timing_solve"] += 1
    again.frame["host_worker"] = "elsewhere"
    assert integrity_hash(again) == before
    again.frame.loc[3, "theta_error"] *= 1.0000001
    assert integrity_hash(again) != before


def test_one_axis_and_one_solver():
    page = report(make_trials(["m=10:46:6"], FIXED | {"k": 2}, linear, replicates=4), "runs/two")
    assert ">Duels</h2>" not in page
    assert "no scaling law can be fitted" in page


def test_words_as_axes():
    trials = make_trials(
        ["x_law=gaussian,rademacher", "b_law=uniform,signs"], FIXED | {"m": 30, "k": 2}, linear, replicates=2
    )
    assert ">Boundary</h2>" not in report(trials, "runs/three")


def test_lack_of_fit_in_words():
    data = make_trials(["m=4:90:2", "k=1,2,4,8,16"], {"d": 60, "r": 1, "t": 40}, lambda p, s: 20 + 0.25 * p["k"] ** 2,
                       scale=0.8, replicates=12)  # fmt: skip
    (fit,) = fit_scaling(data)
    assert fit_note(fit).startswith("The boundary is not a power law")


def test_replay_lines_name_cell_replicate_and_solver(trials):
    assert replay_lines(trials.frame.head(1), "DIR") == ["lrs replay DIR 0 0 --solver a"]


def test_unwritable_page(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be written"):
        write("x", tmp_path)
