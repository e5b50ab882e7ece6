/* See control_room.h. */
#include "control_room.h"
#include "base/cleanup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

int control_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/hinomi-control-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/control.db", f->dir);
    assert_int_equal(hm_control_init(f->path, &f->first, NULL), 0);
    assert_int_equal(hm_control_open(f->path, &f->c, NULL), 0);
    *state = f;
    return 0;
}

void control_remove(struct fixture *f)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char path[128];
    hm_control_close(f->c);
    f->c = NULL;
    for (size_t i = 0; i < HM_ARRAY_LEN(suffixes); i++) {
        snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        unlink(path);
    }
}

int control_teardown(void **state)
{
    struct fixture *f = *state;
    control_remove(f);
    rmdir(f->dir);
    free(f);
    return 0;
}
