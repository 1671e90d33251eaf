#!/usr/bin/env python3
"""oav.py [FOLDER]: holds what the recorder wrote down against the services' specifications, with `oav validate-traffic`. An error that
oav-errors.txt does not list fails, and so does a listed one that no longer happens. Without the specifications it says so and stops.

A client may speak a version whose specification is not at hand: its traffic is held against the newest one before it, and what later
versions added is then among the errors that the list explains."""

import collections
import fnmatch
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

import run

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SPECS = os.path.join(os.environ.get("SHARED", os.path.join(ROOT, "..", "shared")), "specs")
OUT = os.path.join(ROOT, "build", "oav")
OAV = os.path.join(os.environ.get("CLIENTS_DIR", os.path.join(ROOT, "build", "clients")), "oav", "node_modules", ".bin", "oav")
LIST = os.path.join(HERE, "oav-errors.txt")

# (The list of all providers is left out: oav loses its whole report over it.)
# specifications: where they stand in the services' own collection (they refer to each other by these places), on which host, which paths
PLANES = {
    "keyvault-keys": ("keyvault/data-plane/Microsoft.KeyVault", r"\.vault\.azure\.net$", r"^/(keys|deletedkeys|rng)(/|$)"),
    "keyvault-arm": ("keyvault/resource-manager/Microsoft.KeyVault", r"^management\.azure\.com$",
                     r"/providers/Microsoft\.KeyVault/(?!register$)(?!.*/providers/)"),
    "servicebus": ("servicebus/resource-manager/Microsoft.ServiceBus", r"^management\.azure\.com$",
                   r"/providers/Microsoft\.ServiceBus/(?!(un)?register$)(?!.*/providers/)"),
    "resources": ("resources/resource-manager/Microsoft.Resources", r"^management\.azure\.com$",
                  r"^/subscriptions/[^/]+/(resourcegroups(/[^/]+(/resources)?)?|providers/[^/]+(/register)?|resources)$"
                  r"|/providers/Microsoft\.Resources/deployments"),
}
COLLECTION = os.path.join(OUT, "specification")


def lay_out():
    """The specifications at their places; {plane: {version: folder}} of those that are ones."""
    shutil.rmtree(COLLECTION, ignore_errors=True)
    shutil.copytree(os.path.join(SPECS, "common-types"), os.path.join(COLLECTION, "common-types"))
    shutil.copytree(os.path.join(SPECS, "servicebus", "common"), os.path.join(COLLECTION, "servicebus", "resource-manager", "common"))
    there = {}
    for plane, (place, _, _) in PLANES.items():
        for version in os.listdir(os.path.join(SPECS, plane)):
            for path in glob.glob(os.path.join(SPECS, plane, version, "*.json")):
                with open(path) as f:
                    if '"swagger"' not in f.read(10000):
                        continue
                folder = os.path.join(COLLECTION, place, "preview" if "preview" in version else "stable", version)
                os.makedirs(folder, exist_ok=True)
                shutil.copy(path, folder)
                there.setdefault(plane, {})[version] = folder
    return there


def rank(version):
    """7.x came before the versions that are named by their date."""
    return (not version.startswith("7."), version)


def nearest(asked, there):
    before = [v for v in there if rank(v) <= rank(asked)]
    return max(before, key=rank) if before else min(there, key=rank)


def load(path):
    """(plane, version asked for, exchange), the exchange in the plain form that oav reads; None for one that no specification describes."""
    with open(path) as f:
        exchange = json.load(f)
    url = urllib.parse.urlsplit(exchange["liveRequest"]["url"])
    query = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
    asked = dict(query).get("api-version")
    if not asked:
        return None
    for plane, (_, host, where) in PLANES.items():
        if re.search(host, url.hostname) and re.search(where, url.path, re.I):
            return plane, asked, exchange, url, query
    return None


KEY_PATH = re.compile(r"^/keys/([^/]+)/+((?:(?:un)?wrapkey|encrypt|decrypt|sign|verify|release)?)$", re.I)


def with_version(path, body):
    """A key without a version is its newest; specifications know only paths that name one. The answer tells which, if any does."""
    match = KEY_PATH.match(path)
    if not match:
        return path
    body = body if isinstance(body, dict) else {}
    kid = body.get("kid") or body.get("key", {}).get("kid") or "/" + "0" * 32
    return "/".join(filter(None, ["/keys", match[1], kid.rsplit("/", 1)[1], match[2]]))


def prepare(folder, there):
    """Writes each plane's exchanges out by version; {(plane, version): how many}"""
    counts = {}
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.json"), recursive=True)):
        found = load(path)
        if not found:
            continue
        plane, asked, exchange, url, query = found
        # A challenge and other refusals of the gate are not in the specifications; the rest of the refusals are, as errors.
        if exchange["liveResponse"]["statusCode"] == "401":
            continue
        version = nearest(asked, there[plane])
        query = [(k, version if k == "api-version" else v) for k, v in query]
        where = with_version(url.path, exchange["liveResponse"]["body"])
        exchange["liveRequest"]["url"] = urllib.parse.urlunsplit((url.scheme, url.hostname, where, urllib.parse.urlencode(query, safe="-$:/'"), ""))
        to = os.path.join(OUT, "plain", plane, version)
        os.makedirs(to, exist_ok=True)
        with open(os.path.join(to, os.path.basename(path)), "w") as f:
            json.dump(exchange, f, indent=1)
        counts[plane, version] = counts.get((plane, version), 0) + 1
    return counts


def pattern_of(path):
    """A path with the names in it left out, so that a line of the list holds for each of them."""
    parts = path.strip("/").split("/")
    after = {"subscriptions", "resourcegroups", "namespaces", "vaults", "keys", "deletedkeys", "queues", "operationresults", "locations",
             "authorizationrules", "namespaceoperationresults", "deployments"}
    return "/" + "/".join("*" if i and parts[i - 1].lower() in after else p for i, p in enumerate(parts))


def validate(plane, version, spec):
    """(operations met, operations there, {error: how often}); an error is (plane, operation, whose, what)"""
    stem = os.path.join(OUT, f"{plane}-{version}")
    done = subprocess.run([OAV, "validate-traffic", os.path.join(OUT, "plain", plane, version), spec, "--jsonReport", stem + ".json",
                           "--report", stem + ".html", "--logLevel", "error", "--logFilepath", stem + ".log"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    with open(stem + ".json") as f:  # its end status tells of its HTML report only
        report = json.load(f)
    assert report["allOperations"] > 0, f"oav has no report of {plane} {version}:\n{done.stdout}"
    found = [(plane, e["operationId"], e["issueSource"], f"{e['errorCode']}: {e['errorMessage']}") for e in report["errors"]]
    for lost in re.findall(r"^Error: Undefined operation (\{.*\})$", done.stdout, re.M):
        asked = json.loads(lost)["validationRequest"]
        found.append((plane, f"{asked['requestMethod'].upper()} {pattern_of(asked['pathStr'])}", "request", "no such operation"))
    return report["coveredOperations"], report["allOperations"], collections.Counter(found)


def read_list():
    """The errors that were reviewed, with the reason of each; that begins with the suite's name when only one suite meets the error."""
    with open(LIST) as f:
        rows = [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]
    assert all(len(row) == 5 and len(row[4]) > 10 for row in rows), f"{LIST}: a line without its five parts"
    return [(tuple(row[:4]), row[4]) for row in rows]


def missing(reason):
    """Does the suite that the reason begins with lack a program here?"""
    return not all(shutil.which(p) for p in run.NEEDS.get(reason.partition(": ")[0], []))


def same(row, error):
    return all(fnmatch.fnmatchcase(a, b) for a, b in zip(error, row))


def main():
    if not os.path.isdir(SPECS):
        print("oav: the specifications are not here (../shared); nothing to compare with")
        return 0
    for old in ("plain", "specification"):
        shutil.rmtree(os.path.join(OUT, old), ignore_errors=True)
    there = lay_out()
    counts = prepare(sys.argv[1] if len(sys.argv) > 1 else os.path.join(OUT, "traffic"), there)
    errors = collections.Counter()
    for (plane, version), number in sorted(counts.items()):
        met, known, found = validate(plane, version, there[plane][version])
        errors.update(found)
        print(f"{plane} {version}: {number} exchanges over {met} of {known} operations, {sum(found.values())} errors", flush=True)
    listed, failed = read_list(), 0
    for error, number in sorted(errors.items()):
        if not any(same(row, error) for row, _ in listed):
            failed += 1
            print(f"ERROR ({number} times) " + "\t".join(error))
    for row, reason in listed:
        # A part of the suites alone does not meet everything.
        if not os.environ.get("CLIENTS") and not missing(reason) and not any(same(row, error) for error in errors):
            failed += 1
            print("LISTED, BUT NOT SEEN: " + "\t".join(row))
    print(f"{max(0, sum(counts.values()) - failed)} passed, {failed} failed")
    return 1 if failed or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
