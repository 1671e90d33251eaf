"""azure-keyvault-secrets, as an app that keeps its connection string in the vault uses it."""

import logging
import os

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from checks import Suite, raises
from harness import CLIENT, SECRET, TENANT

PORT = os.environ["CLIENTS_PORT"]
VAULT = f"https://clientsvault.vault.localhost:{PORT}"
VALUE = "Endpoint=sb://orders.servicebus.localhost/;SharedAccessKeyName=a;SharedAccessKey=b="

logging.disable()  # of the refusals that are asked for
suite = Suite("python secrets")
client = SecretClient(VAULT, ClientSecretCredential(TENANT, CLIENT, SECRET, authority=f"https://login.localhost:{PORT}",
                                                    disable_instance_discovery=True))

with suite.check("set and get, with its type and tags"):
    first = client.set_secret("connection", VALUE, content_type="text/plain", tags={"app": "orders"})
    got = client.get_secret("connection")
    assert (got.value, got.id, got.properties.content_type, got.properties.tags) == (VALUE, first.id, "text/plain", {"app": "orders"})
    with raises(ResourceNotFoundError, status_code=404):
        client.get_secret("nothere")

with suite.check("a second version is the newest; both are listed, neither with its value"):
    second = client.set_secret("connection", "changed")
    assert client.get_secret("connection").value == "changed"
    assert client.get_secret("connection", first.properties.version).value == VALUE
    listed = list(client.list_properties_of_secret_versions("connection"))
    assert {v.version for v in listed} == {first.properties.version, second.properties.version}

with suite.check("update: a disabled secret is not read"):
    client.update_secret_properties("connection", second.properties.version, enabled=False)
    with raises(HttpResponseError, status_code=403):
        client.get_secret("connection")
    client.update_secret_properties("connection", second.properties.version, enabled=True)
    assert client.get_secret("connection").value == "changed"

with suite.check("list over several pages"):
    for name in ("b", "c"):
        client.set_secret(name, name)
    pages = [[s.name for s in page] for page in client.list_properties_of_secrets(max_page_size=2).by_page()]
    assert [len(p) for p in pages] == [2, 1] and sorted(sum(pages, [])) == ["b", "c", "connection"], pages

with suite.check("delete, recover and purge, waited for by the SDK's pollers"):
    deleted = client.begin_delete_secret("connection").result()
    assert deleted.recovery_id == f"{VAULT}/deletedsecrets/connection", deleted.recovery_id
    assert [d.name for d in client.list_deleted_secrets()] == ["connection"]
    client.begin_recover_deleted_secret("connection").wait()
    assert client.get_secret("connection").value == "changed"
    client.begin_delete_secret("b").wait()
    client.purge_deleted_secret("b")
    with raises(ResourceNotFoundError, status_code=404):
        client.get_deleted_secret("b")

suite.close()
