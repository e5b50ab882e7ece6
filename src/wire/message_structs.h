/* Expands the table HM_MSG_DEF into enum numbers, structs and descriptor declarations.
 * No include guard on purpose: it is included once a table. */
#define M(ID, num, name)                                                                           \
    enum { HM_MSG_##ID = num };                                                                    \
    struct hm_msg_##name {
#define U(name, n, f) uint64_t f;
#define B(name, n, f) struct hm_slice f;
#define END(ID, name)                                                                              \
    }                                                                                              \
    ;                                                                                              \
    extern const struct hm_msg_desc hm_desc_##name;
#include HM_MSG_DEF
#undef M
#undef U
#undef B
#undef END
