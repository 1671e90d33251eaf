/*
 * test_poller_decide.c: the truth table of poller_decide, cell by cell (semantics 8-14).
 *
 * One key: 3 states before x 4 findings x opened or not x root cached or not = 48 cells, each written out.
 * Two and three keys: every combination, against the rules said once more in another way.
 */
#include "server/engine/poller.h"
#include "tests/unit/unit.h"

#define A NSKEY_ACTIVE
#define R NSKEY_REVOKED
#define U NSKEY_UNREACHABLE

static const struct {
    enum nskey_state before;
    enum probe_finding finding;
    bool opened, cached;
    enum key_action action;
    enum ns_status status;
} cells[] = {
    /* before, finding, opened, cached -> action, namespace */
    {A, PROBE_SAME, true, true, KEY_KEEP, NS_ACTIVE},
    {A, PROBE_SAME, true, false, KEY_KEEP, NS_ACTIVE}, /* after a restart (13) */
    {A, PROBE_SAME, false, true, KEY_UNREACHABLE,
     NS_ACTIVE}, /* 6: tampering is not revocation; cached key in use */
    {A, PROBE_SAME, false, false, KEY_UNREACHABLE, NS_UNREACHABLE},
    {A, PROBE_ROTATED, true, true, KEY_UPDATE, NS_ACTIVE}, /* 8 */
    {A, PROBE_ROTATED, true, false, KEY_UPDATE, NS_ACTIVE},
    {A, PROBE_ROTATED, false, true, KEY_UPDATE, NS_ACTIVE},   /* 14: cached, nothing stops */
    {A, PROBE_ROTATED, false, false, KEY_REVOKE, NS_REVOKED}, /* 14: after a restart in the gap */
    {A, PROBE_REVOKED, true, true, KEY_REVOKE, NS_REVOKED},   /* expired: opens, but wrapKey is refused */
    {A, PROBE_REVOKED, true, false, KEY_REVOKE, NS_REVOKED},
    {A, PROBE_REVOKED, false, true, KEY_REVOKE, NS_REVOKED}, /* 11 */
    {A, PROBE_REVOKED, false, false, KEY_REVOKE, NS_REVOKED},
    {A, PROBE_UNREACHABLE, true, true, KEY_UNREACHABLE, NS_ACTIVE},
    {A, PROBE_UNREACHABLE, true, false, KEY_UNREACHABLE,
     NS_ACTIVE}, /* its wrap opened before the vault went away */
    {A, PROBE_UNREACHABLE, false, true, KEY_UNREACHABLE, NS_ACTIVE},       /* 8, last row */
    {A, PROBE_UNREACHABLE, false, false, KEY_UNREACHABLE, NS_UNREACHABLE}, /* 13 */
    {R, PROBE_SAME, true, true, KEY_RESTORE, NS_ACTIVE},                   /* 12 */
    {R, PROBE_SAME, true, false, KEY_RESTORE, NS_ACTIVE},
    {R, PROBE_SAME, false, true, KEY_KEEP, NS_REVOKED},
    {R, PROBE_SAME, false, false, KEY_KEEP, NS_REVOKED},
    {R, PROBE_ROTATED, true, true, KEY_RESTORE_UPDATE, NS_ACTIVE},
    {R, PROBE_ROTATED, true, false, KEY_RESTORE_UPDATE, NS_ACTIVE},
    {R, PROBE_ROTATED, false, true, KEY_RESTORE_UPDATE, NS_ACTIVE}, /* 14: another key opens the root */
    {R, PROBE_ROTATED, false, false, KEY_KEEP, NS_REVOKED},
    {R, PROBE_REVOKED, true, true, KEY_KEEP, NS_REVOKED},
    {R, PROBE_REVOKED, true, false, KEY_KEEP, NS_REVOKED},
    {R, PROBE_REVOKED, false, true, KEY_KEEP, NS_REVOKED},
    {R, PROBE_REVOKED, false, false, KEY_KEEP, NS_REVOKED},
    {R, PROBE_UNREACHABLE, true, true, KEY_KEEP, NS_REVOKED}, /* 8: a revoked key stays revoked */
    {R, PROBE_UNREACHABLE, true, false, KEY_KEEP, NS_REVOKED},
    {R, PROBE_UNREACHABLE, false, true, KEY_KEEP, NS_REVOKED},
    {R, PROBE_UNREACHABLE, false, false, KEY_KEEP, NS_REVOKED}, /* 13: every key revoked is Revoked */
    {U, PROBE_SAME, true, true, KEY_KEEP, NS_ACTIVE},
    {U, PROBE_SAME, true, false, KEY_KEEP, NS_ACTIVE},
    {U, PROBE_SAME, false, true, KEY_UNREACHABLE, NS_ACTIVE},
    {U, PROBE_SAME, false, false, KEY_UNREACHABLE, NS_UNREACHABLE},
    {U, PROBE_ROTATED, true, true, KEY_UPDATE, NS_ACTIVE},
    {U, PROBE_ROTATED, true, false, KEY_UPDATE, NS_ACTIVE},
    {U, PROBE_ROTATED, false, true, KEY_UPDATE, NS_ACTIVE},
    {U, PROBE_ROTATED, false, false, KEY_REVOKE, NS_REVOKED},
    {U, PROBE_REVOKED, true, true, KEY_REVOKE, NS_REVOKED},
    {U, PROBE_REVOKED, true, false, KEY_REVOKE, NS_REVOKED},
    {U, PROBE_REVOKED, false, true, KEY_REVOKE, NS_REVOKED},
    {U, PROBE_REVOKED, false, false, KEY_REVOKE, NS_REVOKED},
    {U, PROBE_UNREACHABLE, true, true, KEY_UNREACHABLE, NS_ACTIVE},
    {U, PROBE_UNREACHABLE, true, false, KEY_UNREACHABLE, NS_ACTIVE},
    {U, PROBE_UNREACHABLE, false, true, KEY_UNREACHABLE, NS_ACTIVE},
    {U, PROBE_UNREACHABLE, false, false, KEY_UNREACHABLE, NS_UNREACHABLE},
};

START_TEST(test_poller_decide__one_key)
{
    for (enum ns_status before = NS_ACTIVE; before <= NS_REVOKED; before++) {
        struct probe p = {cells[_i].before, cells[_i].finding, cells[_i].opened};
        struct decision d = poller_decide(&p, 1, before, cells[_i].cached);
        ck_assert_int_eq(d.key[0], cells[_i].action);
        ck_assert_int_eq(d.status, cells[_i].status);
        ck_assert_int_eq(d.have_root, d.status == NS_ACTIVE);
        ck_assert_int_eq(d.drop_root, cells[_i].cached && d.status != NS_ACTIVE);
        /* 13: Unreachable is never stored. */
        ck_assert_int_eq(d.store_status, d.status != NS_UNREACHABLE && d.status != before);
    }
}
END_TEST

START_TEST(test_poller_decide__every_cell_is_there_once)
{
    ck_assert_uint_eq(SB_ARRAY_LEN(cells), 48);
    for (size_t i = 0; i < SB_ARRAY_LEN(cells); i++)
        for (size_t k = 0; k < i; k++)
            ck_assert(cells[i].before != cells[k].before || cells[i].finding != cells[k].finding ||
                      cells[i].opened != cells[k].opened || cells[i].cached != cells[k].cached);
}
END_TEST

/* The n-th probe of the 24 there are. */
static struct probe nth(size_t n)
{
    return (struct probe){(enum nskey_state)(n % 3), (enum probe_finding)(n / 3 % 4), n / 12 != 0};
}

/* Does the key stand in the record and carry the namespace? Said anew, from the rules' words. */
static bool usable(const struct probe *p, bool root)
{
    return (p->finding == PROBE_SAME && p->opened) || (p->finding == PROBE_ROTATED && root);
}

static bool waiting(const struct probe *p)
{
    return p->before != NSKEY_REVOKED &&
           (p->finding == PROBE_UNREACHABLE || (p->finding == PROBE_SAME && !p->opened));
}

static void check_many(const struct probe *p, size_t n, bool cached)
{
    bool root = cached, any = false, wait = false, held = cached;
    for (size_t i = 0; i < n; i++)
        root = root || p[i].opened;
    for (size_t i = 0; i < n; i++) {
        any = any || usable(&p[i], root);
        wait = wait || waiting(&p[i]);
        held = held || (waiting(&p[i]) && p[i].opened);
    }
    enum ns_status want = any || (wait && held) ? NS_ACTIVE : wait ? NS_UNREACHABLE : NS_REVOKED;
    struct decision d = poller_decide(p, n, NS_ACTIVE, cached);
    ck_assert_int_eq(d.status, want);
    for (size_t i = 0; i < n; i++) {
        bool in = d.key[i] != KEY_REVOKE && !(d.key[i] == KEY_KEEP && p[i].before == NSKEY_REVOKED);
        ck_assert_int_eq(in, usable(&p[i], root) || waiting(&p[i]));
        /* What is wrapped anew needs a root key from somewhere. */
        if (d.key[i] == KEY_UPDATE || d.key[i] == KEY_RESTORE_UPDATE)
            ck_assert(root);
        /* 9, 12: only what was hidden is restored, only what was shown is revoked. */
        if (d.key[i] == KEY_RESTORE || d.key[i] == KEY_RESTORE_UPDATE)
            ck_assert_int_eq(p[i].before, NSKEY_REVOKED);
        if (d.key[i] == KEY_REVOKE || d.key[i] == KEY_UPDATE || d.key[i] == KEY_UNREACHABLE)
            ck_assert_int_ne(p[i].before, NSKEY_REVOKED);
    }
    /* Serving needs a root key that is at hand. */
    if (d.have_root)
        ck_assert(root);
    ck_assert_int_eq(d.drop_root, cached && !d.have_root);
}

START_TEST(test_poller_decide__two_and_three_keys)
{
    for (size_t a = 0; a < 24; a++)
        for (size_t b = 0; b < 24; b++)
            for (size_t c = 0; c < 24; c++) {
                const struct probe p[NS_KEYS_MAX] = {nth(a), nth(b), nth(c)};
                for (size_t n = 2; n <= 3; n++) {
                    check_many(p, n, true);
                    check_many(p, n, false);
                }
            }
}
END_TEST

START_TEST(test_poller_decide__expired_key_opens_for_a_rotated_one)
{
    /* 14 after a restart: one key's old version is disabled, the other has just expired but still unwraps. */
    const struct probe p[] = {{A, PROBE_ROTATED, false}, {A, PROBE_REVOKED, true}};
    struct decision d = poller_decide(p, 2, NS_ACTIVE, false);
    ck_assert_int_eq(d.key[0], KEY_UPDATE);
    ck_assert_int_eq(d.key[1], KEY_REVOKE);
    ck_assert_int_eq(d.status, NS_ACTIVE);
}
END_TEST

START_TEST(test_poller_decide__revoked_and_unreachable_after_restart)
{
    /* 13: no key active and at least one unreachable: never Revoked. */
    const struct probe p[] = {{A, PROBE_REVOKED, false}, {A, PROBE_UNREACHABLE, false}};
    struct decision d = poller_decide(p, 2, NS_ACTIVE, false);
    ck_assert_int_eq(d.status, NS_UNREACHABLE);
    ck_assert(!d.store_status);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("poller_decide");
    TCase *t = tcase_create("poller_decide");
    tcase_add_loop_test(t, test_poller_decide__one_key, 0, SB_ARRAY_LEN(cells));
    tcase_add_test(t, test_poller_decide__every_cell_is_there_once);
    tcase_add_test(t, test_poller_decide__two_and_three_keys);
    tcase_add_test(t, test_poller_decide__expired_key_opens_for_a_rotated_one);
    tcase_add_test(t, test_poller_decide__revoked_and_unreachable_after_restart);
    suite_add_tcase(s, t);
    return s;
}
