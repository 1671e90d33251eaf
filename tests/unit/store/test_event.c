/* test_event.c: the event log in both databases, and the fault table. */
#include "storage/st_event.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/unit.h"

static struct store *store;
static struct sb_arena *arena;

static void setup(void)
{
    fix_setup();
    arena = arena_new(1 << 20);
}

static void teardown(void)
{
    store_close(store);
    arena_free(arena);
    fix_teardown();
}

static void open_kind(int i)
{
    store = fix_open(fix_db, i == 0 ? STORE_SB : STORE_KV);
    fix_start(store, NULL);
}

/* arg: how many to add. */
static enum sb_err add(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    int *n = arg;
    for (int i = 0; i < *n; i++) {
        struct st_event e = {
            .time_ms = 1000 + i, .stream = EVENT_STREAM_AUDIT, .op = "KeyWrap", .http_status = 200};
        SB_TRY(st_event_add(tx, &e, err));
    }
out:
    return rc;
}

static enum sb_err add_one(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_event_add(tx, arg, err);
}

struct list {
    int64_t since;
    size_t limit;
    struct st_event *e;
    size_t n;
    int64_t min, max;
};

static enum sb_err list(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct list *l = arg;
    SB_TRY(st_event_bounds(tx, &l->min, &l->max, err));
    SB_TRY(st_event_list(tx, l->since, l->limit, arena, &l->e, &l->n, err));
out:
    return rc;
}

static enum sb_err trim(struct tx *tx, void *arg, struct sb_error *err)
{
    int *keep = arg;
    return st_event_trim(tx, *keep, err);
}

static enum sb_err wipe(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    return store_wipe_all(tx, err);
}

static void get(struct list *l)
{
    ck_assert_int_eq(store_read(store, list, l, NULL), SB_OK);
}

START_TEST(test_event__all_fields)
{
    const struct st_event e = {.time_ms = 5,
                               .stream = EVENT_STREAM_KEY,
                               .op = "o",
                               .category = "c",
                               .resource_id = "r",
                               .vault = "v",
                               .key = "k",
                               .version = "1",
                               .code = "200",
                               .message = "m",
                               .activity_id = "a",
                               .identity = "i",
                               .result = "s",
                               .http_status = 403};
    struct st_event in = e;
    struct list l = {.limit = 10};
    open_kind(_i);
    get(&l);
    ck_assert_uint_eq(l.n, 0);
    ck_assert_int_eq(l.min, 0);
    ck_assert_int_eq(l.max, 0);
    ck_assert_int_eq(store_call(store, add_one, &in, NULL), SB_OK);
    get(&l);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_int_eq(l.e->id, 1);
    ck_assert_int_eq(l.e->time_ms, 5);
    ck_assert_str_eq(l.e->stream, "key");
    ck_assert_str_eq(l.e->op, "o");
    ck_assert_str_eq(l.e->category, "c");
    ck_assert_str_eq(l.e->resource_id, "r");
    ck_assert_str_eq(l.e->vault, "v");
    ck_assert_str_eq(l.e->key, "k");
    ck_assert_str_eq(l.e->version, "1");
    ck_assert_str_eq(l.e->code, "200");
    ck_assert_str_eq(l.e->message, "m");
    ck_assert_str_eq(l.e->activity_id, "a");
    ck_assert_str_eq(l.e->identity, "i");
    ck_assert_str_eq(l.e->result, "s");
    ck_assert_int_eq(l.e->http_status, 403);
    in.stream = "other";
    ck_assert_int_eq(store_call(store, add_one, &in, NULL), SB_ECONFLICT);
    in = (struct st_event){.id = 77, .stream = EVENT_STREAM_KEY};
    ck_assert_int_eq(store_call(store, add_one, &in, NULL), SB_OK);
    l.since = 1;
    get(&l);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_int_eq(l.e->id, 77);
    ck_assert_ptr_null(l.e->op);
}
END_TEST

START_TEST(test_event__list_and_trim)
{
    int n = 200, keep = 50, more = 1;
    struct list l = {.limit = 1000};
    open_kind(_i);
    ck_assert_int_eq(store_call(store, add, &n, NULL), SB_OK);
    get(&l);
    ck_assert_uint_eq(l.n, 200);
    for (size_t i = 0; i < l.n; i++)
        ck_assert_int_eq(l.e[i].id, (int64_t)i + 1);
    l = (struct list){.since = 190, .limit = 4};
    get(&l);
    ck_assert_uint_eq(l.n, 4);
    ck_assert_int_eq(l.e[0].id, 191);
    ck_assert_int_eq(store_call(store, trim, &keep, NULL), SB_OK);
    l = (struct list){.limit = 1000};
    get(&l);
    ck_assert_uint_eq(l.n, 50);
    ck_assert_int_eq(l.min, 151);
    ck_assert_int_eq(l.max, 200);
    /* A reset empties the log, and no id comes again. */
    ck_assert_int_eq(store_call(store, wipe, NULL, NULL), SB_OK);
    ck_assert_int_eq(store_call(store, add, &more, NULL), SB_OK);
    get(&l);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_int_eq(l.e[0].id, 201);
}
END_TEST

struct faults {
    struct st_fault *f;
    size_t n;
};

static enum sb_err fault_put(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_fault_put(tx, arg, err);
}

static enum sb_err fault_list(struct tx *tx, void *arg, struct sb_error *err)
{
    struct faults *l = arg;
    return st_fault_list(tx, arena, &l->f, &l->n, err);
}

static enum sb_err fault_clear(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_fault_clear(tx, arg, err);
}

static enum sb_err fault_met(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_fault_decrement(tx, arg, err);
}

static struct faults faults(void)
{
    struct faults l = {0};
    ck_assert_int_eq(store_read(store, fault_list, &l, NULL), SB_OK);
    return l;
}

START_TEST(test_fault__life)
{
    struct st_fault a = {.target = "Vault-A", .kind = "error", .remaining = 2, .status = 503, .scope = "all"};
    struct st_fault b = {.target = "vault-b", .kind = "timeout"};
    char name_a[] = "vault-a", name_b[] = "VAULT-B", none[] = "vault-c";
    open_kind(1);
    ck_assert_int_eq(store_call(store, fault_put, &b, NULL), SB_OK);
    ck_assert_int_eq(store_call(store, fault_put, &a, NULL), SB_OK);
    ck_assert_int_eq(store_call(store, fault_put, &a, NULL), SB_OK); /* replaces */
    struct faults l = faults();
    ck_assert_uint_eq(l.n, 2);
    ck_assert_str_eq(l.f[0].target, "Vault-A");
    ck_assert_str_eq(l.f[0].kind, "error");
    ck_assert_int_eq(l.f[0].remaining, 2);
    ck_assert_int_eq(l.f[0].status, 503);
    ck_assert_str_eq(l.f[0].scope, "all");
    ck_assert_int_eq(l.f[1].remaining, 0);
    ck_assert_ptr_null(l.f[1].scope);
    ck_assert_int_eq(store_call(store, fault_met, name_a, NULL), SB_OK);
    ck_assert_int_eq(faults().f[0].remaining, 1);
    ck_assert_int_eq(store_call(store, fault_met, name_b, NULL), SB_OK);
    ck_assert_int_eq(store_call(store, fault_met, name_a, NULL), SB_OK);
    l = faults();
    ck_assert_uint_eq(l.n, 1);
    ck_assert_str_eq(l.f[0].target, "vault-b");
    ck_assert_int_eq(l.f[0].remaining, 0);
    ck_assert_int_eq(store_call(store, fault_met, none, NULL), SB_ENOTFOUND);
    ck_assert_int_eq(store_call(store, fault_clear, none, NULL), SB_OK);
    ck_assert_uint_eq(faults().n, 1);
    ck_assert_int_eq(store_call(store, fault_clear, name_b, NULL), SB_OK);
    ck_assert_uint_eq(faults().n, 0);
    ck_assert_int_eq(store_call(store, fault_put, &a, NULL), SB_OK);
    ck_assert_int_eq(store_call(store, fault_clear, NULL, NULL), SB_OK);
    ck_assert_uint_eq(faults().n, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("event");
    TCase *c = tcase_create("event");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, test_event__all_fields, 0, 2);
    tcase_add_loop_test(c, test_event__list_and_trim, 0, 2);
    tcase_add_test(c, test_fault__life);
    suite_add_tcase(s, c);
    return s;
}
