/* The contract, carried inside the program: what is served is what was built. */
#include "server/api/openapi.h"

const char hm_openapi_text[] =
#include "server/api/openapi.yaml.h"
    ;
const size_t hm_openapi_len = sizeof hm_openapi_text - 1;
