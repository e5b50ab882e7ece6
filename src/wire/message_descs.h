/* Expands the table HM_MSG_DEF into descriptors; included by exactly one .c a table. */
#include <stddef.h>
#define M(ID, num, name) static const struct hm_msg_field hm_fields_##name[] = {
#define U(name, n, f)    {n, HM_MSG_U64, offsetof(struct hm_msg_##name, f)},
#define B(name, n, f)    {n, HM_MSG_BYTES, offsetof(struct hm_msg_##name, f)},
#define END(ID, name)                                                                              \
    }                                                                                              \
    ;                                                                                              \
    const struct hm_msg_desc hm_desc_##name = {                                                    \
        HM_MSG_##ID, #name, sizeof(struct hm_msg_##name),                                          \
        sizeof hm_fields_##name / sizeof hm_fields_##name[0], hm_fields_##name};
#include HM_MSG_DEF
#undef M
#undef U
#undef B
#undef END
