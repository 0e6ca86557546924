"""Texts that are nested deeper than Python goes are read as others are."""

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.errors import ServingError
from serving.json_text import MAX_DEEP, parse_json

LEVELS = 1500
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@st.composite
def texts(draw):
    """JSON, or something like it."""
    text = json.dumps(draw(values), indent=draw(st.sampled_from([None, 1])))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        put = draw(st.text('[]{},:"\\ 1e-.nNaIf', max_size=3))
        text = text[:place] + put + text[place + draw(st.integers(0, 2)) :]
    return text


def parsed(body):
    """The value as JSON, in which NaN is equal to itself; None where the text is refused."""
    try:
        return json.dumps(parse_json(body.encode()))
    except ServingError as error:
        assert error.status == 400
        return None


def parsed_below(body):
    """As `parsed`, of a text at the bottom of many lists."""
    try:
        value = parse_json(("[" * LEVELS + body + "]" * LEVELS).encode())
    except ServingError as error:
        assert (error.status, error.message[:16]) == (400, "JSON Parse error")
        return None
    for _ in range(LEVELS):
        (value,) = value
    return json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(texts().filter(str.strip))
@example('{"a": [1, {"b": []}], "a": {}}')
@example('["Inf", -Inf, -NaN, 18446744073709551616]')
@example("[1, ]")
@example('{"a": 1, }')
@example("1e999")
def test_a_text_is_the_same_however_deep_it_lies(body):
    expected = parsed(body)
    # A text that closes a list and opens another may be JSON between brackets and none without.
    if expected is not None or "]" not in body:
        assert parsed_below(body) == expected


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b"[1,", b'[{"a":'])
def test_the_deepest_text_is_refused_soon(piece):
    for size in (MAX_DEEP, 100 * MAX_DEEP):
        begin = time.process_time()
        with pytest.raises(ServingError, match="JSON Parse error"):
            parse_json(piece * (size // len(piece)))
        assert time.process_time() - begin < 10
