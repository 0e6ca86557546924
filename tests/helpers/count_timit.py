"""Counts the phones of a TIMIT-layout tree, without the zoo: `python count_timit.py DIR [LENGTH]`.

Prints JSON: the length, and for each split the kept segments of each of the 48 classes and the
number that is too long.
"""

import collections
import json
import pathlib
import sys

import numpy as np

FOLD = dict(pair.split(">") for pair in (
    "ux>uw axr>er ax-h>ax em>m nx>n eng>ng hv>hh pcl>cl tcl>cl kcl>cl qcl>cl bcl>vcl dcl>vcl "
    "gcl>vcl h#>sil #h>sil pau>sil"
).split())  # fmt: skip


def count(root, limit=None):
    found = collections.defaultdict(list)
    for phn in pathlib.Path(root).rglob("*.PHN"):
        split = "train" if "TRAIN" in phn.parts else "test"
        if not phn.name.startswith("SA"):
            for line in phn.read_text().splitlines():
                start, end, label = line.split()
                if label != "q":
                    found[split].append((int(end) - int(start), FOLD.get(label, label)))
    durations = [length for length, _ in found["train"]]
    percentile = np.percentile(durations, 95)
    limit = limit or max(d for d in durations if d <= percentile)
    kept = {s: collections.Counter(c for d, c in rows if d <= limit) for s, rows in found.items()}
    long = {s: sum(d > limit for d, _ in rows) for s, rows in found.items()}
    return {"length": limit, "kept": kept, "too_long": long}


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1], *map(int, sys.argv[2:])), indent=1))
