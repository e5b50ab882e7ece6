/* The report, for a sensor that runs and for a kernel where none does. */
#pragma once
#include "agent/sensor/sensor_impl.h"

#define HM_BLIND_MAX 24 /* more than the texts there are */
struct hm_report {
    const struct hm_sensor *sensor; /* NULL: none could be loaded */
    const struct hm_probe_results *probes;
    bool files; /* files are watched: not by the sensor, by fanotify marks of monitor */
    const struct hm_sensor_beside *beside; /* NULL: no agent runs, nothing is said of its logs */
    const char *problem;                   /* why, when there is none; else "" */
};
size_t hm_report_blind(const struct hm_report *r, const struct hm_text *list[HM_BLIND_MAX]);
void hm_report_json(const struct hm_report *r, struct hm_buf *out);
void hm_report_text(const struct hm_report *r, enum hm_lang lang, struct hm_buf *out);
