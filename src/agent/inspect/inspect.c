/* The process that reads the content of files others chose. Owns hashing on passed descriptors and
 * the loop (yara.c scans); may do nothing else: no paths, no network, little memory. monitor kills
 * it at its deadline. */
#include "agent/inspect/inspect.h"
#include "agent/roles.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sanitizer reserves terabytes of addresses; the limit is for the real build. */
#ifdef __has_feature
#define UNDER_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#else
#define UNDER_SANITIZER 0
#endif

#define NICE         10
#define PIECE_BYTES  (256 * 1024)
#define MEMORY_BYTES (256ull << 20)
#define FILE_MAX_BYTES                                                                             \
    (1ull << 30) /* larger ones are not programs anybody starts twice a second                     \
                  */

struct hm_inspect {
    struct hm_sha256 *sha;
    struct hm_buf in;
    uint8_t *piece;
    struct hm_inspect_yara *yara;
};

int hm_inspect_hash(struct hm_inspect *s, int fd, uint8_t ret[HM_SHA256_BYTES], uint64_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX_BYTES)
        return -EINVAL;
    uint64_t total = 0;
    ssize_t n;
    while ((n = pread(fd, s->piece, PIECE_BYTES, (off_t)total)) > 0 && total <= FILE_MAX_BYTES) {
        hm_sha256_add(s->sha, hm_slice(s->piece, (size_t)n));
        total += (uint64_t)n;
    }
    hm_sha256_final(s->sha, ret); /* also resets after a failed read */
    *ret_size = total;
    return n < 0 ? -errno : 0;
}

static int answer(int r)
{
    while (r == -EAGAIN) { /* monitor is busy: there is nothing better to do than wait */
        struct pollfd p = {HM_ROLE_FD, POLLOUT, 0};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -errno;
        r = 0;
    }
    return r;
}

int hm_inspect_send(const struct hm_msg_desc *d, const void *msg)
{
    int r;
    do {
        r = hm_ipc_send(HM_ROLE_FD, d, msg, NULL, 0);
        if (r != -EAGAIN)
            return r;
        r = answer(r);
    } while (r == 0);
    return r;
}

static int serve_hash(struct hm_inspect *s, const struct hm_ipc_msg *m)
{
    struct hm_msg_inspect_hash ask;
    if (m->fd_count != 1 || hm_msg_decode(&hm_desc_inspect_hash, m->payload, &ask) < 0)
        return -EBADMSG;
    uint8_t hash[HM_SHA256_BYTES];
    struct hm_msg_inspected done = {.id = ask.id};
    if (hm_inspect_hash(s, m->fds[0], hash, &done.size) == 0)
        done.sha256 = hm_slice(hash, sizeof hash);
    return hm_inspect_send(&hm_desc_inspected, &done);
}

static int serve(struct hm_inspect *s, const struct hm_ipc_msg *m)
{
    struct hm_msg_beat beat;
    switch (m->number) {
    case HM_MSG_INSPECT_HASH:
        return serve_hash(s, m);
    case HM_MSG_BEAT:
        if (hm_msg_decode(&hm_desc_beat, m->payload, &beat) < 0)
            return -EBADMSG;
        return hm_inspect_send(&hm_desc_beat, &beat);
    default:
        return hm_inspect_yara_serve(s->yara, s, m);
    }
}

static int loop(struct hm_inspect *s)
{
    for (;;) {
        struct hm_ipc_msg m;
        int r = hm_ipc_recv(HM_ROLE_FD, &s->in, &m);
        if (r == 0) {
            struct pollfd p = {HM_ROLE_FD, POLLIN, 0};
            if (poll(&p, 1, -1) < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        if (r < 0)
            return r;
        r = serve(s, &m);
        for (int i = 0; i < m.fd_count; i++)
            close(m.fds[i]);
        if (r < 0)
            return r;
    }
}

static int confine(struct hm_error *err)
{
    /* What is watched comes before the watching: a build that writes thousands of files is not
     * slowed. */
    (void)!setpriority(PRIO_PROCESS, 0, NICE);
    int abi, r = hm_role_drop(&hm_agent_roles[HM_AGENT_INSPECT], err);
    if (r == 0)
        r = hm_sandbox_files(NULL, 0, false, &abi, err);
    if (r == 0)
        r = hm_sandbox_syscalls(false, err);
#if !UNDER_SANITIZER
    struct rlimit memory = {MEMORY_BYTES, MEMORY_BYTES};
    if (r == 0 && setrlimit(RLIMIT_AS, &memory) < 0)
        r = hm_fail(err, -errno, "cannot limit memory");
#endif
    return r;
}

int hm_inspect_main(void)
{
    struct hm_error err = {0};
    struct hm_inspect s = {
        .sha = hm_sha256_new(), .in = HM_BUF(HM_IPC_MAX_BYTES), .piece = malloc(PIECE_BYTES)};
    s.yara = hm_inspect_yara_new(&err); /* libyara sets itself up before the doors close */
    if (!s.sha || !s.piece || !s.yara || confine(&err) < 0) {
        hm_err("%s", err.code ? err.text : "out of memory");
        return 1;
    }
    int r = loop(&s);
    hm_inspect_yara_free(s.yara);
    hm_sha256_free(s.sha);
    hm_buf_done(&s.in);
    free(s.piece);
    return r == -ECONNRESET ? 0 : 1;
}
