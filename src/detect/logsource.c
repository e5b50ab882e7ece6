/* Owns the tables from Sigma's log sources (category, or service) to our actions and views. */
#include "detect/logsource.h"
#include "detect/view/logs.h"

static const struct {
    const char *category;
    size_t count;
    uint64_t actions[4];
} categories[] = {
    {"process_creation", 1, {HM_ACTION_PROCESS_EXEC}},
    {"process_termination", 1, {HM_ACTION_PROCESS_EXIT}},
    /* A file that is moved to its place is a new file there as well. */
    {"file_event", 3, {HM_ACTION_FILE_CREATE, HM_ACTION_FILE_WRITE, HM_ACTION_FILE_RENAME}},
    {"file_change", 2, {HM_ACTION_FILE_WRITE, HM_ACTION_FILE_ATTRIB}},
    {"file_attribute", 1, {HM_ACTION_FILE_ATTRIB}},
    {"file_rename", 1, {HM_ACTION_FILE_RENAME}},
    {"file_delete", 1, {HM_ACTION_FILE_DELETE}},
    {"file_access", 1, {HM_ACTION_FILE_OPEN}},
    {"network_connection", 2, {HM_ACTION_NETWORK_CONNECT, HM_ACTION_NETWORK_ACCEPT}},
    {"network_listen", 1, {HM_ACTION_NETWORK_LISTEN}},
    {"dns_query", 1, {HM_ACTION_DNS_QUERY}},
    {"dns", 1, {HM_ACTION_DNS_QUERY}},
    {"driver_load", 1, {HM_ACTION_MODULE_LOAD}},
    {"image_load", 1, {HM_ACTION_MODULE_LOAD}},
    {"create_remote_thread", 1, {HM_ACTION_MEMORY_ACCESS}},
    {"process_access", 1, {HM_ACTION_MEMORY_ACCESS}},
    {"registry_set", 1, {HM_ACTION_REGISTRY_SET}},
    {"registry_event", 2, {HM_ACTION_REGISTRY_SET, HM_ACTION_REGISTRY_DELETE}},
    {"authentication", 1, {HM_ACTION_AUTH_LOGIN}},
};

static const struct hm_route auditd = {
    .view = HM_VIEW_AUDITD,
    .count = 13,
    .actions = {HM_ACTION_PROCESS_EXEC, HM_ACTION_FILE_CREATE, HM_ACTION_FILE_WRITE,
                HM_ACTION_FILE_RENAME, HM_ACTION_FILE_DELETE, HM_ACTION_FILE_ATTRIB,
                HM_ACTION_FILE_OPEN, HM_ACTION_NETWORK_CONNECT, HM_ACTION_NETWORK_ACCEPT,
                HM_ACTION_NETWORK_LISTEN, HM_ACTION_SYSCALL_CALL, HM_ACTION_FOREIGN_LOG,
                HM_ACTION_AUTH_LOGIN},
};

static bool route_service(const char *service, struct hm_route *ret_r)
{
    if (strcmp(service, "auditd") == 0) {
        *ret_r = auditd;
        return true;
    }
    uint32_t logs = hm_logs_of_service(service);
    if (!logs)
        return false;
    *ret_r = (struct hm_route){
        .view = HM_VIEW_LOG, .logs = logs, .count = 1, .actions = {HM_ACTION_FOREIGN_LOG}};
    return true;
}

bool hm_logsource_route(const char *product, const char *category, const char *service,
                        struct hm_route *ret_r)
{
    if (*product && strcmp(product, "linux") != 0)
        return false;
    if (*service)
        return route_service(service, ret_r);
    for (size_t i = 0; i < HM_ARRAY_LEN(categories); i++) {
        if (strcmp(category, categories[i].category) == 0) {
            *ret_r = (struct hm_route){.view = HM_VIEW_EVENT, .count = categories[i].count};
            memcpy(ret_r->actions, categories[i].actions, sizeof categories[i].actions);
            return true;
        }
    }
    if (*category)
        return false;
    *ret_r = (struct hm_route){.view = HM_VIEW_EVENT, .count = 1};
    return true;
}

static bool same(const char *wanted, const char *is)
{
    return !*wanted || strcmp(wanted, is) == 0;
}

bool hm_source_included(const char *product, const char *category, const char *service,
                        const struct hm_source *s)
{
    return same(product, s->product) && same(category, s->category) && same(service, s->service);
}
