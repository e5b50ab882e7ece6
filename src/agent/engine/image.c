/* See image.h. One allocation an image: the struct, then its strings. */
#include "agent/engine/image.h"
#include "agent/engine/limits.h"
#include <stdlib.h>

static struct hm_slice cut(struct hm_slice s, size_t max)
{
    return hm_slice(s.p, s.len < max ? s.len : max);
}

static struct hm_slice keep(uint8_t **at, struct hm_slice s)
{
    if (s.len)
        memcpy(*at, s.p, s.len);
    struct hm_slice kept = hm_slice(*at, s.len);
    *at += s.len;
    return kept;
}

struct hm_image *hm_image_new(struct hm_image_pool *pool, const struct hm_image_text *t,
                              const struct hm_image *like)
{
    struct hm_image_text c = {
        .path = cut(t->path, HM_TABLE_TEXT_BYTES),
        .command_line = cut(t->command_line, HM_TABLE_COMMAND_LINE_BYTES),
        .cwd = cut(t->cwd, HM_TABLE_TEXT_BYTES),
        .name = cut(t->name, 64),
        .interpreter = cut(t->interpreter, HM_TABLE_TEXT_BYTES),
        .env = cut(t->env, HM_TABLE_TEXT_BYTES),
        .tty = cut(t->tty, 64),
    };
    size_t bytes = sizeof(struct hm_image) + c.path.len + c.command_line.len + c.cwd.len +
                   c.name.len + c.interpreter.len + c.env.len + c.tty.len;
    if (pool->bytes + bytes > pool->max_bytes)
        return NULL;
    struct hm_image *i = malloc(bytes);
    if (!i)
        return NULL;
    *i = like ? *like : (struct hm_image){0};
    i->refs = 1;
    i->bytes = (uint32_t)bytes;
    uint8_t *at = (uint8_t *)(i + 1);
    i->text.path = keep(&at, c.path);
    i->text.command_line = keep(&at, c.command_line);
    i->text.cwd = keep(&at, c.cwd);
    i->text.name = keep(&at, c.name);
    i->text.interpreter = keep(&at, c.interpreter);
    i->text.env = keep(&at, c.env);
    i->text.tty = keep(&at, c.tty);
    pool->bytes += i->bytes;
    return i;
}

struct hm_image *hm_image_ref(struct hm_image *i)
{
    if (i)
        i->refs++;
    return i;
}

void hm_image_unref(struct hm_image_pool *pool, struct hm_image *i)
{
    if (!i || --i->refs)
        return;
    pool->bytes -= i->bytes;
    free(i);
}
