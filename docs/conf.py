"""Sphinx configuration: MyST pages, numpydoc docstrings, API pages made from the code."""

import re
import types
import warnings

from docutils import nodes
from jinja2 import PackageLoader
from jinja2.sandbox import SandboxedEnvironment
from latex2mathml.converter import convert
from numpydoc import docscrape_sphinx

from lrs import __version__

project = "lrs-toolkit"
author = "the lrs-toolkit authors"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

apidoc_modules = [
    {
        "path": f"../{package}",
        "destination": f"_generated/{package}",
        "exclude_patterns": [f"../{package}/project", f"../{package}/benchmarks"],
        "separate_modules": True,
        "module_first": True,
        "max_depth": 1,
        "automodule_options": {"members"},
    }
    for package in ("lrs", "theory", "property_tests", "phase_diagrams")
]
# Every object is documented once, in the module that defines it, not again where a package re-exports it.
autodoc_default_options = {
    "ignore-module-all": True,
    # Made by scikit-learn, with references into its own documentation.
    "exclude-members": "set_fit_request, set_predict_request, set_score_request",
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
# The members are on the page already; a second listing inside each class would document them twice.
numpydoc_show_class_members = False
# Signatures name classes without their module; two packages may each have a Report.
suppress_warnings = ["ref.python"]
# numpydoc also reads the docstrings of foreign classes that constants are made of.
warnings.filterwarnings("ignore", message="Unknown section", module="numpydoc")

exclude_patterns = ["_build", "_generated/*/modules.rst"]

html_math_renderer = "mathml"
html_show_copyright = False
html_theme = "furo"
html_title = "lrs-toolkit"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["_static"]
html_css_files = ["narrow.css"]


# numpydoc would read and compile its template anew for every docstring: a third of the time.
TEMPLATES = SandboxedEnvironment(loader=PackageLoader("numpydoc"))
docscrape_sphinx.SandboxedEnvironment = lambda **_: TEMPLATES


def escape_bars(app, what, name, obj, options, lines):
    """``|x|`` is an absolute value in these docstrings; reStructuredText would take it for a substitution."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``)", line)
            lines[i] = "".join(p if p.startswith("``") else re.sub(r"(?<!\\)\|", r"\\|", p) for p in parts)


def skip_aliases(app, what, name, obj, skip, options):
    """An alias such as ``dict[str, ndarray]`` has no signature, which autodoc takes for an error."""
    return True if isinstance(obj, types.GenericAlias) else None


def math_inline(writer, node):
    """Formulas as MathML, which browsers draw themselves: the pages need no network."""
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def math_block(writer, node):
    """Like `math_inline`, on a line of its own."""
    writer.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Connect the hooks; bars are escaped after numpydoc, which reads the docstring as written."""
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
    app.connect("autodoc-skip-member", skip_aliases)
    app.add_html_math_renderer("mathml", (math_inline, None), (math_block, None))
