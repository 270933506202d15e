#!/usr/bin/env python3
"""Adds up what became of the mutants of all shards in target/mutants/shards: how many were caught, and which were not.

Ends with 1 where fewer than nine of ten were caught. A mutant that was tried in several shards counts as it did last.
"""

import json
import pathlib
import sys

SHARE = 0.9

# A test that takes so many times as long as without a fault has not caught it.
PATIENCE = 5


def patience(shard):
    """For how many seconds the tests may run, by how long they took without a fault in a shard."""
    outcomes = json.loads((pathlib.Path(shard) / "mutants.out/outcomes.json").read_text())["outcomes"]
    baseline = next(outcome for outcome in outcomes if outcome["scenario"] == "Baseline")
    took = next(phase["duration"] for phase in baseline["phase_results"] if phase["phase"] == "Test")
    return max(60, round(PATIENCE * took))


def outcomes(shards):
    """What became of each mutant, by its name."""
    found = {}
    files = shards.glob("*/mutants.out/outcomes.json")
    for file in sorted(files, key=lambda file: file.stat().st_mtime):
        for outcome in json.loads(file.read_text())["outcomes"]:
            if isinstance(outcome["scenario"], dict):
                found[outcome["scenario"]["Mutant"]["name"]] = outcome["summary"]
    return found


def main():
    found = outcomes(pathlib.Path("target/mutants/shards"))
    count = {word: 0 for word in ("CaughtMutant", "MissedMutant", "Timeout", "Unviable")}
    for summary in found.values():
        count[summary] = count.get(summary, 0) + 1
    viable = count["CaughtMutant"] + count["MissedMutant"] + count["Timeout"]
    share = count["CaughtMutant"] / viable if viable else 0
    for name, summary in sorted(found.items()):
        if summary in ("MissedMutant", "Timeout"):
            print("not caught" if summary == "MissedMutant" else "took too long", name, sep=": ")
    print(
        f"mutants: {len(found)} tried, {count['CaughtMutant']} caught, {count['MissedMutant']} missed, "
        f"{count['Timeout']} took too long, {count['Unviable']} did not build: {share:.1%} of {viable} caught"
    )
    return 0 if share >= SHARE else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--patience"]:
        print(patience(sys.argv[2]))
    else:
        sys.exit(main())
