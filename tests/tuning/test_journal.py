"""The ledger: whole lines or none, whatever cuts it short."""

import json
import resource
import subprocess
import sys

import pytest

from tuning.journal import Journal
from zoo.errors import UsageError

EVENTS = [{"event": "create", "trial": "0000", "values": {"a": "é"}}, {"event": "end", "n": 1.5}]


def test_a_file_cut_at_any_byte_keeps_the_lines_before(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for event in EVENTS:
        journal.append(event)
    journal.close()
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        cut = Journal(path)
        assert cut.events == EVENTS[: whole[:size].count(b"\n")]
        cut.append({"event": "more"})
        cut.close()
        assert Journal(path).events == [*cut.events]


def test_a_line_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "a"}\nnonsense\n{"event": "b"}\n')
    with pytest.raises(UsageError, match=r"line 2 of .* is not JSON"):
        Journal(path)


def test_a_disk_that_is_full_leaves_whole_lines(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from tuning.journal import Journal\n"
        "from zoo.errors import RunError\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (110, {resource.RLIM_INFINITY}))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(sys.argv[1])\n"
        "try:\n"
        "    for number in range(100):\n"
        "        journal.append({'event': 'create', 'number': number})\n"
        "except RunError as error:\n"
        "    print(error, len(journal.events))\n"
    )
    path = tmp_path / "journal.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "exceed the size limit. 3" in done.stdout
    lines = path.read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 1, 2]
