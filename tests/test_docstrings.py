"""Every example of a docstring runs and prints what it says."""

import pytest
import soundfile

from tests.helpers.annotations import long_textgrid, make_recordings
from tests.helpers.doctests import ELSEWHERE, modules_with_examples, run_examples
from tests.helpers.runs import make_recognizer, make_run, recording
from tests.helpers.trees import LABELS, make_tree
from zoo.data import prepare

MODULES = [name for name in modules_with_examples() if name not in ELSEWHERE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples find: corpora, a prepared set, a run."""
    folder = tmp_path_factory.mktemp("examples")
    make_tree(folder / "TIMIT", train=3, test=2, sentences=("SX1", "SI1573"))
    prepare(folder / "TIMIT", folder / "timit-real", length=2554)
    for name, rows in make_recordings(folder / "interviews").items():
        text = long_textgrid({"words": [], "phones": rows}, rows[-1][1])
        (folder / "interviews" / f"{name}.TextGrid").write_text(text)
    make_recordings(folder / "speech", ["anna"], takes=1)
    (folder / "speech" / "anna" / "anna0.lab").write_text("she had your dark suit")
    (folder / "phones.tsv").write_text("".join(f"{label}\t{label}\n" for label in set(LABELS)))
    (folder / "digits").mkdir()
    for digit in range(10):
        for speaker in ("anna", "ben", "carl"):
            path = folder / "digits" / f"{digit}_{speaker}_0.wav"
            soundfile.write(path, recording(3000 + 100 * digit, seed=digit), 8000)
    make_run(folder / "runs" / "ae", name="freq_fullpad_ae")
    make_recognizer(folder / "runs" / "tdnn")
    return folder


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert run_examples(name)


def test_modules_whose_examples_run_elsewhere_have_examples():
    assert set(ELSEWHERE) <= set(modules_with_examples())
