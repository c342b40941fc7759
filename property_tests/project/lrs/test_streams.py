"""Streams: one-way, told apart by everything they are made of, and recomputable from the documentation alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs import InstanceSpec, InvalidInput, generate, load_solver, solve
from lrs.core import streams

NONCE = "00112233445566778899aabbccddeeff"
PARTS = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(), lambda s: st.lists(s).map(tuple), max_leaves=6
)


def test_the_documented_recipe():
    text = "s6:data/Ui2:-7f20:0x1.8000000000000p+1s2:én0:t7:i1:1n0:".encode()
    digest = hashlib.blake2b(text, digest_size=16, key=bytes.fromhex(NONCE), person=b"lrs-streams-2").digest()
    assert streams.key("data/U", -7, 3.0, "é", None, (1, None), nonce=NONCE) == int.from_bytes(digest, "big")
    assert streams.generator("solver", 0).random() == np.random.default_rng(streams.key("solver", 0)).random()


def test_the_numbers_are_pinned():
    # A change here is a change of every recorded experiment: it needs another version of the streams.
    assert streams.key("data/U", 0) == 0x437ABDD2DD5920C8F4B15C0F0D25A6C4
    assert streams.VERSION == 2


@given(st.lists(PARTS, max_size=3), st.lists(PARTS, max_size=3))
def test_parts_do_not_run_into_each_other(one: list, two: list):
    if repr(one) != repr(two):
        assert streams.key("p", *one) != streams.key("p", *two)
    assert streams.key("p", *one) == streams.key("p", *one)
    assert streams.key("p", tuple(one)) == streams.key("p", one)


def test_kinds_purposes_and_nonces_are_told_apart():
    keys = [
        streams.key("p", 1), streams.key("p", 1.0), streams.key("p", "1"), streams.key("p", (1,)), streams.key("p"),
        streams.key("p", None), streams.key("q", 1), streams.key("p1"), streams.key("p", 1, nonce=NONCE),
        streams.key("p", 1, nonce=NONCE[::-1]), streams.key("p", 1, nonce="0" * 32),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert streams.key("p", np.int64(1)) == streams.key("p", 1)
    assert streams.key("p", nonce=NONCE.upper()) == streams.key("p", nonce=NONCE)


def held(rng: np.random.Generator) -> str:
    """Everything a generator holds, as text: what it was seeded with, its state, its children."""
    seeds = rng.bit_generator.seed_seq
    sequences = [seeds, rng.spawn(1)[0].bit_generator.seed_seq]
    words = [repr(v) for s in sequences for v in (s.entropy, s.spawn_key, s.pool.tolist(), s.state)]
    entropy = seeds.entropy if isinstance(seeds.entropy, list) else [seeds.entropy]
    words += [f"{number:{base}}" for number in entropy for base in "xo"]
    return " ".join([*words, repr(rng.bit_generator.state), repr(rng.__reduce__())]).lower()


def test_a_generator_holds_nothing_of_what_made_it():
    parts = (90210, 8675309123456789, "configuration", 314.159, ("replicate", 55501))
    text = held(streams.generator("secret purpose", *parts, nonce=NONCE))
    words = ["90210", "8675309123456789", "55501", "314.159", (314.159).hex(), str(int(NONCE, 16)), NONCE]
    assert not [w for w in [*words, "secret", "purpose", "configuration", "replicate"] if w in text]
    # The net is fine enough: it catches what the first streams held.
    before = held(np.random.default_rng([90210, 55501]))
    assert "90210" in before
    assert "55501" in before


def test_one_seed_gives_the_solver_and_the_data_different_streams():
    instance = generate(InstanceSpec(t=6, m=8, d=4, r=1, k=1), 0)
    seen = []

    def spy(problem, *, rng, callback=None):
        seen.append(rng)
        return load_solver("amht")(problem, rng=rng, callback=callback)

    solve(instance.problem, spy, seed=0)
    (rng,) = seen
    assert rng.bit_generator.seed_seq.entropy == streams.key("solver", 0)


@pytest.mark.parametrize("nonce", ["", "00", "g" * 32, NONCE + "0", f" {NONCE[1:]}", NONCE + "\n"])
def test_a_bad_nonce_is_named(nonce):
    with pytest.raises(InvalidInput, match=r"^nonce: expected 32 hexadecimal digits"):
        streams.key("p", nonce=nonce)


@pytest.mark.parametrize("part", [True, b"x", {1: 2}, object(), np.ones(2)])
def test_parts_that_have_no_text_are_refused(part):
    with pytest.raises(InvalidInput, match=r"^parts: a stream is named by"):
        streams.generator("p", part)


def test_fresh_nonces():
    made = {streams.new_nonce() for _ in range(50)}
    assert len(made) == 50
    assert all(streams.check_nonce(n) == n for n in made)
