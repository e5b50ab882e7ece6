/* The role `signer`: holds the CA key, the order key and the content key, answers core's two
 * requests, has no network. Owns the loop and the table of requests; sign.c judges. */
#include "server/messages.h"
#include "server/roles.h"
#include "server/signer/sign.h"
#include "wire/limits.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#define KEY_FILE_MAX 4096

struct signer {
    struct hm_signer keys;
    int core; /* -1: not paired */
    uint64_t refused;
};

static void answer(struct signer *s, uint64_t id, int r, struct hm_slice data,
                   struct hm_slice serial)
{
    struct hm_msg_signer_done m = {.id = id};

    if (r) {
        s->refused++;
        hm_warn("request %llu refused: %s (%llu so far)", (unsigned long long)id, strerror(-r),
                (unsigned long long)s->refused);
    } else {
        m.data = data;
        m.serial = serial;
    }
    if (hm_ipc_send(s->core, &hm_desc_signer_done, &m, NULL, 0))
        hm_warn("core did not take an answer"); /* it asks again */
}

static int on_csr(struct signer *s, struct hm_slice payload)
{
    hm_auto(hm_buf_done) struct hm_buf der = HM_BUF(HM_STMT_MAX_BYTES);
    hm_auto(hm_buf_done) struct hm_buf serial = HM_BUF(64);
    struct hm_msg_sign_csr m;

    int r = hm_msg_decode(&hm_desc_sign_csr, payload, &m);
    if (r)
        return r;
    r = hm_signer_csr(&s->keys, m.csr, m.endpoint, &der, &serial);
    answer(s, m.id, r, hm_buf_slice(&der), hm_buf_slice(&serial));
    return 0;
}

static int on_stmt(struct signer *s, struct hm_slice payload)
{
    hm_auto(hm_buf_done) struct hm_buf out = HM_BUF(HM_STMT_MAX_BYTES * 2);
    struct hm_msg_sign_stmt m;

    int r = hm_msg_decode(&hm_desc_sign_stmt, payload, &m);
    if (r)
        return r;
    r = hm_signer_statement(&s->keys, m.domain, m.payload, hm_clock_wall_ns() / 1000000, &out);
    answer(s, m.id, r, hm_buf_slice(&out), (struct hm_slice){0});
    return 0;
}

static const struct {
    uint16_t number;
    int (*handle)(struct signer *s, struct hm_slice payload);
} requests[] = {{HM_MSG_SIGN_CSR, on_csr}, {HM_MSG_SIGN_STMT, on_stmt}};

static void close_fds(const struct hm_ipc_msg *m)
{
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
}

static void drop_core(struct signer *s, const char *why)
{
    hm_debug("core's socket closed: %s", why);
    close(s->core);
    s->core = -1;
}

/* Returns false when the socket has nothing more. */
static bool serve_one(struct signer *s, struct hm_buf *buf)
{
    struct hm_ipc_msg m;

    int r = hm_ipc_recv(s->core, buf, &m);
    if (r == 0)
        return false;
    if (r < 0) {
        drop_core(s, strerror(-r));
        return false;
    }
    close_fds(&m);
    r = -EBADMSG;
    for (size_t i = 0; i < HM_ARRAY_LEN(requests); i++)
        if (requests[i].number == m.number)
            r = requests[i].handle(s, m.payload);
    if (r)
        drop_core(s, "malformed request");
    return s->core >= 0;
}

/* 0: go on; 1: the supervisor wants us to stop. */
static int on_supervisor(struct signer *s, struct hm_buf *buf)
{
    struct hm_ipc_msg m;

    int r = hm_ipc_recv(HM_ROLE_FD, buf, &m);
    if (r < 0)
        return 1;
    if (r == 0)
        return 0;
    if (m.number != HM_MSG_PEER || m.fd_count != 1) {
        close_fds(&m);
        return 0;
    }
    if (s->core >= 0)
        close(s->core);
    s->core = m.fds[0];
    return 0;
}

static void serve(struct signer *s)
{
    hm_auto(hm_buf_done) struct hm_buf buf = HM_BUF(HM_IPC_MAX_BYTES);

    for (;;) {
        struct pollfd p[2] = {{.fd = HM_ROLE_FD, .events = POLLIN},
                              {.fd = s->core, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents && on_supervisor(s, &buf))
            return;
        if (p[1].revents && p[1].fd == s->core)
            while (serve_one(s, &buf))
                ;
    }
}

static int load_key(const char *path, struct hm_key **ret_key, struct hm_error *err)
{
    uint8_t pem[KEY_FILE_MAX];
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, pem, sizeof pem);
    if (n < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    int r = hm_key_from_pem(hm_slice(pem, (size_t)n), ret_key, err);
    explicit_bzero(pem, sizeof pem);
    return r;
}

static int load(const char *state, struct hm_signer *ret_keys, struct hm_error *err)
{
    char path[HM_CONFIG_VALUE_MAX + 32];

    snprintf(path, sizeof path, "%s/signer/ca.key", state);
    ret_keys->ca_key = hm_pki_read_key(path);
    snprintf(path, sizeof path, "%s/signer/ca.crt", state);
    ret_keys->ca = hm_pki_read_cert(path);
    if (!ret_keys->ca_key || !ret_keys->ca)
        return hm_fail(err, -EIO, "cannot read the CA in %s/signer", state);
    snprintf(path, sizeof path, "%s/signer/order.key", state);
    int r = load_key(path, &ret_keys->order_key, err);
    snprintf(path, sizeof path, "%s/signer/content.key", state);
    return r ? r : load_key(path, &ret_keys->content_key, err);
}

int hm_signer_main(int argc, char **argv)
{
    struct hm_role_boot boot;
    struct hm_error err = {0};
    struct signer s = {.core = -1};
    int abi = 0;

    (void)argc;
    (void)argv;
    int r = hm_role_begin(HM_ROLE_SIGNER, &boot, &err);
    if (!r)
        r = load(boot.config.state, &s.keys, &err);
    if (!r)
        r = hm_sandbox_files(NULL, 0, false, &abi, &err); /* keys are in memory: no file any more */
    if (!r)
        r = hm_sandbox_syscalls(false, &err);
    if (r) {
        hm_err("cannot start: %s", err.text[0] ? err.text : strerror(-r));
        return 1;
    }
    if (abi == 0)
        hm_warn("this kernel has no Landlock: files are guarded by the uid alone");
    serve(&s);
    hm_signer_done(&s.keys);
    return 0;
}
