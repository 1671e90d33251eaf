"""Problems that people really had with customer-managed keys, each as a test. The numbers are those of our list of public
reports; those that concern deployments stand elsewhere."""

import json

import harness
from test_encryption import (CRYPTO_SERVICE_USER, MISSING_ENCRYPTION, MISSING_KEYS, again, assign, encrypted, make_uai, plain, refused,
                             refused_unchanged, shown_keys, users)
from test_polling import ACTIVE, REVOKED, newest, pinned, status
from test_revoked import is_refusal, lock_path, properties, restore, revoke

NOW = 1767225600  # harness.START


def test_p01_how_long_a_revocation_takes(case):
    """Cached between two polls, five minutes apart, asked in list order."""
    s = encrypted(case)
    s.e.advance("PT1M")
    for k in s.keys:
        s.set_key(k, enabled=False)
    mark = s.mark()
    s.e.advance("PT3M59S")
    s.send("before the poll").expect(201)
    assert s.peek_lock().expect(201).body == b"first"
    assert status(s) == ACTIVE
    s.e.advance("PT1S")
    assert status(s) == REVOKED
    is_refusal(s.receive())
    asked = [key.split("/")[0] for op, key, _ in s.audit(mark) if op == "KeyGet"]
    assert asked == s.keys, asked


def test_p02_pinned_version_expired(case):
    """The key was rotated, yet the namespace is disabled: its entry names the old version. A versionless entry is the cure."""
    s, version = pinned(case)
    s.set_key("key1", version, exp=NOW + 3600)
    s.e.vault("POST", s.vault, "/keys/key1/rotate").expect(200)
    s.e.advance("PT55M")
    assert status(s) == ACTIVE and s.key("key1")["wrappedVersion"] == version
    s.e.advance("PT5M")
    assert status(s) == REVOKED
    is_refusal(s.receive())
    s.put(s.body(["key1"])).expect(200)
    assert status(s) == ACTIVE
    assert s.drain() == [(1, b"first")]

    versionless = harness.Story(s.e, namespace="versionless")
    versionless.make_namespace()
    versionless.allow(versionless.principal)
    versionless.put(versionless.body(["key1"])).expect(200)
    s.set_key("key1", exp=NOW + 7200)
    newer = s.e.vault("POST", s.vault, "/keys/key1/rotate").expect(200).json()["key"]["kid"].rsplit("/", 1)[1]
    s.e.advance("PT2H")
    assert status(versionless) == ACTIVE and versionless.key("key1")["wrappedVersion"] == newer


def test_p03_an_empty_queue_is_an_entity_too(case):
    s = plain(case, 1)
    s.make_queue()
    refused_unchanged(s, s.body(["key1"]), 400, s.namespace, "empty")


def test_p04_a_system_assigned_identity_takes_two_steps(case):
    """Create, grant, update: the identity has no principal until the namespace is there."""
    s = plain(case, 1)
    born = harness.Story(s.e, namespace="twosteps")
    refused(born.put(born.body(["key1"])), 400, "key1", s.vault)
    born.make_namespace()
    refused_unchanged(born, born.body(["key1"]), 400, "key1", s.vault, "permission")
    born.allow(born.principal)
    born.put(born.body(["key1"])).expect(200)
    assert status(born) == ACTIVE


def test_p05_no_key_version_and_odd_spellings_of_ids(case):
    """A versionless entry is answered without keyVersion; types, groups and providers are matched in any case."""
    s = plain(case, 1)
    uai, principal = make_uai(s, "id1")
    assert "/resourcegroups/" in uai, uai
    s.allow(principal)
    entry = s.entry("key1", identity={"userAssignedIdentity": uai})
    path = s.namespace_path.replace("resourceGroups", "resourcegroups").replace("namespaces", "Namespaces").replace("Microsoft", "microsoft")
    made = s.e.arm("PUT", path, s.body([entry], identity=users([uai]))).expect(200).json()
    assert made["type"] == "Microsoft.ServiceBus/Namespaces", made
    assert made["properties"]["encryption"]["keyVaultProperties"] == [entry], made
    assert s.e.arm("GET", path.upper().replace("/SUBSCRIPTIONS", "/subscriptions")).expect(200).json()["name"] == s.namespace


def test_p06_an_empty_key_version_is_versionless(case):
    """az sends "": accepted and echoed, and the key is followed when it rotates."""
    s = plain(case, 1)
    entry = s.entry("key1", keyVersion="")
    made = s.put(s.body([entry])).expect(200).json()
    assert made["properties"]["encryption"]["keyVaultProperties"] == [entry], made
    new = s.new_version("key1")
    s.e.advance("PT5M")
    assert s.key("key1")["wrappedVersion"] == new
    assert shown_keys(s) == [entry]


def test_p07_the_identity_of_a_key_must_be_the_namespaces_own(case):
    s = plain(case, 1)
    uai, principal = make_uai(s, "id1")
    s.allow(principal)
    entry = s.entry("key1", identity={"userAssignedIdentity": uai})
    refused_unchanged(s, s.body([entry]), 400, uai, s.namespace)
    s.put(s.body([entry], identity=users([uai]))).expect(200)


def test_p08_an_unrelated_update_without_encryption(case):
    s = encrypted(case, 1)
    assert refused_unchanged(s, {**s.body(), "tags": {"a": "b"}}, 400) == MISSING_ENCRYPTION
    again(s, tags={"a": "b"}).expect(200)
    s.patch({"tags": {"a": "c"}}).expect(200)
    assert s.drain() == [(1, b"first")]


def test_p09_an_incomplete_key(case):
    s = plain(case, 1)
    for entry in ({"keyName": "key1"}, {"keyVaultUri": s.vault_uri}, {}):
        body = s.body([])
        body["properties"]["encryption"]["keyVaultProperties"] = [entry]
        assert refused_unchanged(s, body, 400) == MISSING_KEYS


def test_p10_a_bad_key_gives_a_good_message(case):
    """Not "Value cannot be null. Parameter name: key"."""
    s = plain(case, 1)
    s.make_key("off", attributes={"enabled": False})
    nowhere = {"keyName": "key1", "keyVaultUri": "https://nosuchvault.vault.azure.net"}
    for entry, words in (("nosuchkey", ("nosuchkey", s.vault, "not found")), ("off", ("off", s.vault, "disabled")),
                         (nowhere, ("key1", "nosuchvault", "not found")),
                         ({"keyName": None, "keyVaultUri": s.vault_uri}, ("KeyVaultProperties",)),
                         ({"keyName": "key1", "keyVaultUri": None}, ("KeyVaultProperties",))):
        message = refused_unchanged(s, s.body([entry]), 400, *words)
        assert "null" not in message.lower(), message


def test_p11_what_az_does_to_add_and_remove_a_key(case):
    """`az servicebus namespace encryption add` and `remove`: GET, change the list, PUT with keyVersion "" in each entry."""
    s = plain(case)
    shown = s.get_namespace()
    keys = [s.entry(k, keyVersion="") for k in ("key1", "key2")]
    shown["properties"]["encryption"] = {"keySource": "Microsoft.KeyVault", "keyVaultProperties": keys, "requireInfrastructureEncryption": False}
    s.put(shown, api="2023-01-01-preview").expect(200)
    assert s.listed_keys() == ["key1", "key2"]
    shown = s.e.arm("GET", s.namespace_path, api="2023-01-01-preview").expect(200).json()
    shown["properties"]["encryption"]["keyVaultProperties"].append(s.entry("key3", keyVersion=""))
    s.put(shown, api="2023-01-01-preview").expect(200)
    assert s.listed_keys() == ["key1", "key2", "key3"]
    for gone in ("key2", "key1"):
        shown = s.e.arm("GET", s.namespace_path, api="2023-01-01-preview").expect(200).json()
        encryption = shown["properties"]["encryption"]
        encryption["keyVaultProperties"] = [k for k in encryption["keyVaultProperties"] if k["keyName"] != gone]
        s.put(shown, api="2023-01-01-preview").expect(200)
    assert s.listed_keys() == ["key3"]
    shown["properties"]["encryption"]["keyVaultProperties"] = []
    refused(s.put(shown, api="2023-01-01-preview"), 400)


def test_p12_the_grant_comes_too_late(case):
    """The first attempt fails before the role is assigned, with a message that says which; the retry works, nothing is left over."""
    s = plain(case, 1)
    s.patch_vault(enableRbacAuthorization=True)
    refused_unchanged(s, s.body(["key1"]), 400, "key1", s.vault, "permission")
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path)
    s.put(s.body(["key1"])).expect(200)
    assert status(s) == ACTIVE


def test_p13_rotated_and_the_old_version_disabled_at_once(case):
    s = encrypted(case, 1)
    old = s.key("key1")["wrappedVersion"]
    new = s.e.vault("POST", s.vault, "/keys/key1/rotate").expect(200).json()["key"]["kid"].rsplit("/", 1)[1]
    s.set_key("key1", old, enabled=False)
    s.send("while it is cached").expect(201)
    s.e.advance("PT5M")
    assert status(s) == ACTIVE and s.key("key1")["wrappedVersion"] == new
    s.e.restart()
    assert s.drain() == [(1, b"first"), (2, b"while it is cached")]


def test_p14_no_drift_after_a_rotation(case):
    """What GET shows is the same before and after, to the last byte of `properties` and `identity`."""
    s = encrypted(case)
    before = s.get_namespace()
    for k in s.keys:
        s.e.vault("POST", s.vault, f"/keys/{k}/rotate").expect(200)
    assert s.e.advance("PT5M")["counts"]["keyRotated"] == 3
    assert s.get_namespace() == before
    mark = s.mark()
    again(s).expect(200)
    assert s.e.events(mark) == []


def test_p15_an_expired_key(case):
    """Refused for a new set-up, and revoked at the poll after its date: our documented choice for both."""
    s = plain(case, 2)
    s.set_key("key1", exp=NOW)
    refused_unchanged(s, s.body(["key1"]), 400, "key1", s.vault, "expired")
    s.put(s.body(["key2"])).expect(200)
    s.set_key("key2", exp=NOW + 60)
    s.e.advance("PT5M")
    assert status(s) == REVOKED and "expired" in s.key("key2")["message"]
    s.set_key("key2", exp=NOW + 86400)
    s.e.advance("PT5M")
    assert status(s) == ACTIVE


def test_p16_a_vault_without_purge_protection(case):
    """It is not on by default; the message names what is missing."""
    s = plain(case, 1)
    bare = harness.Story(s.e, vault="barevault", namespace=s.namespace)
    bare.principal = s.principal
    made = bare.make_vault(enablePurgeProtection=None)
    assert "enablePurgeProtection" not in made["properties"] and made["properties"]["enableSoftDelete"] is True, made
    bare.make_key("key1")
    bare.allow()
    refused_unchanged(bare, bare.body(["key1"]), 400, "Purge protection", "barevault")


def test_p17_a_deleted_name_is_blocked_until_it_is_recovered(case):
    """Purge protection cannot be turned off; vault and key names stay taken; recovering gives them back."""
    s = encrypted(case, 1)
    error = s.e.arm("PATCH", s.vault_path, {"properties": {"enablePurgeProtection": False}}, api="2022-07-01").expect(400).json()["error"]
    assert "irreversible" in error["message"], error
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    error = s.e.vault("POST", s.vault, "/keys/key1/create", {"kty": "RSA"}).expect(409).json()["error"]
    assert error["innererror"]["code"] == "ObjectIsDeletedButRecoverable", error
    s.e.vault("DELETE", s.vault, "/deletedkeys/key1").expect(403)
    s.e.vault("POST", s.vault, "/deletedkeys/key1/recover").expect(200)
    s.e.arm("DELETE", s.vault_path, api="2022-07-01").expect(200)
    error = s.e.arm("PUT", s.vault_path, {"location": "northeurope", "properties": {
        "tenantId": harness.TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}}, api="2022-07-01").expect(409).json()["error"]
    assert error["code"] == "ConflictError", error
    s.e.poll(s.namespace)
    assert status(s) == REVOKED
    s.e.arm("PUT", s.vault_path, {"location": "northeurope", "properties": {"createMode": "recover"}}, api="2022-07-01").expect(200, 201)
    s.e.poll(s.namespace)
    assert s.drain() == [(1, b"first")]


def test_p18_recovering_is_over_when_it_is_answered(case):
    """No client has to wait for it: the very next call finds the key, and the next poll uses it."""
    s = encrypted(case, 1)
    version = newest(s)
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    s.e.vault("GET", s.vault, "/keys/key1").expect(404)
    s.e.poll(s.namespace)
    s.e.vault("POST", s.vault, "/deletedkeys/key1/recover").expect(200)
    assert newest(s) == version
    s.e.poll(s.namespace)
    assert status(s) == ACTIVE and s.drain() == [(1, b"first")]


def test_p19_the_vaults_firewall_and_trusted_services(case):
    s = encrypted(case, 1)
    deny = {"defaultAction": "Deny", "bypass": "AzureServices"}
    s.patch_vault(networkAcls=deny)
    error = s.e.vault("GET", s.vault, "/keys/key1").expect(403).json()["error"]
    assert error["innererror"]["code"] == "ForbiddenByFirewall", error
    assert "Client address is not authorized and caller is not a trusted service." in error["message"], error
    s.e.advance("PT5M")
    assert status(s) == ACTIVE  # a trusted service
    s.patch_vault(networkAcls={**deny, "bypass": "None"})
    mark = s.mark()
    s.e.advance("PT5M")
    assert status(s) == REVOKED and s.key("key1")["code"] == "403"
    assert [r["resultType"] for r in s.e.events(mark, "audit") if s.principal in r["identity"]] == ["ForbiddenByFirewall"]
    s.patch_vault(networkAcls=deny)
    s.e.advance("PT5M")
    assert s.drain() == [(1, b"first")]


def test_p20_geo_disaster_recovery_needs_rights_for_the_secondary_too(case):
    """The secondary gets the primary's keys, and its own identity must be allowed to use them before the two are paired."""
    s = plain(case, keys=1)
    s.encrypt()
    other = harness.Story(s.e, namespace="secondary-ns")
    other.make_namespace()
    path = f"{s.namespace_path}/disasterRecoveryConfigs/both-of-them"
    body = {"properties": {"partnerNamespace": other.namespace_path}}
    refused(s.e.arm("PUT", path, body), 400, "Set up the access policy for the managed identity of the secondary namespace 'secondary-ns'",
            "lacks the permission 'get' for key 'key1' of vault 'storyvault'")
    assert "encryption" not in other.get_namespace()["properties"]
    s.e.arm("GET", path).expect(404)
    s.allow(other.principal)
    assert s.e.arm("PUT", path, body).expect(200).json()["properties"]["role"] == "Primary"
    assert other.listed_keys() == s.listed_keys() == ["key1"]


def test_p21_infrastructure_encryption_cannot_be_toggled(case):
    for first in (True, False):
        s = plain(case, 1)
        s.put(s.body(["key1"], requireInfrastructureEncryption=first)).expect(200)
        refused_unchanged(s, s.body(["key1"], requireInfrastructureEncryption=not first), 400, "requireInfrastructureEncryption", s.namespace)
        s.put(s.body(["key1"], requireInfrastructureEncryption=first)).expect(200)
        s.e.stop()


def test_p22_a_throttling_vault_revokes_nothing(case):
    s = encrypted(case)
    s.e.fault(s.vault, "throttle", scope="all")
    s.e.vault("GET", s.vault, "/keys/key1").expect(429)
    mark = s.mark()
    s.e.advance("PT30M")
    assert status(s) == ACTIVE and s.listed_keys() == s.keys
    assert {(k, c) for _, k, c in s.key_log(mark)} == {(k, "429") for k in s.keys}
    assert s.drain() == [(1, b"first")]


def test_p23_new_vaults_use_roles_from_2026_02_01_on(case):
    """The default depends on the api-version of the call that creates the vault; an update never changes it."""
    s = plain(case, 1)

    def create(name, api):
        path = s.vault_path.replace(s.vault, name)
        body = {"location": "northeurope", "properties": {"tenantId": harness.TENANT, "sku": {"family": "A", "name": "standard"},
                                                          "enablePurgeProtection": True, "accessPolicies": []}}
        made = s.e.arm("PUT", path, body, api=api).expect(200, 201).json()
        again = s.e.arm("PUT", path, body, api="2026-02-01").expect(200).json()
        assert made["properties"].get("enableRbacAuthorization") == again["properties"].get("enableRbacAuthorization"), (made, again)
        return path, made["properties"].get("enableRbacAuthorization")

    assert create("oldvault", "2023-07-01")[1] in (None, False)
    path, rbac = create("newvault", "2026-02-01")
    assert rbac is True
    new = harness.Story(s.e, vault="newvault", namespace=s.namespace)
    new.principal = s.principal
    assign(new, "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", harness.CLIENT_OID, path, name="00000000-0000-4000-8000-00000000000c")
    new.make_key("key1")
    new.allow()  # an access policy counts for nothing there
    refused_unchanged(new, new.body(["key1"]), 400, "key1", "newvault", "permission")
    assign(new, CRYPTO_SERVICE_USER, new.principal, path)
    new.put(new.body(["key1"])).expect(200)


def test_p24_defaults_are_filled_in(case):
    """What was not sent is shown with its default, so that a plan finds no drift."""
    s = case.story()
    s.make_group()
    body = {"location": "northeurope", "properties": {"tenantId": harness.TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}}
    made = s.e.arm("PUT", s.vault_path, body, api="2023-07-01").expect(200, 201).json()["properties"]
    assert made["enableSoftDelete"] is True and made["softDeleteRetentionInDays"] == 90 and made["publicNetworkAccess"] == "Enabled", made
    assert s.e.arm("GET", s.vault_path, api="2023-07-01").expect(200).json()["properties"] == made
    ns = s.put({"location": "northeurope", "sku": {"name": "Premium", "tier": "Premium"}}).expect(200, 201).json()
    assert ns["sku"] == {"name": "Premium", "tier": "Premium", "capacity": 1} and ns["tags"] == {}, ns
    assert ns["properties"]["minimumTlsVersion"] == "1.2" and ns["properties"]["publicNetworkAccess"] == "Enabled", ns
    assert ns["properties"]["disableLocalAuth"] is False and ns["properties"]["premiumMessagingPartitions"] == 1, ns
    shown = s.get_namespace()
    again(s).expect(200)
    assert s.get_namespace() == shown


def test_p25_nothing_points_to_an_old_version_after_a_rotation(case):
    """Once it is wrapped anew, the old version may go: disabled, it is asked for no more."""
    s = encrypted(case, 1)
    old = s.key("key1")["wrappedVersion"]
    s.new_version("key1")
    s.e.advance("PT5M")
    s.set_key("key1", old, enabled=False)
    mark = s.mark()
    s.e.advance("PT10M")
    s.e.restart()
    assert s.drain() == [(1, b"first")]
    assert status(s) == ACTIVE
    asked = s.audit(mark)
    assert asked and not [key for _, key, _ in asked if key.endswith(old)], asked


def test_p26_a_failed_decryption_destroys_nothing(case):
    """Revoked in the middle of a receive loop: every message is there afterwards, once, with its number and its count."""
    s = encrypted(case, 1)
    for i in range(10):
        s.send(str(i)).expect(201)
    got = []
    for _ in range(4):
        reply = s.peek_lock().expect(201)
        got.append(properties(reply)["SequenceNumber"])
        s.e.bus("DELETE", s.namespace, lock_path(reply), None, s.auth()).expect(200)
    held = s.peek_lock().expect(201)  # in the hand of a consumer
    revoke(s)
    for _ in range(20):
        is_refusal(s.peek_lock())
        is_refusal(s.receive())
    is_refusal(s.e.bus("DELETE", s.namespace, lock_path(held), None, s.auth()))
    s.e.restart(kill=True)
    restore(s)
    while (reply := s.peek_lock().expect(200, 201, 204)).status != 204:
        assert properties(reply)["DeliveryCount"] == 1, reply.headers
        got.append(properties(reply)["SequenceNumber"])
        s.e.bus("DELETE", s.namespace, lock_path(reply), None, s.auth()).expect(200)
    assert got == list(range(1, 12))


def test_p27_a_failed_decryption_is_not_an_empty_queue(case):
    s = encrypted(case, 1)
    revoke(s)
    for reply in (s.receive(), s.peek_lock(), s.receive(queue=f"{s.queue}/$DeadLetterQueue"), s.receive(timeout=30)):
        is_refusal(reply)
    assert s.e.arm("GET", s.queue_path).expect(200).json()["properties"]["countDetails"]["activeMessageCount"] == 1


def test_p28_identity_then_right_then_encryption(case):
    """The order that works, with roles; each step left out is told by name."""
    s = plain(case, 1)
    s.patch_vault(enableRbacAuthorization=True)
    uai, principal = make_uai(s, "id1")
    entry = s.entry("key1", identity={"userAssignedIdentity": uai})
    born = harness.Story(s.e, namespace="inorder")
    refused(born.put(born.body([entry])), 400, "key1", uai, "not one of the identities")
    refused(born.put(born.body([entry], identity=users([uai]))), 400, "key1", s.vault, "permission", "user-assigned")
    assign(s, CRYPTO_SERVICE_USER, principal, f"{s.vault_path}/keys/key1")
    made = born.put(born.body([entry], identity=users([uai]))).expect(200, 201).json()
    assert made["properties"]["encryption"]["keyVaultProperties"] == [entry], made
    assert json.dumps(made).count(principal) == 1, made
    assert status(born) == ACTIVE
