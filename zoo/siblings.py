"""The packages beside this one, `export`, `serving` and `tuning`, under whatever name they load.

Their names are ordinary words: a user's own `export.py`, in the working directory or beside a
script, comes before them on `sys.path`. The command line therefore asks for them here. They refer
to their own modules relatively, so that they work under another name.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]

ALIASES = {f"zoo_{package}": package for package in ("export", "serving", "tuning")}
"""Name that a package has where its own one is another file's -> the package."""


def sibling(name: str) -> ModuleType:
    """Import a module of the packages beside this one, such as `"export.portable"`.

    If another file has the package's name, it keeps it, and the package is loaded as `zoo_export`
    and so on.
    """
    find_aliases()
    package, dot, rest = name.partition(".")
    return importlib.import_module(
        (package if _is_ours(package) else f"zoo_{package}") + dot + rest
    )


def find_aliases() -> None:
    """Make the packages importable by their aliases, which a parent's pickles may name."""
    if not any(isinstance(finder, _Aliases) for finder in sys.meta_path):
        sys.meta_path.append(_Aliases())


def _file(package: str) -> Path:
    return ROOT / package / "__init__.py"


def _is_ours(package: str) -> bool:
    known = sys.modules.get(package)
    spec = importlib.util.find_spec(package) if known is None else None
    found = getattr(known, "__file__", None) if spec is None else spec.origin
    return (
        f"zoo_{package}" not in sys.modules
        and found is not None
        and os.path.exists(found)
        and os.path.samefile(found, _file(package))
    )


class _Aliases(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in ALIASES:
            return None
        return importlib.util.spec_from_file_location(name, _file(ALIASES[name]))
