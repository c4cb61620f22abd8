//! Zhenjiang's star rating (镇医保〔2024〕82号), clause by clause. Headings are the text's own numbers.
//!
//! The rated half-year is 2025-H2; 1年之内 is 2025-H1 and 2025-H2.

mod chain;
mod not_rated;

use medcredit::{
    domain::{Day, HalfYear},
    grading::Library,
    i18n::Lang,
    scoring::{
        Assessment, Decimal, Fact, Measures, Model, PageFormat, Part, describe_assessment, document_model, evaluate,
    },
};

pub const INSTITUTION: &str = "zhenjiang-institution";
pub const PHARMACY: &str = "zhenjiang-pharmacy";

/// The assessment of a subject with one event of each measure and day.
fn assessed(model: &str, events: &[(&str, &str)]) -> Assessment {
    let library = Library::shipped().unwrap();
    let in_force = library.get(model).unwrap();
    let facts = (1..).zip(events).map(|(nth, (measure, day))| Fact {
        measure: in_force.catalogue.place(measure).unwrap_or_else(|| panic!("no measure {measure}")),
        occurred_on: day.parse().unwrap(),
        value: Decimal(Decimal::ONE),
        source: "医保局".into(),
        reference: format!("R{nth}"),
        import_seq: 1,
    });
    let period: HalfYear = "2025-H2".parse().unwrap();
    let signed: Option<Day> = Some("2016-05-04".parse().unwrap());
    let lookback = in_force.model.lookback();
    let measures = Measures::collect(in_force.catalogue, period, lookback, signed, facts.collect()).unwrap();
    evaluate(in_force.model, &measures)
}

/// The grade, and the clause that gave it, which must be the same for an institution and for a pharmacy.
fn star(events: &[(&str, &str)]) -> (String, String) {
    let [one, other] = [INSTITUTION, PHARMACY].map(|model| {
        let assessment = assessed(model, events);
        assert_eq!(assessment.points, None, "stars are not points");
        let decisive = assessment.decisions.iter().find(|decision| decision.decides && decision.part == Part::Rule);
        (assessment.grade.clone(), decisive.unwrap().clause.clone())
    });
    assert_eq!(one, other);
    one
}

fn is(events: &[(&str, &str)], grade: &str, clause: &str) {
    assert_eq!(star(events), (grade.to_owned(), clause.to_owned()), "{events:?}");
}

const JANUARY: &str = "2025-01-01";
const JUNE: &str = "2025-06-30";
const DECEMBER: &str = "2025-12-31";

#[test]
fn 三_一_分为三个管理级别() {
    let library = Library::shipped().unwrap();
    for id in [INSTITUTION, PHARMACY] {
        let scheme = library.get(id).unwrap().model.scheme();
        let grades: Vec<_> = scheme.grade.iter().map(|grade| (grade.ordinal, grade.name_zh.as_str())).collect();
        assert_eq!(grades, [(1, "★★★级(信用优秀)"), (2, "★★级(信用一般)"), (3, "★级(失信)")]);
        assert!(scheme.grade.iter().all(|grade| grade.from.is_none()), "no points lead to a star");
    }
}

#[test]
fn 三_一_1_三星级_nothing_is_held_against_it_within_a_year() {
    is(&[], "three_stars", "三(一)1");
}

#[test]
fn 三_一_1_1_一年之内未发现违法违规情形() {
    is(&[("violation", JANUARY)], "two_stars", "三(一)2(1)");
    is(&[("violation", DECEMBER)], "two_stars", "三(一)2(1)");
    // The day before the year, and the day after the half-year.
    is(&[("violation", "2024-12-31")], "three_stars", "三(一)1");
    is(&[("violation", "2026-01-01")], "three_stars", "三(一)1");
}

#[test]
fn 三_一_1_2_一年之内无举报投诉情况() {
    // Any complaint, substantiated or not. The resulting grade is open in the text: two stars, marked as our reading.
    is(&[("complaint_received", JUNE)], "two_stars", "三(一)1(2), not met");
    is(&[("complaint_received", JUNE); 5], "two_stars", "三(一)1(2), not met");
    is(&[("complaint_received", "2024-12-31")], "three_stars", "三(一)1");
}

#[test]
fn 三_一_1_3_一年之内不存在任何协议违约情形() {
    is(&[("agreement_breach", JUNE)], "two_stars", "三(一)1(3), not met");
    is(&[("agreement_breach", JUNE), ("agreement_breach", DECEMBER)], "two_stars", "三(一)1(3), not met");
    is(&[("agreement_breach", "2024-12-31")], "three_stars", "三(一)1");
}

#[test]
fn 三_一_2_1_违法违规记录且不超过一次() {
    is(&[("violation", JUNE)], "two_stars", "三(一)2(1)");
}

#[test]
fn 三_一_2_2_被举报投诉并查实且不超过一次() {
    is(&[("complaint_substantiated", JUNE)], "two_stars", "三(一)2(2)");
    // The same complaint is on record as received too: it is not two.
    is(&[("complaint_received", JUNE), ("complaint_substantiated", JUNE)], "two_stars", "三(一)2(2)");
}

#[test]
fn 三_一_2_3_因药品价格明显异常被约谈不超过一次() {
    is(&[("price_interview", JUNE)], "two_stars", "三(一)2(3)");
}

#[test]
fn 三_一_2_one_of_each_is_still_two_stars() {
    // Each clause counts its own matter: not one of them is there twice.
    let one_each = [("violation", JUNE), ("complaint_substantiated", JUNE), ("price_interview", DECEMBER)];
    is(&one_each, "two_stars", "三(一)2(1)");
}

#[test]
fn 三_一_3_1_违法违规记录二次及以上() {
    is(&[("violation", JANUARY), ("violation", DECEMBER)], "one_star", "三(一)3(1)");
    is(&[("violation", JANUARY); 3], "one_star", "三(一)3(1)");
    // One of the two is older than a year.
    is(&[("violation", "2024-12-31"), ("violation", DECEMBER)], "two_stars", "三(一)2(1)");
}

/// 1年之内,有违法违规记录二次及以上的: an administrative penalty is such a record, whatever authority imposed it.
#[test]
fn 三_一_3_1_penalties_of_any_kind_are_违法违规记录() {
    for penalty in ["insurance_penalty", "market_penalty"] {
        is(&[(penalty, JUNE)], "two_stars", "三(一)2(1)");
        is(&[(penalty, JANUARY), (penalty, DECEMBER)], "one_star", "三(一)3(1)");
        is(&[(penalty, "2024-12-31"), (penalty, DECEMBER)], "two_stars", "三(一)2(1)");
    }
    is(&[("insurance_penalty", JUNE), ("market_penalty", DECEMBER)], "one_star", "三(一)3(1)");
    is(&[("insurance_penalty", JUNE), ("violation", DECEMBER)], "one_star", "三(一)3(1)");
    let health = assessed(INSTITUTION, &[("health_penalty", JUNE), ("insurance_penalty", JUNE)]);
    assert_eq!(health.grade, "one_star", "only institutions have penalties of the health commission");
}

/// 1年之内,不存在任何协议违约情形的: a sanction under the agreement follows from a breach of it.
#[test]
fn 三_一_1_3_a_sanction_under_the_agreement_is_协议违约() {
    is(&[("agreement_sanction", JUNE)], "two_stars", "三(一)1(3), not met");
    is(&[("agreement_sanction", JUNE), ("agreement_breach", JUNE)], "two_stars", "三(一)1(3), not met");
    is(&[("agreement_sanction", "2024-12-31")], "three_stars", "三(一)1");
}

#[test]
fn 三_一_3_2_被投诉举报并查实二次及以上() {
    is(&[("complaint_substantiated", JANUARY), ("complaint_substantiated", DECEMBER)], "one_star", "三(一)3(2)");
    // Complaints that were not found true do not add up with the one that was.
    let one_true = [("complaint_received", JUNE), ("complaint_received", JANUARY), ("complaint_substantiated", JUNE)];
    is(&one_true, "two_stars", "三(一)2(2)");
}

#[test]
fn 三_一_3_3_被医保部门约谈二次及以上() {
    is(&[("price_interview", JANUARY), ("price_interview", DECEMBER)], "one_star", "三(一)3(3)");
}

#[test]
fn 三_一_3_4_存在恶意欺诈骗保情形() {
    is(&[("fraud_finding", DECEMBER)], "one_star", "三(一)3(4)");
    is(&[("court_fraud_judgment", JANUARY)], "one_star", "三(一)3(4)");
}

#[test]
fn 三_一_3_5_存在不履行协议有关规定情形() {
    is(&[("agreement_nonperformance", DECEMBER)], "one_star", "三(一)3(5)");
}

#[test]
fn 三_一_3_6_其他严重违反医保相关法律法规及政策规定() {
    is(&[("serious_violation", DECEMBER)], "one_star", "三(一)3(6)");
}

#[test]
fn 三_一_3_names_no_time_in_4_to_6_so_their_year_is_our_reading_and_says_so() {
    let library = Library::shipped().unwrap();
    for id in [INSTITUTION, PHARMACY] {
        let file = library.get(id).unwrap().model.file();
        for open in ["fraud", "agreement_nonperformance", "serious_violations"] {
            let signal = file.signal(open).unwrap();
            let reason = signal.reason.as_deref().unwrap();
            assert!(reason.contains("names no time") && reason.contains("periods_back"), "{open}");
        }
    }
    is(&[("fraud_finding", "2024-12-31")], "three_stars", "三(一)1");
}

#[test]
fn every_rule_that_applies_is_listed_not_only_the_deciding_one() {
    let events = [("violation", JUNE), ("price_interview", JUNE), ("price_interview", DECEMBER)];
    let assessment = assessed(PHARMACY, &events);
    let decisions: Vec<_> = assessment.decisions.iter().map(|one| (one.clause.as_str(), one.decides)).collect();
    assert_eq!(decisions, [("三(一)3(3)", true), ("三(一)2(1)", false), ("三(一)2(3)", false)]);
    let library = Library::shipped().unwrap();
    let text = describe_assessment(library.get(PHARMACY).unwrap().model.file(), &assessment);
    for said in ["one_star ★级(失信)", "price_interviews is 2 (at least 2)", "R3, R2"] {
        assert!(said == "R3, R2" || text.contains(said), "{said}\n{text}");
    }
}

/// The window is on the page that is signed, with the reason that it is ours.
#[test]
fn 三_一_3_4_the_window_of_fraud_is_on_the_models_page() {
    let library = Library::shipped().unwrap();
    for id in [INSTITUTION, PHARMACY] {
        let found = library.get(id).unwrap();
        let page = document_model(found.model, found.catalogue, found.model.kind(), PageFormat::Markdown, Lang::Zh);
        let fraud = page.lines().find(|line| line.contains("恶意欺诈骗保 |")).unwrap();
        assert!(fraud.contains("自定") && fraud.contains("可修改 periods_back"), "{fraud}");
        assert!(page.contains("发布单位：镇江市医疗保障局。适用地区：镇江市。"), "{page}");
        assert!(page.contains("例外，仍参评：被解除服务协议"), "{page}");
    }
}

fn measures_of(model: &Model) -> Vec<(&str, u8, &str, &str)> {
    let all = model.file().consequence.iter();
    all.map(|of| (of.grade.as_str(), of.after_consecutive, of.source.as_deref().unwrap(), of.text_zh.as_str()))
        .collect()
}

#[test]
fn 三_二_实行分类监管() {
    let library = Library::shipped().unwrap();
    let text = [
        ("three_stars", 1, "三(二)1(1)", "在医疗保障部门官方网站等平台公开良好记录"),
        (
            "three_stars",
            1,
            "三(二)1(2)",
            "办理医疗保障业务时,可根据实际情况适当给予优先办理、简化程序、“容缺受理”等便利服务",
        ),
        ("three_stars", 1, "三(二)1(3)", "在每年监管工作中,降低日常监督检查频次,减少监督抽查频次"),
        // 被评为★★★级并保持连续二次以上.
        (
            "three_stars",
            2,
            "三(二)1(4)",
            "可结合我市医保监管实际工作情况,免于除举报投诉、部门移送、审计、国家及省局飞行检查等特定情形之外的日常监管检查",
        ),
        ("three_stars", 1, "三(二)1(5)", "法律法规、规章规定的其他激励措施"),
        ("two_stars", 1, "三(二)2(1)", "对其进行信用提醒、约谈,督促其停止失信行为并进行整改"),
        ("two_stars", 1, "三(二)2(2)", "将其列为一般监控和监督检查对象,监控其医保服务行为,适当增加检查频率和频次"),
        ("two_stars", 1, "三(二)2(3)", "作为法律法规重点培训教育对象、引导其规范行为"),
        ("two_stars", 1, "三(二)2(4)", "法律法规、规章规定的其他监管方式"),
        ("one_star", 1, "三(二)3(1)", "对其法定代表人(实际负责人)予以约谈或警示,限期整改有关问题并跟踪检查整改情况"),
        (
            "one_star",
            1,
            "三(二)3(2)",
            "未被解除协议的,将其列为市、辖市两级医保监管部门重点监控和监督检查对象,全面监控其医保服务行为,增加检查频率和频次",
        ),
        ("one_star", 1, "三(二)3(3)", "公开其违法违规行为记录,并按违法违规性质及情节,选择部分典型向社会披露"),
        (
            "one_star",
            1,
            "三(二)3(4)",
            "向卫生健康、市场监督管理等相关部门抄报,并与相关部门按规定程序对其开展失信联合惩戒",
        ),
        ("one_star", 1, "三(二)3(5)", "法律法规、规章规定的其他监管方式"),
    ];
    for id in [INSTITUTION, PHARMACY] {
        assert_eq!(measures_of(library.get(id).unwrap().model), text);
    }
}
