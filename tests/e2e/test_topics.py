"""Topics, subscriptions and rules: over ARM as recorded, and messages through them over HTTPS, under customer keys too."""

import json

import harness
from test_encryption import refused

API = "2022-01-01-preview"


def up(case, encrypt=False):
    """A namespace; encrypt: with a key that it may use."""
    s = case.story()
    s.make_group()
    if encrypt:
        s.keys = s.keys[:1]
        s.make_vault()
        s.make_key(s.keys[0])
    s.make_namespace()
    if encrypt:
        s.allow()
    s.connect()
    return s


def put(s, path, **properties):
    body = {"properties": properties} if properties else {}
    return s.e.arm("PUT", f"{s.namespace_path}/{path}", body, api=API)


def get(s, path, api=API):
    return s.e.arm("GET", f"{s.namespace_path}/{path}", api=api)


def send(s, topic, body, **headers):
    return s.e.bus("POST", s.namespace, f"/{topic}/messages", body, {**s.auth(), **headers}).expect(201)


def take(s, path):
    """Body and broker properties of the next message, received and deleted; None when there is none."""
    reply = s.receive(path).expect(200, 204)
    return None if reply.status == 204 else (reply.body.decode(), json.loads(reply.headers["BrokerProperties"]))


def bodies(s, path):
    got = []
    while (one := take(s, path)) is not None:
        got.append(one[0])
    return got


def test_arm_shapes_are_the_recorded_ones(case):
    s = up(case)
    topic = put(s, "topics/t").expect(200).json()
    assert list(topic) == ["id", "name", "type", "location", "properties"]
    assert topic["id"] == f"{s.namespace_path}/topics/t" and topic["type"] == "Microsoft.ServiceBus/namespaces/topics"
    p = topic["properties"]
    assert list(p) == ["maxMessageSizeInKilobytes", "defaultMessageTimeToLive", "maxSizeInMegabytes", "requiresDuplicateDetection",
                       "duplicateDetectionHistoryTimeWindow", "enableBatchedOperations", "sizeInBytes", "status", "supportOrdering",
                       "autoDeleteOnIdle", "enablePartitioning", "enableExpress", "createdAt", "updatedAt", "accessedAt",
                       "subscriptionCount", "countDetails"], list(p)
    assert p["maxMessageSizeInKilobytes"] == 1024 and p["supportOrdering"] is True and p["subscriptionCount"] == 0
    assert p["accessedAt"] == "0001-01-01T00:00:00" and p["duplicateDetectionHistoryTimeWindow"] == "PT10M"
    sub = put(s, "topics/t/subscriptions/s").expect(200).json()
    assert sub["type"] == "Microsoft.ServiceBus/namespaces/topics/subscriptions" and sub["name"] == "s"
    assert sub["id"] == f"{s.namespace_path}/topics/t/subscriptions/s"
    assert list(sub["properties"]) == ["isClientAffine", "lockDuration", "requiresSession", "defaultMessageTimeToLive",
                                       "deadLetteringOnMessageExpiration", "deadLetteringOnFilterEvaluationExceptions", "messageCount",
                                       "maxDeliveryCount", "status", "enableBatchedOperations", "createdAt", "updatedAt", "accessedAt",
                                       "countDetails", "autoDeleteOnIdle"], list(sub["properties"])
    rule = get(s, "topics/t/subscriptions/s/rules/$Default").expect(200).json()
    assert rule["type"] == "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules"
    assert rule["properties"] == {"action": {}, "filterType": "SqlFilter",
                                  "sqlFilter": {"sqlExpression": "1=1", "compatibilityLevel": 20, "parameters": {}}}
    assert get(s, "topics/t").json()["properties"]["subscriptionCount"] == 1


def test_properties_by_api_version(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s").expect(200)
    shows = {api: get(s, "topics/t/subscriptions/s", api).json()["properties"] for api in ("2017-04-01", "2021-11-01")}
    assert "isClientAffine" not in shows["2017-04-01"] and shows["2021-11-01"]["isClientAffine"] is False
    assert "maxMessageSizeInKilobytes" not in get(s, "topics/t", "2017-04-01").json()["properties"]
    s.e.arm("PUT", f"{s.namespace_path}/topics/t", {"properties": {"userMetadata": "mine"}}, api="2025-05-01-preview").expect(200)
    assert get(s, "topics/t", "2025-05-01-preview").json()["properties"]["userMetadata"] == "mine"
    assert "userMetadata" not in get(s, "topics/t", "2024-01-01").json()["properties"]


def test_client_affine_subscription(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    client = {"clientId": "testid", "isDurable": True, "isShared": True}
    made = put(s, "topics/t/subscriptions/s%24%24D", isClientAffine=True, clientAffineProperties=client).expect(200).json()
    assert made["name"] == "s$$D" and made["properties"]["clientAffineProperties"] == client
    assert get(s, "topics/t/subscriptions/s$$D").expect(200).json()["properties"]["isClientAffine"] is True


def test_missing_things_are_told_as_recorded(case):
    s = up(case)
    error = put(s, "topics/none/subscriptions/s").expect(404).json()["error"]
    assert error["code"] == "ParentResourceNotFound", error
    assert error["message"] == ("Failed to perform 'write' on resource(s) of type 'namespaces/topics/subscriptions', because the parent "
                                f"resource '{s.namespace_path}/topics/none' could not be found."), error
    error = s.e.arm("DELETE", f"{s.namespace_path}x/topics/t/subscriptions/s/rules/r", api=API).expect(404).json()["error"]
    assert error["message"] == ("Failed to perform 'delete' on resource(s) of type 'namespaces/topics/subscriptions/rules', because the parent "
                                f"resource '{s.namespace_path}x/topics/t/subscriptions/s' could not be found."), error
    put(s, "topics/t", maxSizeInMegabytes=0).expect(200)
    assert get(s, "topics/t").json()["properties"]["maxSizeInMegabytes"] == 1024
    assert get(s, "topics/t/subscriptions/s").expect(404).json() == {
        "error": {"code": "SubscriptionNotFound", "message": "Subscription does not exist"}}
    put(s, "topics/t/subscriptions/s").expect(200)
    assert get(s, "topics/t/subscriptions/s/rules/r").expect(404).json() == {
        "error": {"code": "SubscriptionNotFound", "message": "Rule does not exist"}}
    for path in ("topics/t/subscriptions/s/rules/r", "topics/t/subscriptions/other", "topics/other"):
        s.e.arm("DELETE", f"{s.namespace_path}/{path}", api=API).expect(204)
    for path in ("topics/t/subscriptions/s/rules/$Default", "topics/t/subscriptions/s", "topics/t"):
        s.e.arm("DELETE", f"{s.namespace_path}/{path}", api=API).expect(200)
    get(s, "topics/t").expect(404)


def test_names_are_shared_and_immutable_properties_stay(case):
    s = up(case)
    put(s, "topics/t", requiresDuplicateDetection=True).expect(200)
    error = put(s, "queues/T").expect(409).json()["error"]
    assert "SubCode=40900. Conflict." in error["message"], error
    refused(put(s, "topics/t", requiresDuplicateDetection=False), 400,
            "The value for the RequiresDuplicateDetection property of an existing Topic cannot be changed.")
    refused(put(s, "topics/t", enablePartitioning=True), 400, "Partitioning cannot be changed for Topic.")
    put(s, "topics/t/subscriptions/s", requiresSession=True).expect(200)
    refused(put(s, "topics/t/subscriptions/s", requiresSession=False), 400,
            "The value for the RequiresSession property of an existing Subscription cannot be changed.")
    refused(put(s, "topics/a%20b"), 400, "contains character(s) that is not allowed by Service Bus")


def test_malformed_rules_are_refused_with_their_place(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s").expect(200)
    rules = "topics/t/subscriptions/s/rules"
    for properties, words in (
            ({"sqlFilter": {"sqlExpression": "color == 'red'"}}, "Token line=1, column=8, Token in error==,"),
            ({"sqlFilter": {"sqlExpression": "a = 1 AND"}}, "Token line=1, column=10,"),
            ({"sqlFilter": {"sqlExpression": "[é] = 1 AND é = 1"}}, "Token line=1, column=13, Token in error=é,"),
            ({"sqlFilter": {"sqlExpression": "a = 1 'x" + "é" * 40}}, "Token in error='x" + "é" * 29 + ","),
            ({"action": {"sqlExpression": "EventType = Other"}}, "Token in error=EventType, Additional details= syntax error"),
            ({"filterType": "CorrelationFilter"}, "At least one property must be set"),
            ({"filterType": "Nonsense"}, "'Nonsense' is not valid"),
            ({"sqlFilter": {"sqlExpression": "x" * 1025}}, "at most 1024")):
        error = put(s, f"{rules}/r", **properties).expect(400).json()["error"]
        assert error["code"] == "BadRequest" and words in error["message"], error
    for body in ("[]", '{"properties":{"sqlFilter":[]}}', '{"properties":{"sqlFilter":{"sqlExpression":3}}}'):
        s.e.arm("PUT", f"{s.namespace_path}/{rules}/r", body, api=API, headers={"Content-Type": "application/json"}).expect(400)
    get(s, f"{rules}/r").expect(404)


def test_rules_are_shown_as_they_were_set(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s").expect(200)
    rules = "topics/t/subscriptions/s/rules"
    put(s, f"{rules}/sql", sqlFilter={"sqlExpression": "a=1", "requiresPreprocessing": False},
        action={"sqlExpression": "SET b=2"}).expect(200)
    shown = get(s, f"{rules}/sql").json()["properties"]
    assert shown["sqlFilter"]["sqlExpression"] == "a=1" and shown["sqlFilter"]["requiresPreprocessing"] is False
    assert shown["action"] == {"sqlExpression": "SET b=2", "compatibilityLevel": 20, "parameters": {}}
    filter = {"label": "x", "sessionId": "y", "properties": {"a": "b"}}
    put(s, f"{rules}/correlation", filterType="CorrelationFilter", correlationFilter=filter).expect(200)
    shown = get(s, f"{rules}/correlation").json()["properties"]
    assert shown["filterType"] == "CorrelationFilter" and shown["correlationFilter"] == filter, shown
    names = [r["name"] for r in get(s, rules).json()["value"]]
    assert names == ["$Default", "correlation", "sql"], names


def test_lists_have_pages(case):
    s = up(case)
    put(s, "queues/q").expect(200)
    for i in range(5):
        put(s, f"topics/t{i}").expect(200)
        put(s, f"topics/t0/subscriptions/s{i}").expect(200)
    page = get(s, "topics?$top=2&$skip=1").json()
    assert [t["name"] for t in page["value"]] == ["t1", "t2"] and "$skip=3&$top=2" in page["nextLink"], page
    page = get(s, "topics/t0/subscriptions?$top=3&$skip=3").json()
    assert [t["name"] for t in page["value"]] == ["s3", "s4"] and "nextLink" not in page
    assert [q["name"] for q in get(s, "queues").json()["value"]] == ["q"]


def test_authorization_rules_of_a_topic_reach_its_subscriptions(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s").expect(200)
    put(s, "topics/other").expect(200)
    rule = put(s, "topics/t/authorizationRules/both", rights=["Send", "Listen"]).expect(200).json()
    assert rule["type"] == "Microsoft.ServiceBus/Namespaces/Topics/AuthorizationRules"
    keys = s.e.arm("POST", f"{s.namespace_path}/topics/t/authorizationRules/both/ListKeys", api=API).expect(200).json()
    assert keys["primaryConnectionString"].endswith(";EntityPath=t"), keys
    auth = {"Authorization": harness.sas(s.host, "t", "both", keys["primaryKey"])}
    s.e.bus("POST", s.namespace, "/t/messages", "x", auth).expect(201)
    s.e.bus("DELETE", s.namespace, "/t/subscriptions/s/messages/head?timeout=0", None, auth).expect(200)
    s.e.bus("POST", s.namespace, "/other/messages", "x", auth).expect(401)
    fresh = s.e.arm("POST", f"{s.namespace_path}/topics/t/authorizationRules/both/regenerateKeys", {"keyType": "PrimaryKey"}, api=API)
    assert fresh.expect(200).json()["primaryKey"] != keys["primaryKey"]
    s.e.bus("POST", s.namespace, "/t/messages", "x", auth).expect(401)


def test_messages_go_where_rules_say(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    for name, properties in {"all": None, "red": {"sqlFilter": {"sqlExpression": "color = 'red' AND priority > 2"}},
                             "label": {"correlationFilter": {"label": "special"}},
                             "act": {"sqlFilter": {"sqlExpression": "color = 'red'"}, "action": {"sqlExpression": "SET seen = 1; REMOVE color"}}
                             }.items():
        put(s, f"topics/t/subscriptions/{name}").expect(200)
        if properties:
            s.e.arm("DELETE", f"{s.namespace_path}/topics/t/subscriptions/{name}/rules/$Default", api=API).expect(200)
            put(s, f"topics/t/subscriptions/{name}/rules/r", **properties).expect(200)
    send(s, "t", "one", color='"red"', priority="3")
    send(s, "t", "two", color='"red"', priority="1")
    send(s, "t", "three", BrokerProperties='{"Label":"special"}')
    assert bodies(s, "t/subscriptions/red") == ["one"]
    assert bodies(s, "t/Subscriptions/label") == ["three"]
    reply = s.receive("t/subscriptions/act").expect(200)
    assert (reply.body, reply.headers["seen"], reply.headers["color"]) == (b"one", "1", None), reply.headers
    body, properties = take(s, "t/subscriptions/all")
    assert body == "one" and properties["EnqueuedSequenceNumber"] == 1 and properties["SequenceNumber"] == 1, properties
    assert bodies(s, "t/subscriptions/all") == ["two", "three"]
    s.e.bus("POST", s.namespace, "/t/messages/head?timeout=0", b"", s.auth()).expect(400)
    s.e.bus("POST", s.namespace, "/t/subscriptions/all/messages", "x", s.auth()).expect(400)


def test_peek_lock_and_dead_letter_of_a_subscription(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s", maxDeliveryCount=1).expect(200)
    send(s, "t", "stubborn")
    locked = s.peek_lock("t/subscriptions/s").expect(201)
    location = locked.headers["Location"]
    assert "/t/subscriptions/s/messages/1/" in location, location
    path = location[location.index("/t/subscriptions"):]
    s.e.bus("PUT", s.namespace, path, b"", s.auth()).expect(200)
    body, properties = take(s, "t/subscriptions/s/$DeadLetterQueue")
    assert body == "stubborn"
    assert get(s, "topics/t/subscriptions/s").json()["properties"]["messageCount"] == 0


def test_under_customer_keys(case):
    """A topic counts as an entity; its messages and rules are sealed, and there again when the keys are."""
    s = up(case, encrypt=True)
    put(s, "topics/t").expect(200)
    refused(s.put_template(s.encryption_resource()), 400, "contains 1 queue(s) or topic(s)")
    s.e.arm("DELETE", f"{s.namespace_path}/topics/t", api=API).expect(200)
    s.encrypt()
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s").expect(200)
    put(s, "topics/t/subscriptions/s/rules/r", sqlFilter={"sqlExpression": "x = 'planted-rule-text'"}).expect(200)
    send(s, "t", "planted-topic-body")
    assert s.e.on_disk(b"planted-topic-body", b"planted-rule-text") == []
    s.deny()
    s.e.poll(s.namespace)
    s.e.bus("DELETE", s.namespace, "/t/subscriptions/s/messages/head?timeout=0", None, s.auth()).expect(403)
    s.e.bus("POST", s.namespace, "/t/messages", "x", s.auth()).expect(403)
    refused(put(s, "topics/t/subscriptions/s/rules/r2"), 409, "encryption key is no longer valid")
    assert get(s, "topics/t/subscriptions/s/rules/r").expect(200).json()["properties"]["sqlFilter"]["sqlExpression"] == \
        "x = 'planted-rule-text'"
    s.allow()
    s.e.poll(s.namespace)
    s.e.restart(kill=True)
    assert bodies(s, "t/subscriptions/s") == ["planted-topic-body"]


def test_basic_tier_has_no_topics(case):
    s = case.story()
    s.make_group()
    s.put(s.body(sku="Basic", identity={"type": "None"})).expect(200, 201)
    refused(put(s, "topics/t"), 400, "Cannot operate on type Topic because the namespace 'storyns' is using 'Basic' tier.")


def test_bearer_tokens_by_role_at_the_topic(case):
    s = up(case)
    put(s, "topics/t").expect(200)
    put(s, "topics/t/subscriptions/s").expect(200)
    put(s, "topics/u").expect(200)
    role = "/providers/Microsoft.Authorization/roleDefinitions/69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"  # Data Sender
    s.e.arm("PUT", f"{s.namespace_path}/topics/t/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555",
            {"properties": {"roleDefinitionId": role, "principalId": harness.CLIENT_OID}}, api="2022-04-01").expect(201)
    auth = s.e.bearer("https://servicebus.azure.net")
    s.e.bus("POST", s.namespace, "/t/messages", "x", auth).expect(201)
    s.e.bus("POST", s.namespace, "/u/messages", "x", auth).expect(401)
    s.e.bus("DELETE", s.namespace, "/t/subscriptions/s/messages/head?timeout=0", None, auth).expect(401)


def test_bearer_tokens_by_role_where_names_are_paths(case):
    """In ARM ids "~" stands for the "/" of names: a role at t~u is one at t/u and its subscriptions, a role at t is not."""
    s = up(case)
    for path in ("topics/t", "topics/t~u", "topics/t~u/subscriptions/s"):
        put(s, path).expect(200)
    auth = s.e.bearer("https://servicebus.azure.net")
    owner = "/providers/Microsoft.Authorization/roleDefinitions/090c5cfd-751d-490a-894a-3ce6f1109419"

    def statuses(scope):
        role = f"{s.namespace_path}/{scope}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555"
        s.e.arm("PUT", role, {"properties": {"roleDefinitionId": owner, "principalId": harness.CLIENT_OID}}, api="2022-04-01").expect(201)
        got = [s.e.bus(method, s.namespace, path, body, auth).status
               for method, path, body in (("POST", "/t/messages", "x"), ("POST", "/t/u/messages", "x"),
                                          ("DELETE", "/t/u/subscriptions/s/messages/head?timeout=0", None),
                                          ("DELETE", "/t/u/Subscriptions/s/$DeadLetterQueue/messages/head?timeout=0", None))]
        s.e.arm("DELETE", role, api="2022-04-01").expect(200)
        return got

    assert statuses("topics/t") == [201, 401, 401, 401]
    assert statuses("topics/t~u") == [401, 201, 200, 204]
    assert statuses("topics/t~u/subscriptions/s") == [401, 401, 204, 204]
