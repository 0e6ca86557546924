"""Whatever arrives, the server answers with a client's error or stays silent, and lives on."""

import json
import random
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import plain_models
from tests.helpers.served import Server

ALLOWED = {100, 200, 400, 401, 404, 405, 408, 411, 413, 414, 415, 431, 499, 501, 503, 504}
"""501 is for HTTP that is not implemented, such as an unknown Transfer-Encoding."""

MODELS = ("half", "mixed", "types", "adds", "nothing", "..", "%2e%2e", "%00", "é", "a" * 5000)
SIGNATURES = ("", "serving_default", "scalar", "cube", "any_rank", "text", "int8", "uint64")
SIGNATURES += (
    "float16",
    "bool",
    "string",
    "regress_x_to_y",
    "classify_both",
    "__saved_model_init_op",
)

numbers = st.sampled_from([0, -1, 1e308, 10**400, 2**64, -(2**63), 1e-320, 0.1])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | numbers
values = st.recursive(
    leaves | st.just({"b64": "AP8="}) | st.just({"b64": "?"}),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "a", "n", "word", "b64", "s"]), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.dictionaries(
    st.sampled_from(["instances", "inputs", "examples", "context"]), values, max_size=3
)
VALID = [
    ("half", ":predict", {"instances": [1.0, 2.0]}),
    ("half", ":predict", {"inputs": {"x": [0.0]}}),
    ("mixed", ":predict", {"instances": [{"a": [1, 2], "n": 3, "word": "x"}]}),
    (
        "half",
        ":classify",
        {"examples": [{"x": 1.0, "name": "y"}], "signature_name": "classify_both"},
    ),
]


@st.composite
def bodies(draw, valid):
    """A JSON document, or what is left of one, or something else."""
    document = dict(draw(st.just(valid) | documents))
    if draw(st.integers(0, 3)) == 3:
        document["signature_name"] = draw(st.sampled_from(SIGNATURES) | values)
    text = json.dumps(document).encode("utf-8", "surrogatepass")
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return text[: draw(st.integers(0, len(text)))]
    if kind == 1:
        return draw(st.binary(max_size=50))
    if kind == 2:
        depth = draw(st.integers(1, 100_000))
        return b'{"instances": ' + b"[" * depth + (b"]" * depth + b"}") * draw(st.booleans())
    if kind == 3:
        return b'{"instances": [' + b"9" * draw(st.integers(1, 10_000)) + b"]}"
    return text


@st.composite
def requests(draw):
    """The bytes of an HTTP request, mostly a well-formed one, and whether it is whole."""
    model, verb, document = draw(st.sampled_from(VALID))
    # Most requests are wrong in one place: those get farthest.
    model = draw(st.sampled_from((*[model] * len(MODELS), *MODELS)))
    verb = draw(
        st.sampled_from([verb] * 8 + [":predict", ":classify", ":regress", "", "/metadata", ":x"])
    )
    where = draw(
        st.sampled_from([""] * 4 + ["/versions/1", f"/versions/{'9' * 30}", "/labels/stable"])
    )
    path = draw(st.sampled_from([f"/v1/models/{model}{where}{verb}"] * 5 + ["/../../etc/passwd"]))
    method = draw(st.sampled_from(["POST"] * 12 + ["GET", "PUT", "OPTIONS", "HEAD", "BREW"]))
    body = draw(bodies(document))
    missing = draw(st.sampled_from([0] * 30 + [-1, 5, 10**9, 10**30]))
    length = max(0, len(body) + missing)
    headers = [f"Content-Length: {length}"]
    extra = ["Content-Encoding: gzip", "Transfer-Encoding: chunked", "Accept-Encoding: gzip"]
    extra += ["Expect: 100-continue", "Content-Length: x", "X-Long: " + "y" * 70_000, "broken"]
    strange = draw(st.integers(0, 9)) == 0
    if strange:
        headers.append(draw(st.sampled_from(extra)))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + "\r\n".join(headers)
    return head.encode("utf-8") + b"\r\n\r\n" + body, not (missing or strange or method == "BREW")


def exchange(address, request, patience):
    """The status of the answer; None where the server hangs up, or waits for more of the body."""
    with socket.create_connection(address, timeout=patience) as sock:
        answer = b""
        try:
            sock.sendall(request)
            while chunk := sock.recv(65536):
                answer += chunk
        except (ConnectionError, TimeoutError):
            if patience > 10 and not answer:
                raise
    return int(answer.split(b" ", 2)[1]) if answer else None


def resident(process):
    """Megabytes in memory."""
    with open(f"/proc/{process.pid}/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    config = plain_models.save_all(tmp_path_factory.mktemp("plain"))
    flags = [f"--model_config_file={config}", "--rest_api_port=0", "--rest_api_timeout_in_ms=5000"]
    with Server("serving", *flags, models=5) as server:
        yield server


def fuzz(server, count, repeatable=False):
    seen = {}

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=repeatable,
        suppress_health_check=list(HealthCheck),
    )
    @given(request=requests())
    def ask(request):
        content, whole = request
        status = exchange(server.address, content, 30 if whole else 0.1)
        assert status is None or status in ALLOWED, (status, content[:300])
        seen[status] = seen.get(status, 0) + 1

    ask()
    response = server.predict("half", {"instances": [1.0]})
    assert (response.status_code, response.json()) == (200, {"predictions": [2.5]})
    return seen


def test_a_few_hundred_strange_requests(plain):
    seen = fuzz(plain, 300, repeatable=True)
    assert {200, 400, 404} <= seen.keys()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_thousand_strange_requests_leave_memory_as_it_was(plain):
    fuzz(plain, 1000)
    before = resident(plain.process)
    seen = fuzz(plain, 20_000)
    after = resident(plain.process)
    print(f"{sum(seen.values())} requests: {seen}; resident {before:.0f} -> {after:.0f} MB")
    assert after - before < 200


@pytest.mark.slow
def test_random_bytes_are_no_requests(plain):
    source = random.Random(0)
    for _ in range(500):
        junk = source.randbytes(source.randrange(1, 3000))
        assert exchange(plain.address, junk + b"\r\n\r\n", 1) in (None, 400)
