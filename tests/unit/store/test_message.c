/* test_message.c: rows of queues and messages, and that what is asked for often is one look-up. */
#include "storage/st_entity.h"
#include "storage/st_message.h"
#include "storage/st_sweep.h"
#include "storage/sb_stmts.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/unit.h"

#define NS 1

static struct store *store;
static struct sb_arena *arena;
static const uint8_t sealed[64];

static void setup(void)
{
    fix_setup();
    arena = arena_new(16 << 20);
    store = fix_open(fix_db, STORE_SB);
    fix_start(store, NULL);
    fix_exec(
        store,
        "INSERT INTO "
        "namespace(name,sub,grp,location,tags,sku,capacity,partitions,identity,encrypted,infra,revoked,root,"
        "local_auth_off,zone_redundant,public_access,tls,created_ms,updated_ms) "
        "VALUES('contoso','s','g','westus','{}','Premium',"
        "1,1,0,0,0,0,zeroblob(60),0,0,1,'1.2',1,1)");
}

static void teardown(void)
{
    store_close(store);
    arena_free(arena);
    fix_teardown();
}

/* ---- one call in one transaction ---- */

struct args {
    struct st_entity entity;
    struct st_message m;
    struct st_sweep at;
    int64_t id, now;
    int sub;
    const uint8_t *token;
    bool found;
    struct st_counters count;
    struct st_entity *list;
    size_t n;
};

static void call(store_fn *f, struct args *a)
{
    struct sb_error err = {0};
    enum sb_err rc = store_call(store, f, a, &err);
    ck_assert_msg(rc == SB_OK, "%s", err.detail);
}

static enum sb_err entity_add(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_entity_insert(tx, &a->entity, &a->id, err);
}

static enum sb_err entity_list(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_entity_list(tx, NS, arena, &a->list, &a->n, err);
}

static enum sb_err entity_drop(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_entity_delete(tx, ((struct args *)arg)->id, err);
}

static enum sb_err entity_count(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    enum sb_err rc;
    SB_TRY(st_entity_count(tx, a->id, &a->count, 77, err));
    a->count = (struct st_counters){0};
    SB_TRY(st_entity_counted(tx, a->id, &a->found, &a->count, err));
out:
    return rc;
}

static enum sb_err message_add(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_message_insert(tx, &((struct args *)arg)->m, err);
}

static enum sb_err message_first(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_message_first(tx, a->id, a->sub, arena, &a->found, &a->m, err);
}

static enum sb_err message_get(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_message_get(tx, a->id, arena, &a->found, &a->m, err);
}

static enum sb_err message_due(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_message_due(tx, NS, a->now, &a->found, &a->m, err);
}

static enum sb_err message_lock(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_message_lock(tx, a->id, a->token, a->now, err);
}

static enum sb_err message_release_all(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_message_release_all(tx, NS, ((struct args *)arg)->now, err);
}

static enum sb_err message_bury(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_message_bury(tx, a->id, 10, (struct sb_blob){sealed, sizeof sealed}, err);
}

static enum sb_err message_damage(struct tx *tx, void *arg, struct sb_error *err)
{
    return st_message_damage(tx, ((struct args *)arg)->id, err);
}

static int64_t make_entity(const char *name)
{
    struct args a = {.entity = {.ns = NS,
                                .name = name,
                                .lock_ms = 1,
                                .ttl_ms = 2,
                                .dup_window_ms = 3,
                                .idle_ms = 4,
                                .max_mb = 5,
                                .max_message_kb = 6,
                                .max_delivery = 7,
                                .flags = ST_ENTITY_DUP | ST_ENTITY_EXPRESS,
                                .created_ms = 8,
                                .updated_ms = 9,
                                .forward_to = "x"}};
    call(entity_add, &a);
    return a.id;
}

static void add(int64_t entity, int64_t seq, int sub, int state, int64_t due)
{
    struct args a = {.m = {.id = st_message_id(entity, seq),
                           .ns = NS,
                           .sub = sub,
                           .state = state,
                           .enqueued_ms = 1,
                           .expires_ms = 99,
                           .due_ms = due,
                           .size = 5,
                           .blob = {sealed, sizeof sealed}}};
    call(message_add, &a);
}

static struct args first(int64_t entity, int sub)
{
    struct args a = {.id = entity, .sub = sub};
    call(message_first, &a);
    return a;
}

/* ---- tests ---- */

static enum sb_err sweep(struct tx *tx, void *arg, struct sb_error *err)
{
    struct args *a = arg;
    return st_sweep_gone(tx, &a->at, 10, &a->found /* there is more to do */, err);
}

START_TEST(test_entity__rows_come_back_whole)
{
    int64_t id = make_entity("Orders");
    struct args a = {.id = id,
                     .count = {.next_seq = 5, .active = 4, .dead_letter = 3, .scheduled = 2, .bytes = 1}};
    call(entity_count, &a);
    ck_assert(a.found);
    call(entity_list, &a);
    ck_assert_uint_eq(a.n, 1);
    const struct st_entity *t = &a.list[0];
    ck_assert_int_eq(t->id, id);
    ck_assert_str_eq(t->name, "Orders");
    ck_assert_str_eq(t->forward_to, "x");
    ck_assert_ptr_null(t->forward_dlq);
    ck_assert_int_eq(t->lock_ms, 1);
    ck_assert_int_eq(t->max_delivery, 7);
    ck_assert_int_eq(t->flags, ST_ENTITY_DUP | ST_ENTITY_EXPRESS);
    ck_assert_int_eq(t->created_ms, 8);
    ck_assert_int_eq(t->accessed_ms, 77);
    ck_assert_int_eq(t->count.next_seq, 5);
    ck_assert_int_eq(t->count.bytes, 1);
}
END_TEST

START_TEST(test_entity__names_are_unique_whatever_the_case)
{
    make_entity("Orders");
    struct args a = {.entity = {.ns = NS, .name = "ORDERS"}};
    struct sb_error err = {0};
    ck_assert_int_eq(store_call(store, entity_add, &a, &err), SB_ECONFLICT);
}
END_TEST

START_TEST(test_entity__ids_are_never_used_again)
{
    int64_t id = make_entity("a");
    add(id, 1, ST_SUB_MAIN, ST_MESSAGE_READY, 0);
    struct args a = {.id = id};
    call(entity_drop, &a);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM message"), 0);
    ck_assert_int_gt(make_entity("a"), id);
}
END_TEST

START_TEST(test_message__first_stays_in_its_queue)
{
    int64_t a = make_entity("a"), b = make_entity("b"), c = make_entity("c");
    add(a, 9, ST_SUB_MAIN, ST_MESSAGE_READY, 0);
    add(c, 1, ST_SUB_MAIN, ST_MESSAGE_READY, 0);
    ck_assert(!first(b, ST_SUB_MAIN).found);
    add(b, 3, ST_SUB_MAIN, ST_MESSAGE_READY, 0);
    add(b, 2, ST_SUB_MAIN, ST_MESSAGE_LOCKED - 1, 0);
    add(b, 1, ST_SUB_DEAD, ST_MESSAGE_READY, 0);
    add(b, 4, ST_SUB_MAIN, ST_MESSAGE_SCHEDULED, 50);
    ck_assert_int_eq(st_message_seq(first(b, ST_SUB_MAIN).m.id), 2);
    ck_assert_int_eq(st_message_seq(first(b, ST_SUB_DEAD).m.id), 1);
}
END_TEST

START_TEST(test_message__life_of_a_row)
{
    static const uint8_t token[ST_LOCK_LEN] = {1, 2, 3};
    int64_t q = make_entity("q"), id = st_message_id(q, 1);
    add(q, 1, ST_SUB_MAIN, ST_MESSAGE_READY, 99);
    struct args a = {.id = id, .token = token, .now = 50};
    call(message_lock, &a);
    call(message_get, &a);
    ck_assert_int_eq(a.m.state, ST_MESSAGE_LOCKED);
    ck_assert_mem_eq(a.m.lock_token, token, ST_LOCK_LEN);
    ck_assert_int_eq(a.m.due_ms, 50);
    ck_assert(!first(q, ST_SUB_MAIN).found);
    call(message_release_all, &a);
    call(message_get, &a);
    ck_assert_int_eq(a.m.state, ST_MESSAGE_READY);
    ck_assert_int_eq(a.m.due_ms, 99);
    ck_assert_int_eq(a.m.delivery_count, 0);
    call(message_bury, &a);
    call(message_get, &a);
    ck_assert_int_eq(a.m.sub, ST_SUB_DEAD);
    ck_assert_int_eq(a.m.due_ms, 0);
    ck_assert_int_eq(a.m.expires_ms, 99);
    ck_assert_uint_eq(a.m.dl_blob.n, sizeof sealed);
    call(message_damage, &a);
    ck_assert(!first(q, ST_SUB_DEAD).found);
}
END_TEST

START_TEST(test_message__due_in_order_of_time)
{
    int64_t q = make_entity("q");
    add(q, 1, ST_SUB_MAIN, ST_MESSAGE_READY, 30);
    add(q, 2, ST_SUB_MAIN, ST_MESSAGE_READY, 0);
    add(q, 3, ST_SUB_MAIN, ST_MESSAGE_SCHEDULED, 10);
    struct args a = {.now = 9};
    call(message_due, &a);
    ck_assert(!a.found);
    a.now = 100;
    call(message_due, &a);
    ck_assert(a.found);
    ck_assert_int_eq(st_message_seq(a.m.id), 3);
    ck_assert_int_eq(a.m.due_ms, 10);
}
END_TEST

/* What must not be in a row: the CHECKs refuse it. */
static const char *const wrong[] = {
    "INSERT INTO message(id,ns,sub,state,enqueued_ms,delivery_count,hops,size,enqueued_seq,blob) "
    "VALUES(1,1,0,0,1,0,0,1,0,x'00')",
    "INSERT INTO message(id,ns,sub,state,enqueued_ms,delivery_count,hops,size,enqueued_seq,blob) "
    "VALUES(1,1,0,1,1,0,0,1,0,zeroblob(50))",
    "INSERT INTO message(id,ns,sub,state,enqueued_ms,delivery_count,hops,size,enqueued_seq,blob) "
    "VALUES(1,1,2,0,1,0,0,1,0,zeroblob(50))",
    "INSERT INTO message(id,ns,sub,state,enqueued_ms,delivery_count,hops,size,enqueued_seq,blob) "
    "VALUES(1,1,0,5,1,0,0,1,0,zeroblob(50))",
    "INSERT INTO "
    "entity(ns,name,status,lock_ms,ttl_ms,dup_window_ms,idle_ms,max_mb,max_message_kb,max_delivery,flags,"
    "created_ms,updated_ms) "
    "VALUES(99,'q',0,1,1,1,1,1,1,1,0,1,1)",
};

START_TEST(test_message__wrong_rows_are_refused)
{
    struct fix_query f = {.sql = wrong[_i]};
    ck_assert_int_eq(store_call(store, fix_exec_run, &f, NULL), SB_ECONFLICT);
}
END_TEST

/* ---- query plans ---- */

#define X(name, sql) {#name, sql},
static const struct {
    const char *name, *sql;
} statements[] = {SB_STMTS_ENTITY(X)};
#undef X

static const struct {
    const char *name, *plan;
} plans[] = {
    {"SB_MESSAGE_FIRST", "SEARCH message USING INDEX message_ready (sub=? AND rowid>? AND rowid<?)"},
    {"SB_MESSAGE_DUE", "SEARCH message USING INDEX message_due (ns=? AND due_ms<?)"},
    {"SB_MESSAGE_NEXT_DUE", "SEARCH message USING COVERING INDEX message_due (ns=? AND due_ms>?)"},
    {"SB_MESSAGE_GET", "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)"},
    {"SB_MESSAGE_META", "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)"},
    {"SB_MESSAGE_LOCK", "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)"},
    {"SB_MESSAGE_DELETE", "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)"},
    {"SB_MESSAGE_ENTITY", "SEARCH message USING INTEGER PRIMARY KEY (rowid>?)"},
    {"SB_SEEN_ENTITY", "SEARCH seen USING COVERING INDEX seen_until (entity>?)"},
    {"SB_ENTITY_THERE", "SEARCH entity USING INTEGER PRIMARY KEY (rowid=?)"},
    {"SB_MESSAGE_RELEASE_ALL", "SEARCH message USING INDEX message_due (ns=? AND due_ms<?)"},
    {"SB_SEEN_GET", "SEARCH seen USING PRIMARY KEY (entity=? AND hmac=?)"},
    {"SB_ENTITY_COUNT", "SEARCH entity USING INTEGER PRIMARY KEY (rowid=?)"},
};

struct plan {
    const char *sql;
    char text[256];
};

static enum sb_err explain(struct tx *tx, void *arg, struct sb_error *err)
{
    struct plan *p = arg;
    char sql[1024];
    sqlite3_stmt *q = NULL;
    SB_UNUSED(err);
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", p->sql);
    ck_assert_int_eq(sqlite3_prepare_v2(tx->db, sql, -1, &q, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
    snprintf(p->text, sizeof p->text, "%s", (const char *)sqlite3_column_text(q, 3));
    /* One step and no sorting: nothing grows with a backlog. */
    ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE);
    sqlite3_finalize(q);
    return SB_OK;
}

START_TEST(test_message__plans_are_single_searches)
{
    struct plan p = {0};
    for (size_t i = 0; i < SB_ARRAY_LEN(statements); i++) {
        if (strcmp(statements[i].name, plans[_i].name) == 0)
            p.sql = statements[i].sql;
    }
    ck_assert_ptr_nonnull(p.sql);
    ck_assert_int_eq(store_read(store, explain, &p, NULL), SB_OK);
    ck_assert_str_eq(p.text, plans[_i].plan);
}
END_TEST

/* What a sweep goes through: how its rows are made, and the entity of each. */
static const struct {
    const char *table, *fill, *entity;
} left_behind[] = {
    {"message",
     "message(id,ns,sub,state,enqueued_ms,delivery_count,hops,size,enqueued_seq,blob) "
     "SELECT (e<<40)+i,1,0,0,1,0,0,1,0,zeroblob(64) FROM c,entities",
     "id>>40"},
    {"seen", "seen(entity,hmac,until_ms) SELECT e,CAST(printf('%032d',i) AS BLOB),1 FROM c,entities",
     "entity"},
};

static void fill_range(int which, int64_t entity, int n)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<%d), entities(e) AS "
             "(SELECT %lld) "
             "INSERT INTO %s",
             n, (long long)entity, left_behind[which].fill);
    fix_exec(store, sql);
}

static int64_t count_left(int which, int64_t entity)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE %lld IN (0,%s)", left_behind[which].table,
             (long long)entity, left_behind[which].entity);
    return fix_get(store, sql);
}

/* A slice at a time, and only of entities that are gone. */
START_TEST(test_sweep__is_bounded_and_spares_the_living)
{
    struct args a = {.entity = {.ns = NS, .name = "q"}};
    call(entity_add, &a);
    int64_t there = a.id;
    fill_range(_i, there, 25);
    fill_range(_i, there + 1, 25);
    fill_range(_i, there + 7, 5);
    int left = 55;
    a.found = true;
    for (int i = 0; left > 25; i++) {
        call(sweep, &a);
        left -= i < 2 ? 10 : 5;
        ck_assert(a.found);
        ck_assert_int_eq(count_left(_i, 0), left);
    }
    for (int i = 0; a.found; i++) {
        ck_assert_int_lt(i, 3);
        call(sweep, &a);
    }
    ck_assert_int_eq(count_left(_i, 0), 25);
    ck_assert_int_eq(count_left(_i, there), 25);
}
END_TEST

/* A small queue is gone whole. */
START_TEST(test_sweep__the_first_go_with_their_entity)
{
    struct args a = {.entity = {.ns = NS, .name = "q"}};
    call(entity_add, &a);
    fill_range(_i, a.id, ST_ENTITY_DELETE_MAX + 1);
    call(entity_drop, &a);
    ck_assert_int_eq(count_left(_i, 0), 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("message");
    TCase *t = tcase_create("message");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_entity__rows_come_back_whole);
    tcase_add_test(t, test_entity__names_are_unique_whatever_the_case);
    tcase_add_test(t, test_entity__ids_are_never_used_again);
    tcase_add_test(t, test_message__first_stays_in_its_queue);
    tcase_add_test(t, test_message__life_of_a_row);
    tcase_add_test(t, test_message__due_in_order_of_time);
    tcase_add_loop_test(t, test_sweep__is_bounded_and_spares_the_living, 0, (int)SB_ARRAY_LEN(left_behind));
    tcase_add_loop_test(t, test_sweep__the_first_go_with_their_entity, 0, (int)SB_ARRAY_LEN(left_behind));
    tcase_add_loop_test(t, test_message__wrong_rows_are_refused, 0, (int)SB_ARRAY_LEN(wrong));
    tcase_add_loop_test(t, test_message__plans_are_single_searches, 0, (int)SB_ARRAY_LEN(plans));
    suite_add_tcase(s, t);
    return s;
}
