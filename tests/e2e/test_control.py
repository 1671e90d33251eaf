"""The control plane over its port: clock, faults, events, reset, identity tokens, and who may ask."""

import json
import os
import ssl
import urllib.parse

import harness

VAULT_RESOURCE = urllib.parse.quote("https://vault.azure.net", safe="")
TOKEN = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={VAULT_RESOURCE}"


def error_of(reply, *statuses):
    body = reply.expect(*statuses).json()
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message"}, body
    return body["error"]


def test_health_clock_and_capabilities(case):
    e = case.emulator()
    assert e.control("GET", "/health").expect(200).json() == {"status": "healthy", "message": "Service is healthy."}
    clock = e.control("GET", "/_emulator/clock").expect(200).json()
    assert clock["now"] == harness.START and clock["mode"] == "manual", clock
    assert e.advance("PT5M")["now"] == "2026-01-01T00:05:00Z"
    assert e.control("POST", "/_emulator/clock", {"advanceSeconds": 55}).expect(200).json()["now"] == "2026-01-01T00:05:55Z"
    can = e.control("GET", "/_emulator/capabilities").expect(200).json()
    assert {r["plane"] for r in can["routes"]} == {"arm", "login", "vault", "servicebus", "graph", "control"}, can
    assert e.control("GET", "/_emulator/ca.pem").expect(200).body.decode() == e.ca


def test_bad_requests(case):
    e = case.emulator()
    for body in ("", "{}", "[]", "{", '{"advance":"5"}', '{"advance":"P3Y"}', '{"advanceSeconds":-1}', '{"advance":"PT1S","x":1}',
                 '{"advance":"PT1S","advance":"PT1S"}', '{"advance":"PT1S\\u0000"}', '{"advanceSeconds":18446744073709551616}'):
        error_of(e.control("POST", "/_emulator/clock", body), 400)
    error_of(e.control("POST", "/_emulator/clock", "x" * 100_000), 413)
    error_of(e.control("GET", "/_emulator/nosuch"), 404)
    error_of(e.control("PUT", "/_emulator/clock", "{}"), 405)
    error_of(e.control("GET", "/_emulator/namespaces/nosuch"), 404)
    assert e.control("GET", "/_emulator/clock").json()["now"] == harness.START


def test_the_control_plane_is_not_on_the_https_port(case):
    e = case.emulator()
    for path in ("/health", "/_emulator/clock", TOKEN):
        assert e.https("GET", "localhost", path).status in (400, 401, 404)


def test_hosts_and_origins(case):
    e = case.emulator("--control-host", "emulator")
    port = e.http_port
    for host in ("localhost", f"localhost:{port}", "any.localhost", "127.0.0.1", f"127.0.0.1:{port}", "169.254.169.254", "emulator"):
        e.control("GET", "/_emulator/clock", headers={"Host": host}).expect(200)
    for host in ("evil.example", "localhost.evil.example", "management.azure.com", "10.0.0.1", "", "127.0.0.2"):
        error_of(e.control("GET", "/_emulator/clock", headers={"Host": host}), 403, 400)
    for origin in ("http://evil.example", "null", f"http://localhost.evil.example:{port}", "http://localhost:1"):
        error_of(e.control("POST", "/_emulator/reset", headers={"Host": f"localhost:{port}", "Origin": origin}), 403)
    same = e.control("GET", "/_emulator/clock", headers={"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}).expect(200)
    assert not [h for h in same.headers if h.lower().startswith("access-control-")]


def test_the_clock_survives_restarts_and_kills(case):
    e = case.emulator()
    e.advance("P30DT1H")
    e.restart()
    assert e.control("GET", "/_emulator/clock").json()["now"] == "2026-01-31T01:00:00Z"
    e.advance("PT1S")
    e.restart(kill=True)
    assert e.control("GET", "/_emulator/clock").json()["now"] == "2026-01-31T01:00:01Z"


def test_a_real_clock_advances_by_an_offset(case):
    e = case.emulator(clock="real", now=None)
    clock = e.control("GET", "/_emulator/clock").expect(200).json()
    assert clock["mode"] == "real" and clock["offsetSeconds"] == 0, clock
    e.advance("P1D")
    assert 86399 <= e.control("GET", "/_emulator/clock").json()["offsetSeconds"] <= 86401
    e.restart()
    assert 86399 <= e.control("GET", "/_emulator/clock").json()["offsetSeconds"] <= 86401


def test_an_advance_runs_everything_in_order(case):
    s = case.story()
    s.make_all()
    s.send("locked").expect(201)
    s.send("short", **{"BrokerProperties": json.dumps({"TimeToLive": 90})}).expect(201)
    s.peek_lock().expect(201)
    done = s.e.advance("PT6M")
    kinds = [(ev["time"], ev["kind"]) for ev in done["events"]]
    assert kinds == sorted(kinds, key=lambda k: k[0]), kinds
    assert done["total"] == sum(done["counts"].values()) == len(done["events"]) and not done["truncated"], done
    assert {"poll", "lockExpired", "messageExpired"} <= set(done["counts"]), done["counts"]
    assert [b for _, b in s.drain()] == [b"locked"]


def test_events_page_by_id(case):
    s = case.story()
    s.make_all()
    rows = s.e.events()
    ids = [r["id"] for r in rows]
    assert ids == sorted(set(ids)) and {r["stream"] for r in rows} == {"key", "audit"}
    for r in rows:
        if r["stream"] == "key":
            assert set(r) >= {"TaskName", "category", "resourceId", "keyVault", "key", "version", "operation", "code", "message"}, r
        else:
            assert set(r) >= {"operationName", "resultType", "httpStatusCode", "time"}, r
    page = s.e.control("GET", f"/_emulator/events?since={ids[2]}&limit=2").json()
    assert [r["id"] for r in page["events"]] == ids[3:5] and page["gap"] is False
    s.e.restart()
    assert [r["id"] for r in s.e.events()][:len(ids)] == ids


def test_faults(case):
    s = case.story()
    s.make_all()
    e = s.e
    set_ = e.fault(s.vault.upper(), "error", count=2, status=500)
    assert set_ == {"target": f"vault:{s.vault}", "fault": "error", "count": 2, "status": 500, "scope": "service"}, set_
    e.vault("GET", s.vault, "/keys/key1").expect(200)  # clients do not meet it
    e.restart()
    e.control("DELETE", "/_emulator/faults").expect(204)
    e.poll(s.namespace)  # waits for the first poll after the start, which is the last one here: the hits below are ours
    for fault, status in (("throttle", 429), ("error", 503)):
        e.fault(s.vault, fault, scope="all", count=1)
        e.vault("GET", s.vault, "/keys/key1").expect(status)
        e.vault("GET", s.vault, "/keys/key1").expect(200)
    assert e.control("GET", "/_emulator/faults").json() == {"faults": []}


def rows_in(path):
    import sqlite3
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)  # leaves no file of its own
    try:
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite%'")]
        return {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}
    finally:
        db.close()


def test_reset_leaves_nothing(case):
    s = case.story()
    e = s.e
    s.make_all()
    s.send("gone-after-reset-7b21").expect(201)
    e.vault("DELETE", s.vault, "/keys/key3").expect(200)
    second = harness.Story(e, group="rg2", vault="secondvault")
    second.make_group()
    second.make_vault()
    e.arm("DELETE", second.vault_path, api="2022-07-01").expect(200)
    e.fault(s.vault, "timeout")
    e.control("POST", "/_emulator/reset").expect(204)
    e.arm("GET", s.group_path, api="2021-04-01").expect(404)
    e.control("GET", f"/_emulator/namespaces/{s.namespace}").expect(404)
    assert e.events() == []
    assert e.control("GET", "/_emulator/faults").json() == {"faults": []}
    e.stop()
    left = {**rows_in(os.path.join(e.data, "servicebus.db")), **rows_in(os.path.join(e.data, "keyvault.db"))}
    assert not {t: n for t, n in left.items() if n and t != "meta"}, left
    e.start()
    # The same story again, by the same names.
    s.make_all()
    s.send("again").expect(201)
    assert [b for _, b in s.drain()] == [b"again"]


def test_reset_under_traffic(case):
    import threading
    s = case.story()
    s.make_all()
    statuses, stop = set(), threading.Event()

    def traffic():
        own = harness.Emulator.__new__(harness.Emulator)
        own.__dict__ = {**s.e.__dict__, "connections": {}}
        mine = harness.Story(own)
        mine.root_key = s.root_key
        while not stop.is_set():
            statuses.add(mine.send("x").status)
            statuses.add(mine.receive().status)

    threads = [threading.Thread(target=traffic) for _ in range(3)]
    for t in threads:
        t.start()
    s.e.control("POST", "/_emulator/reset").expect(204)
    stop.set()
    for t in threads:
        t.join()
    assert not statuses & {500, 502}, statuses
    s.make_all()
    s.send("after").expect(201)


def test_managed_identity_tokens(case):
    s = case.story()
    s.make_all(encrypt=False)
    e = s.e
    token = e.control("GET", TOKEN, headers={"Metadata": "true"}).expect(200).json()
    assert set(token) >= {"access_token", "client_id", "expires_in", "expires_on", "not_before", "resource", "token_type"}, token
    assert all(isinstance(v, str) for v in token.values())
    reply = e.https("GET", f"{s.vault}.vault.azure.net", "/keys/key1?api-version=7.4",
                    headers={"Authorization": "Bearer " + token["access_token"]}).expect(200)
    assert reply.json()["key"]["kty"] == "RSA"
    # The namespace's own identity, by its object id: it may what the policy gives it, and no more.
    mine = e.control("GET", TOKEN + f"&object_id={s.principal}", headers={"Metadata": "true"}).expect(200).json()["access_token"]
    auth = {"Authorization": "Bearer " + mine}
    e.https("GET", f"{s.vault}.vault.azure.net", "/keys/key1?api-version=7.4", headers=auth).expect(200)
    e.https("GET", f"{s.vault}.vault.azure.net", "/keys?api-version=7.4", headers=auth).expect(403)
    for headers, path, status in (({}, TOKEN, 400), ({"Metadata": "false"}, TOKEN, 400),
                                  ({"Metadata": "true", "X-Forwarded-For": "1.2.3.4"}, TOKEN, 403),
                                  ({"Metadata": "true"}, "/metadata/identity/oauth2/token", 400),
                                  ({"Metadata": "true"}, TOKEN + "&client_id=nosuch", 400)):
        body = e.control("GET", path, headers=headers).expect(status).json()
        assert set(body) == {"error", "error_description"}, body


def test_withdrawing_a_hidden_key(case):
    s = case.story()
    s.make_all()
    e = s.e
    path = f"/_emulator/namespaces/{s.namespace}/keys/key2?keyVaultUri={urllib.parse.quote(s.vault_uri, safe='')}"
    e.vault("PATCH", s.vault, "/keys/key2", {"attributes": {"enabled": False}}).expect(200)
    e.poll(s.namespace)
    e.control("DELETE", path).expect(204)
    assert [k["keyName"] for k in e.state(s.namespace)["encryption"]["keys"]] == ["key1", "key3"]
    error_of(e.control("DELETE", path), 404)
    error_of(e.control("DELETE", path.split("?")[0]), 400)


def test_in_memory_leaves_the_data_folder_alone(case):
    e = case.emulator("--in-memory")
    s = harness.Story(e)
    s.make_all()
    s.send("in memory").expect(201)
    assert [b for _, b in s.drain()] == [b"in memory"]
    assert not os.path.exists(os.path.join(e.data, "servicebus.db"))
    ca = e.ready["ca"]
    e.stop()
    assert not os.path.exists(ca), "the temporary folder of the certificates is left behind"


def test_certificate_covers_the_names_and_nothing_else(case):
    e = case.emulator()
    for host in ("management.azure.com", "login.microsoftonline.com", "a-vault.vault.azure.net", "a-ns.servicebus.windows.net",
                 "graph.microsoft.com", "localhost", "management.localhost", "v.vault.localhost", "n.servicebus.localhost"):
        e.https("GET", host, "/")
    try:
        e.https("GET", "example.com", "/")
        raise AssertionError("the certificate holds for example.com")
    except ssl.SSLCertVerificationError:
        pass
