/* Every message of the protocol and of both programs' tables, statements, key sets, orders: what
 * is accepted encodes to the same bytes again. First byte: which table row. */
#include "agent/messages.h"
#include "server/messages.h"
#include "server/record.h"
#include "wire/order.h"
#include "wire/trust.h"

#define M(ID, num, name) &hm_desc_##name,
#define U(name, n, f)
#define B(name, n, f)
#define END(ID, name)
static const struct hm_msg_desc *const descs[] = {
#include "wire/messages.def"
#include "agent/messages.def"
#include "server/messages.def"
};

static void check(const struct hm_msg_desc *d, struct hm_slice s)
{
    union {
        uint64_t align;
        uint8_t bytes[1024];
    } msg;
    struct hm_buf b = HM_BUF(1 << 24);

    if (hm_msg_decode(d, s, &msg) == 0) {
        hm_msg_encode(d, &msg, &b);
        if (b.error || !hm_slice_eq(hm_buf_slice(&b), s))
            __builtin_trap();
    }
    hm_buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t pub[HM_PUBKEY_BYTES] = {4};
    struct hm_gateway_record rec;
    struct hm_msg_order order;
    struct hm_trust trust;
    struct hm_slice payload;

    if (size == 0)
        return 0;
    struct hm_slice s = hm_slice(data + 1, size - 1);
    check(descs[data[0] % HM_ARRAY_LEN(descs)], s);
    if (hm_order_check(s, &order) == 0 && order.counter == 0)
        __builtin_trap();
    if (hm_stmt_verify(pub, HM_DOMAIN_ORDER, s, &payload) == 0 ||
        hm_trust_open(pub, s, &trust) == 0)
        __builtin_trap(); /* nobody has the key of that point */
    if (hm_gateway_record_decode(s, &rec) == 0 && rec.batch.len == 0)
        __builtin_trap();
    return 0;
}
