"""Template deployments over REST: the article's four files, byte for byte, from the namespace to the recovered key; what is refused
and where; what is kept of a deployment, and what never is."""

import json
import os
import urllib.parse

import harness
from harness import CLIENT_OID, SUB, TENANT

ARTICLE = os.path.join(harness.ROOT, "fixtures", "article")
CREATE, UPDATE = "CreateServiceBusPremiumNamespace", "UpdateServiceBusNamespaceWithEncryption"
VERSION = "2022-09-01"
EMPTY = '"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0"'
BUS = "Microsoft.ServiceBus/namespaces"


# ---- what is sent ----

def article(name):
    """A file of the article, byte for byte."""
    with open(os.path.join(ARTICLE, f"{name}.json"), newline="") as f:
        return f.read()


def parameters(name, **filled):
    """The parameters of a parameter file of the article in which each <Name> is replaced, as its note asks."""
    text = article(f"{name}Params")
    for placeholder, value in filled.items():
        assert f"<{placeholder}>" in text, f"{placeholder} is not in {name}Params.json"
        text = text.replace(f"<{placeholder}>", value)
    assert "<" not in text, text
    return json.loads(text)["parameters"]


def envelope(template, values=None, mode="Incremental"):
    """The body that az makes: the template's own text, put in behind a bare name."""
    return '{"properties": {"parameters": %s, "mode": "%s", template:%s}}' % (json.dumps(values or {}), mode, template)


def of(*resources, **sections):
    """A template of these resources."""
    more = "".join(f', "{name}": {json.dumps(value)}' for name, value in sections.items())
    return f'{{{EMPTY}, "resources": {json.dumps(resources)}{more}}}'


def namespace(name, **more):
    return {"type": BUS, "apiVersion": "2021-11-01", "name": name, "location": "westus", "sku": {"name": "Premium"}, **more}


def queue(name, **more):
    return {"type": f"{BUS}/queues", "apiVersion": "2021-11-01", "name": name, "properties": {}, **more}


def things(name, **more):
    """A resource of a provider that nobody emulates."""
    return {"type": "Contoso.Other/things", "apiVersion": "2020-01-01", "name": name, "location": "westus", **more}


# ---- sending it ----

def path(s, name, suffix="", group=True):
    return f"{s.group_path if group else f'/subscriptions/{SUB}'}/providers/Microsoft.Resources/deployments/{name}{suffix}"


def ask(s, method, url, body=None):
    return s.e.arm(method, url, body, api=VERSION, headers={"Content-Type": "application/json"})


def deploy(s, name, body, first=True, group=True):
    """PUT, polled at the URL that the answer names until it is over; the deployment as it is then."""
    begun = ask(s, "PUT", path(s, name, group=group), body).expect(201 if first else 200)
    assert begun.json()["properties"]["provisioningState"] == "Accepted", begun
    poll = urllib.parse.urlsplit(begun.headers["Azure-AsyncOperation"])
    assert poll.netloc == f"{harness.ARM}:{s.e.https_port}", poll
    status = "Accepted"
    while status in ("Accepted", "Running"):
        over = s.e.https("GET", harness.ARM, f"{poll.path}?{poll.query}", None, s.e.bearer("https://management.azure.com")).expect(200).json()
        status = over["status"]
    shown = ask(s, "GET", path(s, name, group=group)).expect(200).json()
    assert shown["properties"]["provisioningState"] == status, shown
    assert shown["properties"].get("error") == over.get("error"), (shown, over)
    return shown["properties"]


def succeeded(s, name, body, **how):
    done = deploy(s, name, body, **how)
    assert done["provisioningState"] == "Succeeded" and "error" not in done, done
    return done


def failed(s, name, body, **how):
    """The details of a deployment that fails."""
    done = deploy(s, name, body, **how)
    assert done["provisioningState"] == "Failed" and done["error"]["code"] == "DeploymentFailed", done
    assert done["error"]["target"] == path(s, name), done
    return done["error"]["details"]


def operations(s, name):
    """{name of the resource: (state, status code)}; the outputs are one without a name."""
    listed = ask(s, "GET", path(s, name, "/operations")).expect(200).json()["value"]
    seen = {}
    for o in listed:
        p = o["properties"]
        assert ask(s, "GET", path(s, name, f"/operations/{o['operationId']}")).expect(200).json() == o
        seen[p.get("targetResource", {}).get("resourceName")] = (p["provisioningState"], p["statusCode"])
    return seen


def in_group(s):
    return sorted(r["name"] for r in ask(s, "GET", f"{s.group_path}/resources").expect(200).json()["value"])


# ---- the article ----

def encryption(s, key):
    return envelope(article(UPDATE), parameters(UPDATE, ServiceBusNamespaceName=s.namespace, Location="North Europe", KeyVaultName=s.vault,
                                                KeyName=key))


def test_the_articles_four_files(case):
    """Create by template, vault, key and access policy by hand, encrypt by template: word for word. Then what it is for."""
    s = case.story()
    s.make_group()
    first = envelope(article(CREATE), parameters(CREATE, ServiceBusNamespaceName=s.namespace, Location="North Europe"))
    assert article(CREATE) in first
    valid = ask(s, "POST", path(s, CREATE, "/validate"), first).expect(200).json()["properties"]
    assert [r["id"] for r in valid["validatedResources"]] == [s.namespace_path], valid
    s.e.arm("GET", s.namespace_path).expect(404)

    made = succeeded(s, CREATE, first)
    assert made["outputs"] == {"serviceBusNamespaceId": {"type": "String", "value": s.namespace_path}}, made
    assert made["parameters"] == {"namespaceName": {"type": "String", "value": s.namespace},
                                  "location": {"type": "String", "value": "North Europe"}}, made
    assert [r["id"] for r in made["outputResources"]] == [s.namespace_path], made
    assert operations(s, CREATE) == {s.namespace: ("Succeeded", "OK"), None: ("Succeeded", "OK")}
    s.principal = s.get_namespace()["identity"]["principalId"]

    s.make_vault()
    s.make_key("key1")
    refused, = failed(s, UPDATE, encryption(s, "key1"))
    assert refused["code"] == "BadRequest" and s.vault in refused["message"] and "key1" in refused["message"], refused
    assert "encryption" not in s.get_namespace()["properties"]
    s.allow(permissions=["get", "wrapKey", "unwrapKey", "list"])
    succeeded(s, UPDATE, encryption(s, "key1"), first=False)
    assert s.get_namespace()["properties"]["encryption"]["keyVaultProperties"] == [{"keyName": "key1", "keyVaultUri": s.vault_uri}]

    s.make_queue()
    s.connect()
    s.send("one hundred secret teapots").expect(201)
    s.e.vault("DELETE", s.vault, "/keys/key1").expect(200)
    s.e.advance("PT5M")
    assert s.get_namespace()["properties"]["status"] == "Revoked"
    s.receive().expect(403)
    s.e.vault("POST", s.vault, "/deletedkeys/key1/recover").expect(200)
    s.e.advance("PT5M")
    assert s.drain() == [(1, b"one hundred secret teapots")]


def test_the_first_template_again_does_not_take_encryption_away(case):
    s = case.story()
    s.make_all()
    first = envelope(article(CREATE), parameters(CREATE, ServiceBusNamespaceName=s.namespace, Location="North Europe"))
    refused, = failed(s, CREATE, first)
    assert "Encryption properties are missing" in refused["message"], refused
    assert s.listed_keys() == s.keys


def test_the_parameter_files_untouched(case):
    """Their placeholders are no names: refused in the service's words, and nothing is made."""
    s = case.story()
    s.make_group()
    refused, = failed(s, CREATE, envelope(article(CREATE), json.loads(article(f"{CREATE}Params"))["parameters"]))
    assert "<Location>" in refused["message"], refused
    assert in_group(s) == []


def test_p10_an_absent_key_gives_a_good_message_by_template_too(case):
    s = case.story()
    s.make_all(encrypt=False)
    s.e.arm("DELETE", s.queue_path).expect(200)
    refused, = failed(s, UPDATE, encryption(s, "nosuchkey"))
    assert "nosuchkey" in refused["message"] and s.vault in refused["message"], refused


def test_p28_identity_right_and_encryption_in_one_template(case):
    """What the service can do at once: a user-assigned identity, its role on the vault, and the namespace that names it, in order."""
    s = case.story()
    s.make_group()
    s.make_vault(enableRbacAuthorization=True)
    right = {"roleDefinitionId": f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
             "principalId": CLIENT_OID, "principalType": "ServicePrincipal"}  # Key Vault Crypto Officer, to make keys
    s.e.arm("PUT", f"{s.vault_path}/providers/Microsoft.Authorization/roleAssignments/44444444-4444-4444-4444-444444444444",
            {"properties": right}, api="2022-04-01").expect(201)
    s.make_key("key1")
    identity = "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'bus')]"
    template = of(
        {"type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "bus", "location": "[resourceGroup().location]"},
        {"type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "dependsOn": [identity],
         "name": "[guid(resourceGroup().id, 'bus', parameters('vault'))]", "scope": "[format('Microsoft.KeyVault/vaults/{0}', parameters('vault'))]",
         "properties": {"principalType": "ServicePrincipal", "principalId": f"[reference({identity[1:-1]}, '2023-01-31').principalId]",
                        "roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', "
                                            "'e147488a-f6f5-4113-8e2d-b22465e65bf6')]"}},
        namespace("[parameters('namespace')]", identity={"type": "UserAssigned", "userAssignedIdentities": {f"[format('{{0}}', {identity[1:-1]})]": {}}},
                  dependsOn=[f"[extensionResourceId(resourceId('Microsoft.KeyVault/vaults', parameters('vault')), "
                             f"'Microsoft.Authorization/roleAssignments', guid(resourceGroup().id, 'bus', parameters('vault')))]"],
                  properties={"encryption": {"keySource": "Microsoft.KeyVault", "keyVaultProperties": [
                      {"keyName": "key1", "keyVaultUri": "[reference(resourceId('Microsoft.KeyVault/vaults', parameters('vault')), '2022-07-01').vaultUri]",
                       "identity": {"userAssignedIdentity": identity}}]}}),
        parameters={"vault": {"type": "string"}, "namespace": {"type": "string"}})
    succeeded(s, "all", envelope(template, {"vault": {"value": s.vault}, "namespace": {"value": s.namespace}}))
    assert s.listed_keys() == ["key1"]
    assert s.key_states() == {"key1": "Active"}


# ---- what is refused before anything is done ----

def place(template, needle):
    """(line, position) just behind the needle, as the service counts."""
    before = template[:template.index(needle) + len(needle)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)


def refused(s, body, code, *words, verb="PUT"):
    url = path(s, "bad", "/validate") if verb == "POST" else path(s, "bad")
    error = ask(s, verb, url, body).expect(400).json()["error"]
    assert error["code"] == code, error
    for word in words:
        assert word in error["message"], (word, error)
    ask(s, "GET", path(s, "bad")).expect(404)
    return error


def test_templates_that_cannot_be(case):
    """InvalidTemplate, with what is wrong and where; the same from validate; no deployment is kept and nothing made."""
    s = case.story()
    s.make_group()
    text = article(CREATE)
    values = parameters(CREATE, ServiceBusNamespaceName=s.namespace, Location="westus")
    rows = [
        (text, {"location": values["location"]}, ["'namespaceName'", "is not provided"]),
        (text, {**values, "other": {"value": 1}}, ["'other'"]),
        (text, {**values, "namespaceName": {"value": 7}}, ["Expected 'String, Uri'. Actual 'Integer'."]),
        (text.replace("[parameters('namespaceName')]", "[parameter('namespaceName')]", 1), values, ["'parameter'"]),
        (text.replace("[parameters('namespaceName')]", "[parameters('namespaceName']", 1), values, ["namespaceName"]),
        (text.replace('"apiVersion":"2018-01-01-preview",', ""), values, ["apiVersion"]),
        (of(namespace("a[", dependsOn=["nowhere"])), {}, ["nowhere"]),
        (of(things("a", dependsOn=["b"]), things("b", dependsOn=["a"])), {}, ["ircular"]),
        (of(things("a"), things("A")), {}, ["defined multiple times"]),
        (of(things("x", copy={"name": "c", "count": 1000000000})), {}, ["copy"]),
        (of(parameters={"p": {"type": "int", "maxValue": 5}}), {"p": {"value": 6}}, ["'p'"]),
        (of(parameters={"p": {"type": "string", "allowedValues": ["a"]}}), {"p": {"value": "b"}}, ["'p'"]),
    ]
    for template, sent, words in rows:
        for verb in ("PUT", "POST"):
            error = refused(s, envelope(template, sent), "InvalidTemplate", *words, verb=verb)
            assert error["additionalInfo"][0]["type"] == "TemplateViolation", error
    error = refused(s, envelope(*rows[0][:2]), "InvalidTemplate")
    info = error["additionalInfo"][0]["info"]
    assert (info["lineNumber"], info["linePosition"]) == place(text, '"namespaceName":{'), info
    assert f"at line '{info['lineNumber']}' and column '{info['linePosition']}'" in error["message"], error
    assert in_group(s) == []


def test_bodies_that_are_no_deployment(case):
    s = case.story()
    s.make_group()
    template = of()
    for body, code in (
            ("", "InvalidRequestContent"), ("[]", "InvalidRequestContent"), ("{}", "InvalidRequestContent"),
            (envelope(template)[:-3], "InvalidRequestContent"),
            (envelope(template, mode="Sometimes"), None),
            ('{"properties": {"mode": "Incremental"}}', None)):
        reply = ask(s, "PUT", path(s, "bad"), body).expect(400)
        assert code in (None, reply.json()["error"]["code"]), (body, reply)
    ask(s, "PUT", path(s, "no blanks".replace(" ", "%20")), envelope(template)).expect(400)
    gone = ask(s, "PUT", path(s, "d").replace(s.group, "nogroup"), envelope(template)).expect(404).json()
    assert gone["error"]["code"] == "ResourceGroupNotFound", gone
    s.e.https("PUT", harness.ARM, f"{path(s, 'd')}?api-version={VERSION}", envelope(template)).expect(401)


LENIENT = """{ // as people write them
   %s, /* a comment
   over two lines */
   "variables": {"text": "one line
and another", "url": "https://example.org/not-a-comment"},
   "resources": [],
   "outputs": {"text": {"type": "string", "value": "[variables('text')]"}, "url": {"type": "string", "value": "[variables('url')]"}}
}""" % EMPTY


def test_lenient_json_is_read_in_deployments_and_nowhere_else(case):
    s = case.story()
    s.make_group()
    outputs = succeeded(s, "lenient", envelope(LENIENT))["outputs"]
    assert outputs["text"]["value"].split() == ["one", "line", "and", "another"], outputs
    assert outputs["url"]["value"] == "https://example.org/not-a-comment", outputs
    headers = {"Content-Type": "application/json"}
    for body in ('{"location": "westus"} // why', '{location: "westus"}', '{"location": "west\nus"}', '{"location": "westus",}'):
        s.e.arm("PUT", s.namespace_path, body, headers=headers).expect(400)
        s.e.arm("PUT", f"{s.group_path}x", body, api="2021-04-01", headers=headers).expect(400)
    assert in_group(s) == []


# ---- what fails on the way ----

def test_a_deployment_that_fails_tells_all(case):
    """Two resources are refused, one waits for them in vain, the others are made."""
    s = case.story()
    s.make_group()
    details = failed(s, "half", envelope(of(
        namespace("goodns1"), queue("goodns1/good", dependsOn=["goodns1"]), queue("nonamespace/q"), things("waits", dependsOn=["nonamespace/q"]),
        queue("goodns1/bad", properties={"lockDuration": "PT1H"}, dependsOn=["goodns1"]), things("alone"))))
    assert sorted(d["code"] for d in details) == ["MessagingGatewayBadRequest", "ParentResourceNotFound"], details
    assert in_group(s) == ["alone", "goodns1"]
    seen = operations(s, "half")
    assert seen.pop("nonamespace/q") == ("Failed", "NotFound") and seen.pop("goodns1/bad") == ("Failed", "BadRequest"), seen
    assert seen.keys() == {"goodns1", "goodns1/good", "alone"} and {state for state, _ in seen.values()} == {"Succeeded"}, seen
    fixed = of(namespace("goodns1"), queue("goodns1/bad", dependsOn=["goodns1"]))
    succeeded(s, "half", envelope(fixed), first=False)
    assert operations(s, "half").keys() == {"goodns1", "goodns1/bad", None}
    assert [q["name"] for q in s.e.arm("GET", f"{s.group_path}/providers/{BUS}/goodns1/queues").json()["value"]] == ["bad", "good"]


def test_a_deployment_has_its_callers_rights(case):
    """A Contributor deploys, but may not hand out roles: a template that does is refused before anything is made."""
    s = case.story()
    s.make_group()

    def graph(path, body):
        return s.e.https("POST", "graph.microsoft.com", f"/v1.0{path}", body, s.e.bearer("https://graph.microsoft.com")).expect(200, 201).json()

    app = graph("/applications", {"displayName": "deployer"})
    oid = graph("/servicePrincipals", {"appId": app["appId"]})["id"]
    other = "99999999-9999-9999-9999-999999999999"
    secret = graph(f"/applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "x"}})["secretText"]
    as_other = {"Authorization": "Bearer " + s.e.token("https://management.azure.com", app["appId"], secret), "Content-Type": "application/json"}
    template = of(namespace("mine01"), {"type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": oid,
                                        "properties": {"principalId": oid, "roleDefinitionId": "/providers/Microsoft.Authorization/"
                                                       "roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"}})
    s.e.arm("PUT", path(s, "d"), envelope(template), api=VERSION, headers=as_other).expect(403)
    s.e.arm("POST", path(s, "d", "/validate"), envelope(template), api=VERSION, headers=as_other).expect(403)
    s.e.arm("PUT", f"{s.group_path}/providers/Microsoft.Authorization/roleAssignments/88888888-8888-8888-8888-888888888888",
            {"properties": {"principalId": oid, "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/"
                            "b24988ac-6180-42a0-ab88-20f7382dd24c"}}, api="2022-04-01").expect(201)
    for verb, suffix in (("POST", "/validate"), ("PUT", "")):
        refusal = s.e.arm(verb, path(s, "d", suffix), envelope(template), api=VERSION, headers=as_other).expect(403).json()["error"]
        assert refusal["code"] == "InvalidTemplateDeployment", refusal
        assert f"Authorization failed for template resource '{oid}' of type 'Microsoft.Authorization/roleAssignments'" in refusal["message"], refusal
        assert "mine01" not in refusal["message"], refusal
    both = json.loads(template)
    both["resources"].append({**both["resources"][1], "name": other})
    refusal = s.e.arm("PUT", path(s, "d"), envelope(json.dumps(both)), api=VERSION, headers=as_other).expect(403).json()["error"]
    assert refusal["message"].startswith("Deployment failed with multiple errors: '") and refusal["message"].count("Authorization failed") == 2, refusal
    ask(s, "GET", path(s, "d")).expect(404)
    assert in_group(s) == []
    nested = {"type": "Microsoft.Resources/deployments", "apiVersion": VERSION, "name": "inner", "properties": {
        "mode": "Incremental", "template": json.loads(template)}}
    s.e.arm("PUT", path(s, "outer"), envelope(of(nested, namespace("mine02"))), api=VERSION, headers=as_other).expect(201)
    done = ask(s, "GET", path(s, "outer")).json()["properties"]
    assert [d["code"] for d in done["error"]["details"]] == ["InvalidTemplateDeployment"], done
    assert in_group(s) == ["mine02"]


# ---- secrets ----

def test_secure_values_are_never_told(case):
    """Not in an answer, an operation, an export, the log, the event log or a file; but the vault's secret has the value."""
    s = case.story("--log-level", "debug")
    s.make_group()
    policy = {"tenantId": TENANT, "objectId": CLIENT_OID, "permissions": {"secrets": ["all"]}}
    s.make_vault(accessPolicies=[policy])
    words = {"pw": "Teapot-Secret-31415", "settings": {"inner": "Kettle-Secret-27182"}, "reach": "Cup-Secret-16180"}
    template = of(
        {"type": "Microsoft.KeyVault/vaults/secrets", "apiVersion": "2022-07-01", "name": f"{s.vault}/kept", "properties": {"value": "[parameters('pw')]"}},
        things("shop", properties={"password": "[parameters('pw')]", "login": "[concat('sa:', parameters('pw'))]",
                                   "deep": [{"x": "[parameters('settings').inner]"}], "plain": "visible"}),
        {"type": "Microsoft.Resources/deployments", "apiVersion": VERSION, "name": "inner", "properties": {
            "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "parameters": {"reach": {"value": "[parameters('reach')]"}},
            "template": json.loads(of(things("within", properties={"word": "[parameters('reach')]"}), parameters={"reach": {"type": "secureString"}}))}},
        parameters={"pw": {"type": "securestring"}, "settings": {"type": "secureObject"}, "reach": {"type": "secureString"}},
        outputs={"back": {"type": "securestring", "value": "[parameters('pw')]"}, "seen": {"type": "string", "value": "[reference('shop').plain]"}})
    body = envelope(template, {name: {"value": value} for name, value in words.items()})
    answers = [ask(s, "POST", path(s, "d", "/validate"), body).expect(200), ask(s, "PUT", path(s, "d"), body).expect(201)]
    assert succeeded(s, "d", body, first=False)["outputs"]["seen"]["value"] == "visible"
    answers += [ask(s, "GET", path(s, d, suffix)).expect(200) for d in ("d", "inner") for suffix in ("", "/operations")]
    answers += [ask(s, "POST", path(s, d, "/exportTemplate")).expect(200) for d in ("d", "inner")]
    answers += [ask(s, "GET", url).expect(200) for url in (path(s, "").rstrip("/"), f"{s.group_path}/resources?$expand=createdTime")]
    answers.append(s.e.control("GET", "/_emulator/events?limit=10000").expect(200))
    needles = [b"Teapot-Secret", b"Kettle-Secret", b"Cup-Secret"]
    for reply in answers:
        assert not [n for n in needles if n in reply.body], reply
    shown = answers[1].json()["properties"]["parameters"]
    assert shown == {"pw": {"type": "SecureString"}, "settings": {"type": "SecureObject"}, "reach": {"type": "SecureString"}}, shown
    assert s.e.vault("GET", s.vault, "/secrets/kept").expect(200).json()["value"] == words["pw"]
    s.e.stop()
    found = s.e.on_disk(*needles)
    assert not found, found
    assert not [n for n in needles if n.decode() in s.e.read_log()]


# ---- modes, scopes, nesting ----

def test_complete_mode_deletes_what_the_template_lacks(case):
    s = case.story()
    s.make_group()
    succeeded(s, "first", envelope(of(namespace("oldns01"), namespace("keptns1"), things("old"), things("kept"))))
    assert in_group(s) == ["kept", "keptns1", "old", "oldns01"]
    succeeded(s, "second", envelope(of(namespace("keptns1"), things("other"))))
    assert in_group(s) == ["kept", "keptns1", "old", "oldns01", "other"]
    succeeded(s, "third", envelope(of(namespace("keptns1"), things("kept"), namespace("never01", condition=False)), mode="Complete"))
    assert in_group(s) == ["kept", "keptns1"]
    refused(s, envelope(of(namespace("[nosuch()]")), mode="Complete"), "InvalidTemplate")
    failed(s, "fourth", envelope(of(queue("nonamespace/q")), mode="Complete"))
    assert in_group(s) == ["kept", "keptns1"], "a deployment that failed deleted something"


def test_a_subscriptions_template_makes_the_group_and_the_articles_namespace_in_it(case):
    s = case.story()
    inner = {"type": "Microsoft.Resources/deployments", "apiVersion": VERSION, "name": "in-group", "resourceGroup": s.group, "dependsOn": [s.group],
             "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": json.loads(article(CREATE)),
                            "parameters": {"namespaceName": {"value": s.namespace}}}}
    template = of({"type": "Microsoft.Resources/resourceGroups", "apiVersion": VERSION, "name": s.group, "location": "[deployment().location]"}, inner,
                  outputs={"id": {"type": "string", "value": f"[reference(resourceId('{SUB}', '{s.group}', 'Microsoft.Resources/deployments', "
                                                             "'in-group')).outputs.serviceBusNamespaceId.value]"}})
    body = envelope(template)
    ask(s, "PUT", path(s, "whole", group=False), body).expect(400)  # without a location
    body = '{"location": "northeurope", ' + body[1:]
    done = succeeded(s, "whole", body, group=False)
    assert done["outputs"]["id"]["value"] == s.namespace_path, done
    assert ask(s, "GET", path(s, "in-group")).expect(200).json()["properties"]["provisioningState"] == "Succeeded"
    shown = s.get_namespace()  # its location is the group's, by the template's default
    assert shown["location"].replace(" ", "").lower() == "northeurope" and shown["identity"]["type"] == "SystemAssigned", shown


def test_loops_conditions_and_outputs(case):
    s = case.story()
    s.make_group()
    done = succeeded(s, "loops", envelope(of(
        namespace("[parameters('name')]"),
        queue("[format('{0}/q{1}', parameters('name'), copyIndex(1))]", copy={"name": "queues", "count": "[parameters('count')]"}, dependsOn=["[parameters('name')]"]),
        queue("[format('{0}/unwanted', parameters('name'))]", condition="[greater(parameters('count'), 3)]"),
        {"type": f"{BUS}/topics", "apiVersion": "2021-11-01", "name": "[format('{0}/events', parameters('name'))]", "properties": {}, "dependsOn": ["queues"]},
        {"type": f"{BUS}/topics/subscriptions", "apiVersion": "2021-11-01", "name": "[format('{0}/events/audit', parameters('name'))]",
         "dependsOn": ["[resourceId('Microsoft.ServiceBus/namespaces/topics', parameters('name'), 'events')]"], "properties": {}},
        {"type": f"{BUS}/topics/subscriptions/rules", "apiVersion": "2021-11-01", "name": "[format('{0}/events/audit/big', parameters('name'))]",
         "dependsOn": ["[resourceId('Microsoft.ServiceBus/namespaces/topics/subscriptions', parameters('name'), 'events', 'audit')]"],
         "properties": {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "quantity > 100"}}},
        parameters={"name": {"type": "string"}, "count": {"type": "int", "defaultValue": 3}},
        outputs={"sender": {"type": "string", "value": "[listKeys(resourceId('Microsoft.ServiceBus/namespaces/AuthorizationRules', parameters('name'), "
                            "'RootManageSharedAccessKey'), '2021-11-01').primaryConnectionString]"},
                 "queues": {"type": "array", "copy": {"count": 3, "input": "[format('q{0}', copyIndex(1))]"}}}),
        {"name": {"value": s.namespace}}))
    assert done["outputs"]["sender"]["value"].startswith(f"Endpoint=sb://{s.namespace}.servicebus.windows.net"), done
    assert done["outputs"]["queues"]["value"] == ["q1", "q2", "q3"], done
    assert [q["name"] for q in s.e.arm("GET", f"{s.namespace_path}/queues").json()["value"]] == ["q1", "q2", "q3"]
    rules = s.e.arm("GET", f"{s.namespace_path}/topics/events/subscriptions/audit/rules").expect(200).json()["value"]
    assert "quantity > 100" in [r["properties"].get("sqlFilter", {}).get("sqlExpression") for r in rules], rules


# ---- what is kept ----

def test_deployments_are_kept_listed_exported_and_deleted(case):
    s = case.story()
    s.make_group()
    succeeded(s, "one", envelope(of(things("a", tags={"t": "1"}))))
    failed(s, "two", envelope(of(queue("nonamespace/q"))))
    s.e.restart(kill=True)
    lists = path(s, "").rstrip("/")
    assert [d["name"] for d in ask(s, "GET", lists).expect(200).json()["value"]] == ["one", "two"]
    chosen = urllib.parse.quote("provisioningState eq 'Failed'")
    assert [d["name"] for d in ask(s, "GET", f"{lists}?$filter={chosen}").expect(200).json()["value"]] == ["two"]
    assert len(ask(s, "GET", f"{lists}?$top=1").expect(200).json()["value"]) == 1
    kept = ask(s, "POST", path(s, "ONE", "/exportTemplate")).expect(200).json()["template"]
    assert kept["resources"][0]["name"] == "a", kept
    ask(s, "HEAD", path(s, "one")).expect(204)
    ask(s, "HEAD", path(s, "three")).expect(404)
    ask(s, "POST", path(s, "one", "/cancel")).expect(409)
    job = urllib.parse.urlsplit(ask(s, "DELETE", path(s, "one")).expect(202).headers["Location"])
    s.e.https("GET", harness.ARM, f"{job.path}?{job.query}", None, s.e.bearer("https://management.azure.com")).expect(204)
    ask(s, "GET", path(s, "one")).expect(404)
    ask(s, "DELETE", path(s, "one")).expect(204)
    assert in_group(s) == ["a"], "deleting a deployment deletes no resource"
    ask(s, "DELETE", s.group_path).expect(202)
    s.make_group()
    assert ask(s, "GET", lists).expect(200).json()["value"] == [] and in_group(s) == []
