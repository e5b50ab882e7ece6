#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/journal.h"

int test_log(void);
int test_recover(void);
int test_full(void);
int test_merkle(void);
int test_batch(void);
int test_chain(void);

/* A temporary folder of this test's own, and its end. */
char *folder_make(void);
void folder_remove(char *path);
/* path/name in a static buffer of four. */
const char *in_folder(const char *path, const char *name);

/* Record number i: its length and bytes follow from i alone. */
#define PATTERN_MAX 3000
size_t pattern(uint64_t i, uint8_t buf[PATTERN_MAX]);
int is_pattern(uint64_t i, struct hm_slice s);

struct hm_log *must_open(const char *dir, const struct hm_log_options *o,
                         struct hm_log_damage *ret_damage);
void append_patterns(struct hm_log *l, uint64_t n); /* from hm_log_next() on */
struct hm_log_reader *must_read(const char *dir);

/* The files of a log, ascending; free() the list. */
size_t list_files(const char *dir, const char *suffix, char names[][64], size_t max);
size_t file_size(const char *path);
void file_poke(const char *path, size_t at, const void *bytes, size_t len);
void file_cut(const char *path, size_t size);
void file_append(const char *path, const void *bytes, size_t len);
