"""Checks of arguments, canonical texts and keys, processors."""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs import InvalidInput
from lrs.core import canonical, digest, joint_digest, key, leading_bits, machine
from lrs.core import validate as v
from lrs.core.errors import NotFinite


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: v.integer("n", 0, least=1), "n: expected an integer of at least 1, got 0"),
        (lambda: v.integer("n", 2.0), "n: expected an integer, got 2.0"),
        (lambda: v.integer("n", True, least=0), "n: expected an integer of at least 0, got True"),
        (lambda: v.integer("n", 9, least=0, most=5), "n: expected an integer in 0 … 5, got 9"),
        (lambda: v.integer("n", "3", expected="a count"), "n: expected a count, got '3'"),
        (lambda: v.real("x", 0, above=0), "x: expected a positive number, got 0"),
        (lambda: v.real("x", math.nan), "x: expected a number, got nan"),
        (lambda: v.real("x", math.inf, above=0), "x: expected a positive number, got inf"),
        (lambda: v.real("x", False, least=0), "x: expected a number of at least 0, got False"),
        (lambda: v.real("x", 1, least=0, below=1, what="a share"), "x: expected a share in [0, 1), got 1"),
        (lambda: v.real("x", -1, above=-1, most=1), "x: expected a number in (-1, 1], got -1"),
        (lambda: v.real("x", 5, most=4), "x: expected a number in (−∞, 4], got 5"),
        (lambda: v.real("x", 1, above=2), "x: expected a number above 2, got 1"),
        (lambda: v.real("x", "1"), "x: expected a number, got '1'"),
        (lambda: v.probability("p", 1.0), "p: expected a probability strictly between 0 and 1, got 1.0"),
        (lambda: v.choice("law", "b", ("aa", "cc")), "law: expected 'aa' or 'cc', got 'b'"),
        (
            lambda: v.choice("law", "norml", ("uniform", "normal", "sign")),
            "law: expected 'uniform', 'normal' or 'sign', got 'norml'; did you mean 'normal'?",
        ),
        (lambda: v.choice("law", 3, ("one",)), "law: expected 'one', got 3"),
        (lambda: v.numbers("x", "three", zero_allowed=True), "x: expected numbers, got 'three'"),
        (lambda: v.numbers("x", [1, -1], zero_allowed=True), "x: expected values at least 0, got [1, -1]"),
        (lambda: v.numbers("x", 0, zero_allowed=False), "x: expected values above 0, got 0"),
        (
            lambda: v.finite("X", np.array([[1.0, np.inf], [np.nan, 0]])),
            "X: 2 value(s) are NaN or infinite, the first at index (0, 1)",
        ),
    ],
)
def test_a_bad_argument_is_named_with_what_to_pass(call: Callable, message: str):
    with pytest.raises(InvalidInput, match=f"^{re.escape(message)}$"):
        call()


def test_a_good_argument_comes_back_plain():
    assert type(v.integer("n", np.int32(4), least=4, most=4)) is int
    assert type(v.real("x", np.float32(0.5), above=0, below=1)) is float
    assert v.real("x", math.inf, above=0, infinite=True) == math.inf
    assert v.choice("law", "a", ("a", "b")) == "a"
    assert v.numbers("x", [0, math.inf], zero_allowed=True).dtype == np.float64
    large = np.full(3, 1e308)  # finite, though the sum is not
    assert v.finite("X", large) is large
    assert v.finite("X", np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(NotFinite):
        v.finite("X", np.array([np.inf, -np.inf]))


def test_the_nearest_name():
    assert v.nearest("amth", ["amht", "iht"]) == "amht"
    assert v.nearest("zzz", ["amht"]) is None
    assert v.hint("amth", {"amht": 1}) == "did you mean 'amht'?"
    assert v.hint("zzz", ["a", "b"]) == "known are a, b"
    assert v.hint("zzz", []) == "known are none"
    assert v.hint("zzz", ["a"], "declare it") == "declare it"
    assert v.nearest("mm", ["m"], 0.5) == "m"


VALUE = {"b": [1, 0.1, "κ"], "a": None, "c": {"y": 1e-12, "x": True}}


def test_texts_and_keys_are_frozen():
    """Journals, ledgers, locks and data streams hold these values: they may never change."""
    assert canonical(VALUE) == '{"a":null,"b":[1,0.1,"\\u03ba"],"c":{"x":true,"y":1e-12}}'
    assert canonical(VALUE, ascii_only=False) == '{"a":null,"b":[1,0.1,"κ"],"c":{"x":true,"y":1e-12}}'
    assert digest("κ") == "fc7b6472d73316615fc4e39f5ef7a0326c59a2fb8b10d9e80d2d5ad48f0ec698"
    assert joint_digest("a", "bc") == "3fafa1cf2f19a7c1129beb20cf0983f73a489a221fc0dd2f16d1be292d089205"
    assert joint_digest("ab", "c") == "601d5476e2ccfe2c87a2bba7a322659734a05749d5b5aa781f513e4912db0d5f"
    assert key("κ") == 9096622782046374704
    assert leading_bits(digest("κ"), 48) == 277606896424755


def test_what_is_not_plain_has_no_text():
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="Out of range float values"):
            canonical({"x": value})


@given(st.text(), st.integers(1, 256))
def test_bits_and_digests_are_those_of_the_definition(text: str, bits: int):
    raw = hashlib.sha256(text.encode()).digest()
    assert digest(text) == raw.hex()
    assert leading_bits(digest(text), bits) == int.from_bytes(raw, "big") >> (256 - bits)
    assert key(text) == int.from_bytes(raw[:8], "big") >> 1
    assert joint_digest(text) == hashlib.sha256(len(text.encode()).to_bytes(8, "big") + text.encode()).hexdigest()


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_the_canonical_text_is_read_back_and_has_one_order(values: dict):
    assert json.loads(canonical(values)) == values
    assert canonical(dict(reversed(values.items()))) == canonical(values)
    assert canonical(values).isascii()


def test_processors_and_threads(monkeypatch: pytest.MonkeyPatch):
    assert 1 <= machine.processors() <= (os.cpu_count() or 1)
    for value, expected in (("3", 3), ("4,2", 4), ("", machine.processors()), ("0", machine.processors())):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert machine.default_threads() == expected


def test_the_environment_of_one_thread_is_put_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("BLIS_NUM_THREADS", raising=False)
    with machine.one_thread_each():
        assert {os.environ[name] for name in machine.THREAD_VARIABLES} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "BLIS_NUM_THREADS" not in os.environ
