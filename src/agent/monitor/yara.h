/* Rule sets and scans as monitor sees them: what inspect is asked and how long it may take. Private
 * to this folder; see yara_rules.c and scans.c. */
#pragma once
#include "agent/monitor/state.h"

/* ---- yara_rules.c ---- */
int hm_mon_rules_open(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
void hm_mon_rules_close(struct hm_monitor *m);
/* The folder may have changed, or inspect is new: build a set aside, swap when it is whole. */
void hm_mon_rules_reload(struct hm_monitor *m);
void hm_mon_rules_tell_engine(struct hm_monitor *m);
void hm_mon_rules_lost(struct hm_monitor *m); /* inspect ended */
void hm_mon_rules_tick(struct hm_monitor *m, uint64_t now_ns);
bool hm_mon_rules_ready(const struct hm_monitor *m);  /* inspect can scan now */
bool hm_mon_rules_wanted(const struct hm_monitor *m); /* there are rules: it will again */
uint64_t hm_mon_rules_version(const struct hm_monitor *m);
int hm_mon_rules_problem(struct hm_monitor *m, const struct hm_msg_rule_problem *p) HM_CHECK;
int hm_mon_rules_taken(struct hm_monitor *m, const struct hm_msg_rule_taken *t) HM_CHECK;
int hm_mon_rules_done(struct hm_monitor *m, const struct hm_msg_rules_ready *a) HM_CHECK;

/* ---- scans.c ---- */
int hm_mon_scans_open(struct hm_monitor *m, struct hm_error *err) HM_CHECK;
void hm_mon_scans_close(struct hm_monitor *m);
int hm_mon_scan_file(struct hm_monitor *m, const struct hm_msg_scan_file *q) HM_CHECK;
int hm_mon_scan_memory(struct hm_monitor *m, const struct hm_msg_scan_memory *q) HM_CHECK;
int hm_mon_scan_done(struct hm_monitor *m, const struct hm_msg_inspected_scan *a) HM_CHECK;
void hm_mon_scans_pump(struct hm_monitor *m); /* give inspect the next one, if it is free */
void hm_mon_scans_lost(struct hm_monitor *m); /* inspect ended: the one it had has no verdict */
void hm_mon_scans_engine_lost(struct hm_monitor *m);
void hm_mon_scans_tick(struct hm_monitor *m, uint64_t now_ns);
/* How long inspect has been at a scan: what else it was asked waits so long. */
uint64_t hm_mon_scans_busy_ns(const struct hm_monitor *m, uint64_t now_ns);
