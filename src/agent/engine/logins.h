/* Logins as sshd, sudo, su and PAM tell them in their log lines: a table of sentences. */
#pragma once
#include "base/slice.h"

enum hm_login_result { HM_LOGIN_SUCCESS = 1, HM_LOGIN_FAILURE = 2 }; /* OCSF status_id */
struct hm_login { /* borrowed from the line; empty: not said */
    struct hm_slice user, method, address, port;
    enum hm_login_result result;
};
/* program: the line's tag; message: what follows it. false: the line tells of no login. */
bool hm_login_of(struct hm_slice program, struct hm_slice message, struct hm_login *ret_l);
