/* Requests for commands, below the helpers of cli.h. */
#pragma once
#include "cli/cli.h"
#include "cli/client.h"

/* NULL: told; *ret_code says how to end. */
struct hm_client *hm_cli_client(struct hm_cli *c, int *ret_code);
int hm_cli_failed(struct hm_cli *c, int r, const struct hm_error *err);
int hm_ask(struct hm_cli *c, const char *method, const char *path, const char *body,
           struct hm_buf *out) HM_CHECK;
/* Append "?name=value" or "&name=value", escaped; nothing when value is NULL. */
void hm_query_add(struct hm_buf *path, const char *name, const char *value);
