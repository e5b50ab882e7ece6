/* The practice world with the real agent in it: drill, alert, isolate, kill, release, bad orders,
 * restarts; and that nothing of it is left afterwards, however it ends. */
#include "server.h"
#include "base/clock.h"
#include "base/crypto.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const char *agent_path, *rules_path;

struct practice {
    struct server s;
    pid_t launcher;
    uint64_t counter;
};

static void start_launcher(struct practice *p)
{
    char state[128], server[64], log[128];
    snprintf(state, sizeof state, "%s/state", p->s.dir);
    snprintf(log, sizeof log, "%s/log", p->s.dir);
    snprintf(server, sizeof server, "127.0.0.1:%d", p->s.port);
    p->launcher = fork();
    if (p->launcher == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a failed test leaves nothing running */
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        dup2(fd, 2);
        dup2(fd, 1);
        execl(agent_path, agent_path, "practice", "--state", state, "--server", server, "--rules",
              rules_path, NULL);
        _exit(127);
    }
}

static void show_log(const struct practice *p)
{
    char command[160];
    snprintf(command, sizeof command, "cat %s/log >&2", p->s.dir);
    if (system(command))
        fprintf(stderr, "no log\n");
}

typedef bool (*match)(const struct seen *e, const void *arg);

/* The first event from `from` on that matches; fails the test after the time. */
static const struct seen *wait_event(struct practice *p, size_t from, match m, const void *arg,
                                     int seconds, const char *what)
{
    uint64_t end = hm_clock_mono_ns() + (uint64_t)seconds * 1000000000;
    for (size_t i = from;;) {
        for (; i < p->s.seen_count; i++)
            if (m(&p->s.seen[i], arg))
                return &p->s.seen[i];
        if (hm_clock_mono_ns() > end)
            break;
        server_pump(&p->s, 200);
    }
    show_log(p);
    for (size_t i = from; i < p->s.seen_count; i++)
        if (p->s.seen[i].class == HM_CLASS_AGENT)
            fprintf(stderr, "agent event %llu state %llu: %s\n",
                    (unsigned long long)p->s.seen[i].action, (unsigned long long)p->s.seen[i].state,
                    p->s.seen[i].detail);
    fail_msg("%s did not come in %d s; %zu events came", what, seconds, p->s.seen_count - from);
    return NULL;
}

struct outcome {
    uint64_t counter, state;
};
static bool is_outcome(const struct seen *e, const void *arg)
{
    const struct outcome *o = arg;
    return e->class == HM_CLASS_AGENT && e->action == HM_ACTION_AGENT_ORDER &&
           e->counter == o->counter && e->state == o->state;
}
static bool is_end(const struct seen *e, const void *arg)
{
    const struct outcome *o = arg;
    return e->class == HM_CLASS_AGENT && e->action == HM_ACTION_AGENT_ORDER &&
           e->counter == o->counter && e->state >= HM_ORDER_DONE;
}
static bool is_exec(const struct seen *e, const void *arg)
{
    return e->class == HM_CLASS_PROCESS && e->action == HM_ACTION_PROCESS_EXEC &&
           strcmp(e->image, arg) == 0;
}
static bool is_shell(const struct seen *e, const void *arg)
{
    (void)arg;
    return e->class == HM_CLASS_PROCESS && e->action == HM_ACTION_PROCESS_EXEC && e->from_socket &&
           (strstr(e->image, "/dash") || strstr(e->image, "/sh") || strstr(e->image, "/bash"));
}
static bool is_file(const struct seen *e, const void *arg)
{
    return e->class == HM_CLASS_FILE && strcmp(e->path, arg) == 0;
}
struct hashed {
    const char *image;
    uint8_t sha256[32];
};
static bool is_hashed(const struct seen *e, const void *arg)
{
    const struct hashed *h = arg;
    return e->class == HM_CLASS_PROCESS && e->has_sha256 && strcmp(e->image, h->image) == 0 &&
           memcmp(e->sha256, h->sha256, 32) == 0;
}

/* The payload is a copy of sleep: its hash, made by inspect, must be that file's. */
static struct hashed payload_hash(void)
{
    static uint8_t bytes[1 << 20];
    struct hashed h = {.image = "/tmp/.cache-update"};
    FILE *f = fopen("/bin/sleep", "r");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    hm_sha256(hm_slice(bytes, n), h.sha256);
    return h;
}
static bool is_slow_restart(const struct seen *e, const void *arg)
{
    (void)arg;
    return e->class == HM_CLASS_AGENT && e->action == HM_ACTION_AGENT_RESTART &&
           strstr(e->detail, "again in 30000 ms");
}
static bool is_alert(const struct seen *e, const void *arg)
{
    (void)arg;
    return e->class == HM_CLASS_FINDING;
}
static bool is_agent(const struct seen *e, const void *arg)
{
    return e->class == HM_CLASS_AGENT && e->action == *(const uint64_t *)arg;
}
static bool is_refused(const struct seen *e, const void *arg)
{
    return e->class == HM_CLASS_AGENT && e->action == HM_ACTION_AGENT_ORDER &&
           e->state == HM_ORDER_REFUSED && strstr(e->detail, arg);
}

/* Push an order and wait for its end. */
static const struct seen *carry_out(struct practice *p, struct hm_msg_order *o, const char *what)
{
    size_t from = p->s.seen_count;
    struct outcome begun = {o->counter, HM_ORDER_BEGUN};
    assert_int_equal(server_push(&p->s, p->s.order_key, o), 0);
    wait_event(p, from, is_outcome, &begun, 15, "begin of an order");
    const struct seen *e = wait_event(p, from, is_end, &begun, 20, what);
    if (getenv("HM_TEST_VERBOSE"))
        fprintf(stderr, "%s: %s\n", what, e->detail);
    return e;
}

static bool contains(const struct seen *e, const char *text)
{
    if (strstr(e->detail, text))
        return true;
    fprintf(stderr, "no %s in %s\n", text, e->detail);
    return false;
}

static int status_of(const struct practice *p, const char *member, char *ret, size_t len)
{
    char path[128], json[16384], key[64];
    snprintf(path, sizeof path, "%s/state/status.json", p->s.dir);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, json, sizeof json - 1);
    close(fd);
    json[n > 0 ? n : 0] = 0;
    snprintf(key, sizeof key, "\"%s\":", member);
    char *at = strstr(json, key);
    if (!at)
        return -1;
    at += strlen(key);
    snprintf(ret, len, "%.*s", (int)strcspn(at, ",}"), at);
    return 0;
}

/* ---- the world's left-overs -------------------------------------------------------------------
 */

static int practice_cgroups(pid_t launcher)
{
    char path[300];
    snprintf(path, sizeof path, "/sys/fs/cgroup/unified/hinomi-practice-%d", (int)launcher);
    if (access(path, F_OK) == 0)
        return 1;
    snprintf(path, sizeof path, "/sys/fs/cgroup/hinomi-practice-%d", (int)launcher);
    return access(path, F_OK) == 0;
}

/* Processes that name our state folder or are called by it. */
static int processes_with(const char *text)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    int n = 0;
    while (d && (e = readdir(d))) {
        char path[300], line[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t len = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
        if (fd >= 0)
            close(fd);
        for (ssize_t i = 0; i + 1 < len; i++)
            if (!line[i])
                line[i] = ' ';
        if (len > 0) {
            line[len] = 0;
            n += strstr(line, text) != NULL && atol(e->d_name) != getpid();
        }
    }
    closedir(d);
    return n;
}

static int interfaces(void)
{
    DIR *d = opendir("/sys/class/net");
    int n = 0;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static int mounts(void)
{
    char line[4096];
    int n = 0;
    FILE *f = fopen("/proc/self/mounts", "r");
    while (fgets(line, sizeof line, f))
        n++;
    fclose(f);
    return n;
}

static void wait_gone(pid_t launcher)
{
    char scope[64];
    snprintf(scope, sizeof scope, "hinomi-practice-%d", (int)launcher);
    for (int i = 0; i < 200 && (practice_cgroups(launcher) || processes_with(scope)); i++)
        usleep(100000);
    assert_int_equal(practice_cgroups(launcher), 0);
    assert_int_equal(processes_with(scope), 0);
}

/* ---- the test ---------------------------------------------------------------------------------
 */

static uint64_t drill(struct practice *p)
{
    struct hm_msg_order o = server_order(&p->s, ++p->counter, HM_ORDER_DRILL);
    o.drill = hm_slice_str("reverse-shell");
    size_t from = p->s.seen_count;
    const struct seen *e = carry_out(p, &o, "drill");
    assert_true(e->state == HM_ORDER_DONE && contains(e, "\"started\":true"));
    const struct seen *shell = wait_event(p, from, is_shell, NULL, 15, "shell on a socket");
    uint64_t key = shell->key;
    wait_event(p, from, is_exec, "/tmp/.cache-update", 15, "payload");
    struct hashed h = payload_hash();
    wait_event(p, from, is_hashed, &h, 15, "hash of the payload");
    wait_event(p, from, is_file, "/home/practice/.aws/credentials", 15, "read of the decoy");
    wait_event(p, from, is_alert, NULL, 15, "alert");
    return key;
}

static void isolate_and_release(struct practice *p)
{
    char value[32];
    struct hm_msg_order o = server_order(&p->s, ++p->counter, HM_ORDER_ISOLATE);
    const struct seen *e = carry_out(p, &o, "isolation");
    assert_int_equal(e->state, HM_ORDER_DONE);
    assert_true(contains(e, "\"isolated\":true") && contains(e, "\"proven\":true") &&
                contains(e, "cgroup_skb"));
    assert_true(contains(e, "{\"name\":\"server\",\"expect\":\"open\",\"result\":\"open\""));
    assert_true(contains(e, "{\"name\":\"outside-v4\",\"expect\":\"closed\",\"result\":\"closed\","
                            "\"before\":\"open\"}"));
    assert_true(contains(e, "{\"name\":\"outside-v6\",\"expect\":\"closed\",\"result\":\"closed\","
                            "\"before\":\"open\"}"));
    assert_true(contains(
        e,
        "{\"name\":\"packet\",\"expect\":\"closed\",\"result\":\"closed\",\"before\":\"open\"}"));
    o = server_order(&p->s, ++p->counter, HM_ORDER_RELEASE);
    e = carry_out(p, &o, "release");
    assert_int_equal(e->state, HM_ORDER_DONE);
    assert_true(contains(e, "\"isolated\":false"));
    assert_true(contains(e, "{\"name\":\"outside-v4\",\"expect\":\"open\",\"result\":\"open\""));
    assert_int_equal(status_of(p, "isolated", value, sizeof value), 0);
}

static void isolation_ends_by_itself(struct practice *p)
{
    struct hm_msg_order o = server_order(&p->s, ++p->counter, HM_ORDER_ISOLATE);
    o.release_ms = server_now_ms(&p->s) + 6000;
    size_t from = p->s.seen_count;
    const struct seen *e = carry_out(p, &o, "isolation");
    assert_true(e->state == HM_ORDER_DONE && contains(e, "\"isolated\":true"));
    struct outcome again = {o.counter, HM_ORDER_DONE};
    for (from = (size_t)(e - p->s.seen) + 1;; from = (size_t)(e - p->s.seen) + 1) {
        e = wait_event(p, from, is_outcome, &again, 15, "end of the isolation");
        if (strstr(e->detail, "\"expired\":true"))
            break;
    }
    assert_int_equal(e->kind, HM_ORDER_RELEASE);
}

static void kill_tree(struct practice *p, uint64_t key)
{
    struct hm_msg_order o = server_order(&p->s, ++p->counter, HM_ORDER_KILL);
    o.process_key = key;
    o.tree = 1;
    const struct seen *e = carry_out(p, &o, "kill");
    assert_int_equal(e->state, HM_ORDER_DONE);
    assert_true(contains(e, "/tmp/.cache-update") && contains(e, "\"survived\":[]"));
    char hex[32];
    snprintf(hex, sizeof hex, "\"key\":\"%016llx\"", (unsigned long long)key);
    assert_true(contains(e, hex));
    /* once more: it is gone, and that is said */
    o = server_order(&p->s, ++p->counter, HM_ORDER_KILL);
    o.process_key = key;
    o.tree = 1;
    e = carry_out(p, &o, "second kill");
    assert_int_equal(e->state, HM_ORDER_FAILED);
}

static void bad_orders(struct practice *p)
{
    size_t from = p->s.seen_count;
    static const uint8_t stranger[16] = "another endpoint";
    struct hm_msg_order o = server_order(&p->s, ++p->counter, HM_ORDER_ISOLATE);
    assert_int_equal(server_push(&p->s, p->s.other_key, &o), 0);
    assert_false(
        wait_event(p, from, is_refused, "forged", 10, "refusal of a forged order")->has_id);
    o.endpoint = hm_slice(stranger, 16);
    assert_int_equal(server_push(&p->s, p->s.order_key, &o), 0);
    wait_event(p, from, is_refused, "another endpoint", 10, "refusal of an order for another");
    o = server_order(&p->s, p->counter - 1, HM_ORDER_ISOLATE);
    assert_int_equal(server_push(&p->s, p->s.order_key, &o), 0);
    assert_false(wait_event(p, from, is_refused, "replay", 10, "refusal of a replay")->has_id);
    o = server_order(&p->s, p->counter, HM_ORDER_ISOLATE);
    o.issued_ms -= 120000;
    o.not_after_ms = server_now_ms(&p->s) - 1;
    struct outcome expired = {o.counter, HM_ORDER_EXPIRED};
    assert_int_equal(server_push(&p->s, p->s.order_key, &o), 0);
    wait_event(p, from, is_outcome, &expired, 10, "expiry of an order");
    char value[32];
    server_pump(&p->s, 1500);
    assert_int_equal(status_of(p, "isolated", value, sizeof value), 0);
    assert_string_equal(value, "false");
}

static pid_t process_of(const struct practice *p, const char *role)
{
    char value[32];
    return status_of(p, role, value, sizeof value) < 0 ? 0 : (pid_t)atol(value);
}

/* Each child is killed; each comes back; orders still work and nothing is begun twice. */
static void children_come_back(struct practice *p)
{
    static const char *const roles[] = {"{\"engine", "inspect", "uplink"};
    static const uint64_t restart = HM_ACTION_AGENT_RESTART;
    for (int i = 0; i < 3; i++) {
        size_t from = p->s.seen_count;
        server_pump(&p->s, 1500);
        pid_t pid = process_of(p, roles[i][0] == '{' ? "engine" : roles[i]);
        if (roles[i][0] == '{') {
            char value[64];
            assert_int_equal(status_of(p, "processes", value, sizeof value), 0);
            pid = (pid_t)atol(strrchr(value, ':') + 1);
        }
        assert_true(pid > 1);
        kill(pid, SIGKILL);
        wait_event(p, from, is_agent, &restart, 20, "restart");
    }
    kill_tree(p, drill(p));
    for (int i = 0; i < 2; i++) { /* inspect's second and third crash: the brake */
        size_t from = p->s.seen_count;
        server_pump(&p->s, 1500);
        kill(process_of(p, "inspect"), SIGKILL);
        wait_event(p, from, i ? is_slow_restart : is_agent, &restart, 20, "restart with a brake");
    }
}

static bool is_restored(const struct seen *e, const void *arg)
{
    (void)arg;
    return e->class == HM_CLASS_AGENT && e->action == HM_ACTION_AGENT_SELFTEST &&
           strstr(e->detail, "\"restored\":true");
}

/* monitor itself is killed while the endpoint is isolated: the launcher starts it anew, the cut is
 * put back and proven, and the release still works. */
static void isolation_outlives_monitor(struct practice *p)
{
    char value[32];
    struct hm_msg_order o = server_order(&p->s, ++p->counter, HM_ORDER_ISOLATE);
    o.release_ms = server_now_ms(&p->s) + 90000;
    const struct seen *e = carry_out(p, &o, "isolation");
    assert_true(e->state == HM_ORDER_DONE && contains(e, "\"isolated\":true"));
    o = server_order(&p->s, ++p->counter, HM_ORDER_ISOLATE); /* now without an end */
    e = carry_out(p, &o, "isolation for longer");
    assert_true(e->state == HM_ORDER_DONE && contains(e, "\"until_ms\":0,"));
    size_t from = p->s.seen_count;
    assert_int_equal(status_of(p, "pid", value, sizeof value), 0);
    kill((pid_t)atol(value), SIGKILL);
    e = wait_event(p, from, is_restored, NULL, 30, "isolation put back");
    assert_true(contains(e, "\"isolated\":true") && contains(e, "\"until_ms\":0,") &&
                contains(e, "\"name\":\"server\",\"expect\":\"open\",\"result\":\"open\""));
    assert_true(contains(e, "\"name\":\"outside-v4\",\"expect\":\"closed\",\"result\":\"closed\""));
    /* the counter outlived it too: the same order again is a replay */
    assert_int_equal(server_push(&p->s, p->s.order_key, &o), 0);
    wait_event(p, from, is_refused, "replay", 15, "refusal of a replay after the restart");
    o = server_order(&p->s, ++p->counter, HM_ORDER_RELEASE);
    e = carry_out(p, &o, "release");
    assert_true(e->state == HM_ORDER_DONE && contains(e, "\"isolated\":false"));
}

static void the_practice_world(void **state)
{
    struct practice p = {0};
    static const uint64_t sensors = HM_ACTION_AGENT_SENSORS;
    int before_interfaces = interfaces(), before_mounts = mounts(), status;
    (void)state;
    assert_int_equal(server_make(&p.s), 0);
    start_launcher(&p);
    wait_event(&p, 0, is_agent, &sensors, 30, "first event");
    uint64_t key = drill(&p);
    isolate_and_release(&p);
    kill_tree(&p, key);
    bad_orders(&p);
    isolation_ends_by_itself(&p);
    children_come_back(&p);
    isolation_outlives_monitor(&p);
    assert_int_equal(interfaces(), before_interfaces);
    assert_int_equal(mounts(), before_mounts);
    kill(p.launcher, SIGTERM);
    assert_int_equal(waitpid(p.launcher, &status, 0), p.launcher);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    wait_gone(p.launcher);
    server_end(&p.s);
}

/* As if an agent had died between begun and done of order 3. */
static void interrupt_order(struct practice *p)
{
    char path[128];
    snprintf(path, sizeof path, "%s/state/orders", p->s.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/state/orders/counter", p->s.dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "begun 3 done 2 kind %d id 70726163746963652d6f726465722d31\n", HM_ORDER_KILL);
    fclose(f);
    p->counter = 3;
}

static void nothing_is_left_of_a_killed_launcher(void **state)
{
    struct practice p = {0};
    static const uint64_t sensors = HM_ACTION_AGENT_SENSORS;
    (void)state;
    static const struct outcome lost = {3, HM_ORDER_FAILED};
    assert_int_equal(server_make(&p.s), 0);
    interrupt_order(&p);
    start_launcher(&p);
    wait_event(&p, 0, is_agent, &sensors, 30, "first event");
    const struct seen *e =
        wait_event(&p, 0, is_outcome, &lost, 10, "word of the interrupted order");
    assert_true(e->has_id && contains(e, "not known"));
    drill(&p); /* so that something runs in the cgroup */
    kill(p.launcher, SIGKILL);
    waitpid(p.launcher, NULL, 0);
    wait_gone(p.launcher);
    server_end(&p.s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_practice_world),
        cmocka_unit_test(nothing_is_left_of_a_killed_launcher),
    };
    if (argc != 3 || geteuid() != 0) {
        fprintf(stderr, "usage, as root: test_practice AGENT RULES\n");
        return 1;
    }
    agent_path = argv[1];
    rules_path = argv[2];
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
