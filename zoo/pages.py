"""Self-contained HTML pages in the style and order of `base.html`."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from zoo.extras import require
from zoo.files import write_text


def write_page(path: str | Path, template: Path, **values: Any) -> None:
    """Write one page.

    Args:
        path: the file.
        template: extends `base.html`, which shows `title`, `lead`, `tiles` of (value, text),
            `figures` of (heading, text, PNG, text in its place) and `facts` of
            (name, value). The filter `base64` turns bytes into text.
        values: what the template shows.

    Raises:
        RunError: it cannot be written.
    """
    require("reports", f"writing {path}")
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    write_text(path, environment.get_template(template.name).render(**values))


def new_figure(width: float, height: float) -> Any:
    """A figure of a size in inches, made without pyplot: no display, no shared state."""
    require("reports", "drawing a figure")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png(figure: Any) -> bytes:
    """A figure as PNG of at most 256 colours, a third of the size of one with all colours."""
    from PIL import Image

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    image = Image.open(drawn).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def drawn(text: str) -> str:
    """A name as matplotlib draws it: `$` as itself; □ for letters that no font of its list has."""
    letters, given = _letters(), unicodedata.normalize("NFC", text)
    shown = "".join(
        letter if letter in "\n" or ord(letter) in letters else "□"
        for letter in given
        # Joiners and the like have no shape of their own.
        if unicodedata.category(letter) != "Cf"
    )
    return shown.replace("$", r"\$")


def numbered(names: Sequence[str]) -> tuple[list[str], str]:
    """Names as matplotlib draws them, and a sentence for the text beside the figure.

    If a name has a letter that none of its fonts has, the name's number is drawn, and the sentence
    says which name it is. The sentence is empty if every name is drawn.
    """
    shown = [drawn(name) for name in names]
    unknown = [place for place, name in enumerate(shown) if "□" in name and "□" not in names[place]]
    for place in unknown:
        shown[place] = f"#{place + 1}"
    said = ", ".join(f"#{place + 1} is {names[place]}" for place in unknown)
    return shown, f" In letters that the figure’s fonts do not have: {said}." if said else ""


def _letters() -> Collection[int]:
    """Code points that the fonts of `font.family`, from which matplotlib draws, have together."""
    from matplotlib.font_manager import FontProperties, findfont

    paths = set()
    for family in FontProperties().get_family():
        # matplotlib passes over families that are not installed; with none left it takes its own.
        with contextlib.suppress(ValueError):
            paths.add(findfont(FontProperties(family=[family]), fallback_to_default=False))
    return _letters_of(frozenset(paths or {findfont(FontProperties())}))


@functools.cache
def _letters_of(paths: frozenset[str]) -> Collection[int]:
    from matplotlib.font_manager import get_font

    return frozenset().union(*(get_font(path).get_charmap() for path in paths))
