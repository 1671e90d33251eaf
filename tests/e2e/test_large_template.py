"""Large templates: hundreds of namespaces and thousands of queues, put side by side, come out as if put one after another;
gigantic ones are refused."""

import json

from harness import SUB
from test_deployment import VERSION, ask, envelope, failed, namespace, of, path, queue, succeeded, things


def looped(namespaces, each):
    """Loops of namespaces and of queues; each queue waits for its namespace alone."""
    parent = f"format('large-{{0}}', div(copyIndex(), {each}))"
    return of(namespace("[format('large-{0}', copyIndex())]", copy={"name": "buses", "count": namespaces}),
              queue(f"[format('{{0}}/q{{1}}', {parent}, mod(copyIndex(), {each}))]", copy={"name": "queues", "count": namespaces * each},
                    dependsOn=[f"[resourceId('Microsoft.ServiceBus/namespaces', {parent})]"]))


def operations(s, name):
    """[(resource name, state)] in the order in which the deployment lists them."""
    listed = ask(s, "GET", f"{s.group_path}/deployments/{name}/operations").expect(200).json()["value"]
    return [(o["properties"]["targetResource"]["resourceName"], o["properties"]["provisioningState"]) for o in listed
            if "targetResource" in o["properties"]]


def patient(case):
    """These take their time where a sanitizer watches."""
    s = case.story()
    s.e.timeout = 150
    s.make_group()
    return s


def queues_of(s, bus):
    return [q["name"] for q in s.e.arm("GET", f"{s.group_path}/providers/Microsoft.ServiceBus/namespaces/{bus}/queues").expect(200).json()["value"]]


def test_two_hundred_namespaces_with_two_thousand_queues(case):
    s = patient(case)
    shown = succeeded(s, "big", envelope(looped(200, 10)))
    assert len(shown["outputResources"]) == 2200
    names = [f"large-{i}" for i in range(200)] + [f"large-{i // 10}/q{i % 10}" for i in range(2000)]
    assert operations(s, "big") == [(n, "Succeeded") for n in names]
    buses = s.e.arm("GET", f"{s.group_path}/providers/Microsoft.ServiceBus/namespaces").expect(200).json()["value"]
    assert sorted(b["name"] for b in buses) == sorted(f"large-{i}" for i in range(200))
    for i in range(200):
        assert queues_of(s, f"large-{i}") == [f"q{k}" for k in range(10)], i
    # All of it survives the process, and all of it goes with the group.
    s.e.restart(kill=True)
    assert queues_of(s, "large-199") == [f"q{k}" for k in range(10)]
    assert len(succeeded(s, "big", envelope(looped(200, 10)), first=False)["outputResources"]) == 2200
    ask(s, "DELETE", s.group_path).expect(202)
    assert s.e.arm("GET", f"/subscriptions/{SUB}/providers/Microsoft.ServiceBus/namespaces").expect(200).json()["value"] == []
    s.make_group()
    succeeded(s, "again", envelope(looped(2, 3)))
    assert queues_of(s, "large-1") == ["q0", "q1", "q2"]


def test_a_refused_resource_among_many_takes_its_dependants_alone(case):
    """Those beside it are finished, those behind it are not begun, and the list of operations is in the template's order."""
    s = case.story()
    s.make_group()
    bad = queue("amidst/q17", dependsOn=["amidst"])
    bad["properties"] = {"lockDuration": "PT10M"}
    many = [queue(f"amidst/q{i}", dependsOn=["amidst"]) if i != 17 else bad for i in range(40)]
    rule = {"type": "Microsoft.ServiceBus/namespaces/queues/authorizationRules", "apiVersion": "2021-11-01", "properties": {"rights": ["Send"]}}
    q17 = "[resourceId('Microsoft.ServiceBus/namespaces/queues', 'amidst', 'q17')]"
    q18 = "[resourceId('Microsoft.ServiceBus/namespaces/queues', 'amidst', 'q18')]"
    behind = [{**rule, "name": "amidst/q17/send", "dependsOn": [q17]}, {**rule, "name": "amidst/q18/send", "dependsOn": [q18]},
              things("after", dependsOn=[q17]), things("beside", dependsOn=[q18])]
    details = failed(s, "amid", envelope(of(namespace("amidst"), *many, *behind)))
    assert [d["code"] for d in details] == ["MessagingGatewayBadRequest"], details
    done = operations(s, "amid")
    assert [n for n, _ in done] == ["amidst"] + [f"amidst/q{i}" for i in range(40)] + ["amidst/q18/send", "beside"]
    assert [n for n, state in done if state != "Succeeded"] == ["amidst/q17"]
    assert sorted(queues_of(s, "amidst")) == sorted(f"q{i}" for i in range(40) if i != 17)


def test_what_says_the_name_of_another_waits_for_it(case):
    """Templates that leave dependsOn out give the same each time: resources come in the order in which they stand."""
    s = case.story()
    s.make_group()
    to = queue("chained/b")
    to["properties"] = {"forwardTo": "A"}
    rules = [{"type": "Microsoft.ServiceBus/namespaces/queues/authorizationRules", "apiVersion": "2021-11-01", "name": f"chained/a/r{i}",
              "properties": {"rights": ["Send"]}} for i in range(3)]
    succeeded(s, "chain", envelope(of(namespace("chained"), queue("chained/a"), to, *rules)))
    assert [n for n, _ in operations(s, "chain")] == ["chained", "chained/a", "chained/b", "chained/a/r0", "chained/a/r1", "chained/a/r2"]
    # In the other order the target is not there yet, every time.
    back = queue("chained/c")
    back["properties"] = {"forwardTo": "d"}
    failed(s, "back", envelope(of(back, queue("chained/d"))))
    assert operations(s, "back") == [("chained/c", "Failed"), ("chained/d", "Succeeded")]
    # reference() reads what has been put, dependsOn or not.
    first = queue("chained/e")
    second = queue("chained/f")
    first["properties"] = {"maxDeliveryCount": 7}
    second["properties"] = {"maxDeliveryCount": "[reference(resourceId('Microsoft.ServiceBus/namespaces/queues', 'chained', 'e')).maxDeliveryCount]"}
    succeeded(s, "refer", envelope(of(first, second)))
    made = s.e.arm("GET", f"{s.group_path}/providers/Microsoft.ServiceBus/namespaces/chained/queues/f").expect(200).json()
    assert made["properties"]["maxDeliveryCount"] == 7


def gigantic():
    """name -> template"""
    deep = "[" + "concat(" * 10_000 + "'x'" + ")" * 10_000 + "]"
    copies = {"name": "loop", "count": 1_000_000_000}
    doubling = {"v0": "xxxxxxxx", **{f"v{i}": f"[concat(variables('v{i - 1}'), variables('v{i - 1}'))]" for i in range(1, 60)}}
    return {
        "10,000 nested parentheses": of(things("t", properties={"deep": deep})),
        "10,000 nested arrays": of(things("t", properties={"deep": json.loads("[" * 400 + "]" * 400)})).replace("[" * 400, "[" * 10_000).replace(
            "]" * 400, "]" * 10_000),
        "1e9 copies of a resource": of(things("[format('t{0}', copyIndex())]", copy=copies)),
        "1e9 copies of a property": of(things("t", properties={"copy": [{**copies, "input": "x"}]})),
        "1e9 copies of a variable": of(things("t"), variables={"copy": [{**copies, "input": "x"}]}),
        "loops in loops": of(things("[format('t{0}', copyIndex())]", copy={"name": "a", "count": 10_000},
                                    properties={"copy": [{"name": "b", "count": 10_000, "input": {"copy": [{"name": "c", "count": 10_000, "input": 1}]}}]})),
        "a text that doubles": of(things("t", properties={"big": "[variables('v59')]"}), variables=doubling),
        "a cycle of variables": of(things("[variables('a')]"), variables={"a": "[variables('b')]", "b": "[variables('a')]"}),
        "a cycle of resources": of(things("t1", dependsOn=["t2"]), things("t2", dependsOn=["t3"]), things("t3", dependsOn=["t1"])),
        "range(0, 1e9)": of(things("t", properties={"big": "[range(0, 1000000000)]"})),
        "padLeft by 1e9": of(things("t", properties={"big": "[padLeft('x', 1000000000)]"})),
    }


def test_gigantic_templates_are_refused(case):
    s = patient(case)
    for what, template in gigantic().items():
        for method, suffix in (("POST", "/validate"), ("PUT", "")):
            answer = ask(s, method, path(s, "huge", suffix), envelope(template))
            if method == "PUT" and answer.status in (200, 201):  # what only the resource's own evaluation meets
                answer = ask(s, "GET", path(s, "huge")).expect(200)
                error = answer.json()["properties"]["error"]["details"][0]
                assert answer.json()["properties"]["provisioningState"] == "Failed", what
            else:
                error = answer.expect(400).json()["error"]
            too_large = error == {"code": "BadRequest", "message": "The deployment is too large to record."}
            assert error["code"] in ("InvalidTemplate", "InvalidRequestContent") or too_large, (what, error)
            assert len(error["message"]) < 100_000, what
    listed = s.e.arm("GET", f"{s.group_path}/resources", api=VERSION).expect(200).json()["value"]
    assert listed == [], listed


def nested(name, inner, **more):
    return {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name,
            "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                           "template": json.loads(inner) if isinstance(inner, str) else inner}, **more}


def test_nested_templates_share_their_bounds(case):
    """Each one of these is small enough, all of them together are not; what is refused makes nothing."""
    s = patient(case)
    loop = "[format('n{0}', copyIndex())]"
    count = {"name": "loop", "count": 500}
    steps = "[string(length(map(range(0, 1000), lambda('x', length(map(range(0, 200), lambda('y', lambdaVariables('y'))))))))]"
    for what, template, says in (
            ("loops in loops", of(nested(loop, of(nested(loop, of(), copy=count)), copy=count)), "at most 500 nested templates"),
            ("resources", of(nested(loop, of(things("[format('t{0}', copyIndex())]", copy={"name": "a", "count": 2000})), copy={"name": "l", "count": 30})),
             "at most 50000 resources"),
            ("steps", of(nested(loop, of(things("t", properties={"big": steps})), copy={"name": "l", "count": 40})), "too many steps")):
        for method, suffix in (("POST", "/validate"), ("PUT", "")):
            error = ask(s, method, path(s, "huge", suffix), envelope(template)).expect(400).json()["error"]
            assert says in error["message"], (what, error)
        ask(s, "GET", path(s, "huge")).expect(404)
    one = of(nested("one", of(things("t", properties={"big": steps}))), things("u", properties={"big": steps}))
    ask(s, "POST", path(s, "fits", "/validate"), envelope(one)).expect(200)


def test_a_loop_of_modules(case):
    """As Bicep writes them: one inner template for all, each of which evaluates it anew."""
    s = patient(case)
    inner = of(things("[parameters('name')]", properties={"size": "[add(parameters('size'), 1)]", "again": "[toUpper(parameters('name'))]"}),
               parameters={"name": {"type": "string"}, "size": {"type": "int"}})
    module = nested("[format('module-{0}', copyIndex())]", inner, copy={"name": "modules", "count": 40})
    module["properties"]["parameters"] = {"name": {"value": "[format('thing-{0}', copyIndex())]"}, "size": {"value": "[copyIndex()]"}}
    ask(s, "POST", path(s, "loop", "/validate"), envelope(of(module))).expect(200)
    ask(s, "PUT", path(s, "loop"), envelope(of(module))).expect(200, 201)
    assert ask(s, "GET", path(s, "loop")).expect(200).json()["properties"]["provisioningState"] == "Succeeded"
    made = {r["name"] for r in s.e.arm("GET", f"{s.group_path}/resources", api=VERSION).expect(200).json()["value"]}
    assert made == {f"thing-{i}" for i in range(40)}, made
    one = s.e.arm("GET", f"{s.group_path}/providers/Contoso.Other/things/thing-7", api="2020-01-01").expect(200).json()
    assert one["properties"] == {"size": 8, "again": "THING-7"}, one
