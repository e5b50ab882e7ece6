/* Who this endpoint is and whom it trusts: the folder identity/ of the state folder. Written once
 * by enrolment, read by monitor. Knows nothing of connections. */
#pragma once
#include "base/buf.h"
#include "base/crypto.h"
#include "base/error.h"

#define HM_IDENTITY_NAME_MAX   128
#define HM_IDENTITY_SERVER_MAX 280
#define HM_IDENTITY_KEYSET_MAX 2048

struct hm_identity {                     /* trust.json, plain data */
    char server[HM_IDENTITY_SERVER_MAX]; /* HOST:PORT */
    char tenant[HM_IDENTITY_NAME_MAX], group[HM_IDENTITY_NAME_MAX];
    uint8_t endpoint[16];
    uint8_t root_key[HM_PUBKEY_BYTES];       /* pinned at enrolment */
    uint8_t key_set[HM_IDENTITY_KEYSET_MAX]; /* KEY_SET as received: who signs orders and time */
    size_t key_set_len;
    bool practice;
};
struct hm_identity_files { /* the other files, as bytes: PEM */
    struct hm_slice key, certificate, ca;
};

/* Write identity/ (0700) beneath the state folder: files aside, fsync, rename; trust.json last, so
 * that it is there only when all is. Errors: negative errno; an identity that exists: -EEXIST. */
int hm_identity_save(int state_fd, const struct hm_identity *id,
                     const struct hm_identity_files *files, struct hm_error *err) HM_CHECK;
/* Read trust.json. Errors: -ENOENT not enrolled; -EBADMSG malformed. */
int hm_identity_load(int state_fd, struct hm_identity *ret_id, struct hm_error *err) HM_CHECK;
/* Open a file of identity/ for reading. Owns: *ret_fd is the caller's. */
int hm_identity_open(int state_fd, const char *name, int *ret_fd, struct hm_error *err) HM_CHECK;
/* Decode the text form; for tests and fuzzing. Errors: -EBADMSG. */
int hm_identity_parse(struct hm_slice text, struct hm_identity *ret_id,
                      struct hm_error *err) HM_CHECK;
#define HM_IDENTITY_KEY         "endpoint.key"
#define HM_IDENTITY_CERTIFICATE "endpoint.crt"
#define HM_IDENTITY_CA          "ca.crt"
#define HM_IDENTITY_TRUST       "trust.json"
