"""Around the resources over ARM: lists of all types with what can be asked of them, HEAD, resources of providers that are not
emulated, a group as a template, what is left of the hour's requests."""

import json
import urllib.parse

from harness import SUB
from test_deployment import envelope, in_group, of, succeeded, things

RESOURCES = "2021-04-01"


def listed(s, where, **query):
    """(names, the answer) of one page."""
    text = "&".join(f"${k}={urllib.parse.quote(str(v))}" for k, v in query.items())
    reply = s.e.arm("GET", f"{where}/resources?{text}", api=RESOURCES).expect(200).json()
    return [r["name"] for r in reply["value"]], reply


def filled(case, *options):
    s = case.story(*options)
    s.make_group()
    s.make_vault()
    s.make_namespace()
    return s


def test_lists_of_resources_can_be_filtered_paged_and_expanded(case):
    s = filled(case)
    s.patch({"tags": {"team": "blue"}}).expect(200)
    sub = f"/subscriptions/{SUB}"
    for query, names in (("resourceType eq 'Microsoft.KeyVault/vaults'", ["storyvault"]), ("resourceType ne 'Microsoft.KeyVault/vaults'", ["storyns"]),
                         ("substringof('VAULT', name)", ["storyvault"]), ("substringof('story', name) and name ne 'storyvault'", ["storyns"]),
                         ("name eq 'STORYNS' and resourceGroup eq 'rg'", ["storyns"]), ("resourceGroup eq 'other'", []),
                         ("tagName eq 'team' and tagValue eq 'blue'", ["storyns"]), ("tagName eq 'team' and tagValue eq 'red'", [])):
        assert listed(s, sub, filter=query)[0] == names, query
    for bad in ("size eq 'x'", "tagName ne 'x'", "name eq", "name gt 'a'", "substringof('x', tagName)"):
        query = urllib.parse.quote(bad)
        s.e.arm("GET", f"{sub}/resources?$filter={query}", api=RESOURCES).expect(400)
    s.e.advance("PT1H")
    s.patch({"tags": {"team": "green"}}).expect(200)
    _, page = listed(s, s.group_path, filter="name eq 'storyns'", expand="createdTime,changedTime,provisioningState")
    only = page["value"][0]
    assert only["createdTime"].startswith("2026-01-01T00:00:00") and only["changedTime"].startswith("2026-01-01T01:00:00"), only
    assert only["provisioningState"] == "Succeeded", only
    assert "createdTime" not in listed(s, s.group_path)[1]["value"][0]
    # One by one, as the nextLink leads.
    names, page = listed(s, sub, top=1, expand="createdTime")
    while "nextLink" in page:
        link = urllib.parse.urlsplit(page["nextLink"])
        page = s.e.https("GET", link.hostname, f"{link.path}?{link.query}", None, s.e.bearer("https://management.azure.com")).expect(200).json()
        assert all("createdTime" in r for r in page["value"]), page
        names += [r["name"] for r in page["value"]]
    assert sorted(names) == ["storyns", "storyvault"]
    s.e.arm("GET", f"{sub}/resources?$skiptoken=x", api=RESOURCES).expect(400)


def test_head_tells_whether_something_is_there(case):
    s = filled(case)
    for url, api, status in ((s.namespace_path, "2024-01-01", 204), (s.namespace_path + "x", "2024-01-01", 404), (s.vault_path, "2022-07-01", 204),
                             (s.queue_path, "2024-01-01", 404), (s.group_path, RESOURCES, 204), (s.namespace_path, "1999-01-01", 404)):
        reply = s.e.arm("HEAD", url, api=api).expect(status)
        assert reply.body == b"" and reply.headers.get("Content-Length") in (None, "0"), (url, reply.headers)
    s.e.https("HEAD", "management.azure.com", f"{s.namespace_path}?api-version=2024-01-01").expect(401)


def test_resources_of_other_providers_can_be_read_changed_and_deleted(case):
    """Templates make them. One that no template made stays what it is: of an unknown provider."""
    s = case.story()
    s.make_group()
    url = f"{s.group_path}/providers/Contoso.Other/things/t1"
    for method, body in (("GET", None), ("PUT", {"location": "westus"}), ("DELETE", None)):
        reply = s.e.arm(method, url, body, api="2020-01-01").expect(404)
        assert reply.json()["error"]["code"] == "InvalidResourceNamespace", reply
    succeeded(s, "one", envelope(of(things("t1", properties={"size": 3}))))
    shown = s.e.arm("GET", url, api="2020-01-01").expect(200).json()
    assert shown["properties"] == {"size": 3} and shown["type"] == "Contoso.Other/things" and shown["id"].lower() == url.lower(), shown
    s.e.arm("HEAD", url, api="2020-01-01").expect(204)
    s.e.https("GET", "management.azure.com", url, None, s.e.bearer("https://management.azure.com")).expect(400)
    s.e.https("GET", "management.azure.com", f"{url}?api-version=2020-01-01").expect(401)
    s.e.arm("PATCH", url, {"tags": {}}, api="2020-01-01").expect(404)
    changed = s.e.arm("PUT", url, {"id": "/elsewhere", "Name": "x", "location": "West US", "tags": {"a": "b"}, "properties": {"size": 4}},
                      api="2020-01-01").expect(200).json()
    assert changed["id"] == shown["id"] and changed["name"] == "t1" and "Name" not in changed and changed["properties"] == {"size": 4}, changed
    s.e.restart(kill=True)
    assert s.e.arm("GET", url, api="2020-01-01").expect(200).json() == changed
    assert listed(s, s.group_path, filter="tagName eq 'a' and tagValue eq 'b'")[0] == ["t1"]
    s.e.arm("DELETE", url, api="2020-01-01").expect(200)
    s.e.arm("GET", url, api="2020-01-01").expect(404)
    assert in_group(s) == []


def test_a_group_is_exported_as_a_template_that_makes_it_again(case):
    s = filled(case)
    export = f"{s.group_path}/exportTemplate"
    s.make_key("key1")
    s.allow()
    s.encrypt(["key1"])
    s.make_queue(lockDuration="PT30S", maxDeliveryCount=3)
    topic = f"{s.namespace_path}/topics/news"
    s.e.arm("PUT", topic, {"properties": {}}).expect(200)
    s.e.arm("PUT", f"{topic}/subscriptions/all", {"properties": {"maxDeliveryCount": 7}}).expect(200)
    s.e.arm("PUT", f"{topic}/subscriptions/all/rules/loud", {"properties": {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "volume > 3"}}}).expect(200)
    template = s.e.arm("POST", export, {"resources": ["*"]}, api=RESOURCES).expect(200).json()["template"]
    assert template["contentVersion"] == "1.0.0.0" and template["parameters"] == {} and template["variables"] == {}, template
    assert [(r["type"], r["name"]) for r in template["resources"]] == [
        ("Microsoft.KeyVault/vaults", "storyvault"), ("Microsoft.ServiceBus/namespaces", "storyns"),
        ("Microsoft.ServiceBus/namespaces/queues", "storyns/orders"), ("Microsoft.ServiceBus/namespaces/topics", "storyns/news"),
        ("Microsoft.ServiceBus/namespaces/topics/subscriptions", "storyns/news/all"),
        ("Microsoft.ServiceBus/namespaces/topics/subscriptions/rules", "storyns/news/all/$Default"),
        ("Microsoft.ServiceBus/namespaces/topics/subscriptions/rules", "storyns/news/all/loud")]
    text = json.dumps(template)
    assert not any(word in text for word in ("provisioningState", "createdAt", "principalId", "metricId", "vaultUri")), text
    one = s.e.arm("POST", export, {"resources": [s.vault_path]}, api=RESOURCES).expect(200).json()["template"]["resources"]
    assert [r["name"] for r in one] == ["storyvault"]
    # It can be deployed where it came from, and changes nothing; and it makes the queue anew.
    before = s.e.arm("GET", s.queue_path).expect(200).json()["properties"]
    succeeded(s, "same", envelope(text))
    s.e.arm("DELETE", s.queue_path).expect(200)
    s.e.arm("DELETE", topic).expect(200)
    succeeded(s, "again", envelope(text))
    after = s.e.arm("GET", s.queue_path).expect(200).json()["properties"]
    assert (after["lockDuration"], after["maxDeliveryCount"]) == ("PT30S", 3) and set(before) == set(after), after
    rule = s.e.arm("GET", f"{topic}/subscriptions/all/rules/loud").expect(200).json()
    assert rule["properties"]["sqlFilter"]["sqlExpression"] == "volume > 3", rule
    assert s.listed_keys() == ["key1"]
    s.e.arm("POST", f"{s.group_path}x/exportTemplate", {"resources": ["*"]}, api=RESOURCES).expect(404)


def test_what_is_left_of_the_hours_requests_counts_down(case):
    s = case.story()
    s.make_group()

    def left(method, kind, **how):
        return int(s.e.arm(method, s.group_path, api=RESOURCES, **how).headers[f"x-ms-ratelimit-remaining-subscription-{kind}"])
    first = left("GET", "reads")
    assert first <= 11999 and left("GET", "reads") == first - 1 and left("HEAD", "reads") == first - 2
    body = {"location": "northeurope"}
    writes = left("PUT", "writes", body=body)
    assert writes <= 1199 and left("PUT", "writes", body=body) == writes - 1
    s.e.advance("PT1H")
    assert left("GET", "reads") == 11999


def test_private_endpoint_connections_stand_in_the_namespaces_body(case):
    s = filled(case)
    url = f"{s.namespace_path}/privateEndpointConnections/c1"
    endpoint = f"{s.group_path}/providers/Microsoft.Network/privateEndpoints/pe1"
    assert "privateEndpointConnections" not in s.get_namespace()["properties"]
    s.e.arm("PUT", url, {"properties": {"privateEndpoint": {"id": endpoint},
                                        "privateLinkServiceConnectionState": {"status": "Approved", "description": "Auto-Approved"}}}).expect(202)
    shown = s.get_namespace()["properties"]["privateEndpointConnections"]
    assert shown == [s.e.arm("GET", url).expect(200).json()] and shown[0]["properties"]["privateEndpoint"]["id"] == endpoint, shown
    assert "privateEndpointConnections" not in s.e.arm("GET", s.namespace_path, api="2021-01-01-preview").expect(200).json()["properties"]
    s.e.arm("DELETE", url).expect(202)
    assert "privateEndpointConnections" not in s.get_namespace()["properties"]
