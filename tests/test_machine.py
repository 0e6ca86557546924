"""What this machine offers: the cores that work is divided among."""

import os
import subprocess
import sys

import pytest

from zoo.machine import cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_only_cores_that_the_process_may_run_on_count():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from zoo.machine import cores; print(cores())"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["1"]


def test_all_cores_count_where_the_system_pins_no_process(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores() == os.cpu_count()
