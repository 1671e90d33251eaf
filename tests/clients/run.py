#!/usr/bin/env python3
"""run.py [SUITE…]: runs each suite of real clients against an emulator of its own, two at a time. A client gets names under
localhost, the emulator's CA as the only one it trusts, and nothing else. A suite is a file beside this one and a row of SUITES; it
prints its checks and, as the last line, "N passed, N failed". So does this program; its status is 1 when any check failed or a
suite did not come to its end. With CLIENTS_RECORD=FOLDER all that the clients say and hear is written down there for oav.py."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import harness  # noqa: E402
import recorder  # noqa: E402

RECORD = os.environ.get("CLIENTS_RECORD")
CLIENTS = os.environ.get("CLIENTS_DIR", os.path.join(ROOT, "build", "clients"))
TIMEOUT = 900  # of one suite, in seconds
PYTHON = os.path.join(CLIENTS, "venv", "bin", "python")
NODE = os.path.join(CLIENTS, "node", "node_modules", ".bin", "node")
GO = os.path.join(CLIENTS, "go", "suite")


def with_vault(story):
    """A vault that lets the client do everything, purge too."""
    story.make_group()
    everything = {"keys": ["all", "purge", "rotate"], "secrets": ["all", "purge"], "certificates": ["all"]}
    policy = {"tenantId": harness.TENANT, "objectId": harness.CLIENT_OID, "permissions": everything}
    story.make_vault(enablePurgeProtection=None, accessPolicies=[policy])


def plain(file):
    return [sys.executable, "-B", file]


# name: (what to run, what must be there before), the slowest first
SUITES = {
    "az_vault": (plain("az_vault.py"), None),
    "az_signin": (plain("az_signin.py"), None),
    "az_around": (plain("az_around.py"), None),
    "az_bus": (plain("az_bus.py"), None),
    "az_topics": (plain("az_topics.py"), None),
    "az_deploy": (plain("az_deploy.py"), None),
    "az_premium": (plain("az_premium.py"), None),
    "terraform": (plain("terraform.py"), None),
    "python_keys": ([PYTHON, "-B", "python_keys.py"], with_vault),
    "python_secrets": ([PYTHON, "-B", "python_secrets.py"], with_vault),
    "python_identity": ([PYTHON, "-B", "python_identity.py"], with_vault),
    "python_management": ([PYTHON, "-B", "python_management.py"], None),
    "python_deployments": ([PYTHON, "-B", "python_deployments.py"], None),
    "node_management": ([NODE, "node_management.mjs"], None),
    "node_deployments": ([NODE, "node_deployments.mjs"], None),
    "tour": (["bash", "tour.sh"], None),
    "go_keys": ([GO], with_vault),
    "node_keys": ([NODE, "node_keys.mjs"], with_vault),
    "node_secrets": ([NODE, "node_secrets.mjs"], with_vault),
    "node_identity": ([NODE, "node_identity.mjs"], None),
}

# Programs that nothing here installs; a suite that lacks one is told as skipped.
NEEDS = {"terraform": ["terraform", "terraform-provider-azurerm"]}


def environment(e, port):
    """Nothing of the caller's that could lead a client elsewhere; one CA, under the names that the clients know."""
    env = {k: v for k, v in os.environ.items() if not re.match(r"(?i)(AZURE|ARM|SEALEDBUS|REQUESTS|SSL|NODE|CURL)_|.*_proxy$", k)}
    env.update({k: e.ready["ca"] for k in ("CLIENTS_CA", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")})
    env.update(CLIENTS_PORT=str(port), CLIENTS_CONTROL=str(e.http_port), CLIENTS_DIR=CLIENTS,
               CLIENTS_TMP=os.path.dirname(e.data), PYTHONPATH=os.path.join(ROOT, "tests", "e2e"))
    return env


# Terraform looks whether a new vault can be reached, whatever it says.
EXPECTED = re.compile(r" op=- method=GET path=/ status=404 ")


def unanswered(log):
    """The requests in a log that met no route or ended with 5xx: a client may pass over such an answer in silence."""
    missed = [line for line in log.splitlines() if re.search(r" request op=(- .*|.* status=5\d\d )", line)]
    return "\n".join(line for line in missed if not EXPECTED.search(line))


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
    missing = [p for p in [command[0], *NEEDS.get(name, [])] if not shutil.which(p)]
    if missing:
        return 0, 0, f"SKIPPED {name}: not on this machine: {' '.join(missing)}"
    case = harness.Case(name)
    began = time.monotonic()
    try:
        story = harness.Story(case.emulator("--log-level", "debug", clock="real"), vault="clientsvault")
        if prepare:
            prepare(story)
        port = recorder.Recorder(story.e, RECORD, name).port if RECORD else story.e.https_port
        done = subprocess.run(command, cwd=HERE, env=environment(story.e, port), stdin=subprocess.DEVNULL, timeout=TIMEOUT,
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
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run_suite, n) for n in sys.argv[1:] or SUITES]):
            p, f, said = done.result()
            passed, failed, skipped = passed + p, failed + f, skipped + (p + f == 0)
            print(said, flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
