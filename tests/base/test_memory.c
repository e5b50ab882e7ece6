/* Arena and map. The map is compared with a plain array that cannot be wrong. */
#include "test_base.h"
#include "base/arena.h"
#include "base/map.h"
#include <stdlib.h>

static void arena_is_zeroed_aligned_and_bounded(void **state)
{
    struct hm_arena *a = hm_arena_new(1 << 20);
    size_t total = 0;

    for (size_t len = 1; len < 3000; len += 7) {
        uint8_t *p = hm_arena_alloc(a, len);
        if (!p)
            break;
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xaa, len);
        total += len;
    }
    assert_true(hm_arena_used(a) >= total);
    assert_true(hm_arena_used(a) <= 1 << 20);
    assert_null(hm_arena_alloc(a, 1 << 20));
    assert_null(hm_arena_alloc(a, SIZE_MAX));
    assert_null(hm_arena_alloc(a, SIZE_MAX - 15));
    hm_arena_reset(a);
    assert_int_equal(hm_arena_used(a), 0);
    uint8_t *p = hm_arena_alloc(a, 4000); /* the first block again: must be clean */
    for (size_t i = 0; i < 4000; i++)
        assert_int_equal(p[i], 0);
    assert_string_equal(hm_arena_strndup(a, "name\0more", 4), "name");
    assert_non_null(hm_arena_alloc(a, (1 << 20) - 4096 - 16 - 16));
    hm_arena_free(a);
    hm_arena_free(NULL);
}

enum { KEYS = 2000, STEPS = 400000 };

/* Keys collide on purpose: a small universe, many removals, so that chains shift back. */
static void map_agrees_with_an_array(void **state)
{
    struct hm_map *m = hm_map_new(sizeof(uint32_t), KEYS);
    static uint32_t truth[KEYS];
    static uint8_t present[KEYS];
    uint64_t x = 88172645463325252u;
    size_t count = 0;

    for (uint32_t step = 1; step < STEPS; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t k = x % KEYS;
        int inserted = -1;
        if (x >> 40 & 1) {
            uint32_t *v = hm_map_put(m, k, &inserted);
            assert_non_null(v);
            assert_int_equal(inserted, !present[k]);
            assert_int_equal(*v, present[k] ? truth[k] : 0);
            count += (size_t)inserted;
            *v = truth[k] = step;
            present[k] = 1;
        } else {
            assert_int_equal(hm_map_remove(m, k), present[k]);
            count -= present[k];
            present[k] = 0;
        }
        size_t probe = (x >> 20) % KEYS;
        uint32_t *v = hm_map_get(m, probe);
        assert_int_equal(v != NULL, present[probe]);
        assert_int_equal(hm_map_count(m), count);
    }
    size_t pos = 0, seen = 0;
    uint64_t key;
    for (uint32_t *v; (v = hm_map_next(m, &pos, &key)); seen++) {
        assert_true(present[key]);
        assert_int_equal(*v, truth[key]);
    }
    assert_int_equal(seen, count);
    hm_map_free(m);
}

static void map_says_when_it_is_full(void **state)
{
    struct hm_map *m = hm_map_new(1, 100);

    assert_null(hm_map_get(m, 0));
    assert_int_equal(hm_map_remove(m, 0), 0);
    for (uint64_t k = 0; k < 100; k++)
        assert_non_null(hm_map_put(m, k << 48, NULL));
    assert_null(hm_map_put(m, 77, NULL));
    assert_non_null(hm_map_put(m, UINT64_C(5) << 48, NULL)); /* there already */
    assert_int_equal(hm_map_remove(m, 0), 1);
    assert_non_null(hm_map_put(m, 77, NULL));
    hm_map_free(m);
    hm_map_free(NULL);
}

static void hash_depends_on_every_byte(void **state)
{
    uint8_t b[40] = {0};
    uint64_t h0 = hm_hash64(b, sizeof b, 1);

    for (size_t i = 0; i < sizeof b; i++) {
        b[i] = 1;
        assert_true(hm_hash64(b, sizeof b, 1) != h0);
        b[i] = 0;
    }
    assert_true(hm_hash64(b, 39, 1) != h0);
    assert_true(hm_hash64(b, sizeof b, 2) != h0);
    assert_true(hm_hash64(b, sizeof b, 1) == h0);
}

int test_memory(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_is_zeroed_aligned_and_bounded),
        cmocka_unit_test(map_agrees_with_an_array),
        cmocka_unit_test(map_says_when_it_is_full),
        cmocka_unit_test(hash_depends_on_every_byte),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
