"""The program as a user starts it: options and their environment twins, what it prints where, how it ends, memory only."""

import json
import os
import re
import signal
import subprocess
import urllib.parse

import harness

OTHER = "44444444-4444-4444-4444-444444444444"


def run(*arguments, environ=None, **how):
    """(status, stdout, stderr) of one run that ends by itself."""
    how = {"stdout": subprocess.PIPE, **how}
    done = subprocess.run([harness.BINARY, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
                          env={"HOME": "/nonexistent/home", "PATH": os.environ["PATH"], **(environ or {})}, **how)
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode(errors="replace")


def test_usage_ends_with_2(case):
    for arguments, environ, words in (
            (["--bogus"], {}, "--bogus"), (["word"], {}, "word"), (["-h"], {}, "-h"), (["--https-port"], {}, "needs a value"),
            (["--https-port", "65536"], {}, "65535"), (["--https-port", ""], {}, "number"), (["--clock", "fast"], {}, "real|manual"),
            (["--now", "2026-01-01T00:00:00Z"], {}, "--clock manual"), (["--clock", "manual", "--now", "today"], {}, "--now"),
            (["--bind", "localhost"], {}, "IP address"), (["--client", "x"], {}, "ID:SECRET"), (["--subscription", "x"], {}, "GUID"),
            (["--tls-cert", "x"], {}, "--tls-key"), (["--in-memory", "--tls-cert", "/dev/null", "--tls-key", "/nonexistent/key"], {}, "--tls-key: /nonexistent/key"),
            (["--in-memory", "--tls-cert", "/nonexistent/cert", "--tls-key", "x"], {}, "--tls-cert: /nonexistent/cert"), (["--poll-interval", "0"], {}, "86400"), (["--print-hosts"], {}, "names"),
            (["--help=yes"], {}, "no value"), ([], {"SEALEDBUS_HTTPS_PORT": "x"}, "SEALEDBUS_HTTPS_PORT"),
            ([], {"SEALEDBUS_CLIENTS": "a:b,c"}, "ID:SECRET"), ([], {"HOME": ""}, "--data-dir")):
        status, out, err = run(*arguments, environ=environ)
        assert (status, out) == (2, "") and words in err and "--help" in err, (arguments, environ, status, out, err)


def test_what_cannot_run_ends_with_1(case):
    e = case.emulator()
    for option, port in (("--https-port", e.https_port), ("--http-port", e.http_port)):
        other = {"--https-port": "--http-port", "--http-port": "--https-port"}[option]
        status, out, err = run("--in-memory", "--bind", "127.0.0.1", option, str(port), other, "0")
        assert (status, out) == (1, "") and str(port) in err and option in err, (status, out, err)
    status, out, err = run("--in-memory", "--bind", "192.0.2.1", "--https-port", "0", "--http-port", "0")  # an address of nobody
    assert (status, out) == (1, "") and "192.0.2.1" in err and "--bind" in err and "port" not in err, (status, out, err)
    with open("/dev/full", "w") as full:
        status, _, err = run("--in-memory", "--bind", "127.0.0.1", "--https-port", "0", "--http-port", "0", stdout=full)
        assert status == 1 and "ready line" in err, (status, err)
        assert run("--help", stdout=full)[0] == 1


def test_a_bad_data_folder_ends_with_3(case):
    file = os.path.join(case.folder, "file")
    open(file, "w").close()
    e = case.emulator()
    for folder in (file, os.path.join(file, "below"), e.data):
        status, out, err = run("--data-dir", folder, "--https-port", "0", "--http-port", "0")
        assert (status, out) == (3, "") and folder in err, (status, out, err)
    e.stop()
    with open(os.path.join(e.data, "platform.key"), "wb") as key:
        key.write(b"short")
    status, out, err = run("--data-dir", e.data, "--https-port", "0", "--http-port", "0")
    assert (status, out) == (3, "") and "from a copy" in err, (status, out, err)


def test_asked_to_stop_ends_with_0(case):
    for how in (signal.SIGTERM, signal.SIGINT):
        case.emulator().stop(how)  # which looks at the status


def test_what_is_printed(case):
    status, text, err = run("--help")
    assert (status, err) == (0, "")
    status, out, err = run("--print-capabilities")
    assert (status, err) == (0, "")
    options = {o["name"]: o for o in json.loads(out)["options"]}
    assert {"--data-dir", "--in-memory", "--token-clock", "--control-host", "--bind", "--https-port", "--http-port", "--poll-interval", "--clock",
            "--now", "--subscription", "--client", "--log-level", "--log-format", "--print-hosts", "--help", "--version"} <= set(options)
    for name, option in options.items():
        assert f"  {name}" in text and option.get("environment", "") in text, option
    for known in (harness.TENANT, harness.SUB, harness.CLIENT, harness.SECRET, harness.CLIENT_OID):
        assert known in text, known
    status, out, err = run("--version")
    assert (status, err) == (0, "") and out.startswith("sealedbus "), out
    status, out, err = run("--print-hosts", "one-ns", "two-vault")
    lines = [line.split() for line in out.splitlines() if not line.startswith("#")]
    assert (status, err) == (0, "") and len(lines) == 3, out
    assert lines[0][0] == "127.0.0.1" and set(lines[0][1:]) == {
        "management.azure.com", "management.localhost", "login.microsoftonline.com", "login.windows.net", "login.localhost",
        "graph.microsoft.com", "graph.localhost"}, out
    for (address, *names), label in zip(lines[1:], ("one-ns", "two-vault")):
        assert address == "127.0.0.1"
        assert set(names) == {f"{label}.{suffix}" for suffix in ("servicebus.windows.net", "servicebus.localhost", "vault.azure.net", "vault.localhost")}


def test_the_readme_has_every_option(case):
    """Its table has the rows of --help in the same order, with the same variables and words to choose from."""
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "README.md")) as f:
        rows = [re.split(r"(?<!\\)\|", line)[1:3] for line in f if re.match(r"\| `--.*`SEALEDBUS_", line)]
    said = [pair for names, variables in rows for pair in zip(re.findall("`(--[^`]*)`", names), re.findall("`([^`]*)`", variables), strict=True)]
    options = [o for o in json.loads(run("--print-capabilities")[1])["options"] if "environment" in o]
    assert said == [(" ".join([o["name"]] + ([o["value"].replace("|", r"\|")] if "value" in o else [])), o["environment"]) for o in options]


def test_the_environment_says_the_same(case):
    environ = {"SEALEDBUS_DATA_DIR": os.path.join(case.folder, "from-env"), "SEALEDBUS_HTTPS_PORT": "0", "SEALEDBUS_HTTP_PORT": "0",
               "SEALEDBUS_BIND": "127.0.0.1,127.0.0.2", "SEALEDBUS_CLOCK": "manual", "SEALEDBUS_NOW": "2031-02-03T04:05:06Z",
               "SEALEDBUS_CONTROL_HOSTS": "one,two", "SEALEDBUS_CLIENTS": f"{OTHER}:s3cret", "SEALEDBUS_SUBSCRIPTIONS": OTHER,
               "SEALEDBUS_POLL_INTERVAL": "60", "SEALEDBUS_LOG_FORMAT": "json", "SEALEDBUS_LOG_LEVEL": "debug"}
    e = case.emulator(start=False, environ=environ)
    e.data = environ["SEALEDBUS_DATA_DIR"]
    options = []
    e.command = lambda: [harness.BINARY, *options]
    e.start()
    assert os.path.dirname(e.ready["ca"]) == e.data
    assert e.control("GET", "/_emulator/clock").json()["now"] == environ["SEALEDBUS_NOW"]
    for host, status in (("one", 200), ("two", 200), ("three", 403), ("127.0.0.2", 200)):
        e.control("GET", "/health", headers={"Host": host}).expect(status)
    e.token("https://vault.azure.net", OTHER, "s3cret")
    e.arm("GET", f"/subscriptions/{harness.SUB}", api="2020-01-01").expect(404)
    e.arm("GET", f"/subscriptions/{OTHER}", api="2020-01-01").expect(200)
    e.stop()
    log = [line for line in e.read_log().splitlines() if line != "Emulator Service is Successfully Up!"]
    assert log and all(json.loads(line) for line in log), log
    # An option wins, and a list of options is the whole list.
    options += ["--log-format", "text", "--log-level=error", "--control-host", "four"]
    before = len(e.read_log())
    e.start()
    for host, status in (("one", 403), ("four", 200)):
        e.control("GET", "/health", headers={"Host": host}).expect(status)
    e.stop()
    assert "{" not in e.read_log()[before:]


def test_several_addresses_have_one_port(case):
    e = case.emulator("--bind", "127.0.0.2", "--bind", "127.0.0.3")  # beside 127.0.0.1
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        done = subprocess.run(["curl", "-sS", f"http://{address}:{e.http_port}/health"], capture_output=True, timeout=30)
        assert b'"healthy"' in done.stdout, (address, done)
        done = subprocess.run(["curl", "-sS", "--cacert", e.ready["ca"], "--connect-to", f"::{address}:{e.https_port}", "https://management.azure.com/"],
                              capture_output=True, timeout=30)
        assert b'"error"' in done.stdout, (address, done)
    assert "listen.public" not in e.read_log()


def test_a_public_address_is_warned_of(case):
    e = case.emulator("--bind", "0.0.0.0", start=False)
    command = e.command()
    at = command.index("127.0.0.1")
    e.command = lambda: command[:at - 1] + command[at + 1:]  # a wildcard holds it already
    e.start()
    e.control("GET", "/health").expect(200)
    assert "listen.public" in e.read_log()


def test_memory_only_beside_a_data_folder(case):
    """--in-memory with --data-dir takes CA and certificate from there; the databases are as if they did not exist."""
    s = case.story()
    s.make_all()
    s.send("on disk").expect(201)
    s.e.stop()
    kept = {f: open(f, "rb").read() for f in s.e.files()}
    vault_token = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": harness.CLIENT, "client_secret": harness.SECRET,
                                          "scope": "https://vault.azure.net/.default"})
    kids = set()
    for _ in range(2):
        m = case.emulator("--in-memory", "--data-dir", s.e.data)
        assert m.ready["ca"] == os.path.join(s.e.data, "ca.pem") and m.ca == s.e.ca
        m.arm("GET", s.namespace_path).expect(404)
        m.https("POST", harness.LOGIN, f"/{harness.TENANT}/oauth2/v2.0/token", vault_token,
                {"Content-Type": "application/x-www-form-urlencoded"}).expect(200)
        keys = m.https("GET", harness.LOGIN, f"/{harness.TENANT}/discovery/v2.0/keys").expect(200).json()["keys"]
        kids |= {k["n"] for k in keys}
        mine = harness.Story(m)
        mine.make_all()
        mine.send("in memory").expect(201)
        m.stop()
    assert len(kids) == 2, "the key that signs tokens is new at each start"
    assert {f: open(f, "rb").read() for f in s.e.files()} == kept
    s.e.start()
    assert [b for _, b in s.drain()] == [b"on disk"]
