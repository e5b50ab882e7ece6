/* Every ceiling of the rule engine, in one place, with its reason. */
#pragma once

#define HM_RULE_FILE_MAX_BYTES                                                                     \
    (1024 * 1024)                    /* the largest published Sigma rule is under 64 KiB           \
                                      */
#define HM_YAML_MAX_NODES      50000 /* long indicator lists are welcome, bombs are not */
#define HM_YAML_MAX_DEPTH      16    /* Sigma needs 5 */
#define HM_CONDITION_MAX_DEPTH 64    /* parentheses and nots; bounds the recursion of matching */
#define HM_RULES_MAX           20000 /* four times all that SigmaHQ publishes */
#define HM_RULESET_MAX_BYTES   (256u << 20) /* memory of one compiled rule set */
#define HM_REGEX_MATCH_LIMIT   100000 /* PCRE2 steps a match may take: no catastrophic patterns */
#define HM_RULE_DIR_DEPTH      8      /* folders below the rules folder */
#define HM_NAMES_MAX           65536        /* field names in one rule set; SigmaHQ uses about 700 */
#define HM_NAMES_MAX_BYTES     (8u << 20)   /* their texts */
