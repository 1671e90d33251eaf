/* test_route.c: matching over a table of its own, and what every row of the real tables must fulfil. */
#include <string.h>
#include "api/request.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

static enum sb_err nothing(struct request *r, struct sb_error *err)
{
    SB_UNUSED(r);
    SB_UNUSED(err);
    return SB_OK;
}

static const struct route rows[] = {
    {"POST", PLANE_BUS, "/{entity*}/messages", 0, 0, nothing, "Send"},
    {"POST", PLANE_BUS, "/{entity*}/messages/head", 0, 0, nothing, "PeekLock"},
    {"DELETE", PLANE_BUS, "/{entity*}/messages/head", 0, 0, nothing, "Receive"},
    {"DELETE", PLANE_BUS, "/{entity*}/messages/{message}/{lock}", 0, 0, nothing, "Complete"},
    {"PUT", PLANE_BUS, "/{entity*}", 0, 0, nothing, "EntityPut"},
    {"GET", PLANE_BUS, "/$Resources/Queues", 0, 0, nothing, "QueueList"},
    {"GET", PLANE_BUS, "/{entity*}", 0, 0, nothing, "EntityGet"},
    {"GET", PLANE_ARM, "/", 0, 0, nothing, "Root"},
    {"GET", PLANE_ARM, "/subscriptions/{sub}", 0, 0, nothing, "SubGet"},
    {"GET", PLANE_ARM, "/subscriptions/{sub}/resourceGroups/{rg}", 0, 0, nothing, "GroupGet"},
    {"PUT", PLANE_ARM, "/subscriptions/{sub}/resourceGroups/{rg}", 0, 0, nothing, "GroupPut"},
    {"HEAD", PLANE_ARM, "/subscriptions/{sub}/resourceGroups/{rg}", 0, 0, nothing, "GroupHead"},
    {"PUT", PLANE_ARM, "/{scope*}/providers/Microsoft.Authorization/roleAssignments/{name}", 0, 0, nothing,
     "RolePut"},
    {"GET", PLANE_VAULT, "/keys/{name}", 0, 0, nothing, "KeyGet"},
    {"GET", PLANE_VAULT, "/keys/{name}/{version}", 0, 0, nothing, "KeyGetVersion"},
    {"GET", PLANE_VAULT, "/keys/{name}/versions", 0, 0, nothing, "KeyVersions"},
};
static const struct route_table table = {rows, SB_ARRAY_LEN(rows)};
static const struct route_table *const tables[] = {&table};

static struct route_index *ix;
static struct request *r;
static struct sb_error err;
static const char *allow;

static void setup(void)
{
    ix = route_index_new(tables, 1);
    ck_assert_ptr_nonnull(ix);
    r = NULL;
}

static void teardown(void)
{
    request_free(r);
    route_index_free(ix);
}

static enum sb_err match(enum plane plane, const char *method, const char *path)
{
    request_free(r);
    r = request_new(NULL, arena_new(4u << 20));
    r->plane = plane;
    r->method = method;
    r->path = arena_strdup(r->arena, path);
    allow = NULL;
    return route_match(ix, r, &allow, &err);
}

static const struct {
    enum plane plane;
    const char *method, *path, *op, *param, *value;
} good[] = {
    {PLANE_BUS, "POST", "/q/messages", "Send", "entity", "q"},
    {PLANE_BUS, "POST", "/q/MESSAGES/", "Send", "entity", "q"},
    {PLANE_BUS, "POST", "/a/b/c/messages", "Send", "entity", "a/b/c"},
    {PLANE_BUS, "POST", "/a%2Fb/messages", "Send", "entity", "a/b"},
    {PLANE_BUS, "POST", "/q/messages/head", "PeekLock", "entity", "q"},
    {PLANE_BUS, "POST", "/t/Subscriptions/s/messages/head", "PeekLock", "entity", "t/Subscriptions/s"},
    {PLANE_BUS, "DELETE", "/q/$DeadLetterQueue/messages/head", "Receive", "entity", "q/$DeadLetterQueue"},
    {PLANE_BUS, "DELETE", "/q/messages/7/abc", "Complete", "lock", "abc"},
    {PLANE_BUS, "DELETE", "/q/messages/7/abc", "Complete", "message", "7"},
    {PLANE_BUS, "DELETE", "/x/q/messages/7/abc", "Complete", "entity", "x/q"},
    {PLANE_BUS, "GET", "/%24Resources/queues", "QueueList", NULL, NULL},
    {PLANE_BUS, "GET", "/$Resources/Topics", "EntityGet", "entity", "$Resources/Topics"},
    {PLANE_BUS, "POST", "/messages/messages", "Send", "entity", "messages"},
    {PLANE_ARM, "GET", "/", "Root", NULL, NULL},
    {PLANE_ARM, "GET", "//", "Root", NULL, NULL},
    {PLANE_ARM, "GET", "/SUBSCRIPTIONS/s1/", "SubGet", "sub", "s1"},
    {PLANE_ARM, "GET", "/subscriptions/s/resourcegroups/My%20Group", "GroupGet", "rg", "My Group"},
    {PLANE_ARM, "HEAD", "/subscriptions/s/resourcegroups/g", "GroupHead", "rg", "g"},
    {PLANE_ARM, "PUT", "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/n", "RolePut",
     "scope", "subscriptions/s"},
    {PLANE_ARM, "PUT",
     "/subscriptions/s/resourceGroups/g/providers/X/y/z/providers/microsoft.authorization/roleassignments/n",
     "RolePut", "scope", "subscriptions/s/resourceGroups/g/providers/X/y/z"},
    {PLANE_ARM, "PUT", "//subscriptions/s//providers/Microsoft.Authorization/roleAssignments/n", "RolePut",
     "scope", "subscriptions/s"},
    {PLANE_VAULT, "GET", "/keys/k/", "KeyGet", "name", "k"},
    {PLANE_VAULT, "GET", "/keys/k//", "KeyGet", "name", "k"},
    {PLANE_VAULT, "GET", "/keys/k/versions", "KeyVersions", "name", "k"},
    {PLANE_VAULT, "GET", "/keys/versions/versions", "KeyVersions", "name", "versions"},
    {PLANE_VAULT, "GET", "/keys/versions/0123", "KeyGetVersion", "version", "0123"},
};

START_TEST(test_route__matches)
{
    ck_assert_msg(match(good[_i].plane, good[_i].method, good[_i].path) == SB_OK, "%s: %s", good[_i].path,
                  err.detail);
    ck_assert_str_eq(r->route->op, good[_i].op);
    if (good[_i].param)
        ck_assert_str_eq(request_param(r, good[_i].param), good[_i].value);
    ck_assert_ptr_null(request_param(r, "nonesuch"));
}
END_TEST

static const struct {
    enum plane plane;
    const char *method, *path;
    enum sb_err rc;
    const char *allow;
} bad[] = {
    {PLANE_ARM, "GET", "/nothing", SB_ENOROUTE, NULL},
    {PLANE_ARM, "GET", "/subscriptions", SB_ENOROUTE, NULL},
    {PLANE_ARM, "GET", "/subscriptions/s/resourceGroups", SB_ENOROUTE, NULL},
    {PLANE_ARM, "PUT", "/providers/Microsoft.Authorization/roleAssignments/n", SB_ENOROUTE,
     NULL}, /* the rest is not empty */
    {PLANE_ARM, "DELETE", "/subscriptions/s/resourceGroups/g", SB_EMETHOD, "GET, PUT, HEAD"},
    {PLANE_ARM, "get", "/subscriptions/s", SB_EMETHOD, "GET"},
    {PLANE_BUS, "PATCH", "/q/messages", SB_EMETHOD, "POST, PUT, GET"},
    {PLANE_BUS, "POST", "/messages", SB_EMETHOD, "PUT, GET"},
    {PLANE_LOGIN, "GET", "/q/messages", SB_ENOROUTE, NULL},
    {PLANE_BUS, "POST", "/q%zz/messages", SB_EBADREQUEST, NULL},
    {PLANE_BUS, "POST", "/q%/messages", SB_EBADREQUEST, NULL},
    {PLANE_BUS, "POST", "/q%00x/messages", SB_EBADREQUEST, NULL},
};

START_TEST(test_route__refuses)
{
    ck_assert_msg(match(bad[_i].plane, bad[_i].method, bad[_i].path) == bad[_i].rc, "%s: %s", bad[_i].path,
                  err.detail);
    ck_assert_pstr_eq(allow, bad[_i].allow);
    ck_assert_ptr_null(r->route);
}
END_TEST

START_TEST(test_route__many_segments)
{
    char path[4096] = "";
    for (size_t i = 0; i < 400; i++)
        memcpy(path + 2 * i, "/a", 3);
    memcpy(path + 800, "/messages", 10);
    ck_assert_int_eq(match(PLANE_BUS, "POST", path), SB_OK);
    ck_assert_uint_eq(strlen(request_param(r, "entity")), 799);
    for (size_t i = 0; i < 1100; i++)
        memcpy(path + 2 * i, "/a", 3);
    ck_assert_int_eq(match(PLANE_BUS, "GET", path), SB_EBADREQUEST);
}
END_TEST

/* ---- the real tables ---- */

/* Templates that differ in their parameters' names alone are the same. */
static bool same_shape(const char *a, const char *b)
{
    while (*a && *b) {
        if (*a == '{' && *b == '{') {
            bool rest_a = a[strcspn(a, "}") - 1] == '*', rest_b = b[strcspn(b, "}") - 1] == '*';
            if (rest_a != rest_b)
                return false;
            a += strcspn(a, "}");
            b += strcspn(b, "}");
        }
        if (text_lower(*a++) != text_lower(*b++))
            return false;
    }
    return *a == *b;
}

static size_t all_rows(const struct route **ret, size_t max)
{
    size_t n = 0, tables_n = 0;
    const struct route_table *const *all = route_tables(&tables_n);
    for (size_t t = 0; t < tables_n; t++) {
        for (size_t i = 0; i < all[t]->n && n < max; i++)
            ret[n++] = &all[t]->rows[i];
    }
    return n;
}

START_TEST(test_route__real_rows_are_sound)
{
    const struct route *all[1000];
    size_t n = all_rows(all, 1000);
    ck_assert_uint_gt(n, 20);
    ck_assert_ptr_nonnull(route_index_all());
    for (size_t i = 0; i < n; i++) {
        const struct route *x = all[i];
        size_t stars = 0, params = 0;
        for (const char *p = x->path; *p; p++) {
            stars += p[0] == '*' && p[1] == '}';
            params += p[0] == '{';
        }
        ck_assert_msg(x->op && x->op[0] && x->handler && x->path[0] == '/', "row %zu", i);
        ck_assert_msg(stars <= 1 && params <= 10, "%s", x->op);
        ck_assert_msg(!(x->flags & R_JSON) || x->max_body > 0, "%s has a body without room", x->op);
        ck_assert_msg((x->flags & (R_INLINE | R_SLOW)) != (R_INLINE | R_SLOW), "%s", x->op);
        for (size_t k = 0; k < i; k++) {
            bool twin = x->plane == all[k]->plane && strcmp(x->method, all[k]->method) == 0 &&
                        same_shape(x->path, all[k]->path);
            ck_assert_msg(!twin, "%s and %s are the same row", x->op, all[k]->op);
        }
    }
}
END_TEST

/* What may be called without credentials is a short list. */
START_TEST(test_route__open_rows_are_few)
{
    static const char *const open[] = {"ArmMetadataEndpoints"};
    const struct route *all[1000];
    size_t n = all_rows(all, 1000);
    for (size_t i = 0; i < n; i++) {
        bool listed =
            all[i]->plane == PLANE_LOGIN || all[i]->plane == PLANE_CONTROL || (all[i]->flags & R_AUTH);
        for (size_t k = 0; k < SB_ARRAY_LEN(open); k++)
            listed = listed || strcmp(all[i]->op, open[k]) == 0;
        ck_assert_msg(listed, "%s asks for no credentials", all[i]->op);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("route");
    TCase *t = tcase_create("route");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_route__matches, 0, (int)SB_ARRAY_LEN(good));
    tcase_add_loop_test(t, test_route__refuses, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_test(t, test_route__many_segments);
    tcase_add_test(t, test_route__real_rows_are_sound);
    tcase_add_test(t, test_route__open_rows_are_few);
    suite_add_tcase(s, t);
    return s;
}
