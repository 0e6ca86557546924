"""Small SavedModels and a server process to ask them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


class Server:
    """`python -m MODULE ARGUMENTS` with its ready lines read; a context manager."""

    def __init__(self, module, *arguments, models=1, verify=True):
        if module == "serving" and not any(str(a).startswith("--port") for a in arguments):
            arguments = (*arguments, "--port=0")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        # A file takes all that a server writes; a pipe that nobody reads would stop it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        # One line tells where gRPC is, after the models' lines.
        flag = "--port=" if module == "serving" else "--grpc-port"
        grpc = any(str(argument).startswith(flag) for argument in arguments)
        self.ready = [self.process.stdout.readline().strip() for _ in range(models + grpc)]
        if not self.ready[0]:
            self.process.wait(timeout=10)
            raise RuntimeError("\n".join(self.errors()))
        self.grpc_address = self.ready[-1].rpartition(" ")[2] if grpc else None
        self.url = re.search(r"https?://\S+:\d+", self.ready[0])[0]
        if self.url.startswith("https"):
            # Certificates are for names, not for addresses.
            self.url = self.url.replace("127.0.0.1", "localhost")
        host, port = self.url.rpartition("/")[2].rsplit(":", 1)
        self.address = host, int(port)
        self.client = httpx.Client(base_url=self.url, timeout=60, verify=verify)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.close()
        if self.process.poll() is None:
            self.stop()
        self.process.stdout.close()
        self._errors.close()

    def errors(self):
        """Lines that it has written to stderr so far."""
        file = self._errors.fileno()
        # The server writes at the position that both have, so it stays where it is.
        return os.pread(file, os.fstat(file).st_size, 0).decode().splitlines()

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def predict(self, model, body, **options):
        """POST to :predict; `body` is JSON or bytes."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"/v1/models/{model}:predict", **content, **options)


SAVED = ("half", "several", "strings", "other")


def save_models(folder):
    """Write SavedModels of several kinds, each of the names of `SAVED` in a folder of its own."""
    import tensorflow as tf

    def spec(*shape, dtype=tf.float32, name=None):
        return tf.TensorSpec(shape, dtype, name)

    half = tf.Module()
    half.a, half.b = tf.Variable(0.5), tf.Variable(2.0)
    half_plus_two = tf.function(
        lambda x: {"y": half.a * x + half.b}, input_signature=[spec(None, name="x")]
    )
    half_plus_three = tf.function(
        lambda x: {"y": half.a * x + 3.0}, input_signature=[spec(None, name="x")]
    )
    signatures = {"serving_default": half_plus_two, "three": half_plus_three}
    tf.saved_model.save(half, f"{folder}/half/3", signatures)
    # A lower version beside it, and what is no version at all.
    tf.saved_model.save(half, f"{folder}/half/2", {"serving_default": half_plus_three})
    (Path(folder) / "half" / "10.partial").mkdir()

    several = tf.Module()
    add = tf.function(
        lambda a, b: {"sum": a + tf.cast(b, tf.float32), "total": tf.reduce_sum(a)},
        input_signature=[spec(None, 2, name="a"), spec(None, 1, dtype=tf.int32, name="b")],
    )
    rows = tf.function(
        lambda a, b: {"sum": a + tf.cast(b, tf.float32), "large": a > 2},
        input_signature=[spec(None, 2, name="a"), spec(None, 1, dtype=tf.int32, name="b")],
    )
    tf.saved_model.save(several, f"{folder}/several/1", {"serving_default": rows, "total": add})

    strings = tf.Module()
    upper = tf.function(
        lambda s: {"upper": tf.strings.upper(s)},
        input_signature=[spec(None, dtype=tf.string, name="s")],
    )
    both = tf.function(
        lambda s: {"echo_bytes": s, "length": tf.strings.length(s)},
        input_signature=[spec(None, dtype=tf.string, name="s")],
    )
    broken = tf.function(
        lambda s: {"number": tf.strings.to_number(s), "echo": s},
        input_signature=[spec(None, dtype=tf.string, name="s")],
    )
    signatures = {"serving_default": upper, "both": both, "broken": broken}
    tf.saved_model.save(strings, f"{folder}/strings/1", signatures)

    # A scalar input and no batch dimension; work that takes a while; small numbers.
    other = tf.Module()
    inverse = tf.function(lambda x: {"y": tf.math.divide(1.0, x)}, input_signature=[spec(name="x")])

    @tf.function(input_signature=[spec(dtype=tf.int32, name="rounds")])
    def slow(rounds):
        x = tf.ones([300, 300])
        for _ in tf.range(rounds):
            x = tf.matmul(x, x) / 300.0
        return {"y": tf.reduce_mean(x)}

    pixels = tf.function(
        lambda x: {"y": tf.identity(x)}, input_signature=[spec(None, dtype=tf.uint8, name="x")]
    )
    signatures = {"serving_default": inverse, "slow": slow, "pixels": pixels}
    tf.saved_model.save(other, f"{folder}/other/1", signatures)
