/* test_template_lenient.c: the JSON that only deployments accept, where its values stand, and how it is
 * refused. */
#include "tests/unit/api/template_fixture.h"

static const struct {
    const char *text, *json;
} good[] = {
    {"{\"properties\": {\"mode\": \"Incremental\", template:{\r\n  \"a\": 1 // one\r\n} }}",
     "{\"properties\":{\"mode\":\"Incremental\",\"template\":{\"a\":1}}}"},
    {"/* a */ [ /* b */ 1, // c\n 2 ] // d", "[1,2]"},
    {"{'a': 'it\\'s \"quoted\"', $b_1: 'x'}", "{\"a\":\"it's \\\"quoted\\\"\",\"$b_1\":\"x\"}"},
    {"\"two\nlines\"", "\"two\\nlines\""},
    {"[1, 2, ]", "[1,2]"},
    {"{\"a\": 1, }", "{\"a\":1}"},
    {"{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}"},
    {"\xef\xbb\xbf{}", "{}"},
    {"[null, true, false, -0.5, 1e2, 9223372036854775807]",
     "[null,true,false,-0.5,100.0,9223372036854775807]"},
    {"\"\\u00e9\\ud83d\\ude00\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80/\""},
    {"'[[not expression]'", "\"[[not expression]\""},
};

START_TEST(test_lenient__accepts)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    ck_assert_str_eq(session_json(t, session_read(t, good[_i].text)), good[_i].json);
    tmpl_free(t);
}
END_TEST

static const struct {
    const char *text, *why, *path;
    unsigned line, position;
} bad[] = {
    {"", "Unexpected end when reading JSON.", "", 1, 0},
    {"{\"a\": }", "Unexpected character encountered while parsing value: }.", "a", 1, 6},
    {"{\"a\": [1,\n {\"b\": x}]}", "Unexpected character encountered while parsing value: x.", "a[1].b", 2,
     7},
    {"{\"a\" 1}", "Invalid character after parsing property name. Expected ':' but got: 1.", "a", 1, 5},
    {"{,}", "Invalid property identifier character: ,.", "", 1, 1},
    {"[1 2]", "After parsing a value an unexpected character was encountered: 2.", "[0]", 1, 3},
    {"[1", "Unexpected end of content while loading JArray.", "[0]", 1, 2},
    {"{\"a\":1", "Unexpected end of content while loading JObject.", "a", 1, 6},
    {"[\"abc", "Unterminated string. Expected delimiter: \".", "[0]", 1, 5},
    {"['a\\x']", "Bad JSON escape sequence: \\x.", "[0]", 1, 4},
    {"['\\u0000']", "Bad JSON escape sequence", "[0]", 1, 4},
    {"['\\ud83d']", "Bad JSON escape sequence", "[0]", 1, 8},
    {"{} x", "Additional text encountered after finished reading JSON content: x.", "", 1, 3},
    {"{\"a\":1,\"a\":2}", "Property with the same name 'a' already exists on object.", "", 1, 13},
    {"[01]", "is not a valid number", "[0]", 1, 3},
    {"[0x10]", "is not a valid number", "[0]", 1, 5},
    {"[NaN]", "Unexpected character encountered while parsing value: N.", "[0]", 1, 1},
    {"[1e999]", "is out of range", "[0]", 1, 6},
    {"/* open", "Unexpected end while parsing comment.", "", 1, 7},
    {"[\"\xff\"]", "Invalid UTF-8 in string.", "[0]", 1, 4},
};

START_TEST(test_lenient__refuses)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    const struct tv *v = NULL;
    ck_assert_int_eq(tmpl_read(t, bad[_i].text, strlen(bad[_i].text), &v, NULL), SB_ETEMPLATE);
    ck_assert_ptr_null(v);
    const struct tmpl_fault *f = tmpl_fault(t);
    ck_assert_str_eq(f->code, "InvalidRequestContent");
    ck_assert_msg(strstr(f->message, bad[_i].why) != NULL, "%s: %s", bad[_i].text, f->message);
    ck_assert_msg(strcmp(f->path, bad[_i].path) == 0 && f->line == bad[_i].line &&
                      f->position == bad[_i].position,
                  "%s: '%s' %u:%u", bad[_i].text, f->path, f->line, f->position);
    tmpl_free(t);
}
END_TEST

START_TEST(test_lenient__nul_and_depth)
{
    static char deep[8192];
    struct tmpl *t = session_new(TMPL_GROUP);
    const struct tv *v = NULL;
    ck_assert_int_eq(tmpl_read(t, "[1\0]", 4, &v, NULL), SB_ETEMPLATE);
    ck_assert_int_eq(tmpl_read(t, "\0", 1, &v, NULL), SB_ETEMPLATE);
    ck_assert_int_eq(tmpl_read(t, "['a\0b']", 7, &v, NULL), SB_ETEMPLATE);
    memset(deep, '[', sizeof deep);
    ck_assert_int_eq(tmpl_read(t, deep, sizeof deep, &v, NULL), SB_ETEMPLATE);
    ck_assert_ptr_nonnull(strstr(tmpl_fault(t)->message, "MaxDepth of 100 has been exceeded."));
    memset(deep + 90, ']', 90);
    ck_assert_int_eq(tmpl_read(t, deep, 180, &v, NULL), SB_OK);
    ck_assert_uint_eq(v->depth, 90);
    tmpl_free(t);
}
END_TEST

/* What every message of a place rests on. */
START_TEST(test_lenient__places)
{
    struct tmpl *t = session_new(TMPL_GROUP);
    const struct tv *v = session_read(t, "{\n  \"a\": {\n    \"b\": [ \"text\",\r\n true ]\n  }\n}");
    const struct tv *b = tv_path(v, "a.b");
    ck_assert(v->line == 1 && v->column == 1);
    ck_assert(tv_get(v, "a")->line == 2 && tv_get(v, "a")->column == 8);
    ck_assert(tv_member(v, "a")->line == 2 && tv_member(v, "a")->column == 6);
    ck_assert(b->line == 3 && b->column == 10);
    ck_assert(b->u.items[0]->line == 3 && b->u.items[0]->column == 17);
    ck_assert(b->u.items[1]->line == 4 && b->u.items[1]->column == 5);
    tmpl_free(t);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("template lenient JSON");
    TCase *c = tcase_create("reader");
    tcase_add_loop_test(c, test_lenient__accepts, 0, (int)SB_ARRAY_LEN(good));
    tcase_add_loop_test(c, test_lenient__refuses, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_test(c, test_lenient__nul_and_depth);
    tcase_add_test(c, test_lenient__places);
    suite_add_tcase(s, c);
    return s;
}
