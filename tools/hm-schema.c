/* Prints the event table for others: hm-schema proto|markdown. docs/events.md is its output. */
#include "event/event.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    struct hm_buf b = HM_BUF(1 << 20);

    if (argc == 2 && strcmp(argv[1], "proto") == 0)
        hm_schema_proto(&b);
    else if (argc == 2 && strcmp(argv[1], "markdown") == 0)
        hm_schema_markdown(&b);
    else
        return fprintf(stderr, "usage: hm-schema proto|markdown\n"), 2;
    if (b.error || fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0)
        return 1;
    hm_buf_done(&b);
    return 0;
}
