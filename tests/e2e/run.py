#!/usr/bin/env python3
"""run.py [FILTER…]: runs every test_* function of the test_*.py beside it whose "module.name" holds one of the filters,
two at a time. Failures are printed with the server's log. The last line is "N passed, N failed"; the status is 1 when any failed."""

import concurrent.futures
import importlib
import os
import signal
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
WORKERS = int(os.environ.get("E2E_JOBS", "2"))
TIMEOUT = int(os.environ.get("E2E_TIMEOUT", "180"))  # of one test, in seconds

import harness  # noqa: E402


class TooLong(Exception):
    pass


def _alarm(*_):
    raise TooLong(f"the test took more than {TIMEOUT} s")


def run_one(module, name):
    """(seconds, None or what went wrong)"""
    began = time.monotonic()
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(TIMEOUT)
    case = harness.Case(f"{module}.{name}")
    problem = None
    try:
        getattr(importlib.import_module(module), name)(case)
        case.finish()
    except Exception:  # an assertion, a refused connection, a time-out: all are failures to be shown
        problem = traceback.format_exc() + case.logs()
    finally:
        signal.alarm(0)
        case.clean()
    return time.monotonic() - began, problem


def collect(filters):
    found = []
    for file in sorted(os.listdir(HERE)):
        if file.startswith("test_") and file.endswith(".py"):
            module = importlib.import_module(file[:-3])
            found += [(file[:-3], n) for n in vars(module) if n.startswith("test_") and callable(getattr(module, n))]
    return [t for t in found if not filters or any(f in ".".join(t) for f in filters)]


def main():
    if not os.access(harness.BINARY, os.X_OK):
        sys.exit(f"{harness.BINARY} is not there: build it first, or name it in SEALEDBUS")
    tests = collect(sys.argv[1:])
    failed = 0
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        running = {pool.submit(run_one, *t): t for t in tests}
        for future in concurrent.futures.as_completed(running):
            name = ".".join(running[future])
            seconds, problem = future.result()
            print(f"{'FAILED' if problem else 'ok    '} {name} ({seconds:.1f} s)", flush=True)
            if problem:
                failed += 1
                print(problem, flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    # A filter that meets nothing is a mistake, not a success.
    sys.exit(1 if failed or not tests else 0)


if __name__ == "__main__":
    main()
