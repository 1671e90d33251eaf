"""Azure CLI around the resources: the cloud from its metadata, locations, providers, tags, the activity log."""

from az import PORT, Az
from checks import Suite
from harness import CLIENT, CLIENT_OID, SECRET, SUB, TENANT

GROUP = "around-group"
GROUP_ID = f"/subscriptions/{SUB}/resourceGroups/{GROUP}"

suite = Suite("az around")
az = Az("around")

with suite.check("a cloud that az learns from ARM_CLOUD_METADATA_URL alone"):
    known = Az("around-metadata")
    known.environ["ARM_CLOUD_METADATA_URL"] = f"https://management.localhost:{PORT}/metadata/endpoints?api-version=2019-05-01"
    cloud = known("cloud show --name SealedBus")
    assert cloud["endpoints"]["resourceManager"] == f"https://management.localhost:{PORT}/", cloud
    assert cloud["endpoints"]["microsoftGraphResourceId"] == f"https://graph.localhost:{PORT}/", cloud
    known("cloud set --name SealedBus")
    known(f"login --service-principal --username {CLIENT} --password {SECRET} --tenant {TENANT}")
    assert known("account show")["environmentName"] == "SealedBus"
    assert known(f"ad sp show --id {CLIENT}")["id"] == CLIENT_OID

with suite.check("account list-locations; provider list, show, unregister, register"):
    az.register()
    az.sign_in()
    assert "westus" in [x["name"] for x in az("account list-locations")]
    assert "Microsoft.ServiceBus" in [p["namespace"] for p in az("provider list")]
    az("provider unregister --namespace Microsoft.ServiceBus")
    assert az("provider show --namespace Microsoft.ServiceBus")["registrationState"] == "Unregistered"
    az("provider register --namespace Microsoft.ServiceBus --wait")
    assert az("provider show --namespace Microsoft.ServiceBus")["registrationState"] == "Registered"

with suite.check("tag create, update, list, delete on a group and an identity"):
    az(f"group create --name {GROUP} --location westus --tags a=1")
    identity = az(f"identity create --name around-identity --resource-group {GROUP}")
    for resource in (GROUP_ID, identity["id"]):
        assert az(f"tag create --resource-id {resource} --tags b=2 c=3")["properties"]["tags"] == {"b": "2", "c": "3"}
        assert az(f"tag update --resource-id {resource} --operation Merge --tags d=4")["properties"]["tags"] == {"b": "2", "c": "3", "d": "4"}
        assert az(f"tag update --resource-id {resource} --operation Delete --tags c=3")["properties"]["tags"] == {"b": "2", "d": "4"}
        assert az(f"tag list --resource-id {resource}")["properties"]["tags"] == {"b": "2", "d": "4"}
    assert az(f"identity show --name around-identity --resource-group {GROUP}")["tags"] == {"b": "2", "d": "4"}
    az(f"tag delete --resource-id {GROUP_ID} --yes")
    assert not az(f"group show --name {GROUP}")["tags"]

with suite.check("resource create, show, list by group, type and tag, tag, patch, update, invoke-action, delete"):
    bus = "Microsoft.ServiceBus/namespaces"
    made = az(f"resource create --resource-group {GROUP} --name around-bus --resource-type {bus} --location westus --properties", "{}")
    queue = az(f"resource create --resource-group {GROUP} --name orders --namespace Microsoft.ServiceBus --parent namespaces/around-bus"
               " --resource-type queues --properties", '{"maxDeliveryCount": 5}')
    assert (made["type"].lower(), queue["properties"]["maxDeliveryCount"]) == (bus.lower(), 5), (made, queue)
    assert az(f"resource show --ids {made['id']}")["properties"]["status"] == "Active"
    assert az(f"resource show --resource-group {GROUP} --name around-bus --resource-type {bus} --query properties.status") == "Active"
    assert az(f"resource tag --ids {made['id']} --tags a=1 b=2")["tags"] == {"a": "1", "b": "2"}
    assert az(f"resource tag --ids {made['id']} --tags c=3 --is-incremental")["tags"] == {"a": "1", "b": "2", "c": "3"}
    for chosen in (f"--resource-group {GROUP} --resource-type {bus}", "--tag c=3", "--tag c", "--name around-bus", f"--location westus --resource-type {bus}"):
        assert [r["name"] for r in az(f"resource list {chosen}")] == ["around-bus"], chosen
    assert sorted(r["name"] for r in az(f"resource list --resource-group {GROUP}")) == ["around-bus", "around-identity"]
    assert az(f"resource update --ids {made['id']} --set properties.disableLocalAuth=true")["properties"]["disableLocalAuth"] is True
    az(f"resource patch --ids {made['id']} --is-full-object --properties", '{"tags": {"d": "4"}}')
    assert az(f"servicebus namespace show --name around-bus --resource-group {GROUP}")["tags"] == {"d": "4"}
    az(f"resource delete --ids {made['id']}")
    assert [r["name"] for r in az(f"resource list --resource-group {GROUP}")] == ["around-identity"]

with suite.check("group update, list by tag, wait"):
    az(f"group update --name {GROUP} --set tags.z=1")
    assert [g["name"] for g in az("group list --tag z=1")] == [GROUP] and az("group list --tag z=2") == []
    az(f"group wait --name {GROUP} --exists --timeout 10")

with suite.check("monitor activity-log list: who changed what, what failed"):
    az.refused("ResourceNotFound", f"identity update --name nobody --resource-group {GROUP} --tags x=y")
    events = az(f"monitor activity-log list --resource-group {GROUP}")
    done = [(e["operationName"]["value"], e["status"]["value"]) for e in events]
    assert done[-1] == ("Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded"), done
    assert ("Microsoft.ManagedIdentity/userAssignedIdentities/write", "Succeeded") in done and ("Microsoft.Resources/tags/delete", "Succeeded") in done, done
    assert {e["caller"] for e in events} == {CLIENT_OID}
    of_one = az(f"monitor activity-log list --resource-id {identity['id']}")
    assert {e["resourceId"].lower() for e in of_one} == {identity["id"].lower()}, of_one

suite.close()
