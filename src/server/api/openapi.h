/* openapi.yaml as text. */
#pragma once
#include <stddef.h>

extern const char hm_openapi_text[];
extern const size_t hm_openapi_len;
