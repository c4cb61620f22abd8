//! The tables of what each kind of subject reports.

use super::table::{
    Line,
    Rule::{Grows, Kept, Lost, Part, Rare, Stays, Times},
};

/// One yuan in fen, in ten-thousandths: for amounts per unit of another measure.
const YUAN: i64 = 100 * 10_000;

/// The measures of a kind, except scores and events. Kinds without a table have all their measures drawn alike.
pub(super) fn lines(kind: &str) -> &'static [Line] {
    match kind {
        "pharmacy" => PHARMACY,
        "doctor" => DOCTOR,
        "nurse" => NURSE,
        "pharmacist" => PHARMACIST,
        "agency" => AGENCY,
        "medical_company" => COMPANY,
        "employer" => EMPLOYER,
        "insured_person" => INSURED,
        _ => &[],
    }
}

const PHARMACY: &[Line] = &[
    ("profile_fields_required", Stays(45, 45)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("licensed_pharmacists", Stays(1, 3)),
    ("business_hours", Stays(2_000, 2_700)),
    ("pharmacist_hours", Kept("business_hours", 5_000)),
    ("visits", Grows(1_500, 9_000)),
    ("fund_used", Times("visits", 45 * YUAN, 120 * YUAN)),
    ("sales_revenue", Part("fund_used", 14_000, 26_000)),
    ("claimed_amount", Part("fund_used", 10_150, 10_350)),
    ("audit_rejected_visits", Lost("visits", 500)),
    ("audit_rejected_amount", Lost("claimed_amount", 500)),
    ("prescriptions_dispensed", Part("visits", 1_500, 3_500)),
    ("prescriptions_checked", Kept("prescriptions_dispensed", 7_000)),
    ("purchases_sampled", Stays(40, 200)),
    ("purchases_mismatched", Lost("purchases_sampled", 500)),
    ("stock_items_checked", Stays(300, 900)),
    ("stock_items_matched", Kept("stock_items_checked", 8_000)),
    ("price_items_monitored", Stays(60, 300)),
    ("price_items_abnormal", Lost("price_items_monitored", 1_000)),
    ("collective_items_listed", Stays(30, 120)),
    ("collective_items_stocked", Kept("collective_items_listed", 4_000)),
    ("training_required", Stays(4, 10)),
    ("training_attended", Kept("training_required", 4_000)),
];

const DOCTOR: &[Line] = &[
    ("profile_fields_required", Stays(30, 30)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("claims", Grows(300, 6_000)),
    ("fund_used", Times("claims", 60 * YUAN, 260 * YUAN)),
    ("medical_amount", Part("fund_used", 14_000, 20_000)),
    ("out_of_catalogue_amount", Lost("medical_amount", 2_500)),
    ("claims_reviewed", Part("claims", 200, 1_000)),
    ("claims_violating", Lost("claims_reviewed", 500)),
    ("reviewed_amount", Part("fund_used", 200, 1_000)),
    ("rejected_amount", Lost("reviewed_amount", 500)),
    ("prescriptions_reviewed", Stays(30, 200)),
    ("prescriptions_unreasonable", Lost("prescriptions_reviewed", 1_000)),
    ("records_checked", Stays(5, 40)),
    ("records_defective", Lost("records_checked", 2_000)),
    ("collective_class_quantity", Grows(200, 4_000)),
    ("collective_quantity", Kept("collective_class_quantity", 3_000)),
    ("training_required", Stays(10, 30)),
    ("training_attended", Kept("training_required", 4_000)),
    ("qualification_points", Rare(12)),
];

const NURSE: &[Line] = &[
    ("profile_fields_required", Stays(30, 30)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("nursing_items", Grows(2_000, 12_000)),
    ("fund_used", Times("nursing_items", 6 * YUAN, 18 * YUAN)),
    ("items_reviewed", Part("nursing_items", 100, 500)),
    ("items_unmatched", Lost("items_reviewed", 800)),
    ("reviewed_amount", Part("fund_used", 100, 500)),
    ("rejected_amount", Lost("reviewed_amount", 500)),
    ("consumables_used", Grows(20, 600)),
    ("consumables_scanned", Kept("consumables_used", 6_000)),
    ("ward_checks", Stays(10, 60)),
    ("ward_checks_failed", Lost("ward_checks", 1_000)),
    ("records_checked", Stays(5, 40)),
    ("records_defective", Lost("records_checked", 2_000)),
    ("training_required", Stays(10, 30)),
    ("training_attended", Kept("training_required", 4_000)),
    ("qualification_points", Rare(12)),
];

const PHARMACIST: &[Line] = &[
    ("profile_fields_required", Stays(30, 30)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("duty_hours_due", Stays(900, 1_100)),
    ("duty_hours_present", Kept("duty_hours_due", 6_000)),
    ("prescriptions_dispensed", Grows(1_500, 20_000)),
    ("prescriptions_checked", Kept("prescriptions_dispensed", 7_000)),
    ("fund_used", Times("prescriptions_dispensed", 50 * YUAN, 160 * YUAN)),
    ("checks_sampled", Stays(20, 100)),
    ("checks_missed", Lost("checks_sampled", 1_000)),
    ("purchases_sampled", Stays(20, 120)),
    ("purchases_mismatched", Lost("purchases_sampled", 500)),
    ("packs_dispensed", Part("prescriptions_dispensed", 15_000, 30_000)),
    ("packs_scanned", Kept("packs_dispensed", 6_000)),
    ("price_labels_checked", Stays(20, 100)),
    ("price_labels_wrong", Lost("price_labels_checked", 1_000)),
    ("training_required", Stays(10, 30)),
    ("training_attended", Kept("training_required", 4_000)),
    ("qualification_points", Rare(12)),
];

const AGENCY: &[Line] = &[
    ("profile_fields_required", Stays(40, 40)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("cases_closed", Grows(20_000, 300_000)),
    ("cases_closed_in_time", Kept("cases_closed", 8_000)),
    ("cases_reopened", Lost("cases_closed", 200)),
    ("fund_paid", Times("cases_closed", 300 * YUAN, 2_000 * YUAN)),
    ("settlements_due", Grows(2_000, 20_000)),
    ("settlements_in_time", Kept("settlements_due", 8_000)),
    ("payment_error_amount", Lost("fund_paid", 50)),
    ("recovery_due_amount", Part("fund_paid", 10, 60)),
    ("recovered_amount", Kept("recovery_due_amount", 4_000)),
    ("cases_sampled", Part("cases_closed", 150, 500)),
    ("rectification_due", Stays(5, 40)),
    ("rectification_done", Kept("rectification_due", 5_000)),
    ("disclosure_due", Stays(40, 40)),
    ("disclosure_done", Kept("disclosure_due", 6_000)),
    ("training_required", Stays(60, 400)),
    ("training_attended", Kept("training_required", 5_000)),
];

const COMPANY: &[Line] = &[
    ("profile_fields_required", Stays(50, 50)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("orders", Grows(200, 9_000)),
    ("orders_in_time", Kept("orders", 7_000)),
    ("order_amount", Times("orders", 800 * YUAN, 9_000 * YUAN)),
    ("agreed_quantity", Grows(5_000, 500_000)),
    ("supplied_quantity", Kept("agreed_quantity", 7_000)),
    ("price_items_monitored", Stays(20, 400)),
    ("price_items_abnormal", Lost("price_items_monitored", 1_000)),
    ("training_required", Stays(10, 80)),
    ("training_attended", Kept("training_required", 4_000)),
    ("batches_tested", Stays(20, 150)),
    ("batches_failed", Lost("batches_tested", 300)),
];

const EMPLOYER: &[Line] = &[
    ("profile_fields_required", Stays(25, 25)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("audited_headcount", Stays(5, 600)),
    ("declared_headcount", Kept("audited_headcount", 8_000)),
    ("changes_due", Stays(2, 60)),
    ("changes_in_time", Kept("changes_due", 7_000)),
    ("contribution_due_amount", Times("audited_headcount", 3_600 * YUAN, 7_200 * YUAN)),
    ("contribution_paid_amount", Kept("contribution_due_amount", 7_000)),
    ("arrears_amount", Lost("contribution_due_amount", 2_000)),
    ("audited_base_amount", Part("audited_headcount", 30_000 * YUAN, 60_000 * YUAN)),
    ("declared_base_amount", Kept("audited_base_amount", 7_000)),
    ("training_required", Stays(1, 4)),
    ("training_attended", Kept("training_required", 4_000)),
];

const INSURED: &[Line] = &[
    ("profile_fields_required", Stays(15, 15)),
    ("profile_fields_filled", Kept("profile_fields_required", 6_000)),
    ("changes_due", Stays(0, 2)),
    ("changes_in_time", Kept("changes_due", 0)),
    ("contribution_months_due", Stays(6, 6)),
    ("contribution_months_paid", Kept("contribution_months_due", 0)),
    ("card_uses", Grows(2, 60)),
    ("identity_checks", Stays(0, 8)),
    ("identity_mismatches", Lost("identity_checks", 2_000)),
    ("purchases", Grows(1, 30)),
    ("purchases_unexplained", Lost("purchases", 1_000)),
    ("refund_due_amount", Rare(5_000 * 100)),
    ("refund_returned_amount", Kept("refund_due_amount", 0)),
];
