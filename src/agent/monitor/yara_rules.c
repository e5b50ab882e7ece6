/* Owns which YARA rules inspect has: walks the folder `yara` beneath the rules folder, hands over
 * one file after the other and learns what became of it. Never reads a file: a file that ends
 * inspect, or keeps it busy past its deadline, is named and left out from then on. */
#include "agent/monitor/yara.h"
#include "base/map.h"
#include "detect/yara/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct file {
    char *name;
    uint64_t mark; /* inode, time and size folded: another content has another */
};
struct strike {
    uint64_t mark;
    unsigned count;
};
struct hm_mon_rules {
    struct file *files;
    size_t count, at; /* at: the one that inspect has now */
    uint64_t id;      /* of the set being built; 0: none */
    uint64_t asked_ns;
    uint64_t next_id;
    uint64_t building;       /* version of the set being built */
    uint64_t version, rules; /* in use; rules 0: nothing to scan for */
    bool ready;              /* this inspect has it */
    unsigned told, refused;  /* problems of this set */
    struct strike strikes[HM_MON_STRIKES_MAX];
    uint64_t given_up; /* version that inspect does not survive as a whole */
};

int hm_mon_rules_open(struct hm_monitor *m, struct hm_error *err)
{
    m->rules = calloc(1, sizeof *m->rules);
    return m->rules ? 0 : hm_fail(err, -ENOMEM, "out of memory");
}

static void forget_files(struct hm_mon_rules *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->files[i].name);
    free(r->files);
    r->files = NULL;
    r->count = r->at = 0;
}

void hm_mon_rules_close(struct hm_monitor *m)
{
    if (!m->rules)
        return;
    forget_files(m->rules);
    free(m->rules);
    m->rules = NULL;
}

bool hm_mon_rules_ready(const struct hm_monitor *m)
{
    return m->rules->ready && m->rules->rules;
}

bool hm_mon_rules_wanted(const struct hm_monitor *m)
{
    return m->rules->rules != 0;
}

uint64_t hm_mon_rules_version(const struct hm_monitor *m)
{
    return m->rules->version;
}

/* ---- words ---- */

static void say(struct hm_monitor *m, const char *text)
{
    hm_mon_journal_text(m, HM_ACTION_AGENT_RULES, "inspect", text);
}

static void problem(struct hm_monitor *m, const char *text)
{
    hm_warn("%s", text);
    if (m->rules->told++ < HM_MON_RULE_PROBLEMS)
        say(m, text);
}

void hm_mon_rules_tell_engine(struct hm_monitor *m)
{
    struct hm_msg_scan_rules s = {.version = m->rules->version, .rules = m->rules->rules};
    hm_mon_send(m, HM_AGENT_ENGINE, &hm_desc_scan_rules, &s, NULL, 0);
}

/* ---- the folder ---- */

static int add_file(void *ctx, const char *path, int fd)
{
    struct hm_mon_rules *r = ctx;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct file *more = realloc(r->files, (r->count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    r->files = more;
    struct file *f = &more[r->count];
    const uint64_t parts[] = {st.st_dev, st.st_ino, (uint64_t)st.st_size,
                              (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec};
    f->mark = hm_hash64(parts, sizeof parts, hm_hash64(path, strlen(path), 0));
    f->name = strdup(path);
    r->count += f->name != NULL;
    return f->name ? 0 : -ENOMEM;
}

static int open_folder(const struct hm_monitor *m)
{
    return openat(m->rules_fd, "yara", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int list_files(struct hm_monitor *m)
{
    hm_autoclose int dir = open_folder(m);
    forget_files(m->rules);
    if (dir < 0)
        return errno == ENOENT ? 0 : -errno; /* none: nothing to scan for */
    return hm_yara_folder_each(dir, add_file, m->rules);
}

static uint64_t fold_version(const struct hm_mon_rules *r)
{
    uint64_t v = 1;
    for (size_t i = 0; i < r->count; i++)
        v = hm_hash64(&r->files[i].mark, sizeof r->files[i].mark, v);
    return v ? v : 1;
}

/* ---- one file after the other ---- */

static struct strike *strike_of(struct hm_mon_rules *r, uint64_t mark)
{
    for (size_t i = 0; i < HM_MON_STRIKES_MAX; i++)
        if (r->strikes[i].count && r->strikes[i].mark == mark)
            return &r->strikes[i];
    return NULL;
}

static bool left_out(struct hm_mon_rules *r, const struct file *f)
{
    const struct strike *s = strike_of(r, f->mark);
    return s && s->count >= HM_MON_STRIKES;
}

static int open_file(struct hm_monitor *m, const struct file *f)
{
    hm_autoclose int dir = open_folder(m);
    if (dir < 0)
        return -1;
    return openat(dir, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void send_next(struct hm_monitor *m)
{
    struct hm_mon_rules *r = m->rules;
    r->asked_ns = hm_clock_mono_ns();
    for (; r->at < r->count; r->at++) {
        const struct file *f = &r->files[r->at];
        hm_autoclose int fd = left_out(r, f) ? -1 : open_file(m, f);
        if (fd < 0) {
            r->refused++;
            continue;
        }
        struct hm_msg_inspect_rule q = {.id = r->id, .name = hm_slice_str(f->name)};
        hm_mon_send(m, HM_AGENT_INSPECT, &hm_desc_inspect_rule, &q, &fd, 1);
        return;
    }
    struct hm_msg_inspect_rules_end end = {.id = r->id};
    hm_mon_send(m, HM_AGENT_INSPECT, &hm_desc_inspect_rules_end, &end, NULL, 0);
}

void hm_mon_rules_reload(struct hm_monitor *m)
{
    struct hm_mon_rules *r = m->rules;
    int e = list_files(m);
    if (e < 0) {
        char text[160];
        snprintf(text, sizeof text,
                 "YARA rules: the folder cannot be read: %s; the set before stays", strerror(-e));
        problem(m, text);
        return;
    }
    r->told = r->refused = 0;
    r->building = r->count ? fold_version(r) : 0;
    bool none = !r->count && !r->version;
    if (none || !m->child[HM_AGENT_INSPECT].pid || r->building == r->given_up) {
        r->id = 0;
        return; /* there is nothing to hand over, or nobody: its next start comes here again */
    }
    r->id = ++r->next_id;
    send_next(m);
}

static struct file *current(struct hm_mon_rules *r)
{
    return r->id && r->at < r->count ? &r->files[r->at] : NULL;
}

int hm_mon_rules_problem(struct hm_monitor *m, const struct hm_msg_rule_problem *p)
{
    char text[1400];
    const struct file *f = current(m->rules);
    if (p->id != m->rules->id || !f)
        return 0; /* of a set that was given up meanwhile */
    snprintf(text, sizeof text, "YARA rules: yara/%s line %u: %s%.*s%s%.*s", f->name,
             (unsigned)p->line, p->warning ? "warning: " : "", (int)p->rule.len,
             (const char *)p->rule.p, p->rule.len ? ": " : "", (int)p->text.len,
             (const char *)p->text.p);
    if (p->warning)
        hm_debug("%s", text);
    else
        problem(m, text);
    return 0;
}

int hm_mon_rules_taken(struct hm_monitor *m, const struct hm_msg_rule_taken *t)
{
    struct hm_mon_rules *r = m->rules;
    if (t->id != r->id)
        return 0;
    if (r->at >= r->count)
        return -EBADMSG;
    r->refused += t->refused == 1;
    r->at++;
    send_next(m);
    return 0;
}

static void took(struct hm_monitor *m, const struct hm_msg_rules_ready *a)
{
    struct hm_mon_rules *r = m->rules;
    char text[256];
    bool news = r->version != r->building || !r->ready;
    r->version = r->building;
    r->rules = a->rules;
    r->ready = true;
    snprintf(text, sizeof text,
             "YARA rules: %llu rules with %llu strings of %zu files are in use, %u files refused, "
             "%llu KiB",
             (unsigned long long)a->rules, (unsigned long long)a->strings, r->count - r->refused,
             r->refused, (unsigned long long)a->bytes / 1024);
    hm_info("%s", text);
    if (news)
        say(m, text);
    hm_mon_rules_tell_engine(m);
}

int hm_mon_rules_done(struct hm_monitor *m, const struct hm_msg_rules_ready *a)
{
    struct hm_mon_rules *r = m->rules;
    char text[700];
    if (a->id != r->id)
        return 0;
    if (r->at < r->count)
        return -EBADMSG;
    r->id = 0;
    if (a->error == 0) {
        took(m, a);
        hm_mon_scans_pump(m);
        return 0;
    }
    snprintf(text, sizeof text, "YARA rules: the new set was refused: %.*s; the set before stays",
             (int)a->text.len, (const char *)a->text.p);
    problem(m, text);
    return 0;
}

/* ---- inspect's ends ---- */

/* One strike may be another's fault: it is killed for a scan, too. */
static void blame(struct hm_monitor *m, const struct file *f)
{
    struct hm_mon_rules *r = m->rules;
    struct strike *s = strike_of(r, f->mark);
    char text[700];
    if (!s)
        for (size_t i = 0; !s && i < HM_MON_STRIKES_MAX; i++)
            s = r->strikes[i].count ? NULL : &r->strikes[i];
    if (!s)
        s = &r->strikes[f->mark % HM_MON_STRIKES_MAX];
    *s = (struct strike){f->mark, s->mark == f->mark ? s->count + 1 : 1};
    if (s->count < HM_MON_STRIKES)
        return;
    snprintf(text, sizeof text,
             "YARA rules: yara/%s is left out: compiling it ended inspect or took longer than %u s",
             f->name, (unsigned)(HM_MON_RULE_NS / 1000000000));
    problem(m, text);
}

void hm_mon_rules_lost(struct hm_monitor *m)
{
    struct hm_mon_rules *r = m->rules;
    const struct file *f = current(r);
    if (f)
        blame(m, f);
    else if (r->id) {
        r->given_up = r->building;
        problem(m, "YARA rules: inspect did not survive compiling the whole set; it is given up");
    }
    r->id = 0;
    r->ready = false;
}

void hm_mon_rules_tick(struct hm_monitor *m, uint64_t now_ns)
{
    const struct hm_mon_rules *r = m->rules;
    /* Asked in this very tick is asked after now_ns. */
    if (r->id && now_ns > r->asked_ns + HM_MON_RULE_NS + hm_mon_scans_busy_ns(m, now_ns))
        hm_mon_child_kill(m, HM_AGENT_INSPECT, "a YARA rule file took longer than its deadline");
}
