/* The argument vector of an exec event. The command line is the arguments with one space between;
 * where that does not tell them apart, process.arg_lengths does. */
#pragma once
#include "base/buf.h"
#include "event/event.h"

struct hm_args {
    struct hm_slice rest, lengths, last;
    size_t next; /* of the argument that comes next; last is the one before */
    bool exact, done;
};
void hm_args_begin(const struct hm_event *e, struct hm_args *ret_a);
/* false: no more. The last argument of a truncated vector may be cut. */
bool hm_args_next(struct hm_args *a, struct hm_slice *ret_arg);
/* The i-th of the event's. Goes on from where a stands, and from the start only for an earlier one;
 * a zeroed a has not begun. */
bool hm_args_at(struct hm_args *a, const struct hm_event *e, size_t i, struct hm_slice *ret_arg);

/* What process.arg_lengths has to be for arguments that lie in raw with a NUL after each (the last
 * may lack it): appended to out, or nothing where splitting at spaces gives the same. */
void hm_args_lengths(struct hm_slice raw, struct hm_buf *out);
