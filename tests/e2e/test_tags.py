"""Microsoft.Resources/tags/default on whatever has tags; and that each plane gives back and logs the caller's ids."""

import urllib.parse

import harness

API = "2021-04-01"
GROUP = f"/subscriptions/{harness.SUB}/resourceGroups/rg"


def test_tags_of_every_type(case):
    s = case.story()
    s.make_group()
    s.make_namespace()
    s.make_vault()
    e = s.e
    identity = GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tagged"
    e.arm("PUT", identity, {"location": "westus", "tags": {"first": "1"}}, api="2023-01-31").expect(201)
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/{s.vault}"
    for path, api in ((GROUP, API), (s.namespace_path, "2024-01-01"), (vault, "2023-07-01"), (identity, "2023-01-31")):
        tags = path + "/providers/Microsoft.Resources/tags/default"
        before = e.arm("GET", path, api=api).expect(200).json()

        def change(operation, sent):
            return e.arm("PATCH", tags, {"operation": operation, "properties": {"tags": sent}}, api=API).expect(200).json()["properties"]["tags"]

        put = e.arm("PUT", tags, {"properties": {"tags": {"a": "1", "b": "2"}}}, api=API).expect(200).json()
        assert (put["id"].lower(), put["name"], put["type"], put["properties"]) == (
            tags.lower(), "default", "Microsoft.Resources/tags", {"tags": {"a": "1", "b": "2"}}), put
        assert change("Merge", {"b": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}
        assert change("Delete", {"b": "3", "a": "other"}) == {"a": "1", "c": "4"}
        assert change("replace", {"d": "5"}) == {"d": "5"} == e.arm("GET", tags, api=API).expect(200).json()["properties"]["tags"]
        after = e.arm("GET", path, api=api).expect(200).json()
        assert after.pop("tags") == {"d": "5"} and {k for k in after} == {k for k in before} - {"tags"}, after
        for bad in ({}, {"properties": {}}, {"properties": {"tags": {"a": 1}}}, {"properties": {"tags": {"a": "x" * 300}}},
                    {"properties": {"tags": {str(i): "x" for i in range(60)}}}):
            e.arm("PUT", tags, bad, api=API).expect(400)
            e.arm("PATCH", tags, {**bad, "operation": "Merge"}, api=API).expect(400)
        longest = {"\u00e9" * 512: "\u00e9" * 256}  # characters count, not bytes
        e.arm("PUT", tags, {"properties": {"tags": longest}}, api=API).expect(200)
        assert e.arm("GET", tags, api=API).json()["properties"]["tags"] == longest
        e.arm("PUT", tags, {"properties": {"tags": {"d": "5"}}}, api=API).expect(200)
        e.arm("PATCH", tags, {"operation": "Magic", "properties": {"tags": {}}}, api=API).expect(400)
        assert e.arm("GET", tags, api=API).json()["properties"]["tags"] == {"d": "5"}
        e.arm("DELETE", tags, api=API).expect(200)
        assert e.arm("GET", tags, api=API).json()["properties"]["tags"] == {}
    for gone in (GROUP + "x", GROUP + "/providers/Microsoft.ServiceBus/namespaces/none", GROUP + "/providers/Microsoft.Resources/tags/default"):
        e.arm("GET", gone + "/providers/Microsoft.Resources/tags/default", api=API).expect(404)
        e.arm("PUT", gone + "/providers/Microsoft.Resources/tags/default", {"properties": {"tags": {}}}, api=API).expect(404)


def test_ids_come_back_and_are_logged(case):
    e = case.emulator("--log-level", "debug")
    login = f"/{harness.TENANT}/v2.0/.well-known/openid-configuration"
    for host, path, sent, given in ((harness.ARM, "/subscriptions?api-version=2022-12-01", "x-ms-client-request-id", "x-ms-request-id"),
                                    ("any.vault.azure.net", "/keys?api-version=7.4", "x-ms-client-request-id", "x-ms-request-id"),
                                    (harness.LOGIN, login, "client-request-id", "x-ms-request-id"),
                                    ("graph.microsoft.com", "/v1.0/users", "client-request-id", "request-id"),
                                    ("any.servicebus.windows.net", "/q/messages/head", "x-ms-client-request-id", None)):
        mine = f"mine-{host}"
        reply = e.https("GET", host, path, None, {sent: mine})
        assert reply.headers[sent] == mine, (host, reply.headers)
        lines = [line for line in e.read_log().splitlines() if f"clientRequestId={mine}" in line]
        assert len(lines) == 1, (host, lines)
        assert given is None or f"requestId={reply.headers[given]}" in lines[0], (lines, reply.headers)
    marked = "aaaaaaaa-1111-2222-3333-444444444444"
    reply = e.arm("GET", "/subscriptions", api="2022-12-01", headers={"x-ms-correlation-request-id": marked}).expect(200)
    assert reply.headers["x-ms-correlation-request-id"] == marked and f"correlationId={marked}" in e.read_log()
    assert reply.headers["x-ms-ratelimit-remaining-subscription-reads"].isdigit()
    long = e.https("GET", harness.LOGIN, login, None, {"client-request-id": "x" * 4000}).expect(200)
    assert long.headers["client-request-id"] is None


def test_providers(case):
    e = case.emulator()
    base = f"/subscriptions/{harness.SUB}/providers"

    def state(name):
        return e.arm("GET", f"{base}/{name}", api=API).expect(200).json()["registrationState"]

    assert state("Microsoft.ServiceBus") == state("Contoso.Unknown") == "Registered"
    gone = e.arm("POST", f"{base}/microsoft.servicebus/unregister", api=API).expect(200).json()
    assert (gone["namespace"], gone["registrationState"]) == ("Microsoft.ServiceBus", "Unregistered"), gone
    e.restart()
    assert state("Microsoft.ServiceBus") == "Unregistered" and state("Microsoft.KeyVault") == "Registered"
    listed = {p["namespace"]: p["registrationState"] for p in e.arm("GET", base, api=API).expect(200).json()["value"]}
    assert listed["Microsoft.ServiceBus"] == "Unregistered" and listed["Microsoft.KeyVault"] == "Registered", listed
    assert e.arm("POST", f"{base}/Microsoft.ServiceBus/register", api=API).expect(200).json()["registrationState"] == "Registered"
    e.arm("POST", f"{base}/Microsoft.Resources/unregister", api=API).expect(200)
    assert state("Microsoft.Resources") == "Registered"
    e.arm("POST", f"{base}/nodots/register", api=API).expect(404)
    e.arm("POST", f"{base}/Microsoft.KeyVault/unregister", api=API).expect(200)
    e.control("POST", "/_emulator/reset").expect(204)
    assert state("Microsoft.KeyVault") == "Registered"


def test_names_of_groups_count_characters(case):
    """Not bytes: a name of any alphabet has up to 90."""
    e = case.emulator()
    for n, status in ((90, 201), (91, 400)):
        name = urllib.parse.quote("\u00e9" * n)
        e.arm("PUT", f"/subscriptions/{harness.SUB}/resourceGroups/{name}", {"location": "westus"}, api=API).expect(status)
    assert [g["name"] for g in e.arm("GET", f"/subscriptions/{harness.SUB}/resourceGroups", api=API).expect(200).json()["value"]] == ["\u00e9" * 90]
