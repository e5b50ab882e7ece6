/* What a client of the API sends and we parse ourselves: the head of a request, queries, bodies,
 * and JSON of others that is written anew. The first byte chooses. */
#include "server/api/args.h"
#include "server/api/guard.h"
#include "server/api/jw.h"
#include "server/api/limits.h"
#include <cjson/cJSON.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hm_param params[] = {
    {"text", HM_ARG_TEXT, false, 0, 250}, {"secret", HM_ARG_SECRET, false, 1, 1024},
    {"id", HM_ARG_ID, false, 0, 0},       {"key", HM_ARG_KEY, false, 0, 0},
    {"n", HM_ARG_UINT, false, 1, 1000},   {"flag", HM_ARG_BOOL, false, 0, 0},
    {"when", HM_ARG_TIME, false, 0, 0},
};
#define N HM_ARRAY_LEN(params)

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Cut anywhere, the guard must come to the same end. */
static void feed(struct hm_slice s)
{
    struct hm_guard whole, bytes;

    hm_guard_init(&whole);
    hm_guard_init(&bytes);
    hm_guard_feed(&whole, s);
    for (size_t i = 0; i < s.len; i++)
        hm_guard_feed(&bytes, hm_slice(s.p + i, 1));
    must(whole.state == bytes.state && whole.requests == bytes.requests &&
         whole.body_left == bytes.body_left);
    must(whole.head.len <= HM_API_HEAD_MAX && whole.body_left <= HM_API_BODY_MAX);
    must(whole.state != HM_GUARD_BAD || whole.status >= 400);
    hm_guard_done(&whole);
    hm_guard_done(&bytes);
}

/* Whatever was accepted keeps what the table promises. */
static void check(const struct hm_arg *args)
{
    size_t chars;

    for (size_t i = 0; i < 2; i++)
        if (args[i].text)
            must(hm_args_utf8(hm_slice_str(args[i].text), &chars) && chars <= params[i].max);
    for (const char *p = args[0].text; p && *p; p++)
        must((uint8_t)*p >= 0x20 && *p != 0x7f);
    must(!args[4].present || !args[4].u64 || (args[4].u64 >= 1 && args[4].u64 <= 1000));
}

static void query(const char *text)
{
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_args_fault f = {0};
    struct hm_arg args[N];

    if (a && hm_args_query(text, params, N, a, args, &f) == 0)
        check(args);
    hm_arena_free(a);
}

static void body(struct hm_slice s)
{
    struct hm_arena *a = hm_arena_new(1 << 20);
    struct hm_args_fault f = {0};
    struct hm_arg args[N];

    if (a && hm_args_body(s, params, N, a, args, &f) == 0)
        check(args);
    hm_arena_free(a);
}

/* What is written anew must be JSON again, without a byte that ends a line. */
static void foreign(const char *text)
{
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(4 << 20);
    struct hm_jw w = HM_JW(&out);

    hm_jw_foreign(&w, NULL, text);
    if (out.error)
        return;
    cJSON *again = cJSON_ParseWithLength((const char *)out.data, out.len);
    must(again != NULL);
    cJSON_Delete(again);
    for (size_t i = 0; i < out.len; i++)
        must(out.data[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hm_autofree char *text = size ? calloc(1, size) : NULL;

    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    struct hm_slice s = hm_slice(text, size - 1);
    switch (data[0] & 3) {
    case 0:
        feed(s);
        break;
    case 1:
        query(text);
        break;
    case 2:
        body(s);
        break;
    default:
        foreign(text);
    }
    return 0;
}
