//! Texts of imports, runs and platforms.

use super::page_texts;

// Imports.
page_texts! {
    imports_title: "Imports", "数据归集";
    imports_lead: "Files of the bureau and of departments, latest first.", "医保部门与各委办局报送的数据文件，最新在前。";
    import_template: "Template", "模板";
    import_file: "File", "文件";
    import_rows: "Rows", "行数";
    import_started: "Started", "开始时间";
    import_ended: "Accepted", "入库时间";
    import_digest: "Digest of the file", "文件摘要";
    import_sender: "Sender", "报送方";
    import_operator: "an operator", "操作人员导入";
    import_replaced: "Its rows no longer count: another import replaced it.", "该文件已被后续文件替代，其数据不再生效。";
    import_findings: "Findings by code", "问题汇总";
    import_listed: "Findings by row", "问题明细";
    import_listed_note: "The first thousand. Values of the file are not shown.", "至多列出一千条，不显示文件中的具体数据。";
    import_no_findings: "The file was imported at the command line, which wrote its report beside the file; or nothing was found.", "文件由命令行导入，问题报告保存在文件旁；或未发现问题。";
    import_row: "Row", "行号";
    import_column: "Column", "列";
    import_severity: "Effect", "处理";
    severity_reject: "Row rejected", "整行退回";
    severity_warning: "Warning", "提示";
}

// Runs.
page_texts! {
    runs_title: "Grading runs", "评级批次";
    runs_lead: "Trials, rounds open to objections and rounds in force, latest first.", "试评、预评定与已发布的评级批次，最新在前。";
    run_model: "Model", "评价模型";
    run_made: "Made", "生成时间";
    run_published_at: "Published", "发布时间";
    run_valid_until: "Valid until", "有效期至";
    run_graded: "Graded", "评定等级";
    run_distribution: "Distribution of grades", "等级分布";
    run_distribution_chart(subjects): "{subjects} subjects by grade", "{subjects} 家主体的等级分布";
    run_share: "Share", "占比";
    run_grade: "Grade", "等级";
    run_movement(period): "Movement since {period}", "等级变动（较 {period}）";
    run_risen: "Risen", "上升";
    run_fallen: "Fallen", "下降";
    run_stayed: "Stayed", "不变";
    run_before_now: "Before in rows, now in columns", "上期等级（行）与本期等级（列）";
    run_digests: "Digests", "摘要";
    run_model_digest: "Model", "模型";
    run_input_digest: "Inputs", "输入";
    run_outcome_digest: "Results", "结果";
    run_publish: "Publish this run", "发布该批次";
    run_publish_text: "Banks read its grades from then on.", "发布后银行将查询到本批次的等级。";
    run_publish_button: "Propose publication", "提请发布";
    run_reasons: "Not rated, by reason", "不参评原因";
}

// Platforms.
page_texts! {
    platforms_title: "Platforms", "推送平台";
    platforms_lead: "Where packages of grades go, and what each platform answered.", "评级结果的推送对象及其反馈。";
    platform_carrier: "Carrier", "推送方式";
    platform_target: "Target", "推送地址";
    platform_sent: "Sent", "已推送";
    platform_accepted: "Accepted", "已接收";
    platform_rejected: "Rejected", "被退回";
    platform_waiting: "Not answered", "未反馈";
    platform_last_error: "Last error", "最近一次错误";
    platform_why_paused: "Paused because", "暂停原因";
    platform_packages: "Newest packages", "最近数据包";
    platform_package: "Package", "数据包";
    platform_cause: "Cause", "原因";
    platform_made: "Made", "生成时间";
    platform_pages_dead: "Pages given up", "放弃分页";
    platform_overdue: "Overdue", "逾期未反馈";
    platform_rejects: "Rejected rows", "被退回的记录";
    platform_record: "Record", "记录";
    platform_reject_reason: "Reason code", "退回代码";
    platform_dead: "Pages that were given up", "已放弃的分页";
    platform_page: "Page", "分页";
    platform_because: "Because", "原因";
    platform_pause: "Pause this platform", "暂停推送";
    platform_pause_text: "Nothing is delivered until it is resumed, which needs another person's approval.", "恢复前不再推送；恢复须经他人复核。";
    platform_pause_button: "Pause", "暂停";
    platform_resume: "Resume this platform", "恢复推送";
    platform_resume_button: "Propose to resume", "提请恢复";
    platform_redrive_text: "Pages that were given up can be delivered again, with the approval of another person.", "已放弃的分页可重新推送，须经他人复核。";
    platform_redrive_button: "Propose to deliver again", "提请重新推送";
    package_open: "Open", "未办结";
    package_closed: "Closed", "已办结";
}
