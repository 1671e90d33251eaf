"""An HTTPS server between the clients and the emulator that writes down what they say to each other, each exchange as a file
that oav reads. It shows the emulator's own certificate and passes on the Host header as it came, so that a client sees no
difference: the URLs in the answers lead through here again."""

import http.client
import http.server
import itertools
import json
import os
import socket
import ssl
import threading
import urllib.parse

# Of one connection, not of the message.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
# What the services are called in their specifications.
REAL = {"management.localhost": "management.azure.com", "localhost": "management.azure.com", "login.localhost": "login.microsoftonline.com"}


def body_of(headers, data):
    if not data or "json" not in (headers.get("content-type") or ""):
        return None
    try:
        return json.loads(data)
    except ValueError:
        return None


def real_host(host):
    name = host.rsplit(":", 1)[0].lower()
    return REAL.get(name, name.replace(".vault.localhost", ".vault.azure.net"))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.onward = None

    def finish(self):
        if self.onward:
            self.onward.close()
        super().finish()

    def log_message(self, *_):
        pass

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def ask(self, headers, data):
        """The emulator's answer, over one connection for each of the client's."""
        if not self.onward:
            self.onward = self.server.connect(self.headers["Host"].rsplit(":", 1)[0])
        self.onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            self.onward.putheader(name, value)
        if data or self.command in ("PUT", "POST", "PATCH"):
            self.onward.putheader("Content-Length", str(len(data)))
        self.onward.endheaders(data or None)
        reply = self.onward.getresponse()
        return reply, reply.read()

    def handle_any(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        data = self.read_body()
        dropped = HOP_BY_HOP | {"content-length", "expect"}
        reply, answer = self.ask([(k, v) for k, v in self.headers.items() if k.lower() not in dropped], data)
        self.server.write(self, data, reply, answer)
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", reply.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any


class Recorder(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, emulator, folder, name):
        super().__init__(("127.0.0.1", 0), Handler)
        self.emulator, self.folder, self.name = emulator, folder, name
        self.numbers = itertools.count()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(os.path.join(emulator.data, "tls-cert.pem"), os.path.join(emulator.data, "tls-key.pem"))
        os.makedirs(folder, exist_ok=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def finish_request(self, request, client_address):
        """In the connection's own thread, so that a slow handshake holds up nobody."""
        try:
            with self.tls.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except (ssl.SSLError, ConnectionError):
            pass  # the client went away

    def handle_error(self, *_):
        pass  # likewise: the client tells if it missed an answer

    def connect(self, host):
        connection = http.client.HTTPSConnection(host, self.emulator.https_port, timeout=120, context=self.emulator.tls)
        raw = socket.create_connection(("127.0.0.1", self.emulator.https_port), 120)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = self.emulator.tls.wrap_socket(raw, server_hostname=host)
        return connection

    def write(self, request, data, reply, answer):
        host = real_host(request.headers["Host"])
        sent = {k.lower(): v for k, v in request.headers.items() if k.lower() != "authorization"}
        got = {k.lower(): v for k, v in reply.getheaders()}
        exchange = {"liveRequest": {"headers": sent, "method": request.command, "url": f"https://{host}{request.path}",
                                    "body": body_of(sent, data)},
                    "liveResponse": {"statusCode": str(reply.status), "headers": got, "body": body_of(got, answer)}}
        version = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query).get("api-version", ["none"])[0]
        folder = os.path.join(self.folder, host.split(".", 1)[-1] if host.endswith(".vault.azure.net") else host, version)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{self.name}-{next(self.numbers):05d}.json"), "w") as f:
            json.dump(exchange, f, indent=1)
