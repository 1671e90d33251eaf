"""What-if: what a deployment would change, told before it changes anything; and what validation looks at inside of nested templates."""

import json
import urllib.parse

import harness
from harness import SUB
from test_deployment import CREATE, ask, encryption, envelope, article, in_group, namespace, of, parameters, path, queue, succeeded, things


def changes(s, body, name="look", group=True):
    """{resource id: change} of what a deployment would do, polled at the Location that the answer names."""
    begun = ask(s, "POST", path(s, name, "/whatIf", group=group), body).expect(202)
    assert begun.body == b"" and begun.headers["Retry-After"] == "1", begun
    where = urllib.parse.urlsplit(begun.headers["Location"])
    assert where.netloc == f"{harness.ARM}:{s.e.https_port}", where
    done = s.e.https("GET", harness.ARM, f"{where.path}?{where.query}", None, s.e.bearer("https://management.azure.com")).expect(200).json()
    assert done["status"] == "Succeeded", done
    return {c["resourceId"]: c for c in done["properties"]["changes"]}


def whatif(template, values=None, mode="Incremental", settings=None):
    body = json.loads(envelope("{}", values, mode).replace("template:{}", '"template":{}'))
    body["properties"]["template"] = json.loads(template)
    if settings:
        body["properties"]["whatIfSettings"] = settings
    return json.dumps(body)


def test_the_articles_templates_say_what_they_would_do(case):
    """Nothing there: Create. Deployed: no noise. The second template: the identity stays, encryption comes, and nothing has happened."""
    s = case.story()
    s.make_group()
    first = envelope(article(CREATE), parameters(CREATE, ServiceBusNamespaceName=s.namespace, Location="North Europe"))
    create = changes(s, first)[s.namespace_path]
    assert create["changeType"] == "Create" and "before" not in create and create["after"]["sku"]["name"] == "Premium", create
    assert list(create["after"]) == sorted(create["after"]), create
    s.e.arm("GET", s.namespace_path).expect(404)

    succeeded(s, CREATE, first)
    again = changes(s, first)
    assert {i: c["changeType"] for i, c in again.items()} == {s.namespace_path: "NoChange"}, again
    assert again[s.namespace_path]["delta"] == [] and again[s.namespace_path]["before"] == again[s.namespace_path]["after"], again

    s.principal = s.get_namespace()["identity"]["principalId"]
    s.make_vault()
    s.make_key("key1")
    seen = changes(s, encryption(s, "key1"))
    change = seen[s.namespace_path]
    assert change["changeType"] == "Modify", change
    assert [(d["path"], d["propertyChangeType"]) for d in change["delta"]] == [("properties.encryption", "Create")], change
    assert [c["changeType"] for i, c in seen.items() if i != s.namespace_path] == ["Ignore"], seen
    assert "encryption" not in s.get_namespace()["properties"]


def test_leaves_arrays_tags_and_formats(case):
    s = case.story()
    s.make_group()
    ns, other = namespace(s.namespace, tags={"team": "a", "cost": "1"}), things("t", properties={"list": [1, 2], "deep": {"x": {"y": "z"}}})
    succeeded(s, "base", envelope(of(ns, queue(f"{s.namespace}/q", dependsOn=[s.namespace], properties={"lockDuration": "PT1M"}), other)))
    new = of(dict(ns, tags={"team": "b"}, location="West US"),
             queue(f"{s.namespace}/q", properties={"lockDuration": "PT60S", "maxDeliveryCount": 3}),
             things("t", properties={"list": [1, 3, 4], "deep": {"x": {}}}), things("new"))
    got = {i.rsplit("/", 1)[1]: c for i, c in changes(s, envelope(new)).items()}
    assert {n: c["changeType"] for n, c in got.items()} == {s.namespace: "Modify", "q": "Modify", "t": "Modify", "new": "Create"}, got
    assert got[s.namespace]["delta"] == [{"path": "tags.cost", "propertyChangeType": "Delete", "before": "1"},
                                         {"path": "tags.team", "propertyChangeType": "Modify", "before": "a", "after": "b"}], got
    assert got["q"]["delta"] == [{"path": "properties.maxDeliveryCount", "propertyChangeType": "Modify", "before": 10, "after": 3}], got
    assert got["t"]["delta"] == [
        {"path": "properties.deep.x.y", "propertyChangeType": "Delete", "before": "z"},
        {"path": "properties.list", "propertyChangeType": "Array", "children": [
            {"path": "1", "propertyChangeType": "Modify", "before": 2, "after": 3},
            {"path": "2", "propertyChangeType": "Create", "after": 4}]}], got
    ids = changes(s, whatif(new, settings={"resultFormat": "ResourceIdOnly"}))
    assert sorted((c["changeType"], len(c)) for c in ids.values()) == [("Create", 2), ("Deploy", 2), ("Deploy", 2), ("Deploy", 2)], ids
    assert ask(s, "POST", path(s, "look", "/whatIf"), whatif(new, settings={"resultFormat": "Prose"})).status == 400


def test_complete_mode_would_delete_and_nothing_is_changed(case):
    s = case.story()
    s.make_group()
    succeeded(s, "base", envelope(of(namespace(s.namespace), things("a"), things("b"))))
    before = in_group(s)
    got = {i.rsplit("/", 1)[1]: c["changeType"] for i, c in changes(s, envelope(of(things("a")), mode="Complete")).items()}
    assert got == {"a": "NoChange", "b": "Delete", s.namespace: "Delete"}, got
    got = {i.rsplit("/", 1)[1]: c["changeType"] for i, c in changes(s, envelope(of(things("a")))).items()}
    assert got == {"a": "NoChange", "b": "Ignore", s.namespace: "Ignore"}, got
    assert in_group(s) == before
    assert ask(s, "GET", path(s, "look")).status == 404


def nested(name, template, **more):
    return {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name, **more,
            "properties": {"mode": "Incremental", "template": json.loads(template), **more.pop("properties", {})}}


def test_nested_templates_are_looked_into(case):
    """Into the same group, into one that the template makes, into none: as the service, before anything is deployed."""
    s = case.story()
    s.make_group()
    inner = nested("inner", of(things("deep")))
    got = {i.rsplit("/", 1)[1]: c["changeType"] for i, c in changes(s, envelope(of(things("a"), inner))).items()}
    assert got == {"a": "Create", "deep": "Create"}, got
    valid = ask(s, "POST", path(s, "v", "/validate"), envelope(of(inner, things("a")))).expect(200).json()["properties"]["validatedResources"]
    assert [v["id"].rsplit("/", 1)[1] for v in valid] == ["inner", "a", "deep"], valid
    done = succeeded(s, "v", envelope(of(inner, things("a")), mode="Complete"))
    assert [r["id"].rsplit("/", 1)[1] for r in done["outputResources"]] == ["a", "deep"] and in_group(s) == ["a", "deep"], done

    lost = nested("lost", of(things("x")), resourceGroup="nowhere")
    for verb, suffix in (("POST", "/validate"), ("POST", "/whatIf"), ("PUT", "")):
        error = ask(s, verb, path(s, "lost", suffix), envelope(of(things("first"), lost))).expect(404)
        assert error.json()["error"] == {"code": "ResourceGroupNotFound", "message": "Resource group 'nowhere' could not be found."}, error
    assert in_group(s) == ["a", "deep"]

    group = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": f"{s.namespace}-made", "location": "westus"}
    whole = json.dumps({"location": "westus", "properties": {"mode": "Incremental", "template": json.loads(
        of(group, nested("there", of(things("x")), resourceGroup=group["name"], dependsOn=[group["name"]])))}})
    got = {i.rsplit("/", 1)[1]: c["changeType"] for i, c in changes(s, whole, group=False).items()}
    assert got == {group["name"]: "Create", "x": "Create"}, got
    s.e.arm("GET", f"/subscriptions/{SUB}/resourceGroups/{group['name']}", api="2021-04-01").expect(404)


def test_whatif_tells_no_secret_and_asks_for_rights(case):
    s = case.story()
    s.make_group()
    template = of(things("t", properties={"password": "[parameters('pw')]", "login": "[concat('u:', parameters('pw'))]"}),
                  parameters={"pw": {"type": "securestring"}})
    body = envelope(template, {"pw": {"value": "Hunter2-very-secret"}})
    assert "Hunter2" not in json.dumps(changes(s, body))
    succeeded(s, "t", body)
    got = changes(s, body)
    assert "Hunter2" not in json.dumps(got) and [c["changeType"] for c in got.values()] == ["NoChange"], got
    assert ask(s, "POST", path(s, "look", "/whatIf"), envelope('{"resources": [')).status == 400
    assert s.e.https("POST", harness.ARM, path(s, "look", "/whatIf") + "?api-version=2022-09-01", body).status == 401


def test_on_error_the_named_or_the_last_deployment_runs_again(case):
    s = case.story()
    s.make_group()
    succeeded(s, "good", envelope(of(things("a"))))
    ask(s, "DELETE", path(s, "unknown")).expect(204)
    bad = json.loads(whatif(of(queue("nonamespace/q"))))
    for rollback in ({"type": "LastSuccessful"}, {"type": "SpecificDeployment", "deploymentName": "good"}):
        succeeded(s, "empty", envelope(of(), mode="Complete"))
        ask(s, "DELETE", path(s, "empty")).expect(202)
        assert in_group(s) == []
        bad["properties"]["onErrorDeployment"] = rollback
        shown = ask(s, "POST", path(s, "bad", "/validate"), json.dumps(bad)).expect(200).json()["properties"]["onErrorDeployment"]
        assert shown == {"type": rollback["type"], "deploymentName": "good"}, shown
        ask(s, "PUT", path(s, "bad"), json.dumps(bad)).expect(201)
        done = ask(s, "GET", path(s, "bad")).expect(200).json()["properties"]
        assert done["provisioningState"] == "Failed" and done["onErrorDeployment"] == {"provisioningState": "Succeeded", **shown}, done
        assert in_group(s) == ["a"]
        ask(s, "DELETE", path(s, "bad")).expect(202)
    bad["properties"]["onErrorDeployment"] = {"type": "SpecificDeployment", "deploymentName": "none"}
    assert ask(s, "PUT", path(s, "bad"), json.dumps(bad)).expect(404).json()["error"]["code"] == "DeploymentNotFound"
    bad["properties"]["onErrorDeployment"] = {"type": "Sometimes"}
    ask(s, "PUT", path(s, "bad"), json.dumps(bad)).expect(400)
    secret = of(things("s"), parameters={"pw": {"type": "securestring"}})
    succeeded(s, "secret", envelope(secret, {"pw": {"value": "very-secret-text"}}))
    bad["properties"]["onErrorDeployment"] = {"type": "SpecificDeployment", "deploymentName": "secret"}
    assert "secure parameters" in ask(s, "PUT", path(s, "bad"), json.dumps(bad)).expect(400).json()["error"]["message"]


def test_a_deployments_deletion_ends_where_its_location_says(case):
    s = case.story()
    s.make_group()
    succeeded(s, "d", envelope(of()))
    where = urllib.parse.urlsplit(ask(s, "DELETE", path(s, "d")).expect(202).headers["Location"])
    s.e.https("GET", harness.ARM, f"{where.path}?{where.query}", None, s.e.bearer("https://management.azure.com")).expect(204)


def test_a_parameter_may_be_a_secret_of_a_vault(case):
    """Documented: the vault has to be enabled for template deployment; the caller needs no right to secrets. The value is told nowhere."""
    s = case.story()
    s.make_group()
    s.make_vault()
    secret = "kept-in-the-vault-Hunter2"
    s.e.arm("PUT", f"{s.vault_path}/secrets/pw", {"properties": {"value": secret}}, api="2023-07-01").expect(200, 201)
    template = of(things("t", properties={"password": "[parameters('pw')]"}), parameters={"pw": {"type": "securestring"}},
                  outputs={"n": {"type": "int", "value": "[length(parameters('pw'))]"}})

    def body(**more):
        return envelope(template, {"pw": {"reference": {"keyVault": {"id": s.vault_path}, "secretName": "pw", **more}}})

    def refused(sent):
        return ask(s, "PUT", path(s, "d"), sent).expect(400).json()["error"]
    assert refused(body())["code"] == "KeyVaultParameterReferenceSecretRetrieveFailed" and "Forbidden" in refused(body())["message"]
    s.patch_vault(enabledForTemplateDeployment=True)
    done = succeeded(s, "d", body())
    assert done["outputs"]["n"]["value"] == len(secret) and done["parameters"]["pw"]["reference"]["secretName"] == "pw", done
    wrong = refused(body(secretName="none"))
    assert wrong["code"] == "KeyVaultParameterReferenceSecretRetrieveFailed" and "NotFound" in wrong["message"], wrong
    assert refused(body(keyVault={"id": s.vault_path + "x"}))["code"] == "KeyVaultParameterReferenceNotFound"
    told = [ask(s, "GET", path(s, "d", more)).body for more in ("", "/operations")] + [json.dumps(changes(s, body())).encode()]
    assert not any(secret.encode() in t for t in told)


def test_links_are_not_followed(case):
    s = case.story()
    s.make_group()
    link = {"properties": {"mode": "Incremental", "templateLink": {"uri": "https://example.com/t.json"}}}
    inside = of({"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "n", **link})
    for sent in (json.dumps(link), envelope(inside)):
        for verb, suffix in (("POST", "/validate"), ("PUT", ""), ("POST", "/whatIf")):
            error = ask(s, verb, path(s, "l", suffix), sent).expect(400).json()["error"]
            assert error["code"] == "InvalidContentLink" and "https://example.com/t.json" in error["message"], error
    assert ask(s, "POST", path(s, "l", "/cancel")).expect(404).json()["error"]["code"] == "DeploymentNotFound"
    succeeded(s, "over", envelope(of()))
    assert ask(s, "POST", path(s, "over", "/cancel")).expect(409).json()["error"]["code"] == "DeploymentCannotBeCancelled"
