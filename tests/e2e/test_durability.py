"""What was acknowledged is there after kill -9, once; what was not is there whole or not at all; what is damaged is told, not served."""

import base64
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import threading
import time
import urllib.parse

import harness

ROUNDS = int(os.environ.get("E2E_KILL_ROUNDS", "10"))


def properties_of(reply):
    return json.loads(reply.headers["BrokerProperties"])


def location_of(reply):
    return urllib.parse.urlsplit(reply.headers["Location"]).path


class Model:
    """What the clients of one emulator know: what must be there, what may be."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = set()     # acknowledged, not taken away
        self.maybe = set()    # sent or taken away when the program died
        self.gone = set()     # taken away, and that was acknowledged
        self.seen = set()     # received
        self.locked = {}      # body -> (location, delivery count): a lock that was acknowledged
        self.queues = {}      # name -> deliveries that were acknowledged
        self.tags = 0         # the last that was acknowledged
        self.done = 0

    def note(self, f):
        with self.lock:
            f()
            self.done += 1


class Worker(threading.Thread):
    """Does one thing over and over until the program dies under it."""

    def __init__(self, s, model, number, round_number):
        super().__init__()
        self.s = harness.Story(s.e.twin())
        self.s.keys, self.s.root_key, self.s.principal = s.keys, s.root_key, s.principal
        self.s.e.timeout = 20
        self.m, self.number, self.name = model, number, f"{round_number}-{number}"
        self.problem = None

    def run(self):
        try:
            i = 0
            while True:
                self.step(i)
                i += 1
        except (OSError, harness.http.client.HTTPException):
            pass  # it died
        except Exception as e:  # shown by the test
            self.problem = e


class Sender(Worker):
    def step(self, i):
        body = f"m-{self.name}-{i}".encode()
        with self.m.lock:
            self.m.maybe.add(body)
        if i % 8 == 7:
            bodies = [body] + [body + b"-%d" % k for k in range(4)]
            with self.m.lock:
                self.m.maybe.update(bodies)
            batch = json.dumps([{"Body": b.decode()} for b in bodies])
            self.s.send(batch, **{"Content-Type": "application/vnd.microsoft.servicebus.json"}).expect(201)
        else:
            bodies = [body]
            self.s.send(body).expect(201)

        def sent():
            self.m.maybe.difference_update(bodies)
            # Another may have got and completed it before this thread was told.
            self.m.sent.update(b for b in bodies if b not in self.m.gone)
        self.m.note(sent)


class Completer(Worker):
    def step(self, i):
        reply = self.s.peek_lock().expect(201, 204)
        if reply.status == 204:
            return
        body, where, count = reply.body, location_of(reply), properties_of(reply)["DeliveryCount"]

        def got():
            self.m.locked[body] = where, count
            self.m.seen.add(body)
        self.m.note(got)
        what = i % 4
        if what == 3:
            return  # left locked
        with self.m.lock:
            self.m.locked.pop(body)
            if what < 2:
                self.m.maybe.add(body)
        if what == 2:
            self.s.e.bus("PUT", self.s.namespace, where, b"", self.s.auth()).expect(200)
            self.m.note(lambda: None)
            return
        self.s.e.bus("DELETE", self.s.namespace, where, b"", self.s.auth()).expect(200)

        def gone():
            self.m.maybe.discard(body)
            self.m.sent.discard(body)
            self.m.gone.add(body)
        self.m.note(gone)


class Resources(Worker):
    def step(self, i):
        s, m = self.s, self.m
        n = m.tags + 1
        resource = s.encryption_resource()
        resource["tags"] = {"n": str(n)}
        s.put_template(resource).expect(200)
        m.note(lambda: setattr(m, "tags", n))
        name = f"q{self.name}-{i}"
        s.e.arm("PUT", f"{s.namespace_path}/queues/{name}", {"properties": {"maxDeliveryCount": i + 1}}).expect(200)
        m.note(lambda: m.queues.__setitem__(name, i + 1))


class Keys(Worker):
    def step(self, i):
        s = self.s
        key = s.keys[i % len(s.keys)]
        s.e.vault("POST", s.vault, f"/keys/{key}/rotate").expect(200)
        s.e.poll(s.namespace)
        if i % 2:
            s.e.vault("PATCH", s.vault, f"/keys/{key}", {"attributes": {"enabled": False}}).expect(200)
            s.e.poll(s.namespace)
            s.e.vault("PATCH", s.vault, f"/keys/{key}", {"attributes": {"enabled": True}}).expect(200)
            s.e.poll(s.namespace)
        self.m.note(lambda: None)


def everything(s):
    """Every message there is, got with locks that last: {body: [sequence numbers]}."""
    found, seen = {}, []
    while True:
        reply = s.peek_lock().expect(201, 204)
        if reply.status == 204:
            assert len(seen) == len(set(seen)), "a sequence number twice"
            return found
        p = properties_of(reply)
        found.setdefault(reply.body, []).append(p["SequenceNumber"])
        seen.append(p["SequenceNumber"])


def whole(path):
    """The database is sound; it was closed."""
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        db.close()


def check_round(s, m):
    """After the restart: the model holds. Everything is unlocked again afterwards."""
    e = s.e
    polled = e.state(s.namespace)
    assert polled["status"] == "Active", polled
    e.poll(s.namespace)
    # A key that was disabled at that moment is so still: it is enabled by its user.
    for k in s.keys:
        e.vault("PATCH", s.vault, f"/keys/{k}", {"attributes": {"enabled": True}}).expect(200)
    e.poll(s.namespace)
    keys = e.state(s.namespace)["encryption"]["keys"]
    assert [k["keyName"] for k in keys] == s.keys and {k["state"] for k in keys} == {"Active"}, keys
    versions = {k: e.vault("GET", s.vault, f"/keys/{k}").expect(200).json()["key"]["kid"].rsplit("/", 1)[1] for k in s.keys}
    assert {k["keyName"]: k["wrappedVersion"] for k in keys} == versions, keys
    shown = s.get_namespace()
    assert int(shown["tags"]["n"]) in (m.tags, m.tags + 1), (shown["tags"], m.tags)
    m.tags = int(shown["tags"]["n"])
    for name, count in m.queues.items():
        q = e.arm("GET", f"{s.namespace_path}/queues/{name}").expect(200).json()
        assert q["properties"]["maxDeliveryCount"] == count, q

    # Locks survive: each that was acknowledged renews under its token, and its message is given to nobody else.
    free = everything(s)
    for body, (where, count) in list(m.locked.items()):
        assert body not in free, f"{body} was locked"
        e.bus("POST", s.namespace, where, b"", s.auth()).expect(200)
    e.advance("PT2M")  # all locks end
    found = everything(s)
    counts = e.state(s.namespace)["messages"]
    assert counts["active"] == sum(len(v) for v in found.values()), (counts, len(found))
    assert counts["deadLetter"] == counts["scheduled"] == 0, counts
    twice = {b: v for b, v in found.items() if len(v) > 1}
    assert not twice, twice
    lost = m.sent - m.maybe - set(found)
    assert not lost, lost
    back = set(found) & m.gone
    assert not back, back
    strange = set(found) - m.sent - m.maybe
    assert not strange, strange
    for base in {b for b in m.maybe if b.rsplit(b"-", 1)[0] in m.maybe and b.count(b"-") == 4}:
        first = base.rsplit(b"-", 1)[0]  # a batch is there as a whole or not, less what was received and perhaps taken away
        batch = {first, *(first + b"-%d" % k for k in range(4))}
        there = {b in found for b in batch - m.seen}
        assert len(there) <= 1 and (there <= {True} or not batch & m.seen), first
    m.sent, m.maybe, m.locked = set(found), set(), {}
    e.advance("PT2M")


def test_killed_while_busy(case):
    s = case.story()
    s.make_all()
    s.e.arm("PUT", s.queue_path, {"properties": {"maxDeliveryCount": 2000}}).expect(200)
    s.e.arm("PATCH", s.namespace_path, {"tags": {"n": "0"}}).expect(200)
    m, dice, done = Model(), random.Random(7), []
    for n in range(ROUNDS):
        before = m.done
        workers = [kind(s, m, i, n) for i, kind in enumerate((Sender, Sender, Sender, Completer, Completer, Resources, Keys))]
        for w in workers:
            w.start()
        # Not by time alone: something must have happened, then a moment that nobody chose.
        while m.done < before + 20 and s.e.process.poll() is None and any(w.is_alive() for w in workers):
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.12))
        s.e.kill()
        for w in workers:
            w.join(60)
            assert w.problem is None, w.problem
        done.append(m.done - before)
        s.e.start()
        check_round(s, m)
    assert sum(done) > 5 * ROUNDS, done
    s.e.stop()
    for name in ("servicebus.db", "keyvault.db"):
        whole(os.path.join(s.e.data, name))


def test_killed_while_it_starts(case):
    """At any moment of a first or later start: the next start finds nothing half made."""
    e = case.emulator(start=False)
    dice = random.Random(11)
    for i in range(25):
        # Half of the first ones on an empty folder.
        if i < 12:
            shutil.rmtree(e.data, ignore_errors=True)
        p = subprocess.Popen(e.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0, 0.25))
        p.kill()
        p.communicate()
        if i % 4 == 3:
            e.start()
            e.control("GET", "/health").expect(200)
            e.kill()
    e.start()
    s = harness.Story(e)
    s.make_all()
    s.send("x").expect(201)
    assert [b for _, b in s.drain()] == [b"x"]
    left = [f for f in e.files() if f.endswith((".new", ".tmp"))]
    assert not left, left


def test_killed_during_an_advance(case):
    """An advance that was never answered stops at one of its steps: what fell due until then is done, the rest still due."""
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    s.send("short", BrokerProperties=json.dumps({"TimeToLive": 3600})).expect(201)
    s.send("long").expect(201)
    answered = s.e.control("GET", "/_emulator/clock").json()["now"]
    for month in range(2, 5):
        t = threading.Thread(target=lambda: _until_dead(s.e.twin(), "P30D"))
        t.start()
        while s.e.control("GET", "/_emulator/clock").expect(200).json()["now"] == answered:
            pass
        s.e.kill()
        t.join()
        s.e.start()
        now = s.e.control("GET", "/_emulator/clock").json()["now"]
        assert answered <= now < f"2026-0{month}-30", (answered, now)
        s.e.poll(s.namespace)
        assert s.e.state(s.namespace)["status"] == "Active"
        answered = s.e.advance("PT1S")["now"]
        assert answered > now
    s.e.advance("PT2H")
    assert [b for _, b in s.drain()] == [b"long"]


def _until_dead(e, duration):
    try:
        e.control("POST", "/_emulator/clock", {"advance": duration})
    except (OSError, harness.http.client.HTTPException):
        pass


def test_locks_and_counts_survive(case):
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    auth = s.auth()
    for i in range(4):
        s.send(f"m{i}").expect(201)
    s.send("later", BrokerProperties=json.dumps({"ScheduledEnqueueTimeUtc": "Thu, 01 Jan 2026 01:00:00 GMT"})).expect(201)
    first = s.peek_lock().expect(201)
    s.e.bus("PUT", s.namespace, location_of(first), b"", auth).expect(200)
    again = s.peek_lock().expect(201)
    assert again.body == b"m0" and properties_of(again)["DeliveryCount"] == 2
    second = s.peek_lock().expect(201)
    before = s.e.state(s.namespace)["messages"]
    assert before["active"] == 4 and before["scheduled"] == 1, before
    for _ in range(2):
        s.e.restart(kill=True)
        assert s.e.state(s.namespace)["messages"] == before
    third = s.peek_lock().expect(201)
    assert third.body == b"m2" and properties_of(third)["DeliveryCount"] == 1
    s.e.bus("DELETE", s.namespace, location_of(again), b"", auth).expect(200)
    s.e.bus("POST", s.namespace, location_of(second), b"", auth).expect(200)
    s.e.restart(kill=True)
    s.e.bus("DELETE", s.namespace, location_of(again), b"", auth).expect(404)
    s.e.advance("PT61S")
    s.e.bus("DELETE", s.namespace, location_of(second), b"", auth).expect(404)
    got = [s.peek_lock().expect(201) for _ in range(3)]
    assert [(g.body, properties_of(g)["DeliveryCount"]) for g in got] == [(b"m1", 2), (b"m2", 2), (b"m3", 1)], got
    assert [properties_of(g)["SequenceNumber"] for g in got] == [2, 3, 4]
    s.e.restart(kill=True)
    assert s.peek_lock().status == 204
    s.e.advance("PT1H")
    rest = s.drain()
    assert [b for _, b in rest] == [b"m1", b"m2", b"m3", b"later"], rest
    assert len({n for n, _ in rest}) == 4


def test_sequence_numbers_are_never_used_again(case):
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    numbers = []
    for i in range(5):
        s.send(f"a{i}").expect(201)
        s.send(f"b{i}").expect(201)
        numbers += [n for n, _ in s.drain()]
        s.e.restart(kill=True)
    assert numbers == list(range(1, 11)), numbers
    # A queue of the same name is another queue: what is left of the old one's backups opens nothing in it.
    old = s.e.arm("GET", s.queue_path).expect(200).json()
    s.e.arm("DELETE", s.queue_path).expect(200)
    s.make_queue()
    s.send("new").expect(201)
    assert s.drain() == [(1, b"new")]
    assert old["properties"]["messageCount"] == 0


def test_one_process_on_one_folder(case):
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    s.send("mine").expect(201)
    second = harness.Emulator(case.folder)
    second.data = s.e.data
    text = second.refuses_to_start()
    assert s.e.data in text and str(s.e.process.pid) in text and "--data-dir" in text, text
    link = os.path.join(case.folder, "link")
    os.symlink(s.e.data, link)
    second.data = link
    assert str(s.e.process.pid) in second.refuses_to_start()
    assert [b for _, b in s.drain()] == [b"mine"]
    s.send("still mine").expect(201)
    s.e.kill()
    second.data = s.e.data
    second.log_path = os.path.join(case.folder, "second.log")
    second.start()  # the lock ended with the process
    second.stop()


# ---- damage ----

def stored(case, count=20, size=2000):
    """A folder with messages in it, closed; and a copy of it to begin anew from."""
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    for i in range(count):
        s.send(f"m{i}-" + "x" * size).expect(201)
    s.e.stop()
    copy = s.e.data + ".copy"
    shutil.copytree(s.e.data, copy)

    def anew():
        shutil.rmtree(s.e.data)
        shutil.copytree(copy, s.e.data)
    return s, anew


def edit(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def run_sql(path, *statements):
    db = sqlite3.connect(path)
    try:
        for sql in statements:
            db.execute(*sql) if isinstance(sql, tuple) else db.execute(sql)
        db.commit()
    finally:
        db.close()


def test_damaged_databases(case):
    s, anew = stored(case)
    folder = s.e.data

    def size(path):
        return os.path.getsize(path)

    damages = {
        "name": lambda p: edit(p, 0, b"XQLite"),
        "page size": lambda p: edit(p, 16, b"\x00\x07"),
        "format": lambda p: edit(p, 18, b"\x09\x09"),
        "schema page": lambda p: edit(p, 100, b"\xff" * 60),
        "first page": lambda p: edit(p, 0, bytes(4096)),
        "page in the middle": lambda p: edit(p, size(p) // 2 // 4096 * 4096, b"\xff" * 4096),
        "last page": lambda p: os.truncate(p, size(p) - 4096),
        "half": lambda p: os.truncate(p, size(p) // 2),
        "part of a page": lambda p: os.truncate(p, size(p) - 100),
        "ten bytes": lambda p: os.truncate(p, 10),
        "other file": lambda p: (os.truncate(p, 0), edit(p, 0, b"not a database at all\n" * 100)),
        "schema gone": lambda p: run_sql(p, "DROP TABLE " + ("message" if "servicebus" in p else "vault_version")),
        "newer": lambda p: run_sql(p, "PRAGMA user_version=99"),
        "other application": lambda p: run_sql(p, "PRAGMA application_id=1"),
        "folder": lambda p: (os.remove(p), os.mkdir(p)),
    }
    for name in ("servicebus.db", "keyvault.db"):
        path = os.path.join(folder, name)
        for what, damage in damages.items():
            anew()
            damage(path)
            kept = open(path, "rb").read() if os.path.isfile(path) else None
            try:
                text = s.e.refuses_to_start()
                assert name in text, text
                assert what != "newer" or "newer version" in text and "99" in text, text
                # Refused is refused: nothing was put right behind the user's back.
                assert kept is None or open(path, "rb").read() == kept, "the file was changed"
            except AssertionError as e:
                raise AssertionError(f"{name}, {what}: {e}") from e
    anew()
    os.rename(os.path.join(folder, "servicebus.db"), os.path.join(folder, "x"))
    os.rename(os.path.join(folder, "keyvault.db"), os.path.join(folder, "servicebus.db"))
    os.rename(os.path.join(folder, "x"), os.path.join(folder, "keyvault.db"))
    s.e.refuses_to_start()
    anew()
    s.e.start()
    assert len(s.drain()) == 20


GROWING = {"message", "seen", "event"}


def test_damage_of_a_large_database(case):
    """Too large to be looked at as a whole: every table that does not grow with the traffic is."""
    s, anew = stored(case, count=100, size=100_000)
    path = os.path.join(s.e.data, "servicebus.db")
    assert os.path.getsize(path) > 8 << 20
    db = sqlite3.connect(path)
    tables = db.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'").fetchall()
    page = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    assert GROWING < {name for name, _ in tables} and len(tables) > 6, tables
    for name, root in tables:
        if name in GROWING:
            continue
        anew()
        edit(path, (root - 1) * page, b"\xff" * page)
        text = s.e.refuses_to_start()
        assert "servicebus.db is damaged" in text, (name, text)
    # A table that grows is met when it is read: the program ends by itself and says why; nothing is made up, nothing thrown away.
    anew()
    edit(path, (dict(tables)["message"] - 1) * page, b"\xff" * page)
    s.e.start()
    try:
        s.receive().expect(500, 503)  # 503: the sweep met it first, and the program is stopping
    except (http.client.HTTPException, OSError):
        pass  # it was quicker with its end than with its answer
    assert s.e.process.wait(20) == 1
    s.e._end()
    assert re.search(r"storage.failed .*servicebus.db.* damaged", s.e.read_log()), s.e.read_log()
    anew()
    s.e.start()
    assert len(s.drain()) == 100


def frames(log):
    """[(offset, whether it ends a transaction)] of the frames of a write-ahead log."""
    page = int.from_bytes(log[8:12], "big")
    salts = log[16:24]
    return [(at, log[at + 4:at + 8] != bytes(4)) for at in range(32, len(log), 24 + page) if log[at + 8:at + 16] == salts]


def test_damage_of_a_log(case):
    """SQLite takes the first frame that does not fit for the end of its log: what follows would be taken back without a word."""
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    for i in range(20):
        s.send(f"m{i}").expect(201)
    s.e.kill()
    copy = s.e.data + ".copy"
    shutil.copytree(s.e.data, copy)

    def anew():
        shutil.rmtree(s.e.data)
        shutil.copytree(copy, s.e.data)
    for name in ("servicebus.db", "keyvault.db"):
        anew()
        path = os.path.join(s.e.data, name + "-wal")
        log = open(path, "rb").read()
        ends = [at for at, commit in frames(log) if commit]
        assert len(ends) > 5, (name, len(ends))
        for at in (0, 12, 31, ends[0] + 3, ends[1] + 20, ends[len(ends) // 2] + 24, ends[-3] + 4000):
            anew()
            edit(path, at, bytes([log[at] ^ 0x10]))
            text = s.e.refuses_to_start()
            assert f"{name}-wal is damaged" in text, (name, at, text)
            assert len(open(path, "rb").read()) == len(log)
    # What a power cut may leave: a part of the last transaction, which nobody was told of.
    anew()
    path = os.path.join(s.e.data, "servicebus.db-wal")
    log = open(path, "rb").read()
    edit(path, frames(log)[-1][0] + 100, b"\xff" * 100)
    s.e.start()
    assert [b for _, b in s.drain()] == [f"m{i}".encode() for i in range(19)]
    s.e.stop()
    anew()
    s.e.start()
    assert [b for _, b in s.drain()] == [f"m{i}".encode() for i in range(20)]


def test_damaged_certificates_are_made_anew(case):
    """A CA that clients cannot read, or that is not the certificate's, is told of and replaced: what is handed out works."""
    s, anew = stored(case, count=1)
    for name in ("ca.pem", "tls-cert.pem", "tls-key.pem"):
        path = os.path.join(s.e.data, name)
        size = os.path.getsize(path)
        for damage in (lambda: os.truncate(path, size // 2), lambda: os.truncate(path, 0), lambda: edit(path, size // 2, b"!"),
                       lambda: edit(path, size // 3, b"AAAAAAAA"), lambda: edit(path, 0, b"x"), lambda: os.remove(path)):
            anew()
            damage()
            s.e.start()
            assert s.e.control("GET", "/_emulator/ca.pem").expect(200).body.decode() == s.e.ca
            s.get_namespace()
            s.e.stop()
    assert "tls.renewed" in s.e.read_log()


def test_platform_key_lost(case):
    s, anew = stored(case)
    path = os.path.join(s.e.data, "platform.key")
    for what, damage in {
        "missing": lambda: os.remove(path),
        "empty": lambda: os.truncate(path, 0),
        "short": lambda: os.truncate(path, 31),
        "long": lambda: edit(path, 32, b"x"),
        "another": lambda: edit(path, 0, os.urandom(32)),
        "one bit": lambda: edit(path, 0, bytes([open(path, "rb").read(1)[0] ^ 1])),
        "open to others": lambda: os.chmod(path, 0o644),
        "a folder": lambda: (os.remove(path), os.mkdir(path)),
    }.items():
        anew()
        damage()
        text = s.e.refuses_to_start()
        assert "platform.key" in text, (what, text)
        assert os.path.exists(path) == (what != "missing"), what
    anew()
    s.e.start()
    assert len(s.drain()) == 20


def test_folders_that_cannot_be_used(case):
    s, anew = stored(case)
    anybody = {}
    if os.getuid() == 0:  # to whom modes mean nothing
        anybody = {"user": 65534, "group": 65534, "extra_groups": []}
        os.chmod(case.folder, 0o755)
        os.chmod(os.path.dirname(s.e.data), 0o755)
        os.chown(s.e.data, 65534, 65534)
        for f in s.e.files():
            os.chown(f, 65534, 65534)
    binary = os.path.join(case.folder, "sealedbus")  # where everybody can reach it
    shutil.copy(harness.BINARY, binary)
    command = s.e.command
    s.e.command = lambda: [binary] + command()[1:]

    def refused():
        text = s.e.refuses_to_start(**anybody)
        assert s.e.data in text, text

    os.chmod(s.e.data, 0o500)
    refused()
    os.chmod(s.e.data, 0o700)
    for name in ("servicebus.db", "keyvault.db", "platform.key", "lock"):
        path = os.path.join(s.e.data, name)
        os.chmod(path, 0o000)
        refused()
        os.chmod(path, 0o600)
    for name in ("servicebus.db", "keyvault.db"):
        path = os.path.join(s.e.data, name)
        os.chmod(path, 0o400)
        refused()
        os.chmod(path, 0o600)
    s.e.command = command
    there = s.e.data
    for other in ("/proc/sealedbus", "/dev/null", "/dev/null/x", os.path.join(there, "servicebus.db"), "/" + "x" * 300, "/tmp/" + "x/" * 2500):
        s.e.data = other
        s.e.refuses_to_start()
    s.e.data = there
    if os.getuid() == 0:
        os.chown(there, 0, 0)
    s.e.start()
    assert len(s.drain()) == 20


def test_modes_of_what_is_stored(case):
    s, _ = stored(case)
    assert os.stat(s.e.data).st_mode & 0o777 == 0o700
    for f in s.e.files():
        assert os.stat(f).st_mode & 0o077 == 0, (f, oct(os.stat(f).st_mode))


def test_damaged_messages(case):
    """Edited on the disk: not delivered, not deleted, told; the others flow."""
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    total = 16
    for i in range(1, total + 1):
        s.send(f"body {i}").expect(201)
    other = harness.Story(s.e, queue="other")
    other.principal, other.root_key = s.principal, s.root_key
    other.make_queue()
    other.send("elsewhere").expect(201)
    s.e.stop()
    path = os.path.join(s.e.data, "servicebus.db")
    db = sqlite3.connect(path)
    rows = dict(db.execute("SELECT id, blob FROM message WHERE id >> 40 = (SELECT id FROM entity WHERE name = ?)", (s.queue,)))
    ids = sorted(rows)
    assert [i & (2 ** 40 - 1) for i in ids] == list(range(1, total + 1))
    foreign = db.execute("SELECT blob FROM message WHERE id >> 40 = (SELECT id FROM entity WHERE name = 'other')").fetchone()[0]

    def flipped(n, at):
        blob = bytearray(rows[ids[n]])
        blob[at] ^= 1
        return bytes(blob)

    edits = {0: flipped(0, 0), 1: flipped(1, 4), 2: flipped(2, 7), 3: flipped(3, 11), 4: flipped(4, 12), 5: flipped(5, 24), 6: flipped(6, -17),
             7: flipped(7, -1), 8: rows[ids[8]][:-1], 9: rows[ids[9]] + b"\0", 10: rows[ids[11]], 11: rows[ids[10]], 12: foreign,
             13: bytes(len(rows[ids[13]]))}
    for n, blob in edits.items():
        assert blob != rows[ids[n]]
        db.execute("UPDATE message SET blob = ? WHERE id = ?", (blob, ids[n]))
    db.execute("UPDATE message SET id = id + 1000 WHERE id = ?", (ids[14],))  # renumbered
    db.commit()
    db.close()
    s.e.start()
    got, told = [], 0
    while True:
        reply = s.receive()
        if reply.status == 204:
            break
        if reply.status == 200:
            got.append(reply.body)
            continue
        reply.expect(500)
        assert b"<Code>500</Code>" in reply.body and b"authentication" in reply.body and b"body" not in reply.body.split(b"TrackingId")[0], reply
        told += 1
        assert told <= total
    assert got == [b"body 16"], got
    assert told == 15, told
    assert s.e.read_log().count("tamper.detected") == 15
    assert s.receive(queue="other").expect(200).body == b"elsewhere"
    assert s.e.at_rest(s.namespace, s.queue, 6)["sealed"] == edits[5].hex()
    # Nothing is mended or thrown away, not by a restart nor by the locks' ends either.
    s.e.restart(kill=True)
    s.e.advance("PT10M")
    assert s.receive().status == 204
    s.send("after").expect(201)
    assert [b for _, b in s.drain()] == [b"after"]
    s.e.stop()
    db = sqlite3.connect(path)
    now = dict(db.execute("SELECT id, blob FROM message"))
    db.close()
    assert now == {**{ids[n]: blob for n, blob in edits.items()}, ids[14] + 1000: rows[ids[14]]}


def told_as_altered(s):
    s.e.poll(s.namespace)
    s.receive().expect(503)
    key = s.e.state(s.namespace)["encryption"]["keys"][0]
    assert key["state"] == "Unreachable" and "altered" in key["message"], key
    assert [r for r in s.e.events(stream="key") if "altered" in r["message"]]
    assert s.get_namespace()["properties"]["status"] == "Active"


def test_a_damaged_wrap_is_not_a_revocation(case):
    """A wrapped root key that was exchanged for another: told as tampering; the namespace does not serve under it."""
    s, anew = stored(case)
    path = os.path.join(s.e.data, "servicebus.db")
    db = sqlite3.connect(path)
    blob = db.execute("SELECT wrapped FROM ns_key").fetchone()[0]
    db.close()
    run_sql(path, ("UPDATE ns_key SET wrapped = ?", (blob[:-1] + bytes([blob[-1] ^ 1]),)))
    s.e.start()
    told_as_altered(s)
    s.e.stop()
    run_sql(path, ("UPDATE ns_key SET wrapped = ?", (blob,)))
    s.e.start()
    s.e.poll(s.namespace)
    assert len(s.drain()) == 20
    # A key that opens, but to another root: made by the vault itself, so it is a good blob of the wrong content.
    wrap = s.e.vault("POST", s.vault, "/keys/key1/wrapkey", {"alg": "RSA-OAEP-256", "value": "A" * 43}).expect(200).json()["value"]
    s.send("under the true root").expect(201)
    s.e.stop()
    run_sql(path, ("UPDATE ns_key SET wrapped = ?", (base64.urlsafe_b64decode(wrap + "=="),)))
    s.e.start()
    told_as_altered(s)


# ---- fault points: only in a build that has them (make fault) ----

PLAIN = b"plain-text-0d3f"


def scenario(s, m):
    """Everything that writes, once over; every acknowledgement is noted."""
    s.make_group()
    s.make_vault()
    s.make_key("key1")
    s.make_namespace()
    s.allow()
    m.append("allowed")
    s.encrypt(["key1"])
    m.append("encrypted")
    s.make_queue()
    s.connect()
    for i in range(3):
        s.send(PLAIN + b"%d" % i).expect(201)
        m.append(f"sent {i}")
    locked = s.peek_lock().expect(201)
    s.e.bus("DELETE", s.namespace, location_of(locked), b"", s.auth()).expect(200)
    m.append("completed 0")
    s.e.vault("POST", s.vault, "/keys/key1/rotate").expect(200)
    s.e.poll(s.namespace)
    m.append("rotated")
    s.deny()
    m.append("denied")
    s.e.poll(s.namespace)
    m.append("revoked")
    s.allow()
    m.append("allowed again")
    s.e.advance("PT5M")
    m.append("restored")
    s.send(PLAIN + b"3").expect(201)
    m.append("sent 3")


def after_fault(s, m):
    """What a scenario that ended somewhere left behind."""
    if "allowed" not in m:
        return
    if not hasattr(s, "principal"):
        s.principal = s.get_namespace()["identity"]["principalId"]
    s.allow()
    s.e.poll()
    state = s.e.state(s.namespace)
    assert state["status"] == "Active", state
    if "encrypted" not in m:
        return
    keys = state["encryption"]["keys"]
    assert [k["state"] for k in keys] == ["Active"], keys
    if not hasattr(s, "root_key"):
        s.make_queue()
        s.connect()
    # The one that was being completed may be locked.
    s.e.advance("PT10M")
    got = [b for _, b in s.drain()]
    assert len(got) == len(set(got)), got
    sent = {i for i in range(4) if f"sent {i}" in m}
    may_be_gone = {0} if "sent 2" in m else set()
    numbers = {int(b[len(PLAIN):]) for b in got}
    assert sent - may_be_gone <= numbers <= {0, 1, 2, 3}, (m, got)
    assert "completed 0" not in m or 0 not in numbers, (m, got)


def run_with_fault(case, point, how):
    """The scenario dies or fails at the Nth hit of a point, for every N until it is not met any more."""
    e, n, met = case.emulator(start=False), 0, True
    fatal = point.startswith(("store.commit", "store.sync"))  # the outcome is unknown: the program ends itself
    while met:
        n += 1
        s, m = harness.Story(e), []
        s.keys = ["key1"]
        e.environ = {"SEALEDBUS_FAULT": f"{point}:{n}{how}"}
        try:
            e.start()
            e.timeout = 20
            scenario(s, m)
            met = False
        except (OSError, harness.http.client.HTTPException, AssertionError):
            pass
        code = ended(e, met and (how or fatal))
        met = met or code != 0  # by what is written behind the last answer
        wanted = [0] if not met else [-9] if how else [1] if fatal else [0, 1]
        assert code in wanted, (n, code)
        e.environ = {}
        try:
            e.start()
            after_fault(s, m)
            e.stop()
            for name in ("servicebus.db", "keyvault.db"):
                whole(os.path.join(e.data, name))
            assert not e.on_disk(PLAIN)
        except Exception as problem:
            raise AssertionError(f"{point}:{n}{how} after {m}: {problem!r}") from problem
        shutil.rmtree(e.data)
    assert n > 10, f"{point} was met {n - 1} times only"


def ended(e, by_itself):
    """The program's exit status; it is asked to stop unless it must end by itself."""
    if not by_itself and e.process.poll() is None:
        e.process.terminate()
    e.process.wait(harness.START_TIMEOUT)
    return e._end()


if harness.FAULTS:
    def test_fault_killed_before_each_commit(case):
        run_with_fault(case, "store.commit.before", ":kill")

    def test_fault_killed_after_each_commit(case):
        run_with_fault(case, "store.commit.after", ":kill")

    def test_fault_each_commit_fails_before(case):
        run_with_fault(case, "store.commit.before", "")

    def test_fault_each_commit_fails_after(case):
        run_with_fault(case, "store.commit.after", "")

    def test_fault_killed_before_each_sync(case):
        run_with_fault(case, "store.sync.before", ":kill")

    def test_fault_killed_after_each_sync(case):
        run_with_fault(case, "store.sync.after", ":kill")

    def test_fault_each_sync_fails_before(case):
        run_with_fault(case, "store.sync.before", "")

    def test_fault_each_sync_fails_after(case):
        run_with_fault(case, "store.sync.after", "")

    def test_fault_each_operation(case):
        run_with_fault(case, "store.op", "")
