"""The vaults' data plane over HTTPS: lists, backups, rotation policies, secrets, what is refused and what never leaves."""

import base64
import json
import os
import sqlite3

import harness
import rsa

SECRET_PERMISSIONS = ["get", "list", "set", "delete", "recover", "backup", "restore", "purge"]
VAULT = "datavault"


class Vault:
    """A vault whose keys and secrets the well-known client may use in every way."""

    def __init__(self, case, *options, name=VAULT, e=None, location="northeurope", **properties):
        self.e = e or case.emulator(*options)
        self.s = harness.Story(self.e, vault=name)
        self.s.make_group()
        permissions = {"keys": harness.ALL_KEY_PERMISSIONS + ["release"], "secrets": SECRET_PERMISSIONS}
        policy = {"tenantId": harness.TENANT, "objectId": harness.CLIENT_OID, "permissions": permissions}
        body = {"location": location, "properties": {"tenantId": harness.TENANT, "sku": {"family": "A", "name": "premium"},
                                                     "softDeleteRetentionInDays": 7, "accessPolicies": [policy], **properties}}
        self.e.arm("PUT", self.s.vault_path, body, api="2022-07-01").expect(200, 201)
        self.name = name

    def call(self, method, path, body=None, api="7.5", **more):
        return self.e.vault(method, self.name, path, body, api=api, **more)

    def ok(self, method, path, body=None, **more):
        return self.call(method, path, body, **more).expect(200, 204)

    def refused(self, status, code, method, path, body=None, inner=None, **more):
        error = self.call(method, path, body, **more).expect(status).json()["error"]
        assert error["code"] == code, error
        assert error.get("innererror", {}).get("code") == inner, error
        return error["message"]

    def key(self, name="k", **body):
        return self.ok("POST", f"/keys/{name}/create", {"kty": "EC", **body}).json()

    def pages(self, path):
        """The items of every page, page by page, by the links alone."""
        got = []
        while path:
            page = self.e.https("GET", f"{self.name}.vault.azure.net", path, None, self.e.bearer("https://vault.azure.net"),
                                port=False).expect(200).json()
            got.append(page["value"])
            link = page["nextLink"]
            if link:
                start = f"https://{self.name}.vault.azure.net:443/"
                assert link.startswith(start) and "&$skiptoken=" in link, link
            path = link and "/" + link[len(start):]
        return got


def version_of(bundle):
    return (bundle.get("key") or bundle).get("kid", bundle.get("id")).rsplit("/", 1)[1]


def names(items):
    return [(i.get("kid") or i["id"]).rsplit("/", 1)[1] for i in items]


# ---- lists ----

def test_lists_come_in_pages(case):
    v = Vault(case)
    for i in range(27):
        v.key(f"K{i:02}")
        v.ok("PUT", f"/secrets/s{i:02}", {"value": str(i)})
    pages = v.pages("/keys?api-version=7.5")
    assert [len(p) for p in pages] == [25, 2]
    assert sum(map(names, pages), []) == [f"K{i:02}" for i in range(27)]
    assert [len(p) for p in v.pages("/secrets?api-version=7.4&maxresults=10")] == [10, 10, 7]
    for _ in range(4):
        v.key("K00")
        v.ok("PUT", "/secrets/s00", {"value": "x"})
    for family, name in (("keys", "K00"), ("secrets", "s00")):
        pages = v.pages(f"/{family}/{name}/versions?api-version=7.5&maxresults=2")
        listed = sum(map(names, pages), [])
        assert [len(p) for p in pages] == [2, 2, 1] and listed == sorted(listed), listed
    for i in range(3):
        v.ok("DELETE", f"/keys/K{i:02}")
        v.ok("DELETE", f"/secrets/s{i:02}")
    assert [len(p) for p in v.pages("/deletedkeys?api-version=7.5&maxresults=2")] == [2, 1]
    assert [len(p) for p in v.pages("/deletedsecrets?api-version=7.5&maxresults=2")] == [2, 1]
    # The token names the first item of the next page, as the service's does.
    link = v.ok("GET", "/keys?maxresults=1").json()["nextLink"]
    token = link.split("$skiptoken=")[1].split("&")[0]
    marker = json.loads(rsa.unb64url(token))["NextMarker"].split("!", 2)[2]
    assert base64.b64decode(marker.replace("-", "=")) == b"000007!key/K04!000028!9999-12-31T23:59:59.9999999Z!"
    for bad in ("x", rsa.b64url(b"{}"), rsa.b64url(b'{"NextMarker":"2!4!AAAA"}'), rsa.b64url(b'{"NextMarker":5}'), token[:-3]):
        v.refused(400, "BadParameter", "GET", f"/keys?$skiptoken={bad}")


def test_what_each_api_version_shows(case):
    v = Vault(case)
    v.key()
    base = ["enabled", "created", "updated"]
    shown = {"2015-06-01": base, "2016-10-01": base + ["recoveryLevel"], "7.0": base + ["recoveryLevel"],
             "7.1": base + ["recoveryLevel", "recoverableDays"], "7.2": base + ["recoveryLevel", "recoverableDays"],
             "7.3": base + ["recoveryLevel", "recoverableDays", "exportable"],
             "7.4": base + ["recoveryLevel", "recoverableDays", "exportable"]}
    new = base + ["recoveryLevel", "recoverableDays", "exportable", "hsmPlatform"]
    shown.update(dict.fromkeys(["7.5-preview.1", "7.5", "7.6-preview.2", "7.6", "2025-07-01"], new))
    for api, members in shown.items():
        assert list(v.ok("GET", "/keys/k", api=api).json()["attributes"]) == members, api
        v.ok("PUT", "/secrets/s", {"value": "x"}, api=api)
        assert list(v.ok("GET", "/secrets/s", api=api).json()["attributes"]) == [m for m in members if m not in new[-2:]], api
    for api in ("7.7", "6.0", "2099-01-01", "7.5-beta", ""):
        v.refused(400, "BadParameter", "GET", "/keys/k", api=api)


# ---- backup and restore ----

def test_backup_and_restore(case):
    v = Vault(case)
    first, second = v.key(tags={"a": "b"}), v.key(attributes={"enabled": False})
    unset = v.ok("GET", "/keys/k/rotationpolicy").json()
    assert v.ok("PUT", "/keys/k/rotationpolicy", POLICY).json() != unset
    blob = v.ok("POST", "/keys/k/backup").json()["value"]
    assert rsa.unb64url(blob).startswith(b"&AzureKeyVaultKeyBackupV1.microsoft.com"), blob[:80]
    message = v.refused(409, "Conflict", "POST", "/keys/restore", {"value": blob})
    assert message.startswith(f"There was a conflict restoring the key 'https://{VAULT}.vault.azure.net:{v.e.https_port}/keys/k/"
                              f"{version_of(second)}'."), message
    v.ok("DELETE", "/keys/k")
    v.refused(409, "Conflict", "POST", "/keys/restore", {"value": blob}, inner="ObjectIsDeletedButRecoverable")
    v.ok("DELETE", "/deletedkeys/k")
    v.e.advance("PT1H")
    restored = v.ok("POST", "/keys/restore", {"value": blob}).json()
    assert restored == second, (restored, second)
    assert v.ok("GET", f"/keys/k/{version_of(first)}").json() == first
    assert v.ok("GET", "/keys/k/rotationpolicy").json() == unset  # our choice: a backup holds no policy
    # Elsewhere: another vault of this geography takes it, one of another does not.
    near, far = Vault(case, e=v.e, name="nearvault", location="westeurope"), Vault(case, e=v.e, name="farvault", location="westus")
    assert version_of(near.ok("POST", "/keys/restore", {"value": blob}).json()) == version_of(second)
    assert far.refused(400, "BadParameter", "POST", "/keys/restore", {"value": blob}) == "Cannot decrypt backup blob."
    # As one of the real service would be told, whose blobs are sealed for its own machines.
    assert far.refused(400, "BadParameter", "POST", "/keys/restore",
                       {"value": rsa.b64url(b"&AzureKeyVaultKeyBackupV1.microsoft.comeyJraWQi.AAAA")}) == "Cannot decrypt backup blob."
    for bad in (rsa.b64url(b"\0" * 200), rsa.b64url(rsa.unb64url(blob)[:39]), rsa.b64url(b"&AzureKeyVaultKeyBackupV2.microsoft.com!!")):
        assert far.refused(400, "Malformed backup blob", "POST", "/keys/restore",
                           {"value": bad}) == "Backup blob contains invalid or corrupt version."
    for bad in ({}, {"value": 5}, {"value": ""}, {"value": "=="}):
        far.refused(400, "BadParameter", "POST", "/keys/restore", bad)
    v.refused(404, "KeyNotFound", "POST", "/keys/none/backup")


def test_a_hardware_key_is_restored_in_premium_vaults_only(case):
    v = Vault(case)
    plain, hard = v.key("plain"), v.ok("POST", "/keys/hard/create", {"kty": "EC-HSM"}).json()
    blobs = [v.ok("POST", f"/keys/{name}/backup").json()["value"] for name in ("plain", "hard")]
    standard = Vault(case, e=v.e, name="standardvault", sku={"family": "A", "name": "standard"})
    premium = Vault(case, e=v.e, name="premiumvault")
    assert version_of(standard.ok("POST", "/keys/restore", {"value": blobs[0]}).json()) == version_of(plain)
    message = standard.refused(400, "BadParameter", "POST", "/keys/restore", {"value": blobs[1]})
    assert message == "Hardware key operation not allowed on standard vault"
    standard.refused(404, "KeyNotFound", "GET", "/keys/hard")
    assert version_of(premium.ok("POST", "/keys/restore", {"value": blobs[1]}).json()) == version_of(hard)


def test_ids_in_answers_are_spelled_as_the_key_was_first_written(case):
    v = Vault(case)
    kid = v.key("MixedCase")["key"]["kid"]
    digest = rsa.b64url(b"d" * 32)
    for path in ("/keys/mixedcase/sign", "/KEYS/MIXEDCASE/Sign", f"/keys/mixedCASE/{kid.rsplit('/', 1)[1].upper()}/sign"):
        assert v.ok("POST", path, {"alg": "ES256", "value": digest}).json()["kid"] == kid, path
    pair = v.ok("POST", "/keys/Wrapper/create", {"kty": "RSA"}).json()["key"]["kid"]
    wrapped = v.ok("POST", "/keys/wrapper/wrapkey", {"alg": "RSA-OAEP", "value": digest}).json()
    assert wrapped["kid"] == pair, wrapped
    opened = v.ok("POST", "/keys/WRAPPER/unwrapkey", {"alg": "RSA-OAEP", "value": wrapped["value"]}).json()
    assert opened == {"kid": pair, "value": digest}, opened


def test_backups_survive_a_restart_and_open_in_no_other_emulator(case):
    v = Vault(case)
    v.key()
    blob = v.ok("POST", "/keys/k/backup").json()["value"]
    v.e.restart()
    v.ok("DELETE", "/keys/k")
    v.ok("DELETE", "/deletedkeys/k")
    v.ok("POST", "/keys/restore", {"value": blob})
    other = Vault(case)
    assert other.refused(400, "BadParameter", "POST", "/keys/restore", {"value": blob}) == "Cannot decrypt backup blob."


def test_a_purged_key_restored_from_its_backup_brings_the_namespace_back(case):
    s = case.story("--poll-interval", "3600")
    s.make_group()
    s.make_vault(softDeleteRetentionInDays=7)
    s.keys = ["key1"]
    s.make_key("key1")
    s.make_namespace()
    s.allow()
    s.encrypt()
    s.make_queue()
    s.connect()
    s.send("kept").expect(201)
    blob = s.e.vault("POST", s.vault, "/keys/key1/backup").expect(200).json()["value"]
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    ran = s.e.advance("P7DT1H")["events"]
    assert ("keyPurged", "storyvault/key1") in [(r["kind"], r["target"]) for r in ran], ran
    assert s.key_states() == {"key1": "Revoked"}
    s.receive().expect(403)
    # A new key of the same name is another key.
    s.make_key("key1")
    s.e.poll()
    assert s.key_states() == {"key1": "Revoked"}
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    s.e.advance("P7DT1H")
    s.e.vault("POST", s.vault, "/keys/restore", {"value": blob}).expect(200)
    s.e.poll()
    assert s.key_states() == {"key1": "Active"}
    assert [body for _, body in s.drain()] == [b"kept"]


# ---- rotation policies ----

POLICY = {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "rotate"}},
                              {"trigger": {"timeBeforeExpiry": "P7D"}, "action": {"type": "NOTIFY"}}],
          "attributes": {"expiryTime": "P30D"}}


def test_rotation_policy(case):
    v = Vault(case)
    v.key()
    kid = f"https://{VAULT}.vault.azure.net:{v.e.https_port}/keys/k"
    default = v.ok("GET", "/keys/k/rotationpolicy").json()
    assert default == {"id": kid + "/rotationpolicy", "attributes": {},
                       "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}]}, default
    stored = v.ok("PUT", "/keys/k/rotationpolicy", POLICY).json()
    now = stored["attributes"]["created"]
    assert stored == {"id": kid + "/rotationpolicy",
                      "lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Rotate"}},
                                          {"trigger": {"timeBeforeExpiry": "P7D"}, "action": {"type": "Notify"}}],
                      "attributes": {"expiryTime": "P30D", "created": now, "updated": now}}, stored
    assert v.ok("GET", "/keys/k/rotationpolicy").json() == stored
    rotated = v.ok("POST", "/keys/k/rotate").json()["attributes"]
    assert rotated["exp"] == rotated["created"] + 30 * 86400
    for bad in ({"lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Explode"}}]},
                {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D", "timeBeforeExpiry": "P9D"}, "action": {"type": "Rotate"}}]},
                {"lifetimeActions": [{"trigger": {}, "action": {"type": "Rotate"}}]},
                {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Notify"}}]},
                {"lifetimeActions": POLICY["lifetimeActions"][:1] * 2}, {"lifetimeActions": [5]}, {"lifetimeActions": {}},
                {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P1D"}, "action": {"type": "Rotate"}}]},
                {"attributes": {"expiryTime": "P1D"}}, {"attributes": {"expiryTime": "tomorrow"}},
                {"attributes": {"expiryTime": "P" + "9" * 5000 + "D"}}):
        v.refused(400, "BadParameter", "PUT", "/keys/k/rotationpolicy", bad)
    assert v.ok("GET", "/keys/k/rotationpolicy").json() == stored
    v.refused(404, "KeyNotFound", "PUT", "/keys/none/rotationpolicy", POLICY)


def test_a_rotation_policy_acts_and_the_namespace_follows(case):
    s = case.story("--poll-interval", "86400")
    s.make_all()
    s.send("before").expect(201)
    e = s.e
    e.vault("PUT", s.vault, "/keys/key1/rotationpolicy", POLICY).expect(200)
    old = s.key("key1")["wrappedVersion"]
    mark = s.mark()
    ran = [(r["kind"], r["target"].split(" ")[0]) for r in e.advance("P15D")["events"]]
    rotation = ran.index(("keyRotated", "storyvault/key1"))
    assert ("poll", s.namespace) in ran[rotation:] or e.poll(), ran  # the poll of that instant comes after it
    new = s.key("key1")["wrappedVersion"]
    assert new != old
    bundle = e.vault("GET", s.vault, f"/keys/key1/{new}").expect(200).json()
    assert bundle["attributes"]["exp"] == bundle["attributes"]["created"] + 30 * 86400
    audit = [r for r in e.events(mark, "audit") if r["operationName"] == "KeyRotateIfDue"]
    assert len(audit) == 1 and audit[0]["keyId"] == f"key1/{new}", audit
    # It is there after a restart, and after the kill of a program that was just about to rotate.
    e.advance("P14DT23H")
    e.restart(kill=True)
    assert "keyRotated" in [r["kind"] for r in e.advance("PT1H")["events"]]
    assert [body for _, body in s.drain()] == [b"before"]


def test_what_fell_due_while_the_program_was_down_runs_at_its_start(case):
    """On a real clock, which is put forward between two runs as days of absence would."""
    s = case.story("--poll-interval", "86400", clock="real")
    s.make_all()
    e = s.e
    e.vault("PUT", s.vault, "/keys/key1/rotationpolicy", POLICY).expect(200)
    first = e.vault("GET", s.vault, "/keys/key1").expect(200).json()["key"]["kid"]
    e.stop()
    db = os.path.join(e.data, "keyvault.db")
    with sqlite3.connect(db) as c:  # the key was made 20 days ago, as the stored rows tell it
        c.execute("UPDATE vault_version SET created_s=created_s-20*86400")
        c.execute("UPDATE key_policy SET rotate_s=rotate_s-20*86400")
    c.close()
    e.start()
    for _ in range(50000):  # the timer's own thread does it; each look is a whole request
        if [r for r in e.events(0, "audit") if r["operationName"] == "KeyRotateIfDue"]:
            break
    else:
        raise AssertionError("not rotated")
    assert e.vault("GET", s.vault, "/keys/key1").expect(200).json()["key"]["kid"] != first


# ---- random bytes, release, what is not emulated ----

def test_random_bytes(case):
    v = Vault(case)
    for n in (1, 32, 128):
        assert len(rsa.unb64url(v.ok("POST", "/rng", {"count": n}).json()["value"])) == n
    assert v.ok("POST", "/rng", {"count": 16}).json() != v.ok("POST", "/rng", {"count": 16}).json()
    for bad in ({}, {"count": 0}, {"count": 129}, {"count": -1}, {"count": "8"}, {"count": 1e30}):
        v.refused(400, "BadParameter", "POST", "/rng", bad)


def test_release_and_exportable_keys_are_refused_clearly(case):
    v = Vault(case)
    v.key()
    body = {"target": "x.y.z"}
    for path in ("/keys/k/release", f"/keys/k/{version_of(v.key())}/release"):
        message = v.refused(403, "Forbidden", "POST", path, body, inner="KeyOperationForbidden")
        assert message.startswith("Operation release is not permitted on this key"), message
    v.refused(404, "KeyNotFound", "POST", "/keys/none/release", body)
    for body in ({"kty": "EC", "attributes": {"exportable": True}}, {"kty": "EC", "release_policy": {"data": "e30"}}):
        v.refused(501, "NotImplemented", "POST", "/keys/x/create", body)
    assert "key_hsm" in v.refused(501, "NotImplemented", "PUT", "/keys/x", {"key": {"kty": "RSA-HSM", "key_hsm": "e30"}})
    v.refused(501, "NotImplemented", "GET", f"/keys/k/{version_of(v.key())}/attestation")
    for kty in ("oct", "oct-HSM"):
        assert "symmetric" in v.refused(400, "BadParameter", "POST", "/keys/x/create", {"kty": kty})


def test_certificates_and_storage_accounts_say_that_they_are_not_emulated(case):
    v = Vault(case)
    for method, path in (("GET", "/certificates"), ("POST", "/certificates/c/create"), ("PUT", "/certificates/contacts"),
                         ("GET", "/certificates/c/0123"), ("PATCH", "/certificates/c/policy"), ("GET", "/deletedcertificates"),
                         ("POST", "/deletedcertificates/c/recover"), ("GET", "/storage"), ("PUT", "/storage/a"),
                         ("DELETE", "/deletedstorage/a")):
        message = v.refused(501, "NotImplemented", method, path, {"x": 1} if method in ("PUT", "POST", "PATCH") else None)
        assert "not emulated" in message, message
    # Terraform asks for them and takes 404, and nothing else, for none.
    v.refused(404, "NotFound", "GET", "/certificates/contacts")
    # Who is not signed in gets the challenge, as everywhere.
    reply = v.e.https("GET", f"{VAULT}.vault.azure.net", "/certificates?api-version=7.4")
    assert reply.status == 401 and "authorization=" in reply.headers["WWW-Authenticate"]


# ---- secrets ----

def test_lengths_are_those_of_characters_not_of_bytes(case):
    v = Vault(case)
    longest = {"value": "x", "contentType": "\u00e9" * 255, "tags": {"\u00e9" * 256: "\u20ac" * 256}}
    shown = v.ok("PUT", "/secrets/long", longest).json()
    assert {k: shown[k] for k in longest} == longest, shown
    assert v.key("long", tags=longest["tags"])["tags"] == longest["tags"]
    for bad in ({"contentType": "\u00e9" * 256}, {"tags": {"\u00e9" * 257: "x"}}, {"tags": {"x": "\u20ac" * 257}}):
        v.refused(400, "BadParameter", "PUT", "/secrets/long", {"value": "x", **bad})


def test_secrets(case):
    v = Vault(case)
    value = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=\u00e9\"\\"
    mark = v.s.mark()
    made = v.ok("PUT", "/secrets/Conn", {"value": value, "contentType": "text/plain", "tags": {"a": "b"},
                                         "attributes": {"exp": 4102444800}}).json()
    base = f"https://{VAULT}.vault.azure.net:{v.e.https_port}/secrets/Conn/"
    assert made["value"] == value and made["id"].startswith(base) and len(made["id"]) == len(base) + 32, made
    assert made["contentType"] == "text/plain" and made["tags"] == {"a": "b"} and made["attributes"]["exp"] == 4102444800
    assert made["attributes"]["recoveryLevel"] == "CustomizedRecoverable+Purgeable"
    assert v.ok("GET", "/secrets/conn/").json() == made
    newer = v.ok("PUT", "/secrets/conn", {"value": "two"}).json()
    assert v.ok("GET", "/secrets/conn").json() == newer
    assert v.ok("GET", f"/secrets/conn/{version_of(made)}").json() == made
    # Neither lists nor updates nor backups show values.
    listed = v.ok("GET", "/secrets").json()["value"]
    assert [i["id"] for i in listed] == [base[:-1]] and "value" not in listed[0]
    versions = v.ok("GET", "/secrets/conn/versions").json()["value"]
    assert sorted(names(versions)) == sorted([version_of(made), version_of(newer)]) and "value" not in json.dumps(versions)
    updated = v.ok("PATCH", f"/secrets/conn/{version_of(newer)}", {"contentType": "x", "attributes": {"enabled": False}}).json()
    assert "value" not in updated and updated["contentType"] == "x"
    assert v.refused(403, "Forbidden", "GET", "/secrets/conn",
                     inner="SecretDisabled") == "Operation get is not allowed on a disabled secret."
    blob = v.ok("POST", "/secrets/conn/backup").json()["value"]
    assert b"two" not in rsa.unb64url(blob) and b"sb://" not in rsa.unb64url(blob)
    deleted = v.ok("DELETE", "/secrets/conn").json()
    assert deleted["recoveryId"].endswith("/deletedsecrets/Conn") and deleted["scheduledPurgeDate"] == deleted["deletedDate"] + 7 * 86400
    assert "value" not in deleted
    assert v.refused(404, "SecretNotFound", "GET", "/secrets/conn").startswith("A secret with (name/id) conn was not found in this key vault.")
    assert v.refused(409, "Conflict", "PUT", "/secrets/conn", {"value": "x"}, inner="ObjectIsDeletedButRecoverable").startswith("Secret Conn is")
    assert names(v.ok("GET", "/deletedsecrets").json()["value"]) == ["Conn"]
    v.ok("GET", "/deletedsecrets/conn")
    recovered = v.ok("POST", "/deletedsecrets/conn/recover").json()
    assert "value" not in recovered and recovered["id"] == newer["id"]
    assert v.refused(405, "MethodNotAllowed", "DELETE", "/deletedsecrets/conn",
                     inner="RequestNotAllowedOnNonDeletedObject") == "Secret exists already: Conn"
    v.ok("DELETE", "/secrets/conn")
    v.ok("DELETE", "/deletedsecrets/conn")
    assert v.refused(404, "SecretNotFound", "GET", "/deletedsecrets/conn") == "Deleted Secret not found: conn"
    assert v.ok("POST", "/secrets/restore", {"value": blob}).json()["id"] == newer["id"]
    assert v.ok("GET", f"/secrets/conn/{version_of(made)}").json() == made
    v.refused(409, "Conflict", "POST", "/secrets/restore", {"value": blob})
    ops = {r["operationName"] for r in v.e.events(mark, "audit")}
    assert ops >= {"SecretSet", "SecretGet", "SecretList", "SecretListVersions", "SecretUpdate", "SecretDelete", "SecretGetDeleted",
                   "SecretListDeleted", "SecretRecover", "SecretPurge", "SecretBackup", "SecretRestore"}, ops
    for bad in ({}, {"value": None}, {"value": 5}, {"value": "x" * 25601}, {"value": "x", "contentType": "y" * 256},
                {"value": "x", "tags": {str(i): "" for i in range(16)}}, {"value": "x", "attributes": {"nbf": 5, "exp": 5}}):
        v.refused(400, "BadParameter", "PUT", "/secrets/bad", bad)
    v.refused(400, "BadParameter", "PUT", "/secrets/bad_name", {"value": "x"})


def test_a_secrets_value_stands_nowhere_but_in_its_answers(case):
    v = Vault(case, "--log-level", "debug")
    plain = "a-secret-value-5d2f7e"
    v.ok("PUT", "/secrets/s", {"value": plain})
    v.ok("GET", "/secrets/s")
    v.refused(400, "BadParameter", "PUT", "/secrets/s", {"value": plain + "x" * 25600})
    v.refused(400, "BadParameter", "PUT", "/secrets/s", {"value": plain, "contentType": plain * 20})
    v.call("PUT", "/secrets/s", '{"value": "' + plain).expect(400)
    events = v.e.control("GET", "/_emulator/events?since=0&limit=10000").body
    v.e.stop()
    needles = [n(plain.encode()) for n in (bytes, lambda b: b.hex().encode(), base64.b64encode, lambda b: rsa.b64url(b).encode())]
    assert not v.e.on_disk(*needles)
    log = v.e.read_log().encode()
    assert not [n for n in needles if n in log or n in events]


# ---- what is refused ----

def test_malformed_keys_and_values(case):
    v = Vault(case)
    good = rsa.key().jwk()
    ec = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "B" * 43, "d": "C" * 43}
    jwks = [None, {}, [], "RSA", {"kty": "RSA"}, {"kty": "oct", "k": "AAAA"}, {**good, "kty": "rsa"}, {**good, "n": good["n"][:-4]},
            {**good, "d": good["p"]}, {**good, "e": "AA"}, {**good, "e": "AQABAQABAQABAQAB"}, {**good, "p": good["q"]}, {**good, "n": good["n"] + "="},
            {**good, "n": good["n"].replace(good["n"][5], "+")}, {**good, "n": 5}, {**good, "n": ""}, {**good, "n": "A" * 40000},
            {k: good[k] for k in ("kty", "n", "e")}, {k: x for k, x in good.items() if k != "p"}, {**good, "dp": good["dq"]},
            ec, {**ec, "crv": "P-192"}, {**ec, "crv": "p-256"}, {**ec, "crv": ""}, {k: x for k, x in ec.items() if k != "x"}, {**ec, "x": "A" * 4000},
            {**good, "key_ops": ["fly"]}, {**good, "key_ops": "wrapKey"}, {**good, "key_ops": ["sign"] * 20}]
    for jwk in jwks:
        v.refused(400, "BadParameter", "PUT", "/keys/bad", {"key": jwk})
    v.refused(404, "KeyNotFound", "GET", "/keys/bad")
    for body in ({}, {"kty": "RSA", "key_size": 1024}, {"kty": "RSA", "key_size": "2048"}, {"kty": "RSA", "key_size": 1 << 40},
                 {"kty": "EC", "crv": "P-999"}, {"kty": "EC", "key_size": 4096}, {"kty": 7}, {"kty": "EC", "key_ops": ["encrypt"]},
                 {"kty": "EC", "attributes": {"nbf": 9, "exp": 8}}, {"kty": "EC", "attributes": {"exp": -1}},
                 {"kty": "EC", "tags": {"a": 5}}, {"kty": "RSA", "public_exponent": "three"}, {"kty": "EC", "tags": {"a": "x" * 257}}):
        v.refused(400, "BadParameter", "POST", "/keys/bad/create", body)
    v.key("e")
    v.ok("PUT", "/keys/r", {"key": good})
    one = rsa.b64url(b"x" * 32)
    for path, body in (("encrypt", {"alg": "RSA-OAEP"}), ("encrypt", {"value": one}), ("encrypt", {"alg": "A256GCM", "value": one}),
                       ("encrypt", {"alg": "RS256", "value": one}), ("sign", {"alg": "RSA-OAEP", "value": one}),
                       ("encrypt", {"alg": "RSA-OAEP", "value": one + "="}), ("encrypt", {"alg": "RSA-OAEP", "value": "A"}),
                       ("encrypt", {"alg": "RSA-OAEP", "value": rsa.b64url(b"x" * 245)}), ("encrypt", {"alg": "RSA-OAEP", "value": 5}),
                       ("decrypt", {"alg": "RSA-OAEP", "value": one}), ("decrypt", {"alg": "RSA1_5", "value": rsa.b64url(b"x" * 256)}),
                       ("unwrapkey", {"alg": "RSA-OAEP-256", "value": rsa.b64url(b"\xff" * 256)}),
                       ("unwrapkey", {"alg": "RSA-OAEP-256", "value": rsa.b64url(b"x" * 20000)}),
                       ("sign", {"alg": "RS256", "value": rsa.b64url(b"x" * 31)}), ("sign", {"alg": "ES256", "value": one}),
                       ("verify", {"alg": "RS256", "digest": one}), ("verify", {"alg": "RS256", "digest": "", "value": one})):
        v.refused(400, "BadParameter", "POST", f"/keys/r/{path}", body)
    v.refused(400, "BadParameter", "POST", "/keys/e/sign", {"alg": "ES384", "value": rsa.b64url(b"x" * 48)})
    message = v.refused(400, "BadParameter", "POST", "/keys/e/sign", {"alg": "ES256K", "value": one})
    kid = v.ok("GET", "/keys/e").json()["key"]["kid"]
    assert message == (f"Key and signing algorithm are incompatible. Key {kid} uses curve 'P-256', and algorithm 'ES256K' can only be "
                       "used with curve 'P-256K'."), message
    assert v.ok("POST", "/keys/r/verify", {"alg": "RS256", "digest": one, "value": one}).json() == {"value": False}


OPERATIONS = {"encrypt": "RSA-OAEP", "decrypt": "RSA-OAEP", "wrapKey": "RSA-OAEP", "unwrapKey": "RSA-OAEP", "sign": "RS256", "verify": "RS256"}


def bodies(v, name):
    """A body for each operation that a healthy key accepts."""
    one = rsa.b64url(b"x" * 32)
    sealed = v.ok("POST", f"/keys/{name}/encrypt", {"alg": "RSA-OAEP", "value": one}).json()["value"]
    signed = v.ok("POST", f"/keys/{name}/sign", {"alg": "RS256", "value": one}).json()["value"]
    return {op: {"alg": alg, **({"digest": one, "value": signed} if op == "verify" else
                                {"value": sealed if op in ("decrypt", "unwrapKey") else one})} for op, alg in OPERATIONS.items()}


def test_key_operations_are_enforced(case):
    v = Vault(case)
    v.ok("PUT", "/keys/r", {"key": rsa.key().jwk()})
    body = bodies(v, "r")
    for op in OPERATIONS:
        v.ok("PATCH", "/keys/r", {"key_ops": [op]})
        for other in OPERATIONS:
            if other == op:
                v.ok("POST", f"/keys/r/{other.lower()}", body[other])
                continue
            message = v.refused(403, "Forbidden", "POST", f"/keys/r/{other.lower()}", body[other], inner="KeyOperationForbidden")
            assert message == f"Operation {other} is not permitted on this key."


def test_what_state_and_dates_forbid(case):
    v = Vault(case)
    v.ok("PUT", "/keys/r", {"key": rsa.key().jwk()})
    body = bodies(v, "r")
    now = v.ok("GET", "/keys/r").json()["attributes"]["created"]
    working = {"decrypt", "unwrapKey", "verify"}
    for attributes, inner, works in (({"enabled": False}, "KeyDisabled", set()),
                                     ({"enabled": True, "exp": now - 10}, "KeyExpired", working),
                                     ({"exp": now + 9000, "nbf": now + 5000}, "KeyNotYetValid", working),
                                     ({"nbf": now - 5, "exp": now + 9000}, None, set(OPERATIONS))):
        v.ok("PATCH", "/keys/r", {"attributes": attributes})
        v.ok("GET", "/keys/r")  # a key can be read whatever its state
        for op in OPERATIONS:
            if op in works:
                v.ok("POST", f"/keys/r/{op.lower()}", body[op])
            else:
                v.refused(403, "Forbidden", "POST", f"/keys/r/{op.lower()}", body[op], inner=inner)


def test_no_request_reads_another_vaults_key(case):
    """The same name, the same version, even the same key: what is not granted here is not given here."""
    v = Vault(case)
    other = Vault(case, e=v.e, name="closedvault", accessPolicies=[])
    made = v.key("k")
    v.ok("PUT", "/secrets/s", {"value": "mine"})
    for path in (f"/keys/k/{version_of(made)}", "/keys/k", "/secrets/s", "/keys", "/deletedkeys"):
        other.refused(403, "Forbidden", "GET", path, inner="ForbiddenByPolicy")
    open_ = Vault(case, e=v.e, name="openvault")
    for path in (f"/keys/k/{version_of(made)}", "/keys/k", "/keys/../datavault/keys/k", "/keys/%2e%2e%2fdatavault%2fkeys%2fk"):
        assert open_.call("GET", path).status in (400, 404), path
    assert open_.call("GET", "/secrets/s").status == 404
    # What one vault sealed, the other does not open, though both belong to the same client.
    v.ok("PUT", "/keys/r", {"key": rsa.key().jwk()})
    open_.ok("POST", "/keys/r/create", {"kty": "RSA"})
    sealed = v.ok("POST", "/keys/r/wrapkey", {"alg": "RSA-OAEP-256", "value": rsa.b64url(b"x" * 32)}).json()["value"]
    open_.refused(400, "BadParameter", "POST", "/keys/r/unwrapkey", {"alg": "RSA-OAEP-256", "value": sealed})


def test_no_private_part_leaves(case):
    v = Vault(case, "--log-level", "debug")
    key, answers = rsa.key(), []

    def ask(method, path, body=None):
        reply = v.ok(method, path, body)
        answers.append(reply.body)
        return reply
    ask("PUT", "/keys/r", {"key": key.jwk(), "tags": {"a": "b"}})
    body = bodies(v, "r")
    for op in OPERATIONS:
        ask("POST", f"/keys/r/{op.lower()}", body[op])
    for method, path, sent in (("GET", "/keys/r", None), ("GET", "/keys", None), ("GET", "/keys/r/versions", None),
                               ("PATCH", "/keys/r", {"attributes": {"enabled": True}}), ("POST", "/keys/r/rotate", None),
                               ("PUT", "/keys/r/rotationpolicy", POLICY), ("GET", "/keys/r/rotationpolicy", None),
                               ("POST", "/keys/r/backup", None), ("DELETE", "/keys/r", None), ("GET", "/deletedkeys", None),
                               ("GET", "/deletedkeys/r", None), ("POST", "/deletedkeys/r/recover", None)):
        ask(method, path, sent)
    blob = rsa.unb64url(json.loads(answers[-5])["value"])
    answers += [blob, rsa.unb64url(blob.split(b"microsoft.com", 1)[1].decode())]
    v.refused(400, "BadParameter", "PUT", "/keys/r", {"key": {**key.jwk(), "qi": "AAAA"}})
    answers.append(v.e.control("GET", "/_emulator/events?since=0&limit=10000").body)
    v.e.stop()
    parts = key.private_parts()
    needles = [n for p in parts for n in (p, rsa.b64url(p).encode(), p.hex().encode(), base64.b64encode(p))]
    assert not v.e.on_disk(*needles)
    answers.append(v.e.read_log().encode())
    assert not [n for n in needles for a in answers if n in a]
    public = rsa.b64url(key.n.to_bytes(256, "big")).encode()
    assert any(public in a for a in answers)  # shows that the search works
