"""The packages beside this one, `export`, `serving` and `tuning`, under whatever name they load.

Their names are ordinary words: a user's own `export.py`, in the working directory or beside a
script, comes before them on `sys.path`. The command line therefore imports them from where this
package lies. They refer to their own modules relatively, so that they work under another name.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def sibling(name: str) -> ModuleType:
    """Import a module of the packages beside this one, such as `"export.portable"`.

    Where the package's name stands for another file, it is loaded as `zoo_export` and so on, and
    the other file keeps the name.
    """
    package, dot, rest = name.partition(".")
    return importlib.import_module(_loaded_as(package) + dot + rest)


def _loaded_as(package: str) -> str:
    alias, file = f"zoo_{package}", ROOT / package / "__init__.py"
    if alias in sys.modules:
        return alias
    known = sys.modules.get(package)
    spec = importlib.util.find_spec(package) if known is None else None
    found = getattr(known, "__file__", None) if spec is None else spec.origin
    if found is not None and os.path.exists(found) and os.path.samefile(found, file):
        return package
    ours = importlib.util.spec_from_file_location(alias, file)
    if ours is None or ours.loader is None:
        raise ImportError(f"{file} cannot be imported", name=package)
    module = importlib.util.module_from_spec(ours)
    sys.modules[alias] = module
    ours.loader.exec_module(module)
    return alias
