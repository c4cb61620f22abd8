//! Texts of the ledger, of keys and certificates, operators and settings.

use super::page_texts;

// The ledger.
page_texts! {
    ledger_title: "Ledger", "存证台账";
    ledger_lead: "The append-only record of every answer and every act.", "全部查询与操作的只增记录。";
    ledger_kind: "Kind of entry", "记录类别";
    ledger_id: "Entry (id)", "记录编号";
    ledger_client: "Answers to a client (id)", "向机构的响应（编号）";
    ledger_day: "Up to the day", "截至日期";
    ledger_entry: "Entry", "记录";
    ledger_what: "What", "内容";
    ledger_unsealed: "Not sealed yet", "尚未封存";
    ledger_sealed: "Sealed", "已封存";
    ledger_checkpoint: "Newest checkpoint", "最新检查点";
    ledger_no_checkpoint: "Nothing is sealed yet.", "尚无封存。";
    ledger_proof: "Proof of inclusion", "包含证明";
    ledger_proof_text(index, size): "Leaf {index} of a tree of {size}. It was computed and verified just now.", "树中第 {index} 个叶节点，树大小为 {size}；刚刚重新计算并验证通过。";
    ledger_proof_path: "Path", "证明路径";
    ledger_values: "Values", "内容";
    ledger_erased: "The values were erased. The entry is still proved.", "内容已依法删除，记录本身仍可证明。";
    ledger_text: "Entry as it was hashed", "参与计算的原文";
    ledger_no_such: "There is no entry with this id.", "没有该编号的记录。";
    kind_disclosure: "Answer", "数据响应";
    kind_delivery: "Delivery", "批量交付";
    kind_consent: "Consent", "授权变更";
    kind_operator: "Act", "操作";
    kind_approval: "Approval", "复核";
    kind_erasure: "Erasure", "删除";
}

// Keys and certificates.
page_texts! {
    keys_title: "Keys and certificates", "密钥与证书";
    keys_lead: "What signs, what was trusted, and what ends when.", "签名密钥、受信机构与到期日程。";
    keys_keys: "Signing keys", "签名密钥";
    key_purpose: "Purpose", "用途";
    key_created: "Created", "生成时间";
    key_retired: "Signs until", "停止签名";
    key_next: "Next", "待启用";
    key_active: "Active", "使用中";
    key_retired_state: "Retired", "已停用";
    key_revoked_state: "Revoked", "已吊销";
    purpose_token: "Access tokens", "访问令牌";
    purpose_answer: "Answers", "数据响应";
    purpose_ledger: "Checkpoints of the ledger", "台账检查点";
    purpose_authority: "Certification authority", "证书签发";
    keys_calendar: "Expiry of certificates", "证书到期日程";
    keys_authorities: "Authorities", "证书签发机构";
    authority_own: "Ours", "本网关";
    authority_former: "Ours, former", "本网关（原）";
    authority_partner: "Partner's", "合作方";
    authority_removed: "No longer trusted", "不再信任";
    authority_trusted: "Trusted", "受信任";
    certificate_profile: "Profile", "类型";
}

// Operators and settings.
page_texts! {
    operators_title: "Operators", "操作人员";
    operators_lead: "Accounts are made at the command line; their roles are approved by another person.", "账户由命令行创建，角色变更须经他人复核。";
    operator_roles: "Roles", "角色";
    operator_seen: "Last signed in", "最近登录";
    operator_active: "Active", "正常";
    operator_invited: "Invited", "待启用";
    operator_suspended: "Suspended", "已停用";
    settings_title: "Settings in force", "生效配置";
    settings_lead: "As this gateway was started. Secrets are files of their own and are not shown.", "本节点启动时的生效配置。密钥类内容单独存放，不在此显示。";
}
