"""Runs the benchmarks of this folder, all or those named: `python -m benchmarks unpooling`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the scripts, each in a process of its own; 1 if one fails, 2 if one is not known."""
    scripts = {path.stem: path for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))}
    for name in names:
        if name not in scripts:
            print(f"no benchmark {name!r}; there are {', '.join(scripts)}.", file=sys.stderr)
            return 2
    failed = 0
    for name in names or scripts:
        print(f"== {name}", flush=True)
        failed |= subprocess.run([sys.executable, str(scripts[name])]).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
