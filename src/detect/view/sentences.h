/* What well-known programs say in their log lines, for the few facts that the views need. Knows no
 * event. */
#pragma once
#include "base/slice.h"
#include <stdbool.h>

/* What follows the tag: "Nov 2 10:00:00 host sshd[12]: text" → "text". A line without a tag is
 * its own message. ret_program: "sshd". */
struct hm_slice hm_sentence_message(struct hm_slice line, struct hm_slice *ret_program);
/* systemd: "Stopped firewalld.service - …" → "firewalld". Also the older form without the unit's
 * name, whose first word is taken. */
bool hm_sentence_unit(struct hm_slice program, struct hm_slice line, const char *verb,
                      struct hm_slice *ret_unit);
/* useradd: "new user: name=x, UID=…" → "x" */
bool hm_sentence_new_user(struct hm_slice program, struct hm_slice line, struct hm_slice *ret_name);
