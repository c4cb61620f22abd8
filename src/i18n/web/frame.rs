//! Texts of every page: the frame, errors, and words for states.

use super::page_texts;

// The frame.
page_texts! {
    product: "Medcredit Gateway", "医保信用共享网关";
    console: "Administration", "管理控制台";
    skip_to_content: "Skip to the content", "跳到正文";
    menu: "Menu", "主导航";
    sign_out: "Sign out", "退出";
    preferences: "Display", "显示设置";
    large_type: "Large type", "大字版";
    normal_type: "Normal type", "标准字号";
    dark_colours: "Dark", "深色";
    light_colours: "Light", "浅色";
    system_colours: "Colours of the system", "跟随系统配色";
    zone_note: "Times are Beijing time (UTC+8).", "时间均为北京时间（东八区）。";
    entry_recorded(id): "Ledger entry {id}.", "台账记录 {id}。";
    show_entry: "Show the entry", "查看该记录";
    crumbs: "You are here", "当前位置";
}

// Navigation.
page_texts! {
    nav_overview: "Overview", "运行总览";
    nav_banks: "Banks and departments", "接入机构";
    nav_consents: "Consents", "授权管理";
    nav_subjects: "Subjects", "信用主体";
    nav_imports: "Imports", "数据归集";
    nav_runs: "Grading runs", "评级批次";
    nav_platforms: "Platforms", "推送平台";
    nav_ledger: "Ledger", "存证台账";
    nav_keys: "Keys and certificates", "密钥与证书";
    nav_operators: "Operators", "操作人员";
    nav_approvals: "Approvals", "复核审批";
    nav_settings: "Settings in force", "生效配置";
    group_business: "Business", "业务";
    group_security: "Security", "安全";
    group_system: "System", "系统";
}

// Errors.
page_texts! {
    error_summary: "Check what you entered", "请检查填写内容";
    error_not_found: "There is no such page or record", "页面或记录不存在";
    error_not_found_text: "It may have been removed, or the address is wrong.", "可能已被移除，或地址有误。";
    error_forbidden: "You may not do this", "无权进行此操作";
    error_forbidden_text: "Your roles do not include it. A security officer assigns roles.", "您的角色不包含该权限。角色由安全管理员分配。";
    error_origin: "The form was not sent from here", "表单来源不符";
    error_origin_text: "Open the page again and send the form from there.", "请重新打开页面后再提交。";
    error_limited: "Too many requests", "请求过于频繁";
    error_limited_text: "Wait a minute and try again.", "请稍候一分钟再试。";
    error_unavailable: "Not possible at the moment", "暂时无法办理";
    error_unavailable_text: "The gateway cannot do this safely now. Try again shortly.", "系统当前无法安全完成该操作，请稍后再试。";
    error_conflict: "The state has changed meanwhile", "状态已发生变化";
    error_invalid: "The request cannot be read", "请求无法识别";
    error_internal: "An internal error occurred", "系统内部错误";
    error_internal_text: "It was logged for the operator.", "错误已记入运行日志。";
    error_code(code): "Code: {code}", "错误代码：{code}";
    error_id(id): "Interaction id: {id}", "请求编号：{id}";
    error_back: "To the overview", "返回总览";
}

// Words that many pages use.
page_texts! {
    reason: "Reason", "理由";
    reason_hint: "Kept in the ledger for ever. Name no person.", "将永久记入台账，请勿写入个人信息。";
    reason_missing: "Enter a reason.", "请填写理由。";
    reason_wrong: "Use at most 500 characters on one line.", "理由不超过 500 字，且不得换行。";
    state: "State", "状态";
    name: "Name", "名称";
    kind: "Kind", "类别";
    id: "Id", "编号";
    all: "All", "全部";
    filter: "Filter", "筛选";
    search: "Search", "查询";
    next_page: "Next page", "下一页";
    first_page: "First page", "返回首页";
    pages: "Pages", "分页";
    none: "None.", "无。";
    nothing_found: "Nothing matches.", "没有符合条件的记录。";
    since: "Since", "起始时间";
    until: "Until", "截止时间";
    at: "Time", "时间";
    number_of: "Number", "数量";
}

// Messages after acts.
page_texts! {
    done_bank_suspended: "The client was suspended. Its next request is refused.", "已暂停该机构，其后续请求将被拒绝。";
    done_bank_resumed: "The client may call again.", "已恢复该机构的访问。";
    done_certificate_revoked: "The certificate was revoked. It is refused from now on.", "证书已吊销，即刻起不再受理。";
    done_consent_revoked: "The consent was revoked.", "授权已撤销。";
    done_consent_suspended: "The consent was suspended.", "授权已中止。";
    done_consent_resumed: "The consent is in force again.", "授权已恢复。";
    done_platform_paused: "Deliveries to the platform are paused.", "已暂停向该平台推送。";
    done_platform_resumed: "Deliveries to the platform continue.", "已恢复向该平台推送。";
    done_page_redriven: "The page is delivered again.", "该分页将重新推送。";
    done_session_ended: "The session was ended.", "该会话已结束。";
    done_signed_out: "You are signed out.", "您已退出。";
    done_enrolled: "Your account is ready. Sign in.", "账户已启用，请登录。";
    done_proposed: "The proposal was made. Another person decides on it.", "已提交复核，须由另一名人员审批。";
    done_approved: "The proposal was approved and carried out.", "已批准并执行。";
    done_rejected: "The proposal was rejected.", "已驳回。";
    done_withdrawn: "The proposal was withdrawn.", "已撤回。";
}
