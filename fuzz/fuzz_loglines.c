/* Lines and records of other programs' logs: first byte chooses the parser. */
#include "agent/engine/log_frames.h"
#include "agent/engine/logins.h"
#include "detect/view/bindings.h"
#include "detect/view/sentences.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void ignore(void *ctx, struct hm_slice program, struct hm_slice text)
{
    struct hm_login l;
    struct hm_slice out;
    (void)ctx;
    (void)hm_login_of(program, text, &l);
    (void)hm_sentence_unit(program, text, "Stopped ", &out);
    (void)hm_sentence_new_user(program, text, &out);
    (void)hm_log_value(text, "USER", &out);
}

static void journal(struct hm_slice in)
{
    struct hm_journal_frame f = {0};
    size_t half = in.len / 2;
    (void)hm_journal_frame_add(&f, hm_slice(in.p, half), ignore, NULL);
    (void)hm_journal_frame_add(&f, hm_slice(in.p + half, in.len - half), ignore, NULL);
    hm_journal_frame_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char buf[512];
    struct hm_slice program;
    if (!len)
        return 0;
    struct hm_slice in = hm_slice(data + 1, len - 1), said;
    switch (data[0] % 3) {
    case 0:
        said = hm_sentence_message(in, &program);
        ignore(NULL, program, said);
        break;
    case 1:
        (void)hm_audit_frame(in, buf, sizeof buf);
        break;
    default:
        journal(in);
    }
    return 0;
}
