/* Every ceiling of the rule engine, in one place, with its reason. */
#pragma once

#define HM_RULE_FILE_MAX_BYTES                                                                     \
    (1024 * 1024)                       /* the largest published Sigma rule is under 64 KiB        \
                                         */
#define HM_YAML_MAX_NODES         50000 /* long indicator lists are welcome, bombs are not */
#define HM_YAML_MAX_DEPTH         16    /* Sigma needs 5 */
#define HM_CONDITION_MAX_DEPTH    64    /* parentheses and nots; bounds the recursion of matching */
#define HM_RULES_MAX              20000 /* four times all that SigmaHQ publishes */
#define HM_RULESET_MAX_BYTES      (256u << 20) /* memory of one compiled rule set */
#define HM_REGEX_MATCH_LIMIT      100000 /* PCRE2 steps a match may take: no catastrophic patterns */
#define HM_REGEX_WORKSPACE        8192   /* states of the matcher that does not backtrack */
#define HM_RULE_DIR_DEPTH         8      /* folders below the rules folder */
#define HM_NAMES_MAX              65536  /* field names in one rule set; SigmaHQ uses about 700 */
#define HM_NAMES_MAX_BYTES        (8u << 20) /* their texts */
#define HM_YAML_MAX_KEYS          2048 /* of one map; the longest list of placeholders has hundreds */
#define HM_MODIFIERS_MAX          8    /* of one field; the longest useful chain has 4 */
#define HM_PLACEHOLDERS_MAX       64   /* different ones in one rule */
#define HM_WINDASH_MAX            125   /* variants of one value: three dashes, five forms each */
#define HM_ALTERNATIVES_MAX       20000 /* what one value may become: lists × dashes × offsets */
#define HM_PATTERNS_MAX           50000 /* of one test; indicator lists in rules reach thousands */
#define HM_AST_NODES_MAX          20000 /* of one rule; SigmaHQ's largest has a few hundred */
#define HM_CONDITION_MAX_TERMS    2000  /* of one "and" or "or" */
#define HM_REFERENCES_MAX         1000  /* rules of one correlation or filter, fields to group by */
#define HM_TIMESPAN_MAX_SECONDS   31622400 /* a year: windows are kept in memory */
#define HM_CORRELATION_MAX_DEPTH  16       /* correlations of correlations */
#define HM_PLACEHOLDER_VALUES_MAX 20000    /* of one tenant-supplied list */
#define HM_SQL_MAX_BYTES                                                                           \
    (4 << 20) /* of one rule as a condition; the longest lists make 100 KiB                        \
               */
