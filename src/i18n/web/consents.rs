//! Texts of consents.

use super::page_texts;

// The list and the search.
page_texts! {
    consents_title: "Consents", "授权管理";
    consents_lead: "What subjects allow banks to read.", "信用主体授权银行查询其信用信息的全部记录。";
    consents_client: "Client (id)", "机构编号";
    consents_expires_before: "Ends before", "到期日早于";
    consents_id: "Consent or disclosure (id)", "授权编号或查询编号";
    consents_id_wrong: "There is no consent with this id, and no disclosure under one.", "没有该编号的授权，也没有该编号的查询记录。";
    consents_by_subject: "Search by subject", "按信用主体查询";
    consents_subject: "Code of the subject, or unified social credit code", "主体编码或统一社会信用代码";
    consents_found: "Consents of this subject", "该主体的授权";
    consents_bank: "Client", "机构";
    consents_product: "Product", "产品";
    consents_requested: "Requested", "申请时间";
    consents_expires: "Valid until", "有效期至";
    consents_day_wrong: "Enter a day such as 2026-07-31.", "请按 2026-07-31 的格式填写日期。";
    consents_enter_subject: "Enter a code.", "请输入编码。";
}

// One consent.
page_texts! {
    consent_title: "Consent", "授权";
    consent_terms: "Terms", "授权内容";
    consent_entity: "Entity", "主体";
    consent_codes: "Codes covered", "覆盖的主体编码";
    consent_permissions: "Permissions", "查询项目";
    consent_purposes: "Purposes", "用途";
    consent_period: "Months of data", "数据期间";
    consent_period_words(from, to): "{from} to {to}", "{from} 至 {to}";
    consent_reference: "Reference of the client", "机构业务号";
    consent_granted: "Granted", "授权时间";
    consent_request_ends: "To be granted before", "确认截止时间";
    consent_uses: "Answers so far", "已查询次数";
    consent_uses_words(used, most): "{used} of {most}", "{used} / {most}";
    consent_today: "today", "今日";
    consent_evidence: "Evidence", "授权凭证";
    consent_evidence_digest: "Digest of the signed text", "签署文本摘要";
    consent_evidence_version: "Version of the text", "文本版本";
    consent_evidence_signer: "Signed by", "签署人";
    consent_evidence_none: "Nothing is signed yet.", "尚未签署。";
    signer_representative: "Legal representative", "法定代表人";
    signer_agent: "Authorised agent", "授权代理人";
    consent_timeline: "History", "变更记录";
    consent_receipts: "Newest answers", "最近查询";
    consent_receipts_none: "Nothing was read yet.", "尚无查询。";
    consent_suspend_text: "The bank reads nothing until it is resumed.", "中止期间银行不能查询，可恢复。";
    consent_suspend_button: "Suspend", "中止";
    consent_revoke: "Revoke this consent", "撤销该授权";
    consent_revoke_text: "The bank reads nothing from now on. It cannot be undone.", "即刻起银行不能查询，且不可撤回。";
    consent_revoke_button: "Revoke", "撤销";
    event_requested: "Requested", "申请";
    event_granted: "Granted", "授予";
    event_suspended: "Suspended", "中止";
    event_resumed: "Resumed", "恢复";
    event_amended: "Amended", "变更";
    event_revoked: "Revoked", "撤销";
    event_expired: "Expired", "到期";
    event_superseded: "Replaced", "被替代";
    event_rejected: "Rejected", "拒绝";
    by_actor(actor, channel): "by {actor}, {channel}", "{actor}，{channel}";
    channel_api: "over the API", "经接口";
    channel_command_line: "at the command line", "经命令行";
    channel_console: "at the console", "经控制台";
    channel_portal: "at the portal", "经门户";
    channel_counter: "at a counter", "经窗口";
    channel_clock: "by the clock", "系统定时";
}
