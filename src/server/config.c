/* Owns the table of configuration keys; refuses to know what they are used for. */
#include "server/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

struct key {
    const char *name;
    size_t offset;
    const char *preset, *en, *ja;
    bool (*good)(const char *value);
};

static bool good_any(const char *v)
{
    (void)v;
    return true;
}

static bool good_listen(const char *v)
{
    const char *colon = strrchr(v, ':');
    char *end;
    if (!colon || colon == v || !isdigit((unsigned char)colon[1]))
        return false;
    long port = strtol(colon + 1, &end, 10);
    return *end == 0 && port >= 0 && port <= 65535;
}

static bool good_language(const char *v)
{
    return strcmp(v, "en") == 0 || strcmp(v, "ja") == 0;
}

#define KEY(k) #k, offsetof(struct hm_server_config, k)
static const struct key keys[] = {
    {KEY(state), "/var/lib/hinomi/server", "state folder (set by --state)",
     "状態フォルダー（--state で指定）", good_any},
    {KEY(agents_listen), "127.0.0.1:7443", "address and port for agents",
     "エージェントを受け付けるアドレスとポート", good_listen},
    {KEY(console_listen), "127.0.0.1:8443", "address and port of console and API",
     "コンソールと API のアドレスとポート", good_listen},
    {KEY(public_host), "", "name or address by which endpoints reach this machine",
     "端末から見たこのサーバーの名前またはアドレス", good_any},
    {KEY(www), "/usr/share/hinomi/console", "the console's files", "コンソールのファイル",
     good_any},
    {KEY(packages), "/usr/share/hinomi/packages", "the agent's package, to hand out",
     "配布するエージェントのパッケージ", good_any},
    {KEY(rules), "/usr/share/hinomi/rules", "detection rules", "検知ルール", good_any},
    {KEY(feeds), "/var/lib/hinomi/feeds", "folder that sources of detection content may be beneath",
     "検知コンテンツの取得元フォルダーを置く場所", good_any},
    {KEY(language), "en", "en or ja: language of new accounts",
     "en または ja（新しい利用者の言語）", good_language},
};

static char *value_of(struct hm_server_config *c, const struct key *k)
{
    return (char *)c + k->offset;
}

void hm_config_defaults(struct hm_server_config *ret_c)
{
    memset(ret_c, 0, sizeof *ret_c);
    for (size_t i = 0; i < HM_ARRAY_LEN(keys); i++)
        snprintf(value_of(ret_c, &keys[i]), HM_CONFIG_VALUE_MAX, "%s", keys[i].preset);
}

static struct hm_slice trim(struct hm_slice s)
{
    while (s.len && isspace(s.p[0]))
        s.p++, s.len--;
    while (s.len && isspace(s.p[s.len - 1]))
        s.len--;
    return s;
}

static int set_key(struct hm_server_config *c, struct hm_slice name, struct hm_slice value,
                   uint32_t line, struct hm_error *err)
{
    char text[HM_CONFIG_VALUE_MAX] = {0};

    if (value.len >= sizeof text || memchr(value.p, 0, value.len))
        return hm_fail_at(err, -EINVAL, line, 0, "value too long or with a zero byte");
    if (value.len)
        memcpy(text, value.p, value.len);
    for (size_t i = 0; i < HM_ARRAY_LEN(keys); i++) {
        if (!hm_slice_eq(name, hm_slice_str(keys[i].name)))
            continue;
        if (!keys[i].good(text))
            return hm_fail_at(err, -EINVAL, line, 0, "%s: \"%s\" cannot be right", keys[i].name,
                              text);
        memcpy(value_of(c, &keys[i]), text, sizeof text);
        return 0;
    }
    return hm_fail_at(err, -EINVAL, line, 0, "unknown key \"%.*s\"", (int)name.len,
                      (const char *)name.p);
}

static int parse_line(struct hm_slice s, struct hm_server_config *c, uint32_t line,
                      struct hm_error *err)
{
    s = trim(s);
    if (s.len == 0 || s.p[0] == '#')
        return 0;
    const uint8_t *eq = memchr(s.p, '=', s.len);
    if (!eq)
        return hm_fail_at(err, -EINVAL, line, 0, "expected key=value");
    size_t at = (size_t)(eq - s.p);
    return set_key(c, trim(hm_slice(s.p, at)), trim(hm_slice(eq + 1, s.len - at - 1)), line, err);
}

int hm_config_parse(struct hm_slice text, struct hm_server_config *c, struct hm_error *err)
{
    uint32_t line = 0;

    while (text.len > 0) {
        const uint8_t *nl = memchr(text.p, '\n', text.len);
        size_t len = nl ? (size_t)(nl - text.p) : text.len;
        int r = parse_line(hm_slice(text.p, len), c, ++line, err);
        if (r)
            return r;
        len += nl ? 1 : 0;
        text.p += len;
        text.len -= len;
    }
    return 0;
}

int hm_config_load(const char *path, struct hm_server_config *c, struct hm_error *err)
{
    hm_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (st.st_size > HM_CONFIG_MAX_BYTES)
        return hm_fail(err, -E2BIG, "%s: over %d bytes", path, HM_CONFIG_MAX_BYTES);
    hm_autofree char *text = malloc((size_t)st.st_size + 1);
    if (!text)
        return -ENOMEM;
    ssize_t n = read(fd, text, (size_t)st.st_size);
    if (n < 0)
        return hm_fail(err, -errno, "%s: %s", path, strerror(errno));
    return hm_config_parse(hm_slice(text, (size_t)n), c, err);
}

void hm_config_write(const struct hm_server_config *c, struct hm_buf *out)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(keys); i++)
        hm_buf_printf(out, "%s=%s\n", keys[i].name, (const char *)c + keys[i].offset);
}

void hm_config_help(int japanese, struct hm_buf *out)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(keys); i++)
        hm_buf_printf(out, "%-15s %s [%s]\n", keys[i].name, japanese ? keys[i].ja : keys[i].en,
                      keys[i].preset);
}
