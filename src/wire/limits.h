/* Ceilings of the wire, each with its reason. */
#pragma once

/* A statement holds one order or one clock reading; 16 KiB leaves room for a long reason. */
#define HM_STMT_MAX_BYTES (16 * 1024)
/* Names a person chose: tenant, drill. */
#define HM_ORDER_NAME_MAX 128
/* Free text a person typed: reason, actor. */
#define HM_ORDER_TEXT_MAX 1024
/* An order that is older than a day was meant for another situation. */
#define HM_ORDER_LIFE_MAX_MS (24ull * 3600 * 1000)

/* ---- content bundles ---- */
/* Path of a part: the longest of the public Sigma repository has 150 bytes. */
#define HM_BUNDLE_PATH_MAX  200
#define HM_BUNDLE_DEPTH_MAX 8
/* The public Sigma repository has 3,800 rules; four times that, and YARA beside it. */
#define HM_BUNDLE_PARTS_MAX 20000
/* Parts unpacked: an endpoint's disk pays for it twice while it changes versions. */
#define HM_BUNDLE_RAW_MAX (256ull << 20)
/* Body as it travels. */
#define HM_BUNDLE_BODY_MAX (96ull << 20)
/* One block unpacked: what reader and writer hold in memory. */
#define HM_BUNDLE_BLOCK_MAX (1u << 20)
/* The manifest is one block of its own: every part with the longest path. */
#define HM_BUNDLE_MANIFEST_MAX (HM_BUNDLE_PARTS_MAX * (HM_BUNDLE_PATH_MAX + 42u) + 4u)
/* A CONTENT_CHUNK: below the packet limit of our own processes' sockets, a few a second suffice. */
#define HM_CONTENT_CHUNK (128 * 1024)
/* Content that is older than this was made for another time; an offline site imports once a year.
 */
#define HM_CONTENT_LIFE_MAX_MS (400ull * 24 * 3600 * 1000)
