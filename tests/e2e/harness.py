"""The program under test as a black box: started on free ports in a folder of its own, spoken to over real HTTPS with
its own CA, by the names that clients use. Python's standard library alone; no sleeps: time is the emulator's manual clock."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

TENANT = "11111111-1111-1111-1111-111111111111"
SUB = "00000000-0000-0000-0000-000000000000"
CLIENT = "22222222-2222-2222-2222-222222222222"
SECRET = "emulator-secret"
CLIENT_OID = "33333333-3333-3333-3333-333333333333"

ARM = "management.azure.com"
LOGIN = "login.microsoftonline.com"

START = "2026-01-01T00:00:00Z"
START_TIMEOUT = 60
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("SEALEDBUS", os.path.join(ROOT, "build", "sealedbus"))


def _built_with(*symbols):
    try:
        with open(BINARY, "rb") as f:
            content = f.read()
    except OSError:  # run.py tells
        return False
    return any(s in content for s in symbols)


SANITIZED = _built_with(b"__asan_init", b"__tsan_init")
FAULTS = _built_with(b"SEALEDBUS_FAULT\0")

ALL_KEY_PERMISSIONS = ["get", "list", "create", "import", "update", "delete", "recover", "purge", "backup", "restore",
                       "encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify", "rotate",
                       "getrotationpolicy", "setrotationpolicy"]
SERVICE_PERMISSIONS = ["get", "wrapKey", "unwrapKey"]


class Reply:
    def __init__(self, raw, body):
        self.status = raw.status
        self.headers = raw.headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"

    def expect(self, *statuses):
        """The reply itself when its status is one of these; else the test fails with the reply in its message."""
        assert self.status in (statuses or (200,)), f"expected {statuses or (200,)}, got {self!r}"
        return self


class _TlsConnection(http.client.HTTPSConnection):
    """Connects to the emulator's port whatever the host; host is what certificate and Host header speak of."""

    def __init__(self, host, port, context, timeout):
        super().__init__(host, port, timeout=timeout, context=context)

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)


class Emulator:
    """One run of the program after another on the same data folder."""

    def __init__(self, folder, *options, clock="manual", now=START, environ=None):
        self.data = os.path.join(folder, "data")
        self.options = list(options)
        self.clock = clock
        self.now = now
        self.environ = environ or {}
        self.log_path = os.path.join(folder, "log")
        self.process = None
        self.tokens = {}
        self.connections = {}
        self.timeout = 60

    # ---- life ----
    def command(self):
        line = [BINARY, "--https-port", "0", "--http-port", "0", "--bind", "127.0.0.1", "--clock", self.clock]
        if "--in-memory" not in self.options:
            line += ["--data-dir", self.data]
        if self.clock == "manual" and self.now:
            line += ["--now", self.now]
        return line + self.options

    def surroundings(self):
        """The environment, with none of the caller's own settings."""
        return {**{k: v for k, v in os.environ.items() if not k.startswith("SEALEDBUS_")}, **self.environ}

    def start(self):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log, env=self.surroundings())
        line = self._ready_line()
        self.ready = json.loads(line)
        assert self.ready["ready"] is True and self.ready["pid"] == self.process.pid, line
        self.https_port, self.http_port = self.ready["https"], self.ready["http"]
        with open(self.ready["ca"]) as f:
            self.ca = f.read()
        self.tls = ssl.create_default_context(cadata=self.ca)
        self.connections = {}
        self.tokens = {}
        return self

    def _ready_line(self):
        end, line = time.monotonic() + START_TIMEOUT, b""
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no ready line after {START_TIMEOUT} s, got {line!r}")
            part = os.read(self.process.stdout.fileno(), 4096)
            if not part:
                raise AssertionError(f"ended with {self.process.wait()} before it was ready")
            line += part
        return line

    def _end(self):
        for c in self.connections.values():
            c.close()
        self.connections = {}
        rest = self.process.stdout.read()
        self.process.stdout.close()
        self.log.close()
        code, self.process = self.process.wait(START_TIMEOUT), None
        assert rest == b"", f"something besides the ready line on stdout: {rest!r}"
        return code

    def stop(self, how=signal.SIGTERM):
        """Asked to stop: it must end by itself with status 0."""
        self.process.send_signal(how)
        try:
            self.process.wait(START_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"still running {START_TIMEOUT} s after {how.name}") from None
        code = self._end()
        assert code == 0, f"ended with {code}"

    def kill(self):
        self.process.kill()
        self._end()

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        return self.start()

    def refuses_to_start(self, **how):
        """It must end by itself with status 3 and say nothing on stdout: what it wrote to stderr. how: for Popen."""
        try:
            done = subprocess.run(self.command(), stdin=subprocess.DEVNULL, capture_output=True, timeout=START_TIMEOUT,
                                  env=self.surroundings(), **how)
        except subprocess.TimeoutExpired as e:
            raise AssertionError(f"it started all the same: {e.stdout} {e.stderr}") from None
        text = done.stderr.decode(errors="replace")
        assert done.returncode == 3, f"ended with {done.returncode}: {text}"
        assert done.stdout == b"", done.stdout
        return text

    def twin(self):
        """The same emulator for another thread: tokens are shared, connections are not."""
        other = Emulator.__new__(Emulator)
        other.__dict__ = {**self.__dict__, "connections": {}}
        return other

    def read_log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    # ---- HTTP ----
    def request(self, connection, method, path, body, headers):
        data = body
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        elif isinstance(body, str):
            data = body.encode()
        connection.request(method, path, body=data, headers=headers)
        raw = connection.getresponse()
        return Reply(raw, raw.read())

    def _kept(self, key, make, method, path, body, headers):
        """Over a kept connection; one that the server has closed meanwhile is made anew, once."""
        fresh = key not in self.connections
        if fresh:
            self.connections[key] = make()
        try:
            return self.request(self.connections[key], method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.connections.pop(key).close()
            if fresh:
                raise
            return self._kept(key, make, method, path, body, headers)
        except Exception:
            self.connections.pop(key).close()
            raise

    def https(self, method, host, path, body=None, headers=None, port=True):
        """host: a real or local name. port: whether Host carries it, as it does unless a client goes through 443."""
        headers = dict(headers or {})
        headers.setdefault("Host", f"{host}:{self.https_port}" if port else host)
        return self._kept(host, lambda: _TlsConnection(host, self.https_port, self.tls, self.timeout),
                          method, path, body, headers)

    def control(self, method, path, body=None, headers=None):
        return self._kept("", lambda: http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=self.timeout),
                          method, path, body, headers)

    # ---- below HTTP ----
    def dial(self, host=None, timeout=None):
        """A bare connection: TLS to the name `host`, or plain to the control port."""
        port = self.https_port if host else self.http_port
        raw = socket.create_connection(("127.0.0.1", port), timeout or self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(raw, server_hostname=host) if host else raw

    def raw(self, data, host=None, timeout=None):
        """The answer to these very bytes; None when the connection was closed without one."""
        with self.dial(host, timeout) as s:
            try:
                s.sendall(data)
            except OSError:
                pass  # refused before all was sent: there may be an answer all the same
            return Answers(s).next()

    # ---- control plane ----
    def advance(self, duration):
        return self.control("POST", "/_emulator/clock", {"advance": duration}).expect(200).json()

    def poll(self, namespace=None):
        body = {"namespace": namespace} if namespace else None
        return self.control("POST", "/_emulator/poll", body).expect(200).json()["changes"]

    def state(self, namespace):
        return self.control("GET", f"/_emulator/namespaces/{namespace}").expect(200).json()

    def events(self, since=0, stream=None):
        rows = self.control("GET", f"/_emulator/events?since={since}&limit=10000").expect(200).json()["events"]
        return [r for r in rows if stream in (None, r["stream"])]

    def at_rest(self, namespace, entity, sequence):
        return self.control("GET", f"/_emulator/at-rest/{namespace}/{entity}/{sequence}").expect(200).json()

    def fault(self, vault, fault, **more):
        return self.control("POST", "/_emulator/faults", dict(target=f"vault:{vault}", fault=fault, **more)).expect(200).json()

    # ---- sign-in ----
    def token(self, resource, client=CLIENT, secret=SECRET, fresh=False):
        key = (resource, client)
        if fresh or key not in self.tokens:
            form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": client,
                                           "client_secret": secret, "scope": resource + "/.default"})
            reply = self.https("POST", LOGIN, f"/{TENANT}/oauth2/v2.0/token", form,
                               {"Content-Type": "application/x-www-form-urlencoded"}).expect(200).json()
            self.tokens[key] = reply["access_token"]
        return self.tokens[key]

    def bearer(self, resource):
        return {"Authorization": "Bearer " + self.token(resource)}

    # ---- ARM ----
    def arm(self, method, path, body=None, api="2024-01-01", host=ARM, headers=None):
        headers = {**self.bearer("https://management.azure.com"), **(headers or {})}
        join = "&" if "?" in path else "?"
        return self.https(method, host, f"{path}{join}api-version={api}", body, headers)

    # ---- Key Vault ----
    def vault(self, method, vault, path, body=None, api="7.4", suffix="vault.azure.net"):
        join = "&" if "?" in path else "?"
        return self.https(method, f"{vault}.{suffix}", f"{path}{join}api-version={api}", body,
                          self.bearer("https://vault.azure.net"))

    # ---- Service Bus ----
    def bus(self, method, namespace, path, body=None, headers=None, suffix="servicebus.windows.net"):
        return self.https(method, f"{namespace}.{suffix}", path, body, headers)

    # ---- the disk ----
    def files(self):
        return sorted(os.path.join(d, f) for d, _, names in os.walk(self.data) for f in names)

    def on_disk(self, *needles):
        """Which of the needles (bytes) stand in any file of the data folder."""
        found = []
        for path in self.files():
            with open(path, "rb") as f:
                content = f.read()
            found += [(needle, path) for needle in needles if needle in content]
        return found


class Answers:
    """The answers on a bare connection, one after another. (An HTTPResponse would close what it reads from.)"""

    def __init__(self, connection):
        self._file = connection.makefile("rb")

    def __getattr__(self, name):
        return getattr(self._file, name)

    def makefile(self, *_):
        return self

    def close(self):
        pass

    def next(self, method="GET"):
        """None when no more comes."""
        raw = http.client.HTTPResponse(self, method=method)
        try:
            raw.begin()
            return Reply(raw, raw.read())
        except (http.client.HTTPException, ConnectionError, ssl.SSLError):
            return None


def sas(host, path, name, key, lifetime=3600):
    """A Service Bus SAS for sb://host/path; its life is measured by the machine's clock (semantics 23)."""
    resource = urllib.parse.quote(f"https://{host}/{path}".lower(), safe="")
    expiry = str(int(time.time()) + lifetime)
    digest = hmac.new(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={name}"


class Story:
    """The resources of the article, created by the calls that a user would make."""

    def __init__(self, emulator, group="rg", vault="storyvault", namespace="storyns", queue="orders"):
        self.e = emulator
        self.group, self.vault, self.namespace, self.queue = group, vault, namespace, queue
        self.keys = ["key1", "key2", "key3"]

    # ---- paths ----
    @property
    def group_path(self):
        return f"/subscriptions/{SUB}/resourceGroups/{self.group}"

    @property
    def vault_path(self):
        return f"{self.group_path}/providers/Microsoft.KeyVault/vaults/{self.vault}"

    @property
    def namespace_path(self):
        return f"{self.group_path}/providers/Microsoft.ServiceBus/namespaces/{self.namespace}"

    @property
    def queue_path(self):
        return f"{self.namespace_path}/queues/{self.queue}"

    @property
    def vault_uri(self):
        return f"https://{self.vault}.vault.azure.net"

    # ---- making ----
    def make_group(self):
        return self.e.arm("PUT", self.group_path, {"location": "northeurope"}, api="2021-04-01").expect(200, 201).json()

    def make_vault(self, **properties):
        policy = {"tenantId": TENANT, "objectId": CLIENT_OID, "permissions": {"keys": ALL_KEY_PERMISSIONS}}
        body = {"location": "northeurope",
                "properties": {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableSoftDelete": True,
                               "enablePurgeProtection": True, "accessPolicies": [policy], **properties}}
        return self.e.arm("PUT", self.vault_path, body, api="2022-07-01").expect(200, 201).json()

    def make_key(self, name, **body):
        return self.e.vault("POST", self.vault, f"/keys/{name}/create", {"kty": "RSA", **body}).expect(200).json()

    def template(self, file, **parameters):
        """The one resource of an article's template, with its parameters put in."""
        with open(os.path.join(ROOT, "fixtures", "article", file)) as f:
            text = f.read()
        for name, value in parameters.items():
            text = text.replace(f"\"[parameters('{name}')]\"", json.dumps(value))
        return json.loads(text)["resources"][0]

    def put_template(self, resource):
        path = f"{self.group_path}/providers/{resource['type']}/{resource['name']}"
        body = {k: v for k, v in resource.items() if k not in ("type", "apiVersion", "name")}
        return self.e.arm("PUT", path, body, api=resource["apiVersion"])

    def make_namespace(self):
        resource = self.template("CreateServiceBusPremiumNamespace.json", namespaceName=self.namespace, location="northeurope")
        made = self.put_template(resource).expect(200, 201).json()
        self.principal = made["identity"]["principalId"]
        return made

    def allow(self, principal=None, how="add", permissions=SERVICE_PERMISSIONS):
        policy = {"tenantId": TENANT, "objectId": principal or self.principal, "permissions": {"keys": permissions}}
        return self.e.arm("PUT", f"{self.vault_path}/accessPolicies/{how}", {"properties": {"accessPolicies": [policy]}},
                          api="2022-07-01").expect(200, 201).json()

    def deny(self):
        return self.allow(how="remove")

    def encryption_resource(self, keys=None):
        resource = self.template("UpdateServiceBusNamespaceWithEncryption.json", namespaceName=self.namespace,
                                 location="northeurope", keyName=self.keys[0], keyVaultUri=self.vault_uri)
        one = resource["properties"]["encryption"]["keyVaultProperties"][0]
        resource["properties"]["encryption"]["keyVaultProperties"] = [{**one, "keyName": k} for k in keys or self.keys]
        return resource

    def encrypt(self, keys=None):
        return self.put_template(self.encryption_resource(keys)).expect(200).json()

    def make_queue(self, **properties):
        return self.e.arm("PUT", self.queue_path, {"properties": properties}).expect(200, 201).json()

    def connect(self):
        """The root rule's key, for SAS."""
        path = f"{self.namespace_path}/AuthorizationRules/RootManageSharedAccessKey/listKeys"
        self.root_key = self.e.arm("POST", path).expect(200).json()["primaryKey"]

    def make_all(self, encrypt=True):
        self.make_group()
        self.make_vault()
        for k in self.keys:
            self.make_key(k)
        self.make_namespace()
        self.allow()
        if encrypt:
            self.encrypt()
        self.make_queue()
        self.connect()
        return self

    # ---- customer keys ----
    def entry(self, key, **more):
        """One entry of keyVaultProperties; a dict is one already."""
        return key if isinstance(key, dict) else {"keyName": key, "keyVaultUri": self.vault_uri, **more}

    def body(self, keys=None, sku="Premium", identity=None, **encryption):
        """A namespace as a client would PUT it; keys None: without encryption."""
        body = {"location": "northeurope", "sku": {"name": sku, "tier": sku},
                "identity": identity or {"type": "SystemAssigned"}, "properties": {}}
        if keys is not None:
            body["properties"]["encryption"] = {"keySource": "Microsoft.KeyVault",
                                                "keyVaultProperties": [self.entry(k) for k in keys], **encryption}
        return body

    def put(self, body, api="2024-01-01"):
        return self.e.arm("PUT", self.namespace_path, body, api=api)

    def patch(self, body, api="2024-01-01"):
        return self.e.arm("PATCH", self.namespace_path, body, api=api)

    def set_key(self, key, version="", key_ops=None, **attributes):
        """Changes a version of a key, the newest unless named."""
        path = f"/keys/{key}/{version}" if version else f"/keys/{key}"
        body = {"attributes": attributes, **({"key_ops": key_ops} if key_ops is not None else {})}
        return self.e.vault("PATCH", self.vault, path, body).expect(200).json()

    def new_version(self, key, **body):
        """The id of a new version of a key."""
        return self.make_key(key, **body)["key"]["kid"].rsplit("/", 1)[1]

    def patch_vault(self, **properties):
        return self.e.arm("PATCH", self.vault_path, {"properties": properties}, api="2022-07-01").expect(200).json()

    def key(self, name):
        """A key as the control plane shows it."""
        return next(k for k in self.keys_shown() if k["keyName"] == name)

    def keys_shown(self):
        return self.e.state(self.namespace)["encryption"]["keys"]

    def key_states(self):
        return {k["keyName"]: k["state"] for k in self.keys_shown()}

    def mark(self):
        """The id of the last event, to look at those after it."""
        rows = self.e.events()
        return rows[-1]["id"] if rows else 0

    def key_log(self, mark=0):
        """What the service's key log says since: [(operation, key, code)]."""
        return [(r["operation"], r["key"], r["code"]) for r in self.e.events(mark, "key")]

    def audit(self, mark=0):
        """What the vault's audit log says of its keys since: [(operation, key id, status)]."""
        return [(r["operationName"], r["keyId"], r["httpStatusCode"]) for r in self.e.events(mark, "audit") if "keyId" in r]

    # ---- asking ----
    def get_namespace(self):
        return self.e.arm("GET", self.namespace_path).expect(200).json()

    def listed_keys(self):
        return [k["keyName"] for k in self.get_namespace()["properties"]["encryption"]["keyVaultProperties"]]

    # ---- messages ----
    @property
    def host(self):
        return f"{self.namespace}.servicebus.windows.net"

    def auth(self):
        return {"Authorization": sas(self.host, "", "RootManageSharedAccessKey", self.root_key)}

    def send(self, body, **headers):
        return self.e.bus("POST", self.namespace, f"/{self.queue}/messages", body, {**self.auth(), **headers})

    def peek_lock(self, queue=None, timeout=0):
        return self.e.bus("POST", self.namespace, f"/{queue or self.queue}/messages/head?timeout={timeout}", b"", self.auth())

    def receive(self, queue=None, timeout=0):
        return self.e.bus("DELETE", self.namespace, f"/{queue or self.queue}/messages/head?timeout={timeout}", None, self.auth())

    def drain(self):
        """All that is there, received and deleted: [(sequence number, body)]."""
        got = []
        while True:
            reply = self.receive().expect(200, 204)
            if reply.status == 204:
                return got
            got.append((json.loads(reply.headers["BrokerProperties"])["SequenceNumber"], reply.body))


class Case:
    """What a test gets: emulators that end with it, and a look at what they leave behind."""

    def __init__(self, name):
        self.folder = tempfile.mkdtemp(prefix="sealedbus-e2e-")
        self.name = name
        self.emulators = []

    def emulator(self, *options, start=True, **more):
        folder = os.path.join(self.folder, str(len(self.emulators)))
        os.mkdir(folder)
        e = Emulator(folder, *options, **more)
        self.emulators.append(e)
        return e.start() if start else e

    def story(self, *options, **more):
        return Story(self.emulator(*options, **more))

    def logs(self):
        return "\n".join(f"--- log of emulator {i}\n{e.read_log()[-20000:]}" for i, e in enumerate(self.emulators)
                         if os.path.exists(e.log_path))

    def finish(self):
        """Every emulator still up must stop cleanly and leave no work file of a database behind."""
        for e in self.emulators:
            if not e.process:
                continue
            e.stop()
            left = [f for f in e.files() if f.endswith(("-wal", "-shm", "-journal", ".tmp"))]
            assert not left, f"left behind after a clean stop: {left}"

    def clean(self):
        for e in self.emulators:
            if e.process:
                e.process.kill()
                e.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
