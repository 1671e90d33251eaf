"""Azure CLI: the article's templates, word for word, through az deployment group."""

import os

from az import PORT, Az
from checks import Suite

ARTICLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "article")
GROUP, VAULT, NAMESPACE = "ContosoRG", "contoso-deploy-vault", "contoso-deployed"
CREATE = os.path.join(ARTICLE, "CreateServiceBusPremiumNamespace.json")
ENCRYPT = os.path.join(ARTICLE, "UpdateServiceBusNamespaceWithEncryption.json")

suite = Suite("az deploy")
az = Az("deploy")
show = f"servicebus namespace show --name {NAMESPACE} --resource-group {GROUP}"


def deployment(verb, name, template, *parameters):
    return az(f"deployment group {verb} --resource-group {GROUP} --name {name} --template-file {template} --parameters", *parameters)


with suite.check("sign in, a group, a vault with three keys"):
    az.register()
    az.sign_in()
    az(f"group create --name {GROUP} --location westus")
    az(f"keyvault create --name {VAULT} --resource-group {GROUP} --enable-purge-protection true --enable-rbac-authorization false")
    for name in ("key1", "key2", "key3"):
        az(f"keyvault key create --vault-name {VAULT} --name {name}")

with suite.check("deployment group validate and what-if change nothing"):
    wanted = (f"namespaceName={NAMESPACE}", "location=westus")
    assert deployment("validate", "create", CREATE, *wanted)["error"] is None
    changes = az(f"deployment group what-if --resource-group {GROUP} --no-pretty-print --template-file {CREATE} --parameters", *wanted)["changes"]
    assert ("Create", NAMESPACE) in [(c["changeType"], c["resourceId"].split("/")[-1]) for c in changes], changes
    assert az(f"servicebus namespace list --resource-group {GROUP}") == []

with suite.check("deployment group create makes the namespace with its identity"):
    done = deployment("create", "create", CREATE, *wanted)["properties"]
    assert done["provisioningState"] == "Succeeded" and NAMESPACE in str(done["outputs"]), done
    made = az(show)
    assert made["sku"]["name"] == "Premium" and made["identity"]["principalId"], made

with suite.check("deployment group create with the second template encrypts it under three keys"):
    az(f"keyvault set-policy --name {VAULT} --object-id {made['identity']['principalId']} --key-permissions get wrapKey unwrapKey list")
    uri = f"https://{VAULT}.vault.localhost:{PORT}"
    done = deployment("create", "encrypt", ENCRYPT, *wanted, f"keyVaultUri={uri}", "keyName=key1")["properties"]
    assert done["provisioningState"] == "Succeeded", done
    assert "key1" in [k["keyName"] for k in az(show)["encryption"]["keyVaultProperties"]]

with suite.check("deployment group list, show, operation list"):
    assert sorted(d["name"] for d in az(f"deployment group list --resource-group {GROUP}")) == ["create", "encrypt"]
    assert az(f"deployment group show --resource-group {GROUP} --name encrypt")["properties"]["mode"] == "Incremental"
    states = [o["properties"]["provisioningState"] for o in az(f"deployment operation group list --resource-group {GROUP} --name create")]
    assert states and set(states) == {"Succeeded"}, states

with suite.check("a template that cannot be is refused with its line"):
    bad = os.path.join(os.environ["CLIENTS_TMP"], "bad.json")
    with open(bad, "w") as f:
        f.write('{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",\n'
                '"resources":[{"type":"Microsoft.ServiceBus/namespaces","apiVersion":"2024-01-01","name":"[concat(\'a\'","location":"westus"}]}')
    az.refused("InvalidTemplate", f"deployment group create --resource-group {GROUP} --name bad --template-file {bad}")

suite.close()
