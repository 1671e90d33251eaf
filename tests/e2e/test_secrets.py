"""Nothing that a user sent, and no key, reaches a file; nothing of it is left in memory once the keys are gone."""

import base64
import json
import os
import re
import shutil
import sqlite3
import struct
import time

import harness
import rsa

BATCH = "application/vnd.microsoft.servicebus.json"


class Planted:
    """Texts that stand nowhere else, one for each thing that a message holds."""

    def __init__(self, tag):
        self.tag = tag
        self.names = ["body", "batchBody", "batchLabel", "batchUser", "large", "label", "correlation", "replyTo", "to", "replySession",
                      "partition", "session", "messageId", "contentType", "header", "headerName", "chunked", "dead"]
        self.text = {n: f"{n}-{tag}-plain" for n in self.names}

    def all(self):
        """As bytes; HTTP may have changed the case of a header's name."""
        return [t.encode() for t in self.text.values()] + [self.text["headerName"].title().encode(), self.text["headerName"].lower().encode()]

    def __getattr__(self, name):
        return self.text[name]

    def send(self, s):
        """In every way there is. Three messages, and one in the dead-letter queue."""
        properties = {"Label": self.label, "CorrelationId": self.correlation, "ReplyTo": self.replyTo, "To": self.to,
                      "ReplyToSessionId": self.replySession, "PartitionKey": self.session, "SessionId": self.session,
                      "MessageId": self.messageId}
        headers = {"BrokerProperties": json.dumps(properties), "Content-Type": f"text/plain; x={self.contentType}",
                   "own": f'"{self.header}"', self.headerName: "1"}
        s.send(self.dead, BrokerProperties=json.dumps({"TimeToLive": 1, "PartitionKey": self.partition})).expect(201)
        s.e.advance("PT2S")
        s.send(self.body, **headers).expect(201)
        s.send(json.dumps([{"Body": self.batchBody, "BrokerProperties": {"Label": self.batchLabel},
                            "UserProperties": {"own": self.batchUser}}]), **{"Content-Type": BATCH}).expect(201)
        s.send((self.large + " " + "padding " * 10).encode() * 3000).expect(201)
        host, auth = s.host, s.auth()["Authorization"]
        with s.e.dial(host) as c:
            c.sendall(f"POST /{s.queue}/messages HTTP/1.1\r\nHost: {host}\r\nAuthorization: {auth}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for part in (self.chunked, " and ", self.chunked):
                c.sendall(f"{len(part):x}\r\n{part}\r\n".encode())
            c.sendall(b"0\r\n\r\n")
            assert harness.Answers(c).next().status == 201

    def is_back(self, s):
        """Received, locked and renewed: all of it came back, from the queue and from the dead-letter queue."""
        got = []
        for queue in (s.queue, f"{s.queue}/$DeadLetterQueue"):
            while True:
                reply = s.peek_lock(queue=queue).expect(201, 204)
                if reply.status == 204:
                    break
                got.append(repr(reply.headers.items()).encode() + reply.body)
        got = b"\n".join(got).lower()
        missing = [t for t in self.text.values() if t.lower().encode() not in got]
        assert not missing, missing


# ---- keys ----

class Keys:
    """A customer key whose private part the test knows: so it can open what is wrapped, and knows what to look for."""

    def __init__(self, s):
        self.s, self.key = s, rsa.key()

    def put(self, name):
        self.s.e.vault("PUT", self.s.vault, f"/keys/{name}", {"key": {**self.key.jwk(), "key_ops": ["wrapKey", "unwrapKey"]}}).expect(200)

    def read(self, path):
        """Takes the root key of the namespace, and what is derived from it, out of a copy of its database."""
        db = sqlite3.connect(path)
        ns, check = db.execute("SELECT id, check_value FROM namespace WHERE name = ?", (self.s.namespace,)).fetchone()
        wraps = [w for w, in db.execute("SELECT wrapped FROM ns_key WHERE ns = ?", (ns,))]
        generations = {struct.unpack(">I", blob[8:12])[0] for blob, in db.execute("SELECT blob FROM message")}
        db.close()
        roots = {self.key.open_oaep(w) for w in wraps}
        assert len(roots) == 1 and generations
        self.root = roots.pop()
        assert len(self.root) == 32
        place = struct.pack(">Q", ns)
        of_check = rsa.hkdf(self.root, b"check" + place)
        # The stored value says that this is the root key indeed.
        assert rsa.hmac.new(of_check, b"sealedbus root key check", "sha256").digest() == check
        self.derived = [rsa.hkdf(self.root, b"data" + place + struct.pack(">I", g)) for g in generations]
        self.derived += [rsa.hkdf(self.root, b"lookup" + place), of_check]
        return self

    def of_service(self):
        return [self.root, *self.derived]

    def all(self):
        """Also as texts, and as numbers the other way round."""
        raw = self.of_service() + self.key.private_parts()
        forms = list(raw)
        for k in raw:
            forms += [k.hex().encode(), k.hex().upper().encode(), base64.b64encode(k), rsa.b64url(k).encode(), k[::-1]]
        return forms


def copy_of_database(s, folder):
    """What is on the disk at this moment, as a thief would take it."""
    for name in os.listdir(s.e.data):
        if name.startswith("servicebus.db"):
            shutil.copy(os.path.join(s.e.data, name), folder)
    return os.path.join(folder, "servicebus.db")


def open_files(e):
    """Contents of whatever regular file the process has open, deleted ones included."""
    for fd in os.listdir(f"/proc/{e.process.pid}/fd"):
        path = f"/proc/{e.process.pid}/fd/{fd}"
        try:
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    yield os.readlink(path), f.read()
        except OSError:
            continue  # closed meanwhile


def assert_nowhere(s, needles):
    found = s.e.on_disk(*needles)
    if s.e.process:
        found += [(n, path) for path, content in open_files(s.e) for n in needles if n in content]
    assert not found, found


def test_nothing_readable_in_any_file(case):
    s = case.story()
    keys = Keys(s)
    s.keys = ["known"]
    s.make_key = keys.put
    s.make_all()
    s.make_queue(deadLetteringOnMessageExpiration=True)
    planted = Planted("7f31c2")
    planted.send(s)
    keys.read(copy_of_database(s, case.folder))
    needles = planted.all() + keys.all()
    assert_nowhere(s, needles)
    # The search finds what is there: names of queues are stored in the clear.
    assert s.e.on_disk(s.queue.encode()), "the search itself does not work"
    planted.is_back(s)
    s.e.advance("PT2M")
    assert_nowhere(s, needles)
    for kill in (True, False):
        s.e.restart(kill=kill)
        s.e.poll(s.namespace)
        planted.is_back(s)
        s.e.advance("PT2M")
        assert_nowhere(s, needles)
    s.deny()
    s.e.poll(s.namespace)
    s.peek_lock().expect(403)
    assert_nowhere(s, needles)
    s.e.restart()
    assert_nowhere(s, needles)
    s.allow()
    s.e.poll(s.namespace)
    planted.is_back(s)
    # Rotated: the old wrap is gone for good.
    s.e.advance("PT2M")
    s.e.vault("POST", s.vault, "/keys/known/rotate").expect(200)
    s.e.poll(s.namespace)
    assert_nowhere(s, needles)
    s.drain()
    s.e.arm("DELETE", s.queue_path).expect(200)
    assert_nowhere(s, needles)
    s.e.arm("DELETE", s.namespace_path).expect(200, 202)
    assert_nowhere(s, needles)
    s.e.stop()
    assert_nowhere(s, needles)
    assert not [t for t in needles if t in s.e.read_log().encode(errors="replace")], "in the log"


def test_a_removed_wrap_is_gone_from_the_disk(case):
    """A key taken off the list: nothing that it could open is left in database or log, live or closed."""
    s = case.story()
    s.make_all()
    s.send("x").expect(201)
    path = copy_of_database(s, case.folder)
    db = sqlite3.connect(path)
    wraps = dict(db.execute("SELECT key_name, wrapped FROM ns_key"))
    db.close()
    assert set(wraps) == set(s.keys)
    s.put_template(s.encryption_resource(["key1", "key3"])).expect(200)
    assert_nowhere(s, [wraps["key2"]])
    assert s.e.on_disk(wraps["key1"]), "the search itself does not work"
    # Hidden, then withdrawn for good.
    s.e.vault("PATCH", s.vault, "/keys/key3", {"attributes": {"enabled": False}}).expect(200)
    s.e.poll(s.namespace)
    assert s.e.on_disk(wraps["key3"])  # revoking purges nothing
    s.e.control("DELETE", f"/_emulator/namespaces/{s.namespace}/keys/key3?keyVaultUri={s.vault_uri}").expect(204)
    assert_nowhere(s, [wraps["key2"], wraps["key3"]])
    s.e.stop()
    assert_nowhere(s, [wraps["key2"], wraps["key3"]])


def test_deleted_messages_are_gone_from_the_disk(case):
    """Sealed or not: what was taken from a queue leaves no bytes behind once the program has stopped."""
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    for i in range(5):
        s.send(f"message {i}" * 100).expect(201)
    sealed = [bytes.fromhex(s.e.at_rest(s.namespace, s.queue, i)["sealed"]) for i in range(1, 6)]
    assert s.e.on_disk(sealed[0][:64])
    s.drain()
    s.e.stop()
    assert_nowhere(s, [blob[24:56] for blob in sealed])


def test_stolen_databases_open_nothing(case):
    """servicebus.db and platform.key together, without keyvault.db: another emulator makes nothing of them (contract 5)."""
    s = case.story()
    s.keys = ["key1"]
    s.make_all()
    Planted("b81d04").send(s)
    s.e.stop()
    os.remove(os.path.join(s.e.data, "keyvault.db"))
    try:
        s.e.start()
    except AssertionError as refused:
        assert "ended with 3" in str(refused), refused
        s.e.process.wait()
        s.e.process = None
        return
    s.e.poll(s.namespace)
    assert s.e.state(s.namespace)["status"] == "Revoked"
    s.peek_lock().expect(401, 403)
    # Not even with a vault and a key of the same names, and the same access.
    s.make_group()
    s.make_vault()
    s.make_key("key1")
    s.principal = s.e.arm("GET", s.namespace_path).json().get("identity", {}).get("principalId") or s.principal
    s.allow()
    s.e.poll(s.namespace)
    assert s.e.state(s.namespace)["status"] == "Revoked"
    s.peek_lock().expect(401, 403)


# ---- memory ----

class Memory:
    """What the live process can read, as far as we may read it."""

    def __init__(self, e):
        self.pid = e.process.pid

    def readable(self):
        try:
            with open(f"/proc/{self.pid}/mem", "rb"):
                return True
        except PermissionError:
            return False

    def regions(self):
        with open(f"/proc/{self.pid}/maps") as maps:
            lines = maps.read().splitlines()
        with open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
            for line in lines:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
                start, end = int(m[1], 16), int(m[2], 16)
                if m[3][0] != "r" or m[4] in ("[vvar]", "[vsyscall]", "[vdso]"):
                    continue
                if harness.SANITIZED and end - start > 256 << 20:
                    continue  # its notes about memory: terabytes of nothing
                try:
                    memory.seek(start)
                    yield start, m[4], memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    continue  # mapped, but nothing behind it

    def find(self, needles):
        found = []
        for start, name, content in self.regions():
            for n in needles:
                at = content.find(n)
                while at >= 0:
                    around = content[max(0, at - 48):at + len(n) + 48]
                    found.append((n, hex(start + at), name or "anonymous", around))
                    at = content.find(n, at + 1)
        return found


def quiet(e):
    """When the program has nothing to do any more: its threads have come to rest."""
    def used():
        with open(f"/proc/{e.process.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[11:13]
    before = None
    while before != (before := used()):
        time.sleep(0.1)


def test_nothing_readable_in_memory_when_revoked(case):
    s = case.story()
    memory = Memory(s.e)
    if not memory.readable():
        print("skipped: the memory of the process cannot be read here")
        return
    keys = Keys(s)
    s.keys = ["known"]
    s.make_key = keys.put
    s.make_all()
    s.make_queue(deadLetteringOnMessageExpiration=True)
    planted = Planted("e4420a")
    planted.send(s)
    keys.read(copy_of_database(s, case.folder))
    planted.is_back(s)
    s.e.advance("PT2M")
    # The search finds what is there: the root key is cached, and this very path stands in memory.
    assert memory.find([s.e.data.encode()]), "the search itself does not work"
    assert memory.find([keys.root]), "the root key is in use: it must be found"
    # A message that is half here stands in memory, in the connection's buffers and in ours.
    half = "halfway-e4420a-plain"
    c = s.e.dial(s.host)
    c.sendall(f"POST /{s.queue}/messages HTTP/1.1\r\nHost: {s.host}\r\nAuthorization: {s.auth()['Authorization']}\r\n"
              f"own: {planted.header}\r\nContent-Length: {2 * len(half)}\r\n\r\n{half}".encode())
    quiet(s.e)
    if not harness.SANITIZED:
        assert memory.find([half.encode()]) and memory.find([planted.header.encode()]), "the search itself does not work"
    c.sendall(half.encode())
    assert harness.Answers(c).next().status == 201
    # This connection and others stay open, with whatever their buffers hold.
    s.deny()
    s.e.poll(s.namespace)
    s.peek_lock().expect(403)
    quiet(s.e)
    if harness.SANITIZED:
        left = memory.find(keys.of_service())  # a sanitizer's allocator keeps freed blocks as they are
    else:
        left = memory.find(planted.all() + [half.encode()] + keys.of_service())
    assert not left, "\n".join(repr(x) for x in left)
    c.close()


def test_nothing_readable_in_memory_after_a_deletion(case):
    """A namespace that is deleted, and a reset: as if revoked."""
    s = case.story()
    memory = Memory(s.e)
    if not memory.readable() or harness.SANITIZED:
        print("skipped: the memory of the process cannot be read here")
        return
    keys = Keys(s)
    s.keys = ["known"]
    s.make_key = keys.put
    for end in (lambda: s.e.arm("DELETE", s.namespace_path).expect(200, 202), lambda: s.e.control("POST", "/_emulator/reset").expect(204)):
        s.make_all()
        s.make_queue(deadLetteringOnMessageExpiration=True)
        planted = Planted(os.urandom(4).hex())
        planted.send(s)
        planted.is_back(s)
        s.e.advance("PT2M")
        folder = os.path.join(case.folder, planted.tag)
        os.mkdir(folder)
        keys.read(copy_of_database(s, folder))
        assert memory.find([keys.root])
        end()
        quiet(s.e)
        left = memory.find(planted.all() + keys.of_service())
        assert not left, "\n".join(repr(x) for x in left)


def test_no_dump_can_be_made(case):
    """The process is not dumpable, so no core file holds what it knows, and no other process of the user may look."""
    e = case.emulator()
    with open(f"/proc/{e.process.pid}/limits") as f:
        assert re.search(r"Max core file size\s+0\s+0\s", f.read())
    assert os.stat(f"/proc/{e.process.pid}/mem").st_uid == 0, "not dumpable processes belong to root"
