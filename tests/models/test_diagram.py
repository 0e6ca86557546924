"""The picture of a network's maps."""

import re

import pytest

import zoo
from zoo.errors import UsageError
from zoo.models.diagram import draw_maps


def test_the_picture_names_every_map_of_the_model_and_is_reproducible(tmp_path):
    model = zoo.build("freq_fullpad", input_shape=(201, 16, 1))
    one = draw_maps(model, tmp_path / "one.svg").read_text()
    words = re.findall(r"<text[^>]*>([^<]+)</text>", one)
    shapes = {"×".join(map(str, layer.output.shape[1:])) for layer in model.layers}
    shapes -= {"64"}  # the flattened code is no map of its own
    assert shapes <= set(words)
    assert {"conv1", "8×16", "pool1", "5×2", "/2×2", "fc3"} <= set(words)
    assert draw_maps(model, tmp_path / "two.svg").read_text() == one


def test_other_inputs_give_other_maps(tmp_path):
    model = zoo.build("freq_fullpad", input_shape=(201, 25, 1))
    assert "201×25×8" in draw_maps(model, tmp_path / "a.svg").read_text()


def test_a_kind_of_file_that_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"must end in one of \.svg, \.png, \.pdf"):
        draw_maps(zoo.build("freq_fullpad"), tmp_path / "map.bmp")
    assert not list(tmp_path.iterdir())
