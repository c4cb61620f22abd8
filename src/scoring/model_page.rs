//! A model as a page for review and sign-off: the tree, every rule in words with where it comes from, and the measures it
//! needs with their providers.

use super::{
    catalogue::{Catalogue, MeasureForm, Publicity, UpdateFrequency},
    describe::{
        describe_chain_rule, describe_missing, describe_own_worse, describe_rule_when, describe_score, describe_signal,
        describe_value, describe_when,
    },
    model::{Basis, Level1, Model, ModelFile, Origin, ValueForm},
    page::Page,
    terms::Terms,
};
use crate::{
    domain::grade::NotRatedReason,
    i18n::{Lang, number, score as text},
};

/// The format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFormat {
    Markdown,
    /// Self-contained HTML.
    Html,
}

/// A model as a page in a language. `kind` is the name of the kind of subject that it rates.
pub fn document_model(model: &Model, catalogue: &Catalogue, kind: &str, format: PageFormat, lang: Lang) -> String {
    let file = model.file();
    let terms = Terms::of(lang, file).with_measures(catalogue);
    let mut page = Page::default();
    let title = text::doc_title(lang, &file.name_zh, &file.id, file.version);
    page.heading(1, &title);
    head(&mut page, file, kind, terms);
    for level1 in &file.level1 {
        tree(&mut page, level1, terms);
    }
    rules(&mut page, file, terms);
    limits(&mut page, file, terms);
    chain(&mut page, file, terms);
    consequences(&mut page, file, terms);
    measures(&mut page, file, catalogue, terms);
    // The page is signed on paper.
    for line in [text::sign_prepared(lang), text::sign_reviewed(lang), text::sign_approved(lang)] {
        page.paragraph(format!("{line} ____________________　{} ______________", text::sign_date(lang)));
    }
    match format {
        PageFormat::Markdown => page.markdown(),
        PageFormat::Html => page.html(&title, lang),
    }
}

fn basis(of: Origin<'_>, lang: Lang) -> String {
    match of.basis() {
        Basis::Published => text::doc_basis_published(lang, of.words_in(lang)),
        Basis::Default => text::doc_basis_default(lang, of.words_in(lang)),
    }
}

fn head(page: &mut Page, file: &ModelFile, kind: &str, terms: Terms<'_>) {
    let lang = terms.lang();
    let how =
        if file.by_points() { text::doc_total(lang, number(file.total)) } else { text::doc_by_rules(lang).to_owned() };
    let kind = if lang == Lang::Zh { kind } else { &file.kind };
    page.paragraph(text::doc_subject(lang, kind, how));
    if let (Some(provider), Some(region)) = (&file.provider_zh, &file.region_zh) {
        page.paragraph(text::doc_scope(lang, provider, region));
    }
    if let Some(published) = &file.published {
        page.paragraph(text::doc_published(lang, published.fields.join(text::doc_join(lang)), &published.source));
    }
    if let Some(default) = &file.default {
        let reason = default.reason_zh.as_ref().filter(|_| lang == Lang::Zh).unwrap_or(&default.reason);
        page.paragraph(text::doc_default(lang, default.fields.join(text::doc_join(lang)), reason));
    }
    let scheme = &file.scheme;
    page.heading(2, text::doc_scheme(lang, &scheme.name_zh, &scheme.id, scheme.version));
    page.paragraph(basis(scheme.origin(), lang));
    let grade = |grade: &super::model::Grade| {
        let from = match grade.from {
            Some(from) => text::doc_from(lang, number(from)),
            None if file.by_points() => text::doc_rest(lang).to_owned(),
            None => text::doc_by_rule(lang).to_owned(),
        };
        vec![grade.ordinal.to_string(), grade.code.clone(), grade.name_zh.clone(), from]
    };
    let heads = [text::doc_ordinal(lang), text::doc_code(lang), text::doc_name(lang), text::doc_condition(lang)];
    page.table(&heads, scheme.grade.iter().map(grade).collect());
    page.heading(2, text::doc_not_rated(lang));
    let not_rated = &file.not_rated;
    let mut reasons: Vec<_> = not_rated.reasons.iter().map(|reason| not_rated_in_words(*reason, lang)).collect();
    reasons.extend(not_rated.other.iter().map(|id| terms.measure(id)));
    let from = basis(not_rated.origin(), lang);
    page.paragraph(text::doc_not_rated_for(lang, reasons.join(text::doc_join(lang)), from));
    for exception in &not_rated.except {
        let case = not_rated_in_words(exception.case, lang);
        let when = describe_when(&exception.when, terms);
        page.paragraph(text::doc_rated_all_the_same(lang, case, when, basis(exception.origin(), lang)));
    }
}

/// A reason of not being rated, in words.
pub const fn not_rated_in_words(reason: NotRatedReason, lang: Lang) -> &'static str {
    match reason {
        NotRatedReason::AgreementUnderOneYear => text::under_one_year(lang),
        NotRatedReason::AgreementEndedBySubject => text::ended_by_subject(lang),
        NotRatedReason::AgreementEndedByBureau => text::ended_by_bureau(lang),
        NotRatedReason::LicenceSuspended => text::licence_suspended(lang),
        NotRatedReason::InsufficientData => text::insufficient_data(lang),
        NotRatedReason::Other => text::other_reason(lang),
    }
}

fn tree(page: &mut Page, level1: &Level1, terms: Terms<'_>) {
    let lang = terms.lang();
    page.heading(2, text::doc_level(lang, &level1.name_zh, number(level1.weight)));
    for level2 in &level1.level2 {
        page.heading(3, text::doc_level(lang, &level2.name_zh, number(level2.weight)));
        let rows = level2.indicator.iter().map(|of| {
            vec![
                of.no.to_string(),
                of.name_zh.clone(),
                number(of.weight),
                describe_value(&of.value, terms),
                describe_score(of, lang),
                describe_missing(of, lang),
                basis(of.origin(), lang),
            ]
        });
        let heads = [
            text::page_no(lang),
            text::page_indicator(lang),
            text::page_weight(lang),
            text::page_value(lang),
            text::doc_score(lang),
            text::doc_missing(lang),
            text::doc_basis(lang),
        ];
        page.table(&heads, rows.collect());
    }
}

fn rules(page: &mut Page, file: &ModelFile, terms: Terms<'_>) {
    let lang = terms.lang();
    if !file.signal.is_empty() {
        page.heading(2, text::doc_signals(lang));
    }
    let signals = file
        .signal
        .iter()
        .map(|of| vec![of.id.clone(), of.name_zh.clone(), describe_signal(of, terms), basis(of.origin(), lang)]);
    let heads = [text::doc_id(lang), text::doc_name(lang), text::page_value(lang), text::doc_basis(lang)];
    page.table(&heads, signals.collect());
    if !file.rule.is_empty() {
        page.heading(2, text::doc_rules(lang));
        page.paragraph(text::doc_rules_order(lang));
    }
    let rules = file.rule.iter().map(|of| {
        let when = describe_rule_when(of.when.as_ref(), terms);
        vec![of.clause.clone(), terms.grade(&of.grade).to_owned(), when, basis(of.origin(), lang)]
    });
    let heads = [text::doc_clause(lang), text::page_grade(lang), text::doc_condition(lang), text::doc_basis(lang)];
    page.table(&heads, rules.collect());
}

fn limits(page: &mut Page, file: &ModelFile, terms: Terms<'_>) {
    let lang = terms.lang();
    if !(file.veto.is_empty() && file.cap.is_empty()) {
        page.heading(2, text::doc_limits(lang));
    }
    let row = |part: &str, clause: &str, most: String, when, origin| {
        vec![part.to_owned(), clause.to_owned(), most, describe_when(when, terms), basis(origin, lang)]
    };
    let vetoes = file
        .veto
        .iter()
        .map(|of| row(text::part_veto(lang), &of.clause, terms.grade(&of.grade).to_owned(), &of.when, of.origin()));
    let caps = file.cap.iter().map(|of| {
        let grade = || terms.grade(of.grade.as_deref().unwrap_or_default()).to_owned();
        let most = of.at.map_or_else(grade, |at| text::doc_points(lang, number(at)));
        row(text::part_cap(lang), &of.clause, most, &of.when, of.origin())
    });
    let heads = [
        text::doc_sort(lang),
        text::doc_clause(lang),
        text::doc_at_most(lang),
        text::doc_condition(lang),
        text::doc_basis(lang),
    ];
    page.table(&heads, vetoes.chain(caps).collect());
}

fn chain(page: &mut Page, file: &ModelFile, terms: Terms<'_>) {
    let lang = terms.lang();
    let Some(chain) = &file.chain else { return };
    page.heading(2, text::doc_chain(lang));
    page.paragraph(text::doc_chain_counts(lang, terms.grade(&chain.counts), basis(chain.origin(), lang)));
    let mut rows: Vec<_> =
        chain.rule.iter().map(|of| vec![describe_chain_rule(chain, of, terms), basis(of.origin(), lang)]).collect();
    let own = &chain.own_worse;
    rows.push(vec![describe_own_worse(own.outcome, lang).to_owned(), basis(own.origin(), lang)]);
    page.table(&[text::part_rule(lang), text::doc_basis(lang)], rows);
}

fn consequences(page: &mut Page, file: &ModelFile, terms: Terms<'_>) {
    let lang = terms.lang();
    if !file.consequence.is_empty() {
        page.heading(2, text::doc_consequences(lang));
    }
    let rows = file.consequence.iter().map(|of| {
        let times = of.after_consecutive.to_string();
        vec![terms.grade(&of.grade).to_owned(), times, of.text_zh.clone(), basis(of.origin(), lang)]
    });
    let heads = [text::page_grade(lang), text::doc_consecutive(lang), text::doc_measure(lang), text::doc_basis(lang)];
    page.table(&heads, rows.collect());
}

fn measures(page: &mut Page, file: &ModelFile, catalogue: &Catalogue, terms: Terms<'_>) {
    let lang = terms.lang();
    page.heading(2, text::doc_collected(lang, catalogue.name_zh()));
    let mut rows = Vec::new();
    for measure in catalogue.measures() {
        let mut readers: Vec<String> = file
            .indicators()
            .filter(|of| reads(&of.indicator.value, &measure.id))
            .map(|of| of.indicator.no.to_string())
            .collect();
        let signals = file.signal.iter().filter(|of| reads(&of.value, &measure.id));
        readers.extend(signals.map(|of| terms.signal(&of.id).to_owned()));
        if file.not_rated.other.contains(&measure.id) {
            readers.push(text::doc_not_rated(lang).to_owned());
        }
        if readers.is_empty() {
            continue;
        }
        let category = catalogue.category(measure.category);
        rows.push(vec![
            measure.id.clone(),
            measure.name_zh.clone(),
            measure.unit.clone(),
            form(measure.form, lang).to_owned(),
            category.map(|of| of.name_zh.clone()).unwrap_or_default(),
            category.map(|of| of.provider_zh.clone()).unwrap_or_default(),
            category.map(|of| frequency(of.update_frequency, lang).to_owned()).unwrap_or_default(),
            category.map(|of| text::doc_months(lang, of.validity_months)).unwrap_or_default(),
            category.map(|of| publicity(of.publicity, lang).to_owned()).unwrap_or_default(),
            readers.join(text::doc_join(lang)),
        ]);
    }
    let heads = [
        text::doc_id(lang),
        text::doc_name(lang),
        text::doc_unit(lang),
        text::doc_form(lang),
        text::doc_category(lang),
        text::doc_provider(lang),
        text::doc_frequency(lang),
        text::doc_validity(lang),
        text::doc_publicity(lang),
        text::doc_used_by(lang),
    ];
    page.table(&heads, rows);
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

const fn form(form: MeasureForm, lang: Lang) -> &'static str {
    match form {
        MeasureForm::Flow => text::form_flow(lang),
        MeasureForm::Stock => text::form_stock(lang),
        MeasureForm::Event => text::form_event(lang),
    }
}

const fn frequency(frequency: UpdateFrequency, lang: Lang) -> &'static str {
    match frequency {
        UpdateFrequency::Month => text::every_month(lang),
        UpdateFrequency::Quarter => text::every_quarter(lang),
        UpdateFrequency::HalfYear => text::every_half_year(lang),
        UpdateFrequency::Year => text::every_year(lang),
    }
}

const fn publicity(publicity: Publicity, lang: Lang) -> &'static str {
    match publicity {
        Publicity::Public => text::publicity_public(lang),
        Publicity::Shared => text::publicity_shared(lang),
        Publicity::Query => text::publicity_query(lang),
        Publicity::Internal => text::publicity_internal(lang),
    }
}
