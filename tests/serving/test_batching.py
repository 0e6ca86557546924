"""Micro-batching: who meets in a batch, what a full queue says, and that answers stay one's own."""

import asyncio
import threading
import time

import numpy as np
import pytest

from serving.batching import Batcher, BatchingParameters
from serving.errors import ServingError
from serving.server import loop_factory
from zoo.errors import UsageError


class Model:
    """Doubles its input and remembers the batches; waits for `go`, refuses negative numbers."""

    def __init__(self):
        self.batches = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, inputs):
        self.go.wait(10)
        self.batches.append(inputs["x"].ravel().tolist())
        if (inputs["x"] < 0).any():
            raise ServingError("INVALID_ARGUMENT", f"negative: {inputs['x'].ravel().tolist()}")
        return {"y": inputs["x"] * 2}


def ask(batcher, model, values, group="m", key="k"):
    x = np.array(values, np.float32)
    return asyncio.ensure_future(batcher.run(group, key, {"x": x}, model))


def run(work, **parameters):
    """Run `work(batcher, model)`; what it returns, and the batches that the model saw."""
    model = Model()

    async def main():
        batcher = Batcher(BatchingParameters(**{"num_batch_threads": 1, **parameters}))
        try:
            return await work(batcher, model)
        finally:
            batcher.close()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main()), model.batches


def test_requests_of_a_moment_share_a_run_and_get_their_own_answers():
    async def work(batcher, model):
        answers = await asyncio.gather(*(ask(batcher, model, [i] * (i + 1)) for i in range(4)))
        return [answer["y"].tolist() for answer in answers]

    answers, batches = run(work)
    assert answers == [[0], [2, 2], [4, 4, 4], [6, 6, 6, 6]]
    assert batches == [[0, 1, 1, 2, 2, 2, 3, 3, 3, 3]]


def test_batches_hold_at_most_the_maximum_and_wait_for_the_time_given():
    async def work(batcher, model):
        first = [ask(batcher, model, [i]) for i in range(5)]
        await asyncio.gather(*first[:4])
        assert not first[4].done()
        await asyncio.gather(first[4])

    _, batches = run(work, max_batch_size=2, batch_timeout_micros=200_000)
    assert batches == [[0, 1], [2, 3], [4]]


def test_versions_signatures_and_shapes_stay_apart():
    async def work(batcher, model):
        keys = [("v1", "a"), ("v2", "a"), ("v1", "b")]
        same = [ask(batcher, model, [float(i)], key=key) for i, key in enumerate(keys)]
        other = ask(batcher, model, [[1.0, 2.0]], key=keys[0])
        await asyncio.gather(*same, other)

    _, batches = run(work)
    assert sorted(batches) == [[0.0], [1.0], [1.0, 2.0], [2.0]]


def test_a_request_that_the_model_refuses_does_not_harm_the_others():
    async def work(batcher, model):
        tasks = [ask(batcher, model, [value]) for value in (1, -1, 3)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    (first, second, third), batches = run(work)
    assert (first["y"].tolist(), third["y"].tolist()) == ([2], [6])
    assert (second.code, second.message) == ("INVALID_ARGUMENT", "negative: [-1.0]")
    assert batches == [[1, -1, 3], [1], [-1], [3]]


def test_the_next_batch_runs_while_the_event_loop_is_busy():
    async def work(batcher, model):
        model.go.clear()
        asked = [ask(batcher, model, [i]) for i in range(3)]
        await asyncio.sleep(0.05)
        model.go.set()
        deadline = time.monotonic() + 10
        while len(model.batches) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)  # nothing else gets its turn in this loop
        ran = list(model.batches)
        await asyncio.gather(*asked)
        return ran

    ran, batches = run(work, max_batch_size=1)
    assert ran == batches == [[0], [1], [2]]


def test_a_model_that_fails_fails_its_requests_and_no_later_ones():
    def broken(inputs):
        raise MemoryError("no room")

    async def work(batcher, model):
        asked = [ask(batcher, broken, [1.0]), ask(batcher, broken, [2.0])]
        failures = await asyncio.gather(*asked, return_exceptions=True)
        return failures, (await ask(batcher, model, [3.0], key="other"))["y"].tolist()

    failures, later = run(work)[0]
    assert [str(failure) for failure in failures] == ["no room", "no room"]
    assert later == [6.0]


def test_allowed_sizes_are_filled_up_with_the_first_example():
    async def work(batcher, model):
        answers = await asyncio.gather(ask(batcher, model, [5, 6]), ask(batcher, model, [7]))
        return [answer["y"].tolist() for answer in answers]

    answers, batches = run(work, max_batch_size=8, allowed_batch_sizes=(4, 8))
    assert answers == [[10, 12], [14]]
    assert batches == [[5, 6, 7, 5]]


def test_a_full_queue_is_unavailable_and_others_are_not():
    async def work(batcher, model):
        model.go.clear()
        running = ask(batcher, model, [0])
        await asyncio.sleep(0.05)
        waiting = [ask(batcher, model, [i]) for i in (1, 2)]
        await asyncio.sleep(0)
        late = ask(batcher, model, [3])
        other = ask(batcher, model, [4], group="another model", key="other")
        with pytest.raises(ServingError, match=r"batch scheduling queue .* is full") as caught:
            await late
        model.go.set()
        await asyncio.gather(running, *waiting, other)
        assert (await ask(batcher, model, [5]))["y"].tolist() == [10]
        return caught.value.code, caught.value.status

    answer, _ = run(work, max_batch_size=1, max_enqueued_batches=2)
    assert answer == ("UNAVAILABLE", 503)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": np.zeros(5)}, "Task size 5 is larger than maximum batch size 4"),
        ({"x": np.zeros(2), "z": np.zeros(3)}, "must have equal 0th-dimension size"),
    ],
)
def test_requests_that_no_batch_can_take(inputs, message):
    async def work(batcher, model):
        with pytest.raises(ServingError, match=message):
            await batcher.run("m", "k", inputs, model)

    run(work, max_batch_size=4)


def test_outputs_without_a_batch_dimension_are_an_error():
    async def work(batcher, model):
        total = lambda inputs: {"y": inputs["x"].sum()}  # noqa: E731
        tasks = [ask(batcher, total, [1.0]), ask(batcher, total, [2.0])]
        # By itself such a request is answered all the same.
        return [float(answer["y"]) for answer in await asyncio.gather(*tasks)]

    assert run(work)[0] == [1.0, 2.0]


def test_parameters_are_read_from_tensorflow_servings_file(tmp_path):
    file = tmp_path / "batching.config"
    file.write_text(
        "max_batch_size { value: 128 } batch_timeout_micros { value: 0 }\n"
        "max_enqueued_batches { value: 1000000 } num_batch_threads { value: 8 }\n"
        'allowed_batch_sizes: [32, 128] thread_pool_name: { value: "x" }'.replace(
            '{ value: "x" }', '"x"'
        )
    )
    assert BatchingParameters.read(file) == BatchingParameters(128, 0, 1000000, 8, (32, 128))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be 1 or more"),
        ("max_size { value: 1 }", "Invalid protobuf file"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 8", "must ascend and end with"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs is not offered"),
    ],
)
def test_wrong_parameters(tmp_path, text, message):
    file = tmp_path / "batching.config"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        BatchingParameters.read(file)
