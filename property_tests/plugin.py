"""The door for pytest: options, the fixture ``lrs_check``, and one summary with the verdicts.

    pytest --pyargs property_tests.conformance --lrs-solver module:attr

Importing this module costs next to nothing, because pytest imports every installed plugin: the suite is imported when a
test asks for it. Under xdist a worker examines the claims it is given and sends the counts; the verdicts, including
BLOCKED across workers, are computed where the summary is printed.
"""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lrs.core.family import Family
    from property_tests.examine.bench import Bench
    from property_tests.examine.claim import Claim
    from property_tests.examine.configuration import Region
    from property_tests.examine.engine import Result
    from property_tests.verify import Expected, Report

_PROPERTY = "lrs_verdict"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lrs", "claims about solvers")
    group.addoption(
        "--lrs-solver", default="amht", metavar="NAME|MODULE:ATTR", help="solver the conformance suite checks"
    )
    group.addoption("--lrs-claims", default="*", metavar="GLOB", help="claims to check")
    group.addoption("--lrs-theorem", default=None, metavar="NAME", help="only what this theorem promises")
    group.addoption("--lrs-family", default=None, metavar="NAME|MODULE:ATTR", help="family of problems")
    group.addoption("--lrs-budget", default="quick", metavar="NAME", help="quick, standard or exhaustive")
    group.addoption("--lrs-expected", default=None, metavar="FILE", help="TOML file of expected failures with reasons")
    group.addoption("--lrs-alpha", default=1e-6, type=float, help="bound on a false REFUTED, per claim")
    group.addoption("--lrs-beta", default=1e-3, type=float, help="bound on a false CONFIRMED, per claim")
    group.addoption("--lrs-seed", default=0, type=int, help="seed of the suite")
    group.addoption(
        "--lrs-nonce", default=None, metavar="HEX", help="repeat the data of a session; default: a new secret"
    )


_NONCE: pytest.StashKey[str] = pytest.StashKey()


def _nonce(config: pytest.Config) -> str:
    """The secret of the session, the same in every process of xdist: given, sent by the controller, or drawn."""
    if _NONCE not in config.stash:
        given = getattr(config, "workerinput", {}).get("lrs_nonce") or config.getoption("--lrs-nonce")
        config.stash[_NONCE] = secrets.token_hex(16) if given is None else given
    return config.stash[_NONCE]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand a worker of xdist the secret of the session."""
    node.workerinput["lrs_nonce"] = _nonce(node.config)


def _family(config: pytest.Config, family: str | None) -> Family:
    """Whose solvers the session checks."""
    from property_tests.verify import family_for

    return family_for(family or config.getoption("--lrs-family"), config.getoption("--lrs-theorem"))


class Examiner:
    """Benches, one per solver, and the results so far; lives as long as the test session of a process."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.nonce = _nonce(config)
        self.benches: dict[str, Bench] = {}
        self.results: dict[tuple[str, str], Result] = {}

    def bench(self, solver: Any, family: str | None = None) -> Bench:
        from lrs.core.run import Subject
        from property_tests.examine.bench import Bench, default_jobs
        from property_tests.examine.engine import budget_of

        subject = Subject.of(solver)
        if subject.name not in self.benches:
            # Under xdist the workers are the parallelism.
            jobs = 1 if "PYTEST_XDIST_WORKER" in os.environ else default_jobs()
            limits = budget_of(self.config.getoption("--lrs-budget")).limits
            self.benches[subject.name] = Bench(subject, limits, jobs, _family(self.config, family))
        return self.benches[subject.name]

    def result(self, claim: Claim, solver: Any, region: Region) -> Result:
        """The result on one claim, after those it rests on; each is examined once per process."""
        from lrs.core import streams
        from property_tests.examine.claim import claims
        from property_tests.examine.engine import examine, with_requirements

        nonce = streams.check_nonce(self.nonce)
        bench = self.bench(solver)
        name = bench.subject.name
        claim.check_family(bench.family)
        manifest = [*(c for c in claims(family=bench.family) if c.name != claim.name), claim]
        verdicts = {c: r.verdict for (s, c), r in self.results.items() if s == name}
        todo = [c for c in with_requirements([claim], manifest) if c.name not in verdicts]
        option = self.config.getoption
        for r in examine(
            bench,
            todo,
            region=region,
            budget=option("--lrs-budget"),
            alpha=option("--lrs-alpha"),
            beta=option("--lrs-beta"),
            seed=option("--lrs-seed"),
            earlier=verdicts,
            nonce=nonce,
            later=[
                c
                for c in manifest
                if c.ladder and c not in todo and c.name not in verdicts and not c.missing_traits(bench.traits)
            ],
        ):
            self.results[(name, r.claim.name)] = r
        return self.results[(name, claim.name)]

    def report(self, result: Result, bench: Bench, region: Region, expected: Sequence[Expected]) -> Report:
        """A report of one result, for its texts."""
        from property_tests.examine.engine import budget_of
        from property_tests.verify import Report

        option = self.config.getoption
        return Report(
            solver=bench.subject.name,
            results=(result,),
            budget=budget_of(option("--lrs-budget")),
            alpha=option("--lrs-alpha"),
            beta=option("--lrs-beta"),
            seed=option("--lrs-seed"),
            theorem=option("--lrs-theorem"),
            region=region.name,
            region_label=getattr(region, "label", ""),
            jobs=bench.jobs,
            seconds=result.seconds,
            expected=tuple(expected),
            solver_hash=bench.hash,
            nonce=self.nonce,
            family=bench.family,
        )

    def close(self) -> None:
        for bench in self.benches.values():
            bench.close()


@pytest.fixture(scope="session")
def _lrs_examiner(pytestconfig: pytest.Config) -> Iterator[Examiner]:
    examiner = Examiner(pytestconfig)
    yield examiner
    examiner.close()


@pytest.fixture
def lrs_check(
    request: pytest.FixtureRequest, _lrs_examiner: Examiner, record_property: Callable[[str, object], None]
) -> Callable[..., None]:
    """``lrs_check(claim, solver=…, expected=…, family=…)``: examine a claim and pass, fail, skip or xfail accordingly."""

    def check(
        claim: Claim, solver: Any = None, expected: Sequence[Expected] | None = None, family: str | None = None
    ) -> None:
        from lrs.core.errors import InvalidInput
        from property_tests.verify import read_expected, region_of

        option = request.config.getoption
        solver = option("--lrs-solver") if solver is None else solver
        try:
            if expected is None:
                expected = read_expected(option("--lrs-expected")) if option("--lrs-expected") else ()
            region = region_of(_lrs_examiner.bench(solver, family), option("--lrs-theorem"))
            result = _lrs_examiner.result(claim, solver, region)
        except InvalidInput as error:
            pytest.fail(f"bad input: {error}", pytrace=False)
        report = _lrs_examiner.report(result, _lrs_examiner.bench(solver), region, expected)
        record_property(_PROPERTY, json.dumps(_counts(report)))
        _conclude(report, result)

    return check


def _counts(report: Report) -> dict[str, Any]:
    """What the controller needs: plain values, small enough for a JUnit property."""
    (result,) = report.results
    expectation = report.expectation(result)
    return {
        "solver": report.solver,
        "claim": result.claim.name,
        "verdict": result.verdict.value,
        "expected": None if expectation is None else expectation.reason,
        "trials": 0 if result.tally is None else result.tally.trials,
        "failures": 0 if result.tally is None else result.tally.trials - result.tally.successes,
        "requires": result.claim.requires,
        "alpha": report.alpha,
        "beta": report.beta,
        "nonce": report.nonce,
    }


def _conclude(report: Report, result: Result) -> None:
    """Turn a verdict into the outcome of a test."""
    from property_tests.examine.claim import Verdict

    expectation = report.expectation(result)
    head = f"{result.verdict.value}: {result.claim.statement}"
    text = f"{head} — {result.why}" if result.why else head
    if result.verdict is Verdict.REFUTED:
        if result.witness is not None:
            trial = result.witness.trial
            text += (
                f"\n  witness: {trial.configuration}\n  fails in {result.witness.failures} of {result.witness.repeats} "
                f"trials on fresh data"
            )
            text += "".join(f"\n  {name} = {value:.6g}" for name, value in trial.outcome.values.items())
            text += f"\n  run it again: {report.replay_command(trial)}"
        if expectation is not None:
            pytest.xfail(expectation.reason)
        pytest.fail(text, pytrace=False)
    if result.verdict is Verdict.CONFIRMED and expectation is not None:
        pytest.fail(
            f"CONFIRMED, but listed as an expected failure ({expectation.reason}); remove it from the list",
            pytrace=False,
        )
    if result.verdict is Verdict.INCONCLUSIVE:
        pytest.fail(text, pytrace=False)
    if result.verdict is Verdict.BLOCKED:
        # The claim it rests on is a test of its own: a failing one, or an expected failure as this one then is.
        below = _rests_on(result.claim, report.family)
        known = next((e for name in below for e in report.expected if e.matches(name, report.solver)), None)
        if known is not None:
            pytest.xfail(f"{result.why}: {known.reason}")
        pytest.fail(text, pytrace=False)
    if result.verdict is not Verdict.CONFIRMED:
        pytest.skip(text)


def _rests_on(claim: Claim, family: Family) -> list[str]:
    """Names of the claims that a claim rests on, directly or not."""
    from property_tests.examine.claim import claims
    from property_tests.examine.engine import with_requirements

    manifest = [*(c for c in claims(family=family) if c.name != claim.name), claim]
    return [c.name for c in with_requirements([claim], manifest) if c.name != claim.name]


# ---------------------------------------------------------------------------------------------- in the controller
class _Verdicts:
    """Collects the counts of all workers and prints one table of verdicts."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    counts = json.loads(str(value))
                    self.found[(counts["solver"], counts["claim"])] = counts

    def _settle(self) -> None:
        """A claim that rests on one refuted in another worker is BLOCKED, whatever its own worker saw."""
        for (solver, _), counts in self.found.items():
            for needed in counts["requires"]:
                other = self.found.get((solver, needed))
                if (
                    other is not None
                    and other["verdict"] in ("REFUTED", "BLOCKED")
                    and counts["verdict"] != "NOT_APPLICABLE"
                ):
                    counts["verdict"] = "BLOCKED"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.found:
            return
        self._settle()
        from property_tests.verify import rate_text

        for solver in dict.fromkeys(s for s, _ in self.found):
            rows = [c for (s, _), c in sorted(self.found.items()) if s == solver]
            applicable = [c for c in rows if c["verdict"] != "NOT_APPLICABLE"]
            confirmed = sum(c["verdict"] == "CONFIRMED" for c in rows)
            terminalreporter.section(f"claims about {solver}")
            terminalreporter.line(
                f"{confirmed} of {len(applicable)} claims confirmed at α = {rate_text(rows[0]['alpha'])}, β = {rate_text(rows[0]['beta'])} each"
            )
            for c in rows:
                trials = f"{c['trials']} trials, {c['failures']} failed" if c["trials"] else ""
                note = f"expected: {c['expected']}" if c["expected"] else ""
                line = f"  {c['verdict'].replace('_', ' '):<15}{c['claim']:<40}{trials}  {note}".rstrip()
                terminalreporter.line(line, red=c["verdict"] == "REFUTED" and not c["expected"])
            terminalreporter.line(f"  --lrs-nonce {rows[0]['nonce']} draws the same data again")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the controller, or the only process
        config.pluginmanager.register(_Verdicts(), "lrs-verdicts")
