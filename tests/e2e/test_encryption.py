"""Enabling customer keys and editing their list (semantics 1-5 and 15): every condition is refused in words of its own and
leaves everything as it was; what a PUT sends again, adds, leaves out or hides."""

import glob
import json
import os
import sqlite3
import threading
import urllib.parse

import harness

NOW = 1767225600  # harness.START
MISSING_ENCRYPTION = "Encryption properties are missing. Note: Once encryption has been enabled on a namespace, it cannot be disabled."
MISSING_KEYS = "All KeyVaultProperties must be specified as part of the Encryption object."
CRYPTO_SERVICE_USER = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
VAULT_READER = "21090545-7ca7-4776-b22c-e363652d74d2"


# ---- helpers ----

def picture(s):
    """All that a refused call must not change: what ARM shows, what the control plane shows, the key log."""
    shown = s.e.arm("GET", s.namespace_path)
    seen = s.e.control("GET", f"/_emulator/namespaces/{s.namespace}")
    return shown.status, shown.body, seen.status, seen.body, s.key_log()


def refused(reply, status, *words):
    """The message of an error of ARM that holds all the words, without the id that the service puts behind it."""
    error = reply.expect(status).json()["error"]
    assert set(error) >= {"code", "message"} and error["code"], error
    for word in words:
        assert word in error["message"], f"{word!r} is not in {error!r}"
    return error["message"].split(" CorrelationId: ")[0]


def refused_unchanged(s, body, status, *words, api="2024-01-01"):
    """The PUT is refused and leaves all as it was."""
    s.e.advance("PT1S")  # so that a time that moves would show
    before = picture(s)
    message = refused(s.put(body, api=api), status, *words)
    assert picture(s) == before, (message, before, picture(s))
    return message


def plain(case, keys=3, **more):
    """A vault with keys and an empty Premium namespace that may use them, without encryption."""
    s = case.story(**more)
    s.make_group()
    s.make_vault()
    s.keys = s.keys[:keys]
    for k in s.keys:
        s.make_key(k)
    s.make_namespace()
    s.allow()
    return s


def encrypted(case, keys=3, **more):
    """The same under its keys, with a queue and one message in it."""
    s = plain(case, keys, **more)
    s.encrypt()
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    return s


def shown_keys(s):
    return s.get_namespace()["properties"]["encryption"]["keyVaultProperties"]


def again(s, **top):
    """GET, change something else, PUT, as az and Terraform do."""
    return s.put({**s.get_namespace(), **top})


def make_uai(s, name):
    path = f"{s.group_path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    made = s.e.arm("PUT", path, {"location": "northeurope"}, api="2023-01-31").expect(200, 201).json()
    return made["id"], made["properties"]["principalId"]


def assign(s, role, principal, scope, name="00000000-0000-4000-8000-000000000001"):
    body = {"properties": {"roleDefinitionId": f"/subscriptions/{harness.SUB}/providers/Microsoft.Authorization/roleDefinitions/{role}",
                           "principalId": principal, "principalType": "ServicePrincipal"}}
    return s.e.arm("PUT", f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", body, api="2022-04-01").expect(201)


def users(ids):
    return {"type": "UserAssigned", "userAssignedIdentities": {i: {} for i in ids}}


# ---- 1: Premium, new or empty ----

def test_only_premium_can_be_encrypted(case):
    s = plain(case, 1)
    for sku in ("Basic", "Standard"):
        other = harness.Story(s.e, namespace=f"other{sku.lower()}")
        message = refused(other.put(other.body(["key1"], sku=sku)), 400, "Premium", sku, other.namespace)
        assert "customer-managed" in message, message
        other.e.arm("GET", other.namespace_path).expect(404)
        other.put(other.body(sku=sku)).expect(200, 201)
        refused_unchanged(other, other.body(["key1"], sku=sku), 400, "Premium", sku, other.namespace)


def test_only_an_empty_namespace_can_be_encrypted(case):
    s = plain(case)
    s.make_queue()
    s.connect()
    s.send("kept").expect(201)
    refused_unchanged(s, s.body(s.keys), 400, s.namespace, "empty")
    assert s.drain() == [(1, b"kept")]
    refused_unchanged(s, s.body(s.keys), 400, s.namespace, "empty")  # the queue counts, not its messages
    s.e.arm("DELETE", s.queue_path).expect(200)
    s.put(s.body(s.keys)).expect(200)
    assert s.listed_keys() == s.keys
    s.make_queue()
    s.send("sealed").expect(201)
    assert [b for _, b in s.drain()] == [b"sealed"]


def test_a_namespace_can_be_born_encrypted_with_a_user_assigned_identity(case):
    s = plain(case)
    uai, principal = make_uai(s, "id1")
    s.allow(principal)
    born = harness.Story(s.e, namespace="bornencrypted")
    made = born.put(born.body([born.entry(k, identity={"userAssignedIdentity": uai}) for k in born.keys],
                              identity=users([uai]))).expect(200, 201).json()
    assert [k["keyName"] for k in made["properties"]["encryption"]["keyVaultProperties"]] == born.keys, made
    assert born.key_states() == {k: "Active" for k in born.keys}
    born.make_queue()
    born.connect()
    born.send("x").expect(201)
    assert born.drain() == [(1, b"x")]


def test_a_system_assigned_identity_cannot_be_used_at_birth(case):
    """Nobody can have given rights to an identity that does not exist yet; and none is left behind."""
    s = plain(case, 1)
    born = harness.Story(s.e, namespace="bornrefused")
    refused(born.put(born.body(["key1"])), 400, "key1", s.vault, "permission")
    born.e.arm("GET", born.namespace_path).expect(404)
    born.e.control("GET", f"/_emulator/namespaces/{born.namespace}").expect(404)
    made = born.put(born.body()).expect(200, 201).json()
    assert made["identity"]["principalId"] != s.principal
    assert "encryption" not in made["properties"], made


# ---- 2: for good ----

def test_encryption_cannot_be_turned_off(case):
    s = encrypted(case)
    assert refused_unchanged(s, s.body(), 400) == MISSING_ENCRYPTION
    assert refused_unchanged(s, {**s.body(), "tags": {"a": "b"}}, 400) == MISSING_ENCRYPTION
    assert refused_unchanged(s, {**s.body(), "properties": {"encryption": None}}, 400) == MISSING_ENCRYPTION
    refused_unchanged(s, s.body(s.keys, keySource="Microsoft.ServiceBus"), 400, "Microsoft.KeyVault")
    assert refused_unchanged(s, s.body([]), 400) == MISSING_KEYS
    for sku in ("Standard", "Basic"):
        refused_unchanged(s, s.body(s.keys, sku=sku), 400, "Premium")
        refused_unchanged(s, s.body(sku=sku), 400, s.namespace)
    assert s.drain() == [(1, b"first")]


def test_patch_without_encryption_keeps_it(case):
    s = encrypted(case)
    before = s.get_namespace()["properties"]["encryption"]
    mark = s.mark()
    changed = s.patch({"tags": {"team": "a"}}).expect(200).json()
    assert changed["tags"] == {"team": "a"} and changed["properties"]["encryption"] == before, changed
    assert s.e.events(mark) == []
    s.patch({"properties": {"encryption": {"keySource": "Microsoft.KeyVault", "keyVaultProperties": [s.entry("key1")]}}}).expect(200)
    assert s.listed_keys() == ["key1"]
    assert s.get_namespace()["tags"] == {"team": "a"}
    s.send("second").expect(201)
    assert s.drain() == [(1, b"first"), (2, b"second")]


def infra_flag(s, sequence=1):
    return s.e.at_rest(s.namespace, s.queue, sequence)["header"]["flags"]


def test_infrastructure_encryption_is_a_second_layer_and_fixed(case):
    s = plain(case, 1)
    made = s.put(s.body(s.keys, requireInfrastructureEncryption=True)).expect(200).json()
    assert made["properties"]["encryption"]["requireInfrastructureEncryption"] is True, made
    s.make_queue()
    s.connect()
    s.send("twice sealed").expect(201)
    refused_unchanged(s, s.body(s.keys, requireInfrastructureEncryption=False), 400, "requireInfrastructureEncryption", s.namespace)
    kept = s.put(s.body(s.keys)).expect(200).json()  # left out: as it was
    assert kept["properties"]["encryption"]["requireInfrastructureEncryption"] is True, kept
    twice = infra_flag(s)
    twice_length = len(s.e.at_rest(s.namespace, s.queue, 1)["sealed"])
    s.e.restart()
    assert s.drain() == [(1, b"twice sealed")]

    once = harness.Story(s.e, namespace="sealedonce")
    once.make_namespace()
    once.allow(once.principal)
    made = once.put(once.body(["key1"])).expect(200).json()
    assert made["properties"]["encryption"]["requireInfrastructureEncryption"] is False, made
    once.make_queue()
    once.connect()
    once.send("twice sealed").expect(201)
    assert infra_flag(once) != twice
    assert len(once.e.at_rest(once.namespace, once.queue, 1)["sealed"]) < twice_length
    refused_unchanged(once, once.body(["key1"], requireInfrastructureEncryption=True), 400, "requireInfrastructureEncryption")
    assert once.drain() == [(1, b"twice sealed")]


# ---- 3: the list of keys ----

def test_lists_of_keys_that_are_refused(case):
    s = plain(case)
    for name in ("key4",):
        s.make_key(name)
    s.make_key("curved", kty="EC")
    one = s.entry("key1")
    slash = {**one, "keyVaultUri": s.vault_uri + "/"}
    local = {**one, "keyVaultUri": f"https://{s.vault.upper()}.vault.localhost:1"}
    upper = {**one, "keyName": "KEY1"}
    incomplete = [[], [{}], [{"keyName": "key1"}], [{"keyVaultUri": s.vault_uri}], [{**one, "keyName": ""}],
                  [{**one, "keyVaultUri": ""}], [one, {"keyName": "key2"}]]
    for keys in incomplete:
        assert refused_unchanged(s, s.body(keys), 400) == MISSING_KEYS
    nothing = s.body()
    nothing["properties"]["encryption"] = {"keySource": "Microsoft.KeyVault"}
    assert refused_unchanged(s, nothing, 400) == MISSING_KEYS
    refused_unchanged(s, s.body(["key1", "key2", "key3", "key4"]), 400, "3", s.namespace)
    for twice in ([one, one], [one, slash], [one, upper], [one, local], [one, {**one, "keyVersion": ""}]):
        refused_unchanged(s, s.body(twice), 400, "key1" if twice[1] is not upper else "KEY1", "twice")
    refused_unchanged(s, s.body(["curved"]), 400, "curved", s.vault, "RSA", "EC")
    refused_unchanged(s, s.body(["key1"], keySource="Microsoft.Storage"), 400, "Microsoft.Storage", "Microsoft.KeyVault")
    for malformed in ("key1", 7, [7], ["key1"], [[one]], [{**one, "keyName": 7}], [{**one, "keyVersion": {}}], [{**one, "identity": "x"}],
                      [{**one, "keyName": "bad/name"}], [{**one, "keyName": "k" * 200}], [{**one, "keyVersion": "f" * 100}]):
        body = s.body()
        body["properties"]["encryption"] = {"keySource": "Microsoft.KeyVault", "keyVaultProperties": malformed}
        refused_unchanged(s, body, 400)
    s.put(s.body(s.keys)).expect(200)  # after all that the namespace is as good as new
    assert s.key_states() == {k: "Active" for k in s.keys}


def test_the_same_key_pinned_twice_is_two_entries(case):
    """An entry is vault, name and version (8): two versions of one key are two entries, the same version twice is not."""
    s = plain(case, 1)
    old = s.e.vault("GET", s.vault, "/keys/key1").json()["key"]["kid"].rsplit("/", 1)[1]
    new = s.new_version("key1")
    refused_unchanged(s, s.body([s.entry("key1", keyVersion=old), s.entry("key1", keyVersion=old)]), 400, "key1", "twice")
    s.put(s.body([s.entry("key1", keyVersion=old), s.entry("key1", keyVersion=new), "key1"])).expect(200)
    assert [(k["keyVersion"], k["wrappedVersion"]) for k in s.keys_shown()] == [(old, old), (new, new), ("", new)]


def test_states_of_a_key_that_are_refused(case):
    s = plain(case, 1)
    s.make_key("off", attributes={"enabled": False})
    s.make_key("past", attributes={"exp": NOW - 1})
    s.make_key("future", attributes={"nbf": NOW + 86400})
    s.make_key("nowrap", key_ops=["unwrapKey"])
    s.make_key("nounwrap", key_ops=["wrapKey"])
    s.make_key("neither", key_ops=["sign", "verify"])
    s.make_key("deleted")
    s.e.vault("DELETE", s.vault, "/keys/deleted").expect(200)
    future = s.e.vault("GET", s.vault, "/keys/future").json()["key"]["kid"].rsplit("/", 1)[1]
    words = {"off": "disabled", "past": "expired", "future": "not yet valid", "nowrap": "wrapKey", "nounwrap": "unwrapKey",
             "neither": "key_ops", "deleted": "not found", "nosuchkey": "not found"}
    messages = [refused_unchanged(s, s.body([key]), 400, f"'{key}", s.vault, word) for key, word in words.items()]
    assert len({m.replace(k, "") for k, m in zip(words, messages)}) >= len(words) - 2, messages  # not found twice, key_ops alike
    refused_unchanged(s, s.body([s.entry("future", keyVersion=future)]), 400, "future", s.vault, "not yet valid")
    refused_unchanged(s, s.body([s.entry("key1", keyVersion="0" * 32)]), 400, "key1", "0" * 32, s.vault, "not found")
    for key in words:  # a good key beside a bad one does not help
        refused_unchanged(s, s.body(["key1", key]), 400, f"'{key}", words[key])
    s.put(s.body(["key1"])).expect(200)


def test_a_pinned_old_version_can_be_used(case):
    """Nothing asks for the newest version; and a disabled newest one is no obstacle to a pinned older one."""
    s = plain(case, 1)
    old = s.e.vault("GET", s.vault, "/keys/key1").json()["key"]["kid"].rsplit("/", 1)[1]
    s.new_version("key1", attributes={"enabled": False})
    refused_unchanged(s, s.body(["key1"]), 400, "key1", "disabled")
    made = s.put(s.body([s.entry("key1", keyVersion=old)])).expect(200).json()
    assert made["properties"]["encryption"]["keyVaultProperties"][0]["keyVersion"] == old, made
    assert s.key("key1")["wrappedVersion"] == old


def test_a_newer_version_that_is_not_yet_valid_is_passed_over(case):
    s = plain(case, 1)
    old = s.e.vault("GET", s.vault, "/keys/key1").json()["key"]["kid"].rsplit("/", 1)[1]
    s.new_version("key1", attributes={"nbf": NOW + 86400})
    s.put(s.body(["key1"])).expect(200)
    assert s.key("key1")["wrappedVersion"] == old


# ---- 4: the vault and the identity ----

def test_the_vault_must_be_protected_from_purging(case):
    s = plain(case, 1)
    bare = harness.Story(s.e, vault="barevault", namespace=s.namespace)
    bare.principal = s.principal
    bare.make_vault(enablePurgeProtection=None)
    bare.make_key("key1")
    bare.allow()
    message = refused_unchanged(bare, bare.body(["key1"]), 400, "Purge protection", "barevault", "key1")
    assert "oft delete" not in message, message
    refused_unchanged(bare, bare.body([s.entry("key1"), "key1"]), 400, "Purge protection", "barevault")
    bare.patch_vault(enablePurgeProtection=True)
    bare.put(bare.body(["key1"])).expect(200)


def test_the_vault_must_exist(case):
    s = plain(case, 1)
    nowhere = {"keyName": "key1", "keyVaultUri": "https://nosuchvault.vault.azure.net"}
    refused_unchanged(s, s.body([nowhere]), 400, "nosuchvault", "key1", "not found")
    s.e.arm("DELETE", s.vault_path, api="2022-07-01").expect(200)
    refused_unchanged(s, s.body(["key1"]), 400, s.vault, "key1", "not found")
    for uri in ("ftp", "https://", "https://.vault.azure.net", "x", "https://" + "v" * 300 + ".vault.azure.net"):
        refused_unchanged(s, s.body([{"keyName": "key1", "keyVaultUri": uri}]), 400)


def test_each_permission_is_asked_for_by_name(case):
    s = plain(case, 1)
    for missing in harness.SERVICE_PERMISSIONS:
        s.deny()
        s.allow(permissions=[p for p in harness.SERVICE_PERMISSIONS if p != missing])
        refused_unchanged(s, s.body(s.keys), 400, f"'{missing}'", "key1", s.vault, "system-assigned", "permission")
    s.deny()
    refused_unchanged(s, s.body(s.keys), 400, "'get'", "key1", s.vault)
    s.allow()
    s.put(s.body(s.keys)).expect(200)


def test_role_assignments_give_the_permission(case):
    s = plain(case, 1)
    s.patch_vault(enableRbacAuthorization=True)
    refused_unchanged(s, s.body(s.keys), 400, "key1", s.vault, "get")  # the access policies count no more
    assign(s, VAULT_READER, s.principal, s.vault_path, name="00000000-0000-4000-8000-00000000000a")
    refused_unchanged(s, s.body(s.keys), 400, "key1", s.vault, "unwrapKey")
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path)
    s.put(s.body(s.keys)).expect(200)
    assert s.key_states() == {"key1": "Active"}


def test_a_role_on_one_key_is_enough(case):
    s = plain(case, 2)
    s.patch_vault(enableRbacAuthorization=True)
    assign(s, CRYPTO_SERVICE_USER, s.principal, f"{s.vault_path}/keys/key1")
    refused_unchanged(s, s.body(["key2"]), 400, "key2", s.vault)
    s.put(s.body(["key1"])).expect(200)


def test_the_firewall_must_let_trusted_services_through(case):
    s = plain(case, 1)
    acls = {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "127.0.0.1"}]}
    s.patch_vault(networkAcls=acls)
    refused_unchanged(s, s.body(s.keys), 400, "key1", s.vault, "firewall", "trusted")
    s.patch_vault(networkAcls={**acls, "bypass": "AzureServices"})
    s.put(s.body(s.keys)).expect(200)


def test_a_vault_that_cannot_be_reached_refuses_nothing_for_good(case):
    s = plain(case, 2)
    for fault in ({"fault": "unreachable"}, {"fault": "timeout"}, {"fault": "throttle"}, {"fault": "error", "status": 500},
                  {"fault": "error", "status": 503}):
        s.e.fault(s.vault, **fault)
        refused_unchanged(s, s.body(s.keys), 503, "key1", s.vault, "reached")
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.fault(s.vault, "unreachable", count=1)
    refused_unchanged(s, s.body(s.keys), 503, s.vault)
    s.put(s.body(s.keys)).expect(200)
    assert s.key_states() == {"key1": "Active", "key2": "Active"}


def test_a_vault_of_another_tenant_is_not_found(case):
    s = plain(case, 1)
    s.patch_vault(tenantId="99999999-9999-9999-9999-999999999999")
    refused_unchanged(s, s.body(s.keys), 400, "key1", s.vault, "not found")


def test_the_identity_must_be_there(case):
    s = plain(case, 1)
    none = s.body(s.keys, identity={"type": "None"})
    refused_unchanged(s, none, 400, "key1", s.vault, "system-assigned", s.namespace)


def test_user_assigned_identities(case):
    """Each key names one of the namespace's own, and all name the same."""
    s = plain(case, 2)
    (id1, principal1), (id2, principal2) = make_uai(s, "id1"), make_uai(s, "id2")
    s.deny()
    both = {**users([id1, id2]), "type": "SystemAssigned, UserAssigned"}

    def entries(*ids):
        return [s.entry(k, **({"identity": {"userAssignedIdentity": i}} if i else {})) for k, i in zip(("key1", "key2"), ids)]

    s.allow(principal1)
    refused_unchanged(s, s.body(entries(id1)), 400, "key1", id1, s.namespace, "not one of the identities")
    refused_unchanged(s, s.body(entries(id1), identity=users([id2])), 400, "key1", id1, "not one of the identities")
    refused_unchanged(s, s.body(entries(id1, id2), identity=both), 400, "same identity", "key1", "key2")
    refused_unchanged(s, s.body(entries(id1, None), identity=both), 400, "same identity", "key1", "key2")
    refused_unchanged(s, s.body(entries(None, id1), identity=both), 400, "same identity", "key1", "key2")
    refused_unchanged(s, s.body(entries(id2), identity=both), 400, "key1", "user-assigned", "'get'")  # the right one has no permission
    nobody = id1.replace("id1", "nobody")
    refused_unchanged(s, s.body(entries(nobody), identity=users([nobody])), 400, nobody, "not found")
    loud = id1.replace("resourcegroups", "resourceGroups").upper()  # ids are compared ignoring case, and echoed as sent
    made = s.put(s.body(entries(loud, id1), identity=both)).expect(200).json()
    shown = [k["identity"]["userAssignedIdentity"] for k in made["properties"]["encryption"]["keyVaultProperties"]]
    assert shown == [loud, id1], made
    assert s.key_states() == {"key1": "Active", "key2": "Active"}
    # Only the named one matters: the other has no rights, and the system-assigned one has none either.
    assert s.e.poll(s.namespace) == []
    s.deny()
    s.allow(principal1, how="remove")
    assert {c["change"] for c in s.e.poll(s.namespace)} == {"revoked", "Revoked"}


# ---- 5: shapes ----

def test_one_object_instead_of_an_array(case):
    """As the swagger of 2018-01-01-preview has it; answers give an array."""
    s = plain(case, 1)
    body = s.body(["key1"])
    body["properties"]["encryption"]["keyVaultProperties"] = s.entry("key1")
    made = s.put(body, api="2018-01-01-preview").expect(200).json()
    assert made["properties"]["encryption"]["keyVaultProperties"] == [s.entry("key1")], made
    assert shown_keys(s) == [s.entry("key1")]
    s.put(body, api="2018-01-01-preview").expect(200)


def test_what_is_echoed(case):
    s = plain(case, 3)
    version = s.e.vault("GET", s.vault, "/keys/key3").json()["key"]["kid"].rsplit("/", 1)[1]
    sent = [{"keyName": "key1", "keyVaultUri": s.vault_uri + "/"},
            {"keyName": "key2", "keyVaultUri": f"https://{s.vault.upper()}.vault.localhost:8443", "keyVersion": ""},
            {"keyName": "key3", "keyVaultUri": s.vault_uri, "keyVersion": version}]
    wanted = [{"keyName": "key1", "keyVaultUri": s.vault_uri}, sent[1], sent[2]]
    made = s.put(s.body(sent)).expect(200).json()
    assert made["properties"]["encryption"]["keyVaultProperties"] == wanted, made
    assert shown_keys(s) == wanted
    # keyVersion may come and go between two calls: both mean versionless, each is echoed as it was sent.
    sent[0]["keyVersion"] = ""
    del sent[1]["keyVersion"]
    mark = s.mark()
    s.put(s.body(sent)).expect(200)
    assert shown_keys(s) == [{**wanted[0], "keyVersion": ""}, {k: v for k, v in wanted[1].items() if k != "keyVersion"}, wanted[2]]
    assert s.e.events(mark) == []
    listed = s.e.arm("GET", f"{s.group_path}/providers/Microsoft.ServiceBus/namespaces").expect(200).json()["value"]
    assert [n["properties"]["encryption"]["keyVaultProperties"] for n in listed] == [shown_keys(s)]


def test_the_key_source_may_be_left_out(case):
    s = plain(case, 1)
    body = s.body(["key1"])
    del body["properties"]["encryption"]["keySource"]
    made = s.put(body).expect(200).json()
    assert made["properties"]["encryption"]["keySource"] == "Microsoft.KeyVault", made


def test_a_plain_namespace_shows_no_encryption(case):
    s = plain(case, 1)
    assert "encryption" not in s.get_namespace()["properties"]
    assert s.e.state(s.namespace)["encryption"] is None
    s.put({**s.get_namespace(), "tags": {"a": "b"}}).expect(200)
    assert "encryption" not in s.get_namespace()["properties"]


def test_every_api_version_accepts_encryption(case):
    s = plain(case, 1)
    for api in ("2018-01-01-preview", "2021-01-01-preview", "2021-06-01-preview", "2021-11-01", "2022-01-01-preview", "2022-10-01-preview",
                "2023-01-01-preview", "2024-01-01"):
        made = s.put(s.body(["key1"]), api=api).expect(200).json()["properties"]["encryption"]
        assert [k["keyName"] for k in made["keyVaultProperties"]] == ["key1"], (api, made)


# ---- 15: a PUT and the record ----

def stored(s, sql):
    """Rows of the stopped emulator's database, read without leaving a trace beside it."""
    db = sqlite3.connect(f"file:{os.path.join(s.e.data, 'servicebus.db')}?immutable=1", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def wraps_on_disk(s):
    """Wrapped copies of the root key by key name."""
    return dict(stored(s, "SELECT key_name, wrapped FROM ns_key"))


def test_keys_are_added_and_removed(case):
    s = encrypted(case, 1)
    s.make_key("key2")
    s.make_key("key3")
    mark = s.mark()
    s.put(s.body(["key1", "key2"])).expect(200)
    assert s.key_log(mark) == [("wrapKey", "key2", "")]
    assert s.listed_keys() == ["key1", "key2"]
    s.put(s.body(["key3", "key2", "key1"])).expect(200)
    assert s.listed_keys() == ["key3", "key2", "key1"]
    s.put(s.body(["key2"])).expect(200)
    assert s.listed_keys() == ["key2"] and s.key_states() == {"key2": "Active"}
    assert s.drain() == [(1, b"first")]
    # key1 is out: good as it is, it opens nothing any more.
    s.send("second").expect(201)
    s.set_key("key2", enabled=False)
    s.e.poll(s.namespace)
    assert s.get_namespace()["properties"]["status"] == "Revoked"
    s.receive().expect(403)
    s.e.restart()
    s.receive().expect(403)


def test_a_removed_wrap_leaves_the_disk(case):
    """Its bytes are in no file, not even in the database's log; those that stay are untouched."""
    s = encrypted(case)
    s.e.stop()
    before = wraps_on_disk(s)
    assert set(before) == set(s.keys)
    assert {p for _, p in s.e.on_disk(before["key1"])} == {os.path.join(s.e.data, "servicebus.db")}
    s.e.start()
    s.put(s.body(["key2", "key3"])).expect(200)
    assert s.e.on_disk(before["key1"]) == []  # while it runs
    s.e.stop()
    assert wraps_on_disk(s) == {k: before[k] for k in ("key2", "key3")}
    assert s.e.on_disk(before["key1"]) == []
    s.e.start()
    assert s.drain() == [(1, b"first")]


def test_enabling_makes_a_fresh_root_key(case):
    """6: before, it was sealed under the platform key; afterwards no such copy stands on the disk."""
    s = plain(case)

    def sealed_root():
        return stored(s, "SELECT root FROM namespace")[0][0]

    s.e.stop()
    old = sealed_root()
    assert old and s.e.on_disk(old)
    s.e.start()
    s.encrypt()
    assert s.e.on_disk(old) == []
    s.e.stop()
    assert not sealed_root() and s.e.on_disk(old) == []
    assert len(set(wraps_on_disk(s).values())) == 3
    s.e.start()


def test_get_change_put_touches_no_key(case):
    """As az and Terraform do: not one vault call, not one wrap made anew, nothing in the log."""
    s = encrypted(case)
    before, mark = s.keys_shown(), s.mark()
    changed = again(s, tags={"cost": "center"}).expect(200).json()
    assert changed["tags"] == {"cost": "center"}
    assert s.e.events(mark) == []
    assert s.keys_shown() == before
    s.set_key("key2", enabled=False)  # not noticed before its time, not even by a PUT that leaves the keys alone
    again(s, tags={}).expect(200)
    assert s.key_states() == {k: "Active" for k in s.keys}


def test_get_change_put_with_a_hidden_key(case):
    """Hidden because revoked: stays remembered, and comes back at its old place."""
    for hidden in ("key1", "key2", "key3"):
        s = encrypted(case)
        rest = [k for k in s.keys if k != hidden]
        s.set_key(hidden, enabled=False)
        s.e.poll(s.namespace)
        assert s.listed_keys() == rest
        wrapped = s.key(hidden)["wrappedVersion"]
        again(s, tags={"a": "b"}).expect(200)
        assert s.listed_keys() == rest and s.key(hidden)["state"] == "Revoked"
        s.e.restart()
        again(s, tags={"a": "c"}).expect(200)
        s.set_key(hidden, enabled=True)
        assert [c["change"] for c in s.e.poll(s.namespace)] == ["restored"]
        assert s.listed_keys() == s.keys
        assert s.key(hidden)["wrappedVersion"] == wrapped
        for k in rest:  # it carries the namespace alone, so its wrap is the real one
            s.set_key(k, enabled=False)
        s.e.poll(s.namespace)
        s.e.restart()
        assert s.drain() == [(1, b"first")]
        s.e.stop()


def test_removing_a_shown_key_keeps_the_hidden_one(case):
    s = encrypted(case)
    s.set_key("key2", enabled=False)
    s.e.poll(s.namespace)
    s.put(s.body(["key3"])).expect(200)  # key1 was shown and is not sent
    assert s.listed_keys() == ["key3"]
    assert s.key_states() == {"key2": "Revoked", "key3": "Active"}
    s.set_key("key2", enabled=True)
    s.e.poll(s.namespace)
    assert set(s.listed_keys()) == {"key2", "key3"}
    assert s.drain() == [(1, b"first")]


def test_get_change_put_while_revoked(case):
    """GET shows [], and [] is accepted exactly there."""
    s = encrypted(case)
    assert refused_unchanged(s, s.body([]), 400) == MISSING_KEYS
    s.deny()
    s.e.poll(s.namespace)
    assert shown_keys(s) == []
    again(s, tags={"a": "b"}).expect(200)
    shown = s.get_namespace()
    assert shown["tags"] == {"a": "b"} and shown["properties"]["status"] == "Revoked"
    assert refused_unchanged(s, s.body(), 400) == MISSING_ENCRYPTION
    assert s.key_states() == {k: "Revoked" for k in s.keys}
    s.e.restart()
    again(s, tags={}).expect(200)
    s.allow()
    s.e.poll(s.namespace)
    assert s.listed_keys() == s.keys
    assert refused_unchanged(s, s.body([]), 400) == MISSING_KEYS
    assert s.drain() == [(1, b"first")]


def test_get_change_put_while_unreachable(case):
    """An unreachable key stays in the record, so it is shown, and [] would remove it."""
    s = encrypted(case)
    s.e.fault(s.vault, "unreachable")
    s.e.poll(s.namespace)
    assert s.listed_keys() == s.keys
    again(s, tags={"a": "b"}).expect(200)
    assert refused_unchanged(s, s.body([]), 400) == MISSING_KEYS
    s.e.restart()
    s.receive().expect(503)
    assert s.listed_keys() == s.keys
    again(s, tags={"a": "c"}).expect(200)
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.poll(s.namespace)
    assert s.key_states() == {k: "Active" for k in s.keys}
    assert s.drain() == [(1, b"first")]


def test_the_update_template_deploys_again_on_a_revoked_namespace(case):
    """Entries that are sent again are polled, not validated anew: no error while access is away, and at once Active when it is back."""
    s = encrypted(case)
    wrapped = {k["keyName"]: k["wrappedVersion"] for k in s.keys_shown()}
    s.deny()
    s.e.poll(s.namespace)
    mark = s.mark()
    answer = s.put_template(s.encryption_resource()).expect(200).json()
    assert answer["properties"]["status"] == "Revoked" and answer["properties"]["encryption"]["keyVaultProperties"] == [], answer
    assert s.key_states() == {k: "Revoked" for k in s.keys}
    assert s.audit(mark), "the keys are polled"
    s.receive().expect(403)
    s.e.restart(kill=True)
    s.put_template(s.encryption_resource()).expect(200)
    s.allow()
    mark = s.mark()
    answer = s.put_template(s.encryption_resource()).expect(200).json()
    assert [(op, key) for op, key, _ in s.key_log(mark)] == [("restore", k) for k in s.keys]
    assert answer["properties"]["status"] == "Active", answer
    assert s.listed_keys() == s.keys
    assert {k["keyName"]: k["wrappedVersion"] for k in s.keys_shown()} == wrapped
    assert s.drain() == [(1, b"first")]


def test_the_articles_own_update_template_with_its_one_key(case):
    """The template names one key; on a Revoked namespace of three it harms none of the others."""
    s = encrypted(case)
    s.deny()
    s.e.poll(s.namespace)
    s.put_template(s.encryption_resource(["key2"])).expect(200)
    assert sorted(s.key_states()) == s.keys
    s.allow()
    s.e.poll(s.namespace)
    assert sorted(s.listed_keys()) == s.keys
    assert s.drain() == [(1, b"first")]


def test_no_new_key_for_a_revoked_namespace_unless_a_wrap_opens(case):
    s = encrypted(case, 2)
    s.make_key("fresh")
    other = harness.Story(s.e, vault="othervault", namespace=s.namespace)
    other.principal = s.principal
    other.make_vault()
    other.make_key("fresh")
    other.allow()
    s.deny()
    s.e.poll(s.namespace)
    message = refused_unchanged(s, s.body([other.entry("fresh")]), 409, s.namespace, "revoked")
    assert "key" in message
    s.allow()  # the PUT polls first: a stored wrap opens now
    mark = s.mark()
    answer = s.put(s.body([other.entry("fresh")])).expect(200).json()
    assert answer["properties"]["status"] == "Active", answer
    assert {("restore", "key1", ""), ("restore", "key2", ""), ("wrapKey", "fresh", "")} == set(s.key_log(mark))
    assert s.drain() == [(1, b"first")]
    # and the new one carries it alone
    s.send("second").expect(201)
    s.deny()
    s.e.poll(s.namespace)
    assert s.listed_keys() == ["fresh"]
    s.e.restart()
    assert s.drain() == [(2, b"second")]


def test_a_new_key_while_nothing_can_be_reached(case):
    """No root key at hand and no vault that answers: 503, never a new root key."""
    s = encrypted(case, 1)
    other = harness.Story(s.e, vault="othervault", namespace=s.namespace)
    other.principal = s.principal
    other.make_vault()
    other.make_key("fresh")
    other.allow()
    s.e.fault(s.vault, "unreachable")
    s.e.restart()
    s.receive().expect(503)
    refused_unchanged(s, s.body(["key1", other.entry("fresh")]), 503, s.namespace)
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.put(s.body(["key1", other.entry("fresh")])).expect(200)
    assert s.drain() == [(1, b"first")]


def test_an_expired_pinned_key_is_replaced_by_a_versionless_entry(case):
    """'Opens' means that unwrapKey succeeds: an expired key still does, so the namespace is Active at once."""
    s = plain(case, 1)
    old = s.e.vault("GET", s.vault, "/keys/key1").json()["key"]["kid"].rsplit("/", 1)[1]
    s.put(s.body([s.entry("key1", keyVersion=old)])).expect(200)
    s.make_queue()
    s.connect()
    s.send("first").expect(201)
    s.set_key("key1", old, exp=NOW + 60)
    new = s.new_version("key1")
    s.e.advance("PT5M")
    assert s.get_namespace()["properties"]["status"] == "Revoked"
    s.e.restart()
    s.receive().expect(403)
    answer = s.put(s.body(["key1"])).expect(200).json()
    assert answer["properties"]["status"] == "Active", answer
    assert [(k["keyVersion"], k["wrappedVersion"], k["state"]) for k in s.keys_shown() if k["state"] == "Active"] == [("", new, "Active")]
    assert s.drain() == [(1, b"first")]


def test_hidden_keys_count_towards_the_three(case):
    """Beyond that the one revoked longest goes for good, and the log says so."""
    s = encrypted(case)
    s.make_key("key4")
    s.set_key("key2", enabled=False)
    s.e.advance("PT5M")
    s.set_key("key1", enabled=False)
    s.e.advance("PT5M")
    assert s.key_states() == {"key1": "Revoked", "key2": "Revoked", "key3": "Active"}
    mark = s.mark()
    s.put(s.body(["key3", "key4"])).expect(200)
    assert s.key_states() == {"key1": "Revoked", "key3": "Active", "key4": "Active"}
    gone = [r for r in s.e.events(mark, "key") if r["key"] == "key2"]
    assert [r["operation"] for r in gone] == ["disable"] and "good" in gone[0]["message"], gone
    s.set_key("key1", enabled=True)
    s.set_key("key2", enabled=True)
    s.e.poll(s.namespace)
    assert sorted(s.listed_keys()) == ["key1", "key3", "key4"]
    # key2 opens nothing any more
    for k in ("key1", "key3", "key4"):
        s.set_key(k, enabled=False)
    s.e.poll(s.namespace)
    assert s.get_namespace()["properties"]["status"] == "Revoked"


def test_three_keys_sent_push_out_every_hidden_one(case):
    s = encrypted(case)
    for k in ("key4", "key5"):
        s.make_key(k)
    s.set_key("key1", enabled=False)
    s.set_key("key2", enabled=False)
    s.e.poll(s.namespace)
    refused_unchanged(s, s.body(["key3", "key4", "key5", "key1"]), 400, "3")
    s.put(s.body(["key3", "key4", "key5"])).expect(200)
    assert s.key_states() == {"key3": "Active", "key4": "Active", "key5": "Active"}
    s.e.restart()
    assert s.drain() == [(1, b"first")]


def test_a_key_cannot_be_removed_when_nothing_else_opens(case):
    """A removal that would leave only what cannot be used loses the data: refused, nothing changed."""
    s = encrypted(case, 2)
    s.set_key("key2", enabled=False)  # not noticed yet: still Active in the record
    refused_unchanged(s, s.body(["key2"]), 409, "key1", s.namespace)
    s.set_key("key2", enabled=True)
    s.put(s.body(["key2"])).expect(200)
    assert s.drain() == [(1, b"first")]


def test_a_refused_new_key_changes_nothing_of_an_encrypted_namespace(case):
    s = encrypted(case, 2)
    s.make_key("off", attributes={"enabled": False})
    s.make_key("curved", kty="EC")
    bodies = [{**s.body(["key1", "key2", "off"]), "tags": {"x": "y"}}, {**s.body(["key1", "curved"]), "tags": {"x": "y"}},
              s.body(["off"]), s.body(["nosuchkey", "key1"])]
    for body in bodies:
        refused_unchanged(s, body, 400)
    wrong_place = {**s.body(s.keys), "location": "westeurope"}
    refused_unchanged(s, wrong_place, 409, "northeurope")
    assert s.drain() == [(1, b"first")]


def test_a_put_that_changes_keys_polls_the_others(case):
    """7: and the next poll is due five minutes after it."""
    s = encrypted(case, 2)
    s.make_key("key3")
    s.set_key("key2", enabled=False)
    s.e.advance("PT2M")
    s.put(s.body(["key1", "key2", "key3"])).expect(200)
    assert s.key_states() == {"key1": "Active", "key2": "Revoked", "key3": "Active"}
    assert s.listed_keys() == ["key1", "key3"]
    encryption = s.e.state(s.namespace)["encryption"]
    assert (encryption["lastPoll"], encryption["nextPoll"]) == ("2026-01-01T00:02:00Z", "2026-01-01T00:07:00Z"), encryption


def test_a_put_of_a_rotated_key_rewraps_it(case):
    s = encrypted(case, 1)
    s.make_key("key2")
    new = s.new_version("key1")
    mark = s.mark()
    s.put(s.body(["key1", "key2"])).expect(200)
    assert s.key("key1")["wrappedVersion"] == new
    assert sorted(s.key_log(mark)) == [("wrapKey", "key1", ""), ("wrapKey", "key2", "")]


def test_another_identity_for_the_same_keys(case):
    s = encrypted(case, 2)
    uai, principal = make_uai(s, "id1")
    both = {**users([uai]), "type": "SystemAssigned, UserAssigned"}
    entries = [s.entry(k, identity={"userAssignedIdentity": uai}) for k in s.keys]
    s.allow(principal)
    s.put(s.body(entries, identity=both)).expect(200)
    assert s.key_states() == {"key1": "Active", "key2": "Active"}
    s.deny()  # the system-assigned one
    assert s.e.poll(s.namespace) == []
    s.put(s.body(entries, identity=users([uai]))).expect(200)
    s.e.restart()
    assert s.drain() == [(1, b"first")]


def test_withdrawing_a_hidden_key(case):
    s = encrypted(case, 2)
    vault = urllib.parse.quote(s.vault_uri, safe="")

    def withdraw(key, uri=vault):
        return s.e.control("DELETE", f"/_emulator/namespaces/{s.namespace}/keys/{key}?keyVaultUri={uri}")

    before = picture(s)
    withdraw("key1").expect(409)  # it is not hidden
    withdraw("nosuchkey").expect(404)
    withdraw("key1", urllib.parse.quote("https://othervault.vault.azure.net", safe="")).expect(404)
    assert picture(s) == before
    s.set_key("key1", enabled=False)
    s.e.poll(s.namespace)
    s.e.stop()
    wrap = wraps_on_disk(s)["key1"]
    s.e.start()
    mark = s.mark()
    withdraw("key1", urllib.parse.quote(s.vault_uri + "/", safe="")).expect(204)
    assert [op for op, key, _ in s.key_log(mark) if key == "key1"] == ["disable"]
    assert s.key_states() == {"key2": "Active"}
    assert s.e.on_disk(wrap) == []
    s.set_key("key1", enabled=True)
    assert s.e.poll(s.namespace) == []
    assert s.listed_keys() == ["key2"]
    # The last wrap is never given away.
    s.set_key("key2", enabled=False)
    s.e.poll(s.namespace)
    before = picture(s)
    error = withdraw("key2").expect(409).json()["error"]
    assert "last" in error["message"], error
    assert picture(s) == before
    s.set_key("key2", enabled=True)
    s.e.poll(s.namespace)
    assert s.drain() == [(1, b"first")]


def test_a_local_key_vault_uri(case):
    """A vault is named by its first label whatever the suffix: the same key, the same entry."""
    s = encrypted(case, 1)
    local = f"https://{s.vault}.vault.localhost:{s.e.https_port}"
    mark = s.mark()
    s.put(s.body([{"keyName": "key1", "keyVaultUri": local}])).expect(200)
    assert s.key_log(mark) == []
    assert shown_keys(s) == [{"keyName": "key1", "keyVaultUri": local}]
    assert s.drain() == [(1, b"first")]


def test_nothing_of_a_key_is_in_any_answer_or_file(case):
    """No private part in an answer, and the log of the program tells no secret of the namespace."""
    s = encrypted(case, 1)
    bundle = s.e.vault("GET", s.vault, "/keys/key1").json()
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(bundle["key"]), bundle["key"].keys()
    assert s.root_key not in s.e.read_log()
    texts = [json.dumps(s.e.state(s.namespace)), s.e.arm("GET", s.namespace_path).body.decode()]
    s.e.stop()
    wrap = wraps_on_disk(s)["key1"]
    assert all(wrap.hex() not in t for t in texts)
    assert [os.stat(f).st_mode & 0o077 for f in glob.glob(os.path.join(s.e.data, "*.db")) + [os.path.join(s.e.data, "platform.key")]] == [0, 0, 0]


# ---- at the same time ----

def at_once(e, *calls):
    """What the calls answer when all are made at the same time, each by a client of its own."""
    replies, gate = [None] * len(calls), threading.Barrier(len(calls))

    def run(i, call):
        own = harness.Emulator.__new__(harness.Emulator)
        own.__dict__ = {**e.__dict__, "connections": {}}
        own.arm("GET", f"/subscriptions/{harness.SUB}", api="2021-04-01")  # connected
        gate.wait(30)
        replies[i] = call(own)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert None not in replies, replies
    return replies


def test_a_first_queue_and_encryption_at_the_same_time(case):
    """Whichever is first: encrypted and the queue made afterwards, or refused because of the queue; never half of each."""
    s = plain(case, 1)
    for i in range(6):
        n = harness.Story(s.e, namespace=f"racens{i}")
        n.make_namespace()
        n.allow(n.principal)
        body = n.body(["key1"])
        enabled, queued = at_once(s.e, lambda e: e.arm("PUT", n.namespace_path, body), lambda e: e.arm("PUT", n.queue_path, {"properties": {}}))
        queued.expect(200)
        enabled.expect(200, 400)
        shown = n.get_namespace()["properties"]
        assert ("encryption" in shown) == (enabled.status == 200), (enabled, shown)
        n.connect()
        n.send("x").expect(201)
        s.e.restart()
        assert n.drain() == [(1, b"x")]


def test_two_lists_at_the_same_time(case):
    """The record is one of the two, whole, and every wrap in it opens."""
    s = encrypted(case)
    lists = [["key1"], ["key3", "key2"], ["key2", "key1"]]
    for _ in range(4):
        for reply in at_once(s.e, *[lambda e, keys=keys: e.arm("PUT", s.namespace_path, s.body(keys)) for keys in lists]):
            reply.expect(200)
        assert s.listed_keys() in lists, s.listed_keys()
        assert s.key_states() == {k: "Active" for k in s.listed_keys()}
    for k in s.listed_keys()[:-1]:
        s.set_key(k, enabled=False)
    s.e.restart()
    assert s.drain() == [(1, b"first")]


def test_a_poll_and_a_new_list_at_the_same_time(case):
    s = encrypted(case, 2)
    s.make_key("key3")
    for keys in (["key1", "key2", "key3"], ["key3"], ["key1", "key3"], ["key2"]):
        new = s.new_version(keys[0])
        polls = [lambda e: e.control("POST", "/_emulator/poll", {"namespace": s.namespace})] * 2
        for reply in at_once(s.e, lambda e: e.arm("PUT", s.namespace_path, s.body(keys)), *polls):
            reply.expect(200)
        assert s.listed_keys() == keys and s.key_states() == {k: "Active" for k in keys}
        assert s.key(keys[0])["wrappedVersion"] == new
    s.e.restart(kill=True)
    assert s.drain() == [(1, b"first")]
