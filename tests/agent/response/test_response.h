/* Shared by the files of this test. Bodies run in forked children: they leave with a code instead
 * of cmocka's long jump. */
#pragma once
#include <stdio.h>
#include <unistd.h>

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x);                      \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

int run_kill_tests(void);
int run_isolate_tests(void);
