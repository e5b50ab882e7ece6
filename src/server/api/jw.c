/* See jw.h. */
#include "server/api/jw.h"
#include "base/clock.h"
#include "event/event.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>

#define DEPTH_MAX 16

static void begin(struct hm_jw *w, const char *key)
{
    if (w->comma)
        hm_buf_put_u8(w->out, ',');
    w->comma = true;
    if (!key)
        return;
    hm_buf_put_u8(w->out, '"');
    hm_json_escape(hm_slice_str(key), w->out);
    hm_buf_puts(w->out, "\":");
}

void hm_jw_obj(struct hm_jw *w, const char *key)
{
    begin(w, key);
    hm_buf_put_u8(w->out, '{');
    w->comma = false;
}

void hm_jw_arr(struct hm_jw *w, const char *key)
{
    begin(w, key);
    hm_buf_put_u8(w->out, '[');
    w->comma = false;
}

void hm_jw_end_obj(struct hm_jw *w)
{
    hm_buf_put_u8(w->out, '}');
    w->comma = true;
}

void hm_jw_end_arr(struct hm_jw *w)
{
    hm_buf_put_u8(w->out, ']');
    w->comma = true;
}

void hm_jw_bytes(struct hm_jw *w, const char *key, struct hm_slice s)
{
    begin(w, key);
    hm_buf_put_u8(w->out, '"');
    hm_json_escape(s, w->out);
    hm_buf_put_u8(w->out, '"');
}

void hm_jw_str(struct hm_jw *w, const char *key, const char *s)
{
    hm_jw_bytes(w, key, hm_slice_str(s));
}

void hm_jw_u64(struct hm_jw *w, const char *key, uint64_t v)
{
    begin(w, key);
    hm_buf_printf(w->out, "%" PRIu64, v);
}

void hm_jw_bool(struct hm_jw *w, const char *key, bool v)
{
    begin(w, key);
    hm_buf_puts(w->out, v ? "true" : "false");
}

void hm_jw_null(struct hm_jw *w, const char *key)
{
    begin(w, key);
    hm_buf_puts(w->out, "null");
}

void hm_jw_hex(struct hm_jw *w, const char *key, const void *p, size_t len)
{
    const uint8_t *b = p;

    begin(w, key);
    hm_buf_put_u8(w->out, '"');
    for (size_t i = 0; i < len; i++)
        hm_buf_printf(w->out, "%02x", b[i]);
    hm_buf_put_u8(w->out, '"');
}

void hm_jw_key(struct hm_jw *w, const char *key, uint64_t v)
{
    begin(w, key);
    hm_buf_printf(w->out, "\"%016" PRIx64 "\"", v);
}

void hm_jw_key_or_empty(struct hm_jw *w, const char *key, uint64_t v)
{
    if (v)
        hm_jw_key(w, key, v);
    else
        hm_jw_str(w, key, "");
}

void hm_jw_time_ns(struct hm_jw *w, const char *key, uint64_t ns)
{
    char text[40];

    if (ns)
        hm_jw_str(w, key, hm_clock_format(ns, text, sizeof text));
    else
        hm_jw_null(w, key);
}

void hm_jw_time_ms(struct hm_jw *w, const char *key, uint64_t ms)
{
    hm_jw_time_ns(w, key, ms * 1000000);
}

void hm_jw_raw(struct hm_jw *w, const char *key, const char *json)
{
    begin(w, key);
    hm_buf_puts(w->out, json);
}

void hm_jw_words(struct hm_jw *w, const char *key, const char *s)
{
    hm_jw_arr(w, key);
    while (s && *s) {
        size_t n = strcspn(s, ",");
        if (n)
            hm_jw_bytes(w, NULL, hm_slice(s, n));
        s += n + (s[n] == ',');
    }
    hm_jw_end_arr(w);
}

/* Recursion is bounded by depth; cJSON itself stops at 1000. */
static void write_value(struct hm_jw *w, const char *key, const cJSON *v, int depth)
{
    const cJSON *child;
    bool nested = cJSON_IsObject(v) || cJSON_IsArray(v);

    if (!v || cJSON_IsNull(v) || (nested && depth >= DEPTH_MAX))
        hm_jw_null(w, key);
    else if (cJSON_IsBool(v))
        hm_jw_bool(w, key, cJSON_IsTrue(v));
    else if (cJSON_IsString(v))
        hm_jw_str(w, key, v->valuestring);
    else if (cJSON_IsNumber(v) && !isfinite(v->valuedouble))
        hm_jw_null(w, key);
    else if (cJSON_IsNumber(v)) {
        begin(w, key);
        hm_buf_printf(w->out, "%.17g", v->valuedouble);
    } else if (cJSON_IsArray(v)) {
        hm_jw_arr(w, key);
        cJSON_ArrayForEach(child, v) write_value(w, NULL, child, depth + 1);
        hm_jw_end_arr(w);
    } else if (cJSON_IsObject(v)) {
        hm_jw_obj(w, key);
        cJSON_ArrayForEach(child, v) write_value(w, child->string, child, depth + 1);
        hm_jw_end_obj(w);
    } else {
        hm_jw_null(w, key);
    }
}

void hm_jw_cjson(struct hm_jw *w, const char *key, const cJSON *v)
{
    write_value(w, key, v, 0);
}

void hm_jw_foreign(struct hm_jw *w, const char *key, const char *json)
{
    cJSON *v = json ? cJSON_ParseWithOpts(json, NULL, true) : NULL;

    write_value(w, key, v, 0);
    cJSON_Delete(v);
}
