"""The law that a trace follows: named, with its constant inside its interval."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lrs import cli
from theory.statistics.trace_law import late_rate, law_of

T = np.arange(600.0)
TRACES = {
    "geometric": (3 * 0.9 ** T[:200], "ρ", 0.9),
    "1/T": (3 / (T + 1), "C", 3.0),
    "1/T²": (5 / (T + 3) ** 2, "C", 5.0),
    "power law": ((T + 2) ** -1.5, "q", 1.5),
    "stretched exponential": (np.exp(-0.6 * T**0.5), "p", 0.5),
    "standing still": (np.r_[0.5 ** np.arange(10), np.full(100, 0.5**9)], None, None),
}


@pytest.mark.parametrize("jitter", [0.0, 0.1])
@pytest.mark.parametrize("name", TRACES)
def test_each_law_has_its_name_and_its_number(name, jitter):
    trace, symbol, value = TRACES[name]
    law = law_of(trace * np.exp(jitter * np.random.default_rng(1).standard_normal(len(trace))))
    assert law.name == name
    if symbol is not None:
        number = law.numbers[symbol]
        assert number.low <= value <= number.high
        assert number.high - number.low <= 0.3 * value


def test_a_start_of_another_kind_is_left_out():
    law = law_of(3 * np.exp(-T / 10) + 3 / (T + 20))
    assert law.name == "1/T"
    assert law.start > 0
    assert law.numbers["C"].value == pytest.approx(3, rel=0.05)
    plateau = law_of(np.r_[np.full(45, 0.8), 0.8 * 0.9 ** np.arange(250)])
    assert plateau.name == "geometric"
    assert plateau.numbers["ρ"].value == pytest.approx(0.9, abs=2e-3)


def test_what_no_law_explains_has_no_name():
    assert law_of(1 + 1e-3 * np.random.default_rng(0).random(50) + 1e-2 * np.exp(-np.arange(50.0))).name != "geometric"
    assert law_of([1.0, 0.9, 0.8, 0.7, 0.65]).name == "undecided"


def test_the_late_rate_is_read_between_two_levels():
    trace = np.r_[1.0, 0.99, 0.98, 0.5 ** np.arange(1, 60), np.zeros(5)]
    assert late_rate(trace, 0.1, 1e-12) == pytest.approx(np.log(2))
    assert np.isnan(late_rate(trace, 1e-30, 1e-40))
    assert np.isnan(late_rate(np.r_[trace, np.nan], 0.1, 1e-12))


def test_the_verb_says_it(tmp_path, capsys):
    path = tmp_path / "trace.csv"
    path.write_text("error\n" + "\n".join(map(repr, (2 / (T + 5)).tolist())), encoding="utf-8")
    assert cli.run(["rate", str(path)]) == 1
    assert "1/T: e_t ≈ C/(t + c) with C = 2" in capsys.readouterr().out
    cli.run(["rate", str(path), "--json"])
    law = json.loads(capsys.readouterr().out)["law"]
    assert law["name"] == "1/T"
    assert law["numbers"]["C"][1] <= 2 <= law["numbers"]["C"][2]
