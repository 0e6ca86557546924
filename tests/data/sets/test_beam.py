"""The same sets from an Apache Beam pipeline, on its local runner."""

import pytest
import soundfile

from tests.helpers.doctests import run_examples
from tests.helpers.trees import make_tree
from zoo.data import prepare, prepare_pairs
from zoo.data.sets.shards import Portions
from zoo.errors import RunError, UsageError

pytest.importorskip("apache_beam")

from zoo.data.sets.beam import on_beam

LOCAL = ["--runner=FnApiRunner"]

KINDS = {
    "phones": (prepare, {"representation": "log_mel", "deltas": 1}, 100_000),
    "any length": (prepare, {"length": "any", "dtype": "float16"}, 100_000),
    "recordings": (prepare, {"examples": "frames"}, 30_000),
    "pairs": (prepare_pairs, {"pairs": {"train": 9, "test": 4}, "length": 3000}, 30_000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_is_that_of_one_machine(tmp_path, kind):
    make, options, size = KINDS[kind]
    options = {**options, "portions": Portions(shard_bytes=size, segments=10)}
    tree = make_tree(tmp_path / "corpus", train=3, test=2)
    here = make(tree, tmp_path / "here", **options)
    there = make(tree, tmp_path / "there", write=on_beam(LOCAL), **options)
    assert len(here.manifest["shards"]["train"]) > 1
    assert there.manifest["content"] == here.manifest["content"]
    assert there.verify() == []


def test_what_is_wrong_with_a_recording_is_told(tmp_path):
    tree = make_tree(tmp_path / "corpus")
    path = tree / "TRAIN" / "DR1" / "MTRN1" / "SX1.WAV"
    soundfile.write(path, [0.0], 16000, format="WAV")
    with pytest.raises((RunError, UsageError), match=r"SX1\.PHN, line 1: the segment ends at"):
        prepare(tree, tmp_path / "set", write=on_beam(LOCAL))


def test_the_example_of_the_documentation():
    assert run_examples("zoo.data.sets.beam")
