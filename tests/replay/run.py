#!/usr/bin/env python3
"""run.py [--update] [FILTER…]: replays recorded traffic of the real services, each recording against a fresh emulator, several at once, and
compares what differs with the reviewed list beside this file: a miss that is not listed fails, and so does a listed one that no longer
happens (the list is to stay true). Each set of recordings.txt has to reach its share (SHARES) of requests in scope with the recorded status
and shape. A filter is a part of a recording's path. Without the recordings it says so and stops. --update writes the list anew (keeping the
reasons, "?" where there was none) for review."""

import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import harness  # noqa: E402

SHARED = os.environ.get("SHARED", os.path.join(ROOT, "..", "shared"))
RECORDINGS = os.path.join(SHARED, "recordings")
LIST = os.path.join(HERE, "misses.txt")
HEAD = "# recording <tab> request, or the first and last of several <tab> what differs <tab> why; reviewed by hand, checked by `make replay`\n"
# How much of a set has to be as recorded.
SHARES = {"vault": 0.90, "arm": 0.90}
# A further page of a list in the recording is not asked for here: its token leads into other people's resources.
FOREIGN_PAGE = "An invalid value was provided for '$skiptoken'"
# A line of the list with such a reason tells of something still to be made: it may go good without a word.
OPEN = "open: "
JOBS = int(os.environ.get("REPLAY_JOBS", "2"))  # large keys are made in some: more at once would only wait for each other
GOOD = ("match", "value")  # a value that differs is told by the tool, but is no miss: status and shape are what counts

# Groups that a recording takes for granted where the tool cannot tell: the first thing asked for in them is missing.
GROUPS = {
    "keyvault/azure-cli/evelyn-ys-latest_recordings_test_keyvault_mgmt.yaml": "cli_test_keyvault_mgmt000001",
    "azure-cli/resource/test_group_deployment_crossrg.yaml": "cli_test_cross_rg_alt000001",
    "keyvault/azure-cli/test_keyvault_public_network_access.yaml": "cli_test_keyvault_pna000001",
}


def lines_of(path):
    """The lines of a list, split at tabs, without comments."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]


def read_sets():
    """{set: {recording}}"""
    sets = {}
    for name, pattern in lines_of(os.path.join(HERE, "recordings.txt")):
        found = set(glob.glob(pattern.lstrip("!"), root_dir=RECORDINGS, recursive=True))
        assert found, f"recordings.txt: no recording is called {pattern}"
        if pattern.startswith("!"):
            sets[name] -= found
        else:
            sets.setdefault(name, set()).update(found)
    return sets


def replay(name):
    """The tool's rows for one recording, those out of its scope left out."""
    with tempfile.TemporaryDirectory(prefix="sealedbus-replay-") as folder:
        e = harness.Emulator(folder, "--in-memory", clock="real").start()
        try:
            if name in GROUPS:
                e.arm("PUT", f"/subscriptions/{harness.SUB}/resourceGroups/{GROUPS[name]}", {"location": "eastus2"}, api="2021-04-01").expect(201)
            rows = os.path.join(folder, "rows")
            subprocess.run([sys.executable, os.path.join(SHARED, "tools", "replay"), "--port", str(e.https_port), "--ca", e.ready["ca"],
                            "--patience", "0.5", "--json", rows, os.path.join(RECORDINGS, name)], check=True, stdout=subprocess.DEVNULL)
            with open(rows) as f:
                return [r for r in json.load(f) if r["verdict"] != "skipped" and not any(FOREIGN_PAGE in d for d in r["differences"])]
        finally:
            e.stop()


def read_misses():
    """{(recording, request, verdict): reason}"""
    known = {}
    for name, indices, verdict, reason in lines_of(LIST):
        first, _, last = indices.partition("-")
        known.update({(name, i, verdict): reason for i in range(int(first), int(last or first) + 1)})
    return known


def write_misses(known, misses, ran):
    """The list with what was just seen; what was not run stays as it is. Neighbours of one reason share a line."""
    keep = {k: why for k, why in known.items() if k[0] not in ran}
    keep.update({k: known.get(k, "?") for k in misses})
    lines = []
    for (name, index, verdict), why in sorted(keep.items()):
        if lines and lines[-1][0] == (name, verdict, why) and lines[-1][2] == index - 1:
            lines[-1][2] = index
        else:
            lines.append([(name, verdict, why), index, index])
    with open(LIST, "w") as f:
        f.write(HEAD)
        for (name, verdict, why), first, last in lines:
            f.write("\t".join([name, str(first) if first == last else f"{first}-{last}", verdict, why]) + "\n")


def judge(known, misses, ran):
    """How many faults there are: misses that nobody has reviewed, lines that are no longer true or say nothing."""
    failed = 0
    for key, row in sorted(misses.items()):
        if key not in known:
            failed += 1
            print(f"NEW MISS {key[0]}#{key[1]} ({key[2]}) {row['method']} {row['path'][:140]}\n    " + "\n    ".join(row["differences"][:4]))
    for key, why in sorted(known.items()):
        if key[0] in ran and key not in misses:
            failed += not why.startswith(OPEN)
            print(f"LISTED, BUT GOOD NOW: {key[0]}#{key[1]} ({key[2]}): take it off the list")
        elif len(why) < 10:
            failed += 1
            print(f"LISTED WITHOUT A REASON: {key[0]}#{key[1]}")
    return failed


def told(name, rows):
    bad = sum(r["verdict"] not in GOOD for r in rows)
    same = sum(r["verdict"] == "match" for r in rows)
    return f"{name}: {len(rows) - bad} of {len(rows)} ({same} in every stable value too)"


def main():
    if not os.path.isdir(RECORDINGS):
        print("replay: the recordings are not here (../shared); nothing to compare with")
        return 0
    update, filters = "--update" in sys.argv, [a for a in sys.argv[1:] if a != "--update"]
    sets = read_sets()
    names = sorted(n for n in set.union(*sets.values()) if not filters or any(f in n for f in filters))
    rows = {}
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for name, found in zip(names, pool.map(replay, names)):
            rows[name] = found
            print(told(name, found), flush=True)
    misses = {(name, r["index"], r["verdict"]): r for name in names for r in rows[name] if r["verdict"] not in GOOD}
    known = read_misses()
    if update:
        write_misses(known, misses, rows)
        known = read_misses()
    failed = judge(known, misses, rows)
    for name, members in sets.items():
        ran = [r for m in sorted(members) for r in rows.get(m, [])]
        good = sum(r["verdict"] in GOOD for r in ran)
        print(f"set {told(name, ran)}: {100 * good / max(1, len(ran)):.1f} % with the recorded status and shape")
        if not filters and good < SHARES[name] * len(ran):
            failed += 1
            print(f"set {name}: less than {100 * SHARES[name]:.0f} %")
    total = sum(len(r) for r in rows.values())
    print(f"{total - len(misses)} of {total} requests as recorded, {len(misses)} misses, of which the list explains "
          f"{sum(k in known for k in misses)}")
    print(f"{max(0, total - failed)} passed, {failed} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
