/* test_broker_due.c: what time does to messages: locks that end, expiry, scheduled messages, idle queues;
 * forwarding; duplicates. */
#include "tests/unit/engine/broker_fixture.h"

/* What an advance told of, as "kind kind …". */
static const char *told(int64_t ms)
{
    struct timeline_result r;
    char text[512] = "";
    ck_assert_msg(timeline_advance(e, ms, arena, 100, &r, &err) == SB_OK, "%s", err.detail);
    for (size_t i = 0; i < r.n; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%s", at ? " " : "", r.events[i].kind);
    }
    return arena_strdup(arena, text);
}

static struct entity_spec with_ttl(const char *name, int64_t ttl, bool dead_letter)
{
    struct entity_spec s = q_spec(name);
    s.ttl_ms = ttl;
    s.dead_letter_expired = dead_letter;
    return s;
}

/* ---- locks ---- */

START_TEST(test_due__the_end_of_a_lock_counts_a_delivery)
{
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");
    struct broker_delivery first = got;
    ck_assert_str_eq(told(MINUTE - 1), "");
    ck_assert_str_eq(lock("q"), "");
    ck_assert_str_eq(told(1), "lockExpired");
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &first), SB_ELOCKLOST);
    ck_assert_str_eq(lock("q"), "a");
    ck_assert_int_eq(got.delivery_count, 2);
    ck_assert_str_ne(got.lock_token, first.lock_token);
}
END_TEST

START_TEST(test_due__locks_that_end_lead_to_the_dead_letter_queue)
{
    struct entity_spec s = q_spec("few");
    s.max_delivery = 2;
    q_put(s);
    send("few", "a");
    ck_assert_str_eq(lock("few"), "a");
    ck_assert_str_eq(told(MINUTE), "lockExpired");
    ck_assert_str_eq(lock("few"), "a");
    ck_assert_str_eq(told(MINUTE), "lockExpired messageDeadLettered");
    ck_counts("few", 0, 1, 0);
    ck_assert_str_eq(eat("few/$DeadLetterQueue"), "a");
    ck_assert_str_eq(got.dl_reason, "MaxDeliveryCountExceeded");
}
END_TEST

/* A request sees a state in which everything due has happened, though no timer has run it. */
START_TEST(test_due__requests_run_what_is_due_first)
{
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");
    clock_advance_to(e->clock, START + MINUTE);
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &got), SB_ELOCKLOST);
    ck_assert_str_eq(lock("q"), "a");
    ck_assert_int_eq(got.delivery_count, 2);
}
END_TEST

/* ---- expiry ---- */

START_TEST(test_due__expired_messages_are_dropped_or_kept)
{
    q_put(with_ttl("drop", MINUTE, false));
    q_put(with_ttl("keep", MINUTE, true));
    send("drop", "a");
    send("keep", "b");
    ck_assert_str_eq(told(MINUTE - 1), "");
    ck_counts("drop", 1, 0, 0);
    ck_assert_str_eq(told(1), "messageExpired messageExpired");
    ck_counts("drop", 0, 0, 0);
    ck_counts("keep", 0, 1, 0);
    ck_assert_str_eq(told(1000 * MINUTE), ""); /* the dead-letter queue knows no expiry */
    ck_assert_str_eq(eat("keep/$DeadLetterQueue"), "b");
    ck_assert_str_eq(got.dl_reason, "TTLExpiredException");
    ck_assert_str_eq(got.dl_description, "The message expired and was dead lettered.");
    ck_assert_int_eq(got.ttl_ms, MINUTE);
    ck_assert_int_eq(q_look("drop").size_bytes, 0);
}
END_TEST

START_TEST(test_due__the_shorter_time_to_live_counts)
{
    q_put(with_ttl("t", 10000, false));
    ck_assert_int_eq(send_with("t", "long", NULL, 60000, 0), SB_OK);
    ck_assert_int_eq(send_with("t", "short", NULL, 5000, 0), SB_OK);
    pass(5000);
    ck_assert_str_eq(lock("t"), "long");
    ck_assert_int_eq(got.ttl_ms, 10000);
    ck_assert_str_eq(lock("t"), "");
}
END_TEST

START_TEST(test_due__a_locked_message_expires_after_its_lock)
{
    q_put(with_ttl("t", 10000, false));
    send("t", "a");
    send("t", "b");
    ck_assert_str_eq(lock("t"), "a");
    struct broker_delivery a = got;
    ck_assert_str_eq(told(30000), "messageExpired"); /* b */
    ck_assert_int_eq(finish_as("t", BROKER_RENEW, &a), SB_OK);
    ck_assert_str_eq(told(50000), "");
    ck_assert_str_eq(told(10000), "lockExpired messageExpired");
    ck_counts("t", 0, 0, 0);
    send("t", "c");
    ck_assert_str_eq(lock("t"), "c");
    pass(20000);
    ck_assert_int_eq(finish_as("t", BROKER_UNLOCK, &got), SB_OK); /* gives back what is long expired */
    ck_assert_str_eq(lock("t"), "");
    ck_counts("t", 0, 0, 0);
}
END_TEST

START_TEST(test_due__thousands_at_once)
{
    q_put(with_ttl("t", MINUTE, true));
    for (int i = 0; i < 150; i++) {
        struct task *t = task_new(BROKER_SEND, "t");
        for (int k = 0; k < 8; k++)
            task_message(t, "m", NULL);
        ck_assert_int_eq(task_run(t), SB_OK);
    }
    clock_advance_to(e->clock, START + MINUTE);
    ck_assert_str_eq(eat("t"), ""); /* one request, several commits */
    ck_counts("t", 0, 1200, 0);
}
END_TEST

/* ---- scheduled messages ---- */

START_TEST(test_due__scheduled_messages_get_a_new_number)
{
    ck_assert_int_eq(send_with("q", "later", NULL, 30000, START + MINUTE), SB_OK);
    send("q", "now");
    ck_counts("q", 1, 0, 1);
    ck_assert_str_eq(eat("q"), "now");
    ck_assert_int_eq(got.seq, 2);
    ck_assert_str_eq(lock("q"), "");
    ck_assert_str_eq(told(MINUTE), "messageActivated");
    ck_counts("q", 1, 0, 0);
    ck_assert_str_eq(lock("q"), "later");
    ck_assert_int_eq(got.seq, 3);
    ck_assert_int_eq(got.enqueued_seq, 1);
    ck_assert_int_eq(got.enqueued_ms, START + MINUTE);
    ck_assert_int_eq(got.ttl_ms, 30000);
    ck_assert_int_eq(got.expires_ms, START + MINUTE + 30000);
    ck_assert_int_eq(send_with("q", "past", NULL, -1, START), SB_OK);
    ck_assert_str_eq(eat("q"), "past");
}
END_TEST

START_TEST(test_due__a_damaged_scheduled_message_stops_nothing)
{
    ck_assert_int_eq(send_with("q", "one", NULL, -1, START + MINUTE), SB_OK);
    ck_assert_int_eq(send_with("q", "two", NULL, -1, START + MINUTE), SB_OK);
    sql("UPDATE message SET blob=CAST(substr(blob,1,30)||x'ff'||substr(blob,32) AS BLOB) WHERE "
        "id&0xffffffffff=1");
    pass(MINUTE);
    ck_assert_str_eq(eat("q"), "two");
    ck_assert_str_eq(eat("q"), "");
    ck_assert_int_eq(sql("SELECT state FROM message"), ST_MESSAGE_DAMAGED);
}
END_TEST

START_TEST(test_due__everything_in_the_order_of_its_time)
{
    q_put(with_ttl("t", 30000, false));
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");                                      /* ends at 60 s */
    send("t", "b");                                                        /* expires at 30 s */
    ck_assert_int_eq(send_with("q", "c", NULL, -1, START + 45000), SB_OK); /* active at 45 s */
    ck_assert_str_eq(told(2 * MINUTE), "messageExpired messageActivated lockExpired");
}
END_TEST

/* ---- restarts and revoking ---- */

START_TEST(test_due__what_fell_due_while_down_runs_before_serving)
{
    char dir[] = "/tmp/sb-due-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    world_down();
    broker_up_in(dir);
    q_put(with_ttl("t", MINUTE, true));
    send("t", "a");
    world_down();
    const struct engine_config cfg = {.data_dir = dir,
                                      .clock_manual = true,
                                      .start_ms = START,
                                      .poll_interval_ms = INTERVAL,
                                      .clients = fixture_clients,
                                      .clients_n = 1};
    ck_assert_int_eq(engine_open(&cfg, NULL, &e, &err), SB_OK);
    arena = arena_new(64u << 20);
    ck_assert_int_eq(broker_next_due(e), START + MINUTE);
    clock_advance_to(e->clock, START + 2 * MINUTE);
    ck_assert_str_eq(eat("t"), "");
    ck_counts("t", 0, 1, 0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* Semantics 11: a namespace without its key stands still; afterwards everything comes in order. */
START_TEST(test_due__nothing_falls_due_while_revoked)
{
    world_down();
    world_up();
    encrypt_ns(NS, "k1");
    q_put(q_spec("q"));
    q_put(with_ttl("t", 2 * MINUTE, true));
    send("q", "a");
    ck_assert_str_eq(lock("q"), "a");
    struct broker_delivery held = got;
    send("t", "b");
    ck_assert_int_eq(send_with("t", "c", NULL, MINUTE, START + 7 * MINUTE), SB_OK);
    struct task *waits = task_new(BROKER_RECEIVE, "q");
    waits->op.timeout_ms = 100 * MINUTE;
    task_go(waits);
    ck_assert(task_pending(waits));
    update_key("k1", NULL, 0, -1, -1);
    poll_now(NS);
    ck_assert_int_eq(task_end(waits), SB_EREVOKED);
    ck_detail("the encryption key is no longer valid");
    ck_assert_str_eq(eat("nowhere"), "!SB_EREVOKED"); /* before what is not there */
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &held), SB_EREVOKED);
    struct timeline_result r;
    ck_assert_int_eq(timeline_advance(e, 20 * MINUTE, arena, 100, &r, &err), SB_OK);
    for (size_t i = 0; i < r.n; i++)
        ck_assert_str_eq(r.events[i].kind, "poll");
    ck_counts("t", 1, 0, 1);
    update_key("k1", NULL, 1, -1, -1);
    poll_now(NS);
    ck_assert_str_eq(lock("q"), "a");
    ck_assert_int_eq(got.delivery_count, 1); /* the lock was released without counting */
    ck_assert_int_eq(got.seq, 1);
    settle();
    ck_counts("t", 0, 2, 0); /* b expired, c was activated and expired */
}
END_TEST

/* ---- idle queues ---- */

START_TEST(test_due__idle_queues_are_deleted)
{
    bool found;
    struct entity_view q;
    struct entity_spec s = q_spec("idle");
    s.idle_ms = 5 * MINUTE;
    q_put(s);
    send("idle", "a");
    pass(4 * MINUTE);
    ck_assert_str_eq(lock("idle"), "a"); /* use puts it off */
    ck_assert_str_eq(told(4 * MINUTE), "lockExpired");
    ck_assert_str_eq(told(MINUTE), "queueDeleted");
    ck_assert_int_eq(broker_entity_get(e, NS, ENTITY_QUEUE, "idle", arena, &q, &err), SB_EGONE);
    ck_assert_int_eq(sql("SELECT count(*) FROM message"), 0);
    ck_assert_str_eq(eat("idle"), "!SB_EGONE");
    q_put(s);
    struct task *t = task_new(BROKER_RECEIVE, "idle");
    t->op.timeout_ms = 20 * MINUTE;
    task_go(t);
    ck_assert(task_pending(t));
    ck_assert_str_eq(told(10 * MINUTE), ""); /* a parked receive is use */
    send("idle", "b");
    ck_assert_int_eq(task_end(t), SB_OK);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "idle", &found, &err), SB_OK);
    ck_assert_str_eq(told(10 * MINUTE), "");
}
END_TEST

/* ---- duplicates ---- */

START_TEST(test_due__duplicates_are_dropped_within_the_window)
{
    const struct amqp_props one = {.message_id = "1"}, two = {.message_id = "2"};
    struct entity_spec s = q_spec("dup");
    s.dup = 1;
    s.dup_window_ms = MINUTE;
    q_put(s);
    ck_assert_int_eq(send_with("dup", "a", &one, -1, 0), SB_OK);
    ck_assert_int_eq(send_with("dup", "b", &one, -1, 0), SB_OK); /* succeeds, and is dropped */
    ck_assert_int_eq(send_with("dup", "c", &two, -1, 0), SB_OK);
    ck_counts("dup", 2, 0, 0);
    ck_assert_str_eq(eat("dup"), "a");
    ck_assert_str_eq(eat("dup"), "c");
    ck_assert_int_eq(got.seq, 2);                                /* a duplicate takes no number */
    ck_assert_int_eq(send_with("dup", "d", &one, -1, 0), SB_OK); /* remembered though it is consumed */
    ck_assert_str_eq(eat("dup"), "");
    pass(MINUTE);
    ck_assert_int_eq(send_with("dup", "e", &one, -1, 0), SB_OK);
    ck_assert_str_eq(eat("dup"), "e");
    ck_assert_int_eq(sql("SELECT count(*) FROM seen"), 1); /* what is over is forgotten */
    ck_assert_int_eq(send_with("q", "x", &one, -1, 0), SB_OK);
    ck_assert_int_eq(send_with("q", "y", &one, -1, 0), SB_OK);
    ck_counts("q", 2, 0, 0);
}
END_TEST

/* ---- forwarding ---- */

static void forward(const char *from, const char *to)
{
    struct entity_spec s = q_spec(from);
    s.forward_to = to;
    q_put(s);
}

START_TEST(test_due__forwarding_follows_the_chain)
{
    static const char *const chain[] = {"q", "a", "b", "c", "d", "f"};
    for (size_t i = 1; i < SB_ARRAY_LEN(chain); i++)
        forward(chain[i], chain[i - 1]);
    ck_assert_int_eq(send_with("d", "four hops", NULL, 1000, 0), SB_OK);
    ck_counts("d", 0, 0, 0);
    ck_assert_str_eq(eat("q"), "four hops");
    ck_assert_int_eq(got.seq, 1);
    ck_assert_int_eq(got.ttl_ms, 1000);
    send("f", "five hops");
    ck_counts("q", 0, 0, 0);
    ck_assert_str_eq(eat("a/$DeadLetterQueue"), "five hops");
    ck_assert_str_eq(got.dl_reason, "MaxTransferHopCountExceeded");
}
END_TEST

START_TEST(test_due__forwarding_to_what_takes_nothing)
{
    bool existed;
    struct entity_spec s = q_spec("to");
    q_put(s);
    forward("from", "to");
    s.status = "SendDisabled";
    q_put(s);
    send("from", "a");
    ck_assert_str_eq(eat("from/$DeadLetterQueue"), "a");
    ck_assert_str_eq(got.dl_reason, "AutoForwardDestinationRefused");
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "to", &existed, &err), SB_OK);
    send("from", "b");
    ck_assert_str_eq(eat("from/$DeadLetterQueue"), "b");
    ck_assert_str_eq(got.dl_reason, "AutoForwardDestinationNotFound");
}
END_TEST

START_TEST(test_due__scheduled_messages_are_forwarded_when_active)
{
    const struct amqp_props props = {.message_id = "m", .session_id = "s"};
    struct entity_spec s = q_spec("sess");
    s.session = 1;
    q_put(s);
    forward("from", "sess");
    ck_assert_int_eq(send_with("from", "a", &props, -1, START + 1000), SB_OK);
    ck_counts("from", 0, 0, 1);
    pass(1000);
    ck_counts("from", 0, 0, 0);
    ck_counts("sess", 1, 0, 0);
    ck_assert_int_eq(sql("SELECT length(session) FROM message"),
                     32); /* sealed and looked up under its new queue */
    ck_assert_int_eq(send_with("from", "b", NULL, -1, 0), SB_OK);
    ck_assert_str_eq(eat("from/$DeadLetterQueue"), "b");
    ck_assert_str_eq(got.dl_reason, "Session ID is null.");
}
END_TEST

START_TEST(test_due__dead_letters_can_be_forwarded)
{
    struct entity_spec s = q_spec("from");
    q_put(q_spec("graves"));
    s.forward_dlq = "graves";
    s.max_delivery = 1;
    q_put(s);
    send("from", "a");
    ck_assert_str_eq(lock("from"), "a");
    ck_assert_int_eq(finish_as("from", BROKER_UNLOCK, &got), SB_OK);
    ck_counts("from", 0, 0, 0);
    ck_assert_str_eq(lock("graves"), "a");
    ck_assert_str_eq(got.dl_reason, "MaxDeliveryCountExceeded");
    ck_assert_int_eq(q_look("from").size_bytes, 0);
    ck_assert_int_gt(q_look("graves").size_bytes, 0);
}
END_TEST

Suite *unit_suite(void)
{
    pool_fill(); /* of the customer keys of one test */
    atexit(pool_empty);
    Suite *s = suite_create("broker_due");
    TCase *t = tcase_create("due");
    tcase_add_checked_fixture(t, broker_up, world_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_due__the_end_of_a_lock_counts_a_delivery);
    tcase_add_test(t, test_due__locks_that_end_lead_to_the_dead_letter_queue);
    tcase_add_test(t, test_due__requests_run_what_is_due_first);
    tcase_add_test(t, test_due__expired_messages_are_dropped_or_kept);
    tcase_add_test(t, test_due__the_shorter_time_to_live_counts);
    tcase_add_test(t, test_due__a_locked_message_expires_after_its_lock);
    tcase_add_test(t, test_due__thousands_at_once);
    tcase_add_test(t, test_due__scheduled_messages_get_a_new_number);
    tcase_add_test(t, test_due__a_damaged_scheduled_message_stops_nothing);
    tcase_add_test(t, test_due__everything_in_the_order_of_its_time);
    tcase_add_test(t, test_due__what_fell_due_while_down_runs_before_serving);
    tcase_add_test(t, test_due__nothing_falls_due_while_revoked);
    tcase_add_test(t, test_due__idle_queues_are_deleted);
    tcase_add_test(t, test_due__duplicates_are_dropped_within_the_window);
    tcase_add_test(t, test_due__forwarding_follows_the_chain);
    tcase_add_test(t, test_due__forwarding_to_what_takes_nothing);
    tcase_add_test(t, test_due__scheduled_messages_are_forwarded_when_active);
    tcase_add_test(t, test_due__dead_letters_can_be_forwarded);
    suite_add_tcase(s, t);
    return s;
}
