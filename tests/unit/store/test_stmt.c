/* test_stmt.c: binding, reading and errors of statements, named values, and the wipe. */
#include "storage/st_document.h"
#include "storage/stmt.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/unit.h"

static struct store *store;
static struct sb_arena *arena;
static enum store_kind kind;

static void setup(void)
{
    fix_setup();
    arena = arena_new(1 << 20);
}

static void teardown(void)
{
    arena_free(arena);
    fix_teardown();
}

static void open_kind(int i)
{
    kind = i == 0 ? STORE_SB : STORE_KV;
    store = fix_open(fix_db, kind);
    fix_start(store, NULL);
}

static int put_id(void)
{
    return kind == STORE_KV ? (int)KV_META_PUT : (int)SB_META_PUT;
}

static int get_id(void)
{
    return kind == STORE_KV ? (int)KV_META_GET : (int)SB_META_GET;
}

struct value {
    const char *name;
    const void *p;
    size_t n;
    struct sb_blob got;
};

static enum sb_err put(struct tx *tx, void *arg, struct sb_error *err)
{
    struct value *v = arg;
    return store_meta_put(tx, v->name, v->p, v->n, err);
}

static enum sb_err get(struct tx *tx, void *arg, struct sb_error *err)
{
    struct value *v = arg;
    return store_meta_get(tx, v->name, arena, &v->got, err);
}

START_TEST(test_meta__put_get)
{
    static const struct value values[] = {
        {.name = "a", .p = "one", .n = 3},
        {.name = "b", .p = "\0\1\2", .n = 3},
        {.name = "a", .p = "another", .n = 7},
        {.name = "empty", .p = NULL, .n = 0},
    };
    open_kind(_i);
    for (size_t i = 0; i < SB_ARRAY_LEN(values); i++) {
        struct value v = values[i];
        ck_assert_int_eq(store_call(store, put, &v, NULL), SB_OK);
        ck_assert_int_eq(store_read(store, get, &v, NULL), SB_OK);
        ck_assert_ptr_nonnull(v.got.p);
        ck_assert_uint_eq(v.got.n, v.n);
        if (v.n > 0)
            ck_assert_mem_eq(v.got.p, v.p, v.n);
    }
    struct value none = {.name = "none", .got = {.p = (const uint8_t *)"x", .n = 1}};
    ck_assert_int_eq(store_read(store, get, &none, NULL), SB_OK);
    ck_assert_ptr_null(none.got.p);
    ck_assert_uint_eq(none.got.n, 0);
    store_close(store);
    /* And after a restart. */
    open_kind(_i);
    struct value b = {.name = "b"};
    ck_assert_int_eq(store_read(store, get, &b, NULL), SB_OK);
    ck_assert_uint_eq(b.got.n, 3);
    store_close(store);
}
END_TEST

static enum sb_err null_value(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, put_id());
    stmt_bind_text(&s, 1, "n");
    stmt_bind_null(&s, 2);
    return stmt_exec(&s, err);
}

static enum sb_err wrong_index(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, put_id());
    stmt_bind_text(&s, 1, "n");
    stmt_bind_text(&s, 9, "n"); /* remembered until stmt_exec */
    stmt_bind_blob(&s, 2, "v", 1);
    return stmt_exec(&s, err);
}

static enum sb_err wrong_type(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, put_id());
    stmt_bind_text(&s, 1, "n");
    stmt_bind_i64(&s, 2, 5);
    return stmt_exec(&s, err);
}

START_TEST(test_stmt__errors)
{
    struct sb_error err = {0};
    open_kind(_i);
    ck_assert_int_eq(store_call(store, null_value, NULL, &err), SB_ECONFLICT);
    ck_assert_str_eq(err.detail, "NOT NULL constraint failed: meta.value");
    ck_assert_int_eq(store_call(store, wrong_index, NULL, &err), SB_EINTERNAL);
    ck_assert_int_eq(store_call(store, wrong_type, NULL, &err), SB_ECONFLICT);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM meta"), 0);
    store_close(store);
}
END_TEST

static enum sb_err read_all(struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    char fits[4];
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, get_id());
    stmt_bind_text(&s, 1, "k");
    SB_TRY(stmt_row(&s, &row, err));
    ck_assert(row);
    ck_assert(!stmt_is_null(&s, 0));
    ck_assert_str_eq(stmt_text(&s, 0, arena), "abc");
    ck_assert_mem_eq(stmt_blob_borrow(&s, 0).p, "abc", 3);
    ck_assert_uint_eq(stmt_blob(&s, 0, arena).n, 3);
    stmt_text_to(&s, 0, fits, sizeof fits);
    ck_assert_str_eq(fits, "abc");
    SB_TRY(stmt_row(&s, &row, err));
    ck_assert(!row);
    /* Past the end it stays at the end. */
    SB_TRY(stmt_row(&s, &row, err));
    ck_assert(!row);
out:
    return rc;
}

static enum sb_err read_too_long(struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    char small[3] = "zz";
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, get_id());
    stmt_bind_text(&s, 1, "k");
    SB_TRY(stmt_row(&s, &row, err));
    stmt_text_to(&s, 0, small, sizeof small);
    ck_assert_str_eq(small, "");
    /* Comes out here, and row is left alone. */
    rc = stmt_row(&s, &row, err);
    ck_assert(row);
out:
    return rc;
}

static enum sb_err reading(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    SB_UNUSED(arg);
    SB_TRY(store_meta_put(tx, "k", "abc", 3, err));
    ck_assert_int_eq(stmt_changes(tx), 1);
    SB_TRY(read_all(tx, err));
    rc = read_too_long(tx, err);
out:
    return rc;
}

START_TEST(test_stmt__reading)
{
    open_kind(_i);
    ck_assert_int_eq(store_call(store, reading, NULL, NULL), SB_EIO);
    store_close(store);
}
END_TEST

static enum sb_err out_of_arena(struct tx *tx, void *arg, struct sb_error *err)
{
    struct sb_arena *tiny = arena_new(64);
    struct sb_blob b = {0};
    SB_UNUSED(arg);
    enum sb_err rc = store_meta_get(tx, "big", tiny, &b, err);
    ck_assert(arena_failed(tiny));
    arena_free(tiny);
    return rc;
}

START_TEST(test_stmt__arena_is_full)
{
    static char big[5000];
    struct value v = {.name = "big", .p = big, .n = sizeof big};
    open_kind(_i);
    ck_assert_int_eq(store_call(store, put, &v, NULL), SB_OK);
    ck_assert_int_eq(store_read(store, out_of_arena, NULL, NULL), SB_ENOMEM);
    store_close(store);
}
END_TEST

/* A document whose text does not fit the arena is no document: what the caller has is left alone. */
static enum sb_err one_row(struct tx *tx, void *arg, struct sb_error *err)
{
    struct sb_arena *small = arena_new(1024);
    struct st_document d = {.id = "/d", .scope = "/", .name = "d", .type = "t", .body = arg};
    struct st_document got = {.name = "before"};
    bool found = true;
    ck_assert_int_eq(st_document_put(tx, &d, err), SB_OK);
    ck_assert_int_eq(st_document_get(tx, "/none", arena, &found, &got, err), SB_OK);
    ck_assert(!found);
    ck_assert_str_eq(got.name, "before");
    ck_assert_int_eq(st_document_get(tx, "/d", small, &found, &got, err), SB_ENOMEM);
    ck_assert(!found);
    ck_assert_str_eq(got.name, "before");
    ck_assert_int_eq(st_document_get(tx, "/d", arena, &found, &got, err), SB_OK);
    ck_assert(found);
    ck_assert_str_eq(got.body, d.body);
    arena_free(small);
    return SB_OK;
}

static enum sb_err all_rows(struct tx *tx, void *arg, struct sb_error *err)
{
    struct sb_arena *small = arena_new(1024);
    struct st_document d = {.scope = "/many", .type = "t", .body = "{}"}, *got = &d;
    const int *many = arg;
    size_t n = 7;
    for (int i = 0; i < *many; i++) {
        d.id = d.name = arena_printf(arena, "/many/%03d", i);
        ck_assert_int_eq(st_document_put(tx, &d, err), SB_OK);
    }
    ck_assert_int_eq(st_document_list(tx, d.kind, "/many", false, small, &got, &n, err), SB_ENOMEM);
    ck_assert(got == &d && n == 7);
    ck_assert_int_eq(st_document_list(tx, d.kind, "/many", false, arena, &got, &n, err), SB_OK);
    ck_assert_uint_eq(n, (size_t)*many);
    for (int i = 0; i < *many; i++)
        ck_assert_str_eq(got[i].id, arena_printf(arena, "/many/%03d", i));
    ck_assert_int_eq(st_document_list(tx, d.kind, "/none", false, arena, &got, &n, err), SB_OK);
    ck_assert_uint_eq(n, 0);
    arena_free(small);
    return SB_OK;
}

START_TEST(test_stmt__rows_that_do_not_fit)
{
    static char big[5000];
    int many = 50;
    memset(big, 'x', sizeof big - 1);
    open_kind(1);
    ck_assert_int_eq(store_call(store, one_row, big, NULL), SB_OK);
    ck_assert_int_eq(store_call(store, all_rows, &many, NULL), SB_OK);
    store_close(store);
}
END_TEST

static enum sb_err wipe(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    return store_wipe_all(tx, err);
}

START_TEST(test_meta__wipe_all)
{
    struct value v = {.name = "a", .p = "x", .n = 1};
    open_kind(_i);
    ck_assert_int_eq(store_call(store, put, &v, NULL), SB_OK);
    fix_exec(store,
             "CREATE TABLE z_parent(id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;"
             "CREATE TABLE a_child(p INTEGER NOT NULL REFERENCES z_parent(id) ON DELETE RESTRICT) STRICT;"
             "CREATE TABLE early(p INTEGER REFERENCES late(id)) STRICT;"
             "CREATE TABLE late(id INTEGER PRIMARY KEY) STRICT;"
             "INSERT INTO z_parent VALUES(41);INSERT INTO a_child VALUES(41);"
             "INSERT INTO late VALUES(1);INSERT INTO early VALUES(1);");
    ck_assert_int_eq(store_call(store, wipe, NULL, NULL), SB_OK);
    ck_assert_int_eq(fix_get(store, "SELECT (SELECT count(*) FROM meta)+(SELECT count(*) FROM z_parent)"
                                    "+(SELECT count(*) FROM a_child)+(SELECT count(*) FROM early)"
                                    "+(SELECT count(*) FROM late)"),
                     0);
    fix_exec(store, "INSERT INTO z_parent DEFAULT VALUES");
    ck_assert_int_eq(fix_get(store, "SELECT id FROM z_parent"), 42);
    store_close(store);
}
END_TEST

/* Values come, change their size and go; each holds a number in the open. */
struct churn {
    uint32_t seed;
    int made;
    int live[400]; /* number in the value of that name; 0: none */
};

static uint32_t churn_random(struct churn *c, uint32_t below)
{
    c->seed = c->seed * 1664525u + 1013904223u;
    return (c->seed >> 8) % below;
}

static enum sb_err churn_step(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct churn *c = arg;
    char body[3000], name[16], sql[64];
    for (int i = 0; i < 1000; i++) {
        uint32_t at = churn_random(c, SB_ARRAY_LEN(c->live));
        snprintf(name, sizeof name, "%u", at);
        snprintf(sql, sizeof sql, "DELETE FROM meta WHERE name='%u'", at);
        c->live[at] = churn_random(c, 3) == 0 ? 0 : ++c->made;
        if (c->live[at] == 0) {
            SB_TRY(fix_sql(tx, sql, err));
            continue;
        }
        memset(body, 'x', sizeof body);
        snprintf(body, sizeof body, "Qmark%07d", c->live[at]);
        SB_TRY(store_meta_put(tx, name, body, 60 + churn_random(c, 2900), err));
    }
out:
    return rc;
}

/* Values in the file that no row has any more. */
static int stale(const struct churn *c)
{
    static char live[4000];
    char digits[8] = "";
    int n = 0;
    FILE *f = fopen(fix_db, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_lt(c->made, (int)sizeof live);
    memset(live, 0, sizeof live);
    for (size_t i = 0; i < SB_ARRAY_LEN(c->live); i++)
        live[c->live[i]] = 1;
    for (int ch, at = 0; (ch = fgetc(f)) != EOF;) {
        at = ch == "Qmark"[at] ? at + 1 : ch == 'Q';
        if (at < 5)
            continue;
        at = 0;
        if (fread(digits, 1, 7, f) == 7 && !live[strtol(digits, NULL, 10)])
            n++;
    }
    fclose(f);
    return n;
}

START_TEST(test_scrub__no_stale_copy)
{
    static struct churn c;
    c = (struct churn){.seed = 1};
    open_kind(_i);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(store_call(store, churn_step, &c, NULL), SB_OK);
    int64_t rows = fix_get(store, "SELECT count(*) FROM meta"),
            bytes = fix_get(store, "SELECT sum(length(value)) FROM meta");
    ck_assert_int_eq(store_scrub(store, NULL), SB_OK);
    ck_assert_int_eq(stale(&c), 0);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM meta"), rows);
    ck_assert_int_eq(fix_get(store, "SELECT sum(length(value)) FROM meta"), bytes);
    ck_assert_int_eq(fix_get(store, "PRAGMA foreign_keys"), 1);
    store_close(store);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("stmt");
    TCase *c = tcase_create("stmt");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, test_meta__put_get, 0, 2);
    tcase_add_loop_test(c, test_stmt__errors, 0, 2);
    tcase_add_loop_test(c, test_stmt__reading, 0, 2);
    tcase_add_loop_test(c, test_stmt__arena_is_full, 0, 2);
    tcase_add_test(c, test_stmt__rows_that_do_not_fit);
    tcase_add_loop_test(c, test_meta__wipe_all, 0, 2);
    tcase_add_loop_test(c, test_scrub__no_stale_copy, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
