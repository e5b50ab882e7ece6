/* The role `content`: the only part of the server that takes foreign detection content apart, and
 * the only one that may open connections to feeds. It has no key, no database and no journal; what
 * it makes is a body (wire/bundle.h) that core keeps and the signer's key speaks for.
 *
 * A job (server/messages.def, CONTENT_JOB) runs in a process of its own, forked from the role after
 * it confined itself, with limits on time and memory; how it ends is always told to core.
 *   kind       descriptors
 *   import     0 the upload · 1 body before (opt.). A pack (nobody signed it) becomes the named
 * layer; a bundle of a trusted server brings its own layers, and those alone are replaced fetch 1
 * body before (opt.): pull the source in spec packaged   none: the package's rules alone */
#pragma once
#include "base/arena.h"
#include "detect/indicator/indicator.h"
#include "server/content/limits.h"
#include "server/messages.h"
#include "wire/bundle.h"

enum { HM_CONTENT_FD_UPLOAD, HM_CONTENT_FD_BEFORE, HM_CONTENT_FDS };
enum { HM_CONTENT_BUILT = 0, HM_CONTENT_NOTHING_NEW = 1, HM_CONTENT_REFUSED = 2 };
#define HM_CONTENT_SHELF_INTEL   "intel"     /* and look up what is in <layer>.bin there */
#define HM_CONTENT_SHELF_PIPES   "pipelines" /* no rules: the loader leaves that folder out */
#define HM_CONTENT_SHELF_YARA    "yara"      /* endpoints scan with what is beneath it */
#define HM_CONTENT_LAYER_PACKAGE "hinomi"    /* the package's rules: renewed by every build */

struct hm_content_job {
    const struct hm_msg_content_job *ask;
    int fds[HM_CONTENT_FDS]; /* -1: not given */
    int rules_fd, work_fd;   /* rules of the package (-1: none); scratch folder, empty */
    int feeds_fd;            /* folder that sources of kind folder are beneath; -1: none */
    /* the content being put together */
    struct hm_arena *arena;
    struct hm_bundle_input *parts;
    size_t part_count, part_room;
    uint64_t bytes;
    /* what is told */
    uint64_t rules, refused, layer_parts, layer_refused;
    struct hm_buf problems;                      /* JSON objects, comma between */
    uint64_t items, outcomes[HM_INTEL_OUTCOMES]; /* indicators of a source */
    char *memory;                                /* JSON for its next pull; NULL: no source */
};

/* parts.c: what goes into a version */
int hm_parts_add(struct hm_content_job *j, const char *prefix, const char *path,
                 struct hm_slice data, struct hm_error *err) HM_CHECK; /* copies */
/* Parts of a body that begins at offset of fd; those beneath `without/` are left out. */
int hm_parts_body(struct hm_content_job *j, int fd, uint64_t offset, const char *prefix,
                  const char *const *without, struct hm_error *err) HM_CHECK;
/* Files beneath a folder; names a bundle cannot hold are written with _ in their place. */
int hm_parts_folder(struct hm_content_job *j, int dir_fd, const char *prefix,
                    struct hm_error *err) HM_CHECK;

/* Part of the content that a path belongs to: "site/a.yml", "yara/site/b.yar" and
 * "intel/site.bin" are all of layer site. Points into path. */
struct hm_slice hm_parts_layer(const char *path);

bool hm_source_is_rule(const char *path); /* by its name: Sigma, YARA or a warning list */
/* source.c: parts from `from` on that are feeds become the layer's indicators. */
int hm_source_sort(struct hm_content_job *j, const char *layer, size_t from,
                   struct hm_error *err) HM_CHECK;

/* check.c: unpack into the scratch folder, load it as an endpoint does, count and list problems. */
int hm_content_validate(struct hm_content_job *j, struct hm_error *err) HM_CHECK;

/* job.c: carry a job out. code and text as in CONTENT_DONE; *ret_fd: the new body. */
uint64_t hm_content_run(struct hm_content_job *j, int *ret_fd, struct hm_buf *report,
                        struct hm_error *err);
