#!/usr/bin/env python3
"""run.py [SUITE…]: runs each suite of real clients against an emulator of its own, two at a time. A client gets names under
localhost, the emulator's CA as the only one it trusts, and nothing else. The last line is "N passed, N failed"; the status is
1 when any check failed or a suite did not come to its end."""

import concurrent.futures
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import harness  # noqa: E402

CLIENTS = os.environ.get("CLIENTS_DIR", os.path.join(ROOT, "build", "clients"))
TIMEOUT = 420  # of one suite, in seconds
PYTHON = os.path.join(CLIENTS, "venv", "bin", "python")
NODE = os.path.join(CLIENTS, "node", "node_modules", ".bin", "node")


def with_vault(story):
    """A vault that lets the client purge too."""
    story.make_group()
    story.make_vault(enablePurgeProtection=None)


# name: (what to run, what must be there before), the slowest first
SUITES = {
    "az_vault": ([sys.executable, "-B", "az_vault.py"], None),
    "az_bus": ([sys.executable, "-B", "az_bus.py"], None),
    "python_keys": ([PYTHON, "-B", "python_keys.py"], with_vault),
    "python_management": ([PYTHON, "-B", "python_management.py"], None),
    "tour": (["bash", "tour.sh"], None),
    "node_keys": ([NODE, "node_keys.mjs"], with_vault),
}


def environment(e):
    """Nothing of the caller's that could lead a client elsewhere; one CA, under the names that the clients know."""
    env = {k: v for k, v in os.environ.items() if not re.match(r"(?i)(AZURE|ARM|SEALEDBUS|REQUESTS|SSL|NODE|CURL)_|.*_proxy$", k)}
    env.update({k: e.ready["ca"] for k in ("CLIENTS_CA", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")})
    env.update(CLIENTS_PORT=str(e.https_port), CLIENTS_CONTROL=str(e.http_port), CLIENTS_DIR=CLIENTS,
               CLIENTS_TMP=os.path.dirname(e.data), PYTHONPATH=os.path.join(ROOT, "tests", "e2e"))
    return env


def unanswered(log):
    """The requests in a log that met no route or ended with 5xx: a client may pass over such an answer in silence."""
    return "\n".join(line for line in log.splitlines() if re.search(r" request op=(- .*|.* status=5\d\d )", line))


def totals(name, done, log):
    """(passed, failed, lines) of a suite that ended."""
    said, _, last = done.stdout.rstrip().rpartition("\n")
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    if not counts or (done.returncode == 0) != (counts[2] == "0"):
        return 0, 1, f"{done.stdout}\nFAILED {name}: ended with {done.returncode} and without its totals"
    passed, failed, missed = int(counts[1]), int(counts[2]), unanswered(log)
    if missed:
        return passed, failed + 1, f"{said}\nFAILED {name}: requests that the emulator could not answer\n{missed}"
    return passed + 1, failed, f"{said}\nok     {name}: the emulator knew every address and had no error of its own"


def run_suite(name):
    """(passed, failed, what it said)"""
    command, prepare = SUITES[name]
    case = harness.Case(name)
    began = time.monotonic()
    try:
        story = harness.Story(case.emulator("--log-level", "debug", clock="real"), vault="clientsvault")
        if prepare:
            prepare(story)
        done = subprocess.run(command, cwd=HERE, env=environment(story.e), stdin=subprocess.DEVNULL, timeout=TIMEOUT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        case.finish()
        passed, failed, said = totals(name, done, story.e.read_log())
    except subprocess.TimeoutExpired as e:
        passed, failed = 0, 1
        said = f"{(e.stdout or b'').decode(errors='replace')}\nFAILED {name}: not done after {TIMEOUT} s"
    except (AssertionError, OSError) as e:  # the emulator did not start, or did not stop as it should
        passed, failed, said = 0, 1, f"FAILED {name}: {e}"
    finally:
        logs = case.logs()
        case.clean()
    if failed:
        said += "\n" + logs
    return passed, failed, f"{said}\n{name}: {passed} passed, {failed} failed ({time.monotonic() - began:.0f} s)"


def main():
    unknown = [n for n in sys.argv[1:] if n not in SUITES]
    if unknown:
        sys.exit(f"no such suite: {' '.join(unknown)}; there are: {' '.join(SUITES)}")
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for p, f, said in pool.map(run_suite, sys.argv[1:] or SUITES):
            passed, failed = passed + p, failed + f
            print(said, flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
