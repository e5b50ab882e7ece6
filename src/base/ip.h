/* Addresses as text, without asking any resolver or C library about it. */
#pragma once
#include "base/slice.h"

#define HM_IP_TEXT_BYTES 46

/* 4 or 16 bytes in network order to RFC 5952 text; "" for any other length. Returns buf. */
char *hm_ip_format(struct hm_slice ip, char buf[HM_IP_TEXT_BYTES]);
