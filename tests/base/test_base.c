/* base: runs the groups of the files beside this one. */
#include "test_base.h"

int main(void)
{
    int failed = 0;

    failed += test_buf();
    failed += test_cursor();
    failed += test_memory();
    failed += test_crypto();
    failed += test_compress();
    failed += test_der();
    failed += test_misc();
    return failed != 0;
}
