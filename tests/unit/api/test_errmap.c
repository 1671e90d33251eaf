/* test_errmap.c: every cell of error × plane is filled and plausible; some that clients rely on, word by
 * word. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "api/errmap.h"
#include "tests/unit/unit.h"

/* HTTP statuses that have a place here. */
static bool plausible(int status)
{
    static const int all[] = {400, 401, 403, 404, 405, 409, 410, 412, 413, 429, 500, 501, 503, 504};
    for (size_t i = 0; i < SB_ARRAY_LEN(all); i++) {
        if (all[i] == status)
            return true;
    }
    return false;
}

START_TEST(test_errmap__every_cell_is_filled)
{
    for (int e = 0; e < SB_ERR_MAX; e++) {
        for (int p = 0; p < PLANE_MAX; p++) {
            const struct errmap_cell *c = errmap((enum sb_err)e, (enum plane)p);
            const char *name = sb_err_name((enum sb_err)e);
            ck_assert_msg(c->code && c->code[0], "%s plane %d has no code", name, p);
            ck_assert_msg(plausible(c->status), "%s plane %d: status %d", name, p, c->status);
            if (p == PLANE_LOGIN)
                ck_assert_msg(c->inner && strspn(c->inner, "0123456789") == strlen(c->inner),
                              "%s: AADSTS number", name);
            if (p == PLANE_ARM && c->inner)
                ck_assert_str_eq(c->inner, "gateway");
            if (p == PLANE_BUS)
                ck_assert_msg(strtol(c->code, NULL, 10) == c->status, "%s: code %s", name, c->code);
            if (p == PLANE_BUS || p == PLANE_GRAPH || p == PLANE_CONTROL)
                ck_assert_ptr_null(c->inner);
        }
    }
}
END_TEST

START_TEST(test_errmap__out_of_range)
{
    ck_assert_int_eq(errmap((enum sb_err)9999, PLANE_BUS)->status, 500);
    ck_assert_int_eq(errmap(SB_ENOTFOUND, PLANE_MAX)->status, 500);
}
END_TEST

static const struct {
    enum sb_err err;
    enum plane plane;
    int status;
    const char *code, *inner;
} cells[] = {
    {SB_ENOAPIVERSION, PLANE_ARM, 400, "MissingApiVersionParameter", "gateway"},
    {SB_ENOGROUP, PLANE_ARM, 404, "ResourceGroupNotFound", "gateway"},
    {SB_ENOTFOUND, PLANE_ARM, 404, "ResourceNotFound", "gateway"},
    {SB_ENOTOKEN, PLANE_ARM, 401, "AuthenticationFailed", "gateway"},
    {SB_EDENIED, PLANE_ARM, 403, "AuthorizationFailed", "gateway"},
    {SB_EVAULTEXISTS, PLANE_ARM, 409, "VaultAlreadyExists", NULL},
    {SB_EVAULTDELETED, PLANE_ARM, 409, "ConflictError", NULL},
    {SB_EMODEL, PLANE_ARM, 403, "InsufficientPermissions", NULL},
    {SB_EBUSY, PLANE_ARM, 429, "NamespaceInTransition", NULL},
    {SB_EREVOKED, PLANE_ARM, 409, "Conflict", NULL},
    {SB_ENOTOKEN, PLANE_VAULT, 401, "Unauthorized", NULL},
    {SB_EPOLICY, PLANE_VAULT, 403, "Forbidden", "ForbiddenByPolicy"},
    {SB_ERBAC, PLANE_VAULT, 403, "Forbidden", "ForbiddenByRbac"},
    {SB_EFIREWALL, PLANE_VAULT, 403, "Forbidden", "ForbiddenByFirewall"},
    {SB_EKEYDISABLED, PLANE_VAULT, 403, "Forbidden", "KeyDisabled"},
    {SB_EKEYOP, PLANE_VAULT, 403, "Forbidden", "KeyOperationForbidden"},
    {SB_EKEYNOTFOUND, PLANE_VAULT, 404, "KeyNotFound", NULL},
    {SB_EKEYDELETED, PLANE_VAULT, 409, "Conflict", "ObjectIsDeletedButRecoverable"},
    {SB_EKEYLIVE, PLANE_VAULT, 405, "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject"},
    {SB_EBADPARAM, PLANE_VAULT, 400, "BadParameter", NULL},
    {SB_EREVOKED, PLANE_BUS, 403, "403", NULL},
    {SB_EGONE, PLANE_BUS, 410, "410", NULL},
    {SB_ELOCKLOST, PLANE_BUS, 404, "404", NULL},
    {SB_EQUOTA, PLANE_BUS, 403, "403", NULL},
    {SB_EUNREACHABLE, PLANE_BUS, 503, "503", NULL},
    {SB_EINVALIDCLIENT, PLANE_LOGIN, 401, "invalid_client", "7000215"},
    {SB_EUNKNOWNCLIENT, PLANE_LOGIN, 400, "unauthorized_client", "700016"},
    {SB_EUNKNOWNTENANT, PLANE_LOGIN, 400, "invalid_tenant", "90002"},
    {SB_ENOHOST, PLANE_CONTROL, 403, "Forbidden", NULL},
};

START_TEST(test_errmap__cells_that_clients_know)
{
    const struct errmap_cell *c = errmap(cells[_i].err, cells[_i].plane);
    ck_assert_int_eq(c->status, cells[_i].status);
    ck_assert_str_eq(c->code, cells[_i].code);
    ck_assert_pstr_eq(c->inner, cells[_i].inner);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("errmap");
    TCase *t = tcase_create("errmap");
    tcase_add_test(t, test_errmap__every_cell_is_filled);
    tcase_add_test(t, test_errmap__out_of_range);
    tcase_add_loop_test(t, test_errmap__cells_that_clients_know, 0, (int)SB_ARRAY_LEN(cells));
    suite_add_tcase(s, t);
    return s;
}
