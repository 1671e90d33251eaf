"""Azure CLI: every way to sign in, and the directory: service principals and users made with az that sign in themselves."""

import json
import os
import sys
import threading
import time
import urllib.request

from az import PORT, Az
from checks import Suite
from harness import CLIENT, CLIENT_OID, SUB, TENANT

CONTROL = f"http://localhost:{os.environ['CLIENTS_CONTROL']}"
USER, PASSWORD, USER_OID = "user@sealedbus.onmicrosoft.com", "emulator-password", "55555555-5555-5555-5555-555555555555"
SCOPE = f"/subscriptions/{SUB}"
GROUP = "signin-group"

suite = Suite("az sign-in")
az = Az("signin")
az.environ["HOME"] = os.path.join(os.environ["CLIENTS_TMP"], "home")  # where az puts new keys
os.makedirs(az.environ["HOME"], exist_ok=True)


class Shell(Az):
    """Each command is a program of its own: tokens come from the cache in its folder, as at a terminal."""

    def __call__(self, line, *more):
        return self.program(line, *more)


def another(name, **environ):
    """An az of its own, in the same cloud."""
    other = Shell(name)
    other.environ.update(environ)
    other.register()
    return other


def who(cli):
    account = cli("account show")
    return account["user"]["name"], account["user"]["type"], account["tenantId"]


def call(path, body=None):
    request = urllib.request.Request(f"{CONTROL}{path}", body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def approve_soon():
    """As a user at a browser would: waits for a code and types it."""
    def work():
        for _ in range(600):
            waiting = call("/_emulator/devicecode")["waiting"]
            if waiting:
                return call("/_emulator/devicecode", {"userCode": waiting[0]["userCode"]})
            time.sleep(0.1)
    thread = threading.Thread(target=work)
    thread.start()
    return thread


with suite.check("login --service-principal with a secret; account get-access-token"):
    az.register()
    az.sign_in()
    assert who(az) == (CLIENT, "servicePrincipal", TENANT), who(az)
    token = az("account get-access-token")
    assert token["subscription"] == SUB and token["tenant"] == TENANT and token["accessToken"].count(".") == 2, token
    assert az("account get-access-token --resource https://vault.azure.net")["accessToken"] != token["accessToken"]
    az.refused("AADSTS500011", "account get-access-token --resource https://example.com")

with suite.check("ad sp create-for-rbac with a password: it signs in, with its role and no more"):
    az(f"group create --name {GROUP} --location westus")
    made = az(f"ad sp create-for-rbac --name reader-app --role Reader --scopes {SCOPE}")
    assert made["displayName"] == "reader-app" and made["tenant"] == TENANT, made
    app = another("signin-app")
    app(f"login --service-principal --tenant {TENANT} --username {made['appId']} --password", made["password"])
    assert [g["name"] for g in app("group list")] == [GROUP]
    app.refused("AuthorizationFailed", "group create --name forbidden --location westus")
    another("signin-wrong").refused("AADSTS7000215", f"login --service-principal --tenant {TENANT} --username {made['appId']} --password wrong")

with suite.check("ad sp list and show, ad app list and show, credential list and reset"):
    assert [s["appId"] for s in az("ad sp list --display-name reader-app")] == [made["appId"]]
    shown = az(f"ad sp show --id {made['appId']}")
    assert shown["servicePrincipalType"] == "Application" and made["appId"] in shown["servicePrincipalNames"], shown
    assert {s["appId"] for s in az("ad sp list --all")} >= {made["appId"], CLIENT}
    assert az(f"ad sp show --id {CLIENT}")["id"] == CLIENT_OID
    assert az(f"ad app show --id {made['appId']}")["displayName"] == "reader-app"
    before = az(f"ad app credential list --id {made['appId']}")
    renewed = az(f"ad app credential reset --id {made['appId']}")
    after = az(f"ad app credential list --id {made['appId']}")
    assert len(before) == len(after) == 1 and before[0]["keyId"] != after[0]["keyId"], after
    late = another("signin-late")
    late.refused("AADSTS7000215", f"login --service-principal --tenant {TENANT} --username {made['appId']} --password", made["password"])
    late(f"login --service-principal --tenant {TENANT} --username {made['appId']} --password", renewed["password"])

with suite.check("ad sp create-for-rbac --create-cert: it signs in with its certificate"):
    cert = az(f"ad sp create-for-rbac --name cert-app --create-cert --role Reader --scopes {SCOPE}")
    by_cert = another("signin-cert")
    by_cert(f"login --service-principal --tenant {TENANT} --username {cert['appId']} --certificate {cert['fileWithCertAndPrivateKey']}")
    assert who(by_cert) == (cert["appId"], "servicePrincipal", TENANT)
    assert [c["type"] for c in az(f"ad app credential list --id {cert['appId']} --cert")] == ["AsymmetricX509Cert"]
    another("signin-foreign").refused("AADSTS700027", f"login --service-principal --tenant {TENANT} --username {made['appId']} --certificate"
                                                       f" {cert['fileWithCertAndPrivateKey']}")

with suite.check("ad user create, show, list; role assignment create for a user and an application by name"):
    ann = az("ad user create --display-name Ann --user-principal-name ann@contoso.com --password", "ann has a secret")
    assert az("ad user show --id ann@contoso.com")["id"] == ann["id"] == az(f"ad user show --id {ann['id']}")["id"]
    assert [u["userPrincipalName"] for u in az("ad user list --upn ann@contoso.com")] == ["ann@contoso.com"]
    granted = az(f"role assignment create --assignee ann@contoso.com --role Contributor --scope {SCOPE}")
    assert (granted["principalId"], granted["principalType"]) == (ann["id"], "User"), granted
    granted = az(f"role assignment create --assignee {cert['appId']} --role Contributor --scope {SCOPE}/resourceGroups/{GROUP}")
    assert granted["principalType"] == "ServicePrincipal", granted
    listed = az(f"role assignment list --assignee ann@contoso.com --scope {SCOPE}")
    assert [(a["principalName"], a["roleDefinitionName"]) for a in listed] == [("ann@contoso.com", "Contributor")], listed

# On another port than 443, MSAL asks for a user's realm on 443, unless the authority is called adfs.
with suite.check("login -u -p as a user, under the name adfs; ad signed-in-user show"):
    user = another("signin-user")
    user.refused("443", f"login --username {USER} --password {PASSWORD}")
    user(f"cloud update --name SealedBus --endpoint-active-directory https://login.localhost:{PORT}/adfs")
    user.refused("AADSTS50126", f"login --username {USER} --password wrong")
    user(f"login --username {USER} --password {PASSWORD}")
    assert who(user)[:2] == (USER, "user"), who(user)
    assert [g["name"] for g in user("group list")] == [GROUP]
    assert user("ad signed-in-user show")["id"] == USER_OID
    user("logout")
    user("login --username ann@contoso.com --password", "ann has a secret")
    user("group create --name anns-group --location westus")

with suite.check("login --use-device-code as a user; a token for another resource from the refresh token"):
    phone = another("signin-device")
    thread = approve_soon()
    phone("login --use-device-code")
    thread.join()
    assert who(phone) == (USER, "user", TENANT), who(phone)
    assert phone("account get-access-token --resource https://vault.azure.net")["tokenType"] == "Bearer"
    assert phone("ad signed-in-user show")["userPrincipalName"] == USER

with suite.check("login in the browser: authorization code with PKCE"):
    # az opens addresses with BROWSER: here a program that fills in the page's form.
    here = os.path.dirname(os.path.abspath(__file__))
    browser = another("signin-browser", BROWSER=f"{sys.executable} -B {os.path.join(here, 'browser.py')} %s &")
    browser("login")
    assert who(browser) == (USER, "user", TENANT), who(browser)
    assert [g["name"] for g in browser("group list")] == ["anns-group", GROUP]

with suite.check("login --identity: as a virtual machine and as App Service, system- and user-assigned"):
    identity = az(f"identity create --name signin-identity --resource-group {GROUP}")
    az(f"role assignment create --role Reader --scope {SCOPE} --assignee-principal-type ServicePrincipal --assignee-object-id {identity['principalId']}")
    machine = another("signin-imds", AZURE_POD_IDENTITY_AUTHORITY_HOST=CONTROL)
    machine("login --identity")
    assert [g["name"] for g in machine("group list")] == ["anns-group", GROUP], machine("group list")
    service = another("signin-service", IDENTITY_ENDPOINT=f"{CONTROL}/msi/token", IDENTITY_HEADER="any")
    for cli, choice in ((machine, f"--client-id {identity['clientId']}"), (service, f"--object-id {identity['principalId']}"),
                        (service, f"--resource-id {identity['id']}")):
        cli(f"login --identity {choice}")
        cli.refused("AuthorizationFailed", "group create --name forbidden --location westus")
    machine.refused("Identity not found", "login --identity --client-id 99999999-9999-9999-9999-999999999999")

with suite.check("ad user, sp and app delete: they cannot sign in any more"):
    az("ad user delete --id ann@contoso.com")
    user.refused("AADSTS50034", "login --username ann@contoso.com --password", "ann has a secret")
    az(f"ad sp delete --id {made['appId']}")
    az(f"ad app delete --id {cert['appId']}")
    gone = another("signin-gone")
    gone.refused("AADSTS700016", f"login --service-principal --tenant {TENANT} --username {cert['appId']} --certificate"
                                 f" {cert['fileWithCertAndPrivateKey']}")

suite.close()
