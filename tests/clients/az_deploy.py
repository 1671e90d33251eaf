"""Azure CLI: az deployment. The article's templates, word for word, with its parameter files filled in as its notes say."""

import json
import os

from az import Az
from checks import Suite
from harness import CLIENT_OID, SUB

ARTICLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures", "article")
GROUP, VAULT, NAMESPACE = "ContosoRG", "contoso-deploy-vault", "contoso-deployed"
CREATE, UPDATE = "CreateServiceBusPremiumNamespace", "UpdateServiceBusNamespaceWithEncryption"

suite = Suite("az deploy")
az = Az("deploy")
show = f"servicebus namespace show --name {NAMESPACE} --resource-group {GROUP}"


def file(name, text):
    path = os.path.join(os.environ["CLIENTS_TMP"], name)
    with open(path, "w") as f:
        f.write(text)
    return path


def parameters(name):
    """The parameter file with its placeholders replaced."""
    with open(os.path.join(ARTICLE, f"{name}Params.json")) as f:
        text = f.read()
    for placeholder, value in (("ServiceBusNamespaceName", NAMESPACE), ("Location", "West US"), ("KeyVaultName", VAULT), ("KeyName", "key1")):
        text = text.replace(f"<{placeholder}>", value)
    assert "<" not in text, text
    return file(f"{name}Params.json", text)


def article(verb, name, *more):
    return az(f"deployment group {verb} --name {name} --resource-group {GROUP} --template-file {ARTICLE}/{name}.json"
              f" --parameters @{parameters(name)}", *more)


def template(name, *resources, **sections):
    return file(name, json.dumps({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
                                  "contentVersion": "1.0.0.0", "resources": resources, **sections}, indent=2))


with suite.check("sign in, a group, a vault with a key"):
    az.register()
    az.sign_in()
    az(f"group create --name {GROUP} --location westus")
    az(f"keyvault create --name {VAULT} --resource-group {GROUP} --enable-purge-protection true --enable-rbac-authorization false")
    az(f"keyvault key create --vault-name {VAULT} --name key1")

with suite.check("deployment group validate says what would be made, and makes nothing"):
    checked = article("validate", CREATE)
    assert checked["error"] is None and checked["properties"]["provisioningState"] == "Succeeded", checked
    assert [r["id"].rpartition("/")[2] for r in checked["properties"]["validatedResources"]] == [NAMESPACE], checked
    assert az(f"servicebus namespace list --resource-group {GROUP}") == []

with suite.check("deployment group what-if tells what each template would change, and changes nothing"):
    def what_if(name):
        told = article("what-if", name, "--no-pretty-print")
        assert told["status"] == "Succeeded", told
        return {c["resourceId"].rpartition("/")[2]: c for c in told["changes"]}

    changes = what_if(CREATE)
    assert changes[NAMESPACE]["changeType"] == "Create" and changes[NAMESPACE]["after"]["sku"]["name"] == "Premium", changes
    assert changes[VAULT]["changeType"] == "Ignore", changes
    assert az(f"servicebus namespace list --resource-group {GROUP}") == []

with suite.check("deployment group create makes the namespace with its identity; its output is the id"):
    done = article("create", CREATE)["properties"]
    made = az(show)
    assert done["provisioningState"] == "Succeeded" and done["outputs"] == {"serviceBusNamespaceId": {"type": "String", "value": made["id"]}}, done
    assert made["sku"]["name"] == "Premium" and made["identity"]["type"] == "SystemAssigned", made

with suite.check("the second template is refused while that identity has no access, then encrypts the namespace"):
    az.refused(VAULT, f"deployment group create --name {UPDATE} --resource-group {GROUP} --template-file {ARTICLE}/{UPDATE}.json"
                      f" --parameters @{parameters(UPDATE)}")
    assert az(f"deployment group show --resource-group {GROUP} --name {UPDATE}")["properties"]["error"]["code"] == "DeploymentFailed"
    az(f"keyvault set-policy --name {VAULT} --object-id {made['identity']['principalId']} --key-permissions get wrapKey unwrapKey list")
    assert article("create", UPDATE)["properties"]["provisioningState"] == "Succeeded"
    assert [k["keyName"] for k in az(show)["encryption"]["keyVaultProperties"]] == ["key1"]

with suite.check("what-if of what is there: no change, a change with its path, complete mode's deletions; at a subscription"):
    assert what_if(UPDATE)[NAMESPACE]["changeType"] == "NoChange"
    bigger = template("bigger.json", {"type": "Microsoft.ServiceBus/namespaces", "apiVersion": "2018-01-01-preview", "name": NAMESPACE,
                                      "location": "westus", "sku": {"name": "Premium", "tier": "Premium", "capacity": 2}})
    told = az(f"deployment group what-if --resource-group {GROUP} --no-pretty-print --mode Complete --template-file {bigger}")["changes"]
    kinds = {c["resourceId"].rpartition("/")[2]: c for c in told}
    assert (kinds[NAMESPACE]["changeType"], kinds[VAULT]["changeType"]) == ("Modify", "Delete"), kinds
    assert ("sku.capacity", 1, 2) in [(d["path"], d["before"], d["after"]) for d in kinds[NAMESPACE]["delta"]], kinds[NAMESPACE]["delta"]
    assert az(show)["sku"]["capacity"] == 1
    group = template("group.json", {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "FabrikamRG", "location": "westus"})
    told, = az(f"deployment sub what-if --location westus --no-pretty-print --template-file {group}")["changes"]
    assert (told["changeType"], told["resourceId"].rpartition("/")[2]) == ("Create", "FabrikamRG"), told

with suite.check("deployment group list, show, export; operations; delete"):
    within = f"--resource-group {GROUP} --name {CREATE}"
    assert sorted(d["name"] for d in az(f"deployment group list --resource-group {GROUP}")) == [CREATE, UPDATE]
    assert az(f"deployment group list --resource-group {GROUP} --filter", "provisioningState eq 'Failed'") == []
    assert az(f"deployment group show {within}")["properties"]["mode"] == "Incremental"
    with open(f"{ARTICLE}/{CREATE}.json") as f:
        assert az(f"deployment group export {within}") == json.load(f)
    listed = az(f"deployment operation group list {within}")
    assert [o["properties"]["targetResource"]["id"] for o in listed if o["properties"]["targetResource"]] == [made["id"]], listed
    assert {o["properties"]["provisioningState"] for o in listed} == {"Succeeded"}, listed
    shown, = az(f"deployment operation group show {within} --operation-ids {listed[0]['operationId']}")
    assert shown["operationId"] == listed[0]["operationId"], shown
    az(f"deployment group delete {within}")
    az.refused("DeploymentNotFound", f"deployment group show {within}")

with suite.check("a template as people write it: comments, strings over several lines, a secure parameter, a loop, outputs"):
    text = """{ // lenient
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
  "parameters": {"count": {"type": "int", "defaultValue": 1}, /* several
    lines */ "pw": {"type": "securestring"}},
  "resources": [{"type": "Microsoft.ServiceBus/namespaces", "apiVersion": "2024-01-01", "name": "contoso-loop", "location": "[resourceGroup().location]"},
    {"type": "Microsoft.ServiceBus/namespaces/queues", "apiVersion": "2024-01-01", "name": "[format('contoso-loop/q{0}', copyIndex())]",
     "copy": {"name": "queues", "count": "[parameters('count')]"}, "dependsOn": ["contoso-loop"], "properties": {}},
    {"type": "Contoso.Other/things", "apiVersion": "2020-01-01", "name": "thing", "properties": {"password": "[parameters('pw')]"}}],
  "outputs": {"text": {"type": "string", "value": "[concat('two
lines', '')]"}}
}"""
    done = az(f"deployment group create --resource-group {GROUP} --name loop --template-file {file('loop.json', text)} --parameters count=3 pw=Teapot-Secret")
    assert "Teapot-Secret" not in json.dumps(done) and done["properties"]["parameters"]["pw"] == {"type": "SecureString"}, done
    assert done["properties"]["outputs"]["text"]["value"].split() == ["two", "lines"], done
    assert [q["name"] for q in az(f"servicebus queue list --namespace-name contoso-loop --resource-group {GROUP}")] == ["q0", "q1", "q2"]

with suite.check("a template that cannot be is refused, whatever az asks first"):
    namespace = {"type": "Microsoft.ServiceBus/namespaces", "apiVersion": "2024-01-01", "name": "contoso-bad", "location": "westus"}
    bad = template("bad.json", {**namespace, "name": "[concat('a'"+"]"})
    for verb in ("create", "validate"):
        az.refused("InvalidTemplate", f"deployment group {verb} --resource-group {GROUP} --name bad --template-file {bad}")
    az.refused("InvalidTemplate", f"deployment group create --resource-group {GROUP} --name bad --template-file"
                                  f" {template('bad.json', {**namespace, 'dependsOn': ['nowhere']})}")

with suite.check("deployment sub validate, create, show, list, operation list, delete: a group and, nested, what is in it"):
    inner = {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": [namespace]}
    whole = template("whole.json", {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "FabrikamRG", "location": "westus"},
                     {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "resourceGroup": "FabrikamRG",
                      "dependsOn": ["FabrikamRG"], "properties": {"mode": "Incremental", "template": inner}})
    az(f"deployment sub validate --location westus --name whole --template-file {whole}")
    assert az("group exists --name FabrikamRG") is False
    assert az(f"deployment sub create --location westus --name whole --template-file {whole}")["properties"]["provisioningState"] == "Succeeded"
    assert az("servicebus namespace show --name contoso-bad --resource-group FabrikamRG")["status"] == "Active"
    assert az("deployment sub show --name whole")["location"] == "westus"
    assert [d["name"] for d in az("deployment sub list")] == ["whole"]
    targets = [o["properties"]["targetResource"] for o in az("deployment operation sub list --name whole")]
    assert {"FabrikamRG", "inner"} <= {t["resourceName"] for t in targets if t}, targets
    az("deployment sub delete --name whole")
    assert az("deployment sub list") == []

with suite.check("deployment tenant validate, create, show, list, delete: what a subscription of it deploys"):
    inner = {"$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#", "contentVersion": "1.0.0.0",
             "resources": [{"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "TailspinRG", "location": "westus"}]}
    tenant = template("tenant.json", {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "location": "westus",
                                      "subscriptionId": SUB, "properties": {"mode": "Incremental", "template": inner}})
    az.refused("AuthorizationFailed", f"deployment tenant validate --location westus --name tenant --template-file {tenant}")
    az("rest --method post --url /providers/Microsoft.Authorization/elevateAccess?api-version=2016-07-01")
    az(f"role assignment create --role Owner --assignee-object-id {CLIENT_OID} --assignee-principal-type ServicePrincipal --scope /")
    az(f"deployment tenant validate --location westus --name tenant --template-file {tenant}")
    assert az(f"deployment tenant create --location westus --name tenant --template-file {tenant}")["properties"]["provisioningState"] == "Succeeded"
    assert az("group exists --name TailspinRG") is True and az("deployment tenant show --name tenant")["location"] == "westus"
    assert [d["name"] for d in az("deployment tenant list")] == ["tenant"]
    az("deployment tenant delete --name tenant")
    assert az("deployment tenant list") == []

with suite.check("complete mode takes away what the template lacks"):
    az(f"deployment group create --resource-group FabrikamRG --name all --mode Complete --template-file {template('none.json')}")
    assert az("resource list --resource-group FabrikamRG") == []

suite.close()
