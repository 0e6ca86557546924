"""Every example of a docstring runs and prints what it says."""

import pytest
import soundfile

from tests.helpers.annotations import long_textgrid, make_recordings
from tests.helpers.doctests import NEEDS_MORE, modules_with_examples, run_examples
from tests.helpers.runs import make_run, recording, wav
from tests.helpers.served import Server
from tests.helpers.trees import LABELS, make_tree
from zoo.data import prepare

MODULES = [name for name in modules_with_examples() if name not in NEEDS_MORE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples find: corpora, a prepared set, a run, a recording."""
    folder = tmp_path_factory.mktemp("examples")
    make_tree(folder / "TIMIT", train=3, test=2, sentences=("SX1", "SI1573"))
    prepare(folder / "TIMIT", folder / "timit-real", length=2554)
    for name, rows in make_recordings(folder / "interviews").items():
        text = long_textgrid({"words": [], "phones": rows}, rows[-1][1])
        (folder / "interviews" / f"{name}.TextGrid").write_text(text)
    (folder / "phones.tsv").write_text("".join(f"{label}\t{label}\n" for label in set(LABELS)))
    (folder / "digits").mkdir()
    for digit in range(10):
        for speaker in ("anna", "ben", "carl"):
            path = folder / "digits" / f"{digit}_{speaker}_0.wav"
            soundfile.write(path, recording(3000 + 100 * digit, seed=digit), 8000)
    make_run(folder / "runs" / "ae", name="freq_fullpad_ae")
    (folder / "phone.wav").write_bytes(wav(recording(2000)))
    return folder


@pytest.mark.parametrize("name", [name for name in MODULES if name != "serving.client"])
def test_examples(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert run_examples(name)


def test_the_clients_example(folder, exported, monkeypatch):
    monkeypatch.chdir(folder)
    with Server("zoo", "serve", f"--model=phones={exported}", "--port", 0) as server:
        assert run_examples("serving.client", {"http://127.0.0.1:8501": server.url})


def test_every_name_of_an_environment_of_its_own_is_a_module_with_examples():
    assert set(NEEDS_MORE) <= set(modules_with_examples())
    assert "serving.client" in MODULES
