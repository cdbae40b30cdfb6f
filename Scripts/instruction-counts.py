#!/usr/bin/env python3
"""Compares what Scripts/instruction-gate.sh has counted with the counts that are stored, and fails where one has grown.

    instruction-counts.py RESULTS STORED --swift VERSION [--update]

RESULTS holds callgrind's dumps: kernels.counts.1, .2 … in the order of the names in kernels.out, train.counts.1, evaluate.counts.1.
STORED is a JSON file; --update writes it.

A count may exceed the stored one by TOLERANCE: repeated runs give equal counts for
kernels and differ by about a ten-thousandth for training, two of whose threads write its checkpoints. Another compiler makes other
instructions of the same source, and nobody is to blame: where the compiler is not the stored one, TOLERANCE_ACROSS_COMPILERS holds
and a note says so. It still shows a kernel that lost its vector instructions or does its work twice; after a change of compiler, store
the counts anew. What has shrunk by more than the tolerance is named too, so that the gain can be stored and kept.
"""
import argparse
import json
import sys
from pathlib import Path

TOLERANCE = 0.005
TOLERANCE_ACROSS_COMPILERS = 0.25


def instructions(path):
    if not path.exists():
        sys.exit(f"instruction-counts: there is no {path.name}: callgrind never saw the function return that was to be counted")
    for line in path.read_text().splitlines():
        if line.startswith("summary:"):
            return int(line.split()[1])
    sys.exit(f"instruction-counts: {path.name} has no summary")


def read_counts(results):
    names = (results / "kernels.out").read_text().split()
    counts = {name: instructions(results / f"kernels.counts.{number}") for number, name in enumerate(names, 1)}
    for command in ("train", "evaluate"):
        counts[f"amend {command}"] = instructions(results / f"{command}.counts.1")
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        sys.exit(f"instruction-counts: nothing was counted for {', '.join(empty)}")
    return counts


def read_stored(path):
    try:
        stored = json.loads(path.read_text())
        return stored["swift"], {name: int(count) for name, count in stored["instructions"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"instruction-counts: {path} is not a file of counts ({error}); instruction-gate.sh --update writes it")


def table(rows):
    lines = [f"{'':54}{'stored':>14}{'now':>14}{'change':>9}"]
    return "\n".join(lines + [f"{name:54}{old:14}{new:14}{new / old - 1:+9.2%}" for name, old, new in rows])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("stored", type=Path)
    parser.add_argument("--swift", required=True)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    counts = read_counts(arguments.results)
    if arguments.update:
        arguments.stored.parent.mkdir(exist_ok=True)
        arguments.stored.write_text(json.dumps({"swift": arguments.swift, "instructions": counts}, indent=1) + "\n")
        print(f"instruction counts: stored {len(counts)} in {arguments.stored}")
        return

    swift, stored = read_stored(arguments.stored)
    tolerance = TOLERANCE
    if swift != arguments.swift:
        tolerance = TOLERANCE_ACROSS_COMPILERS
        print(f"instruction counts: stored with Swift {swift}, this is {arguments.swift}: {tolerance:.0%} more is allowed instead of {TOLERANCE:.1%}")
    both = [(name, stored[name], count) for name, count in counts.items() if name in stored]
    grown = [row for row in both if row[2] > row[1] * (1 + tolerance)]
    shrunk = [row for row in both if row[2] < row[1] * (1 - tolerance)]
    different = sorted(counts.keys() ^ stored.keys())
    if shrunk:
        print(f"instruction counts that have shrunk; instruction-gate.sh --update stores them:\n{table(shrunk)}")
    if grown:
        print(f"instruction counts that have grown by more than {tolerance:.1%}; instruction-gate.sh --update stores them if they must:\n{table(grown)}")
    if different:
        print(f"instruction counts: stored and counted names differ: {', '.join(different)}; instruction-gate.sh --update stores what is counted")
    if grown or different:
        sys.exit(1)
    print(f"instruction counts: {len(both)} within {tolerance:.1%} of those stored, Swift {arguments.swift}")


main()
