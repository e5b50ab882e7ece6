/* The shared corpus for tests and benches: rules of a folder, lines of a file. */
#pragma once
#include "base/buf.h"
#include "detect/ast.h"
#include "detect/sigma/collection.h"
#include "detect/sigma/pipeline.h"
#include <stdio.h>

struct corpus_rules {
    struct hm_names *names;
    struct hm_pipeline *pipeline;
    struct hm_sigma_collection *collection;
    size_t refused;
    double read_s; /* text to trees */
};
/* Every rule beneath the folder; pipeline: a file, or NULL. false: no such folder. Refused rules
 * are counted and, with `say`, printed. */
bool corpus_rules(struct corpus_rules *c, const char *folder, const char *pipeline, bool say);
void corpus_rules_done(struct corpus_rules *c);

struct corpus_lines {
    uint8_t *data; /* 64 readable bytes after the end */
    size_t len, count;
    struct hm_slice *lines; /* without their ends */
};
/* A file, zstd-compressed when its name ends so. false: not there. */
bool corpus_lines(struct corpus_lines *l, const char *path);
void corpus_lines_done(struct corpus_lines *l);
/* The text of one member of a flat outer object: {"must_fire": "x", "event": {…}}. */
struct hm_slice corpus_member(struct hm_slice line, const char *key);
