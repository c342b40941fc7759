"""Which sources a result rests on: what importing a module, and calling what it imports, can run of the code at hand.

The closure is read from the text, without running anything. It follows every import, inside functions too, and
``import_module("name")`` of a literal name; a package counts with all that its ``__init__`` imports, because importing a
module of it runs that. Modules of other distributions (NumPy, …) are named by their versions elsewhere and not followed,
nor is what only a type checker imports. What is looked up by a name that is no literal (entry points, the scan that
collects the claims) cannot be seen. Of a package that finds names on demand the module that its stub names counts, or the
whole package once such a name is asked of it; `lrs` counts with all that its stub names, as what it solves with is found by
name.

A text enters as its syntax tree without docstrings: comments, layout and documentation change no result and void none.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lrs.core.identity import joint_digest

#: Packages that are followed, besides that of the module asked for.
TOOLKIT = ("lrs", "theory", "property_tests", "phase_diagrams")
#: Packages that count with all that their stub names.
WHOLE = ("lrs",)
_LITERAL = re.compile(r"""\b(?:import_module|__import__)\(\s*["']([\w.]+)["']""")


class Source(NamedTuple):
    """What one file says: a digest of its code, the names it may import, and whether it finds some on demand."""

    digest: str
    imports: frozenset[str]
    lazy: bool = False


def read(file: Path) -> str:
    """The text of a source file."""
    return file.read_text(encoding="utf-8")


@cache
def _roots(top: str) -> tuple[Path, ...]:
    """Where a top-level name lives: the folders of a package or the file of a module; nothing for what is built in."""
    module = sys.modules.get(top)
    folders, file = getattr(module, "__path__", None), getattr(module, "__file__", None)
    if module is None:
        try:
            found = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            found = None
        folders, file = (found.submodule_search_locations, found.origin) if found else (None, None)
    places = list(folders) if folders is not None else [file] if file else []
    return tuple(Path(p) for p in places)


@cache
def _file(name: str) -> Path | None:
    """The source of a module; None when it has none, as a name that is not a module."""
    top, *rest = name.split(".")
    for root in _roots(top):
        place = root.joinpath(*rest)
        candidates = [place / "__init__.py", *([place.with_name(f"{place.name}.py")] if rest else [root])]
        for file in candidates:
            if file.suffix == ".py" and file.is_file():
                return file
    return None


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement below a node that can run, docstrings removed on the way."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        block = getattr(node, name, [])
        if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = block[0] if block else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del block[0]
        elif name == "body" and isinstance(node, ast.If) and _last(node.test) == "TYPE_CHECKING":
            continue
        for child in block:
            if isinstance(child, ast.stmt):
                yield child
            yield from _statements(child)


def _last(test: ast.expr) -> str:
    """The last name of ``a.b.c``."""
    return getattr(test, "attr", getattr(test, "id", ""))


@cache
def _source(name: str) -> Source | None:
    file = _file(name)
    if file is None:
        return None
    text = read(file)
    try:
        tree = ast.parse(text)
    except SyntaxError:  # nobody can import it as it stands
        return Source(joint_digest(text), frozenset())
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    asked = set(_LITERAL.findall(text))
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            asked.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            asked.update((base, *(f"{base}.{a.name}" for a in node.names)))
    lazy = any(
        isinstance(node, ast.FunctionDef | ast.Name) and getattr(node, "name", getattr(node, "id", "")) == "__getattr__"
        for statement in tree.body
        for node in (ast.walk(statement) if isinstance(statement, ast.Assign) else [statement])
    )
    if name in WHOLE and lazy:
        asked.update(home for home, _ in _stub(file))
    return Source(joint_digest(ast.dump(tree)), frozenset(asked), lazy)


@cache
def _stub(file: Path) -> list[tuple[str, set[str | None]]]:
    """What the stub beside a source names: modules, and the names found there."""
    stub = file.with_suffix(".pyi")
    lines = ast.parse(read(stub)).body if stub.is_file() else []
    return [
        (line.module, {a.asname for a in line.names})
        for line in lines
        if isinstance(line, ast.ImportFrom) and line.module
    ]


def _on_demand(asked: str) -> list[str]:
    """Modules of a package that may hold a name it finds on demand (``__getattr__``).

    The one that its stub names (`lrs.core.lazy`), or all that lie beside its source.
    """
    package, _, name = asked.rpartition(".")
    source = _source(package) if package else None
    if source is None or not source.lazy or _file(asked) or any(i.endswith(f".{name}") for i in source.imports):
        return []
    file = _file(package)
    assert file is not None
    if stub := _stub(file):
        return [n for home, names in stub if name in names for n in _with_parents(home)]
    return [f"{package}.{f.stem}" for f in file.parent.glob("*.py") if f != file]


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _own(module: str) -> set[str]:
    """Top-level names that are followed: the toolkit, the module's package, or the lone files beside a lone file."""
    top = module.partition(".")[0]
    beside = {f.stem for root in _roots(top) if root.is_file() for f in root.parent.glob("*.py")}
    return {*TOOLKIT, top, *beside}


@cache
def closure(module: str) -> dict[str, Source]:
    """The module and all it may import, directly or not: name → source.

    Parameters
    ----------
    module : str
        Its importable name; nothing is found for one without a source file (a notebook's ``__main__``).
    """
    own = _own(module)
    found: dict[str, Source] = {}
    waiting = _with_parents(module)
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        source = _source(name)
        if source is None:
            continue
        found[name] = source
        for asked in source.imports:
            if asked.partition(".")[0] in own:
                new = [n for n in (*_with_parents(asked), *_on_demand(asked)) if n not in seen]
                seen.update(new)
                waiting += new
    return found


@cache
def fingerprint(*modules: str) -> str:
    """SHA-256 of the closures of the modules together; it changes when any of the code they rest on does.

    Computed once per process, as the code that was imported does not change either.
    """
    together = {name: source.digest for module in modules for name, source in closure(module).items()}
    return joint_digest(*(text for item in sorted(together.items()) for text in item))
