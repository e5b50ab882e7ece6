/* Our own events as the store keeps them: what the view says to the matcher and what the columns
 * say in SQL are the same, rule by rule and event by event. */
#include "detect/folder.h"
#include "detect/sigma/collection.h"
#include "detect/view/reading.h"
#include "detect/walk.h"
#include "duck_rows.h"
#include <arpa/inet.h>
#include <fcntl.h>

#define EACH 6 /* events near one rule */

struct world {
    struct hm_names *names;
    struct hm_sigma_collection *c;
    struct hm_bindings *bindings;
    struct hm_arena *arena;
    size_t count, cap;
    struct hm_event *events;
    struct hm_duck_db db;
    char dir[64];
};

static void problem(void *ctx, const struct hm_rule_problem *p)
{
}

static int add_file(void *ctx, const char *path, struct hm_slice text)
{
    return hm_sigma_collection_add(ctx, path, text, problem, NULL);
}

static bool add_folder(struct world *w, const char *folder)
{
    hm_autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        print_message("SKIPPED: %s is not there\n", folder);
        return false;
    }
    assert_int_equal(hm_folder_each(dir, add_file, w->c), 0);
    return true;
}

static int field_of(const char *name)
{
    int f = name ? hm_field_by_name(hm_slice_str(name)) : (int)HM_F_PROCESS_COMMAND_LINE;
    return f < 0 ? hm_field_by_sigma(hm_slice_str(name)) : f;
}

static const char *const addresses[] = {
    "10.1.2.3",       "127.0.0.1", "192.168.0.255",     "::1",
    "fe80::1:0",      "::",        "2001:db8::5:0:0:1", "1:2:3:4:5:6:7:8",
    "::ffff:1.2.3.4", "::1.2.3.4", "fc00:0:0:1::",      "1:0:0:2:0:0:0:3"};

static void set(struct world *w, struct hm_event *e, int f, const char *text, size_t n,
                unsigned how)
{
    uint8_t *bytes = hm_arena_alloc(w->arena, n + 64);
    assert_non_null(bytes);
    memcpy(bytes, text, n);
    switch (hm_fields[f].type) {
    case HM_TYPE_STR:
        hm_event_set(e, f, hm_slice(bytes, n));
        break;
    case HM_TYPE_U64:
    case HM_TYPE_X64:
        bytes[n] = 0;
        hm_event_set_u64(e, f,
                         n && text[0] >= '0' && text[0] <= '9'
                             ? strtoull((char *)bytes, NULL, 10) + how % 2
                             : how * 37 % 90);
        break;
    case HM_TYPE_IP: {
        const char *ip = addresses[how % HM_ARRAY_LEN(addresses)];
        bool six = strchr(ip, ':');
        assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, ip, bytes), 1);
        hm_event_set(e, f, hm_slice(bytes, six ? 16 : 4));
        break;
    }
    case HM_TYPE_BYTES:
        for (unsigned i = 0; i < 32; i++)
            bytes[i] = (uint8_t)(i * how);
        hm_event_set(e, f, hm_slice(bytes, 32));
        break;
    case HM_TYPE_EVENTS:
        break;
    }
}

/* Only text that is valid UTF-8: other bytes are stored as escapes (text_store.h). */
static size_t near_text(const struct hm_pattern *p, unsigned how, char *out, size_t room)
{
    size_t n = 0, len = p->text.len < room / 2 ? p->text.len : room / 2;
    if (how % 5 == 4 || p->kind == HM_PATTERN_CONTAINS || p->kind == HM_PATTERN_SUFFIX)
        n += (size_t)snprintf(out, room, "%s", how % 2 ? "\xc3\x89" : "/Bin");
    for (size_t i = 0; i < len && p->kind != HM_PATTERN_REGEX; i++) {
        uint8_t c = p->text.p[i];
        out[n++] = (char)(c == 1 || c == 2                       ? 'q'
                          : how % 3 == 1 && c >= 'a' && c <= 'z' ? c - 32
                                                                 : c);
    }
    if (how % 6 == 5 && n)
        n--;
    return is_utf8(out, n) ? n : 0;
}

static void fill(struct world *w, struct hm_event *e, const struct hm_ast *a, unsigned how,
                 bool want)
{
    char text[4096];
    size_t n = 0;
    if (a->kind == HM_AST_NOT) {
        fill(w, e, a->kids[0], how, how % 4 == 3);
        return;
    }
    if (a->kind == HM_AST_OR && a->count) {
        fill(w, e, a->kids[how % a->count], how, want);
        return;
    }
    for (size_t i = 0; i < a->count; i++)
        fill(w, e, a->kids[i], how, want);
    if (a->kind != HM_AST_TEST || !want)
        return;
    const struct hm_ast_test *t = &a->test;
    int f = field_of(hm_names_text(w->names, t->field));
    if (t->op == HM_AST_ANY_OF && t->count)
        n = near_text(&t->patterns[how % t->count], how, text, sizeof text);
    else
        n = (size_t)snprintf(text, sizeof text, "%lld", (long long)t->number.i);
    if (f >= 0 && !hm_event_has(e, (enum hm_field)f))
        set(w, e, f, text, n, how);
}

static struct hm_event *new_event(struct world *w, unsigned how)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 256;
        w->events = reallocarray(w->events, w->cap, sizeof *w->events);
        assert_non_null(w->events);
    }
    struct hm_event *e = &w->events[w->count++];
    hm_event_clear(e);
    hm_event_set_u64(e, HM_F_CLASS, how % 3 ? HM_CLASS_PROCESS : HM_CLASS_FILE);
    hm_event_set_u64(e, HM_F_ACTION, how % 3 ? HM_ACTION_PROCESS_EXEC : HM_ACTION_FILE_CREATE);
    return e;
}

/* Every kind of column at once, with corner values. */
static void odd_events(struct world *w)
{
    for (unsigned how = 0; how < 48; how++) {
        struct hm_event *e = new_event(w, how);
        for (int f = 0; f < HM_FIELD_COUNT; f++) {
            uint32_t n = hm_fields[f].number;
            bool envelope = n >= hm_fields[HM_F_TENANT].number && n <= hm_fields[HM_F_BATCH].number;
            if (!envelope && !hm_event_has(e, (enum hm_field)f) && (f + how) % 3)
                set(w, e, f, how % 4 ? "7\nsh\n" : "", how % 4 ? 5 : 0, how);
        }
        hm_event_set_u64(e, HM_F_WALL_NS, 1591757456538000000ull + how * 3600000000000ull);
        hm_event_set_u64(e, HM_F_PROCESS_FLAGS, how * 5 % 130);
        hm_event_set_u64(e, HM_F_NET_PROTOCOL, how % 20);
        hm_event_set_u64(e, HM_F_PROCESS_STDIN, how % 8);
    }
}

static void put_value(FILE *f, const struct hm_event *e, int field)
{
    union hm_value v = e->v[field];
    fprintf(f, ",\"%s\":", hm_fields[field].column);
    switch (hm_fields[field].type) {
    case HM_TYPE_STR:
        json_text(f, (const char *)v.bytes.p, v.bytes.len);
        break;
    case HM_TYPE_U64:
    case HM_TYPE_X64:
        fprintf(f, "%llu", (unsigned long long)v.u64);
        break;
    default:
        fputc('"', f);
        for (size_t i = 0; i < v.bytes.len; i++)
            fprintf(f, "%02x", v.bytes.p[i]);
        fputc('"', f);
    }
}

static void load_events(struct world *w)
{
    char path[128];
    struct hm_buf sql = HM_BUF(1 << 20);
    snprintf(path, sizeof path, "%s/rows.ndjson", w->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < w->count; i++) {
        fprintf(f, "{\"i\":%zu", i);
        for (int k = 0; k < HM_FIELD_COUNT; k++)
            if (hm_event_has(&w->events[i], (enum hm_field)k))
                put_value(f, &w->events[i], k);
        fputs("}\n", f);
    }
    fclose(f);
    hm_buf_puts(&sql, "CREATE TABLE e AS SELECT * REPLACE (");
    for (int k = 0, n = 0; k < HM_FIELD_COUNT; k++)
        if (hm_fields[k].type >= HM_TYPE_BYTES || hm_fields[k].type == HM_TYPE_IP)
            if (hm_fields[k].type != HM_TYPE_STR)
                hm_buf_printf(&sql, "%sunhex(\"%s\") AS \"%s\"", n++ ? ", " : "",
                              hm_fields[k].column, hm_fields[k].column);
    hm_buf_printf(
        &sql, ") FROM read_json('%s', format = 'newline_delimited', columns = {i: 'BIGINT'", path);
    for (int k = 0; k < HM_FIELD_COUNT; k++) {
        bool number = hm_fields[k].type == HM_TYPE_U64 || hm_fields[k].type == HM_TYPE_X64;
        hm_buf_printf(&sql, ", \"%s\": '%s'", hm_fields[k].column, number ? "UBIGINT" : "VARCHAR");
    }
    hm_buf_puts(&sql, "})");
    hm_buf_put_u8(&sql, 0);
    run(&w->db, (char *)sql.data);
    hm_buf_done(&sql);
    unlink(path);
}

static size_t compare(struct world *w, const struct hm_sigma_entry *e, size_t *hits,
                      size_t *refused)
{
    struct hm_sql q;
    struct hm_error err = {0};
    size_t differ = 0;
    int r = hm_sql_compile(e->condition, w->names, &hm_sql_events, &q, &err);
    if (r == -ENOTSUP) {
        assert_true(err.line > 0);
        ++*refused;
        return 0;
    }
    check(r, &err);
    uint8_t *bits = calloc(1, w->count / 8 + 1);
    assert_non_null(bits);
    select_rows(&w->db, &q, e->info.path, bits);
    for (size_t i = 0; i < w->count; i++) {
        struct hm_reading reading[HM_READINGS_MAX];
        assert_int_equal(hm_readings(w->bindings, HM_VIEW_EVENT, &w->events[i], reading), 1);
        bool sql = bits[i / 8] >> (i % 8) & 1, walk = hm_walk(e->condition, &reading[0].view);
        *hits += walk;
        if (sql != walk && differ++ == 0) {
            struct hm_buf out = HM_BUF(1 << 20);
            hm_ast_print(e->condition, w->names, &out);
            hm_buf_put_u8(&out, 0);
            print_message("%s: SQL says %d on event %zu\n %.1500s\n %.2500s\n", e->info.path, sql,
                          i, (char *)out.data, (char *)q.text.data);
            hm_buf_done(&out);
        }
    }
    free(bits);
    hm_sql_done(&q);
    return differ;
}

/* Rules about every form of a value that the view knows. */
static const char forms[] =
    "title: a\nid: a\nlogsource: {product: linux}\ndetection:\n"
    " ip1: {DestinationIp|startswith: ['10.', '::', 'fe80:', '2001:db8::5:0']}\n"
    " ip2: {DestinationIp: ['::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4', '::1.2.3.4', '::']}\n"
    " ip3: {SourceIp|endswith: [':0', '::', '.3', '0:0:3', '::3']}\n"
    " net: {DestinationIp|cidr: [10.0.0.0/8, 'fe80::/10', '::/0']}\n"
    " condition: 1 of ip* and not net\n---\n"
    "title: b\nid: b\nlogsource: {product: linux}\ndetection:\n"
    " s: {process.flags: [memfd, 'del*', '129'], Protocol: [tcp, 17, '6'], process.stdin: socket}\n"
    " t: {Initiated: 'true', Hashes|contains: 'SHA256=00'}\n"
    " u: {time|hour: [3, 4], time|minute|gte: 10}\n"
    " v: {class: process, action: exec}\n"
    " w: {process.key|endswith: 'c', process.pid|lt: 50, process.pid|gte: 10}\n"
    " condition: s or t or u or v or w\n---\n"
    "title: c\nid: c\nlogsource: {product: linux}\ndetection:\n"
    " s: {process.ancestors.2: [sh, '7'], process.masquerade|exists: true}\n"
    " t: {Image|fieldref|contains: ParentImage}\n u: {User: null, Image: ''}\n"
    " k: ['sh', 'q?']\n condition: s or t or not u or k\n---\n"
    "title: d\nid: d\nlogsource: {product: linux}\ndetection:\n"
    " s: {User|exists: true}\n t: {CurrentDirectory: ''}\n u: {LogonId|re: '^7?$'}\n"
    " condition: [s and not t, u]\n";

static void own_events(void **state)
{
    struct world w = {.names = hm_names_new(), .arena = hm_arena_new(1u << 30)};
    struct hm_sigma_options o = {.names = w.names};
    size_t differ = 0, hits = 0, refused = 0, n;
    assert_int_equal(hm_sigma_collection_new(&o, &w.c), 0);
    assert_int_equal(hm_sigma_collection_add(w.c, "forms", hm_slice_str(forms), problem, NULL), 0);
    assert_true(add_folder(&w, HM_RULES_DIR "/linux"));
    bool corpus = add_folder(&w, HM_CORPUS_DIR "/sigma/rules/linux");
    assert_int_equal(hm_sigma_collection_finish(w.c, problem, NULL), 0);
    assert_int_equal(hm_bindings_new(w.names, &w.bindings), 0);
    n = hm_sigma_rule_count(w.c);
    for (size_t i = 0; i < n; i++)
        for (unsigned how = 0; how < EACH; how++)
            fill(&w, new_event(&w, how), hm_sigma_rule_at(w.c, i)->condition, how + (unsigned)i,
                 true);
    odd_events(&w);
    open_db(&w.db, w.dir);
    load_events(&w);
    run(&w.db, hm_sql_events_setup);
    for (size_t i = 0; i < n; i++)
        differ += compare(&w, hm_sigma_rule_at(w.c, i), &hits, &refused);
    print_message("%zu events, %zu rules, %zu of them refused, %zu hits\n", w.count, n, refused,
                  hits);
    assert_int_equal(differ, 0);
    assert_true(hits > 400 && n - refused > (corpus ? 200 : 80));
    hm_duck_close(&w.db);
    rmdir(w.dir);
    hm_bindings_free(w.bindings);
    hm_sigma_collection_free(w.c);
    hm_names_free(w.names);
    hm_arena_free(w.arena);
    free(w.events);
}

/* What RE2 or a column cannot do is said, not left out. */
static void refuses(void **state)
{
    static const struct {
        const char *item, *reason; /* NULL: it compiles */
    } rows[] = {
        {"Image|re: 'a(?=b)'", "look around"},
        {"Image|re: '(?<!a)b'", "look around"},
        {"Image|re: '(a)\\1'", "references to groups"},
        {"Image|re: 'a++'", "possessive"},
        {"Image|re: 'a$b'", "\"$\" within"},
        {"Image|re: 'a{1001}'", "at most 1000"},
        {"Image|re: '[[:<:]]a'", "does not know this"},
        {"Image|re: '\\Ra'", "does not know this escape"},
        {"Image|re: '(?P<n>a)'", "name groups"},
        {"Image|re: '(*UTF)a'", "verbs"},
        {"Image|re: '^\\s*[a-z\\s]{1,3}\\.(?:x|y)$'", NULL},
        {"Image|re|i: '[]a[]+?{'", NULL},
        {"NoSuchField: x", "no column for the field NoSuchField"},
        {"Image|hour: 3", "column of times"},
        {"Image|cidr: 'fe80::/10'", "IPv6"},
        {"Image|utf16le|contains: ab", "not text"},
        {"time|week: 3", NULL},
    };
    for (size_t i = 0; i < HM_ARRAY_LEN(rows); i++) {
        char text[512];
        struct world w = {.names = hm_names_new()};
        struct hm_sigma_options o = {.names = w.names};
        struct hm_sql q = {0};
        struct hm_error err = {0};
        snprintf(
            text, sizeof text,
            "title: t\nid: a\nlogsource: {product: linux}\ndetection: {condition: s, s: {%s}}\n",
            rows[i].item);
        assert_int_equal(hm_sigma_collection_new(&o, &w.c), 0);
        assert_int_equal(hm_sigma_collection_add(w.c, "t", hm_slice_str(text), problem, NULL), 0);
        assert_int_equal(hm_sigma_collection_finish(w.c, problem, NULL), 0);
        if (hm_sigma_rule_count(w.c) != 1)
            fail_msg("%s is no rule", rows[i].item);
        int r =
            hm_sql_compile(hm_sigma_rule_at(w.c, 0)->condition, w.names, &hm_sql_events, &q, &err);
        if (rows[i].reason ? r != -ENOTSUP || !strstr(err.text, rows[i].reason) : r)
            fail_msg("%s: %d %s", rows[i].item, r, err.text);
        if (!r)
            hm_sql_done(&q);
        hm_sigma_collection_free(w.c);
        hm_names_free(w.names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(own_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
