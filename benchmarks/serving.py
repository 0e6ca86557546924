"""The model server, timed against the bare model, a minimal process, and another model server.

    python benchmarks/serving.py [--model FOLDER] [--seconds N] [--other PYTHON] [--soak MINUTES]

What is measured, for the signature `waveform` of an exported phone classifier:

- latency at one connection, beside a call of the same SavedModel in a process of its own, without
  any server; the difference of the medians is what the server adds;
- requests a second at 64 connections with micro-batching (at most 32 together, the model on one
  thread: the other core reads requests meanwhile), beside a process that only decodes the same
  JSON bodies and calls the model on batches of them, at the best of several batch sizes;
- segments a second in requests of 16, beside the bare model on batches of 16;
- requests a second of MLServer with the same SavedModel, without and with its own batching, where
  `--other` names the Python of an environment that has it (pip install mlserver tensorflow).

Everything runs on this machine, the client too: wrk where it is installed, since one in Python
takes ten times the processor time, and Python otherwise. Other work comes and goes, so short rounds
of the contenders take turns, and the median of the neighbours' ratios counts.

With `--soak`, instead: how much memory the server holds, minute by minute, at 20 requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
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
PATH = "/v1/models/phones:predict"
BATCHES = (1, 2, 4, 8, 16, 32, 64)
ROUNDS = 15
BATCHING = "max_batch_size { value: 32 } max_enqueued_batches { value: 100 }"
ONE_THREAD = "--tensorflow_session_parallelism=1"
SOAK_RATE = 20

_EXPORT = """
import sys, numpy as np, json, keras, zoo
from pathlib import Path
from zoo.data.features.frontend import Frontend
from zoo.data.corpora.phones import CLASSES
from zoo.files import make_folder
from zoo.runs import Run
from export import export_savedmodel
REPRESENTATION = {
    "representation": "real", "frame_length": 267, "hop_length": 147, "fft_length": 400,
    "log_offset": 0.01,
}
run = Run(make_folder(Path(sys.argv[1]) / "run"))
mean = np.zeros((201, 16, 1), "float32")
config = {"model": "freq_fullpad", "family": "classifier", "classes": list(CLASSES)}
run.record(config, Frontend(16000, 2554, "segment", REPRESENTATION, mean))
keras.utils.set_random_seed(0)
run.history = {}
run.finish(zoo.build("freq_fullpad"))
export_savedmodel(run.path, Path(sys.argv[1]) / "model")
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


def start_other(
    python: str, model: Path, folder: Path, **batching: float
) -> tuple[subprocess.Popen[str], int]:
    """MLServer with the same SavedModel, and its port."""
    port = 18090 if batching else 18080
    folder.mkdir()
    (folder / "phones.py").write_text(_MLSERVER)
    (folder / "settings.json").write_text(
        json.dumps({"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
                    "parallel_workers": 0, "debug": False})
    )  # fmt: skip
    (folder / "model-settings.json").write_text(
        json.dumps({"name": "phones", "implementation": "phones.Phones", **batching,
                    "parameters": {"uri": str(model)}})
    )  # fmt: skip
    process = subprocess.Popen(
        [str(Path(python).with_name("mlserver")), "start", str(folder)],
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


_WRK = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*all")
file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
"""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def throughput(
    port: int, path: str, body: bytes, connections: int, seconds: float
) -> tuple[float, float]:
    """Requests a second, and seconds that 99 in a hundred stay below."""
    wrk = shutil.which("wrk")
    if wrk is None:
        times = load(port, path, body, connections, seconds)
        return len(times) / seconds, float(np.percentile(times, 99))
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder) / "post.lua", Path(folder) / "body"
        script.write_text(_WRK)
        data.write_bytes(body)
        # Its shortest duration is a second.
        done = subprocess.run(
            [wrk, "--threads", "1", "--connections", str(connections), "--latency",
             "--duration", f"{max(1, round(seconds))}s", "--script", str(script),
             f"http://127.0.0.1:{port}{path}"],
            env={**os.environ, "BODY": str(data)}, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", done)
    if "Non-2xx" in done or "Socket errors" in done or not rate or not slow:
        raise SystemExit(done)
    return float(rate[1]), float(slow[1]) * _UNITS[slow[2]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="base folder of an export; default: a new one")
    parser.add_argument("--seconds", type=float, default=1, help="of a round (%(default)s)")
    parser.add_argument("--other", help="Python of an environment with MLServer and TensorFlow")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="watch the memory instead")
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
        if args.soak:
            soak(base, list(bodies.values()), args.soak)
        else:
            measure(args, version, base, folder, bodies)


def measure(
    args: argparse.Namespace, version: Path, base: Path, folder: Path, bodies: dict[int, bytes]
) -> None:
    """All comparisons."""
    seconds, median = args.seconds, statistics.median
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    bare = Bare(version, folder / "body")
    processes: list[subprocess.Popen[str]] = []
    try:
        (folder / "batching.txt").write_text(BATCHING)
        plain, plain_port = start_server(base)
        file = f"--batching_parameters_file={folder / 'batching.txt'}"
        batching, port = start_server(base, "--enable_batching", file, ONE_THREAD)
        processes += [plain, batching]
        for n, connections in ((1, CONNECTIONS), (16, 4)):
            throughput(port, PATH, bodies[n], connections, 2)  # the first seconds are slower

        lone, alone = [], []
        for _ in range(ROUNDS):
            alone.append(bare.measure("call", 1, seconds)[1])
            lone.append(load(plain_port, PATH, bodies[1], 1, seconds))
        served = [median(times) for times in lone]
        added = median(with_ - without for with_, without in zip(served, alone, strict=True))
        print(f"latency, 1 connection: bare {median(alone) * 1e3:.2f} ms, served "
              f"{median(served) * 1e3:.2f} ms, {added * 1e3:.2f} ms added; "
              f"{p99(lone)}")  # fmt: skip

        sizes = {n: bare.measure("decode", n, seconds / 2)[0] for n in BATCHES}
        best = max(sizes, key=lambda n: sizes[n])
        minimal, many = [], []
        for _ in range(ROUNDS):
            minimal.append(bare.measure("decode", best, seconds)[0])
            many.append(throughput(port, PATH, bodies[1], CONNECTIONS, seconds))
        compare(f"{CONNECTIONS} connections", many, minimal,
                f"a minimal process, batches of {best}")  # fmt: skip

        model, sixteens = [], []
        for _ in range(ROUNDS):
            model.append(bare.measure("call", 16, seconds)[0])
            rate, slow = throughput(port, PATH, bodies[16], 4, seconds)
            sixteens.append((16 * rate, slow))
        compare("segments in requests of 16, 4 connections", sixteens, model,
                "the bare model")  # fmt: skip

        if not args.other:
            print("another server: left out (--other PYTHON of an environment with MLServer)")
            return
        others = {
            "MLServer": start_other(args.other, version, folder / "plain"),
            "MLServer with its batching": start_other(
                args.other, version, folder / "batching", max_batch_size=32, max_batch_time=0.005
            ),
        }
        processes += [process for process, _ in others.values()]
        data = json.loads(bodies[1])["instances"]
        tensor = {"name": "waveform", "shape": [1, SAMPLES], "datatype": "FP32", "data": data[0]}
        body = json.dumps({"inputs": [tensor]}).encode()
        infer = "/v2/models/phones/infer"
        ours: list[tuple[float, float]] = []
        theirs: dict[str, list[tuple[float, float]]] = {name: [] for name in others}
        for _ in range(ROUNDS):
            ours.append(throughput(port, PATH, bodies[1], CONNECTIONS, seconds))
            for name, (_, other_port) in others.items():
                theirs[name].append(throughput(other_port, infer, body, CONNECTIONS, seconds))
        for name, rounds in theirs.items():
            slow = statistics.median(p99 for _, p99 in rounds)
            compare(f"{CONNECTIONS} connections", ours, [rate for rate, _ in rounds],
                    f"{name} (its p99 {slow * 1e3:.1f} ms)")  # fmt: skip
    finally:
        bare.close()
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=60)


def p99(rounds: list[list[float]]) -> str:
    """The slowest hundredth, in words."""
    return f"p99 {np.percentile(np.concatenate(rounds), 99) * 1e3:.1f} ms"


def compare(what: str, ours: list[tuple[float, float]], theirs: list[float], whose: str) -> None:
    """Print medians, and the median of the ratios of rounds that lie side by side."""
    rates = [rate for rate, _ in ours]
    slow = statistics.median(p99 for _, p99 in ours)
    ratio = statistics.median(a / b for a, b in zip(rates, theirs, strict=True))
    print(f"{what}: {statistics.median(rates):.0f}/s, p99 {slow * 1e3:.1f} ms; {whose} "
          f"{statistics.median(theirs):.0f}/s: {ratio:.0%} of it", flush=True)  # fmt: skip


def soak(base: Path, bodies: list[bytes], minutes: float) -> None:
    """Print how much memory the server holds, at the start and after every minute."""
    import urllib.error
    import urllib.request

    process, port = start_server(base, "--enable_batching")
    url = f"http://127.0.0.1:{port}{PATH}"
    # Mistakes are part of a day's work, and their answers take memory too.
    wrong = [b'{"instances": [[NaN]], "signature_name": "waveform"}', b"{", b'{"inputs": 1}']
    asked = 0
    try:
        start, shown = time.monotonic(), -1
        while (elapsed := time.monotonic() - start) <= minutes * 60:
            if elapsed // 60 > shown:
                shown = int(elapsed // 60)
                print(f"{shown} min: {asked} requests, {resident(process.pid):.1f} MB", flush=True)
            body = wrong[asked // 10 % len(wrong)] if asked % 10 == 9 else bodies[asked % 2]
            try:
                urllib.request.urlopen(url, body, timeout=60).read()
            except urllib.error.HTTPError as error:
                if error.code != 400:
                    raise
            asked += 1
            time.sleep(max(0.0, start + asked / SOAK_RATE - time.monotonic()))
        print(f"{minutes:g} min: {asked} requests, {resident(process.pid):.1f} MB")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def resident(pid: int) -> float:
    """Megabytes that a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


if __name__ == "__main__":
    main()
