"""Array annotations are checked while the tests run, so that a shape in a signature cannot lie."""

import importlib.util
from pathlib import Path

import jaxtyping

# numba compiles the function it is given: a checking wrapper around it is not a loop it can compile.
UNCHECKED = {"lrs.kernels.compiled"}


def _modules(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    names = (".".join((package, *path.relative_to(root).with_suffix("").parts)) for path in root.rglob("*.py"))
    return [name for name in names if not name.endswith(".__init__") and name not in UNCHECKED]


# Before anything imports the packages: a module imported earlier stays unchecked.
jaxtyping.install_import_hook([*_modules("lrs"), *_modules("theory")], "beartype.beartype")
