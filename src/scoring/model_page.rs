//! A model as a page for review and sign-off: the tree, every rule in words with where it comes from, and the measures it
//! needs with their providers.

use super::{
    catalogue::{Catalogue, MeasureForm, Publicity, UpdateFrequency},
    describe::{
        describe_chain_rule, describe_missing, describe_own_worse, describe_score, describe_signal, describe_value,
        describe_when,
    },
    model::{Basis, Level1, Model, ModelFile, Origin, ValueForm},
    page::Page,
};

/// The format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFormat {
    Markdown,
    /// Self-contained HTML.
    Html,
}

/// A model as a page.
pub fn document_model(model: &Model, catalogue: &Catalogue, format: PageFormat) -> String {
    let file = model.file();
    let mut page = Page::default();
    let title = format!("{} ({} 第{}版)", file.name_zh, file.id, file.version);
    page.heading(1, &title);
    head(&mut page, file);
    for level1 in &file.level1 {
        tree(&mut page, level1);
    }
    rules(&mut page, file);
    limits(&mut page, file);
    chain(&mut page, file);
    consequences(&mut page, file);
    measures(&mut page, file, catalogue);
    match format {
        PageFormat::Markdown => page.markdown(),
        PageFormat::Html => page.html(&title),
    }
}

fn basis(of: Origin<'_>) -> String {
    let word = match of.basis() {
        Basis::Published => "公开",
        Basis::Default => "自定",
    };
    format!("{word}: {}", of.words())
}

fn head(page: &mut Page, file: &ModelFile) {
    let how = if file.by_points() { format!("总分 {}", file.total) } else { "按规则定级, 不计分".to_owned() };
    page.paragraph(format!("评价对象: {}。{how}。", file.kind));
    if let (Some(provider), Some(region)) = (&file.provider_zh, &file.region_zh) {
        page.paragraph(format!("发布单位: {provider}。适用地区: {region}。"));
    }
    if let Some(published) = &file.published {
        page.paragraph(format!("公开内容 ({}): {}", published.fields.join(", "), published.source));
    }
    if let Some(default) = &file.default {
        page.paragraph(format!("自定内容 ({}): {}", default.fields.join(", "), default.reason));
    }
    let scheme = &file.scheme;
    page.heading(2, format!("等级: {} ({} 第{}版)", scheme.name_zh, scheme.id, scheme.version));
    page.paragraph(basis(scheme.origin()));
    let grade = |grade: &super::model::Grade| {
        let from = match grade.from {
            Some(from) => format!("{from} 分起"),
            None if file.by_points() => "其余".to_owned(),
            None => "按规则".to_owned(),
        };
        vec![grade.ordinal.to_string(), grade.code.clone(), grade.name_zh.clone(), from]
    };
    page.table(&["次序", "代码", "名称", "条件"], scheme.grade.iter().map(grade).collect());
    page.heading(2, "不参评");
    let not_rated = &file.not_rated;
    let mut reasons: Vec<_> = not_rated.reasons.iter().map(|reason| reason.as_str()).collect();
    reasons.extend(not_rated.other.iter().map(String::as_str));
    page.paragraph(format!("{} ({})", reasons.join(", "), basis(not_rated.origin())));
    for exception in &not_rated.except {
        let (case, when) = (exception.case.as_str(), describe_when(&exception.when));
        page.paragraph(format!("例外, 仍参评: {case}, {when} ({})", basis(exception.origin())));
    }
}

fn tree(page: &mut Page, level1: &Level1) {
    page.heading(2, format!("{} ({} 分)", level1.name_zh, level1.weight));
    for level2 in &level1.level2 {
        page.heading(3, format!("{} ({} 分)", level2.name_zh, level2.weight));
        let rows = level2.indicator.iter().map(|of| {
            vec![
                of.no.to_string(),
                of.name_zh.clone(),
                of.weight.to_string(),
                describe_value(&of.value),
                describe_score(of),
                describe_missing(of),
                basis(of.origin()),
            ]
        });
        page.table(&["序号", "指标", "分值", "取值", "计分", "缺失", "依据"], rows.collect());
    }
}

fn rules(page: &mut Page, file: &ModelFile) {
    if !file.signal.is_empty() {
        page.heading(2, "信号");
    }
    let signals = file.signal.iter().map(|of| {
        let from = basis(of.origin());
        vec![of.id.clone(), of.name_zh.clone(), describe_signal(of), from]
    });
    page.table(&["代号", "名称", "取值", "依据"], signals.collect());
    if !file.rule.is_empty() {
        page.heading(2, "定级规则");
        page.paragraph("依次判断, 首个成立的规则定级。");
    }
    let rules = file.rule.iter().map(|of| {
        let when = of.when.as_ref().map_or_else(|| "in every other case".to_owned(), describe_when);
        vec![of.clause.clone(), of.grade.clone(), when, basis(of.origin())]
    });
    page.table(&["条款", "等级", "条件", "依据"], rules.collect());
}

fn limits(page: &mut Page, file: &ModelFile) {
    if !(file.veto.is_empty() && file.cap.is_empty()) {
        page.heading(2, "封顶与一票否决");
    }
    let vetoes = file.veto.iter().map(|of| {
        let from = basis(of.origin());
        vec!["一票否决".to_owned(), of.clause.clone(), of.grade.clone(), describe_when(&of.when), from]
    });
    let caps = file.cap.iter().map(|of| {
        let most = of.at.map_or_else(|| of.grade.clone().unwrap_or_default(), |at| format!("{at} 分"));
        let from = basis(of.origin());
        vec!["封顶".to_owned(), of.clause.clone(), most, describe_when(&of.when), from]
    });
    page.table(&["类别", "条款", "至多", "条件", "依据"], vetoes.chain(caps).collect());
}

fn chain(page: &mut Page, file: &ModelFile) {
    let Some(chain) = &file.chain else { return };
    page.heading(2, "连锁规则");
    page.paragraph(format!("按同轮评为 {} 的分店数。{}", chain.counts, basis(chain.origin())));
    let mut rows: Vec<_> = chain
        .rule
        .iter()
        .map(|of| {
            let from = basis(of.origin());
            vec![describe_chain_rule(chain, of), from]
        })
        .collect();
    let own = &chain.own_worse;
    rows.push(vec![describe_own_worse(own.outcome).to_owned(), basis(own.origin())]);
    page.table(&["规则", "依据"], rows);
}

fn consequences(page: &mut Page, file: &ModelFile) {
    if !file.consequence.is_empty() {
        page.heading(2, "分类监管措施");
    }
    let rows = file.consequence.iter().map(|of| {
        let from = basis(of.origin());
        vec![of.grade.clone(), of.after_consecutive.to_string(), of.text_zh.clone(), from]
    });
    page.table(&["等级", "连续次数", "措施", "依据"], rows.collect());
}

fn measures(page: &mut Page, file: &ModelFile, catalogue: &Catalogue) {
    page.heading(2, format!("采集项: {}", catalogue.name_zh()));
    let mut rows = Vec::new();
    for measure in catalogue.measures() {
        let mut readers: Vec<String> = file
            .indicators()
            .filter(|of| reads(&of.indicator.value, &measure.id))
            .map(|of| of.indicator.no.to_string())
            .collect();
        readers.extend(file.signal.iter().filter(|of| reads(&of.value, &measure.id)).map(|of| of.id.clone()));
        if file.not_rated.other.contains(&measure.id) {
            readers.push("不参评".to_owned());
        }
        if readers.is_empty() {
            continue;
        }
        let category = catalogue.category(measure.category);
        rows.push(vec![
            measure.id.clone(),
            measure.name_zh.clone(),
            measure.unit.clone(),
            form(measure.form).to_owned(),
            category.map(|of| of.name_zh.clone()).unwrap_or_default(),
            category.map(|of| of.provider_zh.clone()).unwrap_or_default(),
            category.map(|of| frequency(of.update_frequency).to_owned()).unwrap_or_default(),
            category.map(|of| format!("{} 个月", of.validity_months)).unwrap_or_default(),
            category.map(|of| publicity(of.publicity).to_owned()).unwrap_or_default(),
            readers.join(", "),
        ]);
    }
    page.table(
        &["代号", "名称", "单位", "形式", "信息类别", "提供单位", "更新频率", "有效期", "公开属性", "用于"],
        rows,
    );
}

fn reads(value: &ValueForm, id: &str) -> bool {
    let has = |ids: &[String]| ids.iter().any(|of| of == id);
    match value {
        ValueForm::Measure(measure) => measure == id,
        ValueForm::Ratio { numerator, denominator } => has(numerator) || has(denominator),
        ValueForm::Growth { of } | ValueForm::PeerPercentile { of, .. } => reads(of, id),
        ValueForm::Count { measures, .. } => has(measures),
        ValueForm::Age { .. } => false,
    }
}

const fn form(form: MeasureForm) -> &'static str {
    match form {
        MeasureForm::Flow => "合计",
        MeasureForm::Stock => "期末值",
        MeasureForm::Event => "事件",
    }
}

const fn frequency(frequency: UpdateFrequency) -> &'static str {
    match frequency {
        UpdateFrequency::Month => "每月",
        UpdateFrequency::Quarter => "每季度",
        UpdateFrequency::HalfYear => "每半年",
        UpdateFrequency::Year => "每年",
    }
}

const fn publicity(publicity: Publicity) -> &'static str {
    match publicity {
        Publicity::Public => "公开",
        Publicity::Shared => "政务共享",
        Publicity::Query => "查询",
        Publicity::Internal => "内部",
    }
}
