/* See attack.h. */
#include "detect/attack.h"
#include "base/cleanup.h"
#include <stdlib.h>

static const struct hm_attack_technique techniques[] = {
#define T(id, name, name_ja) {id, name, name_ja},
#include "detect/attack.def"
#undef T
};

#define CONTAIN    "If nobody knows of it, isolate the endpoint; do not switch it off."
#define CONTAIN_JA "心当たりがなければ、電源は切らずに端末を隔離してください。"

static const struct hm_attack_tactic tactics[] = {
    {"reconnaissance", "Reconnaissance", "偵察",
     "Watch for what follows from the same source. " CONTAIN,
     "同じ発信元から次の動きがないか注意してください。" CONTAIN_JA},
    {"resource-development", "Resource Development", "攻撃の準備",
     "Ask the user of this machine whether this was planned work. " CONTAIN,
     "この端末の利用者に、予定した作業かどうかを確認してください。" CONTAIN_JA},
    {"initial-access", "Initial Access", "侵入",
     "Isolate the endpoint; do not switch it off. Keep the logs of the service it came through.",
     "電源は切らずに端末を隔離し、侵入口となったサービスのログを保全してください。"},
    {"execution", "Execution", "実行",
     "Ask the user of this machine whether this was planned work. If not, end the process tree.",
     "この端末の利用者に、予定した作業かどうかを確認してください。予定外であれば、プロセスツリーを"
     "停止"
     "してください。"},
    {"persistence", "Persistence", "居座り",
     "Look at what was changed. If nobody ordered it, keep a copy as evidence and then undo it.",
     "変更された内容を確認してください。依頼者がいなければ、証拠として写しを残してから元に戻してく"
     "ださ"
     "い。"},
    {"privilege-escalation", "Privilege Escalation", "権限昇格",
     "Ask the administrators whether this was planned work. " CONTAIN,
     "管理者に、予定した作業かどうかを確認してください。" CONTAIN_JA},
    {"defense-evasion", "Defense Evasion", "検知の回避",
     "Look at what else the same process tree did. " CONTAIN,
     "同じプロセスツリーが他に何をしたかを確認してください。" CONTAIN_JA},
    {"stealth", "Stealth", "潜伏", "Look at what else the same process tree did. " CONTAIN,
     "同じプロセスツリーが他に何をしたかを確認してください。" CONTAIN_JA},
    {"defense-impairment", "Defense Impairment", "防御の妨害",
     "Switch the protection on again, then look at what else the same process tree did.",
     "保護機能を元に戻し、同じプロセスツリーが他に何をしたかを確認してください。"},
    {"credential-access", "Credential Access", "認証情報の窃取",
     "If nobody knows of it, change the passwords and keys concerned, from another machine.",
     "心当たりがなければ、関係するパスワードと鍵を、別の端末から変更してください。"},
    {"discovery", "Discovery", "調査",
     "Planned work needs no action. If nobody knows of it, look at what started it.",
     "予定した作業であれば対応は不要です。心当たりがなければ、起動元を確認してください。"},
    {"lateral-movement", "Lateral Movement", "横展開",
     "If nobody knows of it, isolate this endpoint and look at the machine it reached too.",
     "心当たりがなければこの端末を隔離し、接続先の端末も確認してください。"},
    {"collection", "Collection", "情報の収集",
     "Ask the user of this machine whether this was planned work. " CONTAIN,
     "この端末の利用者に、予定した作業かどうかを確認してください。" CONTAIN_JA},
    {"command-and-control", "Command and Control", "遠隔操作",
     "Isolate the endpoint, then end the process tree. Do not switch the machine off.",
     "電源は切らないでください。端末を隔離し、続けてプロセスツリーを停止してください。"},
    {"exfiltration", "Exfiltration", "持ち出し",
     "Isolate the endpoint. Note what was sent where; if it held personal data, tell your data "
     "protection officer.",
     "端末を隔離し、何がどこへ送られたかを控えてください。個人情報が含まれる場合は、情報保護の担当"
     "者に報"
     "告してください。"},
    {"impact", "Impact", "影響",
     "Isolate the endpoint at once and disconnect network shares and backups; do not restore yet.",
     "直ちに端末を隔離し、共有フォルダーとバックアップを切り離してください。まだ復元はしないでくだ"
     "さい。"},
};

static int by_id(const void *key, const void *row)
{
    const struct hm_slice *id = key;
    const struct hm_attack_technique *t = row;
    int order = memcmp(id->p, t->id, id->len < strlen(t->id) ? id->len : strlen(t->id));
    return order ? order : (int)id->len - (int)strlen(t->id);
}

const struct hm_attack_technique *hm_attack_technique(struct hm_slice id)
{
    return bsearch(&id, techniques, HM_ARRAY_LEN(techniques), sizeof techniques[0], by_id);
}

const struct hm_attack_tactic *hm_attack_tactic(struct hm_slice id)
{
    for (size_t i = 0; i < HM_ARRAY_LEN(tactics); i++)
        if (hm_slice_eq(id, hm_slice_str(tactics[i].id)))
            return &tactics[i];
    return NULL;
}
