/* test_broker_topic.c: topics: who gets a copy, what rules make of it, what a topic takes with it, what
 * survives a restart. */
#include "tests/unit/engine/broker_fixture.h"

#define A "t/subscriptions/a"
#define B "t/subscriptions/b"

static struct entity_spec t_spec(enum entity_kind kind, const char *name)
{
    return broker_spec(kind, NS, name);
}

static void make(enum entity_kind kind, const char *name)
{
    struct entity_spec s = t_spec(kind, name);
    ck_assert_msg(q_try(&s) == SB_OK, "%s: %s", name, err.detail);
}

static struct entity_view look(enum entity_kind kind, const char *name)
{
    struct entity_view v;
    ck_assert_msg(broker_entity_get(e, NS, kind, name, arena, &v, &err) == SB_OK, "%s", err.detail);
    return v;
}

static void topic_up(void)
{
    broker_up();
    make(ENTITY_TOPIC, "t");
    make(ENTITY_SUBSCRIPTION, A);
    make(ENTITY_SUBSCRIPTION, B);
}

static enum sb_err rule(const char *path, const char *name, const struct rule_spec *s)
{
    struct rule_view v;
    err.detail[0] = '\0';
    return broker_rule_put(e, NS, path, name, s, arena, &v, &err);
}

static void no_rule(const char *path, const char *name)
{
    bool existed = false;
    ck_assert_int_eq(broker_rule_delete(e, NS, path, name, &existed, &err), SB_OK);
    ck_assert(existed);
}

static void only(const char *path, const struct rule_spec *s)
{
    no_rule(path, RULE_DEFAULT);
    ck_assert_msg(rule(path, "only", s) == SB_OK, "%s", err.detail);
}

static enum sb_err send_as(const char *label, const char *text)
{
    const struct amqp_props p = {.subject = label, .message_id = text};
    return send_with("t", text, &p, -1, 0);
}

START_TEST(test_topic__every_subscription_gets_its_copy)
{
    send("t", "one");
    send("T", "two");
    ck_assert_int_eq(look(ENTITY_TOPIC, "t").subscriptions, 2);
    ck_assert_int_eq(look(ENTITY_TOPIC, "t").active, 0);
    ck_assert_int_gt(look(ENTITY_TOPIC, "t").size_bytes, 0);
    ck_assert_int_eq(look(ENTITY_SUBSCRIPTION, A).active, 2);
    ck_assert_str_eq(lock(A), "one");
    ck_assert_int_eq(got.seq, 1);
    ck_assert_int_eq(got.enqueued_seq, 1);
    ck_assert_int_eq(finish_as(A, BROKER_COMPLETE, &got), SB_OK);
    ck_assert_str_eq(eat(A), "two");
    ck_assert_int_eq(got.enqueued_seq, 2);
    ck_assert_str_eq(eat(A), "");
    ck_assert_str_eq(eat("T/Subscriptions/B"), "one");
    ck_assert_str_eq(eat(B), "two");
}
END_TEST

START_TEST(test_topic__what_cannot_be_done)
{
    struct entity_spec s = t_spec(ENTITY_SUBSCRIPTION, "none/subscriptions/a");
    struct entity_view v;
    bool existed = true;
    ck_assert_int_eq(q_try(&s), SB_ENOPARENT);
    s = t_spec(ENTITY_QUEUE, "t"); /* queues and topics share their names */
    ck_assert_int_eq(q_try(&s), SB_EEXISTS);
    s = t_spec(ENTITY_TOPIC, "q");
    ck_assert_int_eq(q_try(&s), SB_EEXISTS);
    s = t_spec(ENTITY_SUBSCRIPTION, "q/subscriptions/a");
    ck_assert_int_eq(q_try(&s), SB_ENOPARENT);
    s = t_spec(ENTITY_SUBSCRIPTION, "t/subscriptions/123456789012345678901234567890123456789012345678901");
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_assert_int_eq(broker_entity_get(e, NS, ENTITY_QUEUE, "t", arena, &v, &err), SB_EGONE);
    ck_assert_int_eq(broker_entity_get(e, NS, ENTITY_SUBSCRIPTION, "t/subscriptions/c", arena, &v, &err),
                     SB_ENOSUBENTITY);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "t", &existed, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_str_eq(eat("t"), "!SB_EBADREQUEST");
    ck_detail("receive from one of its subscriptions");
    ck_assert_int_eq(send_with(A, "x", NULL, -1, 0), SB_EBADREQUEST);
    ck_detail("send to its topic");
}
END_TEST

START_TEST(test_topic__filters_choose)
{
    only(A, &(struct rule_spec){.sql = "sys.Label = 'big'"});
    only(B, &(struct rule_spec){.correlation = true, .label = "small"});
    ck_assert_int_eq(send_as("big", "elephant"), SB_OK);
    ck_assert_int_eq(send_as("small", "mouse"), SB_OK);
    ck_assert_int_eq(send_as(NULL, "ghost"), SB_OK);
    ck_assert_str_eq(eat(A), "elephant");
    ck_assert_str_eq(eat(A), "");
    ck_assert_str_eq(eat(B), "mouse");
    ck_assert_str_eq(eat(B), "");
}
END_TEST

START_TEST(test_topic__no_rule_no_message)
{
    no_rule(A, RULE_DEFAULT);
    send("t", "x");
    ck_assert_str_eq(eat(A), "");
    ck_assert_str_eq(eat(B), "x");
}
END_TEST

/* Documented: rules without an action give one copy between them, each with an action one of its own. */
START_TEST(test_topic__actions_make_copies_of_their_own)
{
    ck_assert_int_eq(rule(A, "also", &(struct rule_spec){.sql = "1=1"}), SB_OK);
    ck_assert_int_eq(rule(A, "x", &(struct rule_spec){.sql = "1=1", .action = "SET sys.Label = 'x'"}), SB_OK);
    ck_assert_int_eq(rule(A, "y", &(struct rule_spec){.sql = "1=2", .action = "SET sys.Label = 'y'"}), SB_OK);
    ck_assert_int_eq(send_as("plain", "body"), SB_OK);
    const char *labels[2];
    for (int i = 0; i < 2; i++) {
        struct amqp_message m;
        ck_assert_str_eq(eat(A), "body");
        ck_assert_int_eq(amqpmsg_decode(got.sections, arena, &m, &err), SB_OK);
        labels[i] = m.props.subject;
    }
    ck_assert_str_eq(eat(A), "");
    ck_assert(strcmp(labels[0], "x") == 0 && strcmp(labels[1], "plain") == 0);
}
END_TEST

START_TEST(test_topic__what_a_filter_fails_on)
{
    only(A, &(struct rule_spec){.sql = "1 / 0 = 1"});
    struct entity_spec s = t_spec(ENTITY_SUBSCRIPTION, B);
    s.dead_letter_filter = 0;
    ck_assert_int_eq(q_try(&s), SB_OK);
    only(B, &(struct rule_spec){.sql = "1 / 0 = 1"});
    send("t", "odd");
    ck_assert_int_eq(look(ENTITY_SUBSCRIPTION, A).dead_letter, 1);
    ck_assert_int_eq(look(ENTITY_SUBSCRIPTION, B).dead_letter, 0);
    ck_assert_str_eq(eat(A "/$DeadLetterQueue"), "odd");
    ck_assert_str_eq(got.dl_reason, "FilterEvaluationException");
    ck_assert_str_eq(got.dl_description, "The rule cannot be evaluated: division by zero.");
}
END_TEST

START_TEST(test_topic__malformed_rules_change_nothing)
{
    struct rule_view v;
    ck_assert_int_eq(rule(A, RULE_DEFAULT, &(struct rule_spec){.sql = "a = ="}), SB_EBADREQUEST);
    ck_detail("Token line=1, column=5");
    ck_assert_int_eq(rule(A, "r", &(struct rule_spec){.sql = "1=1", .action = "SET"}), SB_EBADREQUEST);
    ck_assert_int_eq(rule(A, "no good", &(struct rule_spec){.sql = "1=1"}), SB_EBADREQUEST);
    ck_assert_int_eq(rule("t/subscriptions/none", "r", &(struct rule_spec){.sql = "1=1"}), SB_ENOSUBENTITY);
    ck_assert_int_eq(broker_rule_get(e, NS, A, RULE_DEFAULT, arena, &v, &err), SB_OK);
    ck_assert_str_eq(v.spec.sql, "1=1");
    ck_assert_int_eq(broker_rule_get(e, NS, A, "r", arena, &v, &err), SB_ENOSUBENTITY);
    ck_assert_str_eq(err.detail, "Rule does not exist");
    ck_assert_int_eq(sql("SELECT count(*) FROM rule"), 2);
}
END_TEST

START_TEST(test_topic__scheduled_messages_wait_in_the_topic)
{
    ck_assert_int_eq(send_with("t", "later", NULL, -1, engine_now(e) + MINUTE), SB_OK);
    ck_assert_int_eq(look(ENTITY_TOPIC, "t").scheduled, 1);
    ck_assert_str_eq(eat(A), "");
    make(ENTITY_SUBSCRIPTION, "t/subscriptions/c"); /* in time */
    pass(MINUTE);
    ck_assert_int_eq(look(ENTITY_TOPIC, "t").scheduled, 0);
    ck_assert_str_eq(eat(A), "later");
    ck_assert_str_eq(eat("t/subscriptions/c"), "later");
}
END_TEST

START_TEST(test_topic__forwarding_in_and_out)
{
    struct entity_spec s = t_spec(ENTITY_QUEUE, "in");
    s.forward_to = "t";
    ck_assert_int_eq(q_try(&s), SB_OK);
    s = t_spec(ENTITY_SUBSCRIPTION, A);
    s.forward_to = "q";
    ck_assert_int_eq(q_try(&s), SB_OK);
    s.forward_to = B; /* not to a subscription */
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    send("in", "through");
    ck_assert_str_eq(eat("q"), "through");
    ck_assert_str_eq(eat(B), "through");
    /* In a circle it ends in a dead-letter queue. */
    s.forward_to = "t";
    ck_assert_int_eq(q_try(&s), SB_OK);
    send("t", "round");
    ck_assert_str_eq(eat(A "/$DeadLetterQueue"), "round");
    ck_assert_str_eq(got.dl_reason, "MaxTransferHopCountExceeded");
}
END_TEST

START_TEST(test_topic__sessions_duplicates_status)
{
    struct entity_spec s = t_spec(ENTITY_TOPIC, "d");
    s.dup = 1;
    ck_assert_int_eq(q_try(&s), SB_OK);
    s = t_spec(ENTITY_SUBSCRIPTION, "d/subscriptions/s");
    s.session = 1;
    ck_assert_int_eq(q_try(&s), SB_OK);
    make(ENTITY_SUBSCRIPTION, "d/subscriptions/p");
    const struct amqp_props p = {.message_id = "same"};
    ck_assert_int_eq(send_with("d", "x", &p, -1, 0), SB_OK);
    ck_assert_int_eq(send_with("d", "x", &p, -1, 0), SB_OK);
    ck_assert_int_eq(look(ENTITY_SUBSCRIPTION, "d/subscriptions/p").active, 1);
    ck_assert_str_eq(eat("d/subscriptions/s/$DeadLetterQueue"), "x");
    ck_assert_str_eq(got.dl_reason, "Session ID is null.");
    s = t_spec(ENTITY_SUBSCRIPTION, "d/subscriptions/p");
    s.status = "Disabled";
    ck_assert_int_eq(q_try(&s), SB_OK);
    send("d", "y");
    ck_assert_int_eq(look(ENTITY_SUBSCRIPTION, "d/subscriptions/p").active, 1);
}
END_TEST

START_TEST(test_topic__goes_with_all_that_is_below)
{
    bool existed = false;
    struct rule_view v;
    send("t", "x");
    ck_assert_uint_eq(broker_entity_count(ns_find(e, NS)), 2); /* q and t */
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_TOPIC, "T", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(sql("SELECT count(*) FROM entity"), 1);
    ck_assert_int_eq(sql("SELECT count(*) FROM message"), 0);
    ck_assert_int_eq(sql("SELECT count(*) FROM rule"), 0);
    ck_assert_int_eq(broker_rule_get(e, NS, A, RULE_DEFAULT, arena, &v, &err), SB_ENOSUBENTITY);
    ck_assert_str_eq(eat(A), "!SB_EGONE");
    ck_assert_uint_eq(broker_entity_count(ns_find(e, NS)), 1);
}
END_TEST

START_TEST(test_topic__idle_ones_go)
{
    struct entity_spec s = t_spec(ENTITY_SUBSCRIPTION, A);
    s.idle_ms = 5 * MINUTE;
    ck_assert_int_eq(q_try(&s), SB_OK);
    pass(6 * MINUTE);
    ck_assert_int_eq(look(ENTITY_TOPIC, "t").subscriptions, 1);
    s = t_spec(ENTITY_TOPIC, "t");
    s.idle_ms = 5 * MINUTE;
    ck_assert_int_eq(q_try(&s), SB_OK);
    pass(6 * MINUTE);
    ck_assert_int_eq(sql("SELECT count(*) FROM entity"), 1);
    ck_assert_int_eq(sql("SELECT count(*) FROM rule"), 0);
}
END_TEST

START_TEST(test_topic__lists)
{
    struct entity_view *list;
    struct rule_view *rules;
    size_t n = 0;
    make(ENTITY_TOPIC, "u");
    make(ENTITY_SUBSCRIPTION, "u/subscriptions/z");
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_TOPIC, NULL, 0, 10, arena, &list, &n, &err), SB_OK);
    ck_assert_int_eq((int)n, 2);
    ck_assert_str_eq(list[1].name, "u");
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_SUBSCRIPTION, "t", 1, 10, arena, &list, &n, &err),
                     SB_OK);
    ck_assert_int_eq((int)n, 1);
    ck_assert_str_eq(list[0].name, B);
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_SUBSCRIPTION, "q", 0, 10, arena, &list, &n, &err),
                     SB_EGONE);
    ck_assert_int_eq(rule(A, "a", &(struct rule_spec){.sql = "1=1"}), SB_OK);
    ck_assert_int_eq(rule(A, "A", &(struct rule_spec){.sql = "1=2"}), SB_OK); /* the same one */
    ck_assert_int_eq(broker_rule_list(e, NS, A, arena, &rules, &n, &err), SB_OK);
    ck_assert_int_eq((int)n, 2);
    ck_assert_str_eq(rules[0].name, RULE_DEFAULT);
    ck_assert_str_eq(rules[1].name, "a");
    ck_assert_str_eq(rules[1].spec.sql, "1=2");
}
END_TEST

/* Rules are sealed at rest, and there again after a start. */
START_TEST(test_topic__survives_a_restart)
{
    char dir[] = "/tmp/sealedbus-unit-XXXXXX";
    struct rule_view v;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    broker_up_in(dir);
    make(ENTITY_TOPIC, "t");
    make(ENTITY_SUBSCRIPTION, A);
    const struct amqp_app_prop props[] = {{"region", {.kind = AMQP_STRING, .s = "north"}}};
    const struct rule_spec s = {.correlation = true,
                                .label = "planted-label",
                                .action = "SET sys.To = 'there'",
                                .props = props,
                                .props_n = 1};
    only(A, &s);
    ck_assert_int_eq(sql("SELECT count(*) FROM rule WHERE instr(sealed, 'planted-label')"), 0);
    world_down();
    world_open(dir);
    ck_assert_int_eq(broker_rule_get(e, NS, A, "ONLY", arena, &v, &err), SB_OK);
    ck_assert(v.spec.correlation);
    ck_assert_str_eq(v.spec.label, "planted-label");
    ck_assert_str_eq(v.spec.action, "SET sys.To = 'there'");
    ck_assert_int_eq((int)v.spec.props_n, 1);
    ck_assert_str_eq(v.spec.props[0].value.s, "north");
    ck_assert_int_eq(look(ENTITY_TOPIC, "t").subscriptions, 1);
    ck_assert_int_eq(broker_rule_get(e, NS, A, RULE_DEFAULT, arena, &v, &err), SB_ENOSUBENTITY);
    world_down();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("broker_topic");
    TCase *t = tcase_create("topic");
    tcase_add_checked_fixture(t, topic_up, world_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_topic__every_subscription_gets_its_copy);
    tcase_add_test(t, test_topic__what_cannot_be_done);
    tcase_add_test(t, test_topic__filters_choose);
    tcase_add_test(t, test_topic__no_rule_no_message);
    tcase_add_test(t, test_topic__actions_make_copies_of_their_own);
    tcase_add_test(t, test_topic__what_a_filter_fails_on);
    tcase_add_test(t, test_topic__malformed_rules_change_nothing);
    tcase_add_test(t, test_topic__scheduled_messages_wait_in_the_topic);
    tcase_add_test(t, test_topic__forwarding_in_and_out);
    tcase_add_test(t, test_topic__sessions_duplicates_status);
    tcase_add_test(t, test_topic__goes_with_all_that_is_below);
    tcase_add_test(t, test_topic__idle_ones_go);
    tcase_add_test(t, test_topic__lists);
    suite_add_tcase(s, t);
    t = tcase_create("restart");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_topic__survives_a_restart);
    suite_add_tcase(s, t);
    return s;
}
