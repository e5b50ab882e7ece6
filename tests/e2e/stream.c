/* A stream that can be counted: COUNT processes, one after another, each executed with an argument
 * of its own, inside the given cgroup. usage: stream CGROUP COUNT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int enter(const char *cgroup)
{
    char path[512];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    FILE *f = fopen(path, "w");
    return !f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f) ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 2) /* the item itself */
        return 0;
    if (argc != 3 || enter(argv[1])) {
        perror("stream: CGROUP COUNT");
        return 2;
    }
    for (long i = 0, n = strtol(argv[2], NULL, 10); i < n; i++) {
        char item[64];
        snprintf(item, sizeof item, "hinomi-stream-item-%ld", i);
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/proc/self/exe", "item", item, (char *)NULL);
            _exit(127);
        }
        int status;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            return 1;
    }
    return 0;
}
