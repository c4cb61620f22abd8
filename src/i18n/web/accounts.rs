//! Texts of sign-in, enrolment and the own account.

use super::page_texts;

// Sign-in.
page_texts! {
    sign_in_title: "Sign in", "登录";
    sign_in_lead: "For administrators of the gateway. Every act is recorded under your name.", "仅限本网关管理人员使用，所有操作均以实名记入台账。";
    user_name: "User name", "用户名";
    password: "Password", "口令";
    one_time_code: "Six-digit code", "六位动态验证码";
    one_time_code_hint: "From your authenticator app. A recovery code works once instead.", "由身份验证器应用生成；也可使用一次性恢复码。";
    sign_in: "Sign in", "登录";
    sign_in_refused: "Name, password or code is wrong.", "用户名、口令或验证码不正确。";
    sign_in_locked(until): "Too many attempts. Try again after {until}.", "尝试次数过多，请于 {until} 后再试。";
    enter_name: "Enter your user name.", "请输入用户名。";
    enter_password: "Enter your password.", "请输入口令。";
    enter_code: "Enter the code.", "请输入验证码。";
}

// Enrolment.
page_texts! {
    enrol_title: "Set up your account", "启用账户";
    enrol_lead(name): "Account {name}. This link works once.", "账户：{name}。本链接仅可使用一次。";
    enrol_until(until): "The link is valid until {until}.", "链接有效期至 {until}。";
    enrol_step_password: "1. Choose a password", "1. 设置口令";
    enrol_password_hint: "At least 12 characters. A sentence is easy to remember.", "至少 12 个字符，建议使用易记的短句。";
    enrol_step_app: "2. Add the account to your authenticator app", "2. 在身份验证器中添加账户";
    enrol_app_hint: "Scan the code, or type the secret.", "请扫描二维码，或手工输入密钥。";
    enrol_secret: "Secret", "密钥";
    enrol_step_code: "3. Enter the code that the app shows", "3. 输入验证器显示的验证码";
    enrol_submit: "Set up", "启用";
    enrol_qr: "QR code for the authenticator app", "身份验证器二维码";
    enrol_code_wrong: "The code does not fit. Check the clock of your phone, and enter the next code.", "验证码不正确，请核对手机时间后输入新的验证码。";
    password_short: "Use at least 12 characters. A few words that do not belong together are easy to remember.", "口令至少 12 个字符，可用几个不相关的词组成。";
    password_long: "Use at most 128 characters.", "口令不超过 128 个字符。";
    password_name: "Use a password that does not contain your name.", "口令不得包含您的用户名。";
    password_pattern: "Use a password that does not repeat itself or follow a row of letters, digits or keys.", "口令不得重复，也不得为连续的字母、数字或键位。";
    password_common: "Use a password that is harder to guess: this one is among the first that are tried.", "该口令过于常见，请更换。";
    enrol_gone: "This link is not valid", "链接无效";
    enrol_gone_text: "It was used, or it has expired. Ask a security officer for another.", "链接已使用或已过期，请联系安全管理员重新签发。";
    recovery_title: "Keep your recovery codes", "请妥善保存恢复码";
    recovery_text: "Each works once instead of the six-digit code. They are shown only now: print them or write them down.", "每个恢复码可代替动态验证码使用一次。恢复码仅显示这一次，请打印或抄录保存。";
    recovery_done: "I have kept them: sign in", "已保存，前往登录";
}

// The own account.
page_texts! {
    account_title: "My account", "我的账户";
    account_roles: "Roles", "角色";
    account_regions: "Regions", "辖区";
    all_regions: "All regions", "全部辖区";
    account_sessions: "Sessions", "登录会话";
    session_current: "This session", "当前会话";
    session_begun: "Signed in", "登录时间";
    session_seen: "Last seen", "最近活动";
    session_address: "Address", "来源地址";
    session_agent: "Browser", "浏览器";
    session_end: "End", "结束";
    session_end_of(address): "End the session of {address}", "结束来自 {address} 的会话";
    session_act: "Act", "操作";
}

// Roles.
page_texts! {
    role_system: "System administrator", "系统管理员";
    role_security: "Security officer", "安全管理员";
    role_audit: "Auditor", "审计管理员";
    role_consent_officer: "Consent officer", "授权经办";
    role_scoring_officer: "Scoring officer", "评级经办";
    role_push_officer: "Push officer", "推送经办";
    role_read_only: "Read-only", "只读";
}
