/* How the role process `api` begins: down from root, confined, then main.c. */
#include "base/log.h"
#include "server/api/main.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

/* Everything may be read as far as the uid may; only core's folder may be written. The api opens no
 * connections. It may execute itself for a hunt. */
static int confine(const struct hm_server_config *c, struct hm_error *err)
{
    char core[4096];
    int abi = 0, r;

    snprintf(core, sizeof core, "%s/core", c->state);
    hm_autoclose int root = open("/", O_PATH | O_CLOEXEC);
    hm_autoclose int db = open(core, O_PATH | O_DIRECTORY | O_CLOEXEC);
    hm_autoclose int null = open("/dev/null", O_PATH | O_CLOEXEC);
    if (root < 0 || db < 0 || null < 0)
        return hm_fail(err, -errno, "%s: %s", core, strerror(errno));
    struct hm_sandbox_path paths[] = {{root, false}, {db, true}, {null, true}};
    r = hm_sandbox_files(paths, HM_ARRAY_LEN(paths), false, &abi, err);
    if (!r && abi == 0)
        hm_warn("this kernel has no Landlock: files are protected by the uid alone");
    return r ? r : hm_sandbox_syscalls(true, err);
}

int hm_api_main(int argc, char **argv)
{
    static struct hm_role_boot boot;
    struct hm_error err = {0};
    int r = hm_role_begin(HM_ROLE_API, &boot, &err);

    (void)argc;
    (void)argv;
    if (!r && sodium_init() < 0)
        r = hm_fail(&err, -EIO, "libsodium");
    if (!r)
        r = confine(&boot.config, &err);
    if (!r)
        r = hm_api_run(&boot, HM_ROLE_FD, &err);
    if (r)
        hm_err("%s", err.text);
    return r ? 1 : 0;
}
