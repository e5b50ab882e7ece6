/* One binary for the module; run again with -p it is the child of its own tests. */
#include "test_proc.h"
#include <stddef.h>

static const struct hm_msg_field note_fields[] = {
    {1, HM_MSG_U64, offsetof(struct note, id)},
    {2, HM_MSG_BYTES, offsetof(struct note, text)},
};
const struct hm_msg_desc note_desc = {77, "note", sizeof(struct note), 2, note_fields};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-p") == 0)
        return play_role(argv[2]);
    return run_ipc_tests() + run_child_tests();
}
