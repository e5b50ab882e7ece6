/* The server's configuration: key=value lines. The table in config.c is parser, defaults and help.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"

#define HM_CONFIG_VALUE_MAX 512 /* a path or host list; longer ones are mistakes */
#define HM_CONFIG_MAX_BYTES (64 * 1024)

struct hm_server_config {
    char state[HM_CONFIG_VALUE_MAX]; /* from --state, handed on to every role */
    char agents_listen[HM_CONFIG_VALUE_MAX], console_listen[HM_CONFIG_VALUE_MAX];
    char public_host[HM_CONFIG_VALUE_MAX];
    char www[HM_CONFIG_VALUE_MAX], packages[HM_CONFIG_VALUE_MAX], rules[HM_CONFIG_VALUE_MAX];
    char feeds[HM_CONFIG_VALUE_MAX];
    char language[HM_CONFIG_VALUE_MAX];
};

/* Defaults for every key. */
void hm_config_defaults(struct hm_server_config *ret_c);
/* Read lines over what is in c; blank lines and # comments are skipped.
 * Errors:  -EINVAL unknown key, too long or a value that cannot be (err has the line). */
int hm_config_parse(struct hm_slice text, struct hm_server_config *c,
                    struct hm_error *err) HM_CHECK;
int hm_config_load(const char *path, struct hm_server_config *c, struct hm_error *err) HM_CHECK;
/* key=value lines that hm_config_parse() reads back: the text of ROLE_START. */
void hm_config_write(const struct hm_server_config *c, struct hm_buf *out);
void hm_config_help(int japanese, struct hm_buf *out);
