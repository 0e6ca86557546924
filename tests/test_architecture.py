"""The rooms of the house: what may import what, and no circles."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from zoo import runs

ROOT = Path(__file__).parents[1]
SIBLINGS = ("tuning", "export", "serving")
PACKAGES = ("zoo", *SIBLINGS)

ORDER = (
    # What everything stands on.
    "zoo.errors zoo.extras zoo.files zoo.interrupts zoo.kerasnames zoo.lazy zoo.machine "
    "zoo.pages zoo.parsers zoo.plain zoo.processes zoo.progress zoo.seeds "
    "zoo.settings zoo.siblings zoo.startup zoo.twins",
    "zoo.data.corpora",
    "zoo.data.features",
    "zoo.data.sets zoo.data.synthetic zoo.data.timit",
    "zoo.ops",
    "zoo.layers",
    "zoo.models",
    # Training tunes a decoder, and a run keeps it.
    "zoo.decoding",
    "zoo.runs zoo.presets",
    # Its front door prepares sets like runs.
    "zoo.data",
    "zoo.registry",
    "zoo.training",
    "zoo.evaluation",
    "zoo.given_audio zoo.inference zoo.inversion",
    "zoo.excerpts zoo.transcription",
    "zoo.alignment",
    "export serving tuning",
    "zoo.experiments.engine",
    "zoo.experiments",
    "zoo.cli",
    # The front door offers names of all rooms.
    "zoo zoo.__main__",
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms.split()}


@functools.cache
def modules() -> dict[str, Path]:
    """Name -> file of every module."""
    found = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@functools.cache
def imports(module: str) -> tuple[str, ...]:
    """The modules of the house that a module imports, at its top, in functions, or for types."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = str(node.module)
            if node.level:
                # So that they work under another name where a user's own file has theirs.
                assert module.partition(".")[0] in SIBLINGS, f"{module} imports relatively"
                assert node.level == 1
                source = ".".join(filter(None, (module.partition(".")[0], node.module)))
            for alias in node.names:
                inside = f"{source}.{alias.name}"
                found.add(inside if inside in modules() else source)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "sibling":
            found |= {
                argument.value for argument in node.args if isinstance(argument, ast.Constant)
            }
    return tuple(sorted(name for name in found if name in modules()))


def room(module: str) -> str:
    """The longest name in `ORDER` that a module lies under."""
    name = module
    while name not in RANK:
        name, dot, _ = name.rpartition(".")
        if not dot:
            pytest.fail(f"{module} lies in no room of ORDER; give it one")
    # `zoo` itself is the front door only.
    if name == "zoo" and module != "zoo":
        pytest.fail(f"{module} lies in no room of ORDER; give it one")
    return name


@pytest.mark.parametrize("module", sorted(modules()))
def test_nothing_imports_what_stands_to_its_right(module):
    here = RANK[room(module)]
    upward = [name for name in imports(module) if RANK[room(name)] > here]
    assert not upward, f"{module} imports {', '.join(upward)}"


def test_no_module_imports_itself_by_way_of_others():
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            circle = " -> ".join((*path[path.index(module) :], module))
            pytest.fail(f"a circle of imports: {circle}")
        if module in finished:
            return
        for name in imports(module):
            # A package's list of what it offers is no use of it.
            if modules()[module].name != "__init__.py" or not name.startswith(f"{module}."):
                visit(name, (*path, module))
        finished.add(module)

    for module in modules():
        visit(module, ())


def test_an_import_in_a_function_counts(tmp_path, monkeypatch):
    file = tmp_path / "late.py"
    file.write_text("def f():\n    from zoo.cli import main\n", encoding="utf-8")
    monkeypatch.setitem(modules(), "zoo.errors", file)
    imports.cache_clear()
    try:
        with pytest.raises(AssertionError, match=r"zoo\.errors imports zoo\.cli"):
            test_nothing_imports_what_stands_to_its_right("zoo.errors")
    finally:
        imports.cache_clear()


def test_no_other_module_names_the_files_of_a_run():
    names = {runs.CONFIG, runs.STATE, runs.HISTORY, runs.NETWORK, runs.DECODER, runs.PRESET}
    names |= {runs.CHECKPOINTS, runs.LOGS, runs.TWIN}
    others = [file for name, file in modules().items() if name != "zoo.runs"]
    for folder in ("scripts", "benchmarks"):
        others += (ROOT / folder).rglob("*.py")
    for file in others:
        texts = {
            Path(node.value).name
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not texts & names, file


def test_the_architecture_page_says_of_each_room_what_it_says_of_itself():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Rooms")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", table, flags=re.MULTILINE))
    packages = {name for name, file in modules().items() if file.name == "__init__.py"}
    assert set(rows) == packages
    for name in packages:
        own = ast.get_docstring(ast.parse(modules()[name].read_text(encoding="utf-8"))) or ""
        assert rows[name] == " ".join(own.partition("\n\n")[0].split()), name


def test_the_architecture_page_names_files_that_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:zoo|tuning|export|serving|tests)/[\w./]+)`", page):
        assert (ROOT / path).exists(), path
