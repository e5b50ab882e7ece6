/* crc32c (Castagnoli): SSE4.2 where the processor has it, eight table look-ups for eight bytes
 * elsewhere. The tables are linear in their index, so 8 constants a table say all 256 entries; a
 * test compares them with the definition. */
#include "base/crc32c.h"
#include <string.h>

/* clang-format off */
#define R(n, a, b, c, d, e, f, g, h) \
    (((n) & 1 ? a : 0) ^ ((n) & 2 ? b : 0) ^ ((n) & 4 ? c : 0) ^ ((n) & 8 ? d : 0) ^ \
     ((n) & 16 ? e : 0) ^ ((n) & 32 ? f : 0) ^ ((n) & 64 ? g : 0) ^ ((n) & 128 ? h : 0))
#define B0(n) \
    R(n, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu, 0x82f63b78u)
#define B1(n) \
    R(n, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, 0xff17c604u, 0xfbc3faf9u)
#define B2(n) \
    R(n, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, 0xc76580d9u, 0x8b277743u)
#define B3(n) \
    R(n, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, 0xaba65fe7u, 0x52a0c93fu)
#define B4(n) \
    R(n, 0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u, 0x37516aaeu, 0x6ea2d55cu)
#define B5(n) \
    R(n, 0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du, 0x0e045bebu, 0x1c08b7d6u)
#define B6(n) \
    R(n, 0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu, 0x7ab7077au, 0xf56e0ef4u)
#define B7(n) \
    R(n, 0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u, 0x1a00cb32u, 0x34019664u)
#define T4(B, n)   B(n), B((n) + 1), B((n) + 2), B((n) + 3)
#define T16(B, n)  T4(B, n), T4(B, (n) + 4), T4(B, (n) + 8), T4(B, (n) + 12)
#define T64(B, n)  T16(B, n), T16(B, (n) + 16), T16(B, (n) + 32), T16(B, (n) + 48)
#define T256(B)    {T64(B, 0u), T64(B, 64u), T64(B, 128u), T64(B, 192u)}
static const uint32_t table[8][256] = {T256(B0), T256(B1), T256(B2), T256(B3),
                                       T256(B4), T256(B5), T256(B6), T256(B7)};
/* clang-format on */

static uint64_t load(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint32_t hm_crc32c_table(uint32_t crc, struct hm_slice s)
{
    const uint8_t *p = s.p;
    size_t n = s.len;
    uint32_t c = ~crc;

    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v = load(p) ^ c;
        c = table[7][v & 255] ^ table[6][v >> 8 & 255] ^ table[5][v >> 16 & 255] ^
            table[4][v >> 24 & 255] ^ table[3][v >> 32 & 255] ^ table[2][v >> 40 & 255] ^
            table[1][v >> 48 & 255] ^ table[0][v >> 56];
    }
    for (size_t i = 0; i < n; i++)
        c = c >> 8 ^ table[0][(c ^ p[i]) & 255];
    return ~c;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct hm_slice s)
{
    const uint8_t *p = s.p;
    size_t n = s.len;
    uint64_t c = ~crc;

    for (; n >= 8; p += 8, n -= 8)
        c = __builtin_ia32_crc32di(c, load(p));
    for (size_t i = 0; i < n; i++)
        c = __builtin_ia32_crc32qi((uint32_t)c, p[i]);
    return ~(uint32_t)c;
}
#endif

uint32_t hm_crc32c(uint32_t crc, struct hm_slice s)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("sse4.2"))
        return by_instruction(crc, s);
#endif
    return hm_crc32c_table(crc, s);
}
