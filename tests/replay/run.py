#!/usr/bin/env python3
"""run.py [FILTER…]: replays recorded traffic of the real services, each recording against a fresh emulator, and compares the misses with the reviewed
list beside this file: a miss that is not listed fails, and so does a listed one that no longer happens (the list is to stay true).
Without the recordings it says so and stops. run.py --update writes the list anew (keeping the reasons), for review."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import harness  # noqa: E402

SHARED = os.path.join(ROOT, "..", "shared")
LIST = os.path.join(HERE, "misses.txt")
SETS = [line.split("#")[0].strip() for line in open(os.path.join(HERE, "recordings.txt"))]


def replay(path):
    """The tool's rows for one recording."""
    with tempfile.TemporaryDirectory() as folder:
        e = harness.Emulator(folder, "--in-memory", clock="real").start()
        try:
            out = os.path.join(folder, "rows")
            subprocess.run([sys.executable, os.path.join(SHARED, "tools", "replay"), "--port", str(e.https_port), "--ca", e.ready["ca"],
                            "--json", out, path], check=True, stdout=subprocess.DEVNULL)
            with open(out) as f:
                return json.load(f)
        finally:
            e.stop()


def read_list():
    """{(recording, index): (verdict, reason)}"""
    known = {}
    if os.path.exists(LIST):
        for line in open(LIST):
            if line.strip() and not line.startswith("#"):
                name, index, verdict, reason = line.rstrip("\n").split("\t")
                known[name, int(index)] = (verdict, reason)
    return known


def main():
    if not os.path.isdir(os.path.join(SHARED, "recordings")):
        print("replay: the recordings are not here (../shared); nothing to compare with")
        return 0
    update = "--update" in sys.argv
    filters = [a for a in sys.argv[1:] if a != "--update"]
    known, misses, total, failed, names = read_list(), {}, 0, 0, set()
    for name in SETS:
        if not name or (filters and not any(f in name for f in filters)):
            continue
        names.add(name)
        rows = [r for r in replay(os.path.join(SHARED, "recordings", name)) if r["verdict"] != "skipped"]
        bad = {(name, r["index"]): r for r in rows if r["verdict"] not in ("match", "value")}
        total += len(rows)
        misses.update(bad)
        print(f"{name}: {len(rows) - len(bad)} of {len(rows)}", flush=True)
    if update:
        with open(LIST, "w") as f:
            f.write("# recording <tab> request <tab> what differs <tab> why; reviewed by hand, checked by `make replay`\n")
            rest = {k: v for k, v in known.items() if k[0] not in names}
            now = {k: (r["verdict"], known.get(k, ("", "?"))[1]) for k, r in misses.items()}
            for (name, index), (verdict, reason) in sorted({**rest, **now}.items()):
                f.write(f"{name}\t{index}\t{verdict}\t{reason}\n")
    for key, r in sorted(misses.items()):
        if not update and key not in known:
            failed += 1
            print(f"NEW MISS {key[0]}#{key[1]} {r['method']} {r['path'][:140]}\n    " + "\n    ".join(r["differences"][:4]))
    for key in sorted(k for k in known if k[0] in names and k not in misses):
        if not update:
            failed += 1
            print(f"LISTED, BUT GOOD NOW: {key[0]}#{key[1]}: take it off the list")
    print(f"{total - len(misses)} of {total} requests in scope with the recorded status and shape "
          f"({100 * (total - len(misses)) / max(1, total):.1f} %), {len(misses)} listed misses")
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
