"""Bad input of every kind on every plane: it is refused in that plane's own shape, nothing is half done, nothing falls over."""

import base64
import copy
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
import xml.etree.ElementTree

import harness
import rsa

GROUP_API, VAULT_API, KEY_API, BUS_API = "2021-04-01", "2022-07-01", "7.4", "2024-01-01"
ROLE_API, IDENTITY_API = "2022-04-01", "2023-01-31"
PRIVILEGED = "00482a5a-887f-4fb3-b363-3b7fe8e74483"  # Key Vault Administrator
RESOURCES = {"arm": "https://management.azure.com", "vault": "https://vault.azure.net",
             "servicebus": "https://servicebus.azure.net", "graph": "https://graph.microsoft.com"}
BATCH = "application/vnd.microsoft.servicebus.json"


# ---- what a refusal looks like ----

def json_error(reply, *members):
    assert reply.headers["Content-Type"].startswith("application/json"), (reply, reply.headers.items())
    body = reply.json()
    assert set(body) == {"error"} and {"code", "message"} <= set(body["error"]) <= {"code", "message", *members}, body
    assert body["error"]["code"] and body["error"]["message"], body
    return body["error"]["code"]


def login_error(reply):
    body = reply.json()
    assert {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"} <= set(body), body
    number = re.match(r"AADSTS(\d+): ", body["error_description"])
    assert number and body["error_codes"] == [int(number[1])], body
    return body["error"]


def bus_error(reply):
    assert reply.headers["Content-Type"] == "application/xml; charset=utf-8", reply.headers.items()
    root = xml.etree.ElementTree.fromstring(reply.body)
    assert root.tag == "Error" and [c.tag for c in root] == ["Code", "Detail"], reply
    assert root[0].text == str(reply.status) and "TrackingId:" in root[1].text, reply
    return root[0].text


SHAPES = {
    "arm": lambda r: json_error(r, "details", "additionalInfo", "target"),
    "login": login_error,
    "vault": lambda r: json_error(r, "innererror"),
    "servicebus": bus_error,
    "graph": lambda r: json_error(r, "innerError"),
    "control": json_error,
}


def refused(plane, reply, *statuses):
    """A refusal of this plane with one of these statuses (any 4xx if none is given): its code."""
    assert reply.status in statuses if statuses else 400 <= reply.status < 500, (plane, statuses, reply)
    try:
        return SHAPES[plane](reply)
    except (ValueError, KeyError, TypeError, xml.etree.ElementTree.ParseError) as e:
        raise AssertionError(f"not the shape of {plane}: {reply!r} {reply.headers.items()}") from e


def well(e):
    assert e.process.poll() is None, f"ended with {e.process.poll()}"
    e.control("GET", "/health").expect(200)


# ---- something to lose ----

def world(case, *options, **more):
    """An encrypted namespace with a queue, one message and one rule of each kind."""
    s = case.story(*options, **more)
    s.keys = ["key1"]
    s.make_all()
    s.send("kept").expect(201)
    return s


class Call:
    """One request that works, and a look at what it would change."""

    def __init__(self, s, plane, method, path, body, api=None, look=None, headers=None):
        self.s, self.plane, self.method, self.path, self.body = s, plane, method, path, body
        self.api, self.look_path, self.headers = api, look, headers or {}

    def __repr__(self):
        return f"{self.plane} {self.method} {self.path}"

    def host(self):
        return {"arm": harness.ARM, "login": harness.LOGIN, "vault": f"{self.s.vault}.vault.azure.net",
                "servicebus": self.s.host, "graph": "graph.microsoft.com"}[self.plane]

    def full(self, path):
        return path + ("&" if "?" in path else "?") + f"api-version={self.api}" if self.api else path

    def auth(self):
        if self.plane == "servicebus":
            return self.s.auth()
        return self.s.e.bearer(RESOURCES[self.plane]) if self.plane in RESOURCES else {}

    def send(self, body=None, path=None, headers=None, method=None):
        body = self.body if body is None else body
        headers = {**self.auth(), **self.headers, **(headers or {})}
        if self.plane == "control":
            return self.s.e.control(method or self.method, path or self.full(self.path), body, headers)
        return self.s.e.https(method or self.method, self.host(), path or self.full(self.path), body, headers)

    def head(self, *lines, path=None):
        """Request line and headers as bytes, up to and with the empty line."""
        host = f"127.0.0.1:{self.s.e.http_port}" if self.plane == "control" else f"{self.host()}:{self.s.e.https_port}"
        headers = [f"{k}: {v}" for k, v in {"Host": host, **self.auth(), **self.headers}.items()]
        return "\r\n".join([f"{self.method} {path or self.full(self.path)} HTTP/1.1", *headers, *lines, "", ""]).encode()

    def dial(self, **more):
        return self.s.e.dial(None if self.plane == "control" else self.host(), **more)

    def look(self):
        """What the call would have changed, as bytes."""
        if self.look_path is None:
            return None
        reply = self.send(b"", self.full(self.look_path), method="GET")
        # A manual clock stands still, so what it is away from the machine's grows by itself.
        return reply.status, re.sub(rb'"offsetSeconds":-?[0-9]+', b"", reply.body)


def calls(s):
    """One of each operation that reads a JSON body, with every member that it knows."""
    group, vault, ns, queue = s.group_path, s.vault_path, s.namespace_path, s.queue_path
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/someone"
    role = f"{vault}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555"
    policy = {"tenantId": harness.TENANT, "objectId": s.principal, "permissions": {"keys": harness.SERVICE_PERMISSIONS}}
    acls = {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [{"value": "10.0.0.0/8"}],
            "virtualNetworkRules": [{"id": f"{group}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"}]}
    properties = {"tenantId": harness.TENANT, "sku": {"family": "A", "name": "standard"}, "enableSoftDelete": True,
                  "softDeleteRetentionInDays": 90, "enablePurgeProtection": True, "enableRbacAuthorization": False,
                  "enabledForDeployment": False, "enabledForDiskEncryption": False, "enabledForTemplateDeployment": False,
                  "createMode": "default", "publicNetworkAccess": "Enabled", "networkAcls": acls,
                  "accessPolicies": [policy, {**policy, "objectId": harness.CLIENT_OID,
                                              "permissions": {"keys": harness.ALL_KEY_PERMISSIONS}}]}
    encryption = {"keySource": "Microsoft.KeyVault", "requireInfrastructureEncryption": False,
                  "keyVaultProperties": [{"keyName": "key1", "keyVaultUri": s.vault_uri, "keyVersion": ""}]}
    namespace = {"location": "northeurope", "tags": {"a": "b"}, "sku": {"name": "Premium", "tier": "Premium", "capacity": 1},
                 "identity": {"type": "SystemAssigned"},
                 "properties": {"zoneRedundant": False, "disableLocalAuth": False, "minimumTlsVersion": "1.2",
                                "publicNetworkAccess": "Enabled", "premiumMessagingPartitions": 1, "encryption": encryption}}
    settings = {"lockDuration": "PT1M", "defaultMessageTimeToLive": "P1D", "duplicateDetectionHistoryTimeWindow": "PT10M",
                "autoDeleteOnIdle": "P10D", "maxSizeInMegabytes": 1024, "maxMessageSizeInKilobytes": 1024, "maxDeliveryCount": 10,
                "requiresDuplicateDetection": False, "requiresSession": False, "deadLetteringOnMessageExpiration": False,
                "enableBatchedOperations": True, "enablePartitioning": False, "enableExpress": False, "status": "Active"}
    rule = {"properties": {"rights": ["Listen", "Send"]}}
    key = {"kty": "RSA", "key_size": 2048, "key_ops": ["wrapKey", "unwrapKey"], "tags": {"a": "b"},
           "attributes": {"enabled": True, "nbf": 1, "exp": 4102444800}}
    small = {k: key[k] for k in ("key_ops", "tags", "attributes")}
    return [
        Call(s, "arm", "PUT", group, {"location": "northeurope", "tags": {"a": "b"}, "managedBy": "me"}, GROUP_API, group),
        Call(s, "arm", "PATCH", group, {"tags": {"a": "b"}, "managedBy": "me"}, GROUP_API, group),
        Call(s, "arm", "PUT", identity, {"location": "northeurope", "tags": {"a": "b"}}, IDENTITY_API, identity),
        Call(s, "arm", "PUT", role, {"properties": {"roleDefinitionId": f"/subscriptions/{harness.SUB}/providers/Microsoft."
                                                    f"Authorization/roleDefinitions/{PRIVILEGED}", "principalId": s.principal,
                                                    "principalType": "ServicePrincipal"}}, ROLE_API, role),
        Call(s, "arm", "PUT", vault, {"location": "northeurope", "tags": {"a": "b"}, "properties": properties}, VAULT_API, vault),
        Call(s, "arm", "PATCH", vault, {"tags": {"a": "b"}, "properties": {"enabledForDeployment": True}}, VAULT_API, vault),
        Call(s, "arm", "PUT", f"{vault}/accessPolicies/add", {"properties": {"accessPolicies": [policy]}}, VAULT_API, vault),
        Call(s, "arm", "PUT", ns, namespace, BUS_API, ns),
        Call(s, "arm", "PATCH", ns, {"tags": {"a": "b"}, "sku": namespace["sku"], "identity": namespace["identity"],
                                     "properties": namespace["properties"]}, BUS_API, ns),
        Call(s, "arm", "PUT", queue, {"properties": settings}, BUS_API, queue),
        Call(s, "arm", "PUT", f"{queue}/authorizationRules/both", rule, BUS_API, f"{queue}/authorizationRules/both"),
        Call(s, "arm", "PUT", f"{ns}/AuthorizationRules/both", rule, BUS_API, f"{ns}/AuthorizationRules/both"),
        Call(s, "vault", "POST", "/keys/key2/create", key, KEY_API, "/keys"),
        Call(s, "vault", "PATCH", "/keys/key1", {**small, "key_ops": ["wrapKey", "unwrapKey", "encrypt", "decrypt"]}, KEY_API,
             "/keys/key1"),
        Call(s, "vault", "PUT", "/keys/key3", {"key": rsa.key().jwk(), "hsm": False, **small}, KEY_API, "/keys"),
        Call(s, "vault", "POST", "/keys/key1/wrapkey", {"alg": "RSA-OAEP-256", "value": rsa.b64url(bytes(32))}, KEY_API),
        Call(s, "graph", "POST", "/v1.0/directoryObjects/getByIds", {"ids": [harness.CLIENT_OID], "types": ["servicePrincipal"]}),
        Call(s, "control", "POST", "/_emulator/clock", {"advance": "PT1S"}, look="/_emulator/clock"),
        Call(s, "control", "POST", "/_emulator/clock", {"advanceSeconds": 1}, look="/_emulator/clock"),
        Call(s, "control", "POST", "/_emulator/poll", {"namespace": s.namespace}, look=f"/_emulator/namespaces/{s.namespace}"),
        Call(s, "control", "POST", "/_emulator/faults", {"target": "vault:other", "fault": "error", "count": 1, "status": 503,
                                                         "scope": "all"}, look="/_emulator/faults"),
    ]


def prepared(s):
    """The calls, each made once: so every one works, and there is something that a bad one could spoil."""
    made = calls(s)
    for c in made:
        c.send().expect(200, 201)
    return made


# ---- every route there is ----

def routes(s):
    """[(plane, method, template, a path of it)]: what the program itself says it has."""
    values = {"sub": harness.SUB, "group": s.group, "ns": s.namespace, "queue": s.queue, "scope*": f"subscriptions/{harness.SUB}",
              "entity*": s.queue, "entry*": f"{s.queue}/1", "mode": "add", "location": "northeurope", "tenant": harness.TENANT,
              "provider": "Microsoft.ServiceBus"}
    rows = s.e.control("GET", "/_emulator/capabilities").expect(200).json()["routes"]
    return [(r["plane"], r["method"], r["path"], re.sub(r"{([^}]*)}", lambda m: values.get(m[1], "name1"), r["path"])) for r in rows]


def matches(template, path):
    """Does the route table take this path to this template?"""
    parts = [".+" if p.endswith("*}") else "[^/]+" if p.startswith("{") else re.escape(p) for p in template.strip("/").split("/")]
    return re.fullmatch("/".join(parts), path.strip("/"), re.IGNORECASE) is not None


def test_every_route_refuses_other_methods(case):
    s = world(case)
    rows = routes(s)
    assert len(rows) > 100
    for plane, path in sorted({(p, path) for p, _, _, path in rows}):
        allowed = {m for p, m, template, _ in rows if p == plane and matches(template, path)}
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "FROB", "get"):
            if method in allowed:
                continue
            reply = Call(s, plane, method, path, b"").send()
            refused(plane, reply, 405)
            assert set(reply.headers["Allow"].split(", ")) == allowed, (plane, path, method, reply.headers["Allow"], allowed)
    well(s.e)


def test_every_route_asks_for_credentials(case):
    s = world(case)
    before = s.get_namespace()
    asked = 0
    for plane, method, template, path in routes(s):
        if plane in ("login", "control") or template == "/metadata/endpoints":
            continue
        c = Call(s, plane, method, path, b"", "2024-01-01")
        for given in (None, "", "Bearer", "Bearer ", "Basic dTpw", "SharedAccessSignature", "SharedAccessSignature x", "Bearer x.y.z"):
            reply = s.e.https(method, c.host(), c.full(path), b"", {} if given is None else {"Authorization": given})
            if method == "HEAD":
                reply.expect(401)
            else:
                refused(plane, reply, 401)
            challenge = reply.headers["WWW-Authenticate"]
            if plane == "servicebus":
                assert challenge is None, challenge
            else:
                assert challenge.startswith("Bearer ") and f"{harness.LOGIN}:{s.e.https_port}/" in challenge, (plane, challenge)
            asked += 1
    assert asked > 500, asked
    assert s.get_namespace() == before
    well(s.e)


def test_every_versioned_route_asks_for_its_version(case):
    s = world(case)
    asked = 0
    for plane, method, template, path in routes(s):
        if plane not in ("arm", "vault") or template == "/metadata/endpoints":
            continue
        body = b"{}" if method in ("PUT", "PATCH", "POST") else b""
        for query in ("", "?api-version=", "?api-version=1999-01-01", "?api-version=latest", "?api-version=2024-13-01",
                      "?api-version=2024-01-01%00", "?api-version=" + "9" * 3000, "?API-VERSION", "?api-version=9.9"):
            reply = Call(s, plane, method, path, body).send(path=path + query)
            if method == "HEAD":
                reply.expect(400)
            else:
                refused(plane, reply, 400, 404)
            asked += 1
    assert asked > 500, asked
    assert refused("arm", Call(s, "arm", "GET", s.namespace_path, b"").send()) == "MissingApiVersionParameter"
    s.peek_lock().expect(201)
    well(s.e)


# ---- bodies ----

def junk(body):
    """Texts that are no JSON, or none that may pass; made from a body that is good."""
    good = json.dumps(body)
    name, value = next(iter(body.items()))
    member = f"{json.dumps(name)}: {json.dumps(value)}"
    return {
        "blank": " ", "brace": "{", "open": good[:-1], "behind": good + "x", "twice": good + good, "array": f"[{good}]",
        "text": '"x"', "number": "1", "null": "null", "true": "true", "comma": good[:-1] + ",}", "commas": good[:-1] + ",,}",
        "duplicate": f"{good[:-1]}, {member}}}", "bare": "{a: 1}", "single": good.replace('"', "'"),
        "nul": good[:-1] + ', "x": "a\\u0000b"}', "nul name": good[:-1] + ', "a\\u0000b": 1}', "raw nul": good[:-1] + ', "x": "a\0b"}',
        "control": good[:-1] + ', "x": "a\nb"}', "surrogate": good[:-1] + ', "x": "\\ud800"}', "escape": good[:-1] + ', "x": "\\x41"}',
        "utf8": good[:-1].encode() + b', "x": "\xff\xfe"}', "overlong": good[:-1].encode() + b', "x": "\xc0\xaf"}',
        "cut utf8": good[:-1].encode() + b', "x": "\xe2\x82"}', "utf16": good.encode("utf-16"), "utf16 plain": good.encode("utf-16-le"),
        "deep": good[:-1] + ', "x": ' + "[" * 40 + "]" * 40 + "}", "deep object": '{"x": ' * 40 + "1" + "}" * 40,
        "deepest": "[" * 100_000, "zero": good[:-1] + ', "x": 01}', "plus": good[:-1] + ', "x": +1}', "nan": good[:-1] + ', "x": NaN}',
        "point": good[:-1] + ', "x": 1.}', "hex": good[:-1] + ', "x": 0x10}', "comment": good[:-1] + "/* */}", "form": "a=b&c=d",
        "xml": "<a/>", "minus": good[:-1] + ', "x": -}',
    }


def test_bodies_that_are_not_json(case):
    s = world(case)
    for c in prepared(s):
        before = c.look()
        for name, text in junk(c.body).items():
            reply = c.send(text)
            code = refused(c.plane, reply, 400, 413)
            assert reply.status == 400 or len(text) > 4096, (c, name, reply)
            if c.plane == "arm" and reply.status == 400:
                assert code == "InvalidRequestContent", (c, name, reply)
            assert c.look() == before, (c, name)
        if c.path != "/_emulator/poll" and c.method != "PATCH":
            refused(c.plane, c.send(b""), 400) if c.path != s.queue_path else None
        c.send().expect(200, 201)
    well(s.e)


def places(value, path=()):
    """Every place in a body: (path, value)."""
    if path:
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for k, v in items:
        yield from places(v, path + (k,))


def changed(body, path, value):
    body = copy.deepcopy(body)
    at = body
    for k in path[:-1]:
        at = at[k]
    at[path[-1]] = value
    return body


STRANGE = ["text", 7, True, [], {}, [[1]], {"a": {"b": 1}}]
NUMBERS = [1.5, -1, 2 ** 31, 2 ** 63 - 1, 2 ** 63, 2 ** 64, -2 ** 63, -2 ** 63 - 1, 10 ** 400]


def kind_of(value):
    return bool if isinstance(value, bool) else type(value)


def test_members_of_wrong_types(case):
    s = world(case)
    asked, taken = 0, []
    for c in prepared(s):
        before = c.look()
        for path, value in places(c.body):
            for other in STRANGE:
                if kind_of(other) is kind_of(value):
                    continue
                reply = c.send(changed(c.body, path, other))
                asked += 1
                if reply.status in (200, 201):
                    taken.append((c, path, other))
                    continue
                refused(c.plane, reply, 400)
                assert c.look() == before, (c, path, other)
    assert not taken, "\n".join(map(repr, taken))
    assert asked > 700, asked
    well(s.e)


def test_values_out_of_range(case):
    """Numbers of any size, texts of any length: taken or refused, never half."""
    s = world(case)
    asked = 0
    for c in prepared(s):
        before = c.look()
        for path, value in places(c.body):
            odd = NUMBERS if kind_of(value) is int else ["", "\u2028\U0001f511", "x" * 5000, "../..", "%00", "'\"<>&\\"] \
                if isinstance(value, str) else []
            for other in odd[:2] if path[0] == "key" else odd:  # an import is slow
                if c.path.endswith("/create") or c.path == "/_emulator/clock" and other in NUMBERS and 0 < other <= 2 ** 31:
                    continue  # makes a key each time; moves the clock, as it should
                reply = c.send(json.dumps(changed(c.body, path, other)).encode())
                asked += 1
                if reply.status in (200, 201):
                    c.send().expect(200, 201)
                    before = c.look()
                    continue
                refused(c.plane, reply)
                if kind_of(value) is int:
                    assert reply.status == 400, (c, path, other, reply)
                assert c.look() == before, (c, path, other)
    assert asked > 300, asked
    well(s.e)


def test_unknown_members(case):
    """Azure's services ignore what they do not know; the control plane, whose users type by hand, does not."""
    s = world(case)
    for c in prepared(s):
        reply = c.send({"unknownMember": {"a": [1, 2 ** 64, 9007199254740993, None]}, **c.body})
        if c.plane == "control":
            refused("control", reply, 400)
        else:
            reply.expect(200, 201)
    well(s.e)


def test_a_put_that_fails_leaves_everything(case):
    """Refused for what is stored, not for its form: the keys of a namespace, its rules and its queue stay as they are."""
    s = world(case)
    ns, queue = s.namespace_path, s.queue_path
    made = {repr(c): c for c in prepared(s)}
    put = made[f"arm PUT {ns}"]
    body = put.body
    inside = ("properties", "encryption", "keyVaultProperties")
    entry = body["properties"]["encryption"]["keyVaultProperties"][0]
    s.e.vault("POST", s.vault, "/keys/other/create", {"kty": "EC"}).expect(200)
    bad = [
        changed(body, inside, [entry, entry]),
        changed(body, inside, [{**entry, "keyName": f"k{i}"} for i in range(4)]),
        changed(body, inside, [entry, {**entry, "keyName": "nosuch"}]),
        changed(body, inside, [entry, {**entry, "keyName": "other"}]),
        changed(body, inside, [entry, {**entry, "keyName": ""}]),
        changed(body, inside, [entry, {"keyName": "key1"}]),
        changed(body, inside, [entry, {**entry, "keyVaultUri": "https://nosuchvault.vault.azure.net"}]),
        changed(body, inside, [entry, {**entry, "keyVaultUri": "not a uri"}]),
        changed(body, inside, [{**entry, "identity": {"userAssignedIdentity": f"{s.group_path}/nosuch"}}]),
        changed(body, inside, []),
        changed(body, inside, None),
        changed(body, inside[:2] + ("keySource",), "Microsoft.ServiceBus"),
        changed(body, inside[:2] + ("requireInfrastructureEncryption",), True),
        changed(body, inside[:2], None),
        changed(body, ("sku",), {"name": "Standard", "tier": "Standard"}),
        changed(body, ("sku",), {"name": "Gold"}),
        changed(body, ("sku", "capacity"), 3),
        changed(body, ("identity",), {"type": "Wrong"}),
        changed(body, ("identity",), {"type": "UserAssigned"}),
    ]
    before, state = put.look(), s.e.state(s.namespace)["encryption"]["keys"]
    for b in bad:
        for tags in ({"other": "tags"}, body["tags"]):
            reply = put.send({**b, "tags": tags})
            assert reply.status == 400, (b, reply)
            refused("arm", reply)
            assert put.look() == before, b
    assert s.e.state(s.namespace)["encryption"]["keys"] == state
    settings = made[f"arm PUT {queue}"]
    before = settings.look()
    for name, value in (("lockDuration", "PT6M"), ("lockDuration", "five"), ("maxDeliveryCount", 0), ("requiresSession", True),
                        ("requiresDuplicateDetection", True), ("status", "Sleeping"), ("forwardTo", s.queue), ("forwardTo", "nosuch"),
                        ("maxSizeInMegabytes", 1), ("defaultMessageTimeToLive", "PT0S"), ("enablePartitioning", True)):
        wanted = {"properties": {**settings.body["properties"], "maxDeliveryCount": 7, name: value}}
        refused("arm", settings.send(wanted), 400, 409)
        assert settings.look() == before, (name, value)
    assert [b for _, b in s.drain()] == [b"kept"]
    well(s.e)


# ---- sizes ----

def memory(e, field):
    with open(f"/proc/{e.process.pid}/status") as f:
        return int(re.search(rf"{field}:\s*(\d+) kB", f.read())[1])


def test_bodies_of_ten_megabytes(case):
    s = world(case)
    piece, count = b" " * 65536, 160
    by_plane = {}
    for c in prepared(s):
        by_plane.setdefault(c.plane, c)
    by_plane["servicebus"] = Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"x")
    by_plane["login"] = Call(s, "login", "POST", f"/{harness.TENANT}/oauth2/v2.0/token", "a=b",
                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert set(by_plane) == set(SHAPES)
    for plane, c in by_plane.items():
        too_large = 403 if plane == "servicebus" else 413
        before = c.look()
        # Most clients send all of it before they read: they are told, on a connection that stays.
        refused(plane, c.send(piece * count), too_large)
        # More than anybody would wait for: told at once.
        for length in (1 << 30, 1 << 40):
            with c.dial(timeout=10) as conn:
                conn.sendall(c.head(f"Content-Length: {length}"))
                refused(plane, harness.Answers(conn).next(), too_large)
        # Not told beforehand.
        with c.dial() as conn:
            chunks = (b"10000\r\n" + piece + b"\r\n" for _ in range(count))
            conn.sendall(c.head("Transfer-Encoding: chunked"))
            for chunk in chunks:
                conn.sendall(chunk)
            conn.sendall(b"0\r\n\r\n")
            refused(plane, harness.Answers(conn).next(), too_large)
        for length in ("-1", "99999999999999999999", "0x10", "1e3", "+5", "5, 6", ""):
            with c.dial() as conn:
                conn.sendall(c.head(f"Content-Length: {length}") + b"12345")
                reply = harness.Answers(conn).next()
                assert reply is None or 400 <= reply.status < 500, (c, length, reply)
        assert c.look() == before, c
        well(s.e)
    assert [b for _, b in s.drain()] == [b"kept"]
    if not harness.SANITIZED:
        assert memory(s.e, "VmHWM") < 160_000, memory(s.e, "VmHWM")


def test_a_message_at_the_limit(case):
    """The largest message that fits, and the one that is a byte too large."""
    s = world(case)
    s.drain()
    fits = 1024 * 1024 - 1024
    body = random.Random(1).randbytes(fits)
    s.send(body).expect(201)
    got = s.receive().expect(200)
    assert got.body == body
    for size in (1024 * 1024 + 1, 1024 * 1024 * 2):
        refused("servicebus", s.send(b"x" * size), 403)
    # Its properties count too.
    refused("servicebus", s.send(b"x" * (1024 * 1024 - 10), **{"BrokerProperties": json.dumps({"Label": "x" * 1000})}), 403)
    assert s.drain() == []
    well(s.e)


# ---- the data plane ----

def test_bad_broker_properties(case):
    s = world(case)
    for text in junk({"Label": "x"}).values():
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        if "\0" in text or "\n" in text or not text.strip() or len(text) > 60_000:
            continue
        refused("servicebus", s.send("bad", BrokerProperties=text), 400)
    names = ("ContentType", "CorrelationId", "Label", "MessageId", "PartitionKey", "ReplyTo", "ReplyToSessionId", "SessionId", "To",
             "ViaPartitionKey", "ScheduledEnqueueTimeUtc", "TimeToLiveTimeSpan")
    for name in names:
        for value in (7, True, [], {}, 1.5):
            refused("servicebus", s.send("bad", BrokerProperties=json.dumps({name: value})), 400)
    for bad in ({"TimeToLive": 0}, {"TimeToLive": -1}, {"TimeToLive": "1"}, {"TimeToLive": []}, {"TimeToLiveTimeSpan": "x"},
                {"TimeToLiveTimeSpan": "-00:00:01"}, {"ScheduledEnqueueTimeUtc": "tomorrow"}, {"ScheduledEnqueueTimeUtc": ""},
                {"MessageId": ""}, {"MessageId": "x" * 129}, {"SessionId": "x" * 129}, {"PartitionKey": "x" * 129},
                {"SessionId": "a", "PartitionKey": "b"}):
        refused("servicebus", s.send("bad", BrokerProperties=json.dumps(bad)), 400)

    def in_batch(message):
        return s.send(json.dumps([{"Body": "good"}, {"Body": "bad", **message}]), **{"Content-Type": BATCH})

    # More than a header can hold comes in a batch. Too much of one's own properties: documented as a quota.
    refused("servicebus", in_batch({"BrokerProperties": {"Label": "x" * 33_000}}), 400)
    refused("servicebus", in_batch({"UserProperties": {"large": "x" * 33_000}}), 403)
    refused("servicebus", in_batch({"UserProperties": {f"p{i}": "x" * 30_000 for i in range(3)}}), 403)
    # Strange, but taken: what one does not know is ignored, a life beyond the end of time is forever; lengths are characters.
    for good in ({"MessageId": "\u00fc" * 128}, {"SessionId": "\u6771" * 128}, {"PartitionKey": "\U0001f511" * 128},
                 {"Unknown": [1]}, {"TimeToLive": 1e300}, {"SequenceNumber": 2 ** 64}, {"Label": None}, {}):
        s.send("good", BrokerProperties=json.dumps(good)).expect(201)
    assert {b for _, b in s.drain()} == {b"kept", b"good"}
    well(s.e)


def test_bad_batches(case):
    s = world(case)
    message = {"Body": "x", "BrokerProperties": {"Label": "M"}, "UserProperties": {"a": "b"}}

    def batch(body):
        return s.send(body, **{"Content-Type": BATCH})

    for name, text in junk(message).items():
        if name != "array":
            refused("servicebus", batch(text), 400)
    for text in (b"", b"[]", b"[1]", b'["x"]', b"[null]", b"[[]]", b"[{}", json.dumps([message, 1]).encode()):
        refused("servicebus", batch(text), 400)
    for path, value in places(message):
        for other in STRANGE:
            if kind_of(other) is kind_of(value) or path == ("UserProperties", "a") and not isinstance(other, (list, dict)):
                continue
            # One bad message among good ones: none is sent.
            refused("servicebus", batch(json.dumps([message, changed(message, path, other), message])), 400)
    refused("servicebus", batch(json.dumps([{"Body": ""}] * 4501)), 400)
    batch(json.dumps([{"Body": "last"}] * 3)).expect(201)
    assert [b for _, b in s.drain()] == [b"kept", b"last", b"last", b"last"]
    well(s.e)


def test_bad_receives_and_settlements(case):
    s = world(case)
    auth = s.auth()

    def ask(method, path):
        return s.e.bus(method, s.namespace, path, b"", auth)

    for timeout in ("-1", "x", "1.5", "99999999999", "", "%00", "1%200", "0x1", "18446744073709551616", "NaN"):
        refused("servicebus", ask("POST", f"/{s.queue}/messages/head?timeout={timeout}"), 400)
        refused("servicebus", ask("DELETE", f"/{s.queue}/messages/head?timeout={timeout}"), 400)
    lock = "00000000-0000-4000-8000-000000000000"
    for message in ("1", "0", "-1", "9223372036854775808", "x" * 3000, "%ff", "a%2fb", "..", "%00"):
        for token in (lock, "x", "0" * 32, lock + "0", "%ff%fe", lock.replace("-", "%2d"), "{" + lock + "}"):
            for method in ("DELETE", "PUT", "POST"):
                reply = ask(method, f"/{s.queue}/messages/{message}/{urllib.parse.quote(token, safe='%')}")
                refused("servicebus", reply, 404, 400)
    for entity in ("nosuch", "x" * 300, "a/b/c", "%ff", "orders%00", "$DeadLetterQueue", "orders/$Nothing", "..", "orders/.."):
        refused("servicebus", ask("DELETE", f"/{entity}/messages/head?timeout=0"), 404, 410, 400)
        refused("servicebus", s.e.bus("POST", s.namespace, f"/{entity}/messages", b"x", auth), 404, 410, 400)
    refused("servicebus", s.e.bus("POST", s.namespace, f"/{s.queue}/$DeadLetterQueue/messages", b"x", auth), 400)
    # A lock of one message opens no other, nor in another queue.
    s.send("second").expect(201)
    first, second = s.peek_lock().expect(201), s.peek_lock().expect(201)
    one, two = [urllib.parse.urlsplit(r.headers["Location"]).path for r in (first, second)]
    crossed = one.rsplit("/", 1)[0] + "/" + two.rsplit("/", 1)[1]
    for method in ("DELETE", "PUT", "POST"):
        refused("servicebus", ask(method, crossed), 404)
        refused("servicebus", ask(method, one.replace(f"/{s.queue}/", f"/{s.queue}/$DeadLetterQueue/")), 404)
    ask("DELETE", one).expect(200)
    refused("servicebus", ask("DELETE", one), 404)
    ask("DELETE", two).expect(200)
    well(s.e)


# ---- signing in ----

def test_bad_forms(case):
    s = world(case)
    good = {"grant_type": "client_credentials", "client_id": harness.CLIENT, "client_secret": harness.SECRET,
            "scope": "https://vault.azure.net/.default"}

    def ask(form, tenant=harness.TENANT, **headers):
        text = form if isinstance(form, (bytes, str)) else urllib.parse.urlencode(form)
        return s.e.https("POST", harness.LOGIN, f"/{tenant}/oauth2/v2.0/token", text,
                         {"Content-Type": "application/x-www-form-urlencoded", **headers})

    text = urllib.parse.urlencode(good)
    for bad in ("", "&&&", "=", "grant_type", "%", text + "&x=%zz", text + "&x=%f", text + "&scope=again", text + "&x=%ff", text + "&x=%00",
                text + "&" + "&".join(f"a{i}=1" for i in range(5000)), b"\0" + text.encode(), json.dumps(good),
                "x" * 60_000):
        refused("login", ask(bad), 400, 401)
    for name in good:
        refused("login", ask({k: v for k, v in good.items() if k != name}), 400, 401)
        for value in ("", "x", "x" * 20_000, "\u0001", "' OR 1=1 --", harness.CLIENT + " "):
            reply = ask({**good, name: value})
            refused("login", reply, 400, 401)
    assert refused("login", ask({**good, "client_secret": "wrong"}), 401) == "invalid_client"
    for tenant in ("22222222-1111-1111-1111-111111111111", "x" * 2000, "%ff", "..", "%00"):
        refused("login", ask(good, tenant), 400, 404)
    for header in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode(), "Basic " + "A" * 9000, "Bearer x"):
        refused("login", ask({k: v for k, v in good.items() if k != "client_secret"}, Authorization=header), 400, 401)
    ask(good).expect(200)
    well(s.e)


def forged(e, token):
    """What is made from a good token without its key."""
    head, payload, signature = token.split(".")
    header, claims = json.loads(rsa.unb64url(head)), json.loads(rsa.unb64url(payload))
    keys = e.https("GET", harness.LOGIN, f"/{harness.TENANT}/discovery/v2.0/keys").expect(200).json()["keys"]
    own = rsa.Key(1024)

    def part(value):
        return rsa.b64url(json.dumps(value).encode() if isinstance(value, (dict, list)) else value)

    def signed(header, claims, sign):
        text = f"{part(header)}.{part(claims)}"
        return f"{text}.{rsa.b64url(sign(text.encode()))}"

    def hs256(key):
        return lambda text: hmac.new(key, text, hashlib.sha256).digest()

    for alg in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {alg}", f"{part({**header, 'alg': alg})}.{payload}."
        yield f"alg {alg}, signature kept", f"{part({**header, 'alg': alg})}.{payload}.{signature}"
    for key in keys:
        secrets = [key["n"].encode(), rsa.unb64url(key["n"]), json.dumps(key).encode(), b""]
        secrets += [base64.b64decode(c) for c in key.get("x5c", [])] + [c.encode() for c in key.get("x5c", [])]
        for secret in secrets:
            yield "HS256 with the public key", signed({**header, "alg": "HS256"}, claims, hs256(secret))
    for alg in ("RS384", "RS512", "PS256", "ES256", "RS256 ", "rs256"):
        yield f"alg {alg}", f"{part({**header, 'alg': alg})}.{payload}.{signature}"
    yield "another key", signed(header, claims, own.sign)
    yield "another key, its own kid", signed({**header, "kid": "mine", "x5t": "mine"}, claims, own.sign)
    yield "another key in the header", signed({**header, "jwk": {k: v for k, v in own.jwk().items() if k in ("kty", "n", "e")}}, claims,
                                              own.sign)
    yield "another key by address", signed({**header, "jku": "https://localhost/keys"}, claims, own.sign)
    yield "no kid", signed({k: v for k, v in header.items() if k != "kid"}, claims, own.sign)
    for kid in ("", "x" * 5000, "../../platform.key", "\u0000"):
        yield "kid", f"{part({**header, 'kid': kid})}.{payload}.{signature}"
    for name, value in (("oid", "44444444-4444-4444-4444-444444444444"), ("exp", 2 ** 53), ("exp", "never"), ("exp", 1e308), ("nbf", None),
                        ("aud", ["https://management.azure.com"]), ("iss", "https://sts.windows.net/other/"), ("tid", harness.SUB)):
        yield f"{name} changed", f"{head}.{part({**claims, name: value})}.{signature}"
        yield f"{name} changed, another key", signed(header, {**claims, name: value}, own.sign)
    raw = rsa.unb64url(signature)
    for name, other in (("flipped", bytes([raw[0] ^ 1]) + raw[1:]), ("last flipped", raw[:-1] + bytes([raw[-1] ^ 1])), ("cut", raw[:-1]),
                        ("longer", raw + b"\0"), ("led by 0", b"\0" + raw), ("zero", bytes(len(raw))), ("ones", b"\xff" * len(raw)),
                        ("none", b"")):
        yield f"signature {name}", f"{head}.{payload}.{rsa.b64url(other)}"
    # The bits of the last character that say nothing: another text of the same signature.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield "signature spelt otherwise", token[:-1] + letters[letters.index(token[-1]) ^ 1]
    for name, other in (("padded", token + "="), ("blank", head + "." + payload + ". " + signature), ("plus", token + "+"),
                        ("cut", f"{head}.{payload}"), ("two dots", f"{head}.{payload}."), ("four parts", token + ".x"), ("dots", ".."),
                        ("head twice", f"{head}{head}.{payload}.{signature}"), ("long", "A" * 30_000), ("long parts", "A" * 9000 + "." + "A" * 9000 + ".A"),
                        ("not JSON", f"{part(b'x')}.{payload}.{signature}"), ("array", f"{part([])}.{payload}.{signature}"),
                        ("deep", f"{part(b'[' * 8000)}.{payload}.{signature}"), ("crit", f"{part({**header, 'crit': ['x']})}.{payload}.{signature}")):
        yield name, other


def test_forged_tokens(case):
    s = world(case)
    other = case.story().e
    targets = {
        "arm": Call(s, "arm", "GET", s.namespace_path, b"", BUS_API),
        "vault": Call(s, "vault", "GET", "/keys/key1", b"", KEY_API),
        "servicebus": Call(s, "servicebus", "DELETE", f"/{s.queue}/messages/head?timeout=0", b""),
        "graph": Call(s, "graph", "GET", "/v1.0/servicePrincipals", b""),
    }
    # A receiver by role, so that a good token is one on the data plane.
    role = f"{s.namespace_path}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555"
    receiver = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"
    s.e.arm("PUT", role, {"properties": {"roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{receiver}",
                                         "principalId": harness.CLIENT_OID}}, api=ROLE_API).expect(201)

    def ask(plane, token):
        c = targets[plane]
        return s.e.https(c.method, c.host(), c.full(c.path), None, {"Authorization": f"Bearer {token}"})

    for plane in targets:
        good = s.e.token(RESOURCES[plane])
        ask(plane, good).expect(200, 204)
        for name, token in forged(s.e, good):
            try:
                refused(plane, ask(plane, token), 401)
            except AssertionError as e:
                raise AssertionError(f"{name}: {e}") from e
        refused(plane, ask(plane, other.token(RESOURCES[plane])), 401)  # of another emulator
        for elsewhere in targets:
            if elsewhere != plane:
                code = refused(plane, ask(plane, s.e.token(RESOURCES[elsewhere])), 401)
                assert plane != "arm" or code == "InvalidAuthenticationTokenAudience", code
        ask(plane, good).expect(200, 204)
    well(s.e)


def test_expired_tokens(case):
    s = world(case, "--token-clock", "emulator")
    tokens = {plane: s.e.token(r) for plane, r in RESOURCES.items()}
    signature = s.auth()
    s.e.advance("PT2H")
    targets = {
        "arm": Call(s, "arm", "GET", s.namespace_path, b"", BUS_API),
        "vault": Call(s, "vault", "GET", "/keys/key1", b"", KEY_API),
        "servicebus": Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"x"),
        "graph": Call(s, "graph", "GET", "/v1.0/servicePrincipals", b""),
    }
    for plane, c in targets.items():
        reply = s.e.https(c.method, c.host(), c.full(c.path), c.body, {"Authorization": "Bearer " + tokens[plane]})
        code = refused(plane, reply, 401)
        assert plane != "arm" or code == "ExpiredAuthenticationToken", code
    assert s.e.control("GET", "/_emulator/clock").json()["now"].startswith("2026-01-01T02:")
    # Signatures of the tests end by the machine's clock, far ahead of the emulator's: good until then.
    s.e.bus("POST", s.namespace, f"/{s.queue}/messages", b"y", signature).expect(201)
    s.e.token(RESOURCES["arm"], fresh=True)
    assert s.get_namespace()["properties"]["status"] == "Active"
    well(s.e)


def test_forged_signatures(case):
    s = world(case)
    second = harness.Story(s.e, namespace="secondns")
    second.keys = s.keys
    second.make_namespace()
    second.make_queue()
    second.connect()
    rule = s.e.arm("PUT", f"{s.queue_path}/authorizationRules/listen", {"properties": {"rights": ["Listen"]}}).expect(200)
    assert rule.json()["properties"]["rights"] == ["Listen"]
    listen = s.e.arm("POST", f"{s.queue_path}/authorizationRules/listen/listKeys").expect(200).json()["primaryKey"]
    for name in ("orders2", "other"):
        s.e.arm("PUT", f"{s.namespace_path}/queues/{name}", {"properties": {}}).expect(200)
    root = "RootManageSharedAccessKey"

    def send(auth, queue=s.queue, suffix="servicebus.windows.net"):
        headers = {"Authorization": auth} if auth is not None else {}
        return s.e.bus("POST", s.namespace, f"/{queue}/messages", b"forged", headers, suffix=suffix)

    def token(resource, key=s.root_key, name=root, se=None, signed=None, order=("sr", "sig", "se", "skn")):
        quoted = urllib.parse.quote(resource, safe="")
        expiry = str(int(time.time()) + 600) if se is None else se
        digest = hmac.new(key.encode(), f"{signed or quoted}\n{expiry}".encode(), hashlib.sha256).digest()
        parts = {"sr": quoted, "sig": urllib.parse.quote(base64.b64encode(digest), safe=""), "se": expiry, "skn": name}
        return "SharedAccessSignature " + "&".join(f"{k}={parts[k]}" for k in order)

    home = f"https://{s.host}"
    good = token(f"{home}/{s.queue}")
    part = dict(p.split("=", 1) for p in good.split(" ")[1].split("&"))
    bad = {
        "another namespace": token(f"https://{second.host}/{s.queue}"),
        "another namespace's key": token(f"{home}/{s.queue}", key=second.root_key),
        "another queue": token(f"{home}/other"),
        "half a name": token(f"{home}/ord"),
        "a longer name": token(f"{home}/{s.queue}2"),
        "below": token(f"{home}/{s.queue}/messages/head/x"),
        "no host": token(f"/{s.queue}"),
        "only a host of another": token("https://evil.example/"),
        "dots": token(f"{home}/other/../{s.queue}"),
        "empty": token(""),
        "expired": token(f"{home}/{s.queue}", se=str(int(time.time()) - 1)),
        "unknown rule": token(f"{home}/{s.queue}", name="nosuch"),
        "another rule's name": token(f"{home}/{s.queue}", name="listen"),
        "no right to send": token(f"{home}/{s.queue}", key=listen, name="listen"),
        "a queue's rule for the namespace": token(f"{home}/", key=listen, name="listen"),
        "signed for something else": token(f"{home}/{s.queue}", signed=urllib.parse.quote(f"{home}/other", safe="")),
        "later": good.replace(part["se"], str(int(part["se"]) + 1000)),
        "empty signature": good.replace(part["sig"], ""),
        "half a signature": good.replace(part["sig"], part["sig"][:20]),
        "no base64": good.replace(part["sig"], "%21%21"),
        "bad escape": good.replace(part["sig"], "%zz"),
        "flipped": good.replace(part["sig"], ("B" if part["sig"][0] == "A" else "A") + part["sig"][1:]),
        "unsigned": "SharedAccessSignature sr=" + part["sr"],
        "twice sr": good + "&sr=" + part["sr"],
        "twice se": good + "&se=99999999999",
        "long": good + "&x=" + "y" * 20_000,
        "no scheme": good.split(" ")[1],
        "bearer": "Bearer " + good.split(" ")[1],
        "lower": good.lower(),
        "nothing": "SharedAccessSignature ",
    }
    for se in ("", "0", "-1", "1e12", "99999999999999999999", "x", "0x7fffffff", "%20" + part["se"]):
        bad[f"expiry {se}"] = token(f"{home}/{s.queue}", se=se)
    for name in ("sr", "sig", "se", "skn"):
        bad[f"without {name}"] = "SharedAccessSignature " + "&".join(f"{k}={v}" for k, v in part.items() if k != name)
    for name, auth in bad.items():
        if name == "long":
            continue  # a part that nobody asked for is ignored
        try:
            refused("servicebus", send(auth), 401)
        except AssertionError as e:
            raise AssertionError(f"{name}: {e}") from e
    refused("servicebus", send(token(f"{home}/{s.queue}"), queue="orders2"), 401)
    # These are as good as the first.
    for auth in (good, token(f"{home}/"), token(home), token(f"sb://{s.host}/{s.queue}"), token(f"HTTPS://{s.host}/{s.queue.upper()}"),
                 token(f"{home}:8443/{s.queue}/"), token(f"https://{s.namespace}.servicebus.localhost/{s.queue}"),
                 token(f"{home}/{s.queue}", order=("skn", "se", "sig", "sr"))):
        send(auth).expect(201)
    send(good, suffix="servicebus.localhost").expect(201)
    # A key that is no more: regenerated, or its rule deleted.
    s.e.arm("POST", f"{s.namespace_path}/AuthorizationRules/{root}/regenerateKeys", {"keyType": "PrimaryKey"}).expect(200)
    refused("servicebus", send(good), 401)
    listening = token(f"{home}/{s.queue}", key=listen, name="listen")
    s.e.bus("DELETE", s.namespace, f"/{s.queue}/messages/head?timeout=0", b"", {"Authorization": listening}).expect(200)
    s.e.arm("DELETE", f"{s.queue_path}/authorizationRules/listen").expect(200)
    refused("servicebus", s.e.bus("DELETE", s.namespace, f"/{s.queue}/messages/head?timeout=0", b"", {"Authorization": listening}), 401)
    well(s.e)


# ---- addresses ----

def test_unknown_hosts(case):
    s = world(case)
    e = s.e

    def ask(lines, version="HTTP/1.1", path="/subscriptions?api-version=2020-01-01"):
        return e.raw("\r\n".join([f"GET {path} {version}", *lines, "Connection: close", "", ""]).encode(), harness.ARM)

    for host in ("evil.example", "azure.com", "vault.azure.net", ".vault.azure.net", "a.b.vault.azure.net", "servicebus.windows.net",
                 "management.azure.com.evil.example", "x" * 300, "x" * 64 + ".vault.azure.net", "management.azure.com:x", "management.azure.com:0",
                 "management.azure.com:65536", "user@management.azure.com", "[::2]", "[::1", "192.168.0.1", "man%61gement.azure.com",
                 "management.azure.com/x", "\xff", "-", "management.azure.com:8443:1"):
        refused("arm", ask([f"Host: {host}"]), 400)
    refused("arm", ask(["Host:"]), 400)
    for version in ("HTTP/1.1", "HTTP/1.0"):
        assert ask([], version).status == 400, version
    refused("arm", ask(["Host: localhost", "Host: evil.example"]), 400)
    refused("arm", ask(["Host: localhost", "host: localhost"]), 400)
    # A name without a vault or namespace behind it: that plane's own words.
    e.https("GET", "nosuchvault.vault.azure.net", "/keys?api-version=7.4", headers=e.bearer(RESOURCES["vault"])).expect(404)
    refused("servicebus", e.bus("POST", "nosuchns", "/q/messages", b"x", s.auth()), 404, 401)
    # Names are taken whatever their case, with a port, a final dot or none of them.
    for host in ("MANAGEMENT.AZURE.COM", f"management.azure.com:{e.https_port}", "management.azure.com.", "localhost:1", "127.0.0.1"):
        refused("arm", ask([f"Host: {host}"]), 401)
    well(e)


def test_odd_urls(case):
    s = world(case)
    auth = {"arm": s.e.bearer(RESOURCES["arm"]), "vault": s.e.bearer(RESOURCES["vault"]), "servicebus": s.auth(), "login": {}, "graph":
            s.e.bearer(RESOURCES["graph"]), "control": {}}
    starts = {"arm": s.namespace_path + "/queues", "vault": "/keys", "servicebus": "", "login": f"/{harness.TENANT}", "graph": "/v1.0/users",
              "control": "/_emulator/namespaces"}
    hosts = {"arm": harness.ARM, "vault": f"{s.vault}.vault.azure.net", "servicebus": s.host, "login": harness.LOGIN,
             "graph": "graph.microsoft.com", "control": f"localhost:{s.e.http_port}"}
    tails = {"arm": "?api-version=2024-01-01", "vault": "?api-version=7.4"}
    before = s.get_namespace()
    for plane, start in starts.items():
        for end in ("%", "%2", "%zz", "%2g", "%00", "a%00b", "%u0041", "%ff", "%c0%af", "..", "%2e%2e", "../../..", "%2e%2e%2f%2e%2e", "a//b",
                    ";", "a;b", "a\\b", "'", '"', "<script>", "{x}", "a%0d%0aX-Injected:%201", "%20", "*", "a|b", "~", "x" * 4000,
                    "/".join("a" * 100), "%41" * 1000):
            for query in ("", "&%zz", "&a=%", "&a=%00", "&=", "&&&&", "&" + "&".join(f"a{i}=1" for i in range(200)), "&x=" + "y" * 8000, "&a=%ff",
                          "&a=b&a=c", "#f", "?"):
                path = f"{start}/{end}{tails.get(plane, '?a=b')}{query}"
                head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {hosts[plane]}", "Connection: keep-alive",
                                    *[f"{k}: {v}" for k, v in auth[plane].items()], "", ""]).encode()
                reply = keep(s, plane, hosts).ask(head)
                assert reply is None or 400 <= reply.status < 500, (plane, path[:200], reply)
                if reply is not None:
                    assert not reply.headers["X-Injected"], (path, reply.headers.items())
                    if not reply.body.startswith(b"<html>"):  # of the HTTP library, which knows no planes
                        refused(plane, reply)
    drop(s)
    # A character escaped that need not be is the character.
    assert s.e.arm("GET", s.namespace_path.replace("storyns", "%73tor%79ns")).expect(200).json() == before
    well(s.e)


class Kept:
    """A bare connection that is made anew when the server has closed it."""

    def __init__(self, e, host):
        self.e, self.host, self.answers = e, host, None

    def ask(self, head):
        for _ in range(2):
            fresh = self.answers is None
            if fresh:
                self.connection = self.e.dial(self.host, timeout=20)
                self.answers = harness.Answers(self.connection)
            try:
                self.connection.sendall(head)
            except OSError:
                pass
            reply = self.answers.next(head.split(b" ", 1)[0].decode("latin-1"))
            if reply is None or reply.headers["Connection"] == "close":
                self.close()
            if reply is not None or fresh:
                return reply
        return None

    def close(self):
        if self.answers is not None:
            self.connection.close()
            self.answers = None


def keep(s, plane, hosts):
    kept = s.__dict__.setdefault("kept", {})
    if plane not in kept:
        kept[plane] = Kept(s.e, None if plane == "control" else hosts[plane])
    return kept[plane]


def drop(s):
    for k in s.__dict__.pop("kept", {}).values():
        k.close()


def test_odd_requests(case):
    """What is not HTTP, or hardly: refused or cut off; the next connection is served."""
    s = world(case)
    e = s.e
    host = f"Host: localhost:{e.http_port}".encode()
    line = b"GET /health HTTP/1.1\r\n"
    odd = [
        b"", b"\r\n", b"\r\n" * 1000, b"GET\r\n\r\n", b"GET /health\r\n\r\n", b"GET  /health  HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"GET /health HTTP/9.9\r\n" + host + b"\r\n\r\n", b"GET /health HTTP/1.1\n" + host + b"\n\n", b"GET /health HTTP/\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), bytes(5000), b"\xff" * 5000, b"A" * 200_000,
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + host + b"\r\n\r\n", b"X" * 40_000 + b" / HTTP/1.1\r\n" + host + b"\r\n\r\n",
        line + host + b"\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", line + host + b"\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        line + host + b"\r\n" + b"y" * 30_000 + b": x\r\n\r\n", line + host + b"\r\n: nameless\r\n\r\n", line + host + b"\r\nNoColon\r\n\r\n",
        line + host + b"\r\n folded\r\n\r\n", line + host + b"\r\nX: a\0b\r\n\r\n", line + host + b"\r\nX : y\r\n\r\n",
        line + host + b"\r\nX: \xff\xfe\r\n\r\n", line + b"Host: localhost\r\nHost: localhost\r\n\r\n",
        line + host + b"\r\nTransfer-Encoding: gzip\r\n\r\n", line + host + b"\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        line + host + b"\r\nExpect: 200-ok\r\n\r\n", line + host + b"\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        line + host + b"\r\nConnection: " + b"x," * 5000 + b"\r\n\r\n", line + host + b"\r\nRange: bytes=0-18446744073709551616\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT localhost:1 HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n\r\n", b"GET http://evil.example/health HTTP/1.1\r\n" + host + b"\r\n\r\n",
        b"TRACE /health HTTP/1.1\r\n" + host + b"\r\nX-Secret: y\r\n\r\n",
    ]
    clock = b"POST /_emulator/clock HTTP/1.1\r\n" + host + b"\r\n"
    for chunks in (b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\nabc", b"5\r\nabc\r\n0\r\n\r\n", b"3;ext=" + b"x" * 70_000 + b"\r\nabc\r\n0\r\n\r\n",
                   b"3\r\nabcX0\r\n\r\n", b"0\r\nTrailer: " + b"x" * 70_000 + b"\r\n\r\n", b"7fffffffffffffff\r\nabc", b"3\nabc\n0\n\n"):
        odd.append(clock + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        odd.append(clock + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    for data in odd:
        for name in (None, harness.ARM):
            with e.dial(name, timeout=20) as c:
                try:
                    c.sendall(data)
                    c.shutdown(socket.SHUT_WR) if name is None else None
                except OSError:
                    pass
                if name is not None:
                    c.settimeout(0.05)  # whether it is told or left waiting for more is up to it
                try:
                    reply = harness.Answers(c).next()
                except TimeoutError:
                    reply = None
                # 500 is the HTTP library's own word for an extension of a chunk that fills its buffer.
                assert reply is None or reply.status < 500 or reply.status in (501, 505) or b";ext=" in data, (data[:200], reply)
                assert reply is None or b"X-Secret" not in reply.body, reply
        well(e)
    assert e.control("GET", "/_emulator/clock").json()["now"] == harness.START


def test_http_1_0_and_pipelining(case):
    s = world(case)
    s.drain()
    e = s.e
    auth = f"Authorization: {s.auth()['Authorization']}\r\n"
    # HTTP/1.0: answered, and the connection closed unless it is asked to stay.
    for keep_alive in (False, True):
        head = f"GET /health HTTP/1.0\r\nHost: localhost\r\n{'Connection: keep-alive' + chr(13) + chr(10) if keep_alive else ''}\r\n".encode()
        with e.dial() as c:
            answers = harness.Answers(c)
            c.sendall(head)
            assert answers.next().status == 200
            if keep_alive:
                c.sendall(head)
                assert answers.next().status == 200
            else:
                assert c.recv(1) == b""
    # Many requests at once on one connection: answered in their order.
    with e.dial(s.host) as c:
        sends = b"".join(f"POST /{s.queue}/messages HTTP/1.1\r\nHost: {s.host}\r\n{auth}Content-Length: {len(str(i))}\r\n\r\n{i}".encode()
                         for i in range(50))
        receives = f"DELETE /{s.queue}/messages/head?timeout=0 HTTP/1.1\r\nHost: {s.host}\r\n{auth}\r\n".encode() * 51
        c.sendall(sends + receives)
        answers = harness.Answers(c)
        assert [answers.next("POST").status for _ in range(50)] == [201] * 50
        got = [answers.next("DELETE") for _ in range(51)]
    assert [r.status for r in got] == [200] * 50 + [204], got
    assert [r.body for r in got[:50]] == [str(i).encode() for i in range(50)], got
    # A refusal in the middle does not confuse what follows.
    with e.dial(s.host) as c:
        good = f"POST /{s.queue}/messages HTTP/1.1\r\nHost: {s.host}\r\n{auth}Content-Length: 1\r\n\r\nx".encode()
        bad = f"POST /{s.queue}/messages HTTP/1.1\r\nHost: {s.host}\r\nContent-Length: 1\r\n\r\ny".encode()
        nowhere = f"PATCH /nowhere HTTP/1.1\r\nHost: {s.host}\r\nContent-Length: 1\r\n\r\nz".encode()
        c.sendall(good + bad + nowhere + good)
        answers = harness.Answers(c)
        assert [answers.next("POST").status for _ in range(4)] == [201, 401, 404, 201]
    assert [b for _, b in s.drain()] == [b"x", b"x"]
    well(e)


def test_answers_wait_for_a_client_that_does_not_read(case):
    """Heads and bodies leave together, or in pieces where the socket is full: every answer comes whole, in its order."""
    s = world(case)
    s.drain()
    e = s.e
    bodies = [f"{i:05}" * 3000 for i in range(600)]
    for i in range(0, len(bodies), 50):
        batch = json.dumps([{"Body": b} for b in bodies[i:i + 50]])
        e.bus("POST", s.namespace, f"/{s.queue}/messages", batch, {**s.auth(), "Content-Type": BATCH}).expect(201)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(e.timeout)
    raw.connect(("127.0.0.1", e.https_port))
    with e.tls.wrap_socket(raw, server_hostname=s.host) as c:
        take = f"DELETE /{s.queue}/messages/head?timeout=0 HTTP/1.1\r\nHost: {s.host}\r\nAuthorization: {s.auth()['Authorization']}\r\n"
        c.sendall((take + "\r\n").encode() * (len(bodies) - 1) + (take + "Connection: close\r\n\r\n").encode())
        # The kernel takes no more of them.
        assert settles(lambda: [e.arm("GET", s.queue_path).json()["properties"]["messageCount"] for _ in range(50)],
                       lambda seen: seen[0] == seen[-1] < len(bodies))
        answers = harness.Answers(c)
        for body in bodies:
            reply = answers.next("DELETE")
            assert reply.status == 200 and reply.body.decode() == body, (reply.status, len(reply.body), body[:5])
        assert answers.next() is None
    well(e)


def test_head_over_tls(case):
    """No body follows the head of an answer to HEAD: it does not wait for one."""
    s = world(case)
    bearer = s.e.bearer(RESOURCES["arm"])["Authorization"]
    with s.e.dial(harness.ARM) as c:
        answers = harness.Answers(c)
        for path in (f"{s.namespace_path}?api-version={BUS_API}", "/nowhere", f"{s.group_path}?api-version={GROUP_API}"):
            for method in ("HEAD", "GET", "HEAD"):
                c.sendall(f"{method} {path} HTTP/1.1\r\nHost: {harness.ARM}\r\nAuthorization: {bearer}\r\n\r\n".encode())
                reply = answers.next(method)
                assert reply.status < 300 or path == "/nowhere" and reply.status == 404, (method, path, reply)
                assert (method == "GET") == (reply.body != b""), (method, path, reply)


def test_two_lengths(case):
    """Where such a request ends nobody knows: it is refused, and what comes behind it is not taken for another one."""
    s = world(case)
    send = Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"x")
    hidden = send.head("Content-Length: 6") + b"hidden"
    for lengths in (("0", str(len(hidden))), (str(len(hidden)), "0"), ("1", "2"), ("1", "01")):
        with send.dial() as c:
            c.sendall(send.head(*(f"Content-Length: {n}" for n in lengths)) + hidden)
            answers = harness.Answers(c)
            refused("servicebus", answers.next("POST"), 400)
            assert answers.next("POST") is None, lengths
    with send.dial() as c:
        c.sendall(send.head("Content-Length: 4", "content-length: 4") + b"same")
        assert harness.Answers(c).next("POST").status == 201
    assert [b for _, b in s.drain()] == [b"kept", b"same"]
    well(s.e)


def test_expect_continue(case):
    s = world(case)
    send = Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"x")
    with send.dial() as c:
        c.sendall(send.head("Content-Length: 4", "Expect: 100-continue"))
        assert c.recv(100).startswith(b"HTTP/1.1 100 ")
        c.sendall(b"body")
        assert harness.Answers(c).next().status == 201
    # Refused without asking for the body.
    with send.dial() as c:
        c.sendall(send.head("Content-Length: 10485760", "Expect: 100-continue"))
        assert c.recv(100).startswith(b"HTTP/1.1 403 ")
    assert [b for _, b in s.drain()] == [b"kept", b"body"]
    well(s.e)


# ---- connections ----

def descriptors(e):
    return len(os.listdir(f"/proc/{e.process.pid}/fd"))


def settles(what, wanted, seconds=10):
    """True as soon as what() is what is wanted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if wanted(what()):
            return True
        time.sleep(0.02)
    return False


def abandon(connection):
    """Closed with a reset, as by a machine that is switched off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_connections_that_break(case):
    s = world(case)
    e = s.e
    send = Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"x")
    put = Call(s, "arm", "PUT", f"{s.namespace_path}/queues/halfdone", None, BUS_API)
    long = Call(s, "servicebus", "DELETE", f"/{s.queue}/messages/head?timeout=60", b"")
    well(e)
    s.drain()
    before = descriptors(e)
    hello = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=harness.ARM)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = hello.read()
    for how in (socket.socket.close, abandon):
        for data in (b"", b"x", b"GET / HTTP/1.1\r\n\r\n", hello[:1], hello[:5], hello[:100], hello[:-1], hello, hello * 3, b"\x16\x03\x01\xff\xff" + bytes(9000),
                     b"\x15\x03\x01\x00\x02\x02\x28", b"\x80\x2e\x01\x00\x02"):
            for _ in range(5):
                raw = socket.create_connection(("127.0.0.1", e.https_port), 10)
                raw.sendall(data)
                how(raw)
        for call, body in ((send, b"part"), (put, b'{"properties":')):
            for n in (10, len(call.head()) - 2, None):
                c = call.dial()
                c.sendall((call.head("Content-Length: 1000") + body)[:n])
                how(c) if how is socket.socket.close else abandon(c)
            c = call.dial()
            c.sendall(call.head("Transfer-Encoding: chunked") + b"10\r\nhalf a ch")
            how(c) if how is socket.socket.close else abandon(c)
        for _ in range(10):  # waiting for a message when they break
            c = long.dial()
            c.sendall(long.head())
            how(c) if how is socket.socket.close else abandon(c)
        for _ in range(10):  # gone before the answer
            c = send.dial()
            c.sendall(send.head("Content-Length: 1") + b"y")
            how(c) if how is socket.socket.close else abandon(c)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    try:
        with old.wrap_socket(socket.create_connection(("127.0.0.1", e.https_port), 10)):
            raise AssertionError("TLS 1.1 is taken")
    except (ssl.SSLError, ConnectionError):
        pass
    e.arm("GET", put.path).expect(404)
    assert {b for _, b in s.drain()} <= {b"y"}
    # A receiver that is gone takes a message with it at most once, and none is left locked or half there.
    s.send("after").expect(201)
    well(e)
    assert settles(lambda: descriptors(e), lambda n: n <= before + 2), (before, descriptors(e))


def test_slow_clients(case):
    """Bodies that come drop by drop hold up nobody else; they are taken when they are complete."""
    s = world(case)
    s.drain()
    send = Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"x")
    put = Call(s, "arm", "PUT", f"{s.namespace_path}/queues/slow", None, BUS_API)
    body = b'{"properties":{"maxDeliveryCount":7}}'
    slow = []
    for i in range(80):
        c = send.dial()
        c.sendall(send.head("Content-Length: 8") + b"s")
        slow.append((c, b"lowly" + b"%02d" % i))
    for _ in range(20):
        c = put.dial()
        c.sendall(put.head(f"Content-Length: {len(body)}") + body[:1])
        slow.append((c, body[1:]))
    headers = [send.dial() for _ in range(40)]
    for c in headers:
        c.sendall(b"POST /orders/mess")
    began = time.monotonic()
    for i in range(50):
        s.send(f"quick{i}").expect(201)
    s.get_namespace()
    well(s.e)
    assert time.monotonic() - began < 60
    assert s.e.state(s.namespace)["messages"]["active"] == 50
    s.e.arm("GET", put.path).expect(404)
    while slow:
        rest = []
        for c, left in slow:
            c.sendall(left[:3])
            if left[3:]:
                rest.append((c, left[3:]))
                continue
            reply = harness.Answers(c).next()
            assert reply.status in (200, 201), reply
            c.close()
        slow = rest
    for c in headers:
        c.close()
    assert {b for _, b in s.drain()} == {b"quick%d" % i for i in range(50)} | {b"slowly%02d" % i for i in range(80)}
    assert s.e.arm("GET", put.path).expect(200).json()["properties"]["maxDeliveryCount"] == 7
    well(s.e)


def test_noise(case):
    """Good requests with a few bytes changed, at random but the same each time."""
    s = world(case)
    s.send("kept too").expect(201)
    dice = random.Random(2026)
    seeds = [(c.plane, c.head(f"Content-Length: {len(b)}") + b) for c in prepared(s) for b in [json.dumps(c.body).encode()]
             if not c.path.endswith("/create")]
    sent = Call(s, "servicebus", "POST", f"/{s.queue}/messages", b"noise", headers={"BrokerProperties": '{"Label":"x"}', "own": '"y"'})
    seeds += [("servicebus", sent.head("Content-Length: 5") + b"noise")] * 5
    extra = [b"\0", b"\xff", b"%", b"\r\n", b"\n", b" ", b'"', b"\\u0000", b"99999999999999999999", b"-1", b"{", b"[" * 50, b"%00", b"=", b"&", b"a" * 9000]

    def mutated(data):
        data = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 4))):
            at, how = dice.randrange(len(data)), dice.randrange(4)
            if how == 0:
                data[at] ^= 1 << dice.randrange(8)
            elif how == 1:
                del data[at:at + dice.randrange(1, 20)]
            elif how == 2:
                data[at:at] = dice.choice(extra)
            else:
                data[at:at] = data[at:at + dice.randrange(1, 60)]
        return bytes(data)

    rounds = int(os.environ.get("E2E_NOISE_ROUNDS", "12"))
    jobs = [(plane, mutated(data)) for _ in range(rounds) for plane, data in seeds]
    hosts = {"arm": harness.ARM, "vault": f"{s.vault}.vault.azure.net", "servicebus": s.host, "graph": "graph.microsoft.com", "control": None}
    problems, lock = [], threading.Lock()

    def work():
        while True:
            with lock:
                if not jobs or problems:
                    return
                plane, data = jobs.pop()
            try:
                with s.e.dial(hosts[plane], timeout=0.1) as c:
                    c.settimeout(0.1)
                    c.sendall(data)
                    reply = harness.Answers(c).next()
                    if reply is not None and reply.status >= 500 and reply.status not in (501, 505):
                        problems.append((data, reply))
            except (OSError, http.client.HTTPException):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems, problems
    well(s.e)
    s.get_namespace()
    if s.e.state(s.namespace)["status"] == "Active":
        assert {b"kept", b"kept too"} <= {b for _, b in s.drain()}
