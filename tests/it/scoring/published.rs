//! The Wenzhou institution model is the published one: names, tree, weights and grades.

use super::institution;

/// Number, first level and its weight, second level and its weight, indicator and its weight, as published in
/// 温州市医保局“医保信用数字监管”应用, 表2.
const PUBLISHED: &[(u16, &str, i64, &str, i64, &str, i64)] = &[
    (1, "基础评价", 30, "基础信息", 30, "信息完整性", 10),
    (2, "基础评价", 30, "基础信息", 30, "医保年限", 20),
    (3, "自律评价", 110, "自律信息", 80, "自查自纠", 50),
    (4, "自律评价", 110, "自律信息", 80, "行业自律", 30),
    (5, "自律评价", 110, "学习培训", 30, "学习培训", 30),
    (6, "协议评价", 580, "内部管理", 60, "信息化建设", 20),
    (7, "协议评价", 580, "内部管理", 60, "财务管理", 20),
    (8, "协议评价", 580, "内部管理", 60, "监控设备管理", 20),
    (9, "协议评价", 580, "队伍建设", 60, "中高级职称医师床位比", 20),
    (10, "协议评价", 580, "队伍建设", 60, "中高级职称护士床位比", 20),
    (11, "协议评价", 580, "队伍建设", 60, "医保专家", 20),
    (12, "协议评价", 580, "履约能力", 260, "当期审核违规人次占比", 40),
    (13, "协议评价", 580, "履约能力", 260, "当期审核违规金额占比", 60),
    (14, "协议评价", 580, "履约能力", 260, "当期协议处理", 60),
    (15, "协议评价", 580, "履约能力", 260, "历史协议处理", 20),
    (16, "协议评价", 580, "履约能力", 260, "外伤管理", 30),
    (17, "协议评价", 580, "履约能力", 260, "政策宣传", 20),
    (18, "协议评价", 580, "履约能力", 260, "医保考核", 30),
    (19, "协议评价", 580, "集采信息", 60, "药品耗材招采完成率", 20),
    (20, "协议评价", 580, "集采信息", 60, "药品耗材集采结算率", 40),
    (21, "协议评价", 580, "基金绩效", 140, "医保基金使用增长率", 30),
    (22, "协议评价", 580, "基金绩效", 140, "医保服务人次增长率", 30),
    (23, "协议评价", 580, "基金绩效", 140, "医保基金占比增长率", 20),
    (24, "协议评价", 580, "基金绩效", 140, "CMI值增长率", 20),
    (25, "协议评价", 580, "基金绩效", 140, "短期再入院率增长率", 20),
    (26, "协议评价", 580, "基金绩效", 140, "DRG费用消耗指数增长率", 20),
    (27, "行政评价", 180, "医保行政管理", 80, "当期医保行政处罚", 60),
    (28, "行政评价", 180, "医保行政管理", 80, "历史医保行政处罚", 20),
    (29, "行政评价", 180, "卫健行政管理", 60, "卫健考核", 20),
    (30, "行政评价", 180, "卫健行政管理", 60, "当期卫健行政处罚", 30),
    (31, "行政评价", 180, "卫健行政管理", 60, "历史卫健行政处罚", 10),
    (32, "行政评价", 180, "市监行政管理", 40, "当期市监行政处罚", 30),
    (33, "行政评价", 180, "市监行政管理", 40, "历史市监行政处罚", 10),
    (34, "公共评价", 100, "荣誉信息", 30, "表彰奖励", 30),
    (35, "公共评价", 100, "满意度", 20, "患者满意度", 20),
    (36, "公共评价", 100, "公共信用", 50, "省社会信用评分", 50),
];

/// Number, name and provider, as published in 表1.
const CATEGORIES: &[(u16, &str, &str)] = &[
    (1, "专家资格信息", "医保局"),
    (2, "人员床位数量统计信息", "医疗机构"),
    (3, "稽核处罚信息", "医保局"),
    (4, "工作量统计信息", "医保局"),
    (5, "审核剔除统计信息", "医保局"),
    (6, "参保人满意度信息", "卫健委"),
    (7, "卫健委行政处罚信息", "卫健委"),
    (8, "打分信息", "医保局"),
    (9, "医保考核信息", "医保局"),
    (10, "药品耗材集采结算率统计信息", "医保局"),
    (11, "卫健考核信息", "卫健委"),
    (12, "医保表彰信息", "医保局"),
    (13, "卫健表彰信息", "卫健委"),
    (14, "行业自律考核信息", "行业协会"),
    (15, "药品耗材招采结算率统计信息", "医保局"),
    (16, "机构类社会公共信用分", "发改委"),
    (17, "法院欺诈骗保法人或其他组织信息", "中级人民法院"),
    (18, "法院失信被执行人法人或其他组织信息", "中级人民法院"),
    (19, "市监行政处罚信息", "市监局"),
    (20, "两定医药机构信息", "医保局"),
    (21, "医保行政处罚信息", "医保局"),
    (22, "短期在入院率信息", "医保局"),
    (23, "DRG信息", "医保局"),
];

#[test]
fn every_indicator_is_the_published_one() {
    let model = institution();
    let ours: Vec<_> = model
        .indicators()
        .map(|placed| {
            let points = |points: medcredit::scoring::Points| {
                assert_eq!(points.0 % 1000, 0, "the published weights are whole points");
                points.0 / 1000
            };
            (
                placed.indicator.no,
                placed.level1.name_zh.as_str(),
                points(placed.level1.weight),
                placed.level2.name_zh.as_str(),
                points(placed.level2.weight),
                placed.indicator.name_zh.as_str(),
                points(placed.indicator.weight),
            )
        })
        .collect();
    assert_eq!(ours, PUBLISHED);
    assert_eq!(model.file().level1.len(), 5);
    assert_eq!(model.file().total.0, 1_000_000);
}

#[test]
fn the_five_grades_are_the_published_ones() {
    let model = institution();
    let grades: Vec<_> = model
        .scheme()
        .grade
        .iter()
        .map(|grade| (grade.name_zh.as_str(), grade.ordinal, grade.from.map(|from| from.0 / 1000)))
        .collect();
    let published = [
        ("优秀", 1, Some(850)),
        ("良好", 2, Some(800)),
        ("中等", 3, Some(750)),
        ("较差", 4, Some(700)),
        ("差", 5, None),
    ];
    assert_eq!(grades, published);
}

#[test]
fn every_category_is_the_published_one() {
    let catalogue = super::catalogue();
    let ours: Vec<_> = catalogue
        .categories()
        .iter()
        .map(|category| {
            assert_eq!(category.region_zh, "温州市");
            assert_eq!(category.update_frequency, medcredit::scoring::UpdateFrequency::HalfYear);
            (category.no, category.name_zh.as_str(), category.provider_zh.as_str())
        })
        .collect();
    assert_eq!(ours, CATEGORIES);
    for category in catalogue.categories() {
        let measured = catalogue.measures().iter().any(|measure| measure.category == category.no);
        assert!(measured, "{} carries no measure", category.name_zh);
    }
}

#[test]
fn every_rule_has_an_origin() {
    use medcredit::scoring::Basis;
    for placed in institution().indicators() {
        let indicator = placed.indicator;
        let said = match indicator.basis {
            Basis::Published => &indicator.source,
            Basis::Default => &indicator.reason,
        };
        assert!(said.as_deref().is_some_and(|text| text.len() > 20), "{} does not say", indicator.name_zh);
    }
}
