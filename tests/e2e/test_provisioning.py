"""--provisioning-delay: namespaces pass through the recorded states on the emulator's clock, so that pollers have something to
wait for; what is done meanwhile gets the recorded conflict."""

import urllib.parse

import harness
from test_encryption import refused

OLD, NEW = "2021-11-01", "2024-01-01"


def up(case, delay="60"):
    s = case.story("--provisioning-delay", delay)
    s.make_group()
    return s


def state(s, api=NEW):
    p = s.e.arm("GET", s.namespace_path, api=api).expect(200).json()["properties"]
    return p["provisioningState"], p["status"]


def states(reply):
    p = reply.json()["properties"]
    return p["provisioningState"], p["status"]


def settled(s):
    s.e.advance("PT60S")
    assert state(s) == ("Succeeded", "Active")


def test_create_by_generation_of_the_provider(case):
    s = up(case)
    plain = s.body(identity={"type": "None"})
    assert states(s.put(plain).expect(201)) == ("Creating", "Creating")
    assert state(s, OLD) == ("Created", "Activating")
    s.e.advance("PT59S")
    assert state(s) == ("Creating", "Creating")
    s.e.advance("PT1S")
    assert state(s) == state(s, OLD) == ("Succeeded", "Active")
    one = harness.Story(s.e, namespace="identityns")
    assert states(one.put(one.body(), api=OLD).expect(200)) == ("ActivatingIdentity", "Activating")
    s.e.advance("PT31S")
    assert state(one, OLD) == ("ActivatingIdentity", "Active")
    s.e.advance("PT29S")
    assert state(one, OLD) == ("Succeeded", "Active")


def test_update_encryption_and_identity(case):
    s = up(case)
    s.make_vault()
    s.make_key("key1")
    s.make_namespace()
    s.allow()
    settled(s)
    assert states(s.put(s.body(["key1"]), api=OLD).expect(200)) == ("Updating", "Activating")
    assert state(s) == ("Updating", "Updating")
    settled(s)
    both = s.patch({"tags": {"a": "b"}}).expect(200)
    assert states(both) == ("Updating", "Updating")
    settled(s)
    assert s.listed_keys() == ["key1"]


def test_encrypted_create(case):
    s = up(case)
    s.make_vault()
    s.make_key("key1")
    path = f"{s.group_path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai"
    uai = s.e.arm("PUT", path, {"location": "northeurope"}, api="2023-01-31").expect(200, 201).json()
    s.allow(uai["properties"]["principalId"])
    body = s.body([{"keyName": "key1", "keyVaultUri": s.vault_uri, "identity": {"userAssignedIdentity": path}}],
                  identity={"type": "UserAssigned", "userAssignedIdentities": {path: {}}})
    assert states(s.put(body, api=OLD).expect(200)) == ("EnablingEncryption", "Activating")
    settled(s)
    assert states(s.patch({"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {path: {}}}}).expect(200)) == \
        ("ActivatingIdentity", "ActivatingIdentity")


def test_what_is_done_meanwhile_gets_the_recorded_conflict(case):
    s = up(case)
    s.make_namespace()
    text = f"The namespace storyns in subscription {harness.SUB} is in transitioning state, its current state is Creating."
    for method, path, body in (("PUT", "", s.body()), ("PATCH", "", {"tags": {}}), ("DELETE", "", None), ("PUT", "/queues/q", {}),
                               ("PUT", "/topics/t", {}), ("PUT", "/AuthorizationRules/r", {"properties": {"rights": ["Send"]}})):
        error = s.e.arm(method, s.namespace_path + path, body).expect(429).json()["error"]
        assert error == {"code": "NamespaceInTransition", "message": text}, error
    settled(s)
    s.make_queue()
    s.put(s.body()).expect(200)
    error = s.put(s.body()).expect(429).json()["error"]
    assert error["message"].endswith("its current state is Updating."), error


def poll(s, location):
    url = urllib.parse.urlsplit(location)
    assert url.scheme == "https" and url.netloc, location  # clients insist on absolute URLs
    return s.e.https("GET", url.hostname, f"{url.path}?{url.query}", None, s.e.bearer("https://management.azure.com"))


def test_delete_takes_its_time(case):
    for api, shown in ((OLD, ("Succeeded", "Removing")), ("2022-10-01-preview", ("Succeeded", "Removing")), (NEW, ("Deleting", "Deleting"))):
        s = up(case)
        s.make_namespace()
        settled(s)
        gone = s.e.arm("DELETE", s.namespace_path, api=api).expect(202)
        location = gone.headers["Location"]
        assert gone.body == b"" and state(s, api) == shown
        going = poll(s, location).expect(202)
        assert int(going.headers["Retry-After"]) > 0
        refused(s.put(s.body()), 429, "its current state is Deleting.")
        if api == NEW:  # an acknowledged deletion survives
            s.e.restart(kill=True)
            assert state(s, api) == shown
        s.e.advance("PT60S")
        poll(s, location).expect(204)
        s.e.arm("GET", s.namespace_path).expect(404)
        s.put(s.body()).expect(201)


def test_a_restart_finds_what_is_under_way(case):
    s = up(case)
    identity = harness.Story(s.e, namespace="identityns")
    s.put(s.body(identity={"type": "None"})).expect(201)
    identity.put(identity.body(), api=OLD).expect(200)
    s.e.advance("PT20S")
    s.e.restart(kill=True)
    assert state(s) == ("Creating", "Creating") and state(s, OLD) == ("Created", "Activating")
    assert state(identity, OLD) == ("ActivatingIdentity", "Activating")
    refused(s.patch({"tags": {}}), 429, "its current state is Creating.")
    s.e.advance("PT39S")
    assert state(s) == ("Creating", "Creating")
    s.e.advance("PT1S")
    assert state(s) == ("Succeeded", "Active")
    s.patch({"tags": {"a": "b"}}).expect(200)
    s.e.restart()
    assert state(s) == ("Updating", "Updating") and state(identity) == ("Succeeded", "Active")
    settled(s)
    s.e.restart()
    assert state(s) == ("Succeeded", "Active")


def test_a_group_is_deleted_at_once_all_the_same(case):
    s = up(case)
    s.make_namespace()
    s.e.arm("DELETE", s.group_path, api="2021-04-01").expect(200, 202)
    s.e.arm("GET", s.namespace_path).expect(404)


def test_without_a_delay_everything_is_done_at_once(case):
    s = case.story()
    s.make_group()
    made = s.make_namespace()
    assert (made["properties"]["provisioningState"], made["properties"]["status"]) == ("Succeeded", "Active")
    location = s.e.arm("DELETE", s.namespace_path).expect(202).headers["Location"]
    poll(s, location).expect(204)
    s.e.arm("GET", s.namespace_path).expect(404)
