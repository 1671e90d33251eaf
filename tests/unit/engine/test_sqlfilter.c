/* test_sqlfilter.c: the language of rules: what filters say of a message, what actions make of it, and where
 * a mistake is found. */
#include <string.h>
#include "server/engine/sqlfilter.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct sb_error err;

static void up(void)
{
    arena = arena_new(1 << 22);
}

static void down(void)
{
    arena_free(arena);
}

static const struct amqp_app_prop app[] = {
    {"priority", {.kind = AMQP_LONG, .i = 3}},
    {"ratio", {.kind = AMQP_DOUBLE, .d = 2.5}},
    {"color", {.kind = AMQP_STRING, .s = "blue"}},
    {"odd name", {.kind = AMQP_STRING, .s = "x'y"}},
    {"vip", {.kind = AMQP_BOOL, .i = 1}},
    {"when", {.kind = AMQP_TIMESTAMP, .i = 1000}},
    {"nothing", {.kind = AMQP_NULL}},
    {"big", {.kind = AMQP_LONG, .i = INT64_MAX}},
    {"min", {.kind = AMQP_LONG, .i = INT64_MIN}},
};

static struct amqp_message message(void)
{
    return (struct amqp_message){.props = {.message_id = "m1", .subject = "Order-7", .to = "here"},
                                 .app = app,
                                 .app_n = SB_ARRAY_LEN(app)};
}

/* 't' true, 'f' false or unknown, 'e' cannot be evaluated. */
static const struct {
    const char *filter;
    char is;
} filters[] = {
    {"1=1", 't'},
    {"1 = 2", 'f'},
    {"TRUE", 't'},
    {"NOT false", 't'},
    {"priority = 3", 't'},
    {"PRIORITY = 3", 't'},
    {"user.priority = 3", 't'},
    {"priority > 2 AND priority < 4", 't'},
    {"priority >= 3 and priority <= 3", 't'},
    {"priority <> 3", 'f'},
    {"priority != 4", 't'},
    {"priority + 1 * 2 = 5", 't'},
    {"(priority + 1) * 2 = 8", 't'},
    {"priority - 1 - 1 = 1", 't'},
    {"-priority = -3", 't'},
    {"- - priority = 3", 't'},
    {"priority % 2 = 1", 't'},
    {"priority / 2 = 1", 't'},
    {"priority / 2.0 = 1.5", 't'},
    {"ratio = 2.5", 't'},
    {"ratio = 25E-1", 't'},
    {"ratio > .5", 't'},
    {"big = 9223372036854775807", 't'},
    {"big = 9223372036854775806", 'f'},
    {"color = 'blue'", 't'},
    {"color = 'Blue'", 'f'},
    {"color > 'blua'", 't'},
    {"[odd name] = 'x''y'", 't'},
    {"\"odd name\" = 'x''y'", 't'},
    {"user.[odd name] IS NOT NULL", 't'},
    {"vip = TRUE", 't'},
    {"vip = false", 'f'},
    {"vip > FALSE", 'f'},
    {"sys.Label = 'Order-7'", 't'},
    {"sys.label LIKE 'Order-%'", 't'},
    {"sys.Label NOT LIKE 'Order-_'", 'f'},
    {"sys.MessageId = 'm1'", 't'},
    {"sys.To='here' AND sys.ReplyTo IS NULL", 't'},
    {"sys.[To] = 'here'", 't'},
    {"color IN ('red', 'blue')", 't'},
    {"color NOT IN ('red', 'blue')", 'f'},
    {"priority IN (1, 2)", 'f'},
    {"missing IN (1)", 'f'},
    {"missing = 1", 'f'},
    {"NOT missing = 1", 'f'},
    {"missing = 1 OR 1 = 1", 't'},
    {"1 = 1 OR missing = 1", 't'},
    {"missing = 1 AND 1 = 2", 'f'},
    {"NOT (missing = 1 AND 1 = 2)", 't'},
    {"missing IS NULL", 't'},
    {"missing IS NOT NULL", 'f'},
    {"nothing IS NULL", 't'},
    {"EXISTS(nothing)", 't'},
    {"exists ( color )", 't'},
    {"EXISTS(missing)", 'f'},
    {"NOT EXISTS(missing)", 't'},
    {"EXISTS(sys.Label)", 't'},
    {"NULL = NULL", 'f'},
    {"color = 3", 'f'},
    {"NOT color = 3", 'f'},
    {"p('color') = 'blue'", 't'},
    {"property('sys.Label') = 'Order-7'", 't'},
    {"property('user.color') = 'blue'", 't'},
    {"p(color) IS NULL", 't'},
    {"newid() <> newid()", 't'},
    {"newid() LIKE '________-____-%'", 't'},
    {"color LIKE 'b%e'", 't'},
    {"color LIKE '%l%'", 't'},
    {"color LIKE 'bl'", 'f'},
    {"color LIKE 'bluey%'", 'f'},
    {"color LIKE 'blue%'", 't'},
    {"'100%' LIKE '100!%' ESCAPE '!'", 't'},
    {"'1000' LIKE '100!%' ESCAPE '!'", 'f'},
    {"'a_c' LIKE 'a\\_c' ESCAPE '\\'", 't'},
    {"'abc' LIKE 'a\\_c' ESCAPE '\\'", 'f'},
    {"'h\xc3\xa9' LIKE 'h_'", 't'},
    {"3 LIKE '3'", 'f'},
    {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaab' LIKE '%a%a%a%a%a%a%a%c'", 'f'},
    {"1 = 1 OR 1 = 1 AND 1 = 2", 't'},
    {"(1 = 1 OR 1 = 1) AND 1 = 2", 'f'},
    {"NOT 1 = 2 AND 1 = 1", 't'},
    {"color + 'x' = 'bluex'", 't'},
    {"missing + 1 IS NULL", 't'},
    {"ratio % 2 = 0.5", 't'},
    {"ratio % -1.5 = 1.0", 't'},
    {"priority / 0 = 1", 'e'},
    {"priority % 0 = 1", 'e'},
    {"big + 1 = 0", 'e'},
    {"min - 1 = 0", 'e'},
    {"big * 2 = 0", 'e'},
    {"min / -1 = 0", 'e'},
    {"-min = 0", 'e'},
    {"color * 2 = 4", 'e'},
    {"-color = 4", 'e'},
    {"color LIKE 'b' ESCAPE 'xy'", 'e'},
    {"p('sys.Nonsense') = 1", 'e'},
    {"1 = 1 OR priority / 0 = 1", 't'},
    {"\n priority\n=\n3\n", 't'},
};

START_TEST(test_sqlfilter__what_filters_say)
{
    const struct sqlfilter *f = NULL;
    struct amqp_message m = message();
    bool yes = false;
    const char *text = filters[_i].filter;
    ck_assert_msg(sqlfilter_compile(text, arena, &f, &err) == SB_OK, "%s: %s", text, err.detail);
    enum sb_err rc = sqlfilter_match(f, &m, arena, &yes, &err);
    ck_assert_msg((rc == SB_OK ? (yes ? 't' : 'f') : 'e') == filters[_i].is, "%s: %d %d", text, rc, yes);
    if (rc != SB_OK)
        ck_assert_int_eq(rc, SB_EINVAL);
}
END_TEST

/* What is wrong, with its place. */
static const struct {
    const char *filter, *detail;
} mistakes[] = {
    {"", "The SQL expression is empty."},
    {" ",
     "line=1, column=2, Token in error=, Additional details= syntax error, unexpected end of the expression"},
    {"priority", "column=1, Token in error=p, Additional details= a condition is expected here"},
    {"priority =", "column=11, Token in error=, Additional details= syntax error, unexpected end"},
    {"priority = = 3", "column=12, Token in error==,"},
    {"priority = 3 3",
     "column=14, Token in error=3, Additional details= syntax error, unexpected token, expecting "
     "an operator, AND, OR or the end"},
    {"1 = 1 AND", "unexpected end of the expression, expecting a value"},
    {"(1 = 1", "unexpected end of the expression, expecting ')'"},
    {"1 = 1)", "column=6, Token in error=)"},
    {"1 = 1\n AND color == 3", "line=2, column=13, Token in error==,"},
    {"color = 'blue", "column=9, Token in error='blue,"},
    {"[color = 1", "column=1, Token in error=[color = 1"},
    {"sys.Nonsense = 1",
     "column=5, Token in error=Nonsense, Additional details= there is no such system property"},
    {"other.color = 1",
     "column=1, Token in error=other, Additional details= the scope of a property is 'sys' or "
     "'user'"},
    {"abs(1) = 1", "column=1, Token in error=abs, Additional details= there is no such function"},
    {"color = @p", "column=9, Token in error=@p, Additional details= the parameter has no value"},
    {"color IS 3", "expecting NULL, or NOT NULL"},
    {"color NOT 3", "expecting IN, or LIKE"},
    {"color IN 3", "expecting '('"},
    {"color IN ()", "column=11, Token in error=), "},
    {"color IN (1", "expecting ',' or ')'"},
    {"(1 = 1) + 1 = 2", "a value is expected here, not a condition"},
    {"NOT 3", "a condition is expected here, not a value"},
    {"1 = 1 OR 3", "column=10, Token in error=3, Additional details= a condition is expected here"},
    {"99999999999999999999 = 1", "column=1, Token in error=99999999999999999999,"},
    {"1e999 = 1", "column=1, Token in error=1e999,"},
    {"color = #", "column=9, Token in error=#, Additional details= syntax error, unexpected text"},
    {"exists(3)", "the name of a property"},
    {"newid(3) = 1", "expecting ')'"},
};

START_TEST(test_sqlfilter__where_the_mistake_is)
{
    const struct sqlfilter *f = NULL;
    const char *text = mistakes[_i].filter;
    ck_assert_msg(sqlfilter_compile(text, arena, &f, &err) == SB_EBADREQUEST, "%s", text);
    ck_assert_msg(strstr(err.detail, mistakes[_i].detail) != NULL, "%s: %s", text, err.detail);
    ck_assert_ptr_null(f);
}
END_TEST

START_TEST(test_sqlfilter__limits)
{
    const struct sqlfilter *f = NULL;
    char text[SQLFILTER_TEXT_MAX + 2];
    memset(text, '(', sizeof text);
    text[SQLFILTER_TEXT_MAX + 1] = '\0';
    ck_assert_int_eq(sqlfilter_compile(text, arena, &f, &err), SB_EBADREQUEST);
    ck_assert_ptr_nonnull(strstr(err.detail, "1025 characters: at most 1024"));
    text[1000] = '\0';
    ck_assert_int_eq(sqlfilter_compile(text, arena, &f, &err), SB_EBADREQUEST);
    ck_assert_ptr_nonnull(strstr(err.detail, "nested too deeply"));
    memset(text, ' ', sizeof text);
    for (size_t i = 0; i < 200; i++)
        memcpy(text + 4 * i, "NOT ", 4);
    strcpy(text + 800, "1=1");
    ck_assert_int_eq(sqlfilter_compile(text, arena, &f, &err), SB_EBADREQUEST);
    ck_assert_ptr_nonnull(strstr(err.detail, "nested too deeply"));
    /* The longest that is allowed. */
    memset(text, ' ', sizeof text);
    memcpy(text, "1=1", 3);
    text[SQLFILTER_TEXT_MAX] = '\0';
    ck_assert_int_eq(sqlfilter_compile(text, arena, &f, &err), SB_OK);
    /* Characters count, not bytes. */
    char letters[2 * SQLFILTER_TEXT_MAX] = "x='";
    for (size_t i = 0; i < SQLFILTER_TEXT_MAX - 4; i++)
        memcpy(letters + 3 + 2 * i, "\xc3\xbc", 2);
    strcpy(letters + 3 + 2 * (SQLFILTER_TEXT_MAX - 4), "'");
    ck_assert_msg(sqlfilter_compile(letters, arena, &f, &err) == SB_OK, "%s", err.detail);
    strcpy(letters + 3 + 2 * (SQLFILTER_TEXT_MAX - 4), "x'");
    ck_assert_int_eq(sqlfilter_compile(letters, arena, &f, &err), SB_EBADREQUEST);
    ck_assert_ptr_nonnull(strstr(err.detail, "1025 characters: at most 1024"));
}
END_TEST

/* ---- actions ---- */

static const struct amqp_app_prop *prop(const struct amqp_message *m, const char *name)
{
    const struct amqp_app_prop *found = NULL;
    for (size_t i = 0; i < m->app_n; i++) {
        if (strcmp(m->app[i].name, name) == 0) {
            ck_assert_ptr_null(found); /* once only */
            found = &m->app[i];
        }
    }
    return found;
}

static struct amqp_message act(const char *text)
{
    const struct sqlfilter *f = NULL;
    struct amqp_message m = message();
    ck_assert_msg(sqlfilter_compile_action(text, arena, &f, &err) == SB_OK, "%s: %s", text, err.detail);
    ck_assert_msg(sqlfilter_apply(f, &m, arena, &err) == SB_OK, "%s: %s", text, err.detail);
    return m;
}

START_TEST(test_sqlfilter__actions)
{
    struct amqp_message m = act("SET color = 'red'; SET fresh = priority + 1; REMOVE vip");
    ck_assert_str_eq(prop(&m, "color")->value.s, "red");
    ck_assert_int_eq(prop(&m, "fresh")->value.i, 4);
    ck_assert_ptr_null(prop(&m, "vip"));
    ck_assert_int_eq((int64_t)m.app_n, (int64_t)SB_ARRAY_LEN(app));
    ck_assert_str_eq(app[2].value.s, "blue"); /* the message itself is left alone */
    m = act("SET sys.Label = 'new', SET COLOR = sys.Label; REMOVE sys.To;");
    ck_assert_str_eq(m.props.subject, "new");
    ck_assert_str_eq(prop(&m, "color")->value.s, "new"); /* one after another */
    ck_assert_ptr_null(m.props.to);
    m = act("SET sys.CorrelationId = priority");
    ck_assert_str_eq(m.props.correlation_id, "3");
    m = act("SET color = NULL");
    ck_assert_int_eq(prop(&m, "color")->value.kind, AMQP_NULL);
    m = act("REMOVE nobody");
    ck_assert_int_eq((int64_t)m.app_n, (int64_t)SB_ARRAY_LEN(app));
}
END_TEST

static const struct {
    const char *action, *detail;
} bad_actions[] = {
    {"EventType = Other",
     "line=1, column=1, Token in error=EventType, Additional details= syntax error, unexpected "
     "token, expecting SET, or REMOVE"},
    {"SET color", "expecting '='"},
    {"SET = 3", "the name of a property"},
    {"SET color = ", "expecting a value"},
    {"SET color = 1 = 1", "expecting SET, or REMOVE"},
    {"SET sys.Nonsense = 1", "there is no such system property"},
    {"REMOVE", "the name of a property"},
    {"SET set = 3", "the name of a property"},
    {";", "expecting SET, or REMOVE"},
};

START_TEST(test_sqlfilter__bad_actions)
{
    const struct sqlfilter *f = NULL;
    const char *text = bad_actions[_i].action;
    ck_assert_msg(sqlfilter_compile_action(text, arena, &f, &err) == SB_EBADREQUEST, "%s", text);
    ck_assert_msg(strstr(err.detail, bad_actions[_i].detail) != NULL, "%s: %s", text, err.detail);
}
END_TEST

START_TEST(test_sqlfilter__an_action_has_at_most_32_statements)
{
    const struct sqlfilter *f = NULL;
    char text[1024] = "";
    for (int i = 0; i < SQLFILTER_ACTIONS_MAX; i++)
        strcat(text, "REMOVE a;");
    ck_assert_int_eq(sqlfilter_compile_action(text, arena, &f, &err), SB_OK);
    strcat(text, "REMOVE a");
    ck_assert_int_eq(sqlfilter_compile_action(text, arena, &f, &err), SB_EBADREQUEST);
    ck_assert_ptr_nonnull(strstr(err.detail, "at most 32"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sqlfilter");
    TCase *t = tcase_create("sqlfilter");
    tcase_add_checked_fixture(t, up, down);
    tcase_add_loop_test(t, test_sqlfilter__what_filters_say, 0, (int)SB_ARRAY_LEN(filters));
    tcase_add_loop_test(t, test_sqlfilter__where_the_mistake_is, 0, (int)SB_ARRAY_LEN(mistakes));
    tcase_add_test(t, test_sqlfilter__limits);
    tcase_add_test(t, test_sqlfilter__actions);
    tcase_add_loop_test(t, test_sqlfilter__bad_actions, 0, (int)SB_ARRAY_LEN(bad_actions));
    tcase_add_test(t, test_sqlfilter__an_action_has_at_most_32_statements);
    suite_add_tcase(s, t);
    return s;
}
