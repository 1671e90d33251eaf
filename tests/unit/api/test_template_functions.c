/*
 * test_template_functions.c: every function of the language, by table: what it gives and how it fails.
 * Expressions stand in a resource's body. A test asserts that no function is without a row of each kind
 * (where it can fail).
 */
#include "tests/unit/api/template_fixture.h"

/* Around every expression: parameters, variables, a function, two resources. */
static const char frame[] =
    "'parameters': {'text': {'type': 'string', 'defaultValue': 'abc'}, 'n': {'type': 'int', 'defaultValue': "
    "7},"
    " 'list': {'type': 'array', 'defaultValue': ['one', 'two', 'three']}, 'guid': {'type': 'string', "
    "'defaultValue': '[newGuid()]'},"
    " 'now': {'type': 'string', 'defaultValue': '[utcNow()]'}, 'nowu': {'type': 'string', 'defaultValue': "
    "\"[utcNow('u')]\"},"
    " 'nowd': {'type': 'string', 'defaultValue': \"[utcNow('dddd, d MMM yyyy h:mm tt fff')]\"},"
    " 'obj': {'type': 'object', 'defaultValue': {'one': 'a', 'two': 2, 'Three': ['x'], 'nested': {'deep': "
    "{'n': 1}}}}},"
    "'variables': {'v': '[concat(parameters(\\'text\\'), \\'-v\\')]', 'copy': [{'name': 'loop', 'count': 3, "
    "'input': '[copyIndex(\\'loop\\', 5)]'}]},"
    "'functions': [{'namespace': 'my', 'members': {'twice': {'parameters': [{'name': 's', 'type': 'string'}],"
    "  'output': {'type': 'string', 'value': \"[concat(parameters('s'), parameters('s'))]\"}}}}],"
    "'resources': [{'type': 'Microsoft.ServiceBus/namespaces', 'apiVersion': '2021-11-01', 'name': 'other'},"
    " {'type': 'Microsoft.ServiceBus/namespaces', 'apiVersion': '2021-11-01', 'name': '[concat(\\'ns\\', "
    "copyIndex())]',"
    "  'copy': {'name': 'nsloop', 'count': 3}, 'properties': {'v': \"%s\"}},"
    " {'type': 'Microsoft.ServiceBus/namespaces', 'apiVersion': '2021-11-01', 'name': '[concat(\\'p\\', "
    "copyIndex())]',"
    "  'copy': {'name': 'pair', 'count': 2}}]";

static const struct tv *run(struct tmpl *t, const char *expression, struct sb_error *err)
{
    static char members[65536];
    const struct tv *body = NULL;
    int n = snprintf(members, sizeof members, frame, expression);
    ck_assert_int_lt(n, (int)sizeof members);
    enum sb_err rc = tmpl_load(t, session_template(t, members), NULL, err);
    ck_assert_msg(rc == SB_OK, "%s: %s", expression, tmpl_fault(t)->message);
    rc = tmpl_body(t, tmpl_resource(t, 2), TMPL_RUN, &body, err);
    return rc == SB_OK ? tv_path(body, "properties.v") : NULL;
}

#define NS "/subscriptions/" SUB "/resourceGroups/rg/providers/Microsoft.ServiceBus/namespaces/"

static const struct {
    const char *expression, *json;
} good[] = {
    /* array */
    {"[array('x')]", "[\"x\"]"},
    {"[array(parameters('list'))]", "[\"one\",\"two\",\"three\"]"},
    {"[concat('a', 'b', 'c')]", "\"abc\""},
    {"[concat('a', 1)]", "\"a1\""},
    {"[concat(createArray(1), createArray(2, 3))]", "[1,2,3]"},
    {"[contains('OneTwo', 'Two')]", "true"},
    {"[contains('OneTwo', 'two')]", "false"},
    {"[contains(parameters('obj'), 'THREE')]", "true"},
    {"[contains(createArray('one', 2), 2)]", "true"},
    {"[contains(createArray('one'), 'ONE')]", "false"},
    {"[createArray()]", "[]"},
    {"[createArray(1, 'a', true())]", "[1,\"a\",true]"},
    {"[empty('')]", "true"},
    {"[empty(createArray(1))]", "false"},
    {"[empty(null())]", "true"},
    {"[empty(createObject())]", "true"},
    {"[first('One Two')]", "\"O\""},
    {"[first('\xc3\xa9t\xc3\xa9')]", "\"\xc3\xa9\""},
    {"[first(parameters('list'))]", "\"one\""},
    {"[first(createArray())]", "null"},
    {"[flatten(createArray(createArray(1, 2), createArray(3)))]", "[1,2,3]"},
    {"[indexFromEnd(createArray(1, 2, 3), 1)]", "3"},
    {"[tryIndexFromEnd(createArray(1, 2, 3), 4)]", "null"},
    {"[indexOf('test', 't')]", "0"},
    {"[indexOf('abcdef', 'CD')]", "2"},
    {"[indexOf(createArray('a', 'b'), 'B')]", "-1"},
    {"[lastIndexOf('test', 't')]", "3"},
    {"[lastIndexOf(createArray(1, 2, 1), 1)]", "2"},
    {"[intersection(createArray('one', 'two', 'three'), createArray('two', 'three'))]",
     "[\"two\",\"three\"]"},
    {"[intersection(json('{\\\"one\\\": \\\"a\\\", \\\"two\\\": \\\"b\\\"}'), json('{\\\"one\\\": \\\"a\\\", "
     "\\\"two\\\": \\\"z\\\"}'))]",
     "{\"one\":\"a\"}"},
    {"[last('One Two')]", "\"o\""},
    {"[last('\xc3\xa9t\xc3\xa9')]", "\"\xc3\xa9\""},
    {"[last(createArray())]", "null"},
    {"[length('One Two')]", "7"},
    {"[length('\xc3\xa9')]", "1"},
    {"[length(parameters('obj'))]", "4"},
    {"[max(0, 3, 2)]", "3"},
    {"[max(createArray(5, 9))]", "9"},
    {"[min(0, 3, -2)]", "-2"},
    {"[range(5, 3)]", "[5,6,7]"},
    {"[range(1, 0)]", "[]"},
    {"[skip(parameters('list'), 2)]", "[\"three\"]"},
    {"[skip('one two', 4)]", "\"two\""},
    {"[skip('one', -1)]", "\"one\""},
    {"[skip('one', 9)]", "\"\""},
    {"[take(parameters('list'), 2)]", "[\"one\",\"two\"]"},
    {"[take('one two', 3)]", "\"one\""},
    {"[take('one', 99)]", "\"one\""},
    {"[tryGet(parameters('obj'), 'nested', 'deep', 'n')]", "1"},
    {"[tryGet(parameters('obj'), 'no', 'such')]", "null"},
    {"[tryGet(parameters('list'), 1)]", "\"two\""},
    {"[union(createArray(1, 2), createArray(2, 3))]", "[1,2,3]"},
    {"[union(json('{\\\"a\\\": {\\\"x\\\": 1}, \\\"b\\\": [1]}'), json('{\\\"a\\\": {\\\"y\\\": 2}, "
     "\\\"b\\\": [2]}'))]",
     "{\"a\":{\"x\":1,\"y\":2},\"b\":[2]}"},
    /* object and conversion */
    {"[bool('true')]", "true"},
    {"[bool(0)]", "false"},
    {"[coalesce(null(), parameters('n'))]", "7"},
    {"[createObject('a', 1, 'b', createArray())]", "{\"a\":1,\"b\":[]}"},
    {"[createObject('a', 1, 'a', 2)]", "{\"a\":2}"},
    {"[false()]", "false"},
    {"[float('3.0')]", "3.0"},
    {"[float('2.5')]", "2.5"},
    {"[int('4')]", "4"},
    {"[int(float('4.7'))]", "4"},
    {"[items(createObject('b', 2, 'a', 1))]", "[{\"key\":\"a\",\"value\":1},{\"key\":\"b\",\"value\":2}]"},
    {"[json('[1, {\\\"a\\\": null}]')]", "[1,{\"a\":null}]"},
    {"[json('null')]", "null"},
    {"[null()]", "null"},
    {"[objectKeys(createObject('b', 2, 'a', 1))]", "[\"a\",\"b\"]"},
    {"[shallowMerge(createArray(createObject('a', 1, 'b', 1), createObject('b', 2)))]", "{\"a\":1,\"b\":2}"},
    {"[string(createArray('a', 1))]", "\"[\\\"a\\\",1]\""},
    {"[string(5)]", "\"5\""},
    {"[string(true())]", "\"True\""},
    {"[true()]", "true"},
    /* lambda */
    {"[filter(createArray(1, 5, 9), lambda('x', less(lambdaVariables('x'), 6)))]", "[1,5]"},
    {"[filter(createArray('a', 'b'), lambda('x', 'i', equals(lambdaVariables('i'), 1)))]", "[\"b\"]"},
    {"[groupBy(createArray('aa', 'b', 'ab'), lambda('s', first(lambdaVariables('s'))))]",
     "{\"a\":[\"aa\",\"ab\"],\"b\":[\"b\"]}"},
    {"[map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))]", "[0,2,4]"},
    {"[map(range(0, 2), lambda('i', map(range(0, 2), lambda('j', add(lambdaVariables('i'), "
     "lambdaVariables('j'))))))]",
     "[[0,1],[1,2]]"},
    {"[mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))]", "{\"a\":2}"},
    {"[reduce(range(1, 4), 0, lambda('sum', 'x', add(lambdaVariables('sum'), lambdaVariables('x'))))]", "10"},
    {"[reduce(createArray('a', 'b'), '', lambda('s', 'x', 'i', concat(lambdaVariables('s'), "
     "lambdaVariables('x'), string(lambdaVariables('i')))))]",
     "\"a0b1\""},
    {"[sort(createArray(3, 1, 2, 1), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))]",
     "[1,1,2,3]"},
    {"[sort(createArray(), lambda('a', 'b', true()))]", "[]"},
    {"[toObject(createArray('x', 'y'), lambda('e', lambdaVariables('e')), lambda('e', "
     "concat(lambdaVariables('e'), '!')))]",
     "{\"x\":\"x!\",\"y\":\"y!\"}"},
    {"[toObject(createArray('x'), lambda('e', lambdaVariables('e')))]", "{\"x\":\"x\"}"},
    /* logical, comparison, numeric */
    {"[add(5, 3)]", "8"},
    {"[and(true(), false(), true())]", "false"},
    {"[or(false(), true(), fail('not evaluated'))]", "true"},
    {"[copyIndex()]", "1"},
    {"[copyIndex('nsloop', 10)]", "11"},
    {"[copyIndex(1)]", "2"},
    {"[div(8, 3)]", "2"},
    {"[equals('a', 'A')]", "false"},
    {"[equals(createObject('a', 1), createObject('a', 1))]", "true"},
    {"[equals(1, 1)]", "true"},
    {"[equals(null(), '')]", "false"},
    {"[greater('b', 'a')]", "true"},
    {"[greaterOrEquals(2, 2)]", "true"},
    {"[if(equals(1, 1), 'yes', fail('not evaluated'))]", "\"yes\""},
    {"[less(1, 2)]", "true"},
    {"[lessOrEquals('a', 'a')]", "true"},
    {"[mod(7, 3)]", "1"},
    {"[mod(-7, -1)]", "0"},
    {"[mul(5, 3)]", "15"},
    {"[not(false())]", "true"},
    {"[sub(5, 3)]", "2"},
    /* string */
    {"[startsWith('abcdef', 'AB')]", "true"},
    {"[endsWith('abcdef', 'EF')]", "true"},
    {"[endsWith('f', 'ef')]", "false"},
    {"[format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)]",
     "\"Hello, User. Formatted number: 8,175,133\""},
    {"[format('{{{0}}}|{1,5}|{1,-5}|{2:D3}|{2:x}|{2:X4}|{3}', 'a', 'bc', 31, true())]",
     "\"{a}|   bc|bc   |031|1f|001F|True\""},
    {"[format('{0:0000.00} {1:#,##0} {2:F1} {3:P0} {4:E2}', 12, 1234567, float('2.25'), float('0.5'), "
     "12345)]",
     "\"0012.00 1,234,567 2.3 50 % 1.23E+004\""},
    {"[format('{0:D8}-{1:N2}-{2}', -42, float('1234.5'), createArray(1))]", "\"-00000042-1,234.50-[1]\""},
    {"[join(createArray('a', 1, true()), ', ')]", "\"a, 1, True\""},
    {"[padLeft('123', 10, '0')]", "\"0000000123\""},
    {"[padLeft(5, 3)]", "\"  5\""},
    {"[replace('123-123-1234', '-', '')]", "\"1231231234\""},
    {"[replace('aXbX', 'X', 'yy')]", "\"ayybyy\""},
    {"[split('one,two,three', ',')]", "[\"one\",\"two\",\"three\"]"},
    {"[split('one;two,three', createArray(',', ';'))]", "[\"one\",\"two\",\"three\"]"},
    {"[split('', ',')]", "[\"\"]"},
    {"[substring('one two three', 4, 3)]", "\"two\""},
    {"[substring('abc', 1)]", "\"bc\""},
    {"[substring('abc', 3, 0)]", "\"\""},
    {"[toLower('One TWO \xc3\x89')]", "\"one two \xc3\xa9\""},
    {"[toUpper('one \xc3\xa9 \xd1\x8f')]", "\"ONE \xc3\x89 \xd0\xaf\""},
    {"[trim('  one two ')]", "\"one two\""},
    /* encodings */
    {"[base64('one, two, three')]", "\"b25lLCB0d28sIHRocmVl\""},
    {"[base64ToString('b25lLCB0d28sIHRocmVl')]", "\"one, two, three\""},
    {"[base64ToJson(base64('{\\\"one\\\": \\\"a\\\"}'))]", "{\"one\":\"a\"}"},
    {"[dataUri('Hello')]", "\"data:text/plain;charset=utf8;base64,SGVsbG8=\""},
    {"[dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')]", "\"Hello, World!\""},
    {"[dataUriToString('data:,a%20b')]", "\"a b\""},
    {"[guid('a', 'b')]", "\"2d796349-8c7e-55ec-9624-54ece82ed031\""},
    {"[uniqueString('test')]", "\"rbgf3xv4ufgzg\""},
    {"[uniqueString('hello', 'world')]", "\"a7wkljktk6wne\""},
    {"[uniqueString('abc')]", "\"cgtzqvhu4i23s\""},
    {"[uniqueString('foo', 'bar', 'baz')]", "\"xzi4ioaxtmth4\""},
    {"[uniqueString('/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/my-rg')]",
     "\"bmg7c6xu4tw46\""},
    {"[uri('http://contoso.org/firstpath', 'myscript.sh')]", "\"http://contoso.org/myscript.sh\""},
    {"[uri('http://contoso.org/firstpath/', 'myscript.sh')]", "\"http://contoso.org/firstpath/myscript.sh\""},
    {"[uri('http://contoso.org', 'x/y')]", "\"http://contoso.org/x/y\""},
    {"[uriComponent('http://contoso.com/a b')]", "\"http%3A%2F%2Fcontoso.com%2Fa%20b\""},
    {"[uriComponentToString('a%20b%2F')]", "\"a b/\""},
    {"[parameters('guid')]", "\"0a0a0a0a-1111-4222-8333-444444444444\""},
    /* date */
    {"[parameters('now')]", "\"20200407T145314Z\""},
    {"[parameters('nowu')]", "\"2020-04-07 14:53:14Z\""},
    {"[parameters('nowd')]", "\"Tuesday, 7 Apr 2020 2:53 PM 123\""},
    {"[dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')]", "\"2023-04-07 14:53:14Z\""},
    {"[dateTimeAdd('2020-04-07 14:53:14Z', '-P9D')]", "\"2020-03-29 14:53:14Z\""},
    {"[dateTimeAdd('20200407T145314Z', 'PT1H')]", "\"20200407T155314Z\""},
    {"[dateTimeAdd('2020-01-31T00:00:00Z', 'P1M', 'yyyy-MM-dd')]", "\"2020-02-29\""},
    {"[dateTimeAdd('2020-04-07T14:53:14.5Z', 'PT0.5S', 'o')]", "\"2020-04-07T14:53:15.0000000Z\""},
    {"[dateTimeAdd('4/7/2020 2:53:14 PM', 'P1W', 'r')]", "\"Tue, 14 Apr 2020 14:53:14 GMT\""},
    {"[dateTimeFromEpoch(1683040573)]", "\"2023-05-02T15:16:13Z\""},
    {"[dateTimeToEpoch('2023-05-02T15:16:13Z')]", "1683040573"},
    /* cidr */
    {"[parseCidr('10.144.0.0/20')]", "{\"network\":\"10.144.0.0\",\"netmask\":\"255.255.240.0\","
                                     "\"broadcast\":\"10.144.15.255\",\"firstUsable\":"
                                     "\"10.144.0.1\",\"lastUsable\":\"10.144.15.254\",\"cidr\":20}"},
    {"[parseCidr('fdad:3236:5555::/48')]",
     "{\"network\":\"fdad:3236:5555::\",\"netmask\":\"ffff:ffff:ffff::\",\"firstUsable\":\"fdad:3236:5555::"
     "1\","
     "\"lastUsable\":\"fdad:3236:5555:ffff:ffff:ffff:ffff:ffff\",\"cidr\":48}"},
    {"[cidrSubnet('10.144.0.0/20', 24, 0)]", "\"10.144.0.0/24\""},
    {"[cidrSubnet('10.144.0.0/20', 24, 15)]", "\"10.144.15.0/24\""},
    {"[cidrSubnet('fdad:3236:5555::/48', 52, 1)]", "\"fdad:3236:5555:1000::/52\""},
    {"[cidrHost('10.144.3.0/24', 0)]", "\"10.144.3.1\""},
    {"[cidrHost('10.144.3.0/24', 253)]", "\"10.144.3.254\""},
    {"[cidrHost('fdad:3236:5555:3000::/52', 0)]", "\"fdad:3236:5555:3000::1\""},
    /* resource */
    {"[resourceId('Microsoft.ServiceBus/namespaces', 'a')]", "\"" NS "a\""},
    {"[resourceId('Microsoft.ServiceBus/namespaces/queues', 'a', 'q')]", "\"" NS "a/queues/q\""},
    {"[resourceId('Microsoft.ServiceBus/namespaces/queues', 'a/q')]", "\"" NS "a/queues/q\""},
    {"[resourceId('other', 'Microsoft.X/y', 'a')]",
     "\"/subscriptions/" SUB "/resourceGroups/other/providers/Microsoft.X/y/a\""},
    {"[resourceId('s', 'other', 'Microsoft.X/y', 'a')]",
     "\"/subscriptions/s/resourceGroups/other/providers/Microsoft.X/y/a\""},
    {"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')]",
     "\"/subscriptions/" SUB "/providers/Microsoft.Authorization/roleDefinitions/r\""},
    {"[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'g')]",
     "\"/subscriptions/" SUB "/resourceGroups/g\""},
    {"[tenantResourceId('Microsoft.Management/managementGroups', 'm')]",
     "\"/providers/Microsoft.Management/managementGroups/m\""},
    {"[managementGroupResourceId('m', 'Microsoft.Authorization/policyDefinitions', 'p')]",
     "\"/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.Authorization/"
     "policyDefinitions/p\""},
    {"[extensionResourceId(resourceId('Microsoft.X/y', 'a'), 'Microsoft.Authorization/locks', 'l')]",
     "\"/subscriptions/" SUB
     "/resourceGroups/rg/providers/Microsoft.X/y/a/providers/Microsoft.Authorization/locks/l\""},
    {"[reference('other').id]", "\"" NS "other\""},
    {"[reference('other').version]", "\"2021-11-01\""},
    {"[reference(resourceId('Microsoft.X/y', 'a'), '2020-01-01', 'Full').location]", "\"westus\""},
    {"[length(references('pair'))]", "2"},
    {"[listKeys(resourceId('Microsoft.X/y', 'a'), '2020-01-01', createObject('k', 1))]",
     "{\"function\":\"listKeys\",\"id\":\"/subscriptions/" SUB
     "/resourceGroups/rg/providers/Microsoft.X/y/a\",\"version\":\"2020-01-01\",\"body\":{\"k\":1}}"},
    {"[list('other', '2020-01-01').function]", "\"list\""},
    {"[resourceInfo('other').name]", "\"other\""},
    {"[providers('Microsoft.Web', 'sites')]", "\"sites\""},
    {"[pickZones('Microsoft.Compute', 'virtualMachines', 'westus2')]", "[\"1\"]"},
    {"[pickZones('Microsoft.Compute', 'virtualMachines', 'westus2', 2, 1)]", "[\"2\",\"3\"]"},
    {"[toPhysicalZone('" SUB "', 'westus2', '1')]", "\"westus2-az1\""},
    {"[toLogicalZone('" SUB "', 'westus2', 'westus2-az3')]", "\"3\""},
    {"[toPhysicalZones('" SUB "', 'westus2', createArray('1', '2'))]", "[\"westus2-az1\",\"westus2-az2\"]"},
    {"[toLogicalZones('" SUB "', 'westus2', createArray('westus2-az2'))]", "[\"2\"]"},
    /* deployment and scope */
    {"[deployer().tenantId]", "\"11111111-1111-1111-1111-111111111111\""},
    {"[deployment().name]", "\"deploy1\""},
    {"[deployment().properties.mode]", "\"Incremental\""},
    {"[deployment().properties.template.contentVersion]", "\"1.0.0.0\""},
    {"[environment().suffixes.keyvaultDns]", "\".vault.azure.net\""},
    {"[parameters('TEXT')]", "\"abc\""},
    {"[resourceGroup().id]", "\"/subscriptions/" SUB "/resourceGroups/rg\""},
    {"[subscription().subscriptionId]", "\"" SUB "\""},
    {"[tenant().tenantId]", "\"11111111-1111-1111-1111-111111111111\""},
    {"[variables('v')]", "\"abc-v\""},
    {"[variables('loop')]", "[5,6,7]"},
    {"[my.twice('ab')]", "\"abab\""},
    /* syntax */
    {"plain", "\"plain\""},
    {"[[not an expression]", "\"[not an expression]\""},
    {"[ concat( 'it''s' , '' ) ]", "\"it's\""},
    {"[unclosed", "\"[unclosed\""},
    {"[parameters('obj').nested.deep.n]", "1"},
    {"[parameters('obj')['NESTED'].Deep]", "{\"n\":1}"},
    {"[parameters('obj').three[0]]", "\"x\""},
    {"[parameters('list')[add(0, 1)]]", "\"two\""},
    {"[parameters('obj').?missing]", "null"},
    {"[parameters('obj').?missing.?further[?0]]", "null"},
    {"[parameters('list')[?9]]", "null"},
    {"[CONCAT('a', 'b')]", "\"ab\""},
    {"[-5]", "-5"},
};

START_TEST(test_functions__give)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    struct sb_error err = {0};
    const struct tv *v = run(t, good[_i].expression, &err);
    ck_assert_msg(v != NULL, "%s: %s", good[_i].expression, tmpl_fault(t)->message);
    ck_assert_msg(strcmp(session_json(t, v), good[_i].json) == 0, "%s\ngave %s\nnot  %s", good[_i].expression,
                  session_json(t, v), good[_i].json);
    tmpl_free(t);
}
END_TEST

static const struct {
    const char *expression, *why;
} bad[] = {
    {"[array()]", "function requires 1 argument(s) while 0 were provided"},
    {"[concat('a', createArray())]", "all arrays, or all strings"},
    {"[concat()]", "requires at least 1 argument(s)"},
    {"[contains(1, 1)]",
     "expected to be of type 'Array, Object or String'. The provided value is of type 'Integer'"},
    {"[contains('a', createArray())]", "a string or an object, and a string"},
    {"[empty(5)]", "an array, an object or a string"},
    {"[first(5)]", "Array or String"},
    {"[last(5)]", "Array or String"},
    {"[flatten(createArray(1))]", "an array of arrays"},
    {"[indexFromEnd(createArray(1), 2)]", "index '^2' is out of bounds"},
    {"[tryIndexFromEnd('a', 1)]", "Array"},
    {"[indexOf('a', 1)]", "a string and a string"},
    {"[lastIndexOf('a', 1)]", "a string and a string"},
    {"[intersection(createArray(), createObject())]", "all arrays, or all objects"},
    {"[union('a', 'b')]", "all arrays, or all objects"},
    {"[length(5)]", "Array, Object or String"},
    {"[max('a', 'b')]", "integers"},
    {"[min(createArray())]", "at least one integer"},
    {"[range(0, 10001)]", "cannot exceed '10000'"},
    {"[range(2147483647, 1)]", "2147483647"},
    {"[range(0, -1)]", "non-negative"},
    {"[skip(5, 1)]", "Array or String"},
    {"[take('a', 'b')]", "'Integer'"},
    {"[tryGet(parameters('obj'), true())]", "Integer or String"},
    {"[bool('maybe')]", "convertible to 'Boolean'"},
    {"[int('4x')]", "convertible to 'Integer'"},
    {"[int('99999999999999999999')]", "convertible to 'Integer'"},
    {"[float('x')]", "convertible to 'Float'"},
    {"[coalesce(fail('reached'))]", "reached"},
    {"[createObject('a')]", "pairs"},
    {"[createObject(1, 2)]", "pairs"},
    {"[items('a')]", "'Object'"},
    {"[objectKeys(createArray())]", "'Object'"},
    {"[json('{')]", "can't be parsed as JSON"},
    {"[shallowMerge(createArray(1))]", "Array of Object"},
    {"[null(1)]", "requires 0 argument(s)"},
    {"[true(1)]", "requires 0 argument(s)"},
    {"[false(1)]", "requires 0 argument(s)"},
    {"[string()]", "requires 1 argument(s)"},
    {"[filter(createArray(1), lambda('x', 1))]", "must give a value of type 'Boolean', not 'Integer'"},
    {"[filter(createArray(1), 1)]", "'Lambda'"},
    {"[groupBy(createArray(1), lambda('x', 1))]", "'String'"},
    {"[lambda('x', 1)]", "A lambda can only be an argument"},
    {"[map(createArray(1), lambda(concat('x'), 1))]", "must be string literals"},
    {"[map(createArray(1), lambda('a', 'b', 'c', 1))]", "takes '3' argument(s) while '2' were provided"},
    {"[lambdaVariables('x')]", "The lambda variable 'x' is not found"},
    {"[mapValues(createArray(), lambda('x', 1))]", "'Object'"},
    {"[reduce(createArray(1), 0, lambda('x', fail('inside')))]", "inside"},
    {"[sort(createArray(1, 2), lambda('a', 'b', 1))]", "'Boolean'"},
    {"[toObject(createArray('a'))]", "requires between 2 and 3 argument(s) while 1 were provided"},
    {"[add('a', 1)]", "'Integer'"},
    {"[add(9223372036854775807, 1)]", "overflow"},
    {"[sub(-9223372036854775807, 2)]", "overflow"},
    {"[mul(9223372036854775807, 2)]", "overflow"},
    {"[div(1, 0)]", "divide by zero"},
    {"[mod(1, 0)]", "divide by zero"},
    {"[and(true(), 1)]", "position '2' is expected to be of type 'Boolean'"},
    {"[or('x', true())]", "'Boolean'"},
    {"[not('x')]", "'Boolean'"},
    {"[if('x', 1, 2)]", "'Boolean'"},
    {"[copyIndex('nosuch')]", "no copy loop of the name 'nosuch'"},
    {"[equals(1)]", "requires 2 argument(s)"},
    {"[less(1, 'a')]", "matching types"},
    {"[lessOrEquals(createArray(), createArray())]", "matching types"},
    {"[greater(true(), false())]", "matching types"},
    {"[greaterOrEquals(1, '1')]", "matching types"},
    {"[startsWith(1, 'a')]", "'String'"},
    {"[endsWith('a', 1)]", "'String'"},
    {"[format('->{123}<-', 123)]",
     "the format is invalid: 'Index (zero based) must be greater than or equal to zero"},
    {"[format('{0', 1)]", "not in a correct format"},
    {"[format('{0:Q}', 1)]", "Format specifier was invalid"},
    {"[format('}', 1)]", "not in a correct format"},
    {"[join('a', ',')]", "'Array'"},
    {"[padLeft('a', 99999999, '0')]", "between 0 and 16384"},
    {"[padLeft('a', 3, 'ab')]", "one character"},
    {"[replace('a', '', 'b')]", "must not be empty"},
    {"[split('a', 1)]", "Array or String"},
    {"[split('a', createArray(1))]", "delimiters must be strings"},
    {"[substring('abc', 2, 5)]", "must refer to a location within the string"},
    {"[substring('abc', -1)]", "must refer to a location within the string"},
    {"[toLower(1)]", "'String'"},
    {"[toUpper(1)]", "'String'"},
    {"[trim(1)]", "'String'"},
    {"[base64(1)]", "'String'"},
    {"[base64ToString('a')]", "not the base64 of a text"},
    {"[base64ToString('/w==')]", "not the base64 of a text"},
    {"[base64ToJson('AA==')]", "not the base64 of a text"},
    {"[dataUri(1)]", "'String'"},
    {"[dataUriToString('http://x')]", "not a data URI"},
    {"[guid(1)]", "'String'"},
    {"[newGuid()]", "The template function 'newGuid' is not expected at this location"},
    {"[utcNow()]", "The template function 'utcNow' is not expected at this location"},
    {"[uniqueString(createArray())]", "'String'"},
    {"[uri('x', 'y')]", "not an absolute URI"},
    {"[uriComponent(1)]", "'String'"},
    {"[uriComponentToString('%zz')]", "not a percent-encoded text"},
    {"[dateTimeAdd('yesterday', 'P1D')]", "not a valid date and time"},
    {"[dateTimeAdd('2020-04-07T00:00:00Z', '3 days')]", "not a valid ISO 8601 duration"},
    {"[dateTimeAdd('2020-04-07T00:00:00Z', 'P99999Y')]", "in range"},
    {"[dateTimeFromEpoch(999999999999999)]", "epoch"},
    {"[dateTimeToEpoch('x')]", "not a valid date and time"},
    {"[parseCidr('10.0.0.0')]", "not a valid CIDR"},
    {"[cidrSubnet('10.144.0.0/20', 24, 16)]", "index is out of range"},
    {"[cidrSubnet('10.144.0.0/20', 8, 0)]", "at least as long"},
    {"[cidrHost('10.144.3.0/24', 254)]", "index is out of range"},
    {"[resourceId('Microsoft.Storage/storageAccounts', 'a', 'b')]",
     "Unable to evaluate template language function 'resourceId': the type "
     "'Microsoft.Storage/storageAccounts' requires "
     "'1' resource name argument(s)."},
    {"[resourceId('a', 'b')]", "must hold a resource type"},
    {"[subscriptionResourceId('a', 'b')]", "must hold a resource type"},
    {"[tenantResourceId('a', 'b')]", "must hold a resource type"},
    {"[managementGroupResourceId('a', 'b')]", "must hold a resource type"},
    {"[extensionResourceId('/x', 'Microsoft.X/y/z', 'a')]", "requires '2' resource name argument(s)"},
    {"[reference('nosuch')]", "could not find template resource or resource copy with this name"},
    {"[reference('other', '', 'All')]", "'Full' or 'Properties'"},
    {"[reference('/subscriptions/x/missing')]", "The Resource '/subscriptions/x/missing' was not found."},
    {"[references('pair', 'All')]", "'Full' or 'Properties'"},
    {"[listKeys('/subscriptions/x/missing', '2020-01-01')]", "was not found"},
    {"[list('other')]", "requires between 2 and 3 argument(s)"},
    {"[resourceInfo('nosuch')]", "could not find template resource"},
    {"[providers('Microsoft.None')]", "not known"},
    {"[pickZones('a', 'b', 'westus', 4)]", "zones"},
    {"[toPhysicalZone('s', 'westus', '9')]", "no such zone"},
    {"[toLogicalZone('s', 'westus', '1')]", "no such zone"},
    {"[toPhysicalZones('s', 'westus', createArray(1))]", "no such zone"},
    {"[toLogicalZones('s', 'westus', createArray('x'))]", "no such zone"},
    {"[deployment('x')]", "requires 0 argument(s)"},
    {"[deployer('x')]", "requires 0 argument(s)"},
    {"[environment('x')]", "requires 0 argument(s)"},
    {"[tenant('x')]", "requires 0 argument(s)"},
    {"[subscription('x')]", "requires 0 argument(s)"},
    {"[resourceGroup('x')]", "requires 0 argument(s)"},
    {"[managementGroup()]", "'MANAGEMENTGROUP' is not expected at this location"},
    {"[fail('as asked')]", "as asked"},
    {"[parameters('nosuch')]", "The template parameter 'nosuch' is not found"},
    {"[variables('nosuch')]", "The template variable 'nosuch' is not found"},
    {"[createArray(lambda('x', 1))]", "'Any'"},
    {"[my.twice(1)]", "The value of 's' is not valid. Expected 'String, Uri'. Actual 'Integer'."},
    {"[my.twice()]", "requires 1 argument(s) while 0"},
    {"[my.nosuch()]", "The template function 'my.nosuch' is not valid"},
    /* syntax */
    {"[nosuch()]", "The template function 'nosuch' is not valid"},
    {"[concat('a']", "expected token 'Comma' and actual 'EndOfData'"},
    {"[concat('a' 'b')]", "expected token 'Comma'"},
    {"[concat('a)]", "not terminated"},
    {"[concat]", "expected token 'LeftParenthesis' and actual 'EndOfData'"},
    {"[ ]", "expected token 'Identifier' and actual 'EndOfData'"},
    {"[concat('a') + 1]", "the string character '+' at position"},
    {"[concat('a'){}]", "the string character '{' at position '11' is not expected"},
    {"[parameters('obj').nosuch]", "The language expression property 'nosuch' doesn't exist, available "
                                   "properties are 'one, two, Three, nested'."},
    {"[parameters('list')[9]]", "The language expression property array index '9' is out of bounds."},
    {"[parameters('text').x]", "can't be evaluated: the value is of type 'String'"},
    {"[parameters('text')[0]]", "can't be indexed"},
    {"[1.2.3]", "is not a number"},
};

START_TEST(test_functions__refuse)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    struct sb_error err = {0};
    const struct tv *v = run(t, bad[_i].expression, &err);
    ck_assert_msg(v == NULL, "%s gave %s", bad[_i].expression, v ? session_json(t, v) : "");
    ck_assert_msg(strstr(tmpl_fault(t)->message, bad[_i].why) != NULL, "%s\nsaid %s\nnot  %s",
                  bad[_i].expression, tmpl_fault(t)->message, bad[_i].why);
    ck_assert_str_eq(tmpl_fault(t)->code, "InvalidTemplate");
    tmpl_free(t);
}
END_TEST

/* Is `name(` somewhere in a row? */
static bool called(const char *expression, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = expression; (p = strstr(p, name)); p += n) {
        if (p[n] == '(' &&
            (p == expression || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", p[-1])))
            return true;
    }
    return false;
}

START_TEST(test_functions__each_has_rows)
{
    for (size_t i = 0; tmpl_function_name(i); i++) {
        const char *name = strcmp(tmpl_function_name(i), "list*") ? tmpl_function_name(i) : "listKeys";
        bool gives = called(frame, name) || strcmp(name, "managementGroup") == 0,
             refuses = strcmp(name, "createArray") == 0;
        for (size_t k = 0; k < SB_ARRAY_LEN(good); k++)
            gives |= called(good[k].expression, name);
        for (size_t k = 0; k < SB_ARRAY_LEN(bad); k++)
            refuses |= called(bad[k].expression, name);
        ck_assert_msg(gives || strcmp(name, "fail") == 0, "no row shows what %s gives", name);
        ck_assert_msg(refuses, "no row shows how %s fails", name);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("template functions");
    TCase *c = tcase_create("rows");
    tcase_add_loop_test(c, test_functions__give, 0, (int)SB_ARRAY_LEN(good));
    tcase_add_loop_test(c, test_functions__refuse, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_test(c, test_functions__each_has_rows);
    suite_add_tcase(s, c);
    return s;
}
