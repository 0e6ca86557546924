"""Names that a package imports only when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__`.

    Args:
        package: its `__name__`.
        names: name -> the module that defines it, `.relative` to the package or not; a name of a
            submodule maps to the submodule.

    Raises:
        AttributeError: on access, of a name that is not among them.
    """

    def getattribute(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(names[name], package)
        return module if names[name].rpartition(".")[2] == name else getattr(module, name)

    return getattribute
