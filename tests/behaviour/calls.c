/* Behaviours of rare system calls: seen while they are asked for, once a program where the table
 * says so, and not at all when nobody asks. */
#include "behaviour.h"
#include "agent/sensor/calls.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#define BIT(name) (1u << HM_CALL_##name)

static void act_mknod(struct world *w)
{
    char path[128];
    snprintf(path, sizeof path, "%s/pipe", w->dir);
    w->note->number[0] = (uint64_t)syscall(SYS_mknodat, AT_FDCWD, path, S_IFIFO | 0600, 0);
    snprintf(path, sizeof path, "%s/pipe2", w->dir);
    w->note->number[1] = (uint64_t)syscall(SYS_mknodat, AT_FDCWD, path, S_IFIFO | 0640, 0);
}

static void check_mknod(struct world *w)
{
    EXPECT(w, w->note->number[0] == 0 && w->note->number[1] == 0, "mknod did not work here");
    expect_exactly(w, "exit 1 call 2");
    const struct hm_rec_call *c = call_of(w, "mknodat", w->actor, 0);
    EXPECT(w, c->number == SYS_mknodat && c->arg_count == 4, "number %u, %u arguments", c->number,
           c->arg_count);
    EXPECT(w, (int)c->args[0] == AT_FDCWD && c->args[2] == (S_IFIFO | 0600), "mode %llo",
           (unsigned long long)c->args[2]);
    c = call_of(w, "mknodat", w->actor, 1);
    EXPECT(w, c->args[2] == (S_IFIFO | 0640), "second mode %llo", (unsigned long long)c->args[2]);
}

/* The same call again says nothing new; another first argument does, and so does another program.
 */
static void act_once(struct world *w)
{
    struct sysinfo si;
    for (int i = 0; i < 3; i++) {
        close(memfd_create("hinomi-behaviour", MFD_CLOEXEC));
        sysinfo(&si);
        personality(0xffffffff);
    }
    unsigned long was = (unsigned long)personality(0xffffffff);
    personality(was | ADDR_NO_RANDOMIZE);
    pid_t p = fork();
    if (p == 0) {
        sysinfo(&si);
        sysinfo(&si);
        execl("/bin/true", "true", NULL);
        _exit(126);
    }
    w->note->pid[0] = p;
    w->note->number[0] = was | ADDR_NO_RANDOMIZE;
    wait_for(p);
}

static void check_once(struct world *w)
{
    EXPECT(w, calls_of(w, "memfd_create", w->actor) == 1, "memfd_create: %zu",
           calls_of(w, "memfd_create", w->actor));
    EXPECT(w, calls_of(w, "sysinfo", w->actor) == 1, "sysinfo: %zu",
           calls_of(w, "sysinfo", w->actor));
    EXPECT(w, calls_of(w, "personality", w->actor) == 2, "personality: %zu",
           calls_of(w, "personality", w->actor));
    EXPECT(w, call_of(w, "personality", w->actor, 1)->args[0] == w->note->number[0],
           "personality's argument %llx",
           (unsigned long long)call_of(w, "personality", w->actor, 1)->args[0]);
    EXPECT(w, calls_of(w, "sysinfo", w->note->pid[0]) >= 1, "the child's own sysinfo is not seen");
    const struct hm_rec_call *c = call_of(w, "memfd_create", w->actor, 0);
    EXPECT(w, c->h.tgid == (uint32_t)w->actor && c->h.boot_ns && c->h.start_ns, "who");
    EXPECT(w, strncmp(c->h.comm, "behaviour", 9) == 0, "comm %.16s", c->h.comm);
}

static void act_socket(struct world *w)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    w->note->number[0] = s >= 0;
    close(s);
    s = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); /* an attempt counts, whatever it gives */
    if (s >= 0)
        close(s);
}

static void check_socket(struct world *w)
{
    EXPECT(w, w->note->number[0] == 1, "no UDP socket");
    expect_exactly(w, "exit 1 call 1");
    EXPECT(w, call_of(w, "socket", w->actor, 0)->args[0] == AF_ALG, "family %llu",
           (unsigned long long)call_of(w, "socket", w->actor, 0)->args[0]);
}

static void check_unasked(struct world *w)
{
    expect_exactly(w, "exit 1");
}

const struct behaviour call_behaviours[] = {
    {"mknod is seen with its mode, each time", act_mknod, .check = check_mknod,
     .calls = BIT(mknodat)},
    {"a rare call is told once a program and argument", act_once, .check = check_once,
     .calls = BIT(memfd_create) | BIT(sysinfo) | BIT(personality)},
    {"only the socket families asked for are told", act_socket, .check = check_socket,
     .calls = BIT(socket)},
    {"a call that nobody asks for gives no record", act_mknod, .check = check_unasked},
    {0},
};
