/* `hinomi-agent enroll`: one TLS exchange that makes this machine an endpoint. */
#pragma once

/* argv[0] is "enroll". Prints what happened, in Japanese or English.
 * Returns 0 enrolled; 1 failed; 2 usage; 3 enrolled already; 4 server not reached; 5 not the server
 * of that fingerprint; 6 token refused. Needs root: the identity is root's. */
int hm_enroll_command(int argc, char **argv);

struct hm_enroll_options {
    const char *server, *token, *state;
    unsigned char ca_sha256[32];
    int practice;
};
/* The same for `practice`: no parsing; says on standard error why it failed. */
int hm_enroll(const struct hm_enroll_options *o);
