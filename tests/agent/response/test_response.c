/* One binary for what orders do. Needs root: namespaces, cgroups and BPF are real here. */
#include "test_response.h"

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "this test makes namespaces: run it as root\n");
        return 1;
    }
    return run_kill_tests() + run_isolate_tests();
}
