/* Files of the store: written aside, made durable, renamed, removed. Knows folders and names,
 * nothing of DuckDB or SQL. */
#pragma once
#include "server/core/control_core.h"

#define HM_STORE_ASIDE ".writing.parquet" /* in the store's folder: the same file system */

/* fsync aside, hash it, rename it to tenant/file (folders are made and fsynced). Fills bytes and
 * sha256 of seg, whose tenant and file are given. */
int hm_parquet_publish(int dir_fd, struct hm_segment *seg) HM_CHECK;
/* SHA-256 and size of tenant/file; -ENOENT. */
int hm_parquet_digest(int dir_fd, const char *tenant, const char *file, uint8_t ret_sha256[32],
                      uint64_t *ret_bytes) HM_CHECK;
/* tenant/file → tenant/file.damaged; missing is fine. */
int hm_parquet_put_aside(int dir_fd, const char *tenant, const char *file) HM_CHECK;
/* Delete every *.parquet without a segment row, and the file aside; returns how many. */
int hm_parquet_remove_orphans(int dir_fd, struct hm_control *c) HM_CHECK;
