/* Core's consumers on a real journal and a real database, without sockets; and the events that
 * tests of them need. Shared by test_soc.c (records, trees, orders) and test_judge.c (what alerts
 * become). */
#pragma once
#include "world.h"
#include "server/core/core.h"

/* The tree of every alert here: SHELL decides, ROOT is the tree's root, PARENT is only shown. */
#define ROOT   0x100u
#define SHELL  0x200u
#define PARENT 0x50u

struct soc {
    struct world *w;
    struct hm_core k;
    struct feed *f; /* endpoint 1 */
};
int soc_setup(void **state);
int soc_teardown(void **state);
void soc_open(struct soc *s); /* soc_close and soc_open: a restart */
void soc_close(struct soc *s);
/* Close what was fed and let both consumers read it to its end. */
void soc_consume(struct soc *s);
void soc_process(struct hm_event *e, enum hm_action action, uint64_t key, uint64_t parent);
void soc_pack(struct hm_buf *list, const struct hm_event *e);
/* An alert of rule "rule" by SHELL. */
void soc_alert_of(struct soc *s, const uint8_t id[16]);
void soc_alert(struct soc *s, uint8_t id_fill);
