/* Prints a journal's events as JSON lines, oldest first: journal_dump DIR. For people who debug. */
#include "journal/journal.h"
#include <stdio.h>

static int show(void *ctx, const struct hm_event *e, struct hm_slice canonical)
{
    struct hm_buf *b = ctx;
    (void)canonical;
    hm_buf_clear(b);
    hm_event_to_json(e, b);
    printf("%.*s\n", (int)b->len, (const char *)b->data);
    return b->error;
}

static int dump(const char *dir, const char *lane)
{
    char path[4096];
    struct hm_log_reader *r = NULL;
    struct hm_buf raw = HM_BUF(4 * HM_BATCH_MAX_BYTES), json = HM_BUF(16 * HM_EVENT_MAX_BYTES);
    struct hm_slice batch;
    uint64_t number;
    snprintf(path, sizeof path, "%s/%s", dir, lane);
    int n = hm_log_reader_open(path, &r, NULL);
    if (n == 0)
        (void)!hm_log_reader_seek(r, 0);
    while (n == 0 && hm_log_reader_next(r, &number, &batch) == 1)
        n = hm_batch_each(batch, &raw, show, &json);
    hm_log_reader_close(r);
    hm_buf_done(&raw);
    hm_buf_done(&json);
    return n;
}

int main(int argc, char **argv)
{
    if (argc != 2 || dump(argv[1], "bulk") < 0 || dump(argv[1], "alert") < 0) {
        fprintf(stderr, "journal_dump DIR: a journal folder with bulk/ and alert/\n");
        return 1;
    }
    return 0;
}
