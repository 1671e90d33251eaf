"""A Revoked namespace (semantics 11, 12, 17, 18): what ARM and data plane answer, what stands still, and what comes back."""

import json
import threading
import time

import harness
from test_encryption import assign, encrypted, make_uai, users

SENTENCE = b"the Service Bus namespace is disabled because the encryption key is no longer valid."
DATA_OWNER = "090c5cfd-751d-490a-894a-3ce6f1109419"


# ---- helpers ----

def revoke(s):
    s.deny()
    s.e.poll(s.namespace)
    assert s.get_namespace()["properties"]["status"] == "Revoked"
    return s


def restore(s):
    s.allow()
    s.e.poll(s.namespace)
    assert s.get_namespace()["properties"]["status"] == "Active"
    return s


def revoked(case, keys=1):
    return revoke(encrypted(case, keys))


def is_refusal(reply):
    """The data plane's one answer while Revoked."""
    reply.expect(403)
    assert reply.headers["Content-Type"] == "application/xml; charset=utf-8", reply.headers
    assert reply.body.startswith(b"<Error><Code>403</Code><Detail>") and reply.body.endswith(b"</Detail></Error>"), reply
    assert SENTENCE in reply.body and b"TrackingId:" in reply.body, reply


def aside(s):
    """A second client with connections of its own, for use in a thread."""
    e = harness.Emulator.__new__(harness.Emulator)
    e.__dict__ = {**s.e.__dict__, "connections": {}}
    other = harness.Story(e, namespace=s.namespace, queue=s.queue)
    other.root_key = s.root_key
    return other


def properties(reply):
    return json.loads(reply.headers["BrokerProperties"])


def lock_path(reply):
    """The path of a locked message, from its Location."""
    return "/" + reply.headers["Location"].split("/", 3)[3]


def counts(s):
    return s.e.state(s.namespace)["messages"]


# ---- 18: the data plane ----

def test_every_operation_is_refused(case):
    s = encrypted(case, 1)
    locked = s.peek_lock().expect(201)
    revoke(s)
    batch = json.dumps([{"Body": "x"}])
    path, auth = lock_path(locked), s.auth()
    for method, target, body, headers in (
            ("POST", f"/{s.queue}/messages", b"x", {}),
            ("POST", f"/{s.queue}/messages", batch, {"Content-Type": "application/vnd.microsoft.servicebus.json"}),
            ("POST", f"/{s.queue}/messages/head?timeout=0", b"", {}),
            ("POST", f"/{s.queue}/messages/head?timeout=60", b"", {}),
            ("DELETE", f"/{s.queue}/messages/head?timeout=0", None, {}),
            ("DELETE", f"/{s.queue}/messages/head?timeout=60", None, {}),
            ("DELETE", f"/{s.queue}/$DeadLetterQueue/messages/head?timeout=0", None, {}),
            ("DELETE", path, None, {}), ("PUT", path, b"", {}), ("POST", path, b"", {})):
        began = time.monotonic()
        is_refusal(s.e.bus(method, s.namespace, target, body, {**auth, **headers}))
        assert time.monotonic() - began < 10, "refused at once, not after the timeout"
    restore(s)
    assert s.drain() == [(1, b"first")]


def test_the_sentence_names_the_namespace_and_the_entity(case):
    s = revoked(case)
    detail = s.send("x").body.decode()
    assert f"SystemTracker:{s.namespace}.servicebus.windows.net" in detail and "Timestamp:2026-01-01T00:00:00" in detail, detail


def test_revoked_comes_before_not_found(case):
    s = revoked(case)
    is_refusal(s.receive(queue="nosuchqueue"))
    is_refusal(s.e.bus("POST", s.namespace, "/nosuchqueue/messages", b"x", s.auth()))
    is_refusal(s.e.bus("DELETE", s.namespace, f"/nosuchqueue/messages/1/{'0' * 8}-0000-0000-0000-{'0' * 12}", None, s.auth()))


def test_bad_credentials_come_first(case):
    s = revoked(case)
    host = s.host
    good = s.root_key
    for auth in ({}, {"Authorization": "x"}, {"Authorization": "SharedAccessSignature sr=x&sig=x&se=1&skn=x"},
                 {"Authorization": harness.sas(host, "", "RootManageSharedAccessKey", "wrong" + good[5:])},
                 {"Authorization": harness.sas(host, "", "NoSuchRule", good)},
                 {"Authorization": harness.sas(host, "", "RootManageSharedAccessKey", good, lifetime=-60)},
                 {"Authorization": harness.sas("otherns.servicebus.windows.net", "", "RootManageSharedAccessKey", good)},
                 {"Authorization": harness.sas(host, "otherqueue", "RootManageSharedAccessKey", good)},
                 {"Authorization": "Bearer x.y.z"}, {"Authorization": "Bearer " + s.e.token("https://servicebus.azure.net")}):
        for method, path, body in (("POST", f"/{s.queue}/messages", b"x"), ("DELETE", f"/{s.queue}/messages/head?timeout=0", None)):
            reply = s.e.bus(method, s.namespace, path, body, auth).expect(401)
            assert b"no longer valid" not in reply.body, reply


def test_a_bearer_token_meets_the_same_refusal(case):
    s = encrypted(case, 1)
    assign(s, DATA_OWNER, harness.CLIENT_OID, s.namespace_path)
    auth = s.e.bearer("https://servicebus.azure.net")
    s.e.bus("POST", s.namespace, f"/{s.queue}/messages", b"by token", auth).expect(201)
    revoke(s)
    is_refusal(s.e.bus("DELETE", s.namespace, f"/{s.queue}/messages/head?timeout=0", None, auth))


def test_it_is_never_an_empty_queue(case):
    """Not even of a queue that was empty."""
    s = encrypted(case, 1)
    s.drain()
    revoke(s)
    is_refusal(s.receive())
    is_refusal(s.peek_lock())


def test_local_names_are_refused_as_well(case):
    s = revoked(case)
    is_refusal(s.e.bus("DELETE", s.namespace, f"/{s.queue}/messages/head?timeout=0", None, s.auth(), suffix="servicebus.localhost"))


# ---- 17: ARM ----

def test_what_arm_shows(case):
    s = revoked(case, 3)
    shown = s.get_namespace()
    assert shown["properties"]["status"] == "Revoked" and shown["properties"]["provisioningState"] == "Succeeded", shown
    assert shown["properties"]["encryption"] == {"keySource": "Microsoft.KeyVault", "keyVaultProperties": [], "status": "Revoked",
                                                 "requireInfrastructureEncryption": False}, shown
    for scope in (s.group_path, f"/subscriptions/{harness.SUB}"):
        listed = s.e.arm("GET", f"{scope}/providers/Microsoft.ServiceBus/namespaces").expect(200).json()["value"]
        assert [n["properties"]["status"] for n in listed] == ["Revoked"], listed
    live = s.e.state(s.namespace)
    assert live["status"] == live["encryption"]["status"] == "Revoked", live
    restore(s)
    shown = s.get_namespace()["properties"]
    assert shown["status"] == "Active" and shown["encryption"]["status"] == "Active", shown


def test_reads_work(case):
    s = revoked(case)
    queue = s.e.arm("GET", s.queue_path).expect(200).json()
    assert queue["name"] == s.queue and queue["properties"]["messageCount"] == 1, queue
    assert [q["name"] for q in s.e.arm("GET", f"{s.namespace_path}/queues").expect(200).json()["value"]] == [s.queue]
    rules = f"{s.namespace_path}/AuthorizationRules"
    assert len(s.e.arm("GET", rules).expect(200).json()["value"]) == 1
    s.e.arm("GET", f"{rules}/RootManageSharedAccessKey").expect(200)
    keys = s.e.arm("POST", f"{rules}/RootManageSharedAccessKey/listKeys").expect(200).json()
    assert keys["primaryKey"] == s.root_key


def test_other_writes_are_refused(case):
    """409, and nothing is changed."""
    s = encrypted(case, 1)
    own = f"{s.queue_path}/authorizationRules/own"
    shared = f"{s.namespace_path}/AuthorizationRules/shared"
    for rule in (own, shared):
        s.e.arm("PUT", rule, {"properties": {"rights": ["Send"]}}).expect(200)
    revoke(s)
    mine = s.e.arm("POST", own + "/listKeys").expect(200).json()
    rights = {"properties": {"rights": ["Listen"]}}
    regenerate = {"keyType": "PrimaryKey"}
    for method, path, body in (("PUT", s.queue_path, {"properties": {"lockDuration": "PT2M"}}),
                               ("PUT", f"{s.namespace_path}/queues/fresh", {"properties": {}}),
                               ("DELETE", s.queue_path, None), ("DELETE", f"{s.namespace_path}/queues/nosuchqueue", None),
                               ("PUT", own, rights), ("DELETE", own, None), ("POST", own + "/regenerateKeys", regenerate),
                               ("PUT", shared, rights), ("DELETE", shared, None), ("POST", shared + "/regenerateKeys", regenerate),
                               ("PUT", f"{s.namespace_path}/AuthorizationRules/fresh", rights)):
        error = s.e.arm(method, path, body).expect(409).json()["error"]
        assert s.namespace in error["message"] and "no longer valid" in error["message"], (method, path, error)
    assert s.e.arm("POST", own + "/listKeys").expect(200).json() == mine
    assert s.e.arm("GET", s.queue_path).json()["properties"]["lockDuration"] == "PT1M"
    restore(s)
    s.e.arm("PUT", f"{s.namespace_path}/queues/fresh", {"properties": {}}).expect(200)
    assert s.drain() == [(1, b"first")]


def test_tags_identities_and_key_lists_can_be_changed(case):
    s = revoked(case)
    assert s.patch({"tags": {"a": "b"}}).expect(200).json()["tags"] == {"a": "b"}
    uai, principal = make_uai(s, "id1")
    both = {**users([uai]), "type": "SystemAssigned, UserAssigned"}
    made = s.patch({"identity": both}).expect(200).json()
    assert made["identity"]["principalId"] == s.principal and len(made["identity"]["userAssignedIdentities"]) == 1, made
    assert made["properties"]["status"] == "Revoked"
    # The same key by way of the new identity: the list is sent again with it, and the namespace is back.
    s.allow(principal)
    entry = s.entry("key1", identity={"userAssignedIdentity": uai})
    made = s.put(s.body([entry], identity=both)).expect(200).json()
    assert made["properties"]["status"] == "Active", made
    assert made["properties"]["encryption"]["keyVaultProperties"] == [entry], made
    assert s.drain() == [(1, b"first")]


def test_the_namespace_can_be_deleted(case):
    s = revoked(case, 2)
    s.e.stop()
    s.e.start()
    s.e.arm("DELETE", s.namespace_path).expect(200, 202)
    s.e.arm("GET", s.namespace_path).expect(404)
    s.e.control("GET", f"/_emulator/namespaces/{s.namespace}").expect(404)
    assert s.e.advance("PT10M")["counts"] == {}
    # One of the same name is another one: nothing of the old one shines through.
    s.make_namespace()
    s.allow()
    s.encrypt()
    s.make_queue()
    s.connect()
    assert s.drain() == []
    s.send("new").expect(201)
    assert s.drain() == [(1, b"new")]


def test_the_resource_group_can_be_deleted(case):
    s = revoked(case)
    s.e.arm("DELETE", s.group_path, api="2021-04-01").expect(200, 202)
    s.e.control("GET", f"/_emulator/namespaces/{s.namespace}").expect(404)


def test_other_namespaces_and_planes_do_not_notice(case):
    s = encrypted(case, 1)
    free = harness.Story(s.e, namespace="plainns")
    free.make_namespace()
    free.make_queue()
    free.connect()
    revoke(s)
    free.send("x").expect(201)
    assert free.drain() == [(1, b"x")]
    s.e.control("GET", "/health").expect(200)
    s.make_key("another")


def test_the_control_plane_works(case):
    s = encrypted(case, 1)
    before = s.e.at_rest(s.namespace, s.queue, 1)
    revoke(s)
    assert s.e.at_rest(s.namespace, s.queue, 1) == before
    assert counts(s)["active"] == 1
    s.e.events()
    s.e.poll(s.namespace)
    s.e.advance("PT5M")
    s.e.control("GET", "/_emulator/faults").expect(200)
    s.e.control("POST", "/_emulator/reset").expect(204)
    s.e.control("GET", f"/_emulator/namespaces/{s.namespace}").expect(404)


# ---- 11: locks ----

def test_locks_are_released_without_counting(case):
    s = encrypted(case, 1)
    s.send("second").expect(201)
    locked = s.peek_lock().expect(201)
    assert properties(locked)["DeliveryCount"] == 1
    restore(revoke(s))
    s.e.bus("DELETE", s.namespace, lock_path(locked), None, s.auth()).expect(404)  # the lock is gone
    again = s.peek_lock().expect(201)
    assert again.body == b"first" and properties(again)["DeliveryCount"] == 1 and properties(again)["SequenceNumber"] == 1, again.headers
    s.e.bus("DELETE", s.namespace, lock_path(again), None, s.auth()).expect(200)
    assert s.drain() == [(2, b"second")]


def test_a_lock_that_ends_while_revoked_counts_nothing(case):
    """Not even where one delivery is all there is."""
    s = encrypted(case, 1)
    s.drain()
    s.make_queue(maxDeliveryCount=1, lockDuration="PT1M")
    s.send("once").expect(201)
    s.peek_lock().expect(201)
    revoke(s)
    done = s.e.advance("PT30M")
    assert set(done["counts"]) == {"poll"}, done
    s.e.restart()
    restore(s)
    assert counts(s)["deadLetter"] == 0
    again = s.peek_lock().expect(201)
    assert properties(again)["DeliveryCount"] == 1, again.headers


def test_deliveries_counted_before_stay_counted(case):
    s = encrypted(case, 1)
    for n in (1, 2):
        got = s.peek_lock().expect(201)
        assert properties(got)["DeliveryCount"] == n
        s.e.bus("PUT", s.namespace, lock_path(got), b"", s.auth()).expect(200)
    s.peek_lock().expect(201)
    restore(revoke(s))
    assert properties(s.peek_lock().expect(201))["DeliveryCount"] == 3


def test_locks_survive_when_one_key_is_left(case):
    s = encrypted(case, 2)
    locked = s.peek_lock().expect(201)
    s.set_key("key1", enabled=False)
    s.e.poll(s.namespace)
    s.e.bus("DELETE", s.namespace, lock_path(locked), None, s.auth()).expect(200)
    assert s.drain() == []


# ---- 11: open receivers ----

class Parked:
    """A receive of 50 s whose request is sent and whose answer nobody has read yet."""

    def __init__(self, s, method):
        e = s.e
        self.connection = harness._TlsConnection(s.host, e.https_port, e.tls, e.timeout)
        self.connection.request(method, f"/{s.queue}/messages/head?timeout=50",
                                headers={"Host": f"{s.host}:{e.https_port}", "Content-Length": "0", **s.auth()})

    def reply(self):
        began = time.monotonic()
        raw = self.connection.getresponse()
        reply = harness.Reply(raw, raw.read())
        assert time.monotonic() - began < 20, "it was not told, its time ran out"
        self.connection.close()
        return reply


def round_trips(s, queue, n=10):
    """The requests that were sent before have been looked at when these have been answered."""
    for _ in range(n):
        s.receive(queue=queue).expect(204)


def test_parked_receivers_are_told(case):
    s = encrypted(case, 1)
    s.drain()
    s.e.arm("PUT", f"{s.namespace_path}/queues/probe", {"properties": {}}).expect(200)
    waiting = [Parked(s, method) for method in ("POST", "DELETE", "POST", "DELETE")]
    round_trips(s, "probe")
    s.deny()
    s.e.poll(s.namespace)
    for w in waiting:
        is_refusal(w.reply())
    restore(s)
    late = Parked(s, "DELETE")  # and new ones wait again
    round_trips(s, "probe")
    s.send("here it is").expect(201)
    assert late.reply().expect(200).body == b"here it is"


def test_parked_receivers_are_not_told_while_a_key_is_left(case):
    s = encrypted(case, 2)
    s.drain()
    s.e.arm("PUT", f"{s.namespace_path}/queues/probe", {"properties": {}}).expect(200)
    waiting = Parked(s, "DELETE")
    round_trips(s, "probe")
    s.set_key("key1", enabled=False)
    s.e.poll(s.namespace)
    s.e.fault(s.vault, "unreachable")
    s.e.poll(s.namespace)
    s.send("still there").expect(201)
    assert waiting.reply().expect(200).body == b"still there"


def test_parked_receivers_of_others_wait_on(case):
    s = encrypted(case, 1)
    free = harness.Story(s.e, namespace="plainns")
    free.make_namespace()
    free.make_queue()
    free.connect()
    free.e.arm("PUT", f"{free.namespace_path}/queues/probe", {"properties": {}}).expect(200)
    waiting = Parked(free, "DELETE")
    round_trips(free, "probe")
    revoke(s)
    free.send("x").expect(201)
    assert waiting.reply().expect(200).body == b"x"


# ---- 11: what falls due ----

def test_nothing_falls_due_while_revoked(case):
    """Expiry, activation, dead-lettering and idle deletion stand still, and run in order when the key is back."""
    s = encrypted(case, 1)
    s.drain()
    s.make_queue(deadLetteringOnMessageExpiration=False)
    s.e.arm("PUT", f"{s.namespace_path}/queues/letters", {"properties": {"deadLetteringOnMessageExpiration": True}}).expect(200)
    s.e.arm("PUT", f"{s.namespace_path}/queues/idle", {"properties": {"autoDeleteOnIdle": "PT10M"}}).expect(200)
    letters = harness.Story(s.e, queue="letters")
    letters.root_key = s.root_key
    s.send("expires", **{"BrokerProperties": json.dumps({"TimeToLive": 400})}).expect(201)
    s.send("stays").expect(201)
    s.send("scheduled", **{"BrokerProperties": json.dumps({"ScheduledEnqueueTimeUtc": "Thu, 01 Jan 2026 00:08:00 GMT"})}).expect(201)
    letters.send("to the dead", **{"BrokerProperties": json.dumps({"TimeToLive": 500})}).expect(201)
    before = counts(s)
    assert (before["active"], before["scheduled"], before["deadLetter"]) == (3, 1, 0), before
    s.deny()
    done = s.e.advance("PT1H")
    assert set(done["counts"]) == {"poll", "keyRevoked", "namespaceRevoked"}, done
    assert counts(s) == before
    s.e.arm("GET", f"{s.namespace_path}/queues/idle").expect(200)
    s.e.restart()
    assert counts(s) == before
    s.allow()
    done = s.e.advance("PT5M")
    kinds = [ev["kind"] for ev in done["events"]]
    assert kinds.index("namespaceActive") < kinds.index("messageExpired"), kinds
    due = [(ev["kind"], ev["time"][11:19]) for ev in done["events"] if ev["kind"] in ("messageExpired", "messageActivated", "queueDeleted")]
    assert due[:3] == [("messageExpired", "00:06:40"), ("messageActivated", "00:08:00"), ("messageExpired", "00:08:20")], due
    assert [b for _, b in s.drain()] == [b"stays", b"scheduled"]
    dead = letters.receive(queue="letters/$DeadLetterQueue").expect(200)
    assert dead.body == b"to the dead" and json.loads(dead.headers["DeadLetterReason"]) == "TTLExpiredException", dead.headers


def test_what_fell_due_runs_before_the_first_answer(case):
    """No request can see a message that should be gone, nor miss one that should be there."""
    s = encrypted(case, 1)
    s.drain()
    for i in range(3):
        s.send(f"gone {i}", **{"BrokerProperties": json.dumps({"TimeToLive": 60})}).expect(201)
    s.send("later", **{"BrokerProperties": json.dumps({"ScheduledEnqueueTimeUtc": "Thu, 01 Jan 2026 00:10:00 GMT"})}).expect(201)
    s.deny()
    s.e.poll(s.namespace)
    s.e.advance("PT1H")
    s.allow()
    s.e.poll(s.namespace)
    assert [b for _, b in s.drain()] == [b"later"]
    assert counts(s) == {"active": 0, "deadLetter": 0, "scheduled": 0, "bytes": 0}


def test_an_idle_queue_is_not_deleted_at_the_moment_the_key_is_back(case):
    """It fell due while nobody could use it: it runs when the key is back, as everything does."""
    s = encrypted(case, 1)
    s.e.arm("PUT", f"{s.namespace_path}/queues/idle", {"properties": {"autoDeleteOnIdle": "PT10M"}}).expect(200)
    revoke(s)
    assert "queueDeleted" not in s.e.advance("PT1H")["counts"]
    s.e.arm("GET", f"{s.namespace_path}/queues/idle").expect(200)
    s.allow()
    assert s.e.advance("PT5M")["counts"].get("queueDeleted") == 1
    s.e.arm("GET", f"{s.namespace_path}/queues/idle").expect(404)
    assert s.drain() == [(1, b"first")]


def test_duplicate_detection_survives(case):
    """The lookup key is wiped and derived anew: an id seen before is still seen."""
    s = encrypted(case, 1)
    s.e.arm("PUT", f"{s.namespace_path}/queues/once",
            {"properties": {"requiresDuplicateDetection": True, "duplicateDetectionHistoryTimeWindow": "PT1H"}}).expect(200)
    once = harness.Story(s.e, queue="once")
    once.root_key = s.root_key
    same = {"BrokerProperties": json.dumps({"MessageId": "the one"})}
    once.send("a", **same).expect(201)
    restore(revoke(s))
    s.e.restart()
    once.send("b", **same).expect(201)
    assert once.drain() == [(1, b"a")]


# ---- 12: what comes back ----

def test_messages_come_back_as_they_were(case):
    s = encrypted(case, 3)
    s.drain()
    for i in range(40):
        s.send(f"message {i}", **{"n": str(i), "BrokerProperties": json.dumps({"Label": f"label {i}", "CorrelationId": str(i)})}).expect(201)
    s.receive().expect(200)
    held = s.peek_lock().expect(201)
    s.e.bus("DELETE", s.namespace, lock_path(held), None, s.auth()).expect(200)
    revoke(s)
    s.e.restart(kill=True)
    restore(s)
    for i in range(2, 40):
        got = s.receive().expect(200)
        p = properties(got)
        assert (got.body, got.headers["n"], p["Label"], p["CorrelationId"]) == (f"message {i}".encode(), str(i), f"label {i}", str(i)), got.headers
        assert p["SequenceNumber"] == i + 2 and p["DeliveryCount"] == 1, p
    s.send("next").expect(201)
    assert s.drain() == [(42, b"next")]


def test_revoked_and_restored_many_times(case):
    s = encrypted(case, 2)
    sent = [(1, b"first")]
    for i in range(10):
        revoke(s)
        is_refusal(s.send("not stored"))
        if i % 3 == 2:
            s.e.restart(kill=i % 2 == 0)
        restore(s)
        s.send(f"round {i}").expect(201)
        sent.append((i + 2, f"round {i}".encode()))
    assert s.drain() == sent


def test_dead_letters_come_back_with_their_reasons(case):
    s = encrypted(case, 1)
    s.drain()
    s.make_queue(maxDeliveryCount=1)
    s.send("bad").expect(201)
    got = s.peek_lock().expect(201)
    s.e.bus("PUT", s.namespace, lock_path(got), b"", s.auth()).expect(200)
    assert counts(s)["deadLetter"] == 1
    restore(revoke(s))
    dead = s.receive(queue=f"{s.queue}/$DeadLetterQueue").expect(200)
    assert dead.body == b"bad" and json.loads(dead.headers["DeadLetterReason"]) == "MaxDeliveryCountExceeded", dead.headers


def test_traffic_across_a_revocation_loses_and_doubles_nothing(case):
    """Senders and receivers at work while keys come and go: what was acknowledged is there once, whatever was refused is not."""
    s = encrypted(case, 1)
    s.drain()
    stop, sent, got, statuses, lock = threading.Event(), set(), [], set(), threading.Lock()

    def sender(n):
        mine = aside(s)
        i = 0
        while not stop.is_set():
            body = f"{n}/{i}"
            reply = mine.send(body)
            with lock:
                statuses.add(reply.status)
                if reply.status == 201:
                    sent.add(body)
            i += 1

    def receiver():
        mine = aside(s)
        while not stop.is_set():
            reply = mine.receive(timeout=1)
            with lock:
                statuses.add(reply.status)
                if reply.status == 200:
                    got.append(reply.body.decode())

    threads = [threading.Thread(target=sender, args=(n,)) for n in range(2)] + [threading.Thread(target=receiver) for _ in range(2)]
    for t in threads:
        t.start()
    for _ in range(8):
        revoke(s)
        is_refusal(s.send("refused"))
        restore(s)
        s.send("accepted").expect(201)
    stop.set()
    for t in threads:
        t.join(30)
        assert not t.is_alive()
    got += [b.decode() for _, b in s.drain()]
    accepted = [b for b in got if b == "accepted"]
    rest = [b for b in got if b != "accepted"]
    assert statuses <= {200, 201, 204, 403} and {201, 403} <= statuses, statuses
    assert len(rest) == len(set(rest)), "delivered twice"
    assert set(rest) == sent, (len(rest), len(sent))
    assert len(accepted) == 8
