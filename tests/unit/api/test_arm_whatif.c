/* test_arm_whatif.c: two looks at a resource compared: what counts as a difference, and how it is told. */
#include <string.h>
#include "api/arm_whatif.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

static const struct {
    const char *type, *before, *sent, *ran, *delta, *after;
} rows[] = {
    {"Microsoft.ServiceBus/namespaces/queues", "{'properties':{'lockDuration':'PT1M','status':'Active'}}",
     "{'properties':{'lockDuration':'PT60S'}}", NULL, "",
     "{'properties':{'lockDuration':'PT1M','status':'Active'}}"},
    {"Microsoft.ServiceBus/namespaces", "{'sku':{'name':'Standard','tier':'Standard'}}",
     "{'sku':{'name':'Premium'}}", NULL,
     "{'path':'sku.name','propertyChangeType':'Modify','before':'Standard','after':'Premium'}",
     "{'sku':{'name':'Premium','tier':'Standard'}}"},
    {"Microsoft.ServiceBus/namespaces", "{'location':'westus','properties':{'a':1}}",
     "{'location':'West US','properties':{}}", NULL, "", "{'location':'westus','properties':{'a':1}}"},
    /* read-only members of both sides are not told, nor what is never shown */
    {"Microsoft.ServiceBus/namespaces", "{'properties':{'status':'Active','metricId':'x'}}",
     "{'properties':{'status':'Off'}}", NULL, "", "{'properties':{}}"},
    {"Microsoft.KeyVault/vaults/secrets", "{'properties':{'secretUri':'u'}}", "{'properties':{'value':'s'}}",
     NULL, "", "{'properties':{}}"},
    {"Microsoft.KeyVault/vaults", "{'properties':{}}", "{'properties':{'createMode':'recover'}}", NULL, "",
     "{'properties':{}}"},
    {"Microsoft.ServiceBus/namespaces",
     "{'properties':{'encryption':{'status':'Active','keyVaultProperties':[{'keyName':'k','keyVaultUri':'"
     "https://v.vault.azure.net'}]}}}",
     "{'properties':{'encryption':{'keyVaultProperties':[{'keyName':'k','keyVaultUri':'https://"
     "v.vault.azure.net/'}]}}}",
     NULL, "",
     "{'properties':{'encryption':{'keyVaultProperties':[{'keyName':'k','keyVaultUri':'https://"
     "v.vault.azure.net'}]}}}"},
    /* an identity that the template no longer names is taken away */
    {"Microsoft.ServiceBus/namespaces",
     "{'identity':{'userAssignedIdentities':{'/subscriptions/a.b':{'clientId':'c'},'/y':{}}}}",
     "{'identity':{'userAssignedIdentities':{'/subscriptions/A.B':{}}}}", NULL,
     "{'path':'identity.userAssignedIdentities./y','propertyChangeType':'Delete','before':{}}",
     "{'identity':{'userAssignedIdentities':{'/subscriptions/a.b':{}}}}"},
    {"a.b/c", "{'tags':{}}", "{}", NULL, "", "{}"},
    {"a.b/c", "{'x':1}", "{'x':null}", NULL, "{'path':'x','propertyChangeType':'Delete','before':1}", "{}"},
    {"a.b/c", "{'x':[{'n':1},{'n':2}]}", "{'x':[{'n':3}]}", NULL,
     "{'path':'x','propertyChangeType':'Array','children':[{'path':'0','propertyChangeType':'Modify','"
     "children':[{'path':'n',"
     "'propertyChangeType':'Modify','before':1,'after':3}]},{'path':'1','propertyChangeType':'Delete','"
     "before':{'n':2}}]}",
     "{'x':[{'n':3}]}"},
    {"a.b/c", "{'x':{'y':1}}", "{'x':7}", NULL,
     "{'path':'x','propertyChangeType':'Modify','before':{'y':1},'after':7}", "{'x':7}"},
    /* what run time gives is what is there: nothing changes; otherwise the expression is told */
    {"a.b/c", "{'x':'v'}", "{'x':'[reference(1)]'}", "{'x':'v'}", "", "{'x':'v'}"},
    {"a.b/c", "{'x':'v'}", "{'x':'[reference(1)]'}", "{'x':'w'}",
     "{'path':'x','propertyChangeType':'Modify','before':'v','after':'[reference(1)]'}",
     "{'x':'[reference(1)]'}"},
    {"a.b/c", "{'x':'v'}", "{'x':'[reference(1)]'}", NULL,
     "{'path':'x','propertyChangeType':'Modify','before':'v','after':'[reference(1)]'}",
     "{'x':'[reference(1)]'}"},
};

static struct sb_arena *a;

static void setup(void)
{
    a = arena_new(8u << 20);
}

static void teardown(void)
{
    arena_free(a);
}

/* Single quotes become double ones. */
static char *quoted(const char *s)
{
    char *copy = arena_strdup(a, s);
    for (char *p = copy; *p; p++)
        *p = (char)(*p == '\'' ? '"' : *p);
    return copy;
}

static const struct tv *value(const struct whatif_rules *rules, const char *text)
{
    struct json *j = NULL;
    if (!text)
        return NULL;
    const char *s = quoted(text);
    ck_assert_int_eq(json_parse(s, strlen(s), &j, NULL), SB_OK);
    const struct tv *v = tv_from_json(a, j);
    json_free(j);
    v = whatif_clean(a, rules, v);
    ck_assert_ptr_nonnull(v);
    return v;
}

START_TEST(test_whatif__compares)
{
    struct sb_buf delta;
    buf_init(&delta, 1u << 20);
    const struct whatif_rules *rules = whatif_rules(rows[_i].type, text_istarts(rows[_i].type, "Microsoft."));
    const struct tv *after = whatif_merge(a, rules, value(rules, rows[_i].before),
                                          value(rules, rows[_i].sent), value(rules, rows[_i].ran), &delta);
    ck_assert_ptr_nonnull(after);
    ck_assert_str_eq(buf_str(&delta), quoted(rows[_i].delta));
    ck_assert_str_eq(tv_print(a, after, NULL), quoted(rows[_i].after));
    buf_done(&delta);
}
END_TEST

START_TEST(test_whatif__sorts_names)
{
    const struct whatif_rules *rules = whatif_rules("a.b/c", false);
    ck_assert_str_eq(tv_print(a, value(rules, "{'b':{'z':1,'y':[{'q':1,'p':null}]},'a':2}"), NULL),
                     quoted("{'a':2,'b':{'y':[{'q':1}],'z':1}}"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("what-if");
    TCase *c = tcase_create("differences");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, test_whatif__compares, 0, (int)SB_ARRAY_LEN(rows));
    tcase_add_test(c, test_whatif__sorts_names);
    suite_add_tcase(s, c);
    return s;
}
