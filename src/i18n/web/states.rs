//! Words for the states of things.

use super::page_texts;

page_texts! {
    consent_pending: "Pending", "待确认";
    consent_active: "In force", "生效";
    consent_suspended: "Suspended", "已中止";
    consent_revoked: "Revoked", "已撤销";
    consent_expired: "Expired", "已到期";
    consent_superseded: "Replaced", "已被替代";
    consent_rejected: "Rejected", "已拒绝";
    import_accepted: "Accepted", "已入库";
    import_staging: "In progress", "处理中";
    import_discarding: "Being discarded", "作废中";
    import_discarded: "Discarded", "已作废";
    run_trial: "Trial", "试评";
    run_preassessment: "Open to objections", "预评定";
    run_published: "In force", "已发布";
    run_superseded: "Replaced", "已被取代";
    run_discarded: "Discarded", "已作废";
    platform_working: "Working", "正常";
    platform_failing: "Failing", "异常";
    platform_stopped: "Stopped", "已熔断";
    platform_paused: "Paused", "已暂停";
}
