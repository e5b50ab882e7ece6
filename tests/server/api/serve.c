/* See serve.h. */
#include "serve.h"
#include "base/log.h"
#include "server/api/main.h"
#include "server/hunt/hunt.h"
#include "server/messages.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static int listen_anywhere(int *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        abort();
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static int open_in(const struct world *w, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        abort();
    return fd;
}

static void child(const struct world *w, int listener, int supervisor, int port)
{
    static struct hm_role_boot boot;
    struct hm_error err = {0};
    int fds[] = {listener,          open_in(w, "api/tls.key"), open_in(w, "api/tls.crt"),
                 open_in(w, "www"), open_in(w, "packages"),    open_in(w, "rules")};

    signal(SIGPIPE, SIG_IGN);
    hm_log_init("api", STDERR_FILENO);
    hm_config_defaults(&boot.config);
    snprintf(boot.config.state, sizeof boot.config.state, "%s", w->dir);
    snprintf(boot.config.console_listen, sizeof boot.config.console_listen, "127.0.0.1:%d", port);
    memcpy(boot.fds, fds, sizeof fds);
    boot.fd_count = HM_ARRAY_LEN(fds);
    if (sodium_init() < 0 || hm_api_run(&boot, supervisor, &err)) {
        fprintf(stderr, "api: %s\n", err.text);
        _exit(1);
    }
    _exit(0);
}

void serve_start(struct serve *s, const struct world *w)
{
    int pair[2], core[2], listener = listen_anywhere(&s->port);
    struct hm_msg_peer peer = {.role = hm_slice_str("core")};

    if (hm_ipc_pair(pair) || hm_ipc_pair(core))
        abort();
    s->pid = fork();
    if (s->pid == 0) {
        close(pair[0]);
        close(core[0]);
        child(w, listener, pair[1], s->port);
    }
    close(listener);
    close(pair[1]);
    s->supervisor = pair[0];
    s->core = core[0];
    if (s->pid < 0 || hm_ipc_send(s->supervisor, &hm_desc_peer, &peer, &core[1], 1))
        abort();
    close(core[1]);
}

void serve_stop(struct serve *s)
{
    int status = -1;

    close(s->supervisor);
    close(s->core);
    waitpid(s->pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "the api ended with %x\n", (unsigned)status);
        abort();
    }
}

void serve_maybe_worker(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "-p") == 0 && strcmp(argv[2], "hunt") == 0)
        exit(hm_hunt_main(argc, argv));
}
