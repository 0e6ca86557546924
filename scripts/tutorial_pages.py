"""Tutorials: their code is run, and what it prints, draws and plays goes into the page.

    python scripts/tutorial_pages.py [NAME ...]     # run them, and keep the notebooks

A tutorial is a file of `docs/tutorials`: Markdown whose blocks of `python` and `bash` are the cells
of a notebook. As a hook of MkDocs this module replaces each by the executed notebook, which the
page also offers for download. A notebook is kept in `build/notebooks` until its text or the
package's code changes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "docs" / "tutorials"
KEPT = ROOT / "build" / "notebooks"
CELL = re.compile(r"^```(python|bash)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SECONDS = 900
"""Limit of one cell."""

SHOWN = {
    "image/png": ("png", base64.b64decode),
    "image/svg+xml": ("svg", str.encode),
}
SOUND = re.compile(r'src="data:audio/(?:x-)?wav;base64,([^"]+)"')


def tutorials() -> list[str]:
    """Names of all tutorials."""
    return sorted(file.stem for file in SOURCES.glob("*.md") if file.stem != "index")


def read(name: str) -> Any:
    """A tutorial as a notebook that has not run."""
    text = (SOURCES / f"{name}.md").read_text(encoding="utf-8")
    cells, end = [], 0
    for found in CELL.finditer(text):
        cells.append(nbformat.v4.new_markdown_cell(text[end : found.start()].strip()))
        code = found[2].strip()
        cells.append(nbformat.v4.new_code_cell(f"%%bash\n{code}" if found[1] == "bash" else code))
        end = found.end()
    cells.append(nbformat.v4.new_markdown_cell(text[end:].strip()))
    cells = [cell for cell in cells if cell.source]
    for number, cell in enumerate(cells):
        cell.id = f"cell{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def execute(notebook: Any) -> Any:
    """Run a notebook in an empty folder, by this Python.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    with tempfile.TemporaryDirectory() as place:
        variables["ZOO_PRESETS"] = str(Path(place, "presets"))
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": place}},
        )
        # TensorFlow's own log does not pass through the notebook.
        client.execute(env=variables, cwd=place, stderr=subprocess.DEVNULL)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = results(cell.outputs)
    return notebook


def results(outputs: list[Any]) -> list[Any]:
    """Outputs without bars of progress and the like on stderr, what was printed in one piece."""
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        kept.append(output)
    return kept


def executed(name: str) -> Any:
    """A tutorial as a notebook that has run, from where it is kept if nothing has changed."""
    digest = hashlib.sha256()
    for file in [Path(__file__), SOURCES / f"{name}.md", *sorted((ROOT / "zoo").rglob("*.py"))]:
        digest.update(file.read_bytes())
    kept = KEPT / f"{name}-{digest.hexdigest()[:16]}.ipynb"
    if not kept.exists():
        started = time.monotonic()
        notebook = execute(read(name))
        KEPT.mkdir(parents=True, exist_ok=True)
        for old in KEPT.glob(f"{name}-*.ipynb"):
            old.unlink()
        nbformat.write(notebook, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return nbformat.read(kept, as_version=4)


def page(name: str, notebook: Any) -> tuple[str, dict[str, bytes]]:
    """An executed notebook as Markdown, and the pictures and sounds beside it."""
    parts: list[str] = []
    files: dict[str, bytes] = {}

    def keep(suffix: str, contents: bytes) -> str:
        file = f"{name}_{len(files) + 1}.{suffix}"
        files[file] = contents
        return file

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        shell = cell.source.startswith("%%bash\n")
        source = cell.source.removeprefix("%%bash\n")
        parts.append(f"```{'bash' if shell else 'python'}\n{source}\n```")
        for output in cell.outputs:
            if output.output_type == "stream":
                parts.append(f'```text title="Output"\n{plain(output.text)}\n```')
                continue
            data = output.data
            kind = next((kind for kind in SHOWN if kind in data), None)
            if kind is not None:
                suffix, decode = SHOWN[kind]
                parts.append(f"![What the code draws]({keep(suffix, decode(data[kind]))})")
            elif "<audio" in data.get("text/html", ""):
                sound = SOUND.search(data["text/html"])[1]
                file = keep("wav", base64.b64decode(sound))
                parts.append(f'<audio controls preload="none" src="{file}"></audio>')
            else:
                parts.append(f'```text title="Output"\n{plain(data["text/plain"])}\n```')
    title, _, rest = "\n\n".join(parts).partition("\n\n")
    return f"{title}\n\n[Notebook]({name}.ipynb){{ download }}\n\n{rest}\n", files


def plain(text: str) -> str:
    """What was printed, without colours and lines that were overwritten."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    return "\n".join(line.rpartition("\r")[2] for line in text.rstrip().split("\n"))


def on_files(files: Files, config: Any) -> Files:
    """Replace every tutorial by its executed notebook."""
    for name in tutorials():
        notebook = executed(name)
        text, shown = page(name, notebook)
        source = files.get_file_from_path(f"tutorials/{name}.md")
        files.remove(source)
        files.append(File.generated(config, f"tutorials/{name}.md", content=text))
        for file, contents in {**shown, f"{name}.ipynb": nbformat.writes(notebook)}.items():
            files.append(File.generated(config, f"tutorials/{file}", content=contents))
    return files


if __name__ == "__main__":
    for tutorial in sys.argv[1:] or tutorials():
        executed(tutorial)
