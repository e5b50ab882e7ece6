/* See fanotify.h. */
#include "agent/engine/fanotify.h"
#include "agent/engine/limits.h"
#include <errno.h>
#include <sys/fanotify.h>

static struct hm_slice text_of(struct hm_slice s)
{
    const uint8_t *nul = s.len ? memchr(s.p, 0, s.len) : NULL;
    return hm_slice(s.p, nul ? (size_t)(nul - s.p) : s.len);
}

/* fsid · file_handle · name, as far as the record goes. */
static struct hm_fan_handle take_handle(struct hm_cursor *c)
{
    struct hm_fan_handle h = {.fsid = hm_cursor_take(c, 8)};
    const uint8_t *start = c->p;
    uint32_t bytes = hm_cursor_le32(c);
    hm_cursor_le32(c);
    if (bytes > HM_DIRS_HANDLE_BYTES - 8)
        hm_cursor_fail(c);
    hm_cursor_take(c, bytes);
    if (!c->error)
        h.handle = hm_slice(start, 8 + (size_t)bytes);
    return h;
}

static void take_info(struct hm_cursor *c, unsigned type, struct hm_fan_event *e)
{
    struct hm_fan_handle h;
    switch (type) {
    case FAN_EVENT_INFO_TYPE_FID:
        e->target = take_handle(c);
        break;
    case FAN_EVENT_INFO_TYPE_DFID:
    case FAN_EVENT_INFO_TYPE_DFID_NAME:
    case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
        h = take_handle(c);
        e->dir = h;
        e->name = text_of(hm_slice(c->p, hm_cursor_left(c)));
        break;
    case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
        h = take_handle(c);
        e->new_dir = h;
        e->new_name = text_of(hm_slice(c->p, hm_cursor_left(c)));
        break;
    case FAN_EVENT_INFO_TYPE_PIDFD:
        e->fds[1] = (int)hm_cursor_le32(c);
        break;
    default: /* a newer kernel's: skipped by its length */
        break;
    }
}

int hm_fan_next(struct hm_cursor *c, struct hm_fan_event *ret_e)
{
    if (!c->error && hm_cursor_left(c) == 0)
        return 0;
    uint32_t len = hm_cursor_le32(c);
    uint8_t version = hm_cursor_u8(c);
    hm_cursor_u8(c);
    uint16_t head = hm_cursor_le16(c);
    if (c->error || version != FANOTIFY_METADATA_VERSION || head != FAN_EVENT_METADATA_LEN ||
        len < head)
        return -EBADMSG;
    struct hm_cursor in = hm_cursor(hm_cursor_take(c, len - 8));
    struct hm_fan_event e = {.fds = {-1, -1}};
    e.mask = hm_cursor_le64(&in);
    e.fds[0] = (int)hm_cursor_le32(&in);
    e.pid = hm_cursor_le32(&in);
    e.overflow = e.mask & FAN_Q_OVERFLOW;
    while (!in.error && hm_cursor_left(&in)) {
        uint8_t type = hm_cursor_u8(&in);
        hm_cursor_u8(&in);
        uint16_t info_len = hm_cursor_le16(&in);
        if (info_len < 4)
            return -EBADMSG;
        struct hm_cursor info = hm_cursor(hm_cursor_take(&in, info_len - 4u));
        take_info(&info, type, &e);
        if (info.error)
            return -EBADMSG;
    }
    if (c->error || in.error)
        return -EBADMSG;
    *ret_e = e;
    return 1;
}
