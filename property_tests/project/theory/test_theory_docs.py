"""Every formula of the theory pages is the one the code evaluates, and every example runs."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs" / "theory"
PAGES = ("predicates", "assumptions", "theorems", "relations", "plan")

#: ``% formula: module:attribute`` (a MyST comment) right before a displayed formula names the object it is printed from.
MARKED = re.compile(r"^% formula: (\S+):(\S+)\n\$\$\n(.*?)\n\$\$$", re.MULTILINE | re.DOTALL)


def printed(module: str, attribute: str) -> str:
    """LaTeX of a statement, a limit or a bare expression."""
    from theory.language.readers.typeset import expression_latex

    value = getattr(import_module(f"theory.{module}"), attribute)
    latex = getattr(value, "latex", None)
    if latex is None:
        return expression_latex(value)
    return str(latex() if callable(latex) else latex)


@pytest.mark.parametrize("page", [*PAGES, "proofs"])
def test_formulas_are_those_of_the_code(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    marked = MARKED.findall(text)
    assert text.count("$$") == 2 * len(marked), "a displayed formula without the object it is printed from"
    for module, attribute, formula in marked:
        assert formula == printed(module, attribute), f"{module}:{attribute}"


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page, page, 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test)
    assert result.attempted > 0
    assert result.failed == 0


def test_all_statements_in_use_are_on_the_assumptions_page() -> None:
    from theory.families.low_rank_sparse import assumptions
    from theory.language.predicate import Statement

    text = (DOCS / "assumptions.md").read_text(encoding="utf-8")
    for name, value in vars(assumptions).items():
        if isinstance(value, Statement):
            assert f"% formula: families.low_rank_sparse.assumptions:{name}\n" in text, name
