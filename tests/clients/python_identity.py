"""azure-identity: each credential that an application may use, with instance discovery off and under the name adfs."""

import base64
import datetime
import json
import logging
import os
import sys
import urllib.request

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (CertificateCredential, ClientSecretCredential, DefaultAzureCredential, DeviceCodeCredential, EnvironmentCredential,
                            InteractiveBrowserCredential, ManagedIdentityCredential, UsernamePasswordCredential)
from azure.keyvault.keys import KeyClient
from azure.mgmt.resource.resources import ResourceManagementClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from checks import Suite
from harness import CLIENT, SECRET, SUB, TENANT

PORT, CONTROL = os.environ["CLIENTS_PORT"], f"http://localhost:{os.environ['CLIENTS_CONTROL']}"
AUTHORITY, ARM, GRAPH = f"https://login.localhost:{PORT}", f"https://management.localhost:{PORT}", f"https://graph.localhost:{PORT}"
USER, PASSWORD, AZ = "user@sealedbus.onmicrosoft.com", "emulator-password", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
WITHOUT = {"authority": AUTHORITY, "disable_instance_discovery": True}
ADFS = {"authority": AUTHORITY}

logging.disable()  # of the refusals that are asked for
suite = Suite("python identity")


def call(url, body=None, token=None):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    with urllib.request.urlopen(urllib.request.Request(url, body and json.dumps(body).encode(), headers), timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def groups(credential):
    client = ResourceManagementClient(credential, SUB, base_url=ARM, credential_scopes=["https://management.azure.com/.default"])
    return [g.name for g in client.resource_groups.list()]


def refused(number, credential):
    try:
        credential.get_token("https://management.azure.com/.default")
    except ClientAuthenticationError as e:
        assert number in str(e), e
    else:
        raise AssertionError("a token was given")


def new_certificate():
    """A key and its certificate, as one PEM text; and the certificate alone, as DER in base64."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clients")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256()))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem + cert.public_bytes(serialization.Encoding.PEM), cert.public_bytes(serialization.Encoding.DER)


with suite.check("ClientSecretCredential, instance discovery off and under adfs"):
    for tenant, how in ((TENANT, WITHOUT), ("adfs", ADFS)):
        assert groups(ClientSecretCredential(tenant, CLIENT, SECRET, **how)) == ["rg"]
        refused("AADSTS7000215", ClientSecretCredential(tenant, CLIENT, "wrong", **how))

with suite.check("CertificateCredential of an application registered in Graph"):
    pem, der = new_certificate()
    admin = ClientSecretCredential(TENANT, CLIENT, SECRET, **WITHOUT).get_token("https://graph.microsoft.com/.default").token
    app = call(f"{GRAPH}/v1.0/applications", {"displayName": "certified", "keyCredentials": [
        {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(der).decode()}]}, admin)
    call(f"{GRAPH}/v1.0/servicePrincipals", {"appId": app["appId"]}, admin)
    for tenant, how in ((TENANT, WITHOUT), ("adfs", ADFS)):
        assert groups(CertificateCredential(tenant, app["appId"], certificate_data=pem, **how)) == []  # no role: nothing to see
        refused("AADSTS700027", CertificateCredential(tenant, app["appId"], certificate_data=new_certificate()[0], **how))
    assert groups(CertificateCredential(TENANT, app["appId"], certificate_data=pem, send_certificate_chain=True, **WITHOUT)) == []

with suite.check("ManagedIdentityCredential of a virtual machine, system- and user-assigned"):
    os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = CONTROL
    assert groups(ManagedIdentityCredential()) == ["rg"]
    arm = ClientSecretCredential(TENANT, CLIENT, SECRET, **WITHOUT).get_token("https://management.azure.com/.default").token
    address = f"{ARM}/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/clients?api-version=2023-01-31"
    request = urllib.request.Request(address, b'{"location":"westus"}', {"Authorization": f"Bearer {arm}", "Content-Type": "application/json"},
                                     method="PUT")
    identity = json.load(urllib.request.urlopen(request, timeout=30))
    choices = ({"client_id": identity["properties"]["clientId"]}, {"identity_config": {"object_id": identity["properties"]["principalId"]}},
               {"identity_config": {"resource_id": identity["id"]}})
    for choice in choices:
        assert groups(ManagedIdentityCredential(**choice)) == [], choice
    refused("Identity not found", ManagedIdentityCredential(client_id="99999999-9999-9999-9999-999999999999"))

with suite.check("ManagedIdentityCredential of App Service; DefaultAzureCredential finds it"):
    os.environ.update(IDENTITY_ENDPOINT=f"{CONTROL}/msi/token", IDENTITY_HEADER="any")
    assert groups(ManagedIdentityCredential()) == ["rg"]
    for choice in choices:
        assert groups(ManagedIdentityCredential(**choice)) == [], choice
    assert groups(DefaultAzureCredential(exclude_environment_credential=True, exclude_cli_credential=True)) == ["rg"]
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        del os.environ[name]

# With instance discovery off MSAL asks for the user's realm on port 443, whatever the authority's port.
with suite.check("UsernamePasswordCredential under adfs"):
    assert groups(UsernamePasswordCredential(AZ, USER, PASSWORD, tenant_id="adfs", **ADFS)) == ["rg"]
    refused("AADSTS50126", UsernamePasswordCredential(AZ, USER, "wrong", tenant_id="adfs", **ADFS))
    refused("AADSTS50034", UsernamePasswordCredential(AZ, "nobody@contoso.com", "x", tenant_id="adfs", **ADFS))

with suite.check("DeviceCodeCredential; a vault's token from its refresh token"):
    def approve(_, user_code, __):
        call(f"{CONTROL}/_emulator/devicecode", {"userCode": user_code})
    credential = DeviceCodeCredential(AZ, tenant_id=TENANT, prompt_callback=approve, **WITHOUT)
    assert groups(credential) == ["rg"]
    assert credential.get_token("https://vault.azure.net/.default").token
    declined = DeviceCodeCredential(AZ, tenant_id=TENANT, **WITHOUT, prompt_callback=lambda _, code, __: call(
        f"{CONTROL}/_emulator/devicecode", {"userCode": code, "approve": False}))
    refused("AADSTS65004", declined)

with suite.check("InteractiveBrowserCredential: authorization code with PKCE"):
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ["BROWSER"] = f"{sys.executable} -B {os.path.join(here, 'browser.py')} %s &"
    assert groups(InteractiveBrowserCredential(client_id=AZ, tenant_id=TENANT, **WITHOUT)) == ["rg"]

with suite.check("EnvironmentCredential, and a vault's own challenge with a certificate"):
    os.environ.update(AZURE_TENANT_ID=TENANT, AZURE_CLIENT_ID=CLIENT, AZURE_CLIENT_SECRET=SECRET)
    assert groups(EnvironmentCredential(**WITHOUT)) == ["rg"]
    client = KeyClient(f"https://clientsvault.vault.localhost:{PORT}", EnvironmentCredential(**WITHOUT))
    assert [k.name for k in client.list_properties_of_keys()] == []

suite.close()
