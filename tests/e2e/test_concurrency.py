"""Many clients at once while keys rotate, go and come back and time moves on: nothing is lost, doubled, mixed up or left waiting."""

import json
import os
import random
import select
import sqlite3
import threading
import time
import urllib.parse

import harness

THREADS = 32
SECONDS = float(os.environ.get("E2E_BUSY_SECONDS", "4"))
PARKED = 200


class Client(threading.Thread):
    """Works on one of two namespaces until told to stop; remembers what it was told, and whatever it must not be told."""

    def __init__(self, story, shared, number):
        super().__init__()
        self.s = harness.Story(story.e.twin(), vault=story.vault, namespace=story.namespace)
        self.s.keys, self.s.root_key, self.s.principal = story.keys, story.root_key, story.principal
        self.shared, self.number = shared, number
        self.dice = random.Random(number)
        self.sent, self.got, self.problem, self.calls = {}, [], None, 0

    def run(self):
        try:
            while not self.shared["stop"].is_set():
                self.step()
                self.calls += 1
        except Exception as e:
            self.problem = e
            self.shared["stop"].set()

    def allowed(self, reply, *statuses):
        """Revoked at the moment: 403 on the bus, 409 from ARM, each with the reason. Nothing else may be in the way."""
        if reply.status == 403 and b"encryption key is no longer valid" in reply.body or reply.status == 409 and (
                b"is Revoked" in reply.body or b"encryption key is no longer valid" in reply.body):
            self.shared["refused"] = True
            return False
        reply.expect(*statuses)
        return True


class Senders(Client):
    def step(self):
        n = self.calls
        body = f"{self.s.namespace}-{self.number}-{n}-".encode() + b"x" * self.dice.choice((0, 10, 1000, 40_000))
        props = json.dumps({"Label": f"{self.number}-{n}"})
        if n % 10 == 9:
            parts = [{"Body": f"{body.decode()[:40]}-{k}", "BrokerProperties": {"Label": f"{self.number}-{n}-{k}"}} for k in range(5)]
            if self.allowed(self.s.send(json.dumps(parts), **{"Content-Type": "application/vnd.microsoft.servicebus.json"}), 201):
                self.sent.update({p["BrokerProperties"]["Label"]: p["Body"].encode() for p in parts})
        elif self.allowed(self.s.send(body, BrokerProperties=props), 201):
            self.sent[f"{self.number}-{n}"] = body


class Receivers(Client):
    """Takes what comes; a lock may end under it when time moves on: then the message comes again, to somebody."""

    def step(self):
        s, way = self.s, self.calls % 5
        if way == 0:
            reply = s.receive(timeout=1)
            if self.allowed(reply, 200, 204) and reply.status == 200:
                self.take(reply)
            return
        reply = s.peek_lock(timeout=self.dice.choice((0, 1)))
        if not self.allowed(reply, 201, 204) or reply.status == 204:
            return
        where = urllib.parse.urlsplit(reply.headers["Location"]).path
        if way == 1:
            self.allowed(s.e.bus("PUT", s.namespace, where, b"", s.auth()), 200, 404)
            return
        if way == 2:
            self.allowed(s.e.bus("POST", s.namespace, where, b"", s.auth()), 200, 404)
        done = s.e.bus("DELETE", s.namespace, where, b"", s.auth())
        if self.allowed(done, 200, 404) and done.status == 200:
            self.take(reply)

    def take(self, reply):
        p = json.loads(reply.headers["BrokerProperties"])
        self.got.append((p["SequenceNumber"], p["Label"], reply.body))


class Administrators(Client):
    """ARM and vault calls in between: reads, lists, queues that come and go, a namespace's tags."""

    def step(self):
        s, e = self.s, self.s.e
        name = f"{s.namespace_path}/queues/admin-{self.number}"
        self.allowed(e.arm("PUT", name, {"properties": {"maxDeliveryCount": self.calls % 100 + 1}}), 200)
        self.allowed(e.arm("GET", name), 200, 404)
        e.arm("GET", f"{s.namespace_path}/queues").expect(200)
        s.get_namespace()
        e.vault("GET", s.vault, "/keys").expect(200)
        e.vault("POST", s.vault, "/keys/free/wrapkey", {"alg": "RSA-OAEP-256", "value": "AAAA"}).expect(200)
        e.arm("GET", s.group_path, api="2021-04-01").expect(200)
        e.state(s.namespace)
        e.events()
        self.allowed(e.arm("DELETE", name), 200, 204)


def make_world(case):
    first = case.story()
    first.keys = ["key1", "key2"]
    first.make_all()
    first.make_key("free")
    e = first.e
    settings = {"maxDeliveryCount": 2000, "lockDuration": "PT30S"}
    e.arm("PUT", first.queue_path, {"properties": settings}).expect(200)
    second = harness.Story(e, namespace="secondns")
    second.keys = first.keys
    second.make_namespace()
    second.allow()
    second.encrypt()
    second.make_queue(**settings)
    second.connect()
    return first, second


def disturb(first, second, shared, seconds):
    """What happens meanwhile: keys are rotated, taken away and given back, time moves, everything is polled."""
    e, n = first.e, 0
    end = time.monotonic() + seconds
    while (time.monotonic() < end or n < 14) and not shared["stop"].is_set():
        s = (first, second)[n % 2]
        key = s.keys[n % 2]
        step = n % 7
        if step == 0:
            e.vault("POST", s.vault, f"/keys/{key}/rotate").expect(200)
            e.advance("PT5M")
        elif step == 1:
            s.deny()
            e.poll(s.namespace)
            assert e.state(s.namespace)["status"] == "Revoked"
        elif step == 2:
            for one in (first, second):
                one.allow()
            e.poll()
            assert {e.state(x.namespace)["status"] for x in (first, second)} == {"Active"}
        elif step == 3:
            e.advance("PT31S")
        elif step == 4:
            e.vault("PATCH", s.vault, f"/keys/{key}", {"attributes": {"enabled": False}}).expect(200)
            e.poll()
        elif step == 5:
            e.vault("PATCH", s.vault, f"/keys/{key}", {"attributes": {"enabled": True}}).expect(200)
            e.advance("PT5M")
        else:
            for one in (first, second):
                one.put_template(one.encryption_resource()).expect(200)
            e.control("GET", "/health").expect(200)
        n += 1
    for one in (first, second):
        one.allow()
        for key in one.keys:
            e.vault("PATCH", one.vault, f"/keys/{key}", {"attributes": {"enabled": True}}).expect(200)
    e.poll()
    return n


def test_everything_at_once(case):
    first, second = make_world(case)
    shared = {"stop": threading.Event(), "refused": False}
    kinds = [Senders] * 12 + [Receivers] * 16 + [Administrators] * 4
    assert len(kinds) == THREADS
    clients = [kind((first, second)[i % 2], shared, i) for i, kind in enumerate(kinds)]
    for c in clients:
        c.start()
    try:
        turns = disturb(first, second, shared, SECONDS)
    finally:
        shared["stop"].set()
        for c in clients:
            c.join(60)
    problems = [c.problem for c in clients if c.problem]
    assert not problems, problems
    assert not [c for c in clients if c.is_alive()], "a client still waits for its answer"
    assert turns >= 14 and shared["refused"], (turns, shared)
    assert all(c.calls > 2 for c in clients), [c.calls for c in clients]
    first.e.advance("PT31S")
    for s in (first, second):
        mine = [c for c in clients if c.s.namespace == s.namespace]
        sent = {k: v for c in mine for k, v in c.sent.items()}
        got = [m for c in mine for m in c.got]
        counted = s.e.state(s.namespace)["messages"]
        rest = []
        while (reply := s.receive().expect(200, 204)).status == 200:
            p = json.loads(reply.headers["BrokerProperties"])
            rest.append((p["SequenceNumber"], p["Label"], reply.body))
        assert counted["active"] == len(rest) and counted["deadLetter"] == 0, (counted, len(rest))
        assert s.e.state(s.namespace)["messages"] == {"active": 0, "deadLetter": 0, "scheduled": 0, "bytes": 0}
        numbers = [m[0] for m in got + rest]
        assert len(numbers) == len(set(numbers)), "a sequence number twice"
        labels = [m[1] for m in got + rest]
        assert len(labels) == len(set(labels)), "a message twice"
        assert {m[1]: m[2] for m in got + rest} == sent, "lost, or not what was sent"
        assert len(sent) > 20
    case.finish()
    for name in ("servicebus.db", "keyvault.db"):
        db = sqlite3.connect(os.path.join(first.e.data, name))
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.close()


# ---- receivers that wait ----

def park(s, n, timeout=60):
    """n receivers that wait, each on a connection of its own; known to wait when this returns."""
    head = (f"DELETE /{s.queue}/messages/head?timeout={timeout} HTTP/1.1\r\nHost: {s.host}\r\n"
            f"Authorization: {s.auth()['Authorization']}\r\n\r\n").encode()
    connections = [s.e.dial(s.host) for _ in range(n)]
    for c in connections:
        c.sendall(head)
    ports = {c.getsockname()[1] for c in connections}
    end = time.monotonic() + 10
    while unread(s.e, ports):
        assert time.monotonic() < end, "requests that nobody reads"
        time.sleep(0.01)
    # They were read; what is asked now, in the same queue of operations, is answered after they were parked.
    for _ in range(2):
        s.receive(queue="nobody").expect(404, 410)
    assert not answered(connections, 0), "a receiver did not wait"
    return connections


def unread(e, ports):
    """Does the server still have bytes of these connections to read?"""
    with open("/proc/net/tcp") as f:
        for line in f.read().splitlines()[1:]:
            local, remote, _, queues = line.split()[1:5]
            if int(local.split(":")[1], 16) == e.https_port and int(remote.split(":")[1], 16) in ports and int(queues.split(":")[1], 16):
                return True
    return False


def answered(connections, seconds, wanted=None):
    """The replies that came within these seconds, until there are as many as wanted."""
    replies, waiting = [], list(connections)
    end = time.monotonic() + seconds
    while waiting and len(replies) < (wanted or len(connections)):
        ready = select.select(waiting, [], [], max(0, end - time.monotonic()))[0]
        if not ready:
            break
        for c in ready:
            waiting.remove(c)
            c.settimeout(5)
            replies.append(harness.Answers(c).next("DELETE"))
    return replies


def waiting_world(case):
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    return s


def close(connections):
    for c in connections:
        c.close()


def test_parked_receivers_are_woken_by_messages(case):
    s = waiting_world(case)
    waiting = park(s, PARKED)
    # One message wakes one of them.
    began = time.monotonic()
    s.send("first").expect(201)
    assert [r.body for r in answered(waiting, 20, 1)] == [b"first"]
    assert time.monotonic() - began < 20
    assert answered(waiting, 0.2, 1) == []
    waiting = [c for c in waiting if c.timeout != 5]
    assert len(waiting) == PARKED - 1
    # As many messages as receivers, a part of them at once: each gets one, none gets two, none is left.
    batch = json.dumps([{"Body": f"b{i}"} for i in range(100)])
    s.send(batch, **{"Content-Type": "application/vnd.microsoft.servicebus.json"}).expect(201)
    for i in range(PARKED - 1 - 100):
        s.send(f"s{i}").expect(201)
    replies = answered(waiting, 20)
    assert len(replies) == PARKED - 1 and {r.status for r in replies} == {200}, len(replies)
    assert {r.body for r in replies} == {b"b%d" % i for i in range(100)} | {b"s%d" % i for i in range(PARKED - 101)}
    assert s.drain() == []
    close(waiting)


def test_parked_receivers_are_woken_by_what_falls_due(case):
    s = waiting_world(case)
    s.send("locked").expect(201)
    s.peek_lock().expect(201)
    s.send("scheduled", BrokerProperties=json.dumps({"ScheduledEnqueueTimeUtc": "Thu, 01 Jan 2026 00:00:40 GMT"})).expect(201)
    waiting = park(s, 10, timeout=300)
    s.e.advance("PT45S")
    assert [r.body for r in answered(waiting, 20, 1)] == [b"scheduled"]
    waiting = [c for c in waiting if c.timeout != 5]
    s.e.advance("PT30S")
    assert [r.body for r in answered(waiting, 20, 1)] == [b"locked"]
    waiting = [c for c in waiting if c.timeout != 5]
    # The emulator's clock ends their patience as well as the machine's does.
    s.e.advance("PT5M")
    assert [r.status for r in answered(waiting, 20)] == [204] * 8
    close(waiting)
    short = park(s, 10, timeout=1)
    assert [r.status for r in answered(short, 20)] == [204] * 10
    close(short)


def test_parked_receivers_are_told_when_revoked(case):
    s = waiting_world(case)
    waiting = park(s, PARKED)
    s.deny()
    assert not answered(waiting, 0)
    began = time.monotonic()
    s.e.poll(s.namespace)
    replies = answered(waiting, 20)
    took = time.monotonic() - began
    assert len(replies) == PARKED and {r.status for r in replies} == {403}, len(replies)
    assert all(b"encryption key is no longer valid" in r.body for r in replies)
    assert took < 20, took
    # On the same connections: refused at once; and served again when the key is back.
    s.peek_lock(timeout=60).expect(403)
    s.allow()
    s.e.poll(s.namespace)
    s.send("back").expect(201)
    s.receive(timeout=60).expect(200)
    close(waiting)


def hang_up(e, connections):
    """Closes them; the server's side knows when this returns."""
    ports = {c.getsockname()[1] for c in connections}
    close(connections)
    end = time.monotonic() + 10
    while still_open(e, ports):
        assert time.monotonic() < end, "connections that do not end"
        time.sleep(0.01)


def still_open(e, ports):
    """Are there connections of these that the server's kernel has not seen closed?"""
    with open("/proc/net/tcp") as f:
        for line in f.read().splitlines()[1:]:
            local, remote, state = line.split()[1:4]
            if int(local.split(":")[1], 16) == e.https_port and int(remote.split(":")[1], 16) in ports and state == "01":
                return True
    return False


def test_parked_receivers_that_hang_up_swallow_nothing(case):
    s = waiting_world(case)
    hang_up(s.e, park(s, 20))
    for i in range(3):
        s.send(f"m{i}").expect(201)
    assert [body for _, body in s.drain()] == [b"m0", b"m1", b"m2"]
    # Nor do they keep it from those who still wait behind them.
    left = park(s, 20)
    waiting = park(s, 1)
    hang_up(s.e, left)
    s.send("kept").expect(201)
    assert [r.body for r in answered(waiting, 20)] == [b"kept"]
    close(waiting)


def test_parked_receivers_are_told_of_a_deletion(case):
    s = waiting_world(case)
    waiting = park(s, 50)
    s.e.arm("DELETE", s.queue_path).expect(200)
    replies = answered(waiting, 20)
    assert len(replies) == 50 and {r.status for r in replies} <= {404, 410}, replies
    close(waiting)
    s.make_queue()
    waiting = park(s, 50)
    s.e.arm("DELETE", s.namespace_path).expect(200, 202)
    replies = answered(waiting, 20)
    assert len(replies) == 50 and {r.status for r in replies} <= {404, 410, 401}, replies
    close(waiting)


def test_parked_receivers_do_not_delay_the_end(case):
    s = waiting_world(case)
    waiting = park(s, PARKED)
    idle = [s.e.dial(s.host) for _ in range(20)]
    began = time.monotonic()
    stopped = threading.Thread(target=s.e.stop)
    process = s.e.process
    stopped.start()
    replies = answered(waiting, 20)
    stopped.join(20)
    took = time.monotonic() - began
    assert len(replies) == PARKED and {r.status for r in replies if r} == {204}, (len(replies), {r and r.status for r in replies})
    assert None not in replies, "cut off without an answer"
    assert process.returncode == 0
    assert took < 20, took
    close(waiting + idle)


def test_stopped_while_busy(case):
    """What was answered before the end is there afterwards; what was not was refused or cut off."""
    s = waiting_world(case)
    told, lock = set(), threading.Lock()

    def work(number):
        mine = harness.Story(s.e.twin())
        mine.root_key = s.root_key
        i = 0
        try:
            while True:
                body = f"{number}-{i}".encode()
                if mine.send(body).expect(201, 503).status == 201:
                    with lock:
                        told.add(body)
                i += 1
        except (OSError, harness.http.client.HTTPException):
            pass

    for _ in range(2):
        threads = [threading.Thread(target=work, args=(f"{_}-{i}",)) for i in range(8)]
        for t in threads:
            t.start()
        while len(told) < 100:
            time.sleep(0.005)
        s.e.stop()
        for t in threads:
            t.join(30)
            assert not t.is_alive()
        s.e.start()
        found = {b for _, b in s.drain()}
        assert told <= found, told - found
        told.clear()


def test_more_connections_than_usual(case):
    """1,000 kept connections: all are served, and given back."""
    s = waiting_world(case)
    before = len(os.listdir(f"/proc/{s.e.process.pid}/fd"))
    head = (f"POST /{s.queue}/messages HTTP/1.1\r\nHost: {s.host}\r\nAuthorization: {s.auth()['Authorization']}\r\n"
            "Content-Length: 1\r\n\r\nx").encode()
    connections = []
    try:
        for _ in range(1000):
            connections.append(s.e.dial(s.host))
        for _ in range(2):
            for c in connections:
                c.sendall(head)
            replies = [harness.Answers(c).next("POST") for c in connections]
            assert {r.status for r in replies} == {201}
        s.e.control("GET", "/health").expect(200)
    finally:
        close(connections)
    assert s.e.state(s.namespace)["messages"]["active"] == 2000
    end = time.monotonic() + 10
    while len(os.listdir(f"/proc/{s.e.process.pid}/fd")) > before + 2:
        assert time.monotonic() < end, "connections that are not given back"
        time.sleep(0.02)


class Owner(threading.Thread):
    """Makes, changes and deletes the same few namespaces, queues and topics as all the others, until the connection ends."""

    def __init__(self, emulator, group, number):
        super().__init__()
        self.e, self.group, self.dice, self.problem = emulator.twin(), group, random.Random(number), None

    def run(self):
        try:
            while self.problem is None:
                self.step()
        except (OSError, harness.http.client.HTTPException):
            pass  # killed

    def step(self):
        bus = f"{self.group}/providers/Microsoft.ServiceBus/namespaces/shared-{self.dice.randrange(2)}"
        name = self.dice.choice("abc")
        method, path, body = self.dice.choice((
            ("PUT", "", {"location": "northeurope", "sku": {"name": "Premium"}, "identity": {"type": self.dice.choice(("None", "SystemAssigned"))}}),
            ("PUT", f"/queues/{name}", {"properties": {"maxDeliveryCount": self.dice.randrange(1, 9)}}), ("DELETE", f"/queues/{name}", None),
            ("PUT", f"/topics/{name}", {}), ("PUT", f"/topics/{name}/subscriptions/s", {}), ("DELETE", f"/topics/{name}", None),
            ("PUT", "/AuthorizationRules/r", {"properties": {"rights": ["Send"]}}), ("GET", "/queues", None)))
        if self.dice.randrange(40) == 0:
            method, path, body = "DELETE", "", None
        reply = self.e.arm(method, bus + path, body)
        if reply.status not in (200, 201, 202, 204, 404, 409):
            self.problem = f"{method} {path}: {reply!r}"


def test_the_same_resources_made_changed_and_deleted_by_many_and_killed(case):
    s = case.story()
    s.make_group()
    for number in range(2):
        owners = [Owner(s.e, s.group_path, 100 * number + i) for i in range(12)]
        for o in owners:
            o.start()
        time.sleep(min(SECONDS, 2))  # work goes on for that long
        s.e.process.kill()
        for o in owners:
            o.join()
        assert [o.problem for o in owners if o.problem] == []
        s.e.kill()
        s.e.start()
        for bus in s.e.arm("GET", f"{s.group_path}/providers/Microsoft.ServiceBus/namespaces").expect(200).json()["value"]:
            entities = [e for kind in ("queues", "topics") for e in s.e.arm("GET", f"{bus['id']}/{kind}").expect(200).json()["value"]]
            names = [e["name"] for e in entities]
            assert len(names) == len(set(names)), names
            for e in entities:
                assert s.e.arm("GET", e["id"]).expect(200).json() == e
                s.e.arm("PUT", e["id"], {}).expect(200)
