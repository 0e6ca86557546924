"""The model server, timed against the bare model, a minimal process, and another model server.

    python benchmarks/serving.py [--model FOLDER] [--seconds N] [--other PYTHON]

What is measured, for the signature `waveform` of an exported phone classifier:

- latency at one connection, beside a call of the same SavedModel in a process of its own, without
  any server; the difference of the medians is what the server adds;
- requests a second at 64 connections with micro-batching, beside a process that only decodes the
  same JSON bodies and calls the model on batches of them, at the best of several batch sizes;
- segments a second in requests of 16, beside the bare model on batches of 16;
- requests a second of MLServer with the same SavedModel, where `--other` names the Python of an
  environment that has it (pip install mlserver tensorflow).

Everything runs on this machine, the client too. Rounds of the contenders take turns, and the median
round counts, since other work comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
SAMPLES = 2554
CONNECTIONS = 64
BATCHES = (1, 2, 4, 8, 16, 32, 64)
ROUNDS = 3

_EXPORT = """
import sys, numpy as np, json, keras, zoo
from pathlib import Path
from zoo.data.frontend import Frontend
from zoo.data.phones import CLASSES
from export import export_savedmodel
REPRESENTATION = {
    "representation": "real", "frame_length": 267, "hop_length": 147, "fft_length": 400,
    "log_offset": 0.01,
}
run = Path(sys.argv[1]) / "run"
run.mkdir()
mean = np.zeros((201, 16, 1), "float32")
Frontend(16000, 2554, "segment", REPRESENTATION, mean).save(run)
keras.utils.set_random_seed(0)
zoo.build("freq_fullpad").save(run / "model.keras")
config = {"model": "freq_fullpad", "family": "classifier", "classes": list(CLASSES)}
(run / "config.json").write_text(json.dumps(config))
export_savedmodel(run, Path(sys.argv[1]) / "model")
"""

# Reads a command a line, writes an answer a line, so that its rounds can take turns with others.
_BARE = """
import json, statistics, sys, time
import numpy as np, orjson, tensorflow as tf
call = tf.saved_model.load(sys.argv[1]).signatures["waveform"]
body = open(sys.argv[2], "rb").read()
def run(x):
    return {name: value.numpy() for name, value in call(waveform=tf.constant(x)).items()}
def decode(count):
    rows = [orjson.loads(body)["instances"] for _ in range(count)]
    return np.array(rows, np.float32).reshape(count, -1)
x = decode(1)
print("ready", flush=True)
for line in sys.stdin:
    kind, batch, seconds = json.loads(line)
    y = np.repeat(x, batch, 0)
    work = (lambda: run(decode(batch))) if kind == "decode" else (lambda: run(y))
    for _ in range(5):
        work()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    print(json.dumps([batch * len(times) / sum(times), statistics.median(times)]), flush=True)
"""

_MLSERVER = """
import numpy as np, tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
class Phones(MLModel):
    async def load(self):
        self._call = tf.saved_model.load(self.settings.parameters.uri).signatures["waveform"]
        return True
    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        answer = self._call(waveform=tf.constant(x))["probabilities"].numpy()
        output = NumpyCodec.encode_output("probabilities", answer)
        return InferenceResponse(model_name=self.name, outputs=[output])
"""


class Bare:
    """The SavedModel in a process without a server."""

    def __init__(self, model: Path, body: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BARE, str(model), str(body)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def _read(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("no pipe")
        return self._process.stdout.readline()

    def measure(self, kind: str, batch: int, seconds: float) -> tuple[float, float]:
        """Segments a second, and the median seconds of a call."""
        if self._process.stdin is None:
            raise RuntimeError("no pipe")
        print(json.dumps([kind, batch, seconds]), file=self._process.stdin, flush=True)
        rate, median = json.loads(self._read())
        return rate, median

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def start_server(model: Path, *flags: str) -> tuple[subprocess.Popen[str], int]:
    """`python -m serving` and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "--model_name=phones", f"--model_base_path={model}",
         "--rest_api_port=0", "--port=0", "--file_system_poll_wait_seconds=0", *flags],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r":(\d+)/v1", line)
    if not found:
        raise SystemExit("the server did not start")
    return process, int(found[1])


def start_other(python: str, model: Path, folder: Path) -> tuple[subprocess.Popen[str], int]:
    """MLServer with the same SavedModel, and its port."""
    port = 18080
    (folder / "phones.py").write_text(_MLSERVER)
    (folder / "settings.json").write_text(
        json.dumps({"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
                    "parallel_workers": 0, "debug": False})
    )  # fmt: skip
    (folder / "model-settings.json").write_text(
        json.dumps({"name": "phones", "implementation": "phones.Phones",
                    "parameters": {"uri": str(model)}})
    )  # fmt: skip
    process = subprocess.Popen(
        [python, "-m", "mlserver.cli", "start", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    import urllib.request

    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/phones/ready", timeout=5)
        except OSError:
            time.sleep(0.5)
        else:
            return process, port
    raise SystemExit("MLServer did not start")


async def _ask(port: int, request: bytes, end: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        start = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(head.decode())
        length = re.search(rb"content-length: (\d+)", head.lower())
        await reader.readexactly(int(length[1]) if length else 0)
        times.append(time.perf_counter() - start)
    writer.close()


def load(port: int, path: str, body: bytes, connections: int, seconds: float) -> list[float]:
    """Seconds of every request."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body

    async def main() -> list[float]:
        warm: list[float] = []
        await asyncio.gather(
            *(_ask(port, request, time.perf_counter() + 0.5, warm) for _ in range(connections))
        )
        times: list[float] = []
        end = time.perf_counter() + seconds
        await asyncio.gather(*(_ask(port, request, end, times) for _ in range(connections)))
        return times

    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="base folder of an export; default: a new one")
    parser.add_argument("--seconds", type=float, default=4, help="of a round (%(default)s)")
    parser.add_argument("--other", help="Python of an environment with MLServer and TensorFlow")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = args.model
        if base is None:
            subprocess.run(
                [sys.executable, "-c", _EXPORT, temporary], check=True, cwd=ROOT,
                stderr=subprocess.DEVNULL, env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            )  # fmt: skip
            base = folder / "model"
        version = max((p for p in base.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
        rows = np.random.default_rng(0).normal(0, 0.1, (16, SAMPLES)).astype("float32")
        rows = rows.clip(-1, 1).round(5)
        bodies = {
            n: json.dumps({"signature_name": "waveform", "instances": rows[:n].tolist()}).encode()
            for n in (1, 16)
        }
        (folder / "body").write_bytes(bodies[1])
        measure(args, version, base, folder, bodies)


def measure(
    args: argparse.Namespace, version: Path, base: Path, folder: Path, bodies: dict[int, bytes]
) -> None:
    """All comparisons."""
    path, seconds = "/v1/models/phones:predict", args.seconds
    bare = Bare(version, folder / "body")
    processes: list[subprocess.Popen[str]] = []
    median = statistics.median
    try:
        plain, plain_port = start_server(base)
        batching, port = start_server(base, "--enable_batching")
        processes += [plain, batching]

        lone, alone = [], []
        for _ in range(ROUNDS):
            alone.append(bare.measure("call", 1, seconds)[1])
            lone.append(load(plain_port, path, bodies[1], 1, seconds))
        served = median(median(times) for times in lone)
        print(f"latency, 1 connection: bare {median(alone) * 1e3:.2f} ms, served "
              f"{served * 1e3:.2f} ms: {(served - median(alone)) * 1e3:.2f} ms added; p99 "
              f"{np.percentile(np.concatenate(lone), 99) * 1e3:.2f} ms")  # fmt: skip

        sizes = {n: bare.measure("decode", n, seconds / 2)[0] for n in BATCHES}
        best = max(sizes, key=lambda n: sizes[n])
        minimal, many = [], []
        for _ in range(ROUNDS):
            minimal.append(bare.measure("decode", best, seconds)[0])
            many.append(load(port, path, bodies[1], CONNECTIONS, seconds))
        rate = median(len(times) / seconds for times in many)
        print(f"{CONNECTIONS} connections: {rate:.0f} requests/s, minimal process (batches of "
              f"{best}) {median(minimal):.0f}/s: {rate / median(minimal):.0%}; p99 "
              f"{np.percentile(np.concatenate(many), 99) * 1e3:.0f} ms")  # fmt: skip

        model, sixteens = [], []
        for _ in range(ROUNDS):
            model.append(bare.measure("call", 16, seconds)[0])
            sixteens.append(len(load(port, path, bodies[16], 4, seconds)) * 16 / seconds)
        print(f"requests of 16: {median(sixteens):.0f} segments/s, bare model "
              f"{median(model):.0f}/s: {median(sixteens) / median(model):.0%}")  # fmt: skip

        if not args.other:
            print("another server: left out (--other PYTHON of an environment with MLServer)")
            return
        other, other_port = start_other(args.other, version, folder)
        processes.append(other)
        data = json.loads(bodies[1])["instances"]
        tensor = {"name": "waveform", "shape": [1, SAMPLES], "datatype": "FP32", "data": data[0]}
        other_body = json.dumps({"inputs": [tensor]}).encode()
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(load(port, path, bodies[1], CONNECTIONS, seconds))
            infer = "/v2/models/phones/infer"
            theirs.append(load(other_port, infer, other_body, CONNECTIONS, seconds))
        rates = [median(len(t) / seconds for t in times) for times in (ours, theirs)]
        print(f"MLServer, {CONNECTIONS} connections: {rates[1]:.0f} requests/s, ours "
              f"{rates[0]:.0f}: {rates[0] / rates[1]:.1f} times; its p99 "
              f"{np.percentile(np.concatenate(theirs), 99) * 1e3:.0f} ms")  # fmt: skip
    finally:
        bare.close()
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=60)


if __name__ == "__main__":
    main()
