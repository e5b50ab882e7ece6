/* Where in a line of JSON the event is. */
#pragma once
#include "base/slice.h"

/* field NULL: a line {"event":{…}} whose other keys are the regression corpus's annotations
 * (must_fire, peer_fired, technique) is unwrapped, every other line is the event itself. ".": never
 * unwrapped. Another name: the object under that key at the top.
 * False: the field was asked for and is not there as an object. What is malformed is given as it
 * is: the reader of records says what is wrong with it. */
bool hm_unwrap(struct hm_slice line, const char *field, struct hm_slice *ret_event);
