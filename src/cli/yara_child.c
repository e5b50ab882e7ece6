/* See yara.h. A record on the pipe: le32 length, kind, then varints and texts. */
#include "cli/yara.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "detect/yara/limits.h"
#include "detect/yara/yara.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define CHILD_MEMORY_BYTES (1ull << 30)
#define CHILD_CPU_SECONDS  60
#define CHILDREN_MAX       32 /* after so many that died, the rest is not tried */
#define RECORD_MAX_BYTES   (256u * 1024)

enum record { RECORD_BEGIN = 1, RECORD_PROBLEM, RECORD_COMPILED, RECORD_SCANNED, RECORD_FAILED };

/* ---- the child ---- */

struct child {
    const struct hm_yara_job *job;
    const bool *skip; /* rule files, then targets */
    int fd;
    struct hm_buf out;
    size_t files;
};

static void begin(struct child *c, enum record kind)
{
    hm_buf_clear(&c->out);
    hm_buf_put_le32(&c->out, 0);
    hm_buf_put_u8(&c->out, (uint8_t)kind);
}

static void put_text(struct hm_buf *out, struct hm_slice s)
{
    hm_buf_put_varint(out, s.len);
    hm_buf_put(out, s.p, s.len);
}

static void finish(struct child *c)
{
    if (c->out.error)
        _exit(1);
    uint32_t n = (uint32_t)(c->out.len - 4);
    for (int i = 0; i < 4; i++)
        c->out.data[i] = (uint8_t)(n >> 8 * i);
    for (size_t done = 0; done < c->out.len;) {
        ssize_t w = write(c->fd, c->out.data + done, c->out.len - done);
        if (w < 0 && errno != EINTR)
            _exit(1);
        done += w > 0 ? (size_t)w : 0;
    }
}

static void say_begin(struct child *c, size_t index)
{
    begin(c, RECORD_BEGIN);
    hm_buf_put_varint(&c->out, index);
    finish(c);
}

static void say_failed(struct child *c, const char *text)
{
    begin(c, RECORD_FAILED);
    put_text(&c->out, hm_slice_str(text));
    finish(c);
}

static void tell(void *ctx, const struct hm_yara_problem *p)
{
    struct child *c = ctx;
    begin(c, RECORD_PROBLEM);
    hm_buf_put_u8(&c->out, p->warning);
    hm_buf_put_varint(&c->out, p->line);
    put_text(&c->out, hm_slice_str(p->file));
    put_text(&c->out, hm_slice_str(p->rule));
    put_text(&c->out, hm_slice_str(p->text));
    finish(c);
}

static int read_file(const char *path, struct hm_buf *text)
{
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint8_t piece[16384];
    ssize_t n;
    hm_buf_clear(text);
    if (fd < 0)
        return -errno;
    while ((n = read(fd, piece, sizeof piece)) > 0 && !text->error)
        hm_buf_put(text, piece, (size_t)n);
    return n < 0 ? -errno : 0; /* one that is too large is told by the compiler */
}

static void add_file(struct child *c, struct hm_yara_compiler *yara, size_t i, struct hm_buf *text)
{
    const char *path = c->job->rules[i];
    struct hm_yara_problem p = {.file = path, .rule = "", .text = "out of memory"};
    int r = read_file(path, text);
    if (r < 0) {
        p.text = strerror(-r);
        tell(c, &p);
        return;
    }
    r = hm_yara_compiler_add(yara, path, hm_buf_slice(text));
    if (r == -ENOMEM)
        tell(c, &p);
    c->files += r == 0;
}

static struct hm_yara_rules *compile(struct child *c)
{
    struct hm_error err = {0};
    struct hm_yara_rules *rules = NULL;
    struct hm_buf text hm_auto(hm_buf_done) = HM_BUF(HM_YARA_FILE_MAX_BYTES + 65536);
    struct hm_yara_compiler *yara = hm_yara_compiler_new(tell, c);
    uint64_t began = hm_clock_mono_ns();
    if (!yara)
        return NULL;
    for (size_t i = 0; i < c->job->rule_count; i++) {
        if (c->skip[i])
            continue;
        say_begin(c, i);
        add_file(c, yara, i, &text);
    }
    if (hm_yara_compiler_done(yara, &rules, &err) < 0) {
        say_failed(c, err.text);
        _exit(0);
    }
    hm_yara_compiler_free(yara);
    const uint64_t counts[] = {c->files, hm_yara_rules_count(rules), hm_yara_rules_strings(rules),
                               hm_yara_rules_bytes(rules), hm_clock_mono_ns() - began};
    begin(c, RECORD_COMPILED);
    for (size_t i = 0; i < HM_ARRAY_LEN(counts); i++)
        hm_buf_put_varint(&c->out, counts[i]);
    finish(c);
    return rules;
}

static void scan_one(struct child *c, struct hm_yara_scanner *s, const struct hm_yara_rules *rules,
                     const char *path)
{
    struct hm_yara_result out = {0};
    struct hm_yara_subject subject = {.path = path};
    subject.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int r = subject.fd < 0 ? -errno : hm_yara_scan(s, rules, &subject, &out);
    begin(c, RECORD_SCANNED);
    put_text(&c->out, hm_slice_str(path));
    const uint64_t counts[] = {out.size, out.scanned, out.cut, (uint64_t)-r, out.spent_ns};
    for (size_t i = 0; i < HM_ARRAY_LEN(counts); i++)
        hm_buf_put_varint(&c->out, counts[i]);
    put_text(&c->out, hm_buf_slice(&out.hits));
    finish(c);
    hm_buf_done(&out.hits);
    if (subject.fd >= 0)
        close(subject.fd);
}

static void limit(int what, rlim_t value)
{
    struct rlimit l = {value, value};
    if (setrlimit(what, &l) < 0)
        _exit(1);
}

static void child_main(struct child *c)
{
    struct hm_error err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow alone is larger */
    limit(RLIMIT_AS, CHILD_MEMORY_BYTES);
#endif
    limit(RLIMIT_CPU, CHILD_CPU_SECONDS);
    limit(RLIMIT_FSIZE, 0); /* pipes are no files */
    limit(RLIMIT_CORE, 0);
    struct hm_yara_rules *rules = hm_yara_begin(&err) == 0 ? compile(c) : NULL;
    struct hm_yara_scanner *s = rules && c->job->target_count ? hm_yara_scanner_new() : NULL;
    if (!rules || (c->job->target_count && !s)) {
        say_failed(c, err.code ? err.text : "out of memory");
        _exit(0);
    }
    for (size_t i = 0; i < c->job->target_count; i++) {
        if (c->skip[c->job->rule_count + i])
            continue;
        say_begin(c, c->job->rule_count + i);
        scan_one(c, s, rules, c->job->targets[i]);
    }
    _exit(0);
}

/* ---- the parent ---- */

struct parent {
    const struct hm_yara_job *job;
    bool *skip, *told; /* told: an earlier child said all about it */
    size_t at;         /* what the child works on; SIZE_MAX: nothing yet */
    bool compiled;     /* told already by an earlier child */
    void (*report)(void *ctx, const struct hm_yara_report *r);
    void *ctx;
};

static struct hm_slice take_text(struct hm_cursor *in)
{
    return hm_cursor_take(in, (size_t)hm_cursor_varint(in));
}

static bool decode(struct hm_cursor *in, enum record kind, struct hm_yara_report *r)
{
    uint64_t *const compiled[] = {&r->files, &r->rules, &r->strings, &r->bytes, &r->ns};
    uint64_t *const scanned[] = {&r->size, &r->scanned, &r->cut, &r->error, &r->ns};
    switch (kind) {
    case RECORD_PROBLEM:
        r->kind = HM_YARA_PROBLEM;
        r->warning = hm_cursor_u8(in);
        r->line = hm_cursor_varint(in);
        r->path = take_text(in);
        r->rule = take_text(in);
        r->text = take_text(in);
        break;
    case RECORD_COMPILED:
        r->kind = HM_YARA_COMPILED;
        for (size_t i = 0; i < HM_ARRAY_LEN(compiled); i++)
            *compiled[i] = hm_cursor_varint(in);
        break;
    case RECORD_SCANNED:
        r->kind = HM_YARA_SCANNED;
        r->path = take_text(in);
        for (size_t i = 0; i < HM_ARRAY_LEN(scanned); i++)
            *scanned[i] = hm_cursor_varint(in);
        r->hits = take_text(in);
        break;
    default:
        r->kind = HM_YARA_FAILED;
        r->text = take_text(in);
    }
    return hm_cursor_end(in) == 0;
}

/* True: this was said by a child before, which died later. */
static bool repeated(struct parent *p, enum record kind)
{
    if (kind == RECORD_PROBLEM)
        return p->at < p->job->rule_count && p->told[p->at];
    bool again = kind == RECORD_COMPILED && p->compiled;
    p->compiled |= kind == RECORD_COMPILED;
    return again;
}

static void take_record(struct parent *p, struct hm_slice record)
{
    struct hm_cursor in = hm_cursor(record);
    struct hm_yara_report r = {0};
    enum record kind = hm_cursor_u8(&in);
    if (kind == RECORD_BEGIN) {
        size_t total = p->job->rule_count + p->job->target_count;
        uint64_t next = hm_cursor_varint(&in);
        if (p->at < total)
            p->told[p->at] = true;
        p->at = next < total ? (size_t)next : SIZE_MAX;
        return;
    }
    if (!decode(&in, kind, &r))
        return;
    if (!repeated(p, kind))
        p->report(p->ctx, &r);
    if (kind == RECORD_SCANNED && p->at != SIZE_MAX)
        p->skip[p->at] = true; /* another child need not do it again */
}

static int hear(struct parent *p, int fd)
{
    struct hm_buf in hm_auto(hm_buf_done) = HM_BUF(2 * RECORD_MAX_BYTES);
    uint8_t piece[16384];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        hm_buf_put(&in, piece, (size_t)n);
        size_t at = 0;
        while (!in.error && in.len - at >= 4) {
            struct hm_cursor head = hm_cursor(hm_slice(in.data + at, 4));
            uint32_t len = hm_cursor_le32(&head);
            if (len > RECORD_MAX_BYTES)
                return -EBADMSG;
            if (in.len - at - 4 < len)
                break;
            take_record(p, hm_slice(in.data + at + 4, len));
            at += 4 + len;
        }
        if (in.error)
            return in.error;
        memmove(in.data, in.data + at, in.len - at);
        in.len -= at;
    }
    return 0;
}

/* What it was doing when it died is to blame, and is left out the next time. False: nothing is. */
static bool blame(struct parent *p, int status)
{
    char text[128];
    size_t rules = p->job->rule_count;
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (p->at == SIZE_MAX || p->skip[p->at])
        return false;
    if (sig == SIGXCPU || sig == SIGKILL)
        snprintf(text, sizeof text, "it took longer than %d s and was given up", CHILD_CPU_SECONDS);
    else
        snprintf(text, sizeof text, "it ended the process that read it (signal %d)", sig);
    struct hm_yara_report r = {
        .kind = p->at < rules ? HM_YARA_PROBLEM : HM_YARA_SCANNED,
        .path = hm_slice_str(p->at < rules ? p->job->rules[p->at] : p->job->targets[p->at - rules]),
        .text = hm_slice_str(text),
        .error = ECANCELED};
    p->skip[p->at] = true;
    p->report(p->ctx, &r);
    return true;
}

/* 1: it died and the rest is to be done by another; 0 all done. */
static int one_child(struct parent *p, struct hm_error *err)
{
    int fds[2], status = 0;
    fflush(NULL);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return hm_fail(err, -errno, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        struct child c = {p->job, p->skip, fds[1], HM_BUF(RECORD_MAX_BYTES), 0};
        close(fds[0]);
        child_main(&c);
    }
    close(fds[1]);
    p->at = SIZE_MAX;
    int r = pid < 0 ? hm_fail(err, -errno, "fork: %s", strerror(errno)) : hear(p, fds[0]);
    close(fds[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (r < 0)
        return err->code ? r : hm_fail(err, r, "the child's words: %s", strerror(-r));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return blame(p, status) ? 1 : hm_fail(err, -EIO, "the child died before it began");
}

int hm_yara_run(const struct hm_yara_job *job,
                void (*report)(void *ctx, const struct hm_yara_report *r), void *ctx,
                struct hm_error *err)
{
    size_t total = job->rule_count + job->target_count + 1;
    hm_autofree bool *skip = calloc(total, sizeof *skip), *told = calloc(total, sizeof *told);
    struct parent p = {.job = job, .skip = skip, .told = told, .report = report, .ctx = ctx};
    if (!skip || !told)
        return hm_fail(err, -ENOMEM, "out of memory");
    for (int i = 0; i < CHILDREN_MAX; i++) {
        int r = one_child(&p, err);
        if (r <= 0)
            return r;
    }
    return hm_fail(err, -EIO, "%d children died; the rest was not tried", CHILDREN_MAX);
}
