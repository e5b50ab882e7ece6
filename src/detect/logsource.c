/* Owns the table from Sigma's log-source categories to our actions. */
#include "detect/logsource.h"
#include "event/event.h"

static const struct {
    const char *category;
    struct hm_route route;
} table[] = {
    {"process_creation", {1, {HM_ACTION_PROCESS_EXEC}}},
    {"process_termination", {1, {HM_ACTION_PROCESS_EXIT}}},
    {"file_event", {2, {HM_ACTION_FILE_CREATE, HM_ACTION_FILE_WRITE}}},
    {"file_change", {2, {HM_ACTION_FILE_WRITE, HM_ACTION_FILE_ATTRIB}}},
    {"file_attribute", {1, {HM_ACTION_FILE_ATTRIB}}},
    {"file_rename", {1, {HM_ACTION_FILE_RENAME}}},
    {"file_delete", {1, {HM_ACTION_FILE_DELETE}}},
    {"file_access", {1, {HM_ACTION_FILE_OPEN}}},
    {"network_connection", {2, {HM_ACTION_NETWORK_CONNECT, HM_ACTION_NETWORK_ACCEPT}}},
    {"network_listen", {1, {HM_ACTION_NETWORK_LISTEN}}},
    {"dns_query", {1, {HM_ACTION_DNS_QUERY}}},
    {"driver_load", {1, {HM_ACTION_MODULE_LOAD}}},
    {"image_load", {1, {HM_ACTION_MODULE_LOAD}}},
    {"create_remote_thread", {1, {HM_ACTION_MEMORY_ACCESS}}},
    {"process_access", {1, {HM_ACTION_MEMORY_ACCESS}}},
    {"registry_set", {1, {HM_ACTION_REGISTRY_SET}}},
    {"registry_event", {2, {HM_ACTION_REGISTRY_SET, HM_ACTION_REGISTRY_DELETE}}},
};

bool hm_logsource_route(const char *product, const char *category, const char *service,
                        struct hm_route *ret_r)
{
    if (*product && strcmp(product, "linux") != 0)
        return false;
    if (*service)
        return false; /* auditd, sshd, sudo …: foreign logs, the detection issue's auditd view */
    for (size_t i = 0; i < HM_ARRAY_LEN(table); i++) {
        if (strcmp(category, table[i].category) == 0) {
            *ret_r = table[i].route;
            return true;
        }
    }
    if (*category)
        return false;
    *ret_r = (struct hm_route){1, {0}};
    return true;
}
