/*
 * test_template.c: whole templates: sections, parameters, variables, copies, children, conditions,
 * dependencies and their order, bodies, nested deployments, outputs, secrets, and what must be refused
 * quickly.
 */
#include "tests/unit/api/template_fixture.h"

#define NAMESPACE(name, more)                                                                                \
    "{'type': 'Microsoft.ServiceBus/namespaces', 'apiVersion': '2021-11-01', 'name': '" name "'" more "}"

/* The names in execution order, one blank between. */
static const char *order(struct tmpl *t)
{
    char *text = arena_strdup(tmpl_arena(t), "");
    for (size_t k = 0; k < tmpl_count(t); k++)
        text = arena_printf(tmpl_arena(t), "%s%s%s", text, k ? " " : "", tmpl_at(t, k)->name);
    return text;
}

static const char *body(struct tmpl *t, size_t index, enum tmpl_when when)
{
    const struct tv *v = NULL;
    enum sb_err rc = tmpl_body(t, tmpl_resource(t, index), when, &v, NULL);
    ck_assert_msg(rc == SB_OK, "%s", tmpl_fault(t)->message);
    return session_json(t, v);
}

static const char *outputs(struct tmpl *t)
{
    const struct tmpl_output *o = NULL;
    size_t n = 0;
    struct sb_buf b;
    struct jw w;
    enum sb_err rc = tmpl_outputs(t, &o, &n, NULL);
    ck_assert_msg(rc == SB_OK, "%s", tmpl_fault(t)->message);
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    tmpl_write_outputs(o, n, &w, NULL);
    const char *text = arena_strdup(tmpl_arena(t), buf_str(&b));
    buf_done(&b);
    return text;
}

static const char *parameters(struct tmpl *t)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    tmpl_write_parameters(t, &w, NULL);
    const char *text = arena_strdup(tmpl_arena(t), buf_str(&b));
    buf_done(&b);
    return text;
}

/* ---- the article's own templates ---- */

static const char *file(const char *path)
{
    static char text[16384];
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

START_TEST(test_template__article)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    const struct tv *template =
        session_read(t, file("fixtures/article/UpdateServiceBusNamespaceWithEncryption.json"));
    const struct tv *given =
        session_read(t, file("fixtures/article/UpdateServiceBusNamespaceWithEncryptionParams.json"));
    ck_assert_int_eq(tmpl_load(t, template, given, NULL), SB_OK);
    ck_assert_uint_eq(tmpl_count(t), 1);
    const struct tmpl_resource *r = tmpl_at(t, 0);
    ck_assert_str_eq(r->id, GROUP "/providers/Microsoft.ServiceBus/namespaces/<ServiceBusNamespaceName>");
    ck_assert_str_eq(r->location, "<Location>");
    ck_assert_str_eq(r->api_version, "2018-01-01-preview");
    ck_assert_str_eq(
        body(t, 0, TMPL_RUN),
        "{\"location\":\"<Location>\",\"identity\":{\"type\":\"SystemAssigned\"},\"sku\":{\"name\":"
        "\"Premium\","
        "\"tier\":\"Premium\",\"capacity\":1},\"properties\":{\"encryption\":{\"keySource\":"
        "\"Microsoft.KeyVault\",\"keyVaultProperties\":[{\"keyName\":\"<KeyName>\",\"keyVaultUri\":"
        "\"https://<KeyVaultName>.vault.azure.net\"}]}}}");
    tmpl_free(t);
}
END_TEST

/* ---- parameters ---- */

static const struct {
    const char *members, *given, *why;
} bad_parameters[] = {
    {"'parameters': {'a': {'type': 'string'}}", NULL,
     "The value for the template parameter 'a' at line '1' and column '67' is not provided. Please see "
     "https://aka.ms/arm-create-parameter-file for usage details."},
    {"'parameters': {'a': {'type': 'string'}, 'b': {'type': 'int'}}",
     "{'c': {'value': 1}, 'd': {'value': 1}}",
     "The template parameters 'c, d' in the parameters file are not valid; they are not present in the "
     "original template and "
     "can therefore not be provided at deployment time. The only supported parameters for this template are "
     "'a, b'."},
    {"'parameters': {'a': {'type': 'string'}}", "{'a': {'value': 1}}",
     "Expected 'String, Uri'. Actual 'Integer'."},
    {"'parameters': {'a': {'type': 'int'}}", "{'a': {'value': '1'}}", "Expected 'Integer'. Actual 'String'."},
    {"'parameters': {'a': {'type': 'int'}}", "{'a': {'value': 1.5}}", "Expected 'Integer'. Actual 'Float'."},
    {"'parameters': {'a': {'type': 'bool'}}", "{'a': {'value': 'true'}}",
     "Expected 'Boolean'. Actual 'String'."},
    {"'parameters': {'a': {'type': 'object'}}", "{'a': {'value': []}}", "Expected 'Object'. Actual 'Array'."},
    {"'parameters': {'a': {'type': 'array'}}", "{'a': {'value': {}}}", "Expected 'Array'. Actual 'Object'."},
    {"'parameters': {'a': {'type': 'secureObject'}}", "{'a': {'value': 'x'}}",
     "Expected 'Object'. Actual 'String'."},
    {"'parameters': {'a': {'type': 'string', 'allowedValues': ['x', 'y']}}", "{'a': {'value': 'z'}}",
     "The provided value 'z' for the template parameter 'a' at line '1' and column '67' is not valid. The "
     "parameter value is "
     "not part of the allowed value(s): 'x,y'."},
    {"'parameters': {'a': {'type': 'securestring', 'allowedValues': ['x']}}", "{'a': {'value': 'zzz'}}",
     "The provided value for the template parameter 'a'"},
    {"'parameters': {'a': {'type': 'string', 'minLength': 3}}", "{'a': {'value': 'ab'}}",
     "Length of the value should be greater than or equal to '3'."},
    {"'parameters': {'a': {'type': 'string', 'maxLength': 3}}", "{'a': {'value': 'abcd'}}",
     "Length of the value should be less than or equal to '3'."},
    {"'parameters': {'a': {'type': 'array', 'minLength': 1}}", "{'a': {'value': []}}",
     "greater than or equal to '1'"},
    {"'parameters': {'a': {'type': 'int', 'minValue': 3}}", "{'a': {'value': 2}}",
     "The value should be greater than or equal to '3'."},
    {"'parameters': {'a': {'type': 'int', 'maxValue': 3}}", "{'a': {'value': 4}}",
     "less than or equal to '3'"},
    {"'parameters': {'a': {'type': 'text'}}", "{'a': {'value': 'x'}}", "missing or not supported"},
    {"'parameters': {'a': {}}", NULL, "missing or not supported"},
    {"'parameters': {'a': 1}", NULL, "Expected 'Object'. Actual 'Integer'."},
    {"'parameters': []", NULL, "The template section 'parameters'"},
    {"'parameters': {'a': {'type': 'string', 'defaultValue': '[parameters(\\'a\\')]'}}", NULL,
     "depends on itself"},
    {"'parameters': {'a': {'type': 'string', 'defaultValue': '[parameters(\\'b\\')]'}, 'b': {'type': "
     "'string', "
     "'defaultValue': '[parameters(\\'a\\')]'}}",
     NULL, "depends on itself"},
    {"'parameters': {'a': {'type': 'string', 'defaultValue': '[variables(\\'v\\')]'}}, 'variables': {'v': 1}",
     NULL, "The template function 'variables' is not expected at this location."},
    {"'parameters': {'a': {'type': 'int', 'defaultValue': '[concat(\\'x\\')]'}}", NULL,
     "Expected 'Integer'. Actual 'String'."},
    {"'parameters': {'a': {'type': 'securestring'}}",
     "{'a': {'reference': {'keyVault': {'id': '/v'}, 'secretName': 'missing'}}}",
     "The secret of KeyVault parameter 'a' cannot be retrieved."},
    {"'parameters': {'a': {'type': 'securestring'}}", "{'a': {'reference': {'secretName': 'x'}}}",
     "'keyVault.id'"},
    /* types of languageVersion 2.0 */
    {"'definitions': {'t': {'type': 'int', 'maxValue': 3}}, 'parameters': {'a': {'$ref': '#/definitions/t'}}",
     "{'a': {'value': 4}}", "less than or equal to '3'"},
    {"'parameters': {'a': {'$ref': '#/definitions/none'}}", "{'a': {'value': 4}}", "is not defined"},
    {"'definitions': {'t': {'$ref': '#/definitions/t'}}, 'parameters': {'a': {'$ref': '#/definitions/t'}}",
     "{'a': {'value': 4}}", "refers to itself"},
    {"'parameters': {'a': {'type': 'object', 'properties': {'x': {'type': 'int'}}}}", "{'a': {'value': {}}}",
     "missing the required property 'x'"},
    {"'parameters': {'a': {'type': 'object', 'properties': {'x': {'type': 'int'}}}}",
     "{'a': {'value': {'x': 'y'}}}", "The value of 'x' is not valid. Expected 'Integer'"},
    {"'parameters': {'a': {'type': 'object', 'properties': {}, 'additionalProperties': false}}",
     "{'a': {'value': {'x': 1}}}", "The property 'x' of 'a' is not allowed."},
    {"'parameters': {'a': {'type': 'object', 'additionalProperties': {'type': 'bool'}}}",
     "{'a': {'value': {'x': 1}}}", "Expected 'Boolean'"},
    {"'parameters': {'a': {'type': 'array', 'items': {'type': 'int'}}}", "{'a': {'value': [1, 'x']}}",
     "Expected 'Integer'"},
    {"'parameters': {'a': {'type': 'array', 'prefixItems': [{'type': 'int'}], 'items': false}}",
     "{'a': {'value': [1, 2]}}", "at most '1' elements"},
    {"'parameters': {'a': {'type': 'object', 'discriminator': {'propertyName': 'kind', 'mapping': {'k': "
     "{'type': 'object', "
     "'properties': {'kind': {'type': 'string'}, 'n': {'type': 'int'}}}}}}}",
     "{'a': {'value': {'kind': 'k', 'n': 'x'}}}", "Expected 'Integer'"},
    {"'parameters': {'a': {'type': 'object', 'discriminator': {'propertyName': 'kind', 'mapping': {}}}}",
     "{'a': {'value': {'kind': 'other'}}}", "does not name a known variant"},
};

START_TEST(test_template__refuses_parameters)
{
    session_refused(bad_parameters[_i].members, bad_parameters[_i].given, bad_parameters[_i].why);
}
END_TEST

START_TEST(test_template__parameters)
{
    struct tmpl *t = session_load(
        "'parameters': {'a': {'type': 'string'}, 'b': {'type': 'int', 'defaultValue': 3}, 'c': {'type': "
        "'SecureString'},"
        " 'd': {'type': 'string', 'nullable': true}, 'e': {'type': 'array', 'allowedValues': ['x', 'y']},"
        " 'f': {'type': 'string', 'defaultValue': '[concat(parameters(\\'A\\'), \\'!\\')]'}, 'g': {'type': "
        "'securestring'}}",
        "{'$schema': 's', 'contentVersion': '1.0.0.0', 'parameters': {'a': {'value': '[literal]'}, 'B': "
        "{'value': null}, 'c': "
        "{'value': 'hidden'}, 'e': {'value': ['y']}, 'g': {'reference': {'keyVault': {'id': '/v'}, "
        "'secretName': 's'}}}}");
    ck_assert_str_eq(
        parameters(t),
        "{\"a\":{\"type\":\"String\",\"value\":\"[literal]\"},\"b\":{\"type\":\"Int\",\"value\":3},\"c\":{"
        "\"type\":"
        "\"SecureString\"},\"d\":{\"type\":\"String\",\"value\":null},\"e\":{\"type\":\"Array\",\"value\":["
        "\"y\"]},"
        "\"f\":{\"type\":\"String\",\"value\":\"[literal]!\"},\"g\":{\"type\":\"SecureString\",\"reference\":"
        "{\"keyVault\":{\"id\":\"/v\"},\"secretName\":\"s\"}}}");
    const struct tmpl_parameter *p = NULL;
    ck_assert_uint_eq(tmpl_parameters(t, &p), 7);
    ck_assert(p[2].secure && p[6].secure && !p[0].secure);
    ck_assert_str_eq(tv_text(p[6].value), "secret of s in /v at newest");
    tmpl_free(t);
}
END_TEST

/* Where a failure is: line, position and path of the recorded answer to the same template. */
START_TEST(test_template__says_where)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    const struct tv *v = session_read(t, "{\"$schema\": \"s\",\n \"contentVersion\": \"1.0.0.0\",\n "
                                         "\"parameters\": {\n    \"extra_param\": {\n      \"type\": "
                                         "\"string\"\n    }\n  },\n \"resources\": []\n}");
    ck_assert_int_eq(tmpl_load(t, v, NULL, NULL), SB_ETEMPLATE);
    const struct tmpl_fault *f = tmpl_fault(t);
    ck_assert(f->has_place);
    ck_assert_uint_eq(f->line, 4);
    ck_assert_uint_eq(f->position, 20);
    ck_assert_str_eq(f->path, "properties.template.parameters.extra_param");
    ck_assert_str_eq(
        f->message,
        "Deployment template validation failed: 'The value for the template parameter 'extra_param' at line "
        "'4' "
        "and column '20' is not provided. Please see https://aka.ms/arm-create-parameter-file for usage "
        "details.'.");
    tmpl_free(t);
}
END_TEST

/* A secret is in no message, whatever function quotes it. */
START_TEST(test_template__hides_secrets)
{
    struct tmpl *t = session_load("'parameters': {'pw': {'type': 'securestring'}}, 'resources': [" NAMESPACE(
                                      "n", ", 'properties': {'p': '[parameters(\\'pw\\')]', 'q': "
                                           "'[reference(parameters(\\'pw\\'))]'}") "]",
                                  "{'pw': {'value': 'Hunter2!'}}");
    const struct tv *v = NULL;
    struct sb_error err = {0};
    ck_assert_int_eq(tmpl_body(t, tmpl_resource(t, 0), TMPL_RUN, &v, &err), SB_ETEMPLATE);
    ck_assert_ptr_null(strstr(tmpl_fault(t)->message, "Hunter2!"));
    ck_assert_ptr_null(strstr(err.detail, "Hunter2!"));
    ck_assert_ptr_nonnull(strstr(err.detail, "********"));
    tmpl_free(t);
}
END_TEST

/* What is kept of a body lacks secrets, parts of secure objects too; short ones only where they stand alone.
 */
START_TEST(test_template__keeps_no_secret)
{
    struct tmpl *t = session_load(
        "'parameters': {'o': {'type': 'secureObject'}}, 'resources': [" NAMESPACE(
            "n",
            ", 'properties': {'all': '[parameters(\\'o\\')]', 'text': '[concat(\\'x\\', "
            "parameters(\\'o\\').list[0].word)]', "
            "'pin': '[parameters(\\'o\\').pin]', 'short': '[parameters(\\'o\\').short]', 'longer': 'abc', "
            "'yes': true}") "]",
        "{'o': {'value': {'list': [{'word': 'Hunter2!'}], 'pin': 4711, 'short': 'ab', 'yes': true}}}");
    const struct tv *v = NULL;
    ck_assert_int_eq(tmpl_body(t, tmpl_resource(t, 0), TMPL_RUN, &v, NULL), SB_OK);
    ck_assert_str_eq(session_json(t, tmpl_public(t, v)),
                     "{\"properties\":{\"longer\":\"abc\",\"yes\":true}}");
    tmpl_free(t);
    t = session_load("'parameters': {'o': {'type': 'secureObject'}}, 'resources': [" NAMESPACE(
                         "n", ", 'properties': {'q': '[reference(parameters(\\'o\\').word)]'}") "]",
                     "{'o': {'value': {'word': 'Hunter2!'}}}");
    ck_assert_int_eq(tmpl_body(t, tmpl_resource(t, 0), TMPL_RUN, &v, NULL), SB_ETEMPLATE);
    ck_assert_ptr_null(strstr(tmpl_fault(t)->message, "Hunter2!"));
    tmpl_free(t);
}
END_TEST

/* ---- variables and functions ---- */

static const struct {
    const char *members, *why;
} bad_sections[] = {
    {"'variables': {'a': '[variables(\\'a\\')]'}", "Circular dependency"},
    {"'variables': {'a': '[variables(\\'b\\')]', 'b': '[variables(\\'a\\')]'}", "Circular dependency"},
    {"'variables': {'a': '[reference(\\'x\\')]'}",
     "The template function 'reference' is not expected at this location."},
    {"'variables': {'copy': [{'name': 'a', 'count': 2}]}", "a copy definition needs"},
    {"'variables': {'copy': [{'name': 'a', 'count': -1, 'input': 1}]}", "invalid copy count"},
    {"'variables': {'copy': [{'name': 'a', 'count': 1000000000, 'input': 1}]}", "cannot exceed '10000'"},
    {"'variables': 5", "The template section 'variables'"},
    {"'functions': {}", "Expected 'Array'. Actual 'Object'."},
    {"'functions': [{'namespace': 'a'}]", "each needs 'namespace' and 'members'"},
    {"'functions': [{'namespace': 'a', 'members': {'f': {}}}]", "it needs 'output.value'"},
    {"'functions': [{'namespace': 'a', 'members': {'f': {'output': {'type': 'string', 'value': "
     "'[variables(\\'v\\')]'}}}}], "
     "'variables': {'v': '1', 'w': '[a.f()]'}",
     "'variables' is not expected at this location"},
    {"'functions': [{'namespace': 'a', 'members': {'f': {'output': {'type': 'string', 'value': "
     "'[a.f()]'}}}}], "
     "'variables': {'w': '[a.f()]'}",
     "'a.f' is not valid"},
    {"'functions': [{'namespace': 'a', 'members': {'f': {'output': {'type': 'int', 'value': 'x'}}}}], "
     "'variables': {'w': "
     "'[a.f()]'}",
     "Expected 'Integer'. Actual 'String'."},
    {"'asserts': {'ok': true, 'low': '[less(2, 1)]'}", "The template assertions 'low' evaluated to false."},
    {"'asserts': {'low': 1}", "an assertion must give a boolean"},
    {"'resources': 5", "The template section 'resources'"},
    {"'resources': [5]", "Expected 'Object'. Actual 'Integer'."},
    {"'resources': [{'type': 'a.b/c', 'name': 'x'}]", "The 'apiVersion' property is missing"},
    {"'resources': [{'apiVersion': '1', 'name': 'x'}]", "The 'type' property is missing"},
    {"'resources': [{'type': 'a.b/c', 'apiVersion': '1'}]", "The 'name' property is missing"},
    {"'resources': [{'type': 'a.b/c', 'apiVersion': '1', 'name': 5}]",
     "The 'name' property is missing or of the wrong type"},
    {"'resources': [{'type': 'a.b/c', 'apiVersion': '1', 'name': 'x/y'}]",
     "The template resource 'x/y' for type 'a.b/c' at line '1' and column '61' has incorrect segment "
     "lengths."},
    {"'resources': [{'type': 'a.b/c', 'apiVersion': '1', 'name': ''}]", "incorrect segment lengths"},
    {"'resources': [{'type': 'a.b', 'apiVersion': '1', 'name': 'x'}]", "incorrect segment lengths"},
    {"'resources': [{'type': 'a.b/c', 'apiVersion': '1', 'name': '[reference(\\'y\\').z]'}]",
     "'reference' is not expected at this location"},
    {"'resources': [{'type': 'a.b/c', 'apiVersion': '1', 'name': 'x', 'condition': 5}]",
     "The 'condition' property"},
    {"'resources': [" NAMESPACE("x", "") "," NAMESPACE("X", "") "]",
     "The resource 'Microsoft.ServiceBus/namespaces/X' at line '1' and column '146' is defined multiple "
     "times in a template."},
    {"'resources': [" NAMESPACE("x", ", 'dependsOn': ['nosuch']") "]",
     "The resource 'nosuch' is not defined in the template."},
    {"'resources': [" NAMESPACE("x", ", 'dependsOn': 'nosuch'") "]", "The 'dependsOn' property"},
    {"'resources': [" NAMESPACE("x", ", 'dependsOn': ['x']") "]",
     "Circular dependency detected on resource: '" GROUP
     "/providers/Microsoft.ServiceBus/namespaces/x'. Please see "
     "https://aka.ms/arm-syntax-resources for usage details."},
    {"'resources': [" NAMESPACE("x", ", 'dependsOn': ['y']") "," NAMESPACE("y",
                                                                           ", 'properties': {'a': "
                                                                           "'[reference(\\'x\\').b]'}") "]",
     "Circular dependency"},
    {"'resources': [" NAMESPACE("x", ", 'copy': {'name': 'c', 'count': 0.5}") "]", "invalid copy count"},
    {"'resources': [" NAMESPACE("x", ", 'copy': {'count': 1}") "]", "needs a name and a count"},
    {"'resources': [" NAMESPACE("[concat(\\'x\\', copyIndex())]",
                                ", 'copy': {'name': 'c', 'count': 2, 'mode': 'serial', 'batchSize': 3}") "]",
     "has an invalid copy batch size. The copy batch size must be a non-negative integer value and cannot "
     "exceed the copy "
     "count '2'."},
    {"'resources': [" NAMESPACE("x", ", 'copy': {'name': 'c', 'count': 1000000000}") "]",
     "cannot exceed '10000'"},
};

START_TEST(test_template__refuses_sections)
{
    session_refused(bad_sections[_i].members, NULL, bad_sections[_i].why);
}
END_TEST

START_TEST(test_template__needs_its_head)
{
    static const char *const rows[][2] = {
        {"[]", "Expected 'Object'. Actual 'Array'."},
        {"{'contentVersion': '1', 'resources': []}", "'$schema' is missing"},
        {"{'$schema': 's', 'resources': []}", "'contentVersion' is missing"},
        {"{'$schema': 's', 'contentVersion': '1'}", "'resources' is missing"},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct tmpl *t = session_new(TMPL_GROUP);
        ck_assert_int_eq(tmpl_load(t, session_read(t, rows[i][0]), NULL, NULL), SB_ETEMPLATE);
        ck_assert_msg(strstr(tmpl_fault(t)->message, rows[i][1]) != NULL, "%s", tmpl_fault(t)->message);
        tmpl_free(t);
    }
}
END_TEST

/* ---- resources ---- */

START_TEST(test_template__order)
{
    struct tmpl *t = session_load(
        "'resources': [" NAMESPACE("a", ", 'dependsOn': ['loop', 'b']") "," NAMESPACE(
            "b",
            ", "
            "'dependsOn': "
            "['["
            "resourceId("
            "\\'Microsoft."
            "ServiceBus/"
            "namespaces\\'"
            ", "
            "\\'d\\')]']") "," NAMESPACE("[concat(\\'c\\', copyIndex())]",
                                         ", 'copy': {'name': 'loop', 'count': "
                                         "2}") "," NAMESPACE("d",
                                                             ", 'dependsOn': "
                                                             "['Microsoft."
                                                             "ServiceBus/"
                                                             "namespaces/"
                                                             "e']") "," NAMESPACE("e",
                                                                                  "") "," NAMESPACE("f",
                                                                                                    ", "
                                                                                                    "'conditi"
                                                                                                    "on': "
                                                                                                    "false") "," NAMESPACE("g",
                                                                                                                           ", 'dependsOn': ['f']") "]",
        NULL);
    ck_assert_str_eq(order(t), "c0 c1 e d b a f g");
    const struct tmpl_resource *a = tmpl_resource(t, 0);
    ck_assert_uint_eq(a->depends_n, 2);
    ck_assert(a->depends[0].first == 2 && a->depends[0].n == 2 && a->depends[1].first == 1);
    ck_assert(!tmpl_resource(t, 6)->condition);
    ck_assert_uint_eq(tmpl_resource(t, 3)->copy_index, 1);
    tmpl_free(t);
}
END_TEST

/* By reference: names make a dependency, ids don't; the branch of an if that is not taken does. */
START_TEST(test_template__order_by_reference)
{
    struct tmpl *t = session_load(
        "'resources': [" NAMESPACE(
            "a",
            ", 'properties': {'x': '[if(true(), 1, "
            "reference(\\'b\\').y)]'}") "," NAMESPACE("b",
                                                      ", 'tags': "
                                                      "{'k': "
                                                      "'[listKeys("
                                                      "\\'c\\', "
                                                      "\\'1\\').x]'"
                                                      "}") "," NAMESPACE("c",
                                                                         ", 'properties': {'x': "
                                                                         "'[reference(resourceId(\\'"
                                                                         "Microsoft.ServiceBus/"
                                                                         "namespaces\\', "
                                                                         "\\'d\\')).z]'}") "," NAMESPACE("d",
                                                                                                         "") "]",
        NULL);
    ck_assert_str_eq(order(t), "c b a d");
    tmpl_free(t);
}
END_TEST

START_TEST(test_template__serial_batches)
{
    struct tmpl *t =
        session_load("'resources': [" NAMESPACE("[concat(\\'c\\', copyIndex(1))]",
                                                ", 'copy': {'name': 'loop', 'count': 5, 'mode': 'Serial', "
                                                "'batchSize': 2}") "]",
                     NULL);
    static const size_t batches[] = {0, 0, 1, 1, 2};
    for (size_t i = 0; i < 5; i++) {
        const struct tmpl_resource *r = tmpl_resource(t, i);
        ck_assert_uint_eq(r->batch, batches[i]);
        ck_assert_uint_eq(r->depends_n, batches[i] > 0);
        if (batches[i] > 0)
            ck_assert(r->depends[0].first == (batches[i] - 1) * 2 && r->depends[0].n == 2);
    }
    ck_assert_str_eq(tmpl_resource(t, 4)->name, "c5");
    tmpl_free(t);
}
END_TEST

/* Children: names completed, no dependency of their own making; scopes of every kind. */
START_TEST(test_template__children_and_scopes)
{
    static const struct {
        const char *name, *id;
    } rows[] = {
        {"n", GROUP "/providers/Microsoft.ServiceBus/namespaces/n"},
        {"n/q", GROUP "/providers/Microsoft.ServiceBus/namespaces/n/queues/q"},
        {"n/q/r", GROUP "/providers/Microsoft.ServiceBus/namespaces/n/queues/q/authorizationRules/r"},
        {"lock",
         GROUP "/providers/Microsoft.ServiceBus/namespaces/n/providers/Microsoft.Authorization/locks/lock"},
        {"far", "/subscriptions/other/resourceGroups/there/providers/Microsoft.Resources/deployments/far"},
        {"up", "/subscriptions/" SUB "/resourceGroups/there/providers/Microsoft.Resources/deployments/up"},
        {"root", "/providers/Microsoft.Resources/deployments/root"},
        {"n/Microsoft.Insights/d",
         GROUP "/providers/Microsoft.ServiceBus/namespaces/n/providers/Microsoft.Insights/diag/d"},
    };
    struct tmpl *t =
        session_load("'resources': [" NAMESPACE("n", ", 'resources': [{'type': 'queues', 'apiVersion': '1', "
                                                     "'name': 'q', 'resources': [{'type': "
                                                     "'authorizationRules', 'apiVersion': '1', 'name': "
                                                     "'r'}]}]") ","
                                                                "{'type': 'Microsoft.Authorization/locks', "
                                                                "'apiVersion': '1', 'name': 'lock', 'scope': "
                                                                "'Microsoft.ServiceBus/namespaces/n'},"
                                                                "{'type': 'Microsoft.Resources/deployments', "
                                                                "'apiVersion': '1', 'name': 'far', "
                                                                "'subscriptionId': 'other', "
                                                                "'resourceGroup': 'there'},"
                                                                "{'type': 'Microsoft.Resources/deployments', "
                                                                "'apiVersion': '1', 'name': 'up', "
                                                                "'resourceGroup': 'there'},"
                                                                "{'type': 'Microsoft.Resources/deployments', "
                                                                "'apiVersion': '1', 'name': 'root', 'scope': "
                                                                "'/'},"
                                                                "{'type': "
                                                                "'Microsoft.ServiceBus/namespaces/providers/"
                                                                "diag', 'apiVersion': '1', 'name': "
                                                                "'n/Microsoft.Insights/d'}]",
                     NULL);
    ck_assert_uint_eq(tmpl_count(t), SB_ARRAY_LEN(rows));
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        ck_assert_str_eq(tmpl_at(t, i)->name, rows[i].name);
        ck_assert_str_eq(tmpl_at(t, i)->id, rows[i].id);
        ck_assert_uint_eq(tmpl_at(t, i)->depends_n, 0);
    }
    tmpl_free(t);
}
END_TEST

START_TEST(test_template__subscription_scope)
{
    struct tmpl *t = session_new(TMPL_SUBSCRIPTION);
    const struct tv *v = session_template(
        t, "'resources': [{'type': 'Microsoft.Resources/resourceGroups', 'apiVersion': '2021-04-01', 'name': "
           "'g', 'location': "
           "'[deployment().location]'}, {'type': 'Microsoft.Authorization/policyAssignments', 'apiVersion': "
           "'1', 'name': 'p', "
           "'dependsOn': ['[resourceId(\\'Microsoft.Resources/resourceGroups\\', \\'g\\')]']}]");
    ck_assert_msg(tmpl_load(t, v, NULL, NULL) == SB_OK, "%s", tmpl_fault(t)->message);
    ck_assert_str_eq(tmpl_at(t, 0)->id, "/subscriptions/" SUB "/resourceGroups/g");
    ck_assert_str_eq(tmpl_at(t, 0)->location, "westeurope");
    ck_assert_str_eq(tmpl_at(t, 1)->id,
                     "/subscriptions/" SUB "/providers/Microsoft.Authorization/policyAssignments/p");
    ck_assert_uint_eq(tmpl_at(t, 1)->depends_n, 1);
    tmpl_free(t);
    /* recorded: the name is shouted */
    t = session_new(TMPL_SUBSCRIPTION);
    v = session_template(
        t, "'resources': [{'type': 'Microsoft.Resources/resourceGroups', 'apiVersion': '1', 'name': "
           "'[resourceGroup().name]'}]");
    ck_assert_int_eq(tmpl_load(t, v, NULL, NULL), SB_ETEMPLATE);
    ck_assert_ptr_nonnull(strstr(tmpl_fault(t)->message,
                                 "is not valid: The template function 'RESOURCEGROUP' is not expected "
                                 "at this location. Please see "
                                 "https://aka.ms/arm-template-expressions for usage details.. Please "
                                 "see https://aka.ms/arm-template-expressions for usage details.'."));
    tmpl_free(t);
}
END_TEST

START_TEST(test_template__management_scopes)
{
    static const struct {
        enum tmpl_scope scope;
        const char *id;
    } rows[] = {
        {TMPL_MANAGEMENT_GROUP,
         "/providers/Microsoft.Management/managementGroups/mg/providers/Microsoft.X/y/z"},
        {TMPL_TENANT, "/providers/Microsoft.X/y/z"},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct tmpl *t = session_new(rows[i].scope);
        const struct tv *v = session_template(
            t, "'resources': [{'type': 'Microsoft.X/y', 'apiVersion': '1', 'name': 'z'}], 'outputs': {'m': "
               "{'type': 'string', 'value': '[managementGroup().name]'}}");
        ck_assert_int_eq(tmpl_load(t, v, NULL, NULL), SB_OK);
        ck_assert_str_eq(tmpl_at(t, 0)->id, rows[i].id);
        const struct tmpl_output *o = NULL;
        size_t n = 0;
        ck_assert_int_eq(tmpl_outputs(t, &o, &n, NULL), rows[i].scope == TMPL_TENANT ? SB_ETEMPLATE : SB_OK);
        tmpl_free(t);
    }
}
END_TEST

START_TEST(test_template__symbolic_names)
{
    struct tmpl *t = session_load(
        "'languageVersion': '2.0', 'resources': {"
        "'vault': {'existing': true, 'type': 'Microsoft.KeyVault/vaults', 'apiVersion': '2022-07-01', "
        "'name': 'kv', "
        "'resourceGroup': 'keys'},"
        "'queue': {'type': 'Microsoft.ServiceBus/namespaces/queues', 'apiVersion': '1', 'name': 'n0/q', "
        "'dependsOn': ['ns'], "
        "'properties': {'u': '[reference(\\'vault\\').id]', 'v': '[resourceInfo(\\'ns[1]\\').id]'}},"
        "'ns': {'type': 'Microsoft.ServiceBus/namespaces', 'apiVersion': '1', 'name': '[concat(\\'n\\', "
        "copyIndex())]', "
        "'copy': {'name': 'nsCopy', 'count': 2}}}",
        NULL);
    ck_assert_str_eq(order(t), "kv n0 n1 n0/q");
    ck_assert(tmpl_at(t, 0)->existing);
    ck_assert_str_eq(tmpl_at(t, 2)->symbol, "ns[1]");
    ck_assert_str_eq(body(t, 1, TMPL_RUN),
                     "{\"properties\":{\"u\":\"/subscriptions/" SUB
                     "/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/kv\",\"v\":\"" GROUP
                     "/providers/Microsoft.ServiceBus/namespaces/n1\"}}");
    tmpl_free(t);
}
END_TEST

START_TEST(test_template__bodies)
{
    struct tmpl *t = session_load(
        "'parameters': {'tag': {'type': 'string', 'defaultValue': 'env'}},"
        "'resources': [" NAMESPACE(
            "[concat(\\'n\\', copyIndex())]",
            ", 'copy': {'name': 'c', 'count': 2}, 'comments': 'x', 'location': 'West US', 'tags': "
            "{'[parameters(\\'tag\\')]': "
            "'t', 'plain': '[[esc]'}, 'identity': {'[parameters(\\'tag\\')]': {}}, 'properties': {'copy': "
            "[{'name': 'rules', 'count': '[add(copyIndex(), 1)]', 'input': "
            "{'i': '[copyIndex(\\'rules\\')]', 'c': '[copyIndex(\\'c\\')]'}}], 'ref': "
            "'[reference(\\'/subscriptions/s\\', \\'1\\').id]', 'sum': '[add(1, 2)]'}") "]",
        NULL);
    ck_assert_str_eq(
        body(t, 1, TMPL_RUN),
        "{\"location\":\"West US\",\"tags\":{\"env\":\"t\",\"plain\":\"[esc]\"},\"identity\":{\"env\":{}},"
        "\"properties\":{\"rules\":[{\"i\":0,"
        "\"c\":1},{\"i\":1,\"c\":1}],\"ref\":\"/subscriptions/s\",\"sum\":3}}");
    /* before: what needs run time stays as written */
    ck_assert_ptr_nonnull(
        strstr(body(t, 0, TMPL_BEFORE), "\"ref\":\"[reference('/subscriptions/s', '1').id]\",\"sum\":3"));
    ck_assert_str_eq(tmpl_resource(t, 0)->location, "West US");
    tmpl_free(t);
}
END_TEST

START_TEST(test_template__body_fails)
{
    struct tmpl *t =
        session_load("'resources': [" NAMESPACE(
                         "n", ", 'properties': {'x': '[reference(\\'/subscriptions/s/missing\\').id]'}") "]",
                     NULL);
    const struct tv *v = NULL;
    ck_assert_int_eq(tmpl_body(t, tmpl_resource(t, 0), TMPL_RUN, &v, NULL), SB_ETEMPLATE);
    ck_assert_ptr_null(v);
    ck_assert_str_eq(
        tmpl_fault(t)->message,
        "Unable to process template language expressions for resource '" GROUP
        "/providers/Microsoft.ServiceBus/namespaces/n' at line '1' and column '61'. 'The Resource "
        "'/subscriptions/s/missing' was not found.'");
    tmpl_free(t);
}
END_TEST

/* ---- nested deployments ---- */

#define NESTED(more, scope)                                                                                  \
    "'parameters': {'who': {'type': 'string', 'defaultValue': 'outer'}}, 'variables': {'v': 'outer-v'}, "    \
    "'resources': "                                                                                          \
    "[{'type': 'Microsoft.Resources/deployments', 'apiVersion': '2022-09-01', 'name': 'inner1'" more         \
    ", 'properties': {'mode': 'Incremental', 'expressionEvaluationOptions': {'scope': '" scope               \
    "'}, 'parameters': {'who': {'value': '[concat(parameters(\\'who\\'), \\'!\\')]'}}, 'template': "         \
    "{'$schema': 's', "                                                                                      \
    "'contentVersion': '1.0.0.0', 'parameters': {'who': {'type': 'string', 'defaultValue': 'inner'}}, "      \
    "'variables': "                                                                                          \
    "{'v': 'inner-v'}, 'resources': [{'type': 'Microsoft.X/y', 'apiVersion': '1', 'name': "                  \
    "'[concat(\\'z\\', "                                                                                     \
    "copyIndex())]', 'copy': {'name': 'c', 'count': 2}, 'properties': {'p': '[parameters(\\'who\\')]', "     \
    "'v': "                                                                                                  \
    "'[variables(\\'v\\')]'}}]}}}]"

static void assert_nested(const char *members, bool inner, const char *wanted)
{
    struct tmpl *t = session_load(members, NULL);
    struct tmpl_nested n;
    ck_assert_msg(tmpl_nested(t, tmpl_resource(t, 0), TMPL_RUN, &n, NULL) == SB_OK, "%s",
                  tmpl_fault(t)->message);
    ck_assert_int_eq(n.inner, inner);
    ck_assert_int_eq(n.scope, TMPL_GROUP);
    ck_assert_str_eq(n.group_name, "rg");
    ck_assert_str_eq(n.mode, "Incremental");
    struct tmpl *inside = session_new(TMPL_GROUP);
    enum sb_err rc = tmpl_load(inside, n.template, inner ? n.parameters : NULL, NULL);
    ck_assert_msg(rc == SB_OK, "%s", tmpl_fault(inside)->message);
    ck_assert_uint_eq(tmpl_count(inside), 2);
    ck_assert_str_eq(tmpl_at(inside, 1)->name, "z1");
    ck_assert_str_eq(body(inside, 1, TMPL_RUN), wanted);
    tmpl_free(inside);
    tmpl_free(t);
}

START_TEST(test_template__nested)
{
    assert_nested(NESTED("", "inner"), true, "{\"properties\":{\"p\":\"outer!\",\"v\":\"inner-v\"}}");
    assert_nested(NESTED("", "outer"), false, "{\"properties\":{\"p\":\"outer\",\"v\":\"outer-v\"}}");
}
END_TEST

START_TEST(test_template__nested_scopes)
{
    static const struct {
        const char *more;
        enum tmpl_scope scope;
        const char *subscription, *group;
    } rows[] = {
        {NESTED(", 'resourceGroup': 'g2'", "inner"), TMPL_GROUP, SUB, "g2"},
        {NESTED(", 'subscriptionId': 's2', 'location': 'x'", "inner"), TMPL_SUBSCRIPTION, "s2", NULL},
        {NESTED(", 'scope': '/'", "inner"), TMPL_TENANT, NULL, NULL},
        {NESTED(", 'scope': 'Microsoft.Management/managementGroups/m'", "inner"), TMPL_MANAGEMENT_GROUP, NULL,
         NULL},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct tmpl *t = session_load(rows[i].more, NULL);
        struct tmpl_nested n;
        ck_assert_int_eq(tmpl_nested(t, tmpl_resource(t, 0), TMPL_BEFORE, &n, NULL), SB_OK);
        ck_assert_int_eq(n.scope, rows[i].scope);
        ck_assert(rows[i].subscription ? strcmp(n.subscription_id, rows[i].subscription) == 0
                                       : !n.subscription_id);
        ck_assert(rows[i].group ? strcmp(n.group_name, rows[i].group) == 0 : !n.group_name);
        tmpl_free(t);
    }
}
END_TEST

/* ---- outputs ---- */

START_TEST(test_template__outputs)
{
    struct tmpl *t = session_load(
        "'parameters': {'pw': {'type': 'securestring', 'defaultValue': 'hidden'}}, 'resources': [" NAMESPACE(
            "n", "") "], "
                     "'outputs': {'NewId': {'type': 'string', 'value': "
                     "'[resourceId(\\'Microsoft.ServiceBus/namespaces\\', \\'n\\')]'},"
                     " 'live': {'type': 'string', 'value': '[reference(\\'n\\').version]'},"
                     " 'no': {'type': 'string', 'condition': '[equals(1, 2)]', 'value': '[fail(\\'not "
                     "evaluated\\')]'},"
                     " 'secret': {'type': 'securestring', 'value': '[parameters(\\'pw\\')]'},"
                     " 'many': {'type': 'array', 'copy': {'count': 3, 'input': '[mul(copyIndex(), 2)]'}},"
                     " 'none': {'type': 'string', 'nullable': true, 'value': null}}",
        NULL);
    ck_assert_str_eq(
        outputs(t),
        "{\"newId\":{\"type\":\"String\",\"value\":\"" GROUP
        "/providers/Microsoft.ServiceBus/namespaces/n\"},\"live\":{\"type\":\"String\",\"value\":"
        "\"2021-11-01\"},\"secret\":{\"type\":\"SecureString\"},\"many\":{\"type\":\"Array\",\"value\":"
        "[0,2,4]},\"none\":{\"type\":\"String\",\"value\":null}}");
    tmpl_free(t);
}
END_TEST

START_TEST(test_template__outputs_fail)
{
    static const char *const rows[][2] = {
        {"'outputs': {'o': {'type': 'string', 'value': 5}}", "Expected 'String, Uri'. Actual 'Integer'"},
        {"'outputs': {'o': {'type': 'string', 'value': '[nosuch()]'}}",
         "The template output 'o' is not valid: The template "
         "function 'nosuch' is not valid."},
        {"'outputs': {'o': {'value': 5}}", "type is missing"},
        {"'outputs': {'o': {'type': 'int'}}", "A value is missing"},
        {"'outputs': {'o': {'type': 'int', 'condition': 5, 'value': 5}}", "condition must be a boolean"},
        {"'outputs': {'o': {'type': 'array', 'copy': {'count': 5}}}", "needs 'count' and 'input'"},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct tmpl *t = session_load(rows[i][0], NULL);
        const struct tmpl_output *o = NULL;
        size_t n = 0;
        ck_assert_int_eq(tmpl_outputs(t, &o, &n, NULL), SB_ETEMPLATE);
        ck_assert_str_eq(tmpl_fault(t)->code, "DeploymentOutputEvaluationFailed");
        ck_assert_msg(strstr(tmpl_fault(t)->message, rows[i][1]) != NULL, "%s", tmpl_fault(t)->message);
        tmpl_free(t);
    }
}
END_TEST

START_TEST(test_template__hash)
{
    struct tmpl *a = session_load("'variables': {'a': 1}", NULL),
                *b = session_load("'variables':    {'a':1}", NULL);
    struct tmpl *c = session_load("'variables': {'a': 2}", NULL);
    ck_assert_str_eq(tmpl_hash(a), tmpl_hash(b));
    ck_assert_str_ne(tmpl_hash(a), tmpl_hash(c));
    tmpl_free(a);
    tmpl_free(b);
    tmpl_free(c);
}
END_TEST

/* ---- hostile ---- */

/* text, n times; the caller frees. */
static char *repeat(const char *before, const char *text, size_t n, const char *after)
{
    struct sb_buf b;
    buf_init(&b, 64u << 20);
    buf_adds(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_adds(&b, text);
    buf_adds(&b, after);
    char *copy = strdup(buf_str(&b));
    buf_done(&b);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

static const struct {
    const char *before, *text;
    size_t n;
    const char *after, *why;
} hostile[] = {
    {"'variables': {'a': '[", "concat(", 3000, "]'}", "nested too deeply"},
    {"'variables': {'a': '[", "(", 10000, "]'}", "expected token 'Identifier'"},
    {"'variables': {'a': '[createArray()", "[0]", 5000, "]'}", "nested too deeply"},
    {"'variables': {'a': '[concat(", "\\'xxxxxxxxxx\\', ", 3000, "\\'\\')]'}", "length limit exceeded"},
    {"'variables': {'a': '[createArray(range(0, 10000)", ", range(0, 10000)", 1200, ")]'}", "too"},
    {"'variables': {'a': '[map(range(0, 10000), lambda(\\'x\\', map(range(0, 10000), lambda(\\'y\\', 1))))]'",
     "", 0, "}", "too large"},
    {"'variables': {'a': '[reduce(range(0, 100), \\'x\\', lambda(\\'s\\', \\'i\\', "
     "concat(lambdaVariables(\\'s\\'), "
     "lambdaVariables(\\'s\\'))))]'",
     "", 0, "}", "too large"},
    {"'variables': {'a': '[reduce(range(0, 100), createArray(1), lambda(\\'s\\', \\'i\\', "
     "createArray(lambdaVariables(\\'s\\'), "
     "lambdaVariables(\\'s\\'))))]'",
     "", 0, "}", "too large"},
    {"'variables': {'a': '[padLeft(\\'x\\', 16384)]', 'b': '[indexOf(variables(\\'a\\'), "
     "variables(\\'a\\'))]', 'c': "
     "'[map(range(0, 10000), lambda(\\'x\\', map(range(0, 10000), lambda(\\'y\\', "
     "indexOf(variables(\\'a\\'), \\'yyyyy\\')))))]'",
     "", 0, "}", "too many steps"},
    {"'resources': [",
     NAMESPACE("[concat(\\'x\\', copyIndex())]", ", 'copy': {'name': 'c', 'count': 9000}") ",", 2, "]",
     "resources limit exceeded. Limit: '10000'"},
};

START_TEST(test_template__refuses_hostile)
{
    char *members = repeat(hostile[_i].before, hostile[_i].text, hostile[_i].n, hostile[_i].after);
    session_refused(members, NULL, hostile[_i].why);
    free(members);
}
END_TEST

/* Every variable is two of the one before: shared, so this is quick, until the value is too heavy. */
START_TEST(test_template__exponential_variables)
{
    struct sb_buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, "'variables': {'v0': 'x'");
    for (int i = 1; i < 100; i++)
        buf_addf(&b, ", 'v%d': '[createArray(variables(\\'v%d\\'), variables(\\'v%d\\'))]'", i, i - 1, i - 1);
    buf_adds(&b, "}");
    session_refused(buf_str(&b), NULL,
                    "The template variable 'v23' is not valid: The evaluated value is too large.");
    buf_done(&b);
}
END_TEST

START_TEST(test_template__long_chains)
{
    struct sb_buf b;
    buf_init(&b, 1 << 20);
    /* The first variable needs the second, and so on: as deep as there are variables. */
    buf_adds(&b, "'variables': {'v0': '[variables(\\'v1\\')]'");
    for (int i = 1; i < 120; i++)
        buf_addf(&b, ", 'v%d': '[variables(\\'v%d\\')]'", i, i + 1);
    buf_adds(&b, ", 'v120': 'end'}, 'outputs': {'o': {'type': 'string', 'value': '[variables(\\'v0\\')]'}}");
    struct tmpl *t = session_load(buf_str(&b), NULL);
    ck_assert_str_eq(outputs(t), "{\"o\":{\"type\":\"String\",\"value\":\"end\"}}");
    tmpl_free(t);
    buf_done(&b);
}
END_TEST

START_TEST(test_template__limits)
{
    static const struct {
        const char *section, *member, *why;
        int n;
    } rows[] = {
        {"parameters", "{'type': 'int', 'defaultValue': 1}",
         "The number of template parameters limit exceeded. Limit: '256' "
         "and actual: '257'.",
         257},
        {"variables", "1", "variables limit exceeded. Limit: '256' and actual: '257'.", 257},
        {"outputs", "{'type': 'int', 'value': 1}", "outputs limit exceeded. Limit: '64' and actual: '65'.",
         65},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct sb_buf b;
        buf_init(&b, 1 << 20);
        buf_addf(&b, "'%s': {", rows[i].section);
        for (int k = 0; k < rows[i].n; k++)
            buf_addf(&b, "%s'm%d': %s", k ? ", " : "", k, rows[i].member);
        buf_adds(&b, "}");
        session_refused(buf_str(&b), NULL, rows[i].why);
        buf_done(&b);
    }
}
END_TEST

/* The size that must work: 200 namespaces and 2,000 queues that depend on them. */
START_TEST(test_template__big)
{
    struct tmpl *t = session_load(
        "'resources': [" NAMESPACE(
            "[concat(\\'n\\', copyIndex())]",
            ", 'copy': {'name': 'nsloop', 'count': 200}") ","
                                                          "{'type': "
                                                          "'Microsoft.ServiceBus/namespaces/queues', "
                                                          "'apiVersion': '1', 'name': "
                                                          "'[format(\\'n{0}/q{1}\\', "
                                                          "div(copyIndex(), 10), mod(copyIndex(), 10))]', "
                                                          "'copy': {'name': 'queues', 'count': 2000}, "
                                                          "'dependsOn': ['nsloop', "
                                                          "'[resourceId(\\'Microsoft.ServiceBus/"
                                                          "namespaces\\', concat(\\'n\\', div(copyIndex(), "
                                                          "10)))]'], 'properties': "
                                                          "{'lockDuration': '[concat(\\'PT\\', string(add(1, "
                                                          "mod(copyIndex(), 5))), \\'M\\')]'}}]",
        NULL);
    ck_assert_uint_eq(tmpl_count(t), 2200);
    ck_assert_str_eq(tmpl_at(t, 2199)->name, "n199/q9");
    for (size_t i = 200; i < 2200; i++)
        ck_assert_ptr_nonnull(strstr(body(t, i, TMPL_RUN), "lockDuration"));
    tmpl_free(t);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("template");
    TCase *c = tcase_create("whole");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, test_template__article);
    tcase_add_loop_test(c, test_template__refuses_parameters, 0, (int)SB_ARRAY_LEN(bad_parameters));
    tcase_add_test(c, test_template__parameters);
    tcase_add_test(c, test_template__says_where);
    tcase_add_test(c, test_template__hides_secrets);
    tcase_add_test(c, test_template__keeps_no_secret);
    tcase_add_loop_test(c, test_template__refuses_sections, 0, (int)SB_ARRAY_LEN(bad_sections));
    tcase_add_test(c, test_template__needs_its_head);
    tcase_add_test(c, test_template__order);
    tcase_add_test(c, test_template__order_by_reference);
    tcase_add_test(c, test_template__serial_batches);
    tcase_add_test(c, test_template__children_and_scopes);
    tcase_add_test(c, test_template__subscription_scope);
    tcase_add_test(c, test_template__management_scopes);
    tcase_add_test(c, test_template__symbolic_names);
    tcase_add_test(c, test_template__bodies);
    tcase_add_test(c, test_template__body_fails);
    tcase_add_test(c, test_template__nested);
    tcase_add_test(c, test_template__nested_scopes);
    tcase_add_test(c, test_template__outputs);
    tcase_add_test(c, test_template__outputs_fail);
    tcase_add_test(c, test_template__hash);
    tcase_add_loop_test(c, test_template__refuses_hostile, 0, (int)SB_ARRAY_LEN(hostile));
    tcase_add_test(c, test_template__exponential_variables);
    tcase_add_test(c, test_template__long_chains);
    tcase_add_test(c, test_template__limits);
    tcase_add_test(c, test_template__big);
    suite_add_tcase(s, c);
    return s;
}
