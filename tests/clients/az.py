"""The Azure CLI as a user at a terminal has it: its own configuration folder, the emulator registered as a cloud."""

import json
import os
import select
import subprocess
import sys

from harness import CLIENT, SECRET, TENANT

PORT = os.environ["CLIENTS_PORT"]
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(os.environ["CLIENTS_DIR"], "az", "bin")
TIMEOUT = 120  # of one command, in seconds


class Refused(Exception):
    pass


class Az:
    """az("group list") in a session that has the CLI loaded; az.program("group list") starts it as the shell would."""

    def __init__(self, name):
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self.environ.update(AZURE_CONFIG_DIR=os.path.join(os.environ["CLIENTS_TMP"], name), AZURE_CORE_COLLECT_TELEMETRY="no",
                            AZURE_CORE_NO_COLOR="yes", AZURE_EXTENSION_USE_DYNAMIC_INSTALL="no", AZURE_CORE_INSTANCE_DISCOVERY="no")
        self.session = None

    def program(self, line, *more):
        done = subprocess.run([os.path.join(PROGRAMS, "az"), *line.split(), *more, "--output", "json"], env=self.environ,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
        return self._answer(line, done.returncode, done.stdout, done.stderr)

    def __call__(self, line, *more):
        """What a command answers. line: its words, as typed; more: arguments that hold blanks."""
        if not self.session:
            self.session = subprocess.Popen([os.path.join(PROGRAMS, "python"), os.path.join(HERE, "az_session.py")], env=self.environ,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stdout, text=True)
        self.session.stdin.write(json.dumps([*line.split(), *more, "--output", "json"]) + "\n")
        self.session.stdin.flush()
        if not select.select([self.session.stdout], [], [], TIMEOUT)[0]:
            self.session.kill()
            self.session = None
            raise TimeoutError(f"az {line}: no answer after {TIMEOUT} s")
        done = json.loads(self.session.stdout.readline())
        return self._answer(line, done["status"], done["out"], done["err"])

    @staticmethod
    def _answer(line, status, out, err):
        if status != 0:
            raise Refused(f"az {line} ended with {status}: {err.strip()}")
        return json.loads(out) if out.strip() else None

    def refused(self, code, line, *more):
        """The command must fail, with this in its message."""
        try:
            self(line, *more)
        except Refused as e:
            assert code in str(e), e
        else:
            raise AssertionError(f"az {line} was not refused")

    def register(self):
        self(f"cloud register --name SealedBus --endpoint-resource-manager https://management.localhost:{PORT}")
        self("cloud set --name SealedBus")

    def sign_in(self):
        return self(f"login --service-principal --username {CLIENT} --password {SECRET} --tenant {TENANT}")
