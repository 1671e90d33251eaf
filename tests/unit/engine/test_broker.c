/* test_broker.c: sending, receiving, settling, waiting; what is refused; what damage does; that counters tell
 * the truth. */
#include "tests/unit/engine/broker_fixture.h"

/* ---- there and back ---- */

START_TEST(test_broker__send_lock_complete)
{
    send("q", "hello");
    send("q", "world");
    ck_counts("q", 2, 0, 0);
    ck_assert_str_eq(lock("q"), "hello");
    ck_assert_int_eq(got.seq, 1);
    ck_assert_int_eq(got.delivery_count, 1);
    ck_assert_int_eq(got.enqueued_ms, START);
    ck_assert_int_eq(got.locked_until_ms, START + MINUTE);
    ck_assert(guid_valid(got.lock_token));
    ck_assert(got.ttl_ms == TIME_FOREVER_MS);
    struct broker_delivery hello = got;
    ck_assert_str_eq(lock("q"), "world");
    ck_assert_str_ne(got.lock_token, hello.lock_token);
    ck_assert_str_eq(lock("q"), "");
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &hello), SB_OK);
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &hello), SB_ELOCKLOST);
    ck_counts("q", 1, 0, 0);
    ck_assert_int_eq(q_look("q").size_bytes, sql("SELECT sum(size) FROM message"));
}
END_TEST

START_TEST(test_broker__receive_and_delete)
{
    send("q", "a");
    ck_assert_str_eq(eat("Q"), "a"); /* names ignore case */
    ck_assert_str_eq(got.lock_token, "");
    ck_assert_str_eq(eat("q"), "");
    ck_counts("q", 0, 0, 0);
    ck_assert_int_eq(q_look("q").size_bytes, 0);
}
END_TEST

START_TEST(test_broker__batch_is_all_or_none)
{
    struct task *t = task_new(BROKER_SEND, "q");
    for (int i = 0; i < 5; i++)
        task_message(t, arena_printf(arena, "m%d", i), NULL);
    ck_assert_int_eq(task_run(t), SB_OK);
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(eat("q"), arena_printf(arena, "m%d", i));
        ck_assert_int_eq(got.seq, i + 1);
    }
    char *big = arena_alloc(arena, 1100000);
    memset(big, 'x', 1099999);
    t = task_new(BROKER_SEND, "q");
    task_message(t, "small", NULL);
    task_message(t, big, NULL);
    ck_assert_int_eq(task_run(t), SB_EQUOTA);
    ck_counts("q", 0, 0, 0);
}
END_TEST

/* A failure in the middle of an op leaves neither rows nor counts of it; the number is not lost either. */
START_TEST(test_broker__a_failing_op_is_undone)
{
    send("q", "before");
    struct entity *t = broker_find(ns_find(e, NS)->broker, "q");
    t->count.next_seq = ST_SEQ_MAX - 1;
    sql("UPDATE entity SET next_seq=1099511627774"); /* what the counters are read back from */
    struct task *two = task_new(BROKER_SEND, "q");
    task_message(two, "fits", NULL);
    task_message(two, "does not", NULL);
    ck_assert_int_eq(task_run(two), SB_ELIMIT);
    ck_assert_int_eq(t->count.next_seq, ST_SEQ_MAX - 1);
    ck_counts("q", 1, 0, 0);
    ck_assert_int_eq(sql("SELECT count(*) FROM message"), 1);
    send("q", "last");
    ck_assert_str_eq(eat("q"), "before");
    ck_assert_str_eq(eat("q"), "last");
    ck_assert_int_eq(got.seq, ST_SEQ_MAX - 1);
}
END_TEST

START_TEST(test_broker__restart_keeps_all)
{
    char dir[] = "/tmp/sb-broker-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    broker_up_in(dir);
    q_put(q_spec("q"));
    send("q", "a");
    send("q", "b");
    send("q", "c");
    ck_assert_str_eq(lock("q"), "a");
    struct broker_delivery a = got;
    ck_assert_str_eq(lock("q"), "b");
    ck_assert_int_eq(finish_as("q", BROKER_UNLOCK, &got), SB_OK);
    ck_assert_str_eq(eat("q"), "b");
    ck_assert_int_eq(got.delivery_count, 2);
    world_down();
    world_open(dir);
    ck_counts("q", 2, 0, 0);
    ck_assert_str_eq(eat("q"), "c");
    send("q", "d");
    ck_assert_str_eq(eat("q"), "d");
    ck_assert_int_eq(got.seq, 4);                                 /* numbers are never used again */
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &a), SB_OK); /* the lock survived */
    ck_counts("q", 0, 0, 0);
    world_down();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- settling ---- */

START_TEST(test_broker__unlock_counts_a_delivery)
{
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");
    ck_assert_int_eq(finish_as("q", BROKER_UNLOCK, &got), SB_OK);
    ck_assert_str_eq(lock("q"), "a");
    ck_assert_int_eq(got.delivery_count, 2);
    ck_counts("q", 1, 0, 0);
}
END_TEST

START_TEST(test_broker__renew_extends_the_lock)
{
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");
    struct broker_delivery d = got;
    pass(50000);
    struct task *t = task_new(BROKER_RENEW, "q");
    t->op.seq = d.seq;
    ck_assert(text_copy(t->op.lock_token, sizeof t->op.lock_token, d.lock_token));
    ck_assert_int_eq(task_run(t), SB_OK);
    ck_assert_int_eq(t->op.locked_until_ms, START + 50000 + MINUTE);
    pass(50000);
    ck_assert_str_eq(lock("q"), "");
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &d), SB_OK);
}
END_TEST

START_TEST(test_broker__by_message_id)
{
    const struct amqp_props props = {.message_id = "order/7"};
    ck_assert_int_eq(send_with("q", "a", &props, -1, 0), SB_OK);
    ck_assert_str_eq(lock("q"), "a");
    struct task *t = task_new(BROKER_COMPLETE, "q");
    t->op.message_id = "order/8";
    ck_assert(text_copy(t->op.lock_token, sizeof t->op.lock_token, got.lock_token));
    ck_assert_int_eq(task_run(t), SB_ELOCKLOST);
    t = task_new(BROKER_COMPLETE, "q");
    t->op.message_id = "order/7";
    ck_assert(text_copy(t->op.lock_token, sizeof t->op.lock_token, got.lock_token));
    ck_assert_int_eq(task_run(t), SB_OK);
}
END_TEST

START_TEST(test_broker__wrong_locks)
{
    q_put(q_spec("other"));
    send("q", "a");
    send("other", "b");
    ck_assert_str_eq(lock("q"), "a");
    struct broker_delivery d = got, wrong = got;
    wrong.seq++;
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &wrong), SB_ELOCKLOST);
    wrong = d;
    wrong.lock_token[0] = wrong.lock_token[0] == '0' ? '1' : '0';
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &wrong), SB_ELOCKLOST);
    wrong = d;
    wrong.lock_token[35] = wrong.lock_token[35] == '0' ? '1' : '0';
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &wrong), SB_ELOCKLOST);
    wrong = d;
    wrong.lock_token[8] = '\0';
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &wrong), SB_ELOCKLOST);
    ck_assert_int_eq(finish_as("other", BROKER_COMPLETE, &d), SB_ELOCKLOST);
    ck_assert_int_eq(finish_as("q/$deadletterqueue", BROKER_COMPLETE, &d), SB_ELOCKLOST);
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &d), SB_OK);
}
END_TEST

START_TEST(test_broker__max_delivery_goes_to_the_dead_letter_queue)
{
    struct entity_spec s = q_spec("few");
    s.max_delivery = 3;
    q_put(s);
    send("few", "a");
    for (int i = 1; i <= 3; i++) {
        ck_assert_str_eq(lock("few"), "a");
        ck_assert_int_eq(got.delivery_count, i);
        ck_assert_int_eq(finish_as("few", BROKER_UNLOCK, &got), SB_OK);
    }
    ck_assert_str_eq(lock("few"), "");
    ck_counts("few", 0, 1, 0);
    ck_assert_str_eq(lock("few/$DeadLetterQueue"), "a");
    ck_assert_int_eq(got.seq, 1);
    ck_assert_str_eq(got.dl_reason, "MaxDeliveryCountExceeded");
    ck_assert_str_eq(got.dl_description, "Message could not be consumed after 3 delivery attempts.");
    /* It can be given back there as often as one likes. */
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(finish_as("few/$DeadLetterQueue", BROKER_UNLOCK, &got), SB_OK);
        ck_assert_str_eq(lock("few/$deadletterqueue"), "a");
    }
    ck_assert_int_eq(finish_as("few/$DeadLetterQueue", BROKER_COMPLETE, &got), SB_OK);
    ck_counts("few", 0, 0, 0);
}
END_TEST

/* ---- refusals ---- */

START_TEST(test_broker__what_is_not_there)
{
    ck_assert_str_eq(eat("nowhere"), "!SB_EGONE");
    ck_assert_int_eq(send_with("nowhere", "a", NULL, -1, 0), SB_EGONE);
    struct task *t = task_new(BROKER_SEND, "q");
    task_message(t, "a", NULL);
    ck_assert(text_copy(t->op.ns, sizeof t->op.ns, "no-such-namespace"));
    ck_assert_int_eq(task_run(t), SB_ENONAMESPACE);
    ck_assert_int_eq(send_with("q/$DeadLetterQueue", "a", NULL, -1, 0), SB_EBADREQUEST);
}
END_TEST

static const struct {
    const char *status;
    enum sb_err send, receive;
} statuses[] = {
    {"Active", SB_OK, SB_OK},
    {"Disabled", SB_EENTITYDISABLED, SB_EENTITYDISABLED},
    {"SendDisabled", SB_EENTITYDISABLED, SB_OK},
    {"ReceiveDisabled", SB_OK, SB_EENTITYDISABLED},
};

START_TEST(test_broker__entity_status)
{
    send("q", "a");
    struct entity_spec s = q_spec("q");
    s.status = statuses[_i].status;
    q_put(s);
    ck_assert_int_eq(send_with("q", "b", NULL, -1, 0), statuses[_i].send);
    struct task *t = task_new(BROKER_RECEIVE, "q");
    ck_assert_int_eq(task_run(t), statuses[_i].receive);
}
END_TEST

START_TEST(test_broker__limits)
{
    char id[MESSAGE_ID_MAX + 2];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    ck_assert_int_eq(send_with("q", "a", &(struct amqp_props){.message_id = id}, -1, 0), SB_EBADREQUEST);
    id[sizeof id - 2] = '\0';
    ck_assert_int_eq(send_with("q", "a", &(struct amqp_props){.message_id = id}, -1, 0), SB_OK);
    char umlauts[2 * MESSAGE_ID_MAX + 3] = "";
    for (size_t i = 0; i < MESSAGE_ID_MAX; i++)
        strcat(umlauts, "\xc3\xbc");
    ck_assert_int_eq(send_with("q", "a", &(struct amqp_props){.message_id = umlauts}, -1, 0), SB_OK);
    strcat(umlauts, "\xc3\xbc");
    ck_assert_int_eq(send_with("q", "a", &(struct amqp_props){.message_id = umlauts}, -1, 0), SB_EBADREQUEST);
    struct entity *t = broker_find(ns_find(e, NS)->broker, "q");
    t->count.bytes = t->cfg->max_mb * 1024 * 1024;
    ck_assert_int_eq(send_with("q", "a", NULL, -1, 0), SB_EQUOTA);
    ck_detail("The maximum entity size has been reached or exceeded for Queue: 'q'.");
}
END_TEST

START_TEST(test_broker__sessions_need_an_id_and_another_protocol)
{
    struct entity_spec s = q_spec("sess");
    s.session = 1;
    q_put(s);
    ck_assert_int_eq(send_with("sess", "a", NULL, -1, 0), SB_EBADREQUEST);
    ck_detail("The SessionId was not set on a message");
    ck_assert_int_eq(send_with("sess", "a", &(struct amqp_props){.session_id = "s1"}, -1, 0), SB_OK);
    ck_assert_str_eq(lock("sess"), "!SB_EBADREQUEST");
    ck_detail("non-sessionful");
    ck_assert_str_eq(lock("sess/$DeadLetterQueue"), "");
    ck_assert_int_eq(sql("SELECT length(session) FROM message"), 32);
}
END_TEST

/* ---- waiting ---- */

static struct task *waiting(const char *path, int64_t ms)
{
    struct task *t = task_new(BROKER_RECEIVE, path);
    t->op.timeout_ms = ms;
    task_go(t);
    ck_assert(task_pending(t));
    return t;
}

static const char *waited(struct task *t)
{
    ck_assert(task_over(t));
    (void)task_end(t);
    return body_of(&t->op);
}

START_TEST(test_broker__waiters_are_served_in_turn)
{
    struct task *first = waiting("q", MINUTE), *second = waiting("q", MINUTE),
                *dead = waiting("q/$DeadLetterQueue", MINUTE);
    send("q", "a");
    ck_assert_str_eq(waited(first), "a");
    ck_assert_int_eq(finish_as("q", BROKER_UNLOCK, &got), SB_OK);
    ck_assert_str_eq(waited(second), "a"); /* what is given back wakes, too */
    ck_assert(task_pending(dead));
    broker_stop(e);
    ck_assert_str_eq(waited(dead), "");
}
END_TEST

START_TEST(test_broker__one_message_wakes_one)
{
    struct task *all[8];
    for (size_t i = 0; i < SB_ARRAY_LEN(all); i++)
        all[i] = waiting("q", MINUTE);
    struct task *batch = task_new(BROKER_SEND, "q");
    for (int i = 0; i < 3; i++)
        task_message(batch, "m", NULL);
    ck_assert_int_eq(task_run(batch), SB_OK);
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(waited(all[i]), "m");
    for (size_t i = 3; i < SB_ARRAY_LEN(all); i++)
        ck_assert(task_pending(all[i]));
    broker_stop(e);
    for (size_t i = 3; i < SB_ARRAY_LEN(all); i++)
        ck_assert_str_eq(waited(all[i]), "");
}
END_TEST

static bool hung_up(struct broker_op *op)
{
    SB_UNUSED(op);
    return true;
}

/* Neither lost with a client that has hung up, nor locked for it. */
START_TEST(test_broker__who_has_hung_up_is_passed_over)
{
    static const enum broker_kind kinds[] = {BROKER_RECEIVE_DELETE, BROKER_RECEIVE};
    struct task *left[2], *here;
    for (size_t i = 0; i < SB_ARRAY_LEN(left); i++) {
        left[i] = task_new(kinds[i], "q");
        left[i]->op.timeout_ms = MINUTE;
        left[i]->op.gone = hung_up;
        task_go(left[i]);
        ck_assert(task_pending(left[i]));
    }
    here = waiting("q", MINUTE);
    send("q", "m");
    ck_assert_str_eq(waited(here), "m");
    ck_assert_int_eq(got.delivery_count, 1);
    for (size_t i = 0; i < SB_ARRAY_LEN(left); i++)
        ck_assert_str_eq(waited(left[i]), "");
    ck_counts("q", 1, 0, 0);
}
END_TEST

START_TEST(test_broker__waiting_ends_by_the_emulators_clock)
{
    struct task *t = waiting("q", MINUTE);
    ck_assert_int_le(broker_next_due(e), START + MINUTE);
    pass(MINUTE - 1);
    ck_assert(task_pending(t));
    pass(1);
    ck_assert_str_eq(waited(t), "");
}
END_TEST

START_TEST(test_broker__waiting_ends_by_the_monotonic_clock)
{
    struct task *t = task_new(BROKER_RECEIVE_DELETE, "q");
    t->op.timeout_ms = 20;
    task_go(t);
    ck_assert_str_eq(waited(t), "");
}
END_TEST

START_TEST(test_broker__waiters_of_a_deleted_queue_are_told)
{
    bool existed;
    struct task *t = waiting("q", MINUTE);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "q", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_str_eq(waited(t), "!SB_EGONE");
}
END_TEST

START_TEST(test_broker__waiters_of_a_deleted_namespace_are_told)
{
    bool existed;
    struct task *t = waiting("q", MINUTE);
    ck_assert_int_eq(ns_delete(e, SUB, "g", NS, &existed, &err), SB_OK);
    ck_assert_str_eq(waited(t), "!SB_ENONAMESPACE");
    ck_assert_int_eq(sql("SELECT count(*) FROM message") + sql("SELECT count(*) FROM entity"), 0);
}
END_TEST

START_TEST(test_broker__waiters_of_a_disabled_queue_are_told)
{
    struct task *t = waiting("q", MINUTE);
    struct entity_spec s = q_spec("q");
    s.status = "ReceiveDisabled";
    q_put(s);
    ck_assert_str_eq(waited(t), "!SB_EENTITYDISABLED");
}
END_TEST

START_TEST(test_broker__waiting_is_woken_by_the_end_of_a_lock)
{
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");
    struct task *t = waiting("q", 10 * MINUTE);
    pass(MINUTE);
    ck_assert_str_eq(waited(t), "a");
    ck_assert_int_eq(t->op.delivery.delivery_count, 2);
}
END_TEST

/* Senders and receivers at the same time: every message comes once, nobody waits for ever. */
START_TEST(test_broker__many_at_once)
{
    enum { N = 64 };
    struct task *senders[N], *receivers[N];
    bool seen[N + 1] = {false};
    for (int i = 0; i < N; i++) {
        receivers[i] = task_new(BROKER_RECEIVE_DELETE, "q");
        receivers[i]->op.timeout_ms = MINUTE;
        receivers[i]->op.arena = arena_new(1 << 20); /* the test's own is in use meanwhile */
        senders[i] = task_new(BROKER_SEND, "q");
        task_message(senders[i], "m", NULL);
    }
    for (int i = 0; i < N; i++) {
        task_go(receivers[i]);
        task_go(senders[N - 1 - i]);
    }
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(task_end(senders[i]), SB_OK);
        ck_assert_str_eq(waited(receivers[i]), "m");
        ck_assert_int_ge(got.seq, 1);
        ck_assert_int_le(got.seq, N);
        ck_assert(!seen[got.seq]);
        seen[got.seq] = true;
        arena_free(receivers[i]->op.arena);
    }
    ck_counts("q", 0, 0, 0);
}
END_TEST

/* ---- damage ---- */

static struct at_rest rest(const char *path, int64_t seq)
{
    struct at_rest r;
    ck_assert_msg(broker_at_rest(e, NS, path, seq, arena, &r, &err) == SB_OK, "%s", err.detail);
    return r;
}

START_TEST(test_broker__a_damaged_row_is_kept_and_in_nobodys_way)
{
    send("q", "a");
    send("q", "b");
    sql("UPDATE message SET blob=CAST(substr(blob,1,length(blob)-1)||iif(substr(blob,-1)=x'00',x'01',x'00') "
        "AS BLOB) WHERE id&0xffffffffff=1");
    ck_assert_str_eq(eat("q"), "!SB_ETAMPER");
    ck_assert_str_eq(eat("q"), "b");
    ck_assert_str_eq(eat("q"), "");
    ck_assert_str_eq(rest("q", 1).state, "damaged");
}
END_TEST

START_TEST(test_broker__swapped_rows_are_both_damaged)
{
    send("q", "a");
    send("q", "b");
    send("q", "c");
    sql("CREATE TEMP TABLE x AS SELECT id, blob FROM message");
    sql("UPDATE message SET blob=(SELECT blob FROM x WHERE x.id=message.id+1) WHERE id&0xffffffffff=1");
    sql("UPDATE message SET blob=(SELECT blob FROM x WHERE x.id=message.id-1) WHERE id&0xffffffffff=2");
    ck_assert_str_eq(lock("q"), "!SB_ETAMPER");
    ck_assert_str_eq(lock("q"), "!SB_ETAMPER");
    ck_assert_str_eq(lock("q"), "c");
}
END_TEST

START_TEST(test_broker__at_rest_is_sealed)
{
    const struct amqp_props props = {.message_id = "SECRET-ID", .subject = "SECRET-LABEL"};
    ck_assert_int_eq(send_with("q", "SECRET-BODY", &props, -1, 0), SB_OK);
    struct at_rest r = rest("Q", 1);
    ck_assert_int_eq(r.version, 1);
    ck_assert_int_eq(r.generation, 1);
    ck_assert_str_eq(r.state, "ready");
    ck_assert_mem_eq(r.blob.p, "SBE1", 4);
    ck_assert_ptr_null(r.dead_letter.p);
    ck_assert_int_eq(sql("SELECT count(*) FROM message WHERE instr(blob,CAST('SECRET' AS BLOB))>0"), 0);
    struct at_rest none;
    ck_assert_int_eq(broker_at_rest(e, NS, "q", 2, arena, &none, &err), SB_ENOTFOUND);
    ck_assert_int_eq(broker_at_rest(e, NS, "q/$DeadLetterQueue", 1, arena, &none, &err), SB_ENOTFOUND);
    ck_assert_int_eq(broker_at_rest(e, NS, "nope", 1, arena, &none, &err), SB_EGONE);
    ck_assert_int_eq(broker_at_rest(e, NS, "q", INT64_MAX, arena, &none, &err), SB_ENOTFOUND);
}
END_TEST

/* ---- counters ---- */

/* What memory says, the row and the messages themselves agree after each of many random operations. */
START_TEST(test_broker__counters_tell_the_truth)
{
    uint32_t seed = 12345;
    struct entity_spec s = q_spec("r");
    s.max_delivery = 2;
    s.ttl_ms = 90000;
    s.dead_letter_expired = 1;
    q_put(s);
    struct broker_delivery held = {0};
    for (int i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        switch (seed >> 29) {
        case 0:
        case 1: send("r", "m"); break;
        case 2: (void)send_with("r", "later", NULL, -1, engine_now(e) + 5000); break;
        case 3:
            if (*lock("r"))
                held = got;
            break;
        case 4: (void)eat("r"); break;
        case 5: (void)finish_as("r", i % 2 ? BROKER_UNLOCK : BROKER_COMPLETE, &held); break;
        case 6: pass(7000); break;
        default: (void)eat("r/$DeadLetterQueue"); break;
        }
        struct entity_view q = q_look("r");
        ck_assert_int_eq(q.active, sql("SELECT count(*) FROM message WHERE sub=0 AND state!=2"));
        ck_assert_int_eq(q.dead_letter, sql("SELECT count(*) FROM message WHERE sub=1"));
        ck_assert_int_eq(q.scheduled, sql("SELECT count(*) FROM message WHERE state=2"));
        ck_assert_int_eq(q.size_bytes, sql("SELECT coalesce(sum(size),0) FROM message"));
        ck_assert_int_eq(q.active, sql("SELECT active FROM entity WHERE name='r'"));
        ck_assert_int_eq(q.size_bytes, sql("SELECT bytes FROM entity WHERE name='r'"));
    }
    struct broker_totals sum = broker_totals(ns_find(e, NS));
    ck_assert_int_eq(sum.active, q_look("r").active);
}
END_TEST

static TCase *group(Suite *s, const char *name)
{
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, broker_up, world_down);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return t;
}

Suite *unit_suite(void)
{
    Suite *s = suite_create("broker");
    TCase *t = group(s, "messages");
    tcase_add_test(t, test_broker__send_lock_complete);
    tcase_add_test(t, test_broker__receive_and_delete);
    tcase_add_test(t, test_broker__batch_is_all_or_none);
    tcase_add_test(t, test_broker__a_failing_op_is_undone);
    tcase_add_test(t, test_broker__unlock_counts_a_delivery);
    tcase_add_test(t, test_broker__renew_extends_the_lock);
    tcase_add_test(t, test_broker__by_message_id);
    tcase_add_test(t, test_broker__wrong_locks);
    tcase_add_test(t, test_broker__max_delivery_goes_to_the_dead_letter_queue);
    t = group(s, "refusals");
    tcase_add_test(t, test_broker__what_is_not_there);
    tcase_add_loop_test(t, test_broker__entity_status, 0, (int)SB_ARRAY_LEN(statuses));
    tcase_add_test(t, test_broker__limits);
    tcase_add_test(t, test_broker__sessions_need_an_id_and_another_protocol);
    t = group(s, "waiting");
    tcase_add_test(t, test_broker__waiters_are_served_in_turn);
    tcase_add_test(t, test_broker__one_message_wakes_one);
    tcase_add_test(t, test_broker__who_has_hung_up_is_passed_over);
    tcase_add_test(t, test_broker__waiting_ends_by_the_emulators_clock);
    tcase_add_test(t, test_broker__waiting_ends_by_the_monotonic_clock);
    tcase_add_test(t, test_broker__waiters_of_a_deleted_queue_are_told);
    tcase_add_test(t, test_broker__waiters_of_a_deleted_namespace_are_told);
    tcase_add_test(t, test_broker__waiters_of_a_disabled_queue_are_told);
    tcase_add_test(t, test_broker__waiting_is_woken_by_the_end_of_a_lock);
    tcase_add_test(t, test_broker__many_at_once);
    t = group(s, "damage and counters");
    tcase_add_test(t, test_broker__a_damaged_row_is_kept_and_in_nobodys_way);
    tcase_add_test(t, test_broker__swapped_rows_are_both_damaged);
    tcase_add_test(t, test_broker__at_rest_is_sealed);
    tcase_add_test(t, test_broker__counters_tell_the_truth);
    TCase *disk = tcase_create("disk");
    tcase_set_timeout(disk, 60);
    tcase_add_test(disk, test_broker__restart_keeps_all);
    suite_add_tcase(s, disk);
    return s;
}
