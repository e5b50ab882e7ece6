/* See imported.h. The texts are templates (render.c): what comes from the rule is escaped, so that
 * a title with braces says what it says. */
#include "detect/sigma/imported.h"
#include "detect/attack.h"
#include "detect/limits.h"
#include <errno.h>

#define TEXT_MAX   4096
#define ABOUT_MAX  600 /* of a foreign description */
#define FIELDS_MAX 3   /* further fields that are named */

static const struct {
    const char *category, *text, *ja;
} happened[] = {
    {"process_creation", "{process.image} was run: {process.command_line}",
     "{process.image} が次の内容で実行されました: {process.command_line}"},
    {"process_termination", "{process.image} ended.", "{process.image} が終了しました。"},
    {"file_event", "{process.image} wrote {file.path}.",
     "{process.image} が {file.path} を書き込みました。"},
    {"file_change", "{process.image} changed {file.path}.",
     "{process.image} が {file.path} を変更しました。"},
    {"file_attribute", "{process.image} changed the rights of {file.path}.",
     "{process.image} が {file.path} の権限を変更しました。"},
    {"file_delete", "{process.image} deleted {file.path}.",
     "{process.image} が {file.path} を削除しました。"},
    {"file_rename", "{process.image} renamed {file.source_path} to {file.path}.",
     "{process.image} が {file.source_path} の名前を {file.path} に変えました。"},
    {"file_access", "{process.image} opened {file.path}.",
     "{process.image} が {file.path} を開きました。"},
    {"network_connection", "{process.image} spoke with {dst.ip}:{dst.port}.",
     "{process.image} が {dst.ip}:{dst.port} と通信しました。"},
    {"network_listen", "{process.image} waits for connections on port {src.port}.",
     "{process.image} がポート {src.port} で接続を待ち受けています。"},
    {"dns_query", "{process.image} asked for the name {dns.query}.",
     "{process.image} が名前 {dns.query} を問い合わせました。"},
    {"dns", "{process.image} asked for the name {dns.query}.",
     "{process.image} が名前 {dns.query} を問い合わせました。"},
    {"driver_load", "{process.image} loaded {module.path}.",
     "{process.image} が {module.path} を読み込みました。"},
    {"image_load", "{process.image} loaded {module.path}.",
     "{process.image} が {module.path} を読み込みました。"},
    {"", "{process.image} was involved: {process.command_line}",
     "関係したプログラムは {process.image} です: {process.command_line}"},
};

/* Fields worth a word of their own; what the sentence above already shows is not among them. */
static const struct {
    enum hm_field field;
    const char *label, *ja;
} further[] = {
    {HM_F_PARENT_IMAGE, "started by", "起動元"},
    {HM_F_PARENT_COMMAND_LINE, "command of the parent", "起動元のコマンド"},
    {HM_F_USER_NAME, "user", "ユーザー"},
    {HM_F_PROCESS_CWD, "folder", "作業フォルダー"},
    {HM_F_PROCESS_ENV, "environment", "環境変数"},
    {HM_F_DST_DOMAIN, "name of the other side", "通信相手の名前"},
    {HM_F_SRC_IP, "from", "送信元"},
    {HM_F_USER_TARGET_NAME, "account concerned", "対象のアカウント"},
    {HM_F_FOREIGN_TEXT, "log line", "ログの行"},
};

struct compose {
    const struct hm_yaml *doc;
    const struct hm_rule *r;
    bool ja;
    bool shown[HM_ARRAY_LEN(further)];
    size_t shown_count;
    struct hm_buf out;
};

/* Foreign text into a template: braces doubled, white space folded to one blank, length bounded. */
static void put_foreign(struct compose *c, const char *text, size_t max)
{
    const char *p = text;
    for (; *p && (size_t)(p - text) < max; p++) {
        bool blank = *p == ' ' || *p == '\n' || *p == '\r' || *p == '\t';
        if (blank && (p[1] == ' ' || p[1] == '\n' || p[1] == '\r' || p[1] == '\t' || !p[1]))
            continue;
        if (*p == '{')
            hm_buf_put_u8(&c->out, '{');
        hm_buf_put_u8(&c->out, blank ? ' ' : (uint8_t)*p);
    }
    while (*p && ((uint8_t)*p & 0xC0) == 0x80) /* the rest of a character that was begun */
        hm_buf_put_u8(&c->out, (uint8_t)*p++);
    if (*p)
        hm_buf_puts(&c->out, "…");
}

static struct hm_slice next_word(const char **list)
{
    size_t n = strcspn(*list, ",");
    struct hm_slice s = hm_slice(*list, n);
    *list += n + ((*list)[n] == ',');
    return s;
}

static const struct hm_attack_technique *first_technique(const char *list, struct hm_slice *ret_id)
{
    *ret_id = next_word(&list);
    struct hm_slice id = *ret_id;
    const struct hm_attack_technique *t = hm_attack_technique(id);
    while (!t && *list) {
        id = next_word(&list);
        t = hm_attack_technique(id);
    }
    if (t)
        *ret_id = id;
    return t;
}

static const struct hm_attack_tactic *first_tactic(const char *list)
{
    const struct hm_attack_tactic *t = NULL;
    while (!t && *list)
        t = hm_attack_tactic(next_word(&list));
    return t;
}

/* " (T1059.004 Unix Shell, Execution)", or as much of it as is known. */
static void put_attack(struct compose *c)
{
    struct hm_slice id;
    const struct hm_attack_technique *t = first_technique(c->r->techniques, &id);
    const struct hm_attack_tactic *tactic = first_tactic(c->r->tactics);
    if (!id.len && !tactic)
        return;
    hm_buf_puts(&c->out, c->ja ? "（" : " (");
    hm_buf_put(&c->out, id.p, id.len);
    if (t) {
        hm_buf_puts(&c->out, " ");
        hm_buf_puts(&c->out, c->ja ? t->name_ja : t->name);
    }
    if (tactic) {
        hm_buf_puts(&c->out, !id.len ? "" : c->ja ? "、" : ", ");
        hm_buf_puts(&c->out, c->ja ? tactic->name_ja : tactic->name);
    }
    hm_buf_puts(&c->out, c->ja ? "）" : ")");
}

static void put_happened(struct compose *c)
{
    const char *category = hm_yaml_str(hm_yaml_get(c->doc, "logsource"), "category", "");
    size_t i = 0;
    while (i + 1 < HM_ARRAY_LEN(happened) && strcmp(happened[i].category, category) != 0)
        i++;
    hm_buf_puts(&c->out, c->ja ? happened[i].ja : happened[i].text);
}

static void put_field(struct compose *c, const char *key)
{
    int f = hm_field_by_sigma(hm_slice(key, strcspn(key, "|")));
    if (f < 0)
        f = hm_field_by_name(hm_slice(key, strcspn(key, "|")));
    for (size_t i = 0; i < HM_ARRAY_LEN(further); i++) {
        if ((int)further[i].field != f || c->shown[i] || c->shown_count == FIELDS_MAX)
            continue;
        c->shown[i] = true;
        c->shown_count++;
        hm_buf_puts(&c->out, c->ja ? " " : "; ");
        hm_buf_puts(&c->out, c->ja ? further[i].ja : further[i].label);
        hm_buf_puts(&c->out, c->ja ? ": {" : " {");
        hm_buf_puts(&c->out, hm_fields[f].name);
        hm_buf_puts(&c->out, "}");
    }
}

/* Keys of the searches, lists of maps included; as deep as the YAML reader allows. */
static void put_fields(struct compose *c, const struct hm_yaml *y, unsigned depth)
{
    if (!y || y->kind == HM_YAML_SCALAR || depth == HM_YAML_MAX_DEPTH)
        return;
    for (size_t i = 0; i < y->count; i++) {
        if (y->kind == HM_YAML_MAP)
            put_field(c, y->keys[i]->text);
        put_fields(c, y->items[i], depth + 1);
    }
}

static void reason(struct compose *c)
{
    hm_buf_puts(&c->out, c->ja ? "「" : "Matches \"");
    put_foreign(c, c->r->title, ABOUT_MAX);
    hm_buf_puts(&c->out, c->ja ? "」" : "\"");
    put_attack(c);
    hm_buf_puts(&c->out, c->ja ? "に当てはまる動作です。" : ". ");
    put_happened(c);
    put_fields(c, hm_yaml_get(c->doc, "detection"), 0);
    const char *about = hm_yaml_str(c->doc, "description", "");
    if (!c->ja && *about) {
        hm_buf_puts(&c->out, " — ");
        put_foreign(c, about, ABOUT_MAX);
    }
}

static void title_ja(struct compose *c)
{
    struct hm_slice id;
    const struct hm_attack_technique *t = first_technique(c->r->techniques, &id);
    if (t) {
        hm_buf_puts(&c->out, t->name_ja);
        hm_buf_puts(&c->out, ": ");
    }
    size_t n = strnlen(c->r->title, ABOUT_MAX);
    while (n > 0 && c->r->title[n] && ((uint8_t)c->r->title[n] & 0xC0) == 0x80)
        n--;                             /* do not cut a character in two */
    hm_buf_put(&c->out, c->r->title, n); /* a title is no template */
}

static void advice(struct compose *c)
{
    const struct hm_attack_tactic *t = first_tactic(c->r->tactics);
    if (t)
        hm_buf_puts(&c->out, c->ja ? t->advice_ja : t->advice);
}

static int fill(struct hm_arena *a, const struct hm_yaml *doc, const struct hm_rule *r, bool ja,
                void (*write)(struct compose *c), const char **text)
{
    struct compose c = {.doc = doc, .r = r, .ja = ja, .out = HM_BUF(TEXT_MAX)};
    if (*text && **text)
        return 0;
    write(&c);
    int e = c.out.error;
    if (!e && !(*text = hm_arena_strndup(a, c.out.data ? c.out.data : (uint8_t *)"", c.out.len)))
        e = -ENOMEM;
    hm_buf_done(&c.out);
    return e;
}

int hm_imported_words(struct hm_arena *a, const struct hm_yaml *doc, struct hm_rule *r)
{
    int e = fill(a, doc, r, true, title_ja, &r->title_ja);
    if (!e)
        e = fill(a, doc, r, false, reason, &r->reason);
    if (!e)
        e = fill(a, doc, r, true, reason, &r->reason_ja);
    if (!e)
        e = fill(a, doc, r, false, advice, &r->advice);
    return e ? e : fill(a, doc, r, true, advice, &r->advice_ja);
}
