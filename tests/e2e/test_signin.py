"""Signing in over HTTPS: applications with secrets and certificates, users with passwords, devices, browsers, refresh tokens;
what Graph registers, over restarts and resets; and what must be refused."""

import base64
import hashlib
import json
import os
import re
import subprocess
import time
import urllib.parse

import harness
import rsa

ARM, VAULT, GRAPH = "https://management.azure.com", "https://vault.azure.net", "https://graph.microsoft.com"
AZ = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # everybody has the Azure CLI's application
VISUAL_STUDIO = "872cd9fa-d31f-45e0-9eab-6e460a02d1f1"
USER, PASSWORD, USER_OID = "user@sealedbus.onmicrosoft.com", "emulator-password", "55555555-5555-5555-5555-555555555555"
OTHER = "44444444-4444-4444-4444-444444444444"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN = f"/{harness.TENANT}/oauth2/v2.0/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(e, path, fields):
    return e.https("POST", harness.LOGIN, path, urllib.parse.urlencode(fields), FORM)


def ask(e, path=TOKEN, **fields):
    return post(e, path, fields)


def refused(reply, error, number, status=400):
    body = reply.expect(status).json()
    assert (body["error"], body["error_codes"]) == (error, [number]), body
    assert body["error_description"].startswith(f"AADSTS{number}: "), body
    return body["error_description"]


def claims(token):
    return json.loads(rsa.unb64url(token.split(".")[1]))


def by_password(e, scope=f"{ARM}/.default openid profile offline_access", client=AZ, user=USER, password=PASSWORD, **more):
    return ask(e, grant_type="password", client_id=client, username=user, password=password, scope=scope, **more)


def refresh(e, token, client=AZ, scope=f"{VAULT}/.default openid offline_access"):
    return ask(e, grant_type="refresh_token", client_id=client, refresh_token=token, scope=scope)


def graph(e, method, path, body=None, token=None):
    return e.https(method, "graph.microsoft.com", "/v1.0" + path, body, {"Authorization": "Bearer " + (token or e.token(GRAPH))})


# ---- certificates ----

class Certificate:
    """Made with the openssl command, in the folder of the test."""

    def __init__(self, folder, name):
        self.pem, self.key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "2", "-keyout", self.key, "-out", self.pem)
        self.der = self.openssl("x509", "-in", self.pem, "-outform", "DER")

    def openssl(self, *words, text=None):
        done = subprocess.run(["openssl", *words], input=text, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sign(self, alg, text):
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if alg == "PS256" else []
        return self.openssl("dgst", "-sha256", "-sign", self.key, *pss, text=text)

    def thumbprint(self, digest):
        return base64.urlsafe_b64encode(hashlib.new(digest, self.der).digest()).decode()

    def assertion(self, client, header=None, alg="RS256", by=None, **changed):
        header = {"typ": "JWT", "alg": alg, "x5t": self.thumbprint("sha1"), **(header or {})}
        header = {k: v for k, v in header.items() if v is not None}
        now = time.time()
        body = {"aud": f"https://{harness.LOGIN}{TOKEN}", "iss": client, "sub": client, "exp": now + 600, "nbf": int(now) - 5, "iat": now,
                "jti": "1", **changed}
        text = ".".join(rsa.b64url(json.dumps(part).encode()) for part in (header, body))
        return f"{text}.{rsa.b64url((by or self).sign(alg, text.encode()))}"


def by_certificate(e, assertion, client=None, type=BEARER):
    fields = {"grant_type": "client_credentials", "scope": f"{ARM}/.default", "client_assertion_type": type, "client_assertion": assertion}
    return post(e, TOKEN, {**fields, **({"client_id": client} if client else {})})


def test_certificates(case):
    cert, stranger = Certificate(case.folder, "one"), Certificate(case.folder, "two")
    e = case.emulator("--client-cert", f"{OTHER}:{cert.pem}:66666666-6666-6666-6666-666666666666", "--token-clock", "machine")
    good = cert.assertion(OTHER)
    got = claims(by_certificate(e, good, OTHER).expect(200).json()["access_token"])
    assert (got["appid"], got["oid"], got["aud"]) == (OTHER, "66666666-6666-6666-6666-666666666666", ARM), got
    by_certificate(e, good).expect(200)  # the assertion names its application by itself
    s256 = {"x5t": None, "x5t#S256": cert.thumbprint("sha256")}
    for header, alg in ((s256, "RS256"), (s256, "PS256"), ({"x5t#S256": cert.thumbprint("sha256").rstrip("=")}, "PS256"),
                        ({"x5t": None, "kid": hashlib.sha1(cert.der).hexdigest().upper()}, "RS256")):
        by_certificate(e, cert.assertion(OTHER, header, alg), OTHER).expect(200)
    for aud in (f"https://login.localhost:{e.https_port}/adfs/oauth2/token", f"https://{harness.LOGIN}/{harness.TENANT}/v2.0",
                f"https://{harness.LOGIN}/common/oauth2/token"):
        by_certificate(e, cert.assertion(OTHER, aud=aud), OTHER).expect(200)

    head, body, signature = good.split(".")
    none = rsa.b64url(json.dumps({"typ": "JWT", "alg": "none", "x5t": cert.thumbprint("sha1")}).encode())
    swapped = rsa.b64url(json.dumps({**json.loads(rsa.unb64url(body)), "sub": harness.CLIENT, "iss": harness.CLIENT}).encode())
    now = time.time()
    for number, assertion in (
            (50027, "x"), (50027, "a.b.c"), (50027, f"{none}.{body}."), (50027, f"{none}.{body}.{signature}"), (50027, good + ".x"),
            (50027, cert.assertion(OTHER, {"crit": ["x"]})), (50027, cert.assertion(OTHER, aud=[1])), (50027, cert.assertion(OTHER, exp="never")),
            (50027, "A" * 20_000),
            (700027, cert.assertion(OTHER, by=stranger)), (700027, stranger.assertion(OTHER)),
            (700027, stranger.assertion(OTHER, {"x5c": [base64.b64encode(stranger.der).decode()]})),
            (700027, stranger.assertion(OTHER, {"jwk": rsa.Key(1024).jwk(), "jku": "https://localhost/keys", "x5u": "https://localhost/x"})),
            (700027, cert.assertion(OTHER, {"x5t": None})), (700027, cert.assertion(OTHER, {"x5t": "../../platform.key"})),
            (700027, f"{head}.{body}.{rsa.b64url(b'x' * 256)}"),
            (700021, cert.assertion(OTHER, iss=harness.CLIENT)), (700021, f"{head}.{swapped}.{signature}"),
            (700023, cert.assertion(OTHER, aud="https://evil.example/oauth2/token")),
            (700023, cert.assertion(OTHER, aud=f"https://{harness.LOGIN}/other/oauth2/v2.0/token")),
            (700023, cert.assertion(OTHER, aud=f"https://{harness.LOGIN}.evil.example{TOKEN}")),
            (700024, cert.assertion(OTHER, exp=now - 400)), (700024, cert.assertion(OTHER, nbf=int(now) + 400))):
        refused(by_certificate(e, assertion, OTHER), "invalid_client", number, 401)
    # The certificate of one application is not another's, whoever it says it is.
    refused(by_certificate(e, cert.assertion(harness.CLIENT), harness.CLIENT), "invalid_client", 700027, 401)
    refused(by_certificate(e, good, OTHER, "magic"), "invalid_request", 900141)
    refused(ask(e, grant_type="client_credentials", client_id=OTHER, client_secret="", scope=f"{ARM}/.default"), "invalid_client", 7000215, 401)


def test_certificate_files(case):
    bad = os.path.join(case.folder, "bad.pem")
    with open(bad, "w") as f:
        f.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for file, why in ((bad, "not an X.509 certificate"), (bad + ".none", "no such file")):
        done = subprocess.run([harness.BINARY, "--data-dir", os.path.join(case.folder, "d"), "--https-port", "0", "--http-port", "0",
                               "--client-cert", f"{OTHER}:{file}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and why in done.stderr and done.stdout == "", done


# ---- users ----

def test_users(case):
    e = case.emulator("--user", f"ann@contoso.com:s:e:c:{OTHER}")
    got = by_password(e, client_info=1).expect(200).json()
    access, identity = claims(got["access_token"]), claims(got["id_token"])
    assert (access["aud"], access["oid"], access["upn"], access["idtyp"], access["appid"]) == (ARM, USER_OID, USER, "user", AZ), access
    assert (identity["aud"], identity["oid"], identity["preferred_username"], identity["ver"]) == (AZ, USER_OID, USER, "2.0"), identity
    assert identity["iss"] == f"https://{harness.LOGIN}:{e.https_port}/{harness.TENANT}/v2.0", identity
    assert json.loads(rsa.unb64url(got["client_info"])) == {"uid": USER_OID, "utid": harness.TENANT}
    assert got["scope"] == f"{ARM}/user_impersonation {ARM}/.default" and got["foci"] == "1" and got["expires_in"] == 3600, got
    arm = {"Authorization": "Bearer " + got["access_token"]}
    subscriptions = e.https("GET", harness.ARM, "/subscriptions?api-version=2022-12-01", None, arm).expect(200).json()["value"]
    assert [s["subscriptionId"] for s in subscriptions] == [harness.SUB]
    # Neither the token about the user nor the refresh token opens anything; nor does one for another plane.
    for token in (got["id_token"], got["refresh_token"], by_password(e, f"{VAULT}/.default").json()["access_token"]):
        e.https("GET", harness.ARM, "/subscriptions?api-version=2022-12-01", None, {"Authorization": "Bearer " + token}).expect(401)
    old = ask(e, f"/{harness.TENANT}/oauth2/token", grant_type="password", client_id=AZ, username=USER, password=PASSWORD, resource=ARM).expect(200)
    assert old.json()["expires_in"] == "3600" and claims(old.json()["id_token"])["upn"] == USER, old
    assert claims(by_password(e, user="ANN@contoso.com", password="s:e:c").expect(200).json()["access_token"])["oid"] == OTHER
    refused(by_password(e, password="Emulator-password"), "invalid_grant", 50126)
    refused(by_password(e, user="nobody@contoso.com"), "invalid_grant", 50034)
    refused(by_password(e, client="11111111-2222-3333-4444-555555555555"), "unauthorized_client", 700016)
    refused(by_password(e, client=harness.CLIENT), "invalid_client", 7000218, 401)
    got = by_password(e, client=harness.CLIENT, client_secret=harness.SECRET).expect(200).json()
    assert claims(got["access_token"])["appidacr"] == "1" and "foci" not in got, got
    assert "refresh_token" not in by_password(e, f"{ARM}/.default").json()
    me = graph(e, "GET", "/me", token=by_password(e, f"{GRAPH}/.default").json()["access_token"]).expect(200).json()
    assert (me["id"], me["userPrincipalName"]) == (USER_OID, USER), me


def test_refresh_tokens(case):
    e = case.emulator("--client", f"{OTHER}:secret", "--token-clock", "emulator")
    first = by_password(e).expect(200).json()["refresh_token"]
    second = refresh(e, first).expect(200).json()
    assert claims(second["access_token"])["aud"] == VAULT and second["refresh_token"] != first, second
    refresh(e, first).expect(200)  # the old one stays good, as in the service
    e.restart(kill=True)
    refresh(e, second["refresh_token"]).expect(200)
    refresh(e, first, VISUAL_STUDIO).expect(200)  # of the same family
    refused(ask(e, grant_type="refresh_token", client_id=OTHER, client_secret="secret", refresh_token=first, scope=f"{ARM}/.default"),
            "invalid_grant", 70000)
    for bad in ("1.", "1.A", first[2:], first[:-1], first + "A", first[:20] + ("A" if first[20] != "A" else "B") + first[21:], "1." + "A" * 9000,
                by_password(e).json()["access_token"]):
        refused(refresh(e, bad), "invalid_grant", 9002313)
    other = case.emulator()
    refused(refresh(e, by_password(other).json()["refresh_token"]), "invalid_grant", 9002313)
    e.advance("P89D")
    refresh(e, first).expect(200)
    e.advance("P1D")
    refused(refresh(e, first), "invalid_grant", 700082)
    # With the user's password, and with a reset, all of them end.
    third = by_password(e).json()["refresh_token"]
    e.stop()
    e.options += ["--user", f"{USER}:another"]
    e.start()
    refused(refresh(e, third), "invalid_grant", 50173)
    fourth = by_password(e, password="another").json()["refresh_token"]
    e.control("POST", "/_emulator/reset").expect(204)
    refused(refresh(e, fourth), "invalid_grant", 9002313)


def device(e, **more):
    return ask(e, f"/{harness.TENANT}/oauth2/v2.0/devicecode", client_id=AZ, scope=f"{ARM}/.default openid offline_access", **more).expect(200).json()


def poll(e, code, client=AZ):
    return ask(e, grant_type="urn:ietf:params:oauth:grant-type:device_code", client_id=client, device_code=code)


def test_device_codes(case):
    e = case.emulator("--token-clock", "emulator")
    d = device(e)
    assert d["expires_in"] == 900 and d["interval"] == 5 and d["user_code"] in d["message"] and d["verification_uri"] in d["message"], d
    refused(poll(e, d["device_code"]), "authorization_pending", 70016)
    waiting = e.control("GET", "/_emulator/devicecode").expect(200).json()["waiting"]
    assert [(w["userCode"], w["clientId"]) for w in waiting] == [(d["user_code"], AZ)] and d["device_code"] not in json.dumps(waiting), waiting
    e.control("POST", "/_emulator/devicecode", {"userCode": d["user_code"].lower()}).expect(204)
    refused(poll(e, d["device_code"], VISUAL_STUDIO), "invalid_grant", 70000)
    got = poll(e, d["device_code"]).expect(200).json()
    assert claims(got["access_token"])["upn"] == USER and got["refresh_token"], got
    refused(poll(e, d["device_code"]), "invalid_grant", 70000)  # used up
    d = device(e)
    e.control("POST", "/_emulator/devicecode", {"userCode": d["user_code"], "approve": False}).expect(204)
    refused(poll(e, d["device_code"]), "authorization_declined", 65004)
    d = device(e)
    e.advance("PT15M")
    refused(poll(e, d["device_code"]), "expired_token", 70020)
    for body, status in (({"userCode": d["user_code"]}, 404), ({"userCode": "AAAAAAAAA"}, 404), ({}, 400), ({"userCode": 1}, 400),
                         ({"userCode": "A", "user": "nobody@x"}, 404), ({"userCode": "A", "x": 1}, 400)):
        e.control("POST", "/_emulator/devicecode", body).expect(status)
    old = ask(e, "/common/oauth2/devicecode", client_id=AZ, resource=ARM).expect(200).json()
    assert old["expires_in"] == "900" and old["verification_url"], old
    refused(ask(e, "/common/oauth2/devicecode", client_id=AZ), "invalid_request", 900144)
    refused(ask(e, "/common/oauth2/devicecode", client_id="x", resource=ARM), "unauthorized_client", 700016)


def test_device_page(case):
    e = case.emulator()
    d = device(e)
    page = e.https("GET", harness.LOGIN, "/common/oauth2/deviceauth?otc=%22%3E%3Cscript%3E").expect(200)
    assert page.headers["Content-Type"].startswith("text/html") and b"<script>" not in page.body and b"&quot;&gt;&lt;script&gt;" in page.body
    fields = {"otc": d["user_code"], "username": USER, "password": "wrong"}
    assert b"invalid username or password" in post(e, "/common/oauth2/deviceauth", fields).expect(200).body
    refused(poll(e, d["device_code"]), "authorization_pending", 70016)
    assert b"You have signed in" in post(e, "/common/oauth2/deviceauth", {**fields, "password": PASSWORD}).expect(200).body
    poll(e, d["device_code"]).expect(200)


# ---- browsers ----

def authorize(e, **changed):
    fields = {"client_id": AZ, "response_type": "code", "redirect_uri": "http://localhost:1234/", "scope": f"{ARM}/.default openid offline_access",
              "state": "a b&c", "nonce": "once", "code_challenge_method": "S256",
              "code_challenge": rsa.b64url(hashlib.sha256(b"verifier" * 6).digest()), **changed}
    return {k: v for k, v in fields.items() if v is not None}


def redeem(e, code, verifier="verifier" * 6, uri="http://localhost:1234/", client=AZ):
    return ask(e, grant_type="authorization_code", client_id=client, code=code, redirect_uri=uri, code_verifier=verifier)


def code_for(e, **changed):
    page = e.https("GET", harness.LOGIN, "/organizations/oauth2/v2.0/authorize?" + urllib.parse.urlencode(authorize(e, **changed))).expect(200)
    assert b"<form" in page.body and page.headers["X-Frame-Options"] == "DENY"
    back = post(e, "/organizations/login", {**authorize(e, **changed), "username": USER, "password": PASSWORD}).expect(302)
    address = urllib.parse.urlsplit(back.headers["Location"])
    query = urllib.parse.parse_qs(address.query)
    assert back.headers["Location"].startswith("http://localhost:1234/?code=") and query["state"] == ["a b&c"], back.headers
    return query["code"][0]


def test_authorization_codes(case):
    e = case.emulator()
    got = redeem(e, code_for(e)).expect(200).json()
    assert claims(got["id_token"])["nonce"] == "once" and claims(got["access_token"])["aud"] == ARM, got
    code = code_for(e)
    refused(redeem(e, code, "another"), "invalid_grant", 501481)
    refused(redeem(e, code), "invalid_grant", 70000)  # used up all the same
    refused(redeem(e, code_for(e), uri="http://localhost:99/"), "invalid_grant", 500112)
    refused(redeem(e, code_for(e), client=VISUAL_STUDIO), "invalid_grant", 70000)
    for changed, error, number in (({"redirect_uri": "https://evil.example/"}, "invalid_request", 50011),
                                   ({"redirect_uri": "http://localhost.evil.example/"}, "invalid_request", 50011),
                                   ({"redirect_uri": "http://localhost:80@evil.example/"}, "invalid_request", 50011),
                                   ({"redirect_uri": "javascript:alert(1)"}, "invalid_request", 50011),
                                   ({"redirect_uri": None}, "invalid_request", 900144), ({"client_id": "x"}, "unauthorized_client", 700016),
                                   ({"response_type": "token"}, "invalid_request", 700054),
                                   ({"scope": "https://evil.example/.default"}, "invalid_resource", 500011)):
        fields = authorize(e, **changed)
        refused(e.https("GET", harness.LOGIN, "/common/oauth2/v2.0/authorize?" + urllib.parse.urlencode(fields)), error, number)
        refused(post(e, "/common/login", {**fields, "username": USER, "password": PASSWORD}), error, number)
    wrong = post(e, "/common/login", {**authorize(e, state='"><script>'), "username": USER, "password": "wrong"}).expect(200)
    assert b"invalid username or password" in wrong.body and b"<script>" not in wrong.body
    posted = post(e, "/common/login", {**authorize(e, response_mode="form_post"), "username": USER, "password": PASSWORD}).expect(200)
    code = re.search(rb'name="code" value="([^"]+)"', posted.body)[1].decode()
    assert b'action="http://localhost:1234/"' in posted.body and b'name="state" value="a b&amp;c"' in posted.body
    redeem(e, code).expect(200)
    e.https("GET", harness.LOGIN, "/common/oauth2/v2.0/logout?post_logout_redirect_uri=http://localhost:1/").expect(302)
    assert e.https("GET", harness.LOGIN, "/common/oauth2/logout?post_logout_redirect_uri=https://evil.example/").expect(200).headers["Location"] is None


# ---- what Graph registers ----

def register(e, name="app", **more):
    app = graph(e, "POST", "/applications", {"displayName": name, **more}).expect(201).json()
    sp = graph(e, "POST", "/servicePrincipals", {"appId": app["appId"], "accountEnabled": True}).expect(201).json()
    return app, sp


def by_secret(e, client, secret):
    return ask(e, grant_type="client_credentials", client_id=client, client_secret=secret, scope=f"{ARM}/.default")


def test_registered_applications(case):
    e = case.emulator("--token-clock", "machine", "--log-level", "debug")
    app, sp = register(e, identifierUris=["api://app"], signInAudience="AzureADMultipleOrgs")
    assert sp["signInAudience"] == app["signInAudience"] == "AzureADMultipleOrgs", sp
    made = graph(e, "POST", f"/applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "rbac"}}).expect(200).json()
    secret = made["secretText"]
    assert made["hint"] == secret[:3] and made["displayName"] == "rbac" and len(secret) == 40, made
    assert claims(by_secret(e, app["appId"], secret).expect(200).json()["access_token"])["oid"] == sp["id"]
    shown = graph(e, "GET", f"/applications/{app['id']}").expect(200).json()
    assert [c["secretText"] for c in shown["passwordCredentials"]] == [None] and secret not in json.dumps(shown), shown
    # A registered application has no right by itself, and may not change the directory.
    token = by_secret(e, app["appId"], secret).json()["access_token"]
    assert e.https("GET", harness.ARM, "/subscriptions?api-version=2022-12-01", None, {"Authorization": "Bearer " + token}).json()["value"] == []
    own = ask(e, grant_type="client_credentials", client_id=app["appId"], client_secret=secret, scope=f"{GRAPH}/.default").json()["access_token"]
    graph(e, "GET", "/servicePrincipals", token=own).expect(200)
    assert graph(e, "POST", "/applications", {"displayName": "x"}, own).expect(403).json()["error"]["code"] == "Authorization_RequestDenied"

    user = graph(e, "POST", "/users", {"userPrincipalName": "bob@contoso.com", "displayName": "Bob", "accountEnabled": True, "mailNickname": "bob",
                                       "passwordProfile": {"password": "bob has a secret"}}).expect(201).json()
    assert claims(by_password(e, user="bob@contoso.com", password="bob has a secret").expect(200).json()["access_token"])["oid"] == user["id"]
    token = by_password(e, user="bob@contoso.com", password="bob has a secret").json()["refresh_token"]

    e.restart(kill=True)
    by_secret(e, app["appId"], secret).expect(200)
    refresh(e, token).expect(200)
    assert e.on_disk(secret.encode(), b"bob has a secret", token.encode()) == []
    log = e.read_log()
    assert secret not in log and "bob has a secret" not in log and token not in log

    graph(e, "PATCH", f"/users/{user['id']}", {"accountEnabled": False}).expect(204)
    refused(by_password(e, user="bob@contoso.com", password="bob has a secret"), "invalid_grant", 50057)
    refused(refresh(e, token), "invalid_grant", 50057)
    graph(e, "PATCH", "/users/bob@contoso.com", {"accountEnabled": True, "passwordProfile": {"password": "new"}}).expect(204)
    refused(refresh(e, token), "invalid_grant", 50173)
    by_password(e, user="bob@contoso.com", password="new").expect(200)

    graph(e, "POST", f"/applications/{app['id']}/removePassword", {"keyId": made["keyId"]}).expect(204)
    refused(by_secret(e, app["appId"], secret), "invalid_client", 7000215, 401)
    graph(e, "DELETE", f"/servicePrincipals/{sp['id']}").expect(204)
    refused(by_secret(e, app["appId"], secret), "unauthorized_client", 7000229)
    graph(e, "DELETE", f"/applications/{app['id']}").expect(204)
    refused(by_secret(e, app["appId"], secret), "unauthorized_client", 700016)


def test_times_of_credentials(case):
    e = case.emulator("--token-clock", "emulator")
    app, _ = register(e)
    secrets = {}
    for name, start, end in (("over", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z"), ("now", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
                             ("later", "2026-02-01T00:00:00Z", "2027-01-01T00:00:00Z")):
        wanted = {"passwordCredential": {"displayName": name, "startDateTime": start, "endDateTime": end}}
        secrets[name] = graph(e, "POST", f"/applications/{app['id']}/addPassword", wanted).expect(200).json()["secretText"]
    refused(by_secret(e, app["appId"], secrets["over"]), "invalid_client", 7000222, 401)
    refused(by_secret(e, app["appId"], secrets["later"]), "invalid_client", 7000215, 401)
    by_secret(e, app["appId"], secrets["now"]).expect(200)
    e.advance("P1D")
    refused(by_secret(e, app["appId"], secrets["now"]), "invalid_client", 7000222, 401)


def test_registered_certificates(case):
    cert, second = Certificate(case.folder, "one"), Certificate(case.folder, "two")
    e = case.emulator("--token-clock", "machine")
    key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(cert.der).decode()}
    app, _ = register(e, keyCredentials=[key])
    by_certificate(e, cert.assertion(app["appId"]), app["appId"]).expect(200)
    shown = graph(e, "GET", f"/applications/{app['id']}").json()["keyCredentials"]
    assert [(c["key"], c["displayName"], c["type"]) for c in shown] == [(None, "CN=one", "AsymmetricX509Cert")], shown
    # Sent back without its key, a certificate stays.
    more = {**key, "key": base64.b64encode(second.der).decode()}
    graph(e, "PATCH", f"/applications/{app['id']}", {"keyCredentials": [shown[0], more]}).expect(204)
    e.restart()
    for c in (cert, second):
        by_certificate(e, c.assertion(app["appId"], alg="PS256"), app["appId"]).expect(200)
    graph(e, "PATCH", f"/applications/{app['id']}", {"keyCredentials": [more]}).expect(204)
    refused(by_certificate(e, cert.assertion(app["appId"]), app["appId"]), "invalid_client", 700027, 401)
    for bad in ({**key, "key": "!!"}, {**key, "key": "AAAA"}, {"keyId": shown[0]["keyId"]}, {**key, "keyId": "x"}, {**key, "key": 7}):
        graph(e, "PATCH", f"/applications/{app['id']}", {"keyCredentials": [bad]}).expect(400)
        before = len(graph(e, "GET", "/applications").json()["value"])
        graph(e, "POST", "/applications", {"displayName": "half", "keyCredentials": [bad]}).expect(400)
        assert len(graph(e, "GET", "/applications").json()["value"]) == before
    by_certificate(e, second.assertion(app["appId"]), app["appId"]).expect(200)


def test_graph_lists(case):
    e = case.emulator()
    for i in range(5):
        register(e, f"many{i}", identifierUris=[f"api://many{i}"])
    found, url = [], "/applications?$filter=startswith(displayName,'many')&$top=2".replace("$", "%24")
    while url:
        page = graph(e, "GET", url).expect(200).json()
        assert len(page["value"]) <= 2
        found += [a["displayName"] for a in page["value"]]
        url = page.get("@odata.nextLink", "").partition("/v1.0")[2]
    assert sorted(found) == [f"many{i}" for i in range(5)], found  # all, each once; made in the same millisecond, so in any order
    for path, names in (("/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq 'api://many3')", ["many3"]),
                        ("/servicePrincipals?$filter=displayName eq 'many1'", ["many1"]),
                        ("/applications?$filter=identifierUris/any(s:s eq 'api://many4')", ["many4"]),
                        ("/applications?$filter=displayName eq 'emulator'", ["emulator"]),
                        ("/users?$filter=userPrincipalName eq 'user@sealedbus.onmicrosoft.com'", ["user"]),
                        ("/users?$filter=startswith(displayName,'us')", ["user"]), ("/groups", [])):
        got = graph(e, "GET", urllib.parse.quote(path, safe="/?=$&")).expect(200).json()["value"]
        assert [x["displayName"] for x in got] == names, (path, got)
    for path in ("/applications?$top=0", "/applications?$top=x", "/applications?$skiptoken=-1", "/users?$filter=password eq 'x'", "/applications?$filter=x"):
        graph(e, "GET", urllib.parse.quote(path, safe="/?=$&")).expect(400)
    user = graph(e, "GET", f"/users/{USER}").expect(200).json()
    # $select: these members and no others, also those that are not shown without it; a name that there is none of selects nothing.
    for path, members in (("/applications?$filter=displayName eq 'many1'&$select=appId, displayName", {"appId", "displayName"}),
                          ("/servicePrincipals?$filter=displayName eq 'many1'&$select=ID,colour", {"id"}),
                          ("/users?$select=userPrincipalName,accountEnabled,passwordProfile", {"userPrincipalName", "accountEnabled", "passwordProfile"})):
        page = graph(e, "GET", urllib.parse.quote(path, safe="/?=$&")).expect(200).json()
        assert [set(x) for x in page["value"]] == [members], (path, page)
    assert page["value"][0]["accountEnabled"] is True and page["value"][0]["passwordProfile"] is None, page
    assert page["@odata.context"].endswith("#users(userPrincipalName,accountEnabled,passwordProfile)"), page
    one = graph(e, "GET", f"/users/{USER}?$select=id").expect(200).json()
    assert one == {"@odata.context": page["@odata.context"].partition("(")[0] + "(id)/$entity", "id": user["id"]}, one
    assert graph(e, "GET", f"/users/{USER}?$select=").expect(200).json() == user
    ids = graph(e, "POST", "/directoryObjects/getByIds", {"ids": [user["id"], harness.CLIENT_OID], "types": ["user", "servicePrincipal"]}).json()["value"]
    assert [x["@odata.type"].rpartition(".")[2] for x in ids] == ["user", "servicePrincipal"], ids


def test_what_graph_refuses(case):
    e = case.emulator()
    app, sp = register(e)
    configured = graph(e, "GET", "/applications?%24filter=" + urllib.parse.quote(f"appId eq '{harness.CLIENT}'")).json()["value"][0]
    for method, path, body, status, code in (
            ("POST", "/applications", {}, 400, "Request_BadRequest"), ("POST", "/applications", {"displayName": 7}, 400, "BadRequest"),
            ("POST", "/applications", {"displayName": "x", "passwordCredentials": [{"secretText": "mine"}]}, 400, "Request_BadRequest"),
            ("POST", "/applications", {"displayName": "x", "colour": "red"}, 400, "Request_BadRequest"),
            ("POST", "/servicePrincipals", {"appId": app["appId"]}, 409, "Request_ConflictingObject"),
            ("POST", "/servicePrincipals", {"appId": harness.CLIENT}, 409, "Request_ConflictingObject"),
            ("POST", "/servicePrincipals", {"appId": OTHER}, 400, "Request_BadRequest"), ("POST", "/servicePrincipals", {}, 400, "Request_BadRequest"),
            ("GET", f"/applications/{app['appId']}", None, 404, "Request_ResourceNotFound"),
            ("GET", f"/servicePrincipals/{OTHER}", None, 404, "Request_ResourceNotFound"),
            ("DELETE", f"/applications/{OTHER}", None, 404, "Request_ResourceNotFound"),
            ("DELETE", f"/applications/{configured['id']}", None, 403, "Authorization_RequestDenied"),
            ("DELETE", f"/servicePrincipals/{harness.CLIENT_OID}", None, 403, "Authorization_RequestDenied"),
            ("PATCH", f"/users/{USER}", {"displayName": "x"}, 403, "Authorization_RequestDenied"),
            ("DELETE", f"/users/{USER}", None, 403, "Authorization_RequestDenied"),
            ("POST", "/users", {"userPrincipalName": USER, "displayName": "x", "passwordProfile": {"password": "x"}}, 409, "Request_ConflictingObject"),
            ("POST", "/users", {"userPrincipalName": "no name", "displayName": "x", "passwordProfile": {"password": "x"}}, 400, "Request_BadRequest"),
            ("POST", "/users", {"userPrincipalName": "a@b", "displayName": "x"}, 400, "Request_BadRequest"),
            ("POST", f"/applications/{app['id']}/removePassword", {"keyId": OTHER}, 400, "Request_BadRequest"),
            ("POST", f"/applications/{app['id']}/addPassword", {"passwordCredential": {"endDateTime": "soon"}}, 400, "Request_BadRequest")):
        assert graph(e, method, path, body).expect(status).json()["error"]["code"] == code, (method, path)
    # A secret of the configured application may be added, and works beside its own.
    secret = graph(e, "POST", f"/applications/{configured['id']}/addPassword", {}).expect(200).json()["secretText"]
    by_secret(e, harness.CLIENT, secret).expect(200)
    by_secret(e, harness.CLIENT, harness.SECRET).expect(200)
    e.control("POST", "/_emulator/reset").expect(204)
    refused(by_secret(e, harness.CLIENT, secret), "invalid_client", 7000215, 401)
    by_secret(e, harness.CLIENT, harness.SECRET).expect(200)
    graph(e, "GET", f"/servicePrincipals/{sp['id']}").expect(404)
