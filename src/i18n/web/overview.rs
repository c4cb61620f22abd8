//! Texts of the overview.

use super::page_texts;

page_texts! {
    overview_title: "Overview", "运行总览";
    overview_calls_hour: "Calls in the last hour", "近一小时调用";
    overview_refused_hour: "of them refused", "其中被拒绝";
    overview_answers_day: "Data answers today", "今日数据响应";
    overview_clients: "Active clients", "正常接入机构";
    overview_consents: "Consents in force", "生效授权";
    overview_clients_suspended(count): "{count} suspended", "已暂停 {count} 家";
    overview_consents_pending(count): "{count} pending", "待确认 {count} 份";
    overview_proposals: "Waiting for a decision", "待复核事项";
    overview_calls: "Calls of the last 24 hours", "近 24 小时调用";
    overview_calls_note(since): "Of this gateway, since {since}.", "本节点统计，自 {since} 起。";
    overview_calls_chart(answered, refused): "Calls by hour: {answered} answered and {refused} refused in 24 hours", "各小时调用次数：24 小时内成功 {answered} 次，拒绝 {refused} 次";
    overview_hour_words(hour, answered, refused): "{hour}: {answered} answered, {refused} refused", "{hour}：成功 {answered} 次，拒绝 {refused} 次";
    overview_answered: "Answered", "成功";
    overview_refused: "Refused", "拒绝";
    overview_hour: "Hour", "时段";
    overview_numbers: "The numbers as a table", "以表格查看";
    overview_refusals: "Refusals by code", "拒绝原因";
    overview_last_hour: "Last hour", "近一小时";
    overview_last_day: "Last 24 hours", "近 24 小时";
    overview_no_refusals: "No call was refused.", "没有被拒绝的调用。";
    overview_code: "Code", "代码";
    overview_expiring: "Certificates and keys that expire within 60 days", "60 日内到期的证书与密钥";
    overview_expires: "Expires", "到期时间";
    overview_days_left: "Days left", "剩余天数";
    overview_nothing_expires: "Nothing expires.", "没有即将到期的证书或密钥。";
    overview_platforms: "Platforms", "推送平台";
    overview_waiting: "Waiting", "待推送";
    overview_no_platforms: "No platform is configured.", "未配置推送平台。";
    overview_imports: "Newest imports", "最近归集";
    overview_runs: "Newest grading runs", "最近评级批次";
    overview_rejected: "Rejected", "不合格";
    overview_accepted: "Accepted", "入库";
    run_period: "Half-year", "评定期";
    run_subjects: "Subjects", "主体数";
    alert_not_ready(check): "The gateway is not ready: {check}", "网关未就绪：{check}";
}
