/* A control database of its own for each test, in a temporary folder. */
#pragma once
#include "server/core/control_core.h"

struct fixture {
    char dir[64], path[96];
    struct hm_control *c;
    struct hm_control_first first;
};
int control_setup(void **state);
int control_teardown(void **state);
/* Closed and its files gone: for a test that puts another one in its place. */
void control_remove(struct fixture *f);
