#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/event.h"

int test_codec(void);
int test_json(void);
int test_names(void);
int test_schema(void);

/* An event with every field of the table, values derived from seed, and its strings in store. */
void fill_all(struct hm_event *e, uint64_t seed, uint8_t store[HM_FIELD_COUNT][64]);
