/* What waits for the signer, found again by the request's id. Bounded; entries time out, because a
 * signer that was restarted has forgotten them. */
#include "server/core/core.h"
#include <stdlib.h>

struct hm_pending {
    struct hm_pending_item *items[HM_CORE_ENROLL_WAIT];
    size_t n;
    uint64_t last_id;
};

struct hm_pending *hm_pending_new(void)
{
    return calloc(1, sizeof(struct hm_pending));
}

static void item_free(struct hm_pending_item *i)
{
    free(i->more);
    free(i);
}

void hm_pending_free(struct hm_pending *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        item_free(p->items[i]);
    free(p);
}

struct hm_pending_item *hm_pending_add(struct hm_pending *p, enum hm_pending_kind kind)
{
    if (p->n == HM_CORE_ENROLL_WAIT)
        return NULL;
    struct hm_pending_item *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->kind = kind;
    i->id = ++p->last_id;
    i->since_ms = hm_control_now_ms();
    p->items[p->n++] = i;
    return i;
}

struct hm_pending_item *hm_pending_find(struct hm_pending *p, uint64_t id)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i]->id == id)
            return p->items[i];
    return NULL;
}

void hm_pending_remove(struct hm_pending *p, struct hm_pending_item *item)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i] == item) {
            p->items[i] = p->items[--p->n];
            item_free(item);
            return;
        }
}

void hm_pending_expire(struct hm_pending *p, uint64_t now_ms,
                       void (*fail)(void *ctx, struct hm_pending_item *i), void *ctx)
{
    for (size_t i = p->n; i-- > 0;)
        if (p->items[i]->since_ms + HM_CORE_SIGNER_MS < now_ms) {
            struct hm_pending_item *item = p->items[i];
            fail(ctx, item);
            hm_pending_remove(p, item);
        }
}

bool hm_pending_has_order(struct hm_pending *p, const uint8_t id[HM_ID_BYTES])
{
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i]->kind == HM_PENDING_ORDER &&
            memcmp(((struct hm_order_work *)p->items[i]->more)->id, id, HM_ID_BYTES) == 0)
            return true;
    return false;
}
