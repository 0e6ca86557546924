"""Killing a command again and again, for tests of what goes on afterwards."""

import random
import subprocess
import time

STARTING = 6.0
"""Seconds within which a command that is killed while it starts is killed."""


def killed_at_random(command, times, progress, seed=0, **options):
    """Start `command` and kill it (-9) `times` times; children are left to end by themselves.

    Each time it is left alone until it has got a little further, and killed up to half a second
    later, so that it may be writing anything; every fourth time it is killed while it starts.

    Args:
        command: words.
        times: how often.
        progress: gives a number that grows while the command works.
        seed: of the moments.
        **options: of `subprocess.Popen`.

    Returns:
        How far it had got at each kill.
    """
    rng, reached = random.Random(seed), []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for number in range(times):
        before = progress()
        process = subprocess.Popen(command, **{**quiet, **options})
        try:
            if number % 4 == 3:
                time.sleep(rng.uniform(0, STARTING))
            else:
                while progress() == before and process.poll() is None:
                    time.sleep(0.02)
                time.sleep(rng.uniform(0, 0.5))
            assert process.poll() is None, "it ended before it could be killed so often"
        finally:
            process.kill()
            process.wait()
        reached.append(progress())
    return reached
