"""What a poll finds and does (semantics 7-10, 12-14, 16): each row of the table in 8, rotation, restarts in every state, and the logs."""

import json
import os
import sqlite3

import harness
from test_encryption import CRYPTO_SERVICE_USER, assign, encrypted, make_uai, plain, users

NOW = 1767225600  # harness.START
OTHER_TENANT = "99999999-9999-9999-9999-999999999999"
DENY = {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "127.0.0.1"}]}


# ---- helpers ----

def newest(s, key="key1"):
    return s.e.vault("GET", s.vault, f"/keys/{key}").expect(200).json()["key"]["kid"].rsplit("/", 1)[1]


def pinned(case, **more):
    """A namespace under one pinned version; returns the story and the version."""
    s = plain(case, 1, **more)
    version = newest(s)
    s.put(s.body([s.entry("key1", keyVersion=version)])).expect(200)
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    return s, version


def status(s):
    """What ARM shows and what the control plane shows agree on: (namespace, encryption, control plane)."""
    shown, live = s.get_namespace()["properties"], s.e.state(s.namespace)
    assert live["encryption"]["status"] == live["status"], live
    return shown["status"], shown["encryption"]["status"], live["status"]


ACTIVE = ("Active", "Active", "Active")
REVOKED = ("Revoked", "Revoked", "Revoked")
UNREACHABLE = ("Active", "Active", "Unreachable")  # ARM keeps the stored one


def no_change(s):
    """A poll that finds everything as it was: nothing in answer, log or record."""
    before, mark = s.keys_shown(), s.mark()
    assert s.e.poll(s.namespace) == []
    assert s.key_log(mark) == []
    assert s.keys_shown() == before


def revoked_and_back(s, take, give, code, key="key1"):
    """The only key goes and comes back: record, log, data plane and ARM at every step."""
    wrapped = s.key(key)["wrappedVersion"]
    take()
    s.send("until the poll").expect(201)  # 7: the cached key is used
    assert status(s) == ACTIVE and s.listed_keys() == [key]
    mark = s.mark()
    done = s.e.advance("PT5M")
    assert done["counts"].get("keyRevoked") == 1 and done["counts"].get("namespaceRevoked") == 1, done
    assert s.key_log(mark) == [("disable", key, code)]
    logged = s.e.events(mark, "key")[0]
    assert logged["category"] == "error" and logged["version"] == wrapped and key in logged["message"], logged
    assert status(s) == REVOKED and s.listed_keys() == []
    hidden = s.key(key)
    assert (hidden["state"], hidden["code"], hidden["wrappedVersion"]) == ("Revoked", code, wrapped), hidden
    assert hidden["message"] == logged["message"] and hidden["since"] == done["now"], hidden
    for reply in (s.send("x"), s.receive(), s.peek_lock()):
        reply.expect(403)
    no_change(s)
    s.e.restart()
    s.receive().expect(403)
    assert s.key_states() == {key: "Revoked"}
    give()
    s.receive().expect(403)  # 12: the next poll picks it up
    mark = s.mark()
    done = s.e.advance("PT5M")
    assert done["counts"].get("keyRestored") == 1 and done["counts"].get("namespaceActive") == 1, done
    assert ("restore", key, "") in s.key_log(mark)
    assert status(s) == ACTIVE and s.listed_keys() == [key]
    assert s.key(key)["state"] == "Active" and s.key(key)["code"] == ""
    assert s.drain() == [(1, b"first"), (2, b"until the poll")]


# ---- 7: when ----

def times(s):
    e = s.e.state(s.namespace)["encryption"]
    return e["lastPoll"][11:19], e["nextPoll"][11:19]


def test_polls_five_minutes_after_the_last_one(case):
    s = encrypted(case)
    assert times(s) == ("00:00:00", "00:05:00")
    assert "poll" not in s.e.advance("PT4M59S")["counts"]
    done = s.e.advance("PT1S")
    assert [(ev["time"][11:19], ev["kind"], ev["target"]) for ev in done["events"]] == [("00:05:00", "poll", s.namespace)]
    s.e.advance("PT2M")
    s.e.poll(s.namespace)  # whatever its cause
    assert times(s) == ("00:07:00", "00:12:00")
    assert "poll" not in s.e.advance("PT4M59S")["counts"]
    assert s.e.advance("PT1S")["counts"] == {"poll": 1}
    done = s.e.advance("PT1H")
    assert done["counts"]["poll"] == 12
    assert [ev["time"][14:19] for ev in done["events"]] == [f"{m % 60:02}:00" for m in range(17, 77, 5)]


def test_the_interval_is_an_option(case):
    e = case.emulator("--poll-interval", "60")
    s = harness.Story(e)
    s.keys = ["key1"]
    s.make_all()
    assert e.advance("PT5M")["counts"]["poll"] == 5
    assert times(s) == ("00:05:00", "00:06:00")


def test_a_namespace_without_customer_keys_is_not_polled(case):
    s = plain(case, 1)
    assert s.e.advance("PT1H")["counts"] == {}
    assert s.e.poll() == []
    assert s.audit(s.mark()) == []


def test_between_polls_the_vault_is_not_contacted(case):
    s = encrypted(case)
    mark = s.mark()
    for i in range(20):
        s.send(str(i)).expect(201)
    assert len(s.drain()) == 21
    s.get_namespace()
    s.e.advance("PT4M")
    assert s.e.events(mark) == []


def test_keys_are_asked_in_the_order_of_the_list(case):
    s = plain(case)
    s.put(s.body(["key3", "key1", "key2"])).expect(200)
    mark = s.mark()
    s.e.advance("PT5M")
    asked = [(op, key.split("/")[0]) for op, key, code in s.audit(mark) if code == 200]
    assert [k for op, k in asked if op == "KeyGet"] == ["key3", "key1", "key2"], asked
    assert [k for op, k in asked if op == "KeyUnwrap"] == ["key3", "key1", "key2"], asked
    assert len(asked) == 6, asked  # nothing is wrapped anew when nothing has changed
    rows = [r for r in s.e.events(mark, "audit")]
    assert {r["vault"] for r in rows} == {s.vault} and {r["time"][11:19] for r in rows} == {"00:05:00"}
    assert all(s.principal in r["identity"] for r in rows), rows
    assert len({r["correlationId"] for r in rows}) == 1, rows


def test_namespaces_are_polled_on_their_own(case):
    """One loses its rights, the other one under the same keys does not notice."""
    s = encrypted(case, 1)
    other = harness.Story(s.e, namespace="otherns")
    s.e.advance("PT1M")
    other.make_namespace()
    other.allow(other.principal)
    other.put(other.body(["key1"])).expect(200)
    other.make_queue()
    other.connect()
    assert times(s) == ("00:00:00", "00:05:00") and times(other) == ("00:01:00", "00:06:00")
    other.allow(s.principal, how="remove")
    polls = [(ev["time"][11:19], ev["target"]) for ev in s.e.advance("PT10M")["events"] if ev["kind"] == "poll"]
    assert polls == [("00:05:00", s.namespace), ("00:06:00", "otherns"), ("00:10:00", s.namespace), ("00:11:00", "otherns")]
    assert status(s) == REVOKED and status(other) == ACTIVE
    other.send("x").expect(201)
    s.send("x").expect(403)
    # Asked for by no name, all are polled; by one name, that one alone.
    s.allow(s.principal)
    assert s.e.poll("otherns") == [] and status(s) == REVOKED
    assert {c["namespace"] for c in s.e.poll()} == {s.namespace}
    assert status(s) == ACTIVE
    s.e.control("POST", "/_emulator/poll", {"namespace": "nosuchns"}).expect(404)


# ---- 8: rows of the table, one by one ----

def test_row_rotated(case):
    s = encrypted(case)
    before = {k["keyName"]: k["wrappedVersion"] for k in s.keys_shown()}
    old = s.e.at_rest(s.namespace, s.queue, 1)
    new = s.e.vault("POST", s.vault, "/keys/key2/rotate").expect(200).json()["key"]["kid"].rsplit("/", 1)[1]
    mark = s.mark()
    done = s.e.advance("PT5M")
    assert done["counts"] == {"poll": 1, "keyRotated": 1}, done
    assert {k["keyName"]: k["wrappedVersion"] for k in s.keys_shown()} == {**before, "key2": new}
    logged = s.e.events(mark, "key")
    assert [(r["operation"], r["key"], r["version"], r["code"]) for r in logged] == [("wrapKey", "key2", new, "")], logged
    used = [(op, key) for op, key, _ in s.audit(mark) if key.startswith("key2")]
    assert used == [("KeyGet", f"key2/{new}"), ("KeyUnwrap", f"key2/{before['key2']}"), ("KeyWrap", f"key2/{new}")], used
    assert s.listed_keys() == s.keys and "keyVersion" not in s.get_namespace()["properties"]["encryption"]["keyVaultProperties"][1]
    assert s.e.at_rest(s.namespace, s.queue, 1) == old  # the root key is wrapped anew, no message is sealed anew
    no_change(s)
    # The new wrap alone opens the namespace: everything else goes, old version included.
    for k in ("key1", "key3"):
        s.set_key(k, enabled=False)
    s.set_key("key2", before["key2"], enabled=False)
    s.e.poll(s.namespace)
    s.e.restart()
    assert s.drain() == [(1, b"first")]
    assert s.key_states() == {"key1": "Revoked", "key2": "Active", "key3": "Revoked"}


def test_row_a_newer_version_that_is_not_yet_active(case):
    """No change, until its day has come: then it is the current one."""
    s = encrypted(case, 1)
    old = s.key("key1")["wrappedVersion"]
    new = s.new_version("key1", attributes={"nbf": NOW + 3600})
    no_change(s)
    assert s.e.advance("PT59M59S")["counts"] == {"poll": 11}
    assert s.key("key1")["wrappedVersion"] == old
    done = s.e.advance("PT1S")
    assert done["counts"] == {"poll": 1, "keyRotated": 1}, done
    assert s.key("key1")["wrappedVersion"] == new
    s.set_key("key1", old, enabled=False)
    no_change(s)
    assert s.drain() == [(1, b"first")]


def test_row_the_newest_active_version_counts(case):
    """Several newer ones: the newest whose day has come, whatever waits behind it."""
    s = encrypted(case, 1)
    s.new_version("key1")
    middle = s.new_version("key1", attributes={"nbf": NOW + 60})
    s.new_version("key1", attributes={"nbf": NOW + 86400})
    s.e.advance("PT5M")
    assert s.key("key1")["wrappedVersion"] == middle


def test_row_a_pinned_version_with_a_newer_one(case):
    s, version = pinned(case)
    s.new_version("key1")
    no_change(s)
    s.new_version("key1", attributes={"enabled": False})
    no_change(s)
    assert s.key("key1")["wrappedVersion"] == version == s.key("key1")["keyVersion"]
    s.send("x").expect(201)


def test_row_permission_taken_away(case):
    s = encrypted(case, 1)
    revoked_and_back(s, s.deny, s.allow, "403")


def only(s, missing):
    s.deny()
    s.allow(permissions=[p for p in harness.SERVICE_PERMISSIONS if p != missing])


def test_row_any_one_permission_taken_away(case):
    """Each of the three is needed on the current version; the first refusal is the one that is logged."""
    s = encrypted(case, 1)
    for missing, refused_op in (("get", "KeyGet"), ("unwrapKey", "KeyUnwrap"), ("wrapKey", None)):
        only(s, missing)
        mark = s.mark()
        assert [c["change"] for c in s.e.poll(s.namespace)] == ["revoked", "Revoked"], missing
        assert s.key_log(mark) == [("disable", "key1", "403")], missing
        if refused_op:
            assert [op for op, _, code in s.audit(mark) if code == 403] == [refused_op], missing
        s.allow()
        assert [c["change"] for c in s.e.poll(s.namespace)] == ["restored", "Active"], missing
    assert s.drain() == [(1, b"first")]


def test_row_role_taken_away(case):
    s = plain(case, 1)
    s.patch_vault(enableRbacAuthorization=True)
    role = "00000000-0000-4000-8000-000000000001"
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path, role)
    s.put(s.body(["key1"])).expect(200)
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    path = f"{s.vault_path}/providers/Microsoft.Authorization/roleAssignments/{role}"
    revoked_and_back(s, lambda: s.e.arm("DELETE", path, api="2022-04-01").expect(200),
                     lambda: assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path, role), "403")


def test_row_system_assigned_identity_removed(case):
    """The PUT that removes it keeps the list; the next poll revokes. A new identity is a new principal: it must be granted anew (12)."""
    s = encrypted(case, 1)
    s.put(s.body(["key1"], identity={"type": "None"})).expect(200)
    assert "identity" not in s.get_namespace()
    s.send("until the poll").expect(201)
    mark = s.mark()
    s.e.advance("PT5M")
    assert s.key_log(mark) == [("disable", "key1", "403")]
    assert status(s) == REVOKED
    old = s.principal
    s.principal = s.patch({"identity": {"type": "SystemAssigned"}}).expect(200).json()["identity"]["principalId"]
    assert s.principal != old
    s.e.poll(s.namespace)
    assert status(s) == REVOKED
    s.allow()
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE
    assert s.drain() == [(1, b"first"), (2, b"until the poll")]


def test_row_user_assigned_identity_deleted(case):
    s = plain(case, 1)
    uai, principal = make_uai(s, "id1")
    s.allow(principal)
    s.put(s.body([s.entry("key1", identity={"userAssignedIdentity": uai})], identity=users([uai]))).expect(200)
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    no_change(s)
    s.e.arm("DELETE", uai, api="2023-01-31").expect(200)
    mark = s.mark()
    s.e.poll(s.namespace)
    assert s.key_log(mark) == [("disable", "key1", "403")] and status(s) == REVOKED
    # One of the same name is another principal, which the namespace has to be given again.
    again, new = make_uai(s, "id1")
    assert again == uai and new != principal
    s.allow(new)
    s.patch({"identity": users([uai])}).expect(200)
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE
    assert s.drain() == [(1, b"first")]


def test_row_user_assigned_identity_taken_from_the_namespace(case):
    s = plain(case, 1)
    uai, principal = make_uai(s, "id1")
    s.allow(principal)
    s.put(s.body([s.entry("key1", identity={"userAssignedIdentity": uai})], identity=users([uai]))).expect(200)
    s.patch({"identity": {"type": "SystemAssigned"}}).expect(200)
    s.e.poll(s.namespace)
    assert s.key("key1")["code"] == "403" and status(s) == REVOKED
    s.patch({"identity": users([uai])}).expect(200)
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE


def test_row_current_version_disabled(case):
    s = encrypted(case, 1)
    revoked_and_back(s, lambda: s.set_key("key1", enabled=False), lambda: s.set_key("key1", enabled=True), "403")


def test_row_pinned_version_disabled(case):
    s, version = pinned(case)
    s.new_version("key1")
    revoked_and_back(s, lambda: s.set_key("key1", version, enabled=False), lambda: s.set_key("key1", version, enabled=True), "403")


def test_row_a_newer_version_that_is_disabled(case):
    """It is the current one: that the old one would still do is no help."""
    s = encrypted(case, 1)
    old = s.key("key1")["wrappedVersion"]
    new = s.new_version("key1", attributes={"enabled": False})
    mark = s.mark()
    s.e.poll(s.namespace)
    assert s.key_log(mark) == [("disable", "key1", "403")] and status(s) == REVOKED
    assert s.key("key1")["wrappedVersion"] == old
    s.set_key("key1", new, enabled=True)
    mark = s.mark()
    s.e.poll(s.namespace)
    assert sorted(s.key_log(mark)) == [("restore", "key1", ""), ("wrapKey", "key1", "")]
    assert s.key("key1")["wrappedVersion"] == new
    assert s.drain() == [(1, b"first")]


def test_row_key_ops_without_wrapping(case):
    s = encrypted(case, 1)
    for ops in (["unwrapKey"], ["wrapKey"], ["sign", "verify"]):
        s.set_key("key1", key_ops=ops)
        mark = s.mark()
        s.e.poll(s.namespace)
        assert s.key_log(mark) == [("disable", "key1", "403")], ops
        s.set_key("key1", key_ops=["wrapKey", "unwrapKey"])
        s.e.poll(s.namespace)
        assert status(s) == ACTIVE, ops
    assert s.drain() == [(1, b"first")]


def test_row_not_rsa(case):
    """A newer version of another type."""
    s = encrypted(case, 1)
    curved = s.new_version("key1", kty="EC")
    mark = s.mark()
    s.e.poll(s.namespace)
    assert s.key_log(mark) == [("disable", "key1", "403")] and status(s) == REVOKED
    rsa = s.new_version("key1")
    s.e.poll(s.namespace)
    assert s.key("key1")["wrappedVersion"] == rsa != curved
    assert s.drain() == [(1, b"first")]


def test_row_expired(case):
    """wrapKey is refused though unwrapKey would work. The date moves, the key is back."""
    s = encrypted(case, 1)
    version = s.key("key1")["wrappedVersion"]
    s.set_key("key1", exp=NOW + 600)
    s.e.advance("PT5M")
    assert status(s) == ACTIVE
    s.e.advance("PT4M59S")
    assert status(s) == ACTIVE
    mark = s.mark()
    s.e.advance("PT1S")
    assert s.key_log(mark) == [("disable", "key1", "403")] and status(s) == REVOKED
    assert "expired" in s.key("key1")["message"], s.key("key1")
    # Anybody with the permission can still unwrap with it: so it is no key that has gone.
    wrapped = [r for r in s.e.events(mark, "audit") if r["operationName"] == "KeyUnwrap"]
    assert [r["httpStatusCode"] for r in wrapped] == [200], wrapped
    s.set_key("key1", version, exp=NOW + 86400)
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE and s.drain() == [(1, b"first")]


def test_row_expired_but_rotated_before(case):
    """Versionless: a newer version saves it, even one that is made after the old one expired."""
    s = encrypted(case, 1)
    s.set_key("key1", exp=NOW + 60)
    s.e.advance("PT5M")
    assert status(s) == REVOKED
    new = s.new_version("key1")
    s.e.advance("PT5M")
    assert status(s) == ACTIVE and s.key("key1")["wrappedVersion"] == new
    assert s.drain() == [(1, b"first")]


def test_row_pinned_and_expired(case):
    s, version = pinned(case)
    s.new_version("key1")
    s.set_key("key1", version, exp=NOW + 60)
    s.e.advance("PT5M")
    assert status(s) == REVOKED and s.key("key1")["code"] == "403"
    s.set_key("key1", version, exp=NOW + 86400)
    s.e.advance("PT5M")
    assert status(s) == ACTIVE and s.drain() == [(1, b"first")]


def test_row_pinned_and_not_yet_valid(case):
    s, version = pinned(case)
    revoked_and_back(s, lambda: s.set_key("key1", version, nbf=NOW + 86400), lambda: s.set_key("key1", version, nbf=NOW), "403")


def test_row_no_version_is_valid_yet(case):
    """Versionless, and the only version's day is moved into the future."""
    s = encrypted(case, 1)
    s.set_key("key1", nbf=NOW + 86400)
    s.e.poll(s.namespace)
    assert status(s) == REVOKED and s.key("key1")["code"] == "403"
    s.e.advance("P1D")
    assert status(s) == ACTIVE and s.drain() == [(1, b"first")]


def test_row_firewall(case):
    """Without trusted services: revoked. With them: nothing."""
    s = encrypted(case, 1)
    revoked_and_back(s, lambda: s.patch_vault(networkAcls=DENY),
                     lambda: s.patch_vault(networkAcls={**DENY, "bypass": "AzureServices"}), "403")
    no_change(s)


def test_row_firewall_that_lets_trusted_services_through(case):
    s = encrypted(case, 1)
    s.patch_vault(networkAcls={**DENY, "bypass": "AzureServices"})
    no_change(s)
    s.patch_vault(networkAcls={**DENY, "bypass": "AzureServices", "ipRules": []})  # whoever else is shut out
    no_change(s)
    s.e.vault("GET", s.vault, "/keys/key1").expect(403)


def test_row_public_network_access_disabled(case):
    s = encrypted(case, 1)
    s.patch_vault(publicNetworkAccess="Disabled", networkAcls={"defaultAction": "Deny", "bypass": "None"})
    s.e.poll(s.namespace)
    assert status(s) == REVOKED and s.key("key1")["code"] == "403"
    s.patch_vault(publicNetworkAccess="Enabled", networkAcls={"defaultAction": "Allow", "bypass": "AzureServices"})
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE


def test_row_key_deleted(case):
    s = encrypted(case, 1)
    revoked_and_back(s, lambda: s.e.vault("DELETE", s.vault, "/keys/key1").expect(200),
                     lambda: s.e.vault("POST", s.vault, "/deletedkeys/key1/recover").expect(200), "404")


def recover_vault(s):
    s.e.arm("PUT", s.vault_path, {"location": "northeurope", "properties": {"createMode": "recover"}}, api="2022-07-01").expect(200, 201)


def test_row_vault_deleted(case):
    s = encrypted(case, 1)
    revoked_and_back(s, lambda: s.e.arm("DELETE", s.vault_path, api="2022-07-01").expect(200), lambda: recover_vault(s), "404")


def test_row_vault_with_roles_deleted(case):
    """12: recovering it does not bring its role assignments back; they must be made again."""
    s = plain(case, 1)
    s.patch_vault(enableRbacAuthorization=True)
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path)
    s.put(s.body(["key1"])).expect(200)
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    s.e.arm("DELETE", s.vault_path, api="2022-07-01").expect(200)
    s.e.poll(s.namespace)
    assert s.key("key1")["code"] == "404"
    recover_vault(s)
    mark = s.mark()
    s.e.poll(s.namespace)
    assert status(s) == REVOKED and s.key("key1")["code"] == "403"
    assert s.key_log(mark) and all(code == "403" for _, _, code in s.key_log(mark))
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path, name="00000000-0000-4000-8000-000000000002")
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE and s.drain() == [(1, b"first")]


def test_row_vault_in_another_tenant(case):
    s = encrypted(case, 1)
    revoked_and_back(s, lambda: s.patch_vault(tenantId=OTHER_TENANT), lambda: s.patch_vault(tenantId=harness.TENANT), "404")


# ---- 8, last row: unreachable ----

FAULTS = [({"fault": "unreachable"}, None), ({"fault": "timeout"}, None), ({"fault": "throttle"}, "429"),
          ({"fault": "error", "status": 500}, "500"), ({"fault": "error", "status": 502}, "502"), ({"fault": "error", "status": 503}, "503")]


def test_faults_never_revoke(case):
    s = encrypted(case)
    for fault, code in FAULTS:
        s.e.fault(s.vault, **fault)
        mark = s.mark()
        changes = s.e.poll(s.namespace)
        assert {c["change"] for c in changes} == {"unreachable"} and len(changes) == 3, (fault, changes)
        assert s.listed_keys() == s.keys
        assert status(s) == ACTIVE
        assert s.key_states() == {k: "Unreachable" for k in s.keys}
        logged = s.e.events(mark, "key")
        assert [r["key"] for r in logged] == s.keys and {r["category"] for r in logged} == {"error"}, (fault, logged)
        assert not {"disable"} & {r["operation"] for r in logged}, (fault, logged)
        audited = [r for r in s.e.events(mark, "audit") if s.principal in r["identity"]]
        if not code:
            assert audited == [], (fault, "a vault that was not reached writes no log")
        else:
            assert {r["code"] for r in logged} == {code}, (fault, logged)
            assert {r["httpStatusCode"] for r in audited} == {int(code)}, fault
        s.send("x").expect(201)
        for _ in range(3):
            s.e.advance("PT5M")
        assert status(s) == ACTIVE and s.listed_keys() == s.keys
        assert s.receive().expect(200)
        s.e.control("DELETE", "/_emulator/faults").expect(204)
        assert {c["change"] for c in s.e.poll(s.namespace)} == {"reachable"}
        assert s.key_states() == {k: "Active" for k in s.keys}
        no_change(s)


def test_clients_meet_the_same_status(case):
    """With the scope "all", whoever calls the vault is answered as the fault says."""
    s = encrypted(case, 1)
    for fault, code in FAULTS:
        s.e.fault(s.vault, **fault, scope="all")
        reply = s.e.vault("GET", s.vault, "/keys/key1").expect(int(code or 503))
        assert reply.json()["error"]["code"] and reply.json()["error"]["message"], reply
    s.e.control("DELETE", f"/_emulator/faults?target=vault:{s.vault}").expect(204)
    s.e.vault("GET", s.vault, "/keys/key1").expect(200)


def test_a_poll_between_two_uses_of_a_queue(case):
    """A commit of the poller's alone carries what an earlier look at the queue left to be written; the queue goes on all the same."""
    s = encrypted(case, 2)
    s.drain()
    for _ in range(3):
        s.e.advance("PT2M")
        s.receive().expect(204)
        s.set_key("key1", enabled=False)
        s.e.poll(s.namespace)
        s.send("after").expect(201)
        s.set_key("key1", enabled=True)
        s.e.poll(s.namespace)
        assert [b for _, b in s.drain()] == [b"after"]
    assert s.e.arm("GET", s.queue_path).expect(200).json()["properties"]["accessedAt"] == "2026-01-01T00:06:00Z"


def test_a_fault_for_a_few_calls(case):
    """The first key meets it, the others do not: each is what its own probe found."""
    s = encrypted(case)
    new = s.new_version("key2")
    s.e.fault(s.vault, "error", status=500, count=1)
    s.e.poll(s.namespace)
    assert s.key_states() == {"key1": "Unreachable", "key2": "Active", "key3": "Active"}
    assert s.key("key2")["wrappedVersion"] == new and s.key("key1")["code"] == "500"
    assert s.e.control("GET", "/_emulator/faults").json() == {"faults": []}
    s.e.fault(s.vault, "throttle", count=2)
    s.e.restart()  # a fault survives it, the first poll meets it
    assert s.receive().expect(200).body == b"first"
    assert s.key_states() == {"key1": "Unreachable", "key2": "Unreachable", "key3": "Active"}
    s.e.poll(s.namespace)
    assert s.key_states() == {k: "Active" for k in s.keys}


def test_a_revoked_key_stays_revoked_when_its_vault_cannot_be_reached(case):
    s = encrypted(case)
    s.set_key("key2", enabled=False)
    s.e.poll(s.namespace)
    s.set_key("key2", enabled=True)
    s.e.fault(s.vault, "unreachable")
    s.e.poll(s.namespace)
    assert s.key_states() == {"key1": "Unreachable", "key2": "Revoked", "key3": "Unreachable"}
    assert s.listed_keys() == ["key1", "key3"]
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.poll(s.namespace)
    assert s.key_states() == {k: "Active" for k in s.keys}
    assert s.listed_keys() == s.keys


def test_a_revoked_namespace_stays_revoked_when_its_vault_cannot_be_reached(case):
    s = encrypted(case, 2)
    s.deny()
    s.e.poll(s.namespace)
    s.e.fault(s.vault, "error", status=503)
    s.e.poll(s.namespace)
    assert status(s) == REVOKED
    s.receive().expect(403)
    s.e.restart()
    s.receive().expect(403)
    assert status(s) == REVOKED
    s.allow()
    s.e.poll(s.namespace)
    assert status(s) == REVOKED
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE and s.drain() == [(1, b"first")]


def two_vaults(case):
    """key1 in one vault, key2 in another."""
    s = plain(case, 1)
    other = harness.Story(s.e, vault="othervault", namespace=s.namespace)
    other.principal = s.principal
    other.make_vault()
    other.make_key("key2")
    other.allow()
    s.put(s.body(["key1", other.entry("key2")])).expect(200)
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    return s, other


def test_one_vault_unreachable_the_other_revoked(case):
    """Cached: the root key stays in use, the unreachable one stays in the record. After a restart: 503, never Revoked (13)."""
    s, other = two_vaults(case)
    s.e.fault(s.vault, "timeout")
    other.set_key("key2", enabled=False)
    s.e.poll(s.namespace)
    assert s.key_states() == {"key1": "Unreachable", "key2": "Revoked"}
    assert s.listed_keys() == ["key1"] and status(s) == ACTIVE
    s.send("with the cached key").expect(201)
    s.e.restart()
    s.receive().expect(503)
    assert status(s) == UNREACHABLE and s.listed_keys() == ["key1"]
    other.set_key("key2", enabled=True)
    s.e.poll(s.namespace)
    assert s.key_states() == {"key1": "Unreachable", "key2": "Active"} and status(s) == ACTIVE
    assert s.drain() == [(1, b"first"), (2, b"with the cached key")]


def test_one_vault_unreachable_the_other_fine(case):
    s, _ = two_vaults(case)
    s.e.fault(s.vault, "throttle")
    s.e.restart()
    assert s.receive().expect(200).body == b"first"
    assert s.key_states() == {"key1": "Unreachable", "key2": "Active"} and status(s) == ACTIVE
    assert s.listed_keys() == ["key1", "key2"]


def test_a_rotation_while_the_other_vault_is_unreachable(case):
    s, other = two_vaults(case)
    s.e.fault(s.vault, "unreachable")
    new = other.new_version("key2")
    s.e.poll(s.namespace)
    assert s.key("key2")["wrappedVersion"] == new and s.key_states() == {"key1": "Unreachable", "key2": "Active"}


def test_revoked_at_last_after_being_unreachable(case):
    """Unreachable, then refused: only the refusal revokes."""
    s = encrypted(case, 1)
    s.deny()
    s.e.fault(s.vault, "unreachable")
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    mark = s.mark()
    s.e.poll(s.namespace)
    assert s.key_log(mark) == [("disable", "key1", "403")] and status(s) == REVOKED


# ---- 9, 10, 12: some of three ----

def test_one_of_three_revoked(case):
    """The record no longer lists it, its wrap stays, everything works; it comes back at its old place."""
    for lost in ("key1", "key2", "key3"):
        s = encrypted(case)
        wrapped = s.key(lost)["wrappedVersion"]
        rest = [k for k in s.keys if k != lost]
        s.e.vault("DELETE", s.vault, f"/keys/{lost}").expect(200)
        mark = s.mark()
        assert [(c["key"], c["change"], c["code"]) for c in s.e.poll(s.namespace)] == [(lost, "revoked", "404")]
        assert s.key_log(mark) == [("disable", lost, "404")]
        assert s.listed_keys() == rest and status(s) == ACTIVE
        assert [k["keyName"] for k in s.keys_shown()] == s.keys, "revoked ones are listed here, in configured order"
        assert s.key(lost)["wrappedVersion"] == wrapped
        s.send("second").expect(201)
        s.e.restart(kill=True)
        assert s.receive().expect(200).body == b"first"
        assert s.listed_keys() == rest
        s.e.vault("POST", s.vault, f"/deletedkeys/{lost}/recover").expect(200)
        mark = s.mark()
        s.e.poll(s.namespace)
        assert s.key_log(mark) == [("restore", lost, "")]
        assert s.listed_keys() == s.keys
        assert s.drain() == [(2, b"second")]
        s.e.stop()


def test_any_one_key_suffices(case):
    """What was active stays wrapped under every active key: each of them alone opens it, from a cold start."""
    for left in ("key1", "key2", "key3"):
        s = encrypted(case)
        for k in s.keys:
            if k != left:
                s.set_key(k, enabled=False)
        s.e.restart()
        assert s.receive().expect(200).body == b"first"
        assert s.listed_keys() == [left]
        s.e.stop()


def test_revoked_one_by_one_and_restored_in_another_order(case):
    s = encrypted(case)
    for k, left in (("key2", ["key1", "key3"]), ("key1", ["key3"]), ("key3", [])):
        s.set_key(k, enabled=False)
        s.e.advance("PT5M")
        assert s.listed_keys() == left
    assert status(s) == REVOKED
    for k, back in (("key3", ["key3"]), ("key1", ["key1", "key3"]), ("key2", ["key1", "key2", "key3"])):
        s.set_key(k, enabled=True)
        s.e.advance("PT5M")
        assert s.listed_keys() == back
        assert status(s) == ACTIVE
    assert s.drain() == [(1, b"first")]


def test_a_rotation_while_a_key_is_revoked(case):
    """It comes back under its newest version: the root key is at hand, and wrapped anew."""
    s = encrypted(case, 2)
    s.set_key("key1", enabled=False)
    s.e.poll(s.namespace)
    new = s.new_version("key1")
    mark = s.mark()
    s.e.poll(s.namespace)
    assert sorted(s.key_log(mark)) == [("restore", "key1", ""), ("wrapKey", "key1", "")]
    assert s.key("key1")["wrappedVersion"] == new
    s.set_key("key2", enabled=False)
    s.e.restart()
    assert s.drain() == [(1, b"first")]


# ---- 13: starts ----

def restart_states(case, kill):
    s = encrypted(case)
    for prepare, listed, states in ((lambda: None, s.keys, "AAA"),
                                    (lambda: s.set_key("key2", enabled=False), ["key1", "key3"], "ARA"),
                                    (lambda: s.deny(), [], "RRR"),
                                    (lambda: s.allow(), ["key1", "key3"], "ARA"),
                                    (lambda: s.set_key("key2", enabled=True), s.keys, "AAA")):
        names = {"A": "Active", "R": "Revoked"}
        prepare()
        s.e.poll(s.namespace)
        before = s.keys_shown()
        mark = s.mark()
        s.e.restart(kill=kill)
        s.peek_lock(queue="nosuchqueue").expect(403 if not listed else 410)
        assert s.key_log(mark) == []
        assert s.listed_keys() == listed
        assert [k["state"] for k in s.keys_shown()] == [names[c] for c in states]
        assert s.keys_shown() == before
        assert status(s) == (ACTIVE if listed else REVOKED)
    assert s.drain() == [(1, b"first")]


def test_restart_in_every_state(case):
    restart_states(case, kill=False)


def test_kill_in_every_state(case):
    restart_states(case, kill=True)


def test_a_start_polls_before_it_serves(case):
    """What was revoked, rotated or given back while the emulator was down is seen before the first answer."""
    s = encrypted(case, 2)
    mark = s.mark()
    s.e.restart()
    s.receive(queue="nosuchqueue").expect(410)
    polled = [(op, key.split("/")[0]) for op, key, _ in s.audit(mark)]
    assert polled == [("KeyGet", "key1"), ("KeyUnwrap", "key1"), ("KeyGet", "key2"), ("KeyUnwrap", "key2")], polled
    s.deny()  # not polled: the record still says Active
    assert status(s) == ACTIVE
    mark = s.mark()
    s.e.restart()
    s.send("x").expect(403)
    assert s.key_log(mark) == [("disable", "key1", "403"), ("disable", "key2", "403")] and status(s) == REVOKED
    s.allow()
    s.e.restart()
    assert s.receive().expect(200).body == b"first"
    assert status(s) == ACTIVE
    new = s.new_version("key1")
    s.e.restart()
    s.receive(queue="nosuchqueue").expect(410)
    assert s.key("key1")["wrappedVersion"] == new


def test_unreachable_at_the_start(case):
    """503, Unreachable, never Revoked; ARM keeps what is stored; the first poll that gets through brings it up."""
    for fault, _ in FAULTS:
        s = encrypted(case, 2)
        s.e.fault(s.vault, **fault)
        s.e.restart()
        for reply in (s.receive(), s.send("x"), s.peek_lock(), s.receive(queue="nosuchqueue")):
            reply.expect(503)
            assert b"<Error><Code>503</Code>" in reply.body, reply
            assert b"no longer valid" not in reply.body, reply
        assert status(s) == UNREACHABLE and s.listed_keys() == s.keys
        s.e.advance("PT30M")
        s.receive().expect(503)
        assert status(s) == UNREACHABLE
        s.e.control("DELETE", "/_emulator/faults").expect(204)
        s.e.advance("PT5M")
        assert status(s) == ACTIVE and s.drain() == [(1, b"first")]
        s.e.stop()


def test_unreachable_at_the_start_then_revoked(case):
    s = encrypted(case, 2)
    s.e.fault(s.vault, "unreachable")
    s.e.restart()
    s.receive().expect(503)
    s.deny()
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.poll(s.namespace)
    s.receive().expect(403)
    assert status(s) == REVOKED
    s.allow()
    s.e.poll(s.namespace)
    assert s.drain() == [(1, b"first")]


def test_what_fell_due_while_unreachable_runs_before_it_serves(case):
    s = encrypted(case, 1)
    s.send("short", **{"BrokerProperties": json.dumps({"TimeToLive": 600})}).expect(201)
    s.e.fault(s.vault, "unreachable")
    s.e.restart()
    s.receive().expect(503)
    done = s.e.advance("PT20M")
    assert "messageExpired" not in done["counts"], done
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.poll(s.namespace)
    assert s.drain() == [(1, b"first")]
    assert s.e.state(s.namespace)["messages"]["active"] == 0


def test_arm_works_while_unreachable(case):
    s = encrypted(case, 1)
    s.e.fault(s.vault, "unreachable")
    s.e.restart()
    s.receive().expect(503)
    s.get_namespace()
    s.e.arm("GET", s.queue_path).expect(200)
    s.connect()
    s.e.arm("PUT", f"{s.namespace_path}/queues/other", {"properties": {}}).expect(503)
    s.e.arm("DELETE", s.queue_path).expect(503)
    s.e.arm("DELETE", s.namespace_path).expect(200, 202)
    s.e.arm("GET", s.namespace_path).expect(404)


def test_other_namespaces_serve_at_once(case):
    """The start of one that is unreachable holds nobody else up."""
    s = encrypted(case, 1)
    free = harness.Story(s.e, namespace="plainns")
    free.make_namespace()
    free.make_queue()
    free.connect()
    free.send("x").expect(201)
    s.e.fault(s.vault, "unreachable")
    s.e.restart()
    assert free.receive().expect(200).body == b"x"
    s.e.control("GET", "/health").expect(200)


# ---- 14: rotated, and the old version disabled, between two polls ----

def test_old_version_disabled_within_one_poll_while_the_root_key_is_cached(case):
    s = encrypted(case, 1)
    old = s.key("key1")["wrappedVersion"]
    new = s.new_version("key1")
    s.set_key("key1", old, enabled=False)
    mark = s.mark()
    s.e.advance("PT5M")
    assert s.key_log(mark) == [("wrapKey", "key1", "")]
    assert s.key("key1")["wrappedVersion"] == new and status(s) == ACTIVE
    s.e.restart()
    assert s.drain() == [(1, b"first")]


def test_old_version_disabled_within_one_poll_and_a_restart_in_the_gap(case):
    s = encrypted(case, 1)
    old = s.key("key1")["wrappedVersion"]
    new = s.new_version("key1")
    s.set_key("key1", old, enabled=False)
    mark = s.mark()
    s.e.restart(kill=True)
    s.receive().expect(403)
    assert s.key_log(mark) == [("disable", "key1", "403")] and status(s) == REVOKED
    assert s.key("key1")["wrappedVersion"] == old
    s.set_key("key1", old, enabled=True)
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE and s.key("key1")["wrappedVersion"] == new
    s.set_key("key1", old, enabled=False)
    no_change(s)
    assert s.drain() == [(1, b"first")]


def test_a_restart_in_the_gap_while_another_key_opens_the_root(case):
    """Then it is wrapped anew, too."""
    s = encrypted(case, 2)
    old = s.key("key1")["wrappedVersion"]
    new = s.new_version("key1")
    s.set_key("key1", old, enabled=False)
    mark = s.mark()
    s.e.restart()
    assert s.receive().expect(200).body == b"first"
    assert s.key_log(mark) == [("wrapKey", "key1", "")]
    assert s.key("key1")["wrappedVersion"] == new
    s.send("second").expect(201)
    s.set_key("key2", enabled=False)
    s.e.restart()
    assert s.drain() == [(2, b"second")]


def test_all_keys_rotated_and_their_old_versions_disabled(case):
    s = encrypted(case)
    for k in s.keys:
        old = s.key(k)["wrappedVersion"]
        s.new_version(k)
        s.set_key(k, old, enabled=False)
    s.e.advance("PT5M")
    assert status(s) == ACTIVE and s.listed_keys() == s.keys
    assert {k["keyName"]: k["wrappedVersion"] for k in s.keys_shown()} == {k: newest(s, k) for k in s.keys}
    s.e.restart()
    assert s.drain() == [(1, b"first")]


def test_a_key_that_is_revoked_may_open_the_root_for_another(case):
    """14: key2 expired (it unwraps, and wraps no more); key1 was rotated and its old version disabled. Cold start."""
    s = encrypted(case, 2)
    old = s.key("key1")["wrappedVersion"]
    new = s.new_version("key1")
    s.set_key("key1", old, enabled=False)
    s.set_key("key2", exp=NOW)
    s.e.restart()
    assert s.receive().expect(200).body == b"first"
    assert s.key_states() == {"key1": "Active", "key2": "Revoked"}
    assert s.key("key1")["wrappedVersion"] == new


# ---- 16: gone for good ----

def purged(case, keys=1):
    """key1 is deleted, and its retention is over; polls once a day, so that it does not take long."""
    e = case.emulator("--poll-interval", "86400")
    s = harness.Story(e)
    s.keys = s.keys[:keys]
    s.make_group()
    s.make_vault(softDeleteRetentionInDays=7)
    for k in s.keys:
        s.make_key(k)
    s.make_namespace()
    s.allow()
    s.encrypt()
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    e.vault("DELETE", s.vault, "/deletedkeys/key1").expect(403)  # the vault is protected from purging
    e.advance("P1D")
    return s


def test_a_purged_key_never_comes_back(case):
    s = purged(case)
    assert status(s) == REVOKED and s.key("key1")["code"] == "404"
    s.e.advance("P7D")
    s.e.vault("POST", s.vault, "/deletedkeys/key1/recover").expect(404)
    version = s.key("key1")["wrappedVersion"]
    s.make_key("key1")
    s.e.poll(s.namespace)
    s.receive().expect(403)
    assert status(s) == REVOKED and s.key("key1")["wrappedVersion"] == version and s.key("key1")["code"] == "404"
    s.e.restart()
    s.receive().expect(403)
    # Naming it in a PUT makes it a new entry; but no stored wrap opens, so no key can be added.
    error = s.put(s.body(["key1"])).expect(409).json()["error"]
    assert "revoked" in error["message"], error
    assert status(s) == REVOKED
    s.e.advance("P10D")
    s.receive().expect(403)
    assert any(r["code"] == "404" and "not found" in r["message"] for r in s.e.events(0, "key"))


def test_a_new_key_of_the_same_name_is_a_new_entry(case):
    s = purged(case, keys=2)
    s.e.advance("P7D")
    new = s.new_version("key1")
    s.e.poll(s.namespace)
    assert s.key_states() == {"key1": "Revoked", "key2": "Active"}
    mark = s.mark()
    s.put(s.body(["key1", "key2"])).expect(200)
    assert s.key_states() == {"key1": "Active", "key2": "Active"}
    assert s.key("key1")["wrappedVersion"] == new and s.listed_keys() == ["key1", "key2"]
    assert ("wrapKey", "key1", "") in s.key_log(mark) and ("restore", "key1", "") not in s.key_log(mark)
    s.set_key("key2", enabled=False)
    s.e.restart()
    assert s.drain() == [(1, b"first")]


def test_a_purged_vault_never_comes_back(case):
    e = case.emulator("--poll-interval", "86400")
    s = harness.Story(e)
    s.keys = ["key1"]
    s.make_group()
    s.make_vault(softDeleteRetentionInDays=7)
    s.make_key("key1")
    s.make_namespace()
    s.allow()
    s.encrypt()
    e.arm("DELETE", s.vault_path, api="2022-07-01").expect(200)
    e.advance("P8D")
    s.make_vault()  # the name is free again
    s.make_key("key1")
    s.allow()
    e.poll(s.namespace)
    assert status(s) == REVOKED and s.key("key1")["code"] == "404"


# ---- logs ----

def test_fields_of_the_key_log(case):
    s = encrypted(case, 1)
    s.deny()
    mark = s.mark()
    s.e.advance("PT5M")
    row, = s.e.events(mark, "key")
    assert row["TaskName"] == "CustomerManagedKeyUserLog" and row["category"] == "error", row
    assert row["resourceId"] == s.namespace_path.upper(), row
    assert row["keyVault"] == s.vault_uri and row["key"] == "key1" and row["version"] == newest(s), row
    assert (row["operation"], row["code"]) == ("disable", "403") and row["message"], row
    assert row["time"] == "2026-01-01T00:05:00Z", row
    # The vault's own log of the same poll carries the same activity.
    audit = s.e.events(mark, "audit")
    assert {r["correlationId"] for r in audit if s.principal in r["identity"]} == {row["ActivityId"]}, (row, audit)


def test_fields_of_the_audit_log(case):
    s = encrypted(case, 1)
    mark = s.mark()
    s.e.poll(s.namespace)
    version = newest(s)
    rows = [r for r in s.e.events(mark, "audit") if s.principal in r["identity"]]
    assert [(r["operationName"], r["keyId"], r["resultType"], r["httpStatusCode"]) for r in rows] == \
        [("KeyGet", f"key1/{version}", "Success", 200), ("KeyUnwrap", f"key1/{version}", "Success", 200)], rows
    assert {r["category"] for r in rows} == {"AuditEvent"} and {r["resourceId"].lower() for r in rows} == {s.vault_path.lower()}
    s.deny()
    mark = s.mark()
    s.e.poll(s.namespace)
    rows = s.e.events(mark, "audit")
    assert [(r["operationName"], r["resultType"], r["httpStatusCode"]) for r in rows] == [("KeyGet", "ForbiddenByPolicy", 403)], rows


def test_each_change_is_logged_once(case):
    s = encrypted(case)
    s.deny()
    mark = s.mark()
    for _ in range(5):
        s.e.advance("PT5M")
    assert s.key_log(mark) == [("disable", k, "403") for k in s.keys]
    s.allow()
    mark = s.mark()
    for _ in range(5):
        s.e.advance("PT5M")
    assert s.key_log(mark) == [("restore", k, "") for k in s.keys]


def test_a_revoked_key_that_goes_for_another_reason_is_logged(case):
    """First no permission, then deleted: the log says both."""
    s = encrypted(case, 1)
    s.deny()
    s.e.poll(s.namespace)
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    s.allow()
    mark = s.mark()
    s.e.poll(s.namespace)
    assert [(k, c) for _, k, c in s.key_log(mark)] == [("key1", "404")], s.key_log(mark)
    assert s.key("key1")["code"] == "404" and status(s) == REVOKED


def test_the_answer_to_a_poll_names_what_changed(case):
    s = encrypted(case)
    s.set_key("key1", enabled=False)
    new = s.new_version("key2")
    changes = s.e.poll(s.namespace)
    assert sorted((c["namespace"], c["key"], c["change"], c.get("code")) for c in changes) == \
        [(s.namespace, "key1", "revoked", "403"), (s.namespace, "key2", "rotated", None)], changes
    assert next(c["version"] for c in changes if c["key"] == "key2") == new
    s.deny()
    changes = s.e.poll(s.namespace)
    assert [(c.get("key"), c["change"]) for c in changes] == [("key2", "revoked"), ("key3", "revoked"), (None, "Revoked")], changes


def test_many_namespaces_under_the_same_keys(case):
    """Polled together, each with its own root key: all go, all come back, none is mixed up."""
    s = plain(case, 2)
    stories = []
    for i in range(8):
        n = harness.Story(s.e, namespace=f"manyns{i}")
        n.make_namespace()
        n.allow(n.principal)
        n.put(n.body(["key1", "key2"])).expect(200)
        n.make_queue()
        n.connect()
        n.send(f"of {n.namespace}").expect(201)
        stories.append(n)
    for k in ("key1", "key2"):
        s.set_key(k, enabled=False)
    assert s.e.advance("PT5M")["counts"]["namespaceRevoked"] == 8
    s.e.restart()
    for n in stories:
        n.receive().expect(403)
    for k in ("key1", "key2"):
        s.set_key(k, enabled=True)
    assert s.e.advance("PT5M")["counts"]["namespaceActive"] == 8
    for n in stories:
        assert n.drain() == [(1, f"of {n.namespace}".encode())]


def test_a_wrap_of_another_namespace_is_tampering_and_not_revocation(case):
    """6: a blob that unwraps to something else is not the root key: nothing is served with it, and nothing is called revoked."""
    s = encrypted(case, 1)
    other = harness.Story(s.e, namespace="otherns")
    other.make_namespace()
    other.allow(other.principal)
    other.put(other.body(["key1"])).expect(200)
    s.e.stop()
    db = sqlite3.connect(os.path.join(s.e.data, "servicebus.db"))
    wraps = dict(db.execute("SELECT ns, wrapped FROM ns_key"))
    mine, theirs = sorted(wraps)
    with db:
        db.execute("UPDATE ns_key SET wrapped=? WHERE ns=?", (wraps[theirs], mine))
    db.close()
    s.e.start()
    s.receive().expect(503)
    assert status(s) == UNREACHABLE and s.listed_keys() == ["key1"]
    assert "altered" in s.key("key1")["message"], s.key("key1")
    s.e.stop()
    db = sqlite3.connect(os.path.join(s.e.data, "servicebus.db"))
    with db:
        db.execute("UPDATE ns_key SET wrapped=? WHERE ns=?", (wraps[mine], mine))
    db.close()
    s.e.start()
    assert s.drain() == [(1, b"first")]
