/* The same event through protobuf-c, from the .proto that hm_schema_proto writes, with an arena as
 * its users do. Built by bench-codec when protoc-c is there. Prints "encode decode bytes". */
#include "codec_event.h"
#include "codec_time.h"
#include "event.pb-c.h"
#include <stdlib.h>
#include <string.h>

static uint8_t arena[64 * 1024];
static size_t arena_used;

static void *arena_alloc(void *ctx, size_t len)
{
    void *p = arena + arena_used;

    arena_used += (len + 15) & ~(size_t)15;
    if (arena_used > sizeof arena)
        abort();
    return p;
}

static void arena_free(void *ctx, void *p)
{
}

static ProtobufCAllocator allocator = {arena_alloc, arena_free, NULL};
static uint8_t out[4096];
static size_t out_len;

static void encode(void *ctx)
{
    Hinomi__Event e = HINOMI__EVENT__INIT;

#define N(field, name, value)                                                                      \
    e.has_##name = 1;                                                                              \
    e.name = value;
#define S(field, name, text)                                                                       \
    e.has_##name = 1;                                                                              \
    e.name = (ProtobufCBinaryData){sizeof(text) - 1, (uint8_t *)(uintptr_t)text};
    BENCH_FIELDS(N, S)
    out_len = hinomi__event__pack(&e, out);
}

static void decode(void *ctx)
{
    arena_used = 0;
    if (!hinomi__event__unpack(&allocator, out_len, out))
        abort();
}

int main(void)
{
    double e = bench_rate(encode, NULL);
    double d = bench_rate(decode, NULL);

    printf("%.0f %.0f %zu\n", e, d, out_len);
    return 0;
}
