"""What the tests of alignment share."""

import pytest

import zoo
from tests.helpers.alignments import make_spoken


@pytest.fixture(scope="session")
def spoken(once):
    """A folder with `speech/SPEAKER/NAME.wav`, a `.lab` beside each, and `run`."""
    return once("spoken", make_spoken)


@pytest.fixture(scope="session")
def aligner(spoken):
    """By the network of that folder."""
    return zoo.load_aligner(spoken / "run")
