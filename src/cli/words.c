/* The words of the API's enumerations in the reader's language. What --json prints and what
 * commands take stay the API's own words. */
#include "cli/cli.h"
#include <string.h>

static const struct {
    const char *word;
    struct hm_text shown;
} words[] = {
    {"critical", {"critical", "緊急"}},
    {"high", {"high", "高"}},
    {"medium", {"medium", "中"}},
    {"low", {"low", "低"}},
    {"informational", {"informational", "情報"}},
    /* endpoints */
    {"healthy", {"healthy", "正常"}},
    {"stale", {"stale", "遅延"}},
    {"silent", {"silent", "応答なし"}},
    {"revoked", {"revoked", "取り消し"}},
    {"none", {"none", "なし"}},
    {"pending", {"pending", "手続き中"}},
    {"isolated", {"isolated", "隔離中"}},
    /* stories */
    {"open", {"open", "未完了"}},
    {"closed", {"closed", "完了"}},
    /* exceptions */
    {"active", {"active", "有効"}},
    {"ended", {"ended", "終了"}},
    /* orders */
    {"kill", {"kill", "プロセス停止"}},
    {"isolate", {"isolate", "隔離"}},
    {"release", {"release", "隔離解除"}},
    {"drill", {"drill", "訓練"}},
    {"requested", {"requested", "受付"}},
    {"signed", {"signed", "署名済み"}},
    {"sent", {"sent", "送信済み"}},
    {"begun", {"begun", "実行中"}},
    {"done", {"done", "完了"}},
    {"refused", {"refused", "拒否"}},
    {"failed", {"failed", "失敗"}},
    {"expired", {"expired", "期限切れ"}},
    /* feeds of indicators */
    {"loaded", {"loaded", "取り込み可"}},
    {"duplicate", {"duplicate", "重複"}},
    {"malformed", {"malformed", "形式エラー"}},
    {"unsupported", {"unsupported", "対象外"}},
    {"warned", {"warned", "警告リスト該当"}},
    {"ignored", {"ignored", "除外"}},
    {"cut-off", {"cut off", "途中で終了"}},
    {"over-limit", {"over limit", "上限超過"}},
    /* content */
    {"canary", {"canary", "カナリア"}},
    {"early", {"early", "先行"}},
    {"all", {"all", "全体"}},
    {"idle", {"idle", "なし"}},
    {"returning", {"returning", "取り消し中"}},
    {"active", {"active", "適用中"}},
    {"reverted", {"reverted", "取り消し"}},
    {"unknown", {"unknown", "不明"}},
    /* alert states keep their code, which `hinomi state` takes */
    {"NEW", {"NEW", "新規 NEW"}},
    {"TRIAGE", {"TRIAGE", "確認中 TRIAGE"}},
    {"FALSE_POSITIVE", {"FALSE_POSITIVE", "誤検知 FALSE_POSITIVE"}},
    {"BENIGN", {"BENIGN", "問題なし BENIGN"}},
    {"DUPLICATE", {"DUPLICATE", "重複 DUPLICATE"}},
    {"WATCH", {"WATCH", "経過観察 WATCH"}},
    {"CONFIRMED", {"CONFIRMED", "確定 CONFIRMED"}},
    {"NOTIFIED", {"NOTIFIED", "通報済み NOTIFIED"}},
    {"CONTAINED", {"CONTAINED", "封じ込め済み CONTAINED"}},
    {"INVESTIGATING", {"INVESTIGATING", "調査中 INVESTIGATING"}},
    {"ERADICATED", {"ERADICATED", "除去済み ERADICATED"}},
    {"RECOVERED", {"RECOVERED", "復旧済み RECOVERED"}},
    {"FIX_PENDING", {"FIX_PENDING", "恒久対処待ち FIX_PENDING"}},
    {"VERIFIED", {"VERIFIED", "確認済み VERIFIED"}},
    {"CLOSED", {"CLOSED", "完了 CLOSED"}},
};

const char *hm_word(const struct hm_cli *c, const char *word)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return hm_text(&words[i].shown, c->lang);
    return word;
}
