"""Terraform with its azurerm provider: apply, an empty plan, a change, destroy. Runs where both programs are on the PATH."""

import json
import os
import shutil
import subprocess

from checks import Suite
from harness import CLIENT, CLIENT_OID, SECRET, SUB, TENANT

PORT = os.environ["CLIENTS_PORT"]
FOLDER = os.path.join(os.environ["CLIENTS_TMP"], "terraform")
CONFIG = os.path.join(FOLDER, "main.tf")
PROVIDER = os.path.dirname(shutil.which("terraform-provider-azurerm"))
TIMEOUT = 600  # the provider itself waits two minutes for a new vault's name to be known everywhere
NOTHING, CHANGES = 0, 2  # what `plan -detailed-exitcode` ends with

shutil.copytree(os.path.join(os.path.dirname(os.path.abspath(__file__)), "terraform"), FOLDER)
with open(os.path.join(FOLDER, "cli.tfrc"), "w") as f:
    f.write(f'provider_installation {{\n  dev_overrides {{ "hashicorp/azurerm" = "{PROVIDER}" }}\n  direct {{}}\n}}\n')
environ = {**os.environ, "TF_CLI_CONFIG_FILE": os.path.join(FOLDER, "cli.tfrc"), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
           "ARM_METADATA_HOSTNAME": f"localhost:{PORT}", "ARM_TENANT_ID": TENANT, "ARM_SUBSCRIPTION_ID": SUB, "ARM_CLIENT_ID": CLIENT,
           "ARM_CLIENT_SECRET": SECRET, "TF_VAR_client_object_id": CLIENT_OID, "TF_VAR_tenant_id": TENANT}
suite = Suite("terraform")


def terraform(*words, expect=0):
    done = subprocess.run(["terraform", *words, "-no-color"], cwd=FOLDER, env=environ, stdin=subprocess.DEVNULL, timeout=TIMEOUT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == expect, f"terraform {words[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def plan(expect):
    return terraform("plan", "-input=false", "-detailed-exitcode", expect=expect)


with suite.check("apply: group, identity, vault, access policies, key, encrypted namespace, queue"):
    said = terraform("apply", "-input=false", "-auto-approve")
    assert "8 added, 0 changed, 0 destroyed" in said, said
    out = json.loads(terraform("output", "-json"))
    assert out["key_versionless_id"]["value"] == f"https://terraform-vault.vault.localhost:{PORT}/keys/terraform-key", out

with suite.check("the plan after it is empty: what was asked for is what is read"):
    plan(NOTHING)

with suite.check("a change is planned as an update in place, applied, and then nothing is left to do"):
    with open(CONFIG) as f:
        text = f.read()
    with open(CONFIG, "w") as f:
        f.write(text.replace("max_delivery_count    = 5", "max_delivery_count    = 7"))
    assert "0 to add, 1 to change, 0 to destroy" in plan(CHANGES)
    terraform("apply", "-input=false", "-auto-approve")
    plan(NOTHING)

with suite.check("destroy takes all of it away"):
    assert "8 destroyed" in terraform("destroy", "-input=false", "-auto-approve")
    assert json.loads(terraform("show", "-json")).get("values") is None

suite.close()
