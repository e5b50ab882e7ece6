/* A rule that costs an endpoint too much, or that policy switched off, becomes an alert for people:
 * a rule that is off detects nothing, and nobody may find that out by accident. */
#include "server/core/core.h"
#include <cjson/cJSON.h>
#include <stdio.h>

static const char *text_of(const cJSON *o, const char *name)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
    return s ? s : "";
}

static double number_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void words(const cJSON *o, bool off, char *en, char *ja, size_t len)
{
    double n = number_of(o, "evaluations"), us = n > 0 ? number_of(o, "ns") / n / 1000 : 0;
    const char *title = text_of(o, "title"), *title_ja = text_of(o, "title_ja");
    if (strcmp(text_of(o, "why"), "policy") == 0) {
        snprintf(en, len, "The policy has switched off the rule \"%.200s\" on this endpoint.",
                 title);
        snprintf(ja, len, "方針により、この端末でルール「%.200s」が無効になっています。", title_ja);
        return;
    }
    snprintf(en, len,
             "The rule \"%.200s\" took %.1f µs for each of %.0f evaluations in a minute%s.", title,
             us, n, off ? " and was switched off: it detects nothing there now" : "");
    snprintf(ja, len,
             "ルール「%.200s」の評価に 1 回あたり %.1f µs（1 分間に %.0f 回）かかりました%s。",
             title_ja, us, n, off ? "。このルールは無効になり、この端末では検知しません" : "");
}

int hm_rule_cost_said(struct hm_soc_item *it, const struct hm_event *e)
{
    char en[512], ja[768], key[320];
    struct hm_slice json = hm_event_str(e, HM_F_AGENT_DETAIL);
    cJSON *o = json.len ? cJSON_ParseWithLength((const char *)json.p, json.len) : NULL;
    bool off = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "off"));
    if (!cJSON_IsObject(o) || !*text_of(o, "rule")) {
        cJSON_Delete(o);
        return 0;
    }
    words(o, off, en, ja, sizeof en);
    int n =
        snprintf(key, sizeof key, "%.200s %016llx %llu", text_of(o, "rule"),
                 (unsigned long long)it->head.epoch, (unsigned long long)hm_event_u64(e, HM_F_SEQ));
    struct hm_notice notice = {
        .rule = off ? "hinomi.rule-off" : "hinomi.rule-cost",
        .title = off ? "A detection rule is switched off" : "A detection rule costs too much",
        .title_ja = off ? "検知ルールが無効になっています" : "検知ルールの負荷が高すぎます",
        .reason = en,
        .reason_ja = ja,
        .severity = off ? 3 : 2,
        .key = hm_slice(key, (size_t)n)};
    int r = hm_soc_notice(it->k, it->tenant, it->endpoint, &notice);
    cJSON_Delete(o);
    return r;
}
