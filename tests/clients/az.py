"""The Azure CLI as a user at a terminal has it: its own configuration folder, the emulator registered as a cloud."""

import json
import os
import subprocess

from harness import CLIENT, SECRET, TENANT

PORT = os.environ["CLIENTS_PORT"]


class Refused(Exception):
    pass


class Az:
    def __init__(self, name):
        self.program = os.path.join(os.environ["CLIENTS_DIR"], "az", "bin", "az")
        folder = os.path.join(os.environ["CLIENTS_TMP"], name)
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self.environ.update(AZURE_CONFIG_DIR=folder, AZURE_CORE_COLLECT_TELEMETRY="no", AZURE_CORE_NO_COLOR="yes",
                            AZURE_EXTENSION_USE_DYNAMIC_INSTALL="no", AZURE_CORE_INSTANCE_DISCOVERY="no")

    def __call__(self, line, *more):
        """What a command answers. line: its words, as typed; more: arguments that hold blanks."""
        done = subprocess.run([self.program, *line.split(), *more, "--output", "json"], env=self.environ,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Refused(f"az {line} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

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
