#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int test_buf(void);
int test_cursor(void);
int test_memory(void);
int test_crypto(void);
int test_compress(void);
int test_der(void);
int test_misc(void);
