/* What a detection section says, as a syntax tree in words; and what is refused, with its reason.
 */
#include "language.h"

struct row {
    const char *name, *detection, *tree;
};
static const struct row rows[] = {
    {"exact", " s: {F: Abc}\n condition: s\n", "F = \"abc\""},
    {"cased", " s: {F|cased: Abc}\n condition: s\n", "F = cased \"Abc\""},
    {"affixes", " s: {A|contains: x, B|startswith: y, C|endswith: z}\n condition: s\n",
     "and(A = \"*x*\", B = \"y*\", C = \"*z\")"},
    {"two affixes", " s: {A|startswith|endswith: x}\n condition: s\n", "A = \"*x*\""},
    {"wildcards", " s: {A: 'a?b*', B: '*x*', C: '*'}\n condition: s\n",
     "and(A = \"a?b*\", B = \"*x*\", C = \"*\")"},
    {"escapes",
     " s: {A: 'a\\*b', B: 'c\\\\*', C: 'd\\e', D: 'f\\\\g', E: '\\\\\\*'}\n condition: s\n",
     "and(A = \"a\\*b\", B = \"c\\\\*\", C = \"d\\\\e\", D = \"f\\\\g\", E = \"\\\\\\*\")"},
    {"list is or", " s: {A: [x, 1, 'y*']}\n condition: s\n", "A = \"x\" | \"1\" | \"y*\""},
    {"all is and", " s: {A|contains|all: [x, y]}\n condition: s\n",
     "and(A = \"*x*\", A = \"*y*\")"},
    {"all before", " s: {A|all|contains: [x, y]}\n condition: s\n",
     "and(A = \"*x*\", A = \"*y*\")"},
    {"neq", " s: {A|neq: [x, y]}\n condition: s\n", "not(A = \"x\" | \"y\")"},
    {"null and empty", " s: {A: null, B: '', C: , D: ~}\n condition: s\n",
     "and(A = null, B = \"\", C = null, D = null)"},
    {"exists", " s: {A|exists: true, B|exists: false}\n condition: s\n",
     "and(exists(A), not(exists(B)))"},
    {"compare", " s: {A|lt: 5, B|gte: -2.5, C|gt: [1, 2], D|lte: 0x10}\n condition: s\n",
     "and(A < 5, B >= -2.5, or(C > 1, C > 2), D <= 16)"},
    {"hex number is its value", " s: {A: 0x1f, B: '0x1f'}\n condition: s\n",
     "and(A = \"31\", B = \"0x1f\")"},
    {"cidr", " s: {A|cidr: [10.0.0.0/8, 'fe80::/10']}\n condition: s\n",
     "A = 10.0.0.0/8 | fe80::/10"},
    {"regex", " s: {A|re: 'a.*\\d', B|re|i|m|s: ^x, C|re|startswith: a|b}\n condition: s\n",
     "and(A = /a.*\\d/, B = /^x/ims, C = /\\A(?:a|b)/)"},
    {"fieldref",
     " s: {A|fieldref: B, C|fieldref|endswith: D, E|fieldref|contains|cased: F}\n"
     " condition: s\n",
     "and(A = field B, C endswith field D, E cased contains field F)"},
    {"fieldref neq", " s: {A|fieldref|neq: B}\n condition: s\n", "not(A = field B)"},
    {"time parts", " s: {A|hour: [1, 2], B|minute|gte: 30}\n condition: s\n",
     "and(A:hour = \"1\" | \"2\", B:minute >= 30)"},
    {"base64", " s: {A|base64: foobar, B|base64|contains: fo}\n condition: s\n",
     "and(A = \"zm9vymfy\", B = \"*zm8=*\")"},
    {"base64offset", " s: {A|base64offset|contains|cased: foobar}\n condition: s\n",
     "A = cased \"*Zm9vYmFy*\" | cased \"*Zvb2Jhc*\" | cased \"*mb29iYX*\""},
    {"utf16",
     " s: {A|utf16le: ab, B|utf16be: ab, C|utf16: a, D|wide: \"\\u00e9\"}\n condition: s\n",
     "and(A = \"a\\x00b\\x00\", B = \"\\x00a\\x00b\", C = \"\xff\xfe"
     "a\\x00\", D = \"\xe9\\x00\")"},
    {"utf16 keeps wildcards", " s: {A|utf16le: 'a*b'}\n condition: s\n", "A = \"a\\x00*b\\x00\""},
    {"wide base64", " s: {A|wide|base64|cased: ping}\n condition: s\n",
     "A = cased \"cABpAG4AZwA=\""},
    {"utf16 base64", " s: {A|utf16|base64|cased: a}\n condition: s\n", "A = cased \"//5hAA==\""},
    {"windash", " s: {A|windash: -f}\n condition: s\n",
     "A = \"-f\" | \"/f\" | \"\u2013f\" | \"\u2014f\" | \"\u2015f\""},
    {"windash only before words", " s: {A|windash|contains: 'a-b - /x'}\n condition: s\n",
     "A = \"*a-b - -x*\" | \"*a-b - /x*\" | \"*a-b - \u2013x*\" | \"*a-b - \u2014x*\" | \"*a-b - "
     "\u2015x*\""},
    {"windash and all", " s: {A|windash|all: [-f, x]}\n condition: s\n",
     "and(A = \"-f\" | \"/f\" | \"\u2013f\" | \"\u2014f\" | \"\u2015f\", A = \"x\")"},
    {"keywords", " s: [x, 'y*z', 5]\n condition: s\n", "* = \"*x*\" | \"*y*z*\" | \"*5*\""},
    {"one keyword", " s: x\n condition: s\n", "* = \"*x*\""},
    {"keywords all", " s: {'|all': [x, y]}\n condition: s\n", "and(* = \"*x*\", * = \"*y*\")"},
    {"keyword regex", " s: {'|re': 'a|b'}\n condition: s\n", "* = /a|b/"},
    {"maps are or", " s: [{A: x, B: y}, {C: z}]\n condition: s\n",
     "or(and(A = \"x\", B = \"y\"), C = \"z\")"},
    {"maps and keywords", " s: [{A: x}, y]\n condition: s\n", "or(A = \"x\", * = \"*y*\")"},
    {"precedence", " a: {A: 1}\n b: {B: 1}\n c: {C: 1}\n condition: a or b and not c\n",
     "or(A = \"1\", and(B = \"1\", not(C = \"1\")))"},
    {"parentheses", " a: {A: 1}\n b: {B: 1}\n c: {C: 1}\n condition: not (a or b) and c\n",
     "and(not(or(A = \"1\", B = \"1\")), C = \"1\")"},
    {"not not", " a: {A: 1}\n condition: not not a\n", "not(not(A = \"1\"))"},
    {"1 of", " s1: {A: 1}\n s2: {B: 1}\n t: {C: 1}\n condition: 1 of s* and not any of t\n",
     "and(or(A = \"1\", B = \"1\"), not(C = \"1\"))"},
    {"all of them leaves out _", " a: {A: 1}\n b: {B: 1}\n _c: {C: 1}\n condition: all of them\n",
     "and(A = \"1\", B = \"1\")"},
    {"not 1 of", " a1: {A: 1}\n a2: {B: 1}\n condition: not 1 of a*\n",
     "not(or(A = \"1\", B = \"1\"))"},
    {"inner star", " sel_a_x: {A: 1}\n sel_b_y: {B: 1}\n condition: all of sel*x\n", "A = \"1\""},
    {"names like operators",
     " notepad: {A: 1}\n android: {B: 1}\n condition: notepad and android\n",
     "and(A = \"1\", B = \"1\")"},
    {"list of conditions", " a: {A: 1}\n b: {B: 1}\n condition: [a, not b]\n",
     "or(A = \"1\", not(B = \"1\"))"},
    {"anchored case of truth", " s: {A: true}\n condition: s\n", "A = \"true\""},
};

static void says(void **state)
{
    int failed = 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        struct reading r;
        struct hm_buf out = HM_BUF(1 << 20);
        reading_detection(&r, rows[i].detection, NULL);
        if (r.problems)
            hm_buf_printf(&out, "refused: %s", r.first.error.text);
        else
            hm_ast_print(hm_sigma_rule_at(r.c, 0)->condition, r.names, &out);
        hm_buf_put_u8(&out, 0);
        if (strcmp((char *)out.data, rows[i].tree) != 0) {
            print_message("%s:\n  is     %s\n  wanted %s\n", rows[i].name, (char *)out.data,
                          rows[i].tree);
            failed++;
        }
        hm_buf_done(&out);
        reading_close(&r);
    }
    assert_int_equal(failed, 0);
}

struct refusal {
    const char *name, *detection;
    uint32_t line, column; /* in the file; the section begins at line 5 */
    const char *reason;    /* a part of it */
};
static const struct refusal refusals[] = {
    {"unknown modifier", " s: {F|magic: x}\n condition: s\n", 5, 6, "no such modifier"},
    {"modifier twice", " s: {F|contains|contains: x}\n condition: s\n", 5, 6, "there twice"},
    {"flag without re", " s: {F|i: x}\n condition: s\n", 5, 6, "needs \"re\""},
    {"re after a change", " s: {F|base64|re: x}\n condition: s\n", 5, 6, "does not go with \"re\""},
    {"cidr with contains", " s: {F|cidr|contains: 10.0.0.0/8}\n condition: s\n", 5, 6, "cidr"},
    {"bad cidr", " s: {F|cidr: 10.0.0.0/33}\n condition: s\n", 5, 14, "address range"},
    {"bad regex", " s: {F|re: 'a('}\n condition: s\n", 5, 12, "regular expression"},
    {"base64 of wildcards", " s: {F|base64: 'a*'}\n condition: s\n", 5, 16, "wildcards"},
    {"contains before base64", " s: {F|contains|base64: a}\n condition: s\n", 5, 25, "wildcards"},
    {"exists of text", " s: {F|exists: 'true'}\n condition: s\n", 5, 16, "true or false"},
    {"exists of keywords", " s: {'|exists': true}\n condition: s\n", 5, 6, "needs a field"},
    {"compare with text", " s: {F|gt: '5'}\n condition: s\n", 5, 12, "needs a number"},
    {"compare twice", " s: {F|gt|lt: 5}\n condition: s\n", 5, 6, "one of its kind"},
    {"hour 24", " s: {F|hour: 24}\n condition: s\n", 5, 14, "no date has"},
    {"all of one", " s: {F|all: x}\n condition: s\n", 5, 6, "two or more"},
    {"null in a list", " s: {F: ['', null]}\n condition: s\n", 5, 14, "null cannot be part"},
    {"null with contains", " s: {F|contains: null}\n condition: s\n", 5, 18, "null"},
    {"null keyword", " s: [null]\n condition: s\n", 5, 6, "null needs a field"},
    {"empty list", " s: {F: []}\n condition: s\n", 5, 6, "empty list"},
    {"empty map", " s: {}\n condition: s\n", 5, 5, "empty search"},
    {"empty search", " s: []\n condition: s\n", 5, 5, "empty search"},
    {"map as value", " s: {F: {G: x}}\n condition: s\n", 5, 9, "has to be text"},
    {"fieldref with wildcard", " s: {F|fieldref: 'G*'}\n condition: s\n", 5, 18, "name of a field"},
    {"too many dashes", " s: {F|windash: '-a -b -c -d'}\n condition: s\n", 5, 17, "windash"},
    {"base64 of numbers", " s: {F|base64: 5}\n condition: s\n", 5, 16, "needs text"},
    {"unknown search", " s: {F: x}\n condition: s and t\n", 6, 19, "no such search"},
    {"unknown pattern", " s: {F: x}\n condition: 1 of t*\n", 6, 18, "no search has such a name"},
    {"upper case", " s: {F: x}\n t: {F: y}\n condition: s AND t\n", 7, 15, "unexpected text"},
    {"upper case not", " s: {F: x}\n condition: NOT s\n", 6, 13, "lower case"},
    {"2 of", " s: {F: x}\n condition: 2 of s*\n", 6, 13, "only \"1 of\""},
    {"open parenthesis", " s: {F: x}\n condition: (s\n", 6, 15, "closing parenthesis"},
    {"nothing after and", " s: {F: x}\n condition: s and\n", 6, 18, "name is missing"},
    {"no condition", " s: {F: x}\n", 5, 2, "condition is missing"},
    {"duplicate key", " s: {F: x, F: y}\n condition: s\n", 5, 12, "there twice"},
    {"unknown placeholder", " s: {F|expand: 'a%who%b'}\n condition: s\n", 5, 16, "%who%"},
    {"alias", " s: &a {F: x}\n t: *a\n condition: s\n", 6, 5, "aliases"},
    {"bytes 1 in a glob", " s: {F: \"a*b\\x01\"}\n condition: s\n", 5, 9, "0x01"},
};

static void refuses(void **state)
{
    int failed = 0;
    for (size_t i = 0; i < HM_ARRAY_LEN(refusals); i++) {
        struct reading r;
        const struct refusal *w = &refusals[i];
        reading_detection(&r, w->detection, NULL);
        const struct hm_error *e = &r.first.error;
        if (r.problems != 1 || e->line != w->line || e->column != w->column ||
            !strstr(e->text, w->reason) || hm_sigma_rule_count(r.c) != 0) {
            print_message("%s: %d problems, %u:%u %s\n", w->name, r.problems, e->line, e->column,
                          e->text);
            failed++;
        }
        reading_close(&r);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
