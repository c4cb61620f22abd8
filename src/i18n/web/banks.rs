//! Texts of clients: banks, departments, auditors and platforms.

use super::page_texts;

// The list.
page_texts! {
    banks_title: "Banks and departments", "接入机构";
    banks_lead: "Everybody who may call the gateway, by the certificate they are registered with.", "以登记证书识别的全部接入机构。";
    banks_name_begins: "Name contains", "名称包含";
    bank_registered: "Registered", "登记时间";
    bank_subject: "Certificate subject", "证书主题";
    kind_bank: "Bank", "银行";
    kind_department: "Department", "部门";
    kind_auditor: "Auditor", "审计方";
    kind_platform: "Platform", "平台";
    state_active: "Active", "正常";
    state_suspended: "Suspended", "已暂停";
    state_closed: "Closed", "已注销";
}

// One client.
page_texts! {
    bank_facts: "Registration", "登记信息";
    bank_since(at): "since {at}", "自 {at}";
    bank_authority: "Authority", "签发机构";
    bank_methods: "Authentication", "认证方式";
    bank_scopes: "Scopes", "权限范围";
    bank_signed: "Signed requests", "请求签名";
    bank_pending_limit: "Pending consent requests, at most", "待确认授权申请上限";
    signed_ignored: "Not checked", "不校验";
    signed_allowed: "Allowed", "允许";
    signed_required: "Required", "必须";
    bank_limits: "Limits", "限额";
    bank_limit: "Limit", "限额项";
    limit_burst: "Requests, burst", "突发请求";
    limit_sustained: "Requests, sustained", "持续请求";
    limit_deliveries: "Deliveries", "批量领取";
    bank_quota: "Quota", "额度";
    bank_window: "Window", "时间窗";
    seconds(count): "{count} s", "{count} 秒";
    bank_own_limit: "its own", "单独设置";
    bank_answers_day: "Answers in the last 24 hours", "近 24 小时数据响应";
    bank_answers_month: "Answers in the last 30 days", "近 30 日数据响应";
    bank_last_answer: "Last answer", "最近一次响应";
    bank_certificates: "Certificates", "证书";
    bank_certificates_none: "The gateway's authority has issued no certificate to it.", "本网关未向其签发证书。";
    certificate_valid_from: "Valid from", "生效时间";
    certificate_valid_to: "Valid to", "失效时间";
    certificate_serial: "Serial number", "序列号";
    certificate_revoke: "Revoke", "吊销";
    certificate_revoke_title: "Revoke a certificate", "吊销证书";
    certificate_valid: "Valid", "有效";
    certificate_revoked: "Revoked", "已吊销";
    certificate_expired: "Expired", "已过期";
    certificate_expiring: "Expires soon", "即将到期";
    bank_consents: "Consents", "授权情况";
    bank_consents_link: "Show its consents", "查看该机构的授权";
    bank_stop: "Suspend this client", "暂停该机构";
    bank_stop_text: "Effective immediately: the next request is refused, on open connections too. One person may do this; resuming needs another person's approval.", "立即生效：其后续请求（含已建立的连接）均被拒绝。暂停可由一人决定，恢复须经他人复核。";
    bank_stop_button: "Suspend", "暂停";
    bank_resume: "Let this client call again", "恢复该机构";
    bank_resume_button: "Propose to resume", "提请恢复";
    certificate_stop_text: "Effective with the next request of any connection. It cannot be undone.", "自下一次请求起生效，且不可撤回。";
}
