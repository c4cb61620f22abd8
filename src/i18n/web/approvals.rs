//! Texts of proposals, which another operator decides.

use super::page_texts;

page_texts! {
    approvals_title: "Approvals", "复核审批";
    approvals_lead: "Acts that one person proposes and another decides.", "由一人提请、另一人复核的事项。";
    approvals_waiting: "Waiting", "待处理";
    approvals_all: "All", "全部";
    approvals_none: "Nothing waits.", "没有待处理事项。";
    proposal_needed: "Another person has to approve this before it is done.", "该操作须经另一名人员复核后执行。";
    proposal_act: "Act", "事项";
    proposal_target: "About", "对象";
    proposal_by: "Proposed by", "提请人";
    proposal_at: "Proposed", "提请时间";
    proposal_until: "To be decided until", "复核截止";
    proposal_difference: "What will differ", "变更内容";
    proposal_decided_by: "Decided by", "复核人";
    proposal_decision: "Reason of the decision", "复核意见";
    proposal_executed: "Carried out", "执行时间";
    proposal_decide: "Decide", "复核";
    proposal_own: "You proposed this: another person decides. You can withdraw it.", "该事项由您提请，须由他人复核；您可以撤回。";
    proposal_not_yours: "Your roles do not include deciding on this.", "您的角色不能复核该事项。";
    proposal_approve: "Approve and carry out", "批准并执行";
    proposal_reject: "Reject", "驳回";
    proposal_withdraw: "Withdraw", "撤回";
    proposal_execute: "Carry out", "执行";
    proposal_execute_text: "It was approved and is not carried out yet.", "已批准，尚未执行。";
    proposal_open: "Waiting", "待复核";
    proposal_approved: "Approved", "已批准";
    proposal_rejected: "Rejected", "已驳回";
    proposal_withdrawn: "Withdrawn", "已撤回";
    proposal_state_executed: "Carried out", "已执行";
    proposal_expired: "Expired", "已过期";
    proposal_broken_glass: "Done by one person alone", "单人紧急执行";
    act_register_client: "Register a client", "登记机构";
    act_resume_client: "Resume a client", "恢复机构";
    act_publish_run: "Publish a run", "发布评级批次";
    act_rotate_key: "Rotate a key", "轮换密钥";
    act_activate_key: "Activate a key", "启用密钥";
    act_resume_platform: "Resume a platform", "恢复推送平台";
    act_redrive_dead: "Deliver pages again", "重新推送分页";
    act_create_operator: "Create an operator", "新增操作人员";
    act_set_roles: "Change roles", "变更角色";
    act_resume_operator: "Resume an operator", "恢复操作人员";
    operator_link_title: "Link for the new operator", "新操作人员启用链接";
    operator_link_text: "Shown only now: hand it over in person. Who opens it first has the account.", "链接仅显示这一次，请当面转交；首个使用者即为账户持有人。";
}
