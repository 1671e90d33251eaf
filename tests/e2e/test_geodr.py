"""Geo-DR (semantics 22): an alias over two Premium namespaces, what follows the primary, what is refused, and the article's
two procedures for geo-DR together with customer keys, step by step."""

import json

import harness
from test_encryption import refused

API = "2022-10-01-preview"
ALIAS = "storyalias"
NOT_PAIRED = "cannot be paired"


class Pair:
    """Two namespaces of one group: p (the primary to be) and s (the secondary to be)."""

    def __init__(self, case, keys=0, start=True):
        self.p = case.story()
        self.e = self.p.e
        self.s = harness.Story(self.e, namespace="othernsname")
        self.p.keys = self.s.keys = self.p.keys[:keys]
        self.p.make_group()
        if keys:
            self.p.make_vault()
            for k in self.p.keys:
                self.p.make_key(k)
        self.p.make_namespace()
        self.s.make_namespace()

    def path(self, side, tail=""):
        return f"{side.namespace_path}/disasterRecoveryConfigs/{ALIAS}{tail}"

    def pair(self, alias=ALIAS):
        return self.e.arm("PUT", f"{self.p.namespace_path}/disasterRecoveryConfigs/{alias}",
                          {"properties": {"partnerNamespace": self.s.namespace_path}}, api=API)

    def shown(self, side):
        return self.e.arm("GET", self.path(side), api=API).expect(200).json()["properties"]

    def call(self, side, what):
        return self.e.arm("POST", self.path(side, f"/{what}"), api=API)

    def put(self, side, path, **properties):
        return self.e.arm("PUT", f"{side.namespace_path}/{path}", {"properties": properties}, api="2022-01-01-preview")

    def get(self, side, path):
        return self.e.arm("GET", f"{side.namespace_path}/{path}", api="2022-01-01-preview")

    def root_key(self, side):
        path = f"{side.namespace_path}/AuthorizationRules/RootManageSharedAccessKey/listKeys"
        return self.e.arm("POST", path).expect(200).json()["primaryKey"]

    def data(self, method, host, path, body=None):
        """Over the connection string of the alias."""
        keys = self.e.arm("POST", self.path(self.holder, "/authorizationRules/RootManageSharedAccessKey/listKeys"), api=API).expect(200).json()
        auth = {"Authorization": harness.sas(f"{host}.servicebus.windows.net", "", keys["keyName"], keys["primaryKey"])}
        return self.e.bus(method, host, path, body, auth)


def test_pair_break_fail_over_as_recorded(case):
    g = Pair(case)
    check = {"name": ALIAS}
    path = f"{g.p.namespace_path}/disasterRecoveryConfigs"
    assert g.e.arm("POST", f"{path}/CheckNameAvailability", check, api=API).expect(200).json() == {"nameAvailable": True, "reason": "None"}
    made = g.pair().expect(200).json()
    assert made == {"id": g.path(g.p), "name": ALIAS, "type": "Microsoft.ServiceBus/Namespaces/disasterrecoveryconfigs",
                    "properties": {"provisioningState": "Succeeded", "partnerNamespace": g.s.namespace_path, "role": "Primary",
                                   "type": "MetadataReplication", "pendingReplicationOperationsCount": 0}}, made
    assert g.shown(g.s) == {"provisioningState": "Succeeded", "partnerNamespace": g.p.namespace_path, "role": "Secondary",
                            "type": "MetadataReplication"}
    busy = g.e.arm("POST", f"{path}/CheckNameAvailability", check, api=API).expect(200).json()
    assert (busy["nameAvailable"], busy["reason"]) == (False, "NameInUse")
    assert g.pair().expect(200).json() == made  # once more changes nothing
    assert [a["name"] for a in g.e.arm("GET", path, api=API).expect(200).json()["value"]] == [ALIAS]
    assert g.call(g.p, "breakPairing").expect(200).body == b""
    alone = {"provisioningState": "Succeeded", "partnerNamespace": "", "role": "PrimaryNotReplicating", "type": "MetadataReplication"}
    assert g.shown(g.p) == alone
    g.e.arm("GET", g.path(g.s), api=API).expect(404)
    g.pair().expect(200)
    assert g.call(g.s, "failover").expect(200).body == b""
    assert g.shown(g.s) == alone
    g.e.arm("GET", g.path(g.p), api=API).expect(404)
    g.e.arm("DELETE", g.path(g.s), api=API).expect(200)
    g.e.arm("GET", g.path(g.s), api=API).expect(404)
    g.e.arm("DELETE", g.path(g.s), api=API).expect(204)
    assert g.e.arm("POST", f"{path}/CheckNameAvailability", check, api=API).expect(200).json()["reason"] == "None"


def test_alias_rules_and_connection_strings(case):
    g = Pair(case)
    g.put(g.p, "AuthorizationRules/sender", rights=["Send"]).expect(200)
    g.pair().expect(200)
    rules = g.e.arm("GET", g.path(g.p, "/authorizationRules"), api=API).expect(200).json()["value"]
    assert [r["name"] for r in rules] == ["RootManageSharedAccessKey", "sender"]
    assert rules[1]["id"] == g.path(g.p, "/authorizationRules/sender") and rules[1]["properties"] == {"rights": ["Send"]}
    keys = g.e.arm("POST", g.path(g.p, "/authorizationRules/sender/listKeys"), api=API).expect(200).json()
    assert set(keys) == {"aliasPrimaryConnectionString", "aliasSecondaryConnectionString", "primaryKey", "secondaryKey", "keyName"}, keys
    assert keys["aliasPrimaryConnectionString"] == (f"Endpoint=sb://{ALIAS}.servicebus.windows.net:{g.e.https_port}/;"
                                                    f"SharedAccessKeyName=sender;SharedAccessKey={keys['primaryKey']}"), keys
    assert g.root_key(g.p) == g.root_key(g.s)  # so that the alias's connection string outlives a failover


def test_what_is_on_the_primary_follows(case):
    g = Pair(case)
    g.put(g.p, "queues/dest").expect(200)
    g.put(g.p, "queues/a-first", forwardTo="dest", maxDeliveryCount=3).expect(200)
    g.put(g.p, "topics/t").expect(200)
    g.put(g.p, "topics/t/subscriptions/s", lockDuration="PT2M").expect(200)
    g.put(g.p, "topics/t/subscriptions/s/rules/r", sqlFilter={"sqlExpression": "a=1"}).expect(200)
    g.put(g.p, "queues/dest/authorizationRules/mine", rights=["Listen"]).expect(200)
    g.pair().expect(200)
    assert g.get(g.s, "queues/a-first").expect(200).json()["properties"]["forwardTo"] == "dest"
    assert g.get(g.s, "topics/t/subscriptions/s").expect(200).json()["properties"]["lockDuration"] == "PT2M"
    assert g.get(g.s, "topics/t/subscriptions/s/rules/r").expect(200).json()["properties"]["sqlFilter"]["sqlExpression"] == "a=1"
    g.get(g.s, "queues/dest/authorizationRules/mine").expect(200)
    # and what changes later
    g.put(g.p, "queues/later").expect(200)
    g.get(g.s, "queues/later").expect(200)
    g.put(g.p, "queues/later", maxDeliveryCount=7).expect(200)
    assert g.get(g.s, "queues/later").json()["properties"]["maxDeliveryCount"] == 7
    g.e.arm("DELETE", f"{g.p.namespace_path}/topics/t/subscriptions/s/rules/$Default", api=API).expect(200)
    g.get(g.s, "topics/t/subscriptions/s/rules/$Default").expect(404)
    g.e.arm("DELETE", f"{g.p.namespace_path}/topics/t", api=API).expect(200)
    g.get(g.s, "topics/t").expect(404)
    fresh = g.e.arm("POST", f"{g.p.namespace_path}/AuthorizationRules/RootManageSharedAccessKey/regenerateKeys",
                    {"keyType": "PrimaryKey"}).expect(200).json()["primaryKey"]
    assert g.root_key(g.s) == fresh
    g.e.restart(kill=True)
    assert g.shown(g.p)["pendingReplicationOperationsCount"] == 0 and g.shown(g.p)["role"] == "Primary"
    g.put(g.p, "queues/after").expect(200)
    g.get(g.s, "queues/after").expect(200)
    # after a break each goes its own way
    g.call(g.p, "breakPairing").expect(200)
    g.put(g.p, "queues/own").expect(200)
    g.get(g.s, "queues/own").expect(404)
    g.put(g.s, "queues/too").expect(200)


def test_a_paired_secondary_is_read_only(case):
    g = Pair(case)
    g.put(g.p, "queues/q").expect(200)
    g.pair().expect(200)
    error = g.put(g.s, "queues/x").expect(401).json()["error"]
    assert error["message"] == "Invalid operation on the Secondary namespace. Secondary namespace is read-only.", error
    g.e.arm("DELETE", f"{g.s.namespace_path}/queues/q", api=API).expect(401)
    refused(g.s.put(g.s.body()), 400, "Can't update a namespace that is secondary")
    for side in (g.p, g.s):
        refused(g.e.arm("DELETE", side.namespace_path), 409, "while it is paired", "break the pairing first")
    refused(g.e.arm("DELETE", g.path(g.p), api=API), 409,
            "Disaster recovery (DR) config can't be deleted because replication is in progress. Fail over or break pairing")
    refused(g.call(g.s, "breakPairing"), 400, "breakPairing must be called on the primary namespace 'storyns'")
    refused(g.call(g.p, "failover"), 400, "failover must be called on the secondary namespace 'othernsname'")


def test_wrong_pairings_are_refused_with_their_reason(case):
    g = Pair(case)
    url = g.path(g.p)

    def put(partner):
        return g.e.arm("PUT", url, {"properties": {"partnerNamespace": partner} if partner else {}}, api=API)
    refused(put(None), 400, "'partnerNamespace' must be the id of a Service Bus namespace")
    refused(put("nonsense"), 400, "'nonsense' is not")
    refused(put(g.p.namespace_path + "x"), 400, "does not exist")
    refused(put(g.p.namespace_path), 400, "cannot be paired with itself")
    refused(g.pair("storyns"), 409, "not available")
    refused(g.pair("x"), 400, "is not valid")
    standard = harness.Story(g.e, namespace="standardns")
    standard.put(standard.body(sku="Standard", identity={"type": "None"})).expect(200, 201)
    refused(put(standard.namespace_path), 400, "Premium tier only: namespace 'standardns' is of the 'Standard' tier.")
    g.put(g.s, "queues/q").expect(200)
    refused(g.pair(), 400, "The secondary namespace 'othernsname' must be empty: it contains 1 queue(s) or topic(s).")
    g.e.arm("DELETE", f"{g.s.namespace_path}/queues/q", api=API).expect(200)
    g.pair().expect(200)
    third = harness.Story(g.e, namespace="thirdnsname")
    third.make_namespace()
    refused(put(third.namespace_path), 400, "is paired with 'othernsname' under the alias 'storyalias' already")
    refused(g.e.arm("PUT", f"{third.namespace_path}/disasterRecoveryConfigs/another-alias",
                    {"properties": {"partnerNamespace": g.s.namespace_path}}, api=API), 400, "belongs to the alias 'storyalias' already")
    name = harness.Story(g.e, namespace=ALIAS)
    refused(name.put(name.body()), 400, "The specified name is not available.")


def test_data_plane_answers_on_the_alias(case):
    g = Pair(case)
    g.holder = g.p
    g.put(g.p, "queues/q").expect(200)
    g.e.bus("POST", ALIAS, "/q/messages", "x", {"Authorization": "SharedAccessSignature sr=x"}).expect(401, 404)
    g.pair().expect(200)
    g.data("POST", ALIAS, "/q/messages", "before").expect(201)
    locked = g.data("POST", ALIAS, "/q/messages/head?timeout=0", b"").expect(201)
    assert locked.headers["Location"].startswith(f"https://{ALIAS}.servicebus.windows.net"), locked.headers["Location"]
    g.call(g.s, "failover").expect(200)
    g.holder = g.s
    g.data("POST", ALIAS, "/q/messages", "after").expect(201)  # the other namespace: messages are not replicated
    assert g.data("DELETE", ALIAS, "/q/messages/head?timeout=0").expect(200).body == b"after"
    g.data("DELETE", ALIAS, "/q/messages/head?timeout=0").expect(204)
    g.e.arm("DELETE", g.path(g.s), api=API).expect(200)
    g.e.bus("POST", ALIAS, "/q/messages", "x", g.p.auth() if hasattr(g.p, "root_key") else {"Authorization": "x"}).expect(401, 404)


def test_group_goes_with_its_pairs(case):
    g = Pair(case)
    g.pair().expect(200)
    g.e.arm("DELETE", g.p.group_path, api="2021-04-01").expect(200, 202)
    g.e.arm("GET", g.p.namespace_path).expect(404)
    g.e.arm("GET", g.s.namespace_path).expect(404)


# ---- together with customer keys ----

def messages_of(side):
    side.connect()
    return side.drain()


def test_article_geodr_where_keys_are_set_up_already(case):
    """'If you are looking to enable Geo-DR on a namespace where customer managed key is already set up': 1. set up the access
    policy for the managed identity of the secondary namespace, 2. pair."""
    g = Pair(case, keys=2)
    g.p.allow()
    g.p.encrypt()
    g.p.make_queue()
    before = g.s.get_namespace()
    refused(g.pair(), 400, NOT_PAIRED, "Set up the access policy for the managed identity of the secondary namespace 'othernsname'",
            "lacks the permission 'get' for key 'key1' of vault 'storyvault'")
    assert g.s.get_namespace() == before and "encryption" not in before["properties"]
    g.e.arm("GET", g.path(g.p), api=API).expect(404)
    g.p.allow(g.s.principal)
    g.pair().expect(200)
    assert g.s.listed_keys() == g.p.listed_keys() == ["key1", "key2"]
    g.get(g.s, "queues/orders").expect(200)
    # a root key of its own, a poll of its own
    g.p.allow(g.s.principal, how="remove")
    g.e.poll()
    assert g.e.state(g.s.namespace)["status"] == "Revoked" and g.e.state(g.p.namespace)["status"] == "Active"
    # what it cannot take now it gets later
    g.put(g.p, "queues/meanwhile").expect(200)
    assert g.shown(g.p)["pendingReplicationOperationsCount"] == 1
    g.p.allow(g.s.principal)
    g.e.poll()
    assert g.shown(g.p)["pendingReplicationOperationsCount"] == 0
    g.get(g.s, "queues/meanwhile").expect(200)
    # breaking leaves it encrypted
    g.call(g.p, "breakPairing").expect(200)
    assert g.s.listed_keys() == ["key1", "key2"]


def test_article_keys_where_geodr_is_set_up_already(case):
    """'If Geo disaster recovery is already enabled and you are looking to enable customer managed key': 1. break the pairing, 2. set
    up the access policy for both identities, 3. set up encryption on the primary, 4. re-pair. Each wrong order names what was left out."""
    g = Pair(case, keys=1)
    g.pair().expect(200)
    g.p.allow()
    # keys first, still paired
    refused(g.p.put_template(g.p.encryption_resource()), 400, "cannot be enabled on namespace 'storyns' while it is paired",
            "break the pairing first", "managed identities of both namespaces", "then pair them again")
    refused(g.s.put_template(g.s.encryption_resource()), 400, "Can't update a namespace that is secondary", "Break the pairing first")
    g.call(g.p, "breakPairing").expect(200)  # 1
    # encryption on a primary that is not empty
    g.put(g.p, "queues/q").expect(200)
    refused(g.p.put_template(g.p.encryption_resource()), 400, "new or empty namespace", "contains 1 queue(s) or topic(s)")
    g.e.arm("DELETE", f"{g.p.namespace_path}/queues/q", api=API).expect(200)
    g.p.encrypt()  # 3, with half of 2
    refused(g.pair(), 400, NOT_PAIRED, "Set up the access policy for the managed identity of the secondary namespace 'othernsname'")
    g.p.allow(g.s.principal)  # the other half of 2
    g.pair().expect(200)  # 4
    assert g.s.listed_keys() == g.p.listed_keys() == ["key1"]
    g.p.make_queue()
    g.p.connect()
    g.p.send("over the primary").expect(201)
    g.call(g.s, "failover").expect(200)
    g.s.connect()
    g.s.send("over the secondary").expect(201)
    assert [b for _, b in g.s.drain()] == [b"over the secondary"]


def test_secondary_encrypted_first(case):
    """Only the secondary has keys: what is left out is the primary's encryption."""
    g = Pair(case, keys=1)
    g.p.allow(g.s.principal)
    g.s.encrypt()
    refused(g.pair(), 400, NOT_PAIRED, "Set up encryption with the same keys on the primary namespace 'storyns' first")
    g.p.allow()
    g.p.encrypt()
    g.pair().expect(200)


def test_both_encrypted_with_different_keys(case):
    g = Pair(case, keys=2)
    g.p.allow()
    g.p.allow(g.s.principal)
    g.p.encrypt(["key1"])
    g.s.encrypt(["key2"])
    refused(g.pair(), 400, NOT_PAIRED, "Set up the same keys on both first", "'othernsname' does not use key 'key1' of vault 'storyvault'")
    g.s.encrypt(["key1", "key2"])
    refused(g.pair(), 400, "'storyns' does not use key 'key2'")
    g.s.encrypt(["key1"])
    g.pair().expect(200)
    # the list is fixed while they are paired
    refused(g.p.put_template(g.p.encryption_resource(["key1", "key2"])), 400, "cannot be changed while it is paired")
    g.p.put_template(g.p.encryption_resource(["key1"])).expect(200)


def test_revoked_namespaces_are_not_paired(case):
    g = Pair(case, keys=1)
    g.p.allow()
    g.p.encrypt()
    g.p.deny()
    g.e.poll()
    refused(g.pair(), 400, NOT_PAIRED, "none of the customer-managed keys of 'storyns' can be used")


def test_user_assigned_identity_needs_an_encrypted_secondary(case):
    g = Pair(case, keys=1)
    path = f"{g.p.group_path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai"
    uai = g.e.arm("PUT", path, {"location": "northeurope"}, api="2023-01-31").expect(200, 201).json()
    g.p.allow(uai["properties"]["principalId"])
    identity = {"type": "UserAssigned", "userAssignedIdentities": {path: {}}}
    entry = {"keyName": "key1", "keyVaultUri": g.p.vault_uri, "identity": {"userAssignedIdentity": path}}
    g.p.put(g.p.body([entry], identity=identity)).expect(200)
    refused(g.pair(), 400, "user-assigned identity", "Set up encryption with the same keys on the secondary namespace 'othernsname' first")
    g.s.put(g.s.body([entry], identity=identity)).expect(200)
    g.pair().expect(200)
