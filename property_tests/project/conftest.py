"""Array annotations are checked while the tests run, so that a shape in a signature cannot lie; packages of others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import cloudpickle
import jaxtyping
import pytest
from hypothesis import settings

import property_tests

# Own tests and benchmarks are no part of what is installed: they are found beside this folder, and the solvers in them
# go to other processes by value.
property_tests.__path__.append(str(Path(__file__).parents[1]))
cloudpickle.register_pickle_by_value(import_module("property_tests.project"))

# Before anything imports the packages: a module imported earlier stays unchecked. An int may be passed for a float, as
# every type checker has it (PEP 484).
jaxtyping.install_import_hook(["lrs", "theory"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")


# The same draws at each run, so that what fails is what was changed; a slow machine is no error. At random:
# pytest --hypothesis-profile=default
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


#: Whose tests are about the annotated functions themselves. The others see the same calls, and checking takes half their time.
CHECKED = ("lrs", "theory", "families")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Annotations are checked, or not, from the fixtures on."""
    inside = item.path.relative_to(Path(__file__).parent).parts
    jaxtyping.config.update("jaxtyping_disable", inside[0] not in CHECKED)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Annotations off, for tests of what a user without the checker is told about arguments of a wrong type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``package(name, points, **modules)`` installs one as pip leaves it: modules, and a dist-info folder with entry points."""
    from lrs.core import family
    from property_tests.examine import claim

    claim.claims()  # ours into the registry itself, theirs into a copy
    monkeypatch.setattr(claim, "_REGISTRY", list(claim._REGISTRY))
    monkeypatch.setattr(family, "_LOADED", dict(family._LOADED))
    before = set(sys.modules)

    def install(name: str, points: Mapping[str, Mapping[str, str]], **modules: str) -> None:
        folder = tmp_path / name
        metadata = folder / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in found.items()) for group, found in points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(lines))
        for module, text in modules.items():
            path = (folder / module.replace(".", "/")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(folder)

    yield install
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[module]
