/* test_broker_entity.c: queues as ARM sees them: defaults, limits and their sentences, what cannot change,
 * lists. */
#include <pthread.h>
#include <stddef.h>
#include "tests/unit/engine/broker_fixture.h"

START_TEST(test_queue__defaults)
{
    q_put(q_spec("new"));
    ck_assert(q_view.changed);
    struct entity_view q = q_look("NEW");
    ck_assert_str_eq(q.name, "new");
    ck_assert_int_eq(q.lock_ms, MINUTE);
    ck_assert_int_eq(q.max_mb, 1024);
    ck_assert_int_eq(q.max_message_kb, 1024);
    ck_assert_int_eq(q.max_delivery, 10);
    ck_assert_int_eq(q.dup_window_ms, 10 * MINUTE);
    ck_assert(q.ttl_ms == TIME_FOREVER_MS && q.idle_ms == TIME_FOREVER_MS);
    ck_assert(q.batched && !q.dup && !q.session && !q.dead_letter_expired && !q.partitioning && !q.express);
    ck_assert_str_eq(q.status, "Active");
    ck_assert_int_eq(q.created_ms, START);
    ck_assert_int_eq(q.updated_ms, START);
    ck_assert_int_eq(q.accessed_ms, 0);
    ck_assert_ptr_null(q.forward_to);
}
END_TEST

START_TEST(test_queue__a_put_changes_what_it_names)
{
    struct entity_spec s = q_spec("q");
    s.lock_ms = 30000;
    s.status = "senddisabled";
    pass(1000);
    q_put(s);
    ck_assert(q_view.changed);
    ck_assert_int_eq(q_view.updated_ms, START + 1000);
    ck_assert_int_eq(q_view.created_ms, START);
    ck_assert_str_eq(q_view.status, "SendDisabled");
    s = q_spec("q");
    s.max_delivery = 5;
    pass(1000);
    q_put(s);
    ck_assert_int_eq(q_view.lock_ms, 30000);
    ck_assert_int_eq(q_view.max_delivery, 5);
    pass(1000);
    q_put(s);
    ck_assert(!q_view.changed);
    ck_assert_int_eq(q_view.updated_ms, START + 2000);
}
END_TEST

/* One member set to a wrong value each: a number or a text. */
#define AT(member) offsetof(struct entity_spec, member)
static const struct {
    const char *name;
    size_t number;
    int64_t value;
    size_t text_at;
    const char *text, *detail;
} wrong[] = {
    {"w", AT(lock_ms), 300001, 0, NULL,
     "SubCode=40000. The supplied lock time exceeds the allowed maximum of '5' minutes."},
    {"w", AT(lock_ms), 25 * DAY, 0, NULL, "Actual value was 25.00:00:00."},
    {"w", AT(lock_ms), 0, 0, NULL, "LockDuration"},
    {"w", AT(ttl_ms), 0, 0, NULL, "DefaultMessageTimeToLive"},
    {"w", AT(dup_window_ms), 19999, 0, NULL, "DuplicateDetectionHistoryTimeWindow"},
    {"w", AT(dup_window_ms), 8 * DAY, 0, NULL, "DuplicateDetectionHistoryTimeWindow"},
    {"w", AT(idle_ms), 299999, 0, NULL, "AutoDeleteOnIdle"},
    {"w", AT(max_delivery), 0, 0, NULL, "MaxDeliveryCount"},
    {"w", AT(max_delivery), 2001, 0, NULL, "MaxDeliveryCount"},
    {"w", AT(max_mb), 1000, 0, NULL,
     "The specified value 1000 is invalid. The property 'MaxSizeInMegabytes', must be one of the following "
     "values: 1024;"},
    {"w", AT(max_message_kb), 256, 0, NULL,
     "The property value for 'MaxMessageSizeInKilobytes' must be between 1024 and 102400 when the namespace "
     "'contoso-sb1' is using "
     "'Premium' tier."},
    {"w", AT(max_message_kb), 102401, 0, NULL, "MaxMessageSizeInKilobytes"},
    {"w", 0, 0, AT(status), "Asleep", "Status"},
    {"w", 0, 0, AT(forward_to), "nowhere",
     "SubCode=40400. The auto forwarding destination entity doesn't exist."},
    {"w", 0, 0, AT(forward_dlq), "nowhere", "SubCode=40400."},
    {"w", 0, 0, AT(forward_to), "W", "to itself"},
    {"a b", 0, 0, 0, NULL, "contains character(s) that is not allowed by Service Bus."},
    {"a$b", 0, 0, 0, NULL, "not allowed"},
    {"/a", 0, 0, 0, NULL, "empty entity segment"},
    {"a//b", 0, 0, 0, NULL, "empty entity segment"},
    {"", 0, 0, 0, NULL, "1 to 260"},
};

START_TEST(test_queue__what_is_not_allowed)
{
    struct entity_spec s = q_spec(wrong[_i].name);
    struct entity_view q;
    char *at = (char *)&s;
    if (wrong[_i].number)
        memcpy(at + wrong[_i].number, &wrong[_i].value, sizeof(int64_t));
    if (wrong[_i].text_at)
        memcpy(at + wrong[_i].text_at, &wrong[_i].text, sizeof wrong[_i].text);
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_detail(wrong[_i].detail);
    ck_assert_int_eq(broker_entity_get(e, NS, ENTITY_QUEUE, s.name, arena, &q, &err), SB_EGONE);
    ck_assert_int_eq(sql("SELECT count(*) FROM entity"), 1);
}
END_TEST

START_TEST(test_queue__what_cannot_change)
{
    struct entity_spec s = q_spec("q");
    s.dup = 1;
    s.max_delivery = 3;
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_detail(
        "The value for the RequiresDuplicateDetection property of an existing Queue cannot be changed.");
    s = q_spec("q");
    s.session = 1;
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_detail("RequiresSession");
    s = q_spec("q");
    s.partitioning = 1;
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_assert_int_eq(q_look("q").max_delivery, 10); /* a refused PUT changes nothing */
}
END_TEST

START_TEST(test_queue__forwarding_can_be_set_as_uri_and_ended)
{
    struct entity_spec s = q_spec("from");
    s.forward_to = "sb://contoso-sb1.servicebus.windows.net/q";
    q_put(s);
    ck_assert_str_eq(q_look("from").forward_to, "q");
    s.forward_to = "";
    q_put(s);
    ck_assert_ptr_null(q_look("from").forward_to);
}
END_TEST

static void tier(const char *sku)
{
    struct ns_spec s = ns_wanted("other-ns");
    s.sku = sku;
    s.has_identity = false;
    ns_ok(&s);
}

START_TEST(test_queue__standard_tier)
{
    tier("Standard");
    struct entity_spec s = q_spec("p");
    s.ns = "other-ns";
    s.partitioning = 1;
    q_put(s);
    ck_assert_int_eq(q_view.max_mb, 16384); /* recorded */
    ck_assert_int_eq(q_view.max_message_kb, 256);
    s.max_mb = 16384;
    q_put(s);
    ck_assert(!q_view.changed);
    s = q_spec("s");
    s.ns = "other-ns";
    s.max_mb = 10240;
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_detail("1024;2048;3072;4096;5120.");
}
END_TEST

START_TEST(test_queue__basic_tier)
{
    tier("Basic");
    struct entity_spec s = q_spec("b");
    s.ns = "other-ns";
    q_put(s);
    ck_assert_int_eq(q_view.ttl_ms, 14 * DAY);
    s.session = 1;
    s.name = "c";
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    ck_detail("The property 'RequiresSession' can't be set when creating a Queue because the namespace "
              "'other-ns' is using the 'Basic' Tier.");
}
END_TEST

START_TEST(test_queue__no_namespace)
{
    struct entity_spec s = q_spec("q");
    struct entity_view q, *list;
    size_t n;
    bool existed;
    s.ns = "nobody-there";
    ck_assert_int_eq(q_try(&s), SB_ENONAMESPACE);
    ck_assert_int_eq(broker_entity_get(e, "nobody-there", ENTITY_QUEUE, "q", arena, &q, &err),
                     SB_ENONAMESPACE);
    ck_assert_int_eq(broker_entity_list(e, "nobody-there", ENTITY_QUEUE, NULL, 0, 10, arena, &list, &n, &err),
                     SB_ENONAMESPACE);
    ck_assert_int_eq(broker_entity_delete(e, "nobody-there", ENTITY_QUEUE, "q", &existed, &err),
                     SB_ENONAMESPACE);
}
END_TEST

START_TEST(test_queue__lists_by_name_in_pages)
{
    struct entity_view *list;
    size_t n;
    for (int i = 40; i > 0; i--)
        q_put(q_spec(arena_printf(arena, "Many-%02d", i)));
    ck_assert_uint_eq(broker_entity_count(ns_find(e, NS)), 41);
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_QUEUE, NULL, 0, 100, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 41);
    ck_assert_str_eq(list[0].name, "Many-01");
    ck_assert_str_eq(list[40].name, "q");
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_QUEUE, NULL, 39, 5, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(list[0].name, "Many-40");
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_QUEUE, NULL, 41, 5, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(test_queue__delete_takes_all_with_it)
{
    bool existed;
    struct auth_rule rule;
    send("q", "a");
    ck_assert_int_eq(ns_rule_put(e, NS, "q", "sender", RIGHT_SEND, arena, &rule, &err), SB_OK);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "Q", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "q", &existed, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_int_eq(sql("SELECT count(*) FROM message"), 0);
    ck_assert_int_eq(sql("SELECT count(*) FROM ns_rule WHERE entity!=''"), 0);
    q_put(q_spec("q"));
    ck_assert_int_ne(ns_rule_get(e, NS, "q", "sender", arena, &rule, &err), SB_OK);
    send("q", "b");
    ck_assert_str_eq(eat("q"), "b");
    ck_assert_int_eq(got.seq, 1); /* a new queue, with a new id */
    ck_assert_int_eq(sql("SELECT id FROM entity"), 2);
}
END_TEST

START_TEST(test_queue__metadata_is_sealed_and_readable_while_revoked)
{
    struct entity_spec s = q_spec("meta");
    s.user_metadata = "OWNER: team blue";
    q_put(s);
    ck_assert_str_eq(q_look("meta").user_metadata, "OWNER: team blue");
    ck_assert_int_eq(sql("SELECT count(*) FROM entity WHERE instr(metadata,CAST('OWNER' AS BLOB))>0"), 0);
    s = q_spec("meta");
    s.lock_ms = 1000;
    q_put(s);
    ck_assert_str_eq(q_look("meta").user_metadata, "OWNER: team blue");
    char *big = arena_alloc(arena, 2000);
    memset(big, 'x', 1500);
    s.user_metadata = big;
    ck_assert_int_eq(q_try(&s), SB_EENTITY);
    /* Characters count, not bytes: 1000 of two each. */
    memset(big, 0, 2000);
    for (size_t i = 0; i + 2 < 2000; i += 2)
        memcpy(big + i, "\xc3\xbc", 2);
    q_put(s);
    ck_assert_str_eq(q_look("meta").user_metadata, big);
}
END_TEST

START_TEST(test_queue__paths_with_the_dead_letter_queue)
{
    static const struct {
        const char *path, *left;
        bool cut;
    } cases[] = {{"q/$DeadLetterQueue", "q", true},
                 {"q/$deadletterqueue", "q", true},
                 {"a/b/$DEADLETTERQUEUE", "a/b", true},
                 {"q", "q", false},
                 {"/$DeadLetterQueue", "/$DeadLetterQueue", false},
                 {"q$DeadLetterQueue", "q$DeadLetterQueue", false}};
    for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
        char *p = arena_strdup(arena, cases[i].path);
        ck_assert_int_eq(broker_cut_dlq(p), cases[i].cut);
        ck_assert_str_eq(p, cases[i].left);
    }
}
END_TEST

/* ---- many at once ---- */

#define MAKERS 8
#define MADE   40

struct maker {
    pthread_t thread;
    int number, created;
    enum sb_err worst;
};

/* Half of what each makes is made by all of them. */
static void *make_queues(void *arg)
{
    struct maker *m = arg;
    struct sb_arena *a = arena_new(64u << 20);
    for (int i = 0; i < MADE; i++) {
        char name[32];
        struct entity_view made;
        bool created = false;
        snprintf(name, sizeof name, "x%d-%d", i % 2 ? m->number : 99, i);
        struct entity_spec s = q_spec(name);
        s.max_delivery = m->number + 1;
        enum sb_err rc = broker_entity_put(e, &s, a, &made, &created, NULL);
        m->created += created;
        m->worst = rc != SB_OK ? rc : m->worst;
    }
    arena_free(a);
    return NULL;
}

START_TEST(test_queue__many_are_made_at_once)
{
    struct maker makers[MAKERS] = {0};
    int created = 0;
    for (int i = 0; i < MAKERS; i++) {
        makers[i].number = i;
        ck_assert_int_eq(pthread_create(&makers[i].thread, NULL, make_queues, &makers[i]), 0);
    }
    for (int i = 0; i < MAKERS; i++) {
        pthread_join(makers[i].thread, NULL);
        ck_assert_int_eq(makers[i].worst, SB_OK);
        created += makers[i].created;
    }
    ck_assert_int_eq(created, MADE / 2 + MAKERS * MADE / 2); /* each name by one of them */
    ck_assert_int_eq(q_look("x3-7").max_delivery, 4);
    struct entity_view *list;
    size_t n = 0;
    ck_assert_int_eq(broker_entity_list(e, NS, ENTITY_QUEUE, NULL, 0, 1000, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, (size_t)created + 1); /* and the fixture's */
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("broker_entity");
    TCase *t = tcase_create("queue");
    tcase_add_checked_fixture(t, broker_up, world_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_queue__defaults);
    tcase_add_test(t, test_queue__a_put_changes_what_it_names);
    tcase_add_loop_test(t, test_queue__what_is_not_allowed, 0, (int)SB_ARRAY_LEN(wrong));
    tcase_add_test(t, test_queue__what_cannot_change);
    tcase_add_test(t, test_queue__forwarding_can_be_set_as_uri_and_ended);
    tcase_add_test(t, test_queue__standard_tier);
    tcase_add_test(t, test_queue__basic_tier);
    tcase_add_test(t, test_queue__no_namespace);
    tcase_add_test(t, test_queue__lists_by_name_in_pages);
    tcase_add_test(t, test_queue__delete_takes_all_with_it);
    tcase_add_test(t, test_queue__metadata_is_sealed_and_readable_while_revoked);
    tcase_add_test(t, test_queue__paths_with_the_dead_letter_queue);
    tcase_add_test(t, test_queue__many_are_made_at_once);
    suite_add_tcase(s, t);
    return s;
}
