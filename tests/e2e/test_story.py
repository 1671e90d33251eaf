"""The article's story from end to end, as issue and README tell it: enable customer keys, rotate, lose them, get them back."""

import json

MARKER = "plaintext-marker-4c1f"


def sent_story(case, **more):
    """A namespace under three keys with two messages in its queue; all bodies and properties hold the marker."""
    s = case.story(**more)
    s.make_all()
    for i in (1, 2):
        s.send(f"{MARKER} body {i}", **{"Content-Type": "text/plain", "priority": f'"{MARKER}"',
                                        "BrokerProperties": json.dumps({"Label": MARKER})}).expect(201)
    return s


def key_states(s):
    return {k["keyName"]: k["state"] for k in s.e.state(s.namespace)["encryption"]["keys"]}


def test_the_articles_story(case):
    s = sent_story(case)
    e = s.e
    encryption = s.get_namespace()["properties"]["encryption"]
    assert encryption["keySource"] == "Microsoft.KeyVault", encryption
    assert s.listed_keys() == s.keys
    assert key_states(s) == {"key1": "Active", "key2": "Active", "key3": "Active"}

    # Stored sealed: the row shows its header and bytes, and no file holds the text.
    row = e.at_rest(s.namespace, s.queue, 1)
    assert row["sealed"].startswith(b"SBE1".hex()), row
    assert row["header"]["version"] == 1
    assert MARKER.encode().hex() not in json.dumps(row)
    assert not e.on_disk(MARKER.encode())

    # Rotate: the next poll wraps again under the new version.
    before = {k["keyName"]: k["wrappedVersion"] for k in e.state(s.namespace)["encryption"]["keys"]}
    version = e.vault("POST", s.vault, "/keys/key1/rotate").expect(200).json()["key"]["kid"].rsplit("/", 1)[1]
    mark = e.events()[-1]["id"]
    polled = e.advance("PT5M")
    assert polled["counts"].get("poll"), polled
    after = {k["keyName"]: k["wrappedVersion"] for k in e.state(s.namespace)["encryption"]["keys"]}
    assert after == {**before, "key1": version}, (before, after)
    logged = e.events(mark, "key")
    assert [(r["operation"], r["key"]) for r in logged] == [("wrapKey", "key1")], logged

    # One key revoked: it leaves the record; everything works.
    e.vault("PATCH", s.vault, "/keys/key2", {"attributes": {"enabled": False}}).expect(200)
    e.advance("PT5M")
    assert s.listed_keys() == ["key1", "key3"]
    assert key_states(s) == {"key1": "Active", "key2": "Revoked", "key3": "Active"}
    s.send("while one key is revoked").expect(201)

    # All revoked: the cached key serves until the poll, then nothing does.
    s.deny()
    s.send("until the poll").expect(201)
    mark = e.events()[-1]["id"]
    e.advance("PT5M")
    assert {(r["operation"], r["key"]) for r in e.events(mark, "key")} == {("disable", "key1"), ("disable", "key3")}
    shown = s.get_namespace()["properties"]
    assert shown["status"] == "Revoked" and shown["encryption"]["status"] == "Revoked", shown
    assert shown["encryption"]["keyVaultProperties"] == []
    for reply in (s.send("x"), s.peek_lock(), s.receive(), s.receive(queue="nosuch")):
        reply.expect(403)
        assert b"encryption key is no longer valid" in reply.body, reply
    e.bus("POST", s.namespace, f"/{s.queue}/messages", b"x", {"Authorization": "SharedAccessSignature sr=x&sig=x&se=1&skn=x"}).expect(401)

    # Still so after a restart.
    e.restart()
    assert s.get_namespace()["properties"]["status"] == "Revoked"
    s.receive().expect(403)
    assert not e.on_disk(MARKER.encode())

    # Access back: the next poll brings everything back.
    s.allow()
    e.vault("PATCH", s.vault, "/keys/key2", {"attributes": {"enabled": True}}).expect(200)
    s.receive().expect(403)
    mark = e.events()[-1]["id"]
    e.advance("PT5M")
    assert {(r["operation"], r["key"]) for r in e.events(mark, "key")} == {("restore", k) for k in s.keys}
    assert s.listed_keys() == s.keys
    assert s.get_namespace()["properties"]["status"] == "Active"
    assert s.drain() == [(1, f"{MARKER} body 1".encode()), (2, f"{MARKER} body 2".encode()),
                         (3, b"while one key is revoked"), (4, b"until the poll")]


def test_properties_come_back_with_the_message(case):
    s = sent_story(case)
    got = s.receive().expect(200)
    assert got.body == f"{MARKER} body 1".encode()
    assert got.headers["Content-Type"].startswith("text/plain"), got.headers
    assert got.headers["priority"] == f'"{MARKER}"'
    assert json.loads(got.headers["BrokerProperties"])["Label"] == MARKER


def revoke_and_restore(case, revoke, restore, kill=False):
    """What was sent before comes back whatever the way the keys went."""
    s = sent_story(case)
    for k in s.keys:
        revoke(s, k)
    assert s.e.poll(s.namespace)
    s.receive().expect(403)
    s.e.restart(kill=kill)
    s.receive().expect(403)
    for k in s.keys:
        restore(s, k)
    s.e.poll(s.namespace)
    assert s.listed_keys() == s.keys
    assert s.drain() == [(1, f"{MARKER} body 1".encode()), (2, f"{MARKER} body 2".encode())]


def _enable(s, key, on):
    s.e.vault("PATCH", s.vault, f"/keys/{key}", {"attributes": {"enabled": on}}).expect(200)


def test_keys_disabled_and_enabled_again(case):
    revoke_and_restore(case, lambda s, k: _enable(s, k, False), lambda s, k: _enable(s, k, True))


def test_keys_deleted_and_recovered(case):
    revoke_and_restore(case, lambda s, k: s.e.vault("DELETE", s.vault, f"/keys/{k}").expect(200),
                       lambda s, k: s.e.vault("POST", s.vault, f"/deletedkeys/{k}/recover").expect(200))


def test_keys_disabled_and_the_program_killed(case):
    revoke_and_restore(case, lambda s, k: _enable(s, k, False), lambda s, k: _enable(s, k, True), kill=True)


def test_vault_deleted_and_recovered(case):
    s = sent_story(case)
    s.e.arm("DELETE", s.vault_path, api="2022-07-01").expect(200)
    s.e.poll(s.namespace)
    assert key_states(s) == {k: "Revoked" for k in s.keys}
    assert {k["code"] for k in s.e.state(s.namespace)["encryption"]["keys"]} == {"404"}
    s.receive().expect(403)
    s.e.arm("PUT", s.vault_path, {"location": "northeurope", "properties": {"createMode": "recover"}},
            api="2022-07-01").expect(200, 201)
    s.e.poll(s.namespace)
    assert len(s.drain()) == 2


def test_the_update_template_deploys_again_on_a_revoked_namespace(case):
    s = sent_story(case)
    s.deny()
    s.e.poll(s.namespace)
    assert s.listed_keys() == []
    s.put_template(s.encryption_resource()).expect(200, 409)
    s.allow()
    s.e.poll(s.namespace)
    assert len(s.drain()) == 2


def test_keys_unreachable_are_not_revoked(case):
    s = sent_story(case)
    s.e.fault(s.vault, "unreachable")
    s.e.advance("PT5M")
    assert s.listed_keys() == s.keys
    s.send("with the cached key").expect(201)
    s.e.restart()
    s.receive().expect(503)
    assert s.e.state(s.namespace)["status"] == "Unreachable"
    assert s.get_namespace()["properties"]["status"] == "Active"
    s.e.control("DELETE", "/_emulator/faults").expect(204)
    s.e.poll(s.namespace)
    assert len(s.drain()) == 3


def test_without_the_vaults_database_nothing_opens(case):
    """Contract 5: servicebus.db and platform.key together open no message of a namespace under customer keys."""
    import os
    s = sent_story(case)
    s.e.stop()
    assert "storage.missing" not in s.e.read_log()
    os.remove(os.path.join(s.e.data, "keyvault.db"))
    s.e.start()
    assert "storage.missing" in s.e.read_log()
    s.e.poll(s.namespace)
    assert s.e.state(s.namespace)["status"] == "Revoked"


def test_local_names(case):
    """The same by the names below localhost: answers carry the names that were asked."""
    s = sent_story(case)
    e = s.e
    shown = e.arm("GET", s.namespace_path, host="management.localhost").expect(200).json()
    assert shown["properties"]["serviceBusEndpoint"] == f"https://{s.namespace}.servicebus.localhost:{e.https_port}/", shown
    shown = e.arm("GET", s.namespace_path).expect(200).json()
    assert shown["properties"]["serviceBusEndpoint"] == f"https://{s.namespace}.servicebus.windows.net:{e.https_port}/", shown
    key = e.vault("GET", s.vault, "/keys/key1", suffix="vault.localhost").expect(200).json()
    assert key["key"]["kid"].startswith(f"https://{s.vault}.vault.localhost:{e.https_port}/keys/key1/"), key
    assert e.bus("DELETE", s.namespace, f"/{s.queue}/messages/head?timeout=0", None, s.auth(),
                 suffix="servicebus.localhost").expect(200).body == f"{MARKER} body 1".encode()
