"""The runner against an engine made of plain Python: chunks, resuming, and finding the trial that kills."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import outcomes, stable_bytes, synthetic

from lrs import InvalidInput
from phase_diagrams.analysis.table import load
from phase_diagrams.sweeps import journal
from phase_diagrams.sweeps.engines import Event, Inline
from phase_diagrams.sweeps.engines.shard import Shard
from phase_diagrams.sweeps.grid import build
from phase_diagrams.sweeps.runner import CHUNK_SECONDS, Costs, Dispatcher, Interrupted, sweep
from phase_diagrams.sweeps.trial import Row, Runner, Trial, geometric_rate, values


class Pretended:
    """An engine that runs nothing, dies on some trials, and reports in random order.

    ``fatal`` trials kill their worker always, ``unlucky`` ones once. ``precise`` is the local engine's way (the
    first of those left is the one that ran); otherwise the whole chunk and whatever else was on that worker come under
    suspicion, as on a cluster.
    """

    def __init__(self, spec, fatal=(), unlucky=(), precise=True, workers=3, seed=0):
        self.spec, self.fatal, self.unlucky, self.precise = spec, set(fatal), set(unlucky), precise
        self.capacity = workers
        self.queue: list = []
        self.random = random.Random(seed)
        self.chunks: list[int] = []

    def start(self, spec):
        assert spec is self.spec

    def submit(self, chunk):
        assert len(self.queue) < self.capacity
        assert len(set(chunk)) == len(chunk)
        self.queue.append(list(chunk))
        self.chunks.append(len(chunk))

    def row(self, trial):
        return Row(trial.cell, trial.replicate, self.spec.solvers[trial.solver], "recovered", timing_solve=0.1)

    def events(self):
        chunk = self.queue.pop(self.random.randrange(len(self.queue)))
        for i, trial in enumerate(chunk):
            if trial in self.fatal or trial in self.unlucky:
                self.unlucky.discard(trial)
                if self.precise:
                    rows = [self.row(t) for t in chunk[:i]]
                    return [Event(rows, 1, chunk[i : i + 1], chunk[i + 1 :], "killed by SIGABRT")]
                neighbours = [c for c in self.queue if self.random.random() < 0.5]
                self.queue = [c for c in self.queue if c not in neighbours]
                return [Event(finished=1, suspects=c, reason="its worker died") for c in [chunk, *neighbours]]
        return [Event(rows=[self.row(t) for t in chunk], finished=1)]

    def stop(self):
        self.queue.clear()


TRIALS = [Trial(cell, replicate, 0) for replicate in range(3) for cell in range(16)]


@given(
    fatal=st.sets(st.sampled_from(TRIALS), max_size=4),
    unlucky=st.sets(st.sampled_from(TRIALS), max_size=4),
    precise=st.booleans(),
    workers=st.integers(1, 4),
    seed=st.integers(0, 5),
)
def test_every_trial_gets_one_outcome_and_only_the_guilty_crash(fatal, unlucky, precise, workers, seed):
    spec = synthetic(y="d=2")
    rows: list[Row] = []
    engine = Pretended(spec, fatal, unlucky - fatal, precise, workers, seed)
    Dispatcher(spec, engine, rows.extend).run(TRIALS)
    assert sorted((row.cell, row.replicate) for row in rows) == sorted((t.cell, t.replicate) for t in TRIALS)
    assert {Trial(row.cell, row.replicate, 0) for row in rows if row.outcome == "crashed"} == fatal


def test_chunks_last_about_a_second_and_get_small_at_the_end():
    spec = synthetic(replicates=40)
    engine = Pretended(spec, workers=2)
    trials = [Trial(cell, replicate, 0) for replicate in range(40) for cell in range(32)]
    Dispatcher(spec, engine, lambda rows: None, costs := Costs(spec)).run([])
    for trial in trials[:32]:
        costs.add(trial, 0.1)  # what the pretended engine says a trial takes
    Dispatcher(spec, engine, lambda rows: None, costs).run(trials)
    assert max(engine.chunks) == pytest.approx(CHUNK_SECONDS / 0.1, abs=1)
    assert engine.chunks[-2:] == [1, 1]
    assert sum(engine.chunks) == len(trials)


def test_costs_are_those_of_the_cell_or_scaled_by_size():
    spec = build({"x": "m=10,20,40", "fixed": "d=5,k=1,r=1,t=4"})
    costs = Costs(spec)
    assert costs(Trial(0, 0, 0)) != costs(Trial(0, 0, 0))  # NaN: nothing measured
    costs.add(Trial(0, 0, 0), 1.0)
    assert costs(Trial(2, 5, 0)) == pytest.approx(4.0)
    costs.add(Trial(2, 1, 0), 10.0)
    assert costs(Trial(2, 7, 0)) == pytest.approx(10.0)
    assert costs.mean == pytest.approx(5.5)


# ------------------------------------------------------------------------------------------------ whole sweeps
def test_resuming_equals_never_stopping(tmp_path):
    spec = synthetic()
    summary = sweep(spec, tmp_path / "whole", Inline())
    assert summary.ran == summary.known == 96

    class Stopped(Inline):
        left = 4

        def events(self):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().events()

    with pytest.raises(Interrupted) as stop:
        sweep(spec, tmp_path / "parts", Stopped())
    assert 0 < stop.value.summary.known < 96
    resumed = sweep(spec, tmp_path / "parts", Inline())
    assert resumed.ran == 96 - stop.value.summary.known
    assert sweep(spec, tmp_path / "parts", Inline()).ran == 0
    assert stable_bytes(tmp_path / "parts") == stable_bytes(tmp_path / "whole")


def test_every_outcome_has_its_row(tmp_path):
    spec = outcomes(x="m=1,3,4,5,6,7,8")  # m = 2 ends the process, which needs an engine with processes
    sweep(spec, tmp_path / "s", Inline())
    frame = load(tmp_path / "s").frame
    got = frame[frame["k"] == 2].groupby("m")["outcome"].unique().map(list).to_dict()
    assert got == {
        1: ["raised"],
        3: ["non-finite"],
        4: ["iteration cap"],
        5: ["not recovered"],
        6: ["non-finite"],
        7: ["raised"],
        8: ["recovered"],
    }
    assert set(frame.loc[frame["k"] == 9, "outcome"]) == {"impossible"}
    messages = frame.loc[(frame["k"] == 2) & (frame["outcome"] == "raised"), "message"]
    assert messages.str.contains("one row is not enough|does not return an lrs.Solution").all()
    assert len(frame) == 7 * 2 * 2


def test_solvers_see_the_same_data_and_the_same_randomness(tmp_path):
    both = synthetic(solvers=["phase_diagrams.sweeps.synthetic:medium", "phase_diagrams.sweeps.synthetic:Synthetic"])
    sweep(both, tmp_path / "s", Inline())
    frame = load(tmp_path / "s").frame
    a, b = (frame[frame["solver"] == name].reset_index(drop=True) for name in both.solvers)
    assert a["theta_error"].equals(b["theta_error"])
    sweep(synthetic(), tmp_path / "alone", Inline())
    assert load(tmp_path / "alone").frame["theta_error"].equals(a["theta_error"])


def test_more_replicates_keep_those_there_are(tmp_path):
    sweep(synthetic(), tmp_path / "s", Inline())
    more = synthetic(replicates=4)
    with pytest.raises(InvalidInput, match="--extend"):
        sweep(more, tmp_path / "s", Inline())
    assert sweep(more, tmp_path / "s", Inline(), extend=True).ran == 32
    sweep(more, tmp_path / "at once", Inline())
    assert stable_bytes(tmp_path / "s") == stable_bytes(tmp_path / "at once")


def test_progress_counts_up_and_the_estimate_goes_to_zero(tmp_path, monkeypatch):
    monkeypatch.setattr("phase_diagrams.sweeps.runner.PROGRESS_SECONDS", 0.0)
    seen = deque()
    sweep(synthetic(), tmp_path / "s", Inline(), report=lambda p: seen.append((p.done, p.total, p.seconds_left)))
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert {total for _, total, _ in seen} == {96}
    assert seen[-1] == (96, 96, 0.0)
    assert seen[len(seen) // 2][2] > 0


def test_what_cannot_start_leaves_no_folder(tmp_path):
    with pytest.raises(InvalidInput, match="no cell of this grid is possible"):
        sweep(outcomes(y="k=8,9"), tmp_path / "s", Inline())
    with pytest.raises(InvalidInput, match="no solver named"):
        sweep(synthetic(solvers="amth"), tmp_path / "s", Inline())
    with pytest.raises(InvalidInput, match="signature"):
        sweep(synthetic(solvers="sweep_solvers:noisy_signature"), tmp_path / "s", Inline())
    with pytest.raises(InvalidInput, match="adaptive rounds"):
        sweep(synthetic(precision=1.0), tmp_path / "s", Inline(), shard=Shard(1, 2))
    assert not (tmp_path / "s").exists()


# ------------------------------------------------------------------------------------------------ shards and rates
@given(st.integers(1, 12), st.integers(0, 200), st.integers(0, 50))
def test_every_trial_belongs_to_exactly_one_shard(count, line, replicate):
    assert sum(Shard(i, count).owns(line, replicate) for i in range(1, count + 1)) == 1


def test_shards_are_of_similar_size():
    sizes = [sum(Shard(i, 3).owns(line, n) for line in range(40) for n in range(25)) for i in (1, 2, 3)]
    assert min(sizes) > 0.8 * max(sizes)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5"])
def test_bad_shards(text):
    with pytest.raises(InvalidInput, match="1 ≤ i ≤ n"):
        Shard.parse(text)


@given(rate=st.floats(0.05, 0.9), start=st.floats(0.1, 1.0), floor=st.sampled_from([0.0, 1e-15, 1e-12]))
def test_the_rate_of_a_geometric_decay_is_found(rate, start, floor):
    errors = [max(start * rate**step, floor) for step in range(200)]
    assert geometric_rate(errors) == pytest.approx(rate, rel=0.03)


def test_no_rate_without_a_decay():
    for errors in ([], [1.0, 0.1], [1.0] * 50, [0.1, 1.0, 10.0], [1.0, float("nan"), 0.1], [0.0] * 9):
        assert geometric_rate(errors) != geometric_rate(errors)


def test_a_traced_sweep_records_the_rate(tmp_path):
    spec = outcomes(x="m=8", y="k=2", trace=True)
    sweep(spec, tmp_path / "s", Inline())
    assert load(tmp_path / "s").frame["rate"].to_numpy() == pytest.approx(0.1, rel=1e-3)


def test_a_cell_that_turns_out_impossible_is_an_outcome():
    spec = outcomes()
    row = Runner(spec, "here").run(Trial(spec.find_cell("m=8,k=9").index, 0, 0))
    assert (row.outcome, "outside" in row.message) == ("impossible", True)
    assert journal.encode(values(row, spec.of_family))
