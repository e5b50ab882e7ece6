/* See log_frames.h. */
#include "agent/engine/log_frames.h"
#include "agent/engine/limits.h"
#include "base/cursor.h"
#include <linux/netlink.h>
#include <stdio.h>

/* ---- audit -----------------------------------------------------------------------------------*/

/* linux/audit.h and libaudit's numbers. What the sensor sees itself (SYSCALL, PATH, EXECVE, CWD,
 * SOCKADDR, PROCTITLE) is not here: it would be told twice. */
static const struct {
    uint16_t number;
    const char *name;
} types[] = {
    {1006, "LOGIN"},
    {1100, "USER_AUTH"},
    {1101, "USER_ACCT"},
    {1102, "USER_MGMT"},
    {1103, "CRED_ACQ"},
    {1104, "CRED_DISP"},
    {1105, "USER_START"},
    {1106, "USER_END"},
    {1107, "USER_AVC"},
    {1108, "USER_CHAUTHTOK"},
    {1109, "USER_ERR"},
    {1110, "CRED_REFR"},
    {1112, "USER_LOGIN"},
    {1113, "USER_LOGOUT"},
    {1114, "ADD_USER"},
    {1115, "DEL_USER"},
    {1116, "ADD_GROUP"},
    {1117, "DEL_GROUP"},
    {1123, "USER_CMD"},
    {1124, "USER_TTY"},
    {1127, "SYSTEM_BOOT"},
    {1128, "SYSTEM_SHUTDOWN"},
    {1129, "SYSTEM_RUNLEVEL"},
    {1130, "SERVICE_START"},
    {1131, "SERVICE_STOP"},
    {1132, "GRP_MGMT"},
    {1200, "DAEMON_START"},
    {1201, "DAEMON_END"},
    {1305, "CONFIG_CHANGE"},
    {1319, "TTY"},
    {1400, "AVC"},
    {1700, "ANOM_PROMISCUOUS"},
    {1701, "ANOM_ABEND"},
};

struct hm_slice hm_audit_frame(struct hm_slice datagram, char *buf, size_t len)
{
    struct nlmsghdr h;
    const char *name = NULL;
    if (datagram.len < sizeof h)
        return (struct hm_slice){0};
    memcpy(&h, datagram.p, sizeof h);
    for (size_t i = 0; i < HM_ARRAY_LEN(types); i++)
        if (types[i].number == h.nlmsg_type)
            name = types[i].name;
    /* The kernel counts its own header or not, by its version: what came is what there is. */
    struct hm_slice text = hm_slice(datagram.p + sizeof h, datagram.len - sizeof h);
    while (text.len && (text.p[text.len - 1] == 0 || text.p[text.len - 1] == '\n'))
        text.len--;
    if (!name || !text.len)
        return (struct hm_slice){0};
    int n = snprintf(buf, len, "type=%s msg=%.*s", name, (int)(text.len < len ? text.len : len),
                     (const char *)text.p);
    return hm_slice(buf, (size_t)n < len ? (size_t)n : len - 1);
}

/* ---- journal ---------------------------------------------------------------------------------*/

void hm_journal_frame_done(struct hm_journal_frame *f)
{
    hm_buf_done(&f->in);
    hm_buf_done(&f->program);
    hm_buf_done(&f->message);
}

static void keep(struct hm_buf *b, struct hm_slice value, size_t max)
{
    b->max = max;
    hm_buf_clear(b);
    hm_buf_put(b, value.p, value.len < max ? value.len : max);
}

static bool is(struct hm_slice key, const char *name)
{
    return hm_slice_eq(key, hm_slice_str(name));
}

static size_t field(struct hm_journal_frame *f, struct hm_slice key, struct hm_slice value)
{
    if (is(key, "SYSLOG_IDENTIFIER") || (is(key, "_COMM") && !f->program.len))
        keep(&f->program, value, 256);
    if (!is(key, "MESSAGE"))
        return 0;
    keep(&f->message, value, HM_LOG_LINE_BYTES);
    f->has_message = true;
    return value.len > HM_LOG_LINE_BYTES;
}

static void end_entry(struct hm_journal_frame *f,
                      void (*line)(void *ctx, struct hm_slice program, struct hm_slice text),
                      void *ctx)
{
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(HM_LOG_LINE_BYTES + 512);
    if (f->has_message) {
        hm_buf_put(&text, f->program.data, f->program.len);
        hm_buf_puts(&text, f->program.len ? ": " : "");
        hm_buf_put(&text, f->message.data, f->message.len);
        if (!text.error)
            line(ctx, hm_buf_slice(&f->program), hm_buf_slice(&text));
    }
    hm_buf_clear(&f->program);
    hm_buf_clear(&f->message);
    f->has_message = false;
}

/* One field at the begin of in. Returns the bytes used; 0: not whole yet. */
static size_t one(struct hm_journal_frame *f, struct hm_slice in, size_t *ret_cut,
                  void (*line)(void *ctx, struct hm_slice program, struct hm_slice text), void *ctx)
{
    const uint8_t *end = memchr(in.p, '\n', in.len);
    if (!end)
        return 0;
    struct hm_slice row = hm_slice(in.p, (size_t)(end - in.p));
    const uint8_t *eq = memchr(row.p, '=', row.len);
    if (!row.len) {
        end_entry(f, line, ctx);
        return 1;
    }
    if (eq) {
        size_t n = (size_t)(eq - row.p);
        *ret_cut += field(f, hm_slice(row.p, n), hm_slice(eq + 1, row.len - n - 1));
        return row.len + 1;
    }
    if (in.len < row.len + 1 + 8)
        return 0;
    struct hm_cursor c = hm_cursor(hm_slice(end + 1, 8));
    uint64_t size = hm_cursor_le64(&c);
    size_t head = row.len + 1 + 8;
    if (size > HM_LOG_FRAME_BYTES - head - 1) { /* never wanted whole: passed over as it comes */
        f->skip = size > UINT64_MAX - 1 ? size : size + 1;
        *ret_cut += 1;
        return head;
    }
    if (in.len < head + size + 1)
        return 0;
    *ret_cut += field(f, row, hm_slice(in.p + head, (size_t)size));
    return head + (size_t)size + 1;
}

static size_t skip(struct hm_journal_frame *f, size_t have)
{
    size_t n = f->skip < have ? (size_t)f->skip : have;
    f->skip -= n;
    return n;
}

size_t hm_journal_frame_add(struct hm_journal_frame *f, struct hm_slice bytes,
                            void (*line)(void *ctx, struct hm_slice program, struct hm_slice text),
                            void *ctx)
{
    size_t cut = 0;
    f->in.max = HM_LOG_FRAME_BYTES + HM_LOG_PIECE_BYTES;
    hm_buf_put(&f->in, bytes.p, bytes.len);
    size_t at = 0;
    while (at < f->in.len && !f->in.error) {
        struct hm_slice rest = hm_slice(f->in.data + at, f->in.len - at);
        size_t n = f->skip ? skip(f, rest.len) : one(f, rest, &cut, line, ctx);
        if (!n)
            break;
        at += n;
    }
    /* A row that never ends would fill the buffer: it is given up, with what stands in it. */
    if (f->in.error || f->in.len - at > HM_LOG_FRAME_BYTES) {
        hm_buf_clear(&f->in);
        return cut + 1;
    }
    memmove(f->in.data, f->in.data + at, f->in.len - at);
    f->in.len -= at;
    return cut;
}
