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
