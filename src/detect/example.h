/* Events as rules' examples write them (hinomi.examples): a map of our field names (or Sigma's) to
 * values as people read them. Used by `hinomi sigma test` and by the tests of the rules that ship.
 *
 *   {process.image: /bin/sh, process.stdin: socket}                  one event
 *   {action: file/rename, at: 30, file.path: /home/eva/1.txt}        a step of a sequence
 *   {at: 30, repeat: 20, every: 0.5, file.path: '/home/eva/{n}.txt'} twenty of them */
#pragma once
#include "detect/sigma/yaml.h"
#include "event/event.h"

struct hm_example {
    uint64_t action;   /* enum hm_action; 0: not said */
    uint64_t at_ms;    /* since the beginning of the sequence */
    uint64_t every_ms; /* between repetitions */
    unsigned repeat;   /* 1: once */
};
#define HM_EXAMPLE_REPEAT_MAX 10000
/* What is said beside the fields. Errors: -EINVAL with place. */
int hm_example_read(const struct hm_yaml *map, struct hm_example *ret_x,
                    struct hm_error *err) HM_CHECK;
/* Repetition n (from 0) of it; texts live in the arena. e is cleared first; an action that is not
 * said is the caller's to set. Errors: -EINVAL with place (a field or value we do not know);
 * -ENOMEM. */
int hm_example_event(const struct hm_yaml *map, const struct hm_example *x, unsigned n,
                     struct hm_arena *a, struct hm_event *e, struct hm_error *err) HM_CHECK;
