/* See call.h. */
#include "server/api/call.h"
#include "server/api/limits.h"
#include <errno.h>
#include <strings.h>

struct hm_call *hm_call_new(void)
{
    struct hm_call *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->out = HM_BUF(HM_API_ANSWER_MAX);
    c->arena = hm_arena_new(HM_API_ARENA_MAX);
    if (!c->arena) {
        free(c);
        return NULL;
    }
    return c;
}

void hm_call_free(struct hm_call *c)
{
    if (!c)
        return;
    hm_buf_done(&c->out);
    hm_arena_free(c->arena);
    free(c);
}

const char *hm_call_copy(struct hm_call *c, const char *s)
{
    return s ? hm_arena_strndup(c->arena, s, strlen(s)) : NULL;
}

struct problem {
    int status;
    const char *slug;
    struct hm_text title;
};
static const struct problem problems[HM_P_COUNT] = {
#define P(ID, STATUS, SLUG, EN, JA) [HM_P_##ID] = {STATUS, SLUG, {EN, JA}},
#include "server/api/problems.def"
#undef P
};

void hm_call_problem(struct hm_call *c, enum hm_problem_id id, const char *field,
                     const struct hm_text *detail)
{
    const struct problem *p = &problems[id];
    struct hm_jw w = HM_JW(&c->out);
    char type[96] = "/problems/";

    hm_buf_clear(&c->out);
    c->status = p->status;
    c->type = "application/problem+json";
    c->stream = HM_STREAM_NONE;
    memcpy(type + 10, p->slug, strlen(p->slug) + 1);
    hm_jw_obj(&w, NULL);
    hm_jw_str(&w, "type", type);
    hm_jw_str(&w, "title", hm_text(&p->title, c->lang));
    hm_jw_u64(&w, "status", (uint64_t)p->status);
    if (detail)
        hm_jw_str(&w, "detail", hm_text(detail, c->lang));
    if (field && *field)
        hm_jw_str(&w, "field", field);
    if (c->retry_after_s)
        hm_jw_u64(&w, "retry_after_s", c->retry_after_s);
    hm_jw_end_obj(&w);
}

enum hm_problem_id hm_problem_by_status(int status)
{
    for (int i = 0; i < HM_P_COUNT; i++)
        if (problems[i].status == status)
            return (enum hm_problem_id)i;
    return HM_P_BAD_REQUEST;
}

void hm_call_error(struct hm_call *c, int err)
{
    static const struct {
        int err;
        enum hm_problem_id id;
    } map[] = {{-ENOENT, HM_P_NOT_FOUND}, {-EINVAL, HM_P_INVALID},      {-EPROTO, HM_P_CONFLICT},
               {-EEXIST, HM_P_CONFLICT},  {-EKEYREVOKED, HM_P_REVOKED}, {-EBUSY, HM_P_BUSY}};
    enum hm_problem_id id = HM_P_INTERNAL;

    for (size_t i = 0; i < HM_ARRAY_LEN(map); i++)
        if (map[i].err == err)
            id = map[i].id;
    if (id == HM_P_BUSY)
        c->retry_after_s = 2;
    hm_call_problem(c, id, NULL, NULL);
}

struct hm_jw hm_call_json(struct hm_call *c, int status)
{
    hm_buf_clear(&c->out);
    c->status = status;
    c->type = "application/json";
    return HM_JW(&c->out);
}

void hm_call_empty(struct hm_call *c, int status)
{
    hm_buf_clear(&c->out);
    c->status = status;
    c->type = NULL;
}

static bool judge(struct hm_call *c, int r, const struct hm_args_fault *f)
{
    struct hm_text detail = {f->en, f->ja};

    if (r == 0)
        return true;
    hm_call_problem(c, f->field[0] ? HM_P_INVALID : HM_P_BAD_REQUEST, f->field, &detail);
    return false;
}

bool hm_call_query(struct hm_call *c, const struct hm_param *params, size_t n, struct hm_arg *args)
{
    struct hm_args_fault f = {0};

    return judge(c, hm_args_query(c->query, params, n, c->arena, args, &f), &f);
}

bool hm_call_body(struct hm_call *c, const struct hm_param *params, size_t n, struct hm_arg *args)
{
    struct hm_args_fault f = {0};

    /* a form of another site cannot send this type without asking first */
    if (!c->content_type || strncasecmp(c->content_type, "application/json", 16) != 0) {
        hm_call_problem(c, HM_P_MEDIA, NULL, NULL);
        return false;
    }
    return judge(c, hm_args_body(c->body, params, n, c->arena, args, &f), &f);
}
