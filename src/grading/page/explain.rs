//! The explanation of a subject's result as a page to print: where it is on the scale of grades, where points were lost,
//! what would raise the grade, and everything behind it.

use super::{
    document::{Page, add},
    losses::{self, Loss, MOST, points},
};
use crate::{
    domain::html::escape,
    grading::{
        Explained,
        words::{grade_in_words, period_in_words, reason_in_words, state_in_words},
    },
    i18n::{number, score as text},
    scoring::{
        Assessment, Evidence, Improvement, describe_effect, describe_evidence, describe_lacking, describe_value,
        part_in_words, value_in_words,
    },
};

/// The explanation of a subject's result as a page, in the language that it was made in.
pub fn explained_page(of: &Explained) -> String {
    let lang = of.lang;
    let name = if of.name.is_empty() { &of.subject_code } else { &of.name };
    let title = text::page_title(lang, name, period_in_words(&of.period.to_string(), lang));
    let mut page = Page::with_head(&title, lang);
    add!(page, "<span class=\"mark internal\">{}</span>", text::page_internal(lang));
    add!(page, "<h1>{}</h1>", escape(&title));
    add!(page, "<p class=\"lead\">{}</p>", escape(&of.subject_code));
    add!(page, "</header>");
    cards(&mut page, of);
    history(&mut page, of);
    if let Some(assessment) = &of.assessment {
        scale(&mut page, of, assessment);
        lost(&mut page, of, assessment);
        decisions(&mut page, of, assessment);
        indicators(&mut page, of, assessment);
        signals(&mut page, of, assessment);
    }
    foot(&mut page, of);
    page.finish()
}

fn cards(page: &mut Page, of: &Explained) {
    let lang = of.lang;
    let mut cards = Vec::new();
    match (&of.assessment, &of.not_rated) {
        (Some(assessment), _) => {
            cards.push((text::page_grade(lang), grade_in_words(&of.model.scheme, &assessment.grade, lang).to_owned()));
            if let Some(earned) = assessment.points {
                let of_total = text::page_points_value(lang, number(earned), number(of.model.total));
                cards.push((text::page_points(lang), of_total));
            }
        }
        (None, Some(reason)) => cards.push((text::not_rated(lang), reason_in_words(reason, lang).to_owned())),
        (None, None) => {}
    }
    cards.push((text::page_state(lang), state_in_words(&of.state, lang).to_owned()));
    if let Some(last) = of.versions.last() {
        cards.push((text::page_version(lang), last.version.to_string()));
    }
    if let Some(until) = &of.valid_until {
        cards.push((text::page_valid_until(lang), until.clone()));
    }
    add!(page, "<dl class=\"cards\">");
    for (name, value) in cards {
        add!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    add!(page, "</dl>");
}

fn history(page: &mut Page, of: &Explained) {
    if of.versions.len() < 2 {
        return;
    }
    add!(page, "<section><h2>{}</h2><ul>", text::page_history(of.lang));
    // Without the reasons of corrections, which are for the bureau only: the page is given to the subject.
    for line in of.history(false) {
        add!(page, "<li>{}</li>", escape(&line));
    }
    add!(page, "</ul></section>");
}

fn scale(page: &mut Page, of: &Explained, assessment: &Assessment) {
    let lang = of.lang;
    let chart_title = text::page_grade(lang);
    let heading = match &assessment.raise {
        Some(raise) => text::page_raise(lang, grade_in_words(&of.model.scheme, &raise.to, lang)),
        None => text::page_best(lang).to_owned(),
    };
    add!(page, "<section><h2>{}</h2>", escape(&heading));
    let chart = losses::scale(&of.model.scheme, of.model.total, assessment, chart_title);
    add!(page, "<figure>{chart}</figure>");
    if let Some(raise) = &assessment.raise {
        improvement(page, of, raise);
    }
    add!(page, "</section>");
}

fn improvement(page: &mut Page, of: &Explained, raise: &Improvement) {
    let lang = of.lang;
    for blocker in &raise.must_end {
        let part = part_in_words(blocker.part, lang);
        add!(page, "<p>{}</p><ul>", escape(&text::must_end(lang, part, &blocker.clause)));
        for condition in &blocker.conditions {
            add!(page, "<li>{}</li>", escape(condition));
        }
        if let Some(period) = blocker.ends_by_itself {
            let period = period_in_words(&period.to_string(), lang);
            add!(page, "<li>{}</li>", escape(&text::ends_by_itself(lang, period)));
        }
        add!(page, "</ul>");
    }
    if !raise.must_begin.is_empty() {
        add!(page, "<p>{}</p><ul>", text::one_must_apply(lang));
        for rule in &raise.must_begin {
            add!(page, "<li>{}</li>", escape(rule));
        }
        add!(page, "</ul>");
    }
    let Some(lacking) = raise.lacking else { return };
    add!(page, "<p>{}</p>", escape(&describe_lacking(raise, lacking, lang)));
    let heads = [
        Head::Text(text::page_no(lang)),
        Head::Text(text::page_indicator(lang)),
        Head::Number(text::page_room(lang)),
        Head::Text(text::page_condition(lang)),
    ];
    table_head(page, &heads);
    for step in raise.alone.iter().chain(&raise.together) {
        let name = of.model.indicators().find(|placed| placed.indicator.no == step.no);
        let name = name.map_or("", |placed| placed.indicator.name_zh.as_str());
        add!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td>{}</td><td class=\"text\">{}</td></tr>",
            step.no,
            escape(name),
            number(step.room),
            escape(&step.with)
        );
    }
    add!(page, "</tbody></table></div>");
}

/// A heading of a column.
#[derive(Clone, Copy)]
enum Head {
    /// Of texts, which are aligned to the left.
    Text(&'static str),
    /// Of numbers, which are aligned to the right.
    Number(&'static str),
}

fn table_head(page: &mut Page, heads: &[Head]) {
    add!(page, "<div class=\"scroll\"><table><thead><tr>");
    for head in heads {
        match head {
            Head::Text(head) => add!(page, "<th scope=\"col\" class=\"text\">{head}</th>"),
            Head::Number(head) => add!(page, "<th scope=\"col\">{head}</th>"),
        }
    }
    add!(page, "</tr></thead><tbody>");
}

/// The indicators that lost points, the greatest loss first.
fn losses_of(of: &Explained, assessment: &Assessment) -> Vec<Loss> {
    let milli = |of: i64| u64::try_from(of).unwrap_or(0);
    let found = of.model.indicators().filter_map(|placed| {
        let indicator = placed.indicator;
        let finding = assessment.findings.iter().find(|finding| finding.no == indicator.no)?;
        Some(Loss {
            no: indicator.no,
            name: indicator.name_zh.clone(),
            earned: milli(finding.points.0),
            weight: milli(indicator.weight.0),
        })
    });
    let mut lost: Vec<Loss> = found.filter(|loss| loss.lost() > 0).collect();
    lost.sort_by_key(|loss| (std::cmp::Reverse(loss.lost()), loss.no));
    lost
}

fn lost(page: &mut Page, of: &Explained, assessment: &Assessment) {
    let lang = of.lang;
    if assessment.findings.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2>", text::page_lost(lang));
    let lost = losses_of(of, assessment);
    if lost.is_empty() {
        add!(page, "<p>{}</p></section>", text::page_lost_none(lang));
        return;
    }
    add!(page, "<figure>{}</figure>", losses::losses(&lost, text::page_lost_chart(lang), lang));
    if let Some(more) = lost.get(MOST..).filter(|more| !more.is_empty()) {
        let sum = more.iter().map(Loss::lost).sum();
        add!(page, "<p class=\"note\">{}</p>", text::page_lost_more(lang, more.len(), points(sum)));
    }
    add!(page, "</section>");
}

fn decisions(page: &mut Page, of: &Explained, assessment: &Assessment) {
    let lang = of.lang;
    if assessment.decisions.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2>", text::page_rules(lang));
    let heads = [text::page_rule_name(lang), text::page_effect(lang), text::page_because(lang)];
    table_head(page, &heads.map(Head::Text));
    for decision in &assessment.decisions {
        let part = part_in_words(decision.part, lang);
        let decides =
            if decision.decides { format!("<small>{}</small>", text::page_decides(lang)) } else { String::new() };
        let because: Vec<String> = decision.because.iter().map(|reason| escape(reason)).collect();
        add!(
            page,
            "<tr><th scope=\"row\" class=\"text\">{part} {}</th><td class=\"text\">{}{decides}</td><td class=\"text\">{}</td></tr>",
            escape(&decision.clause),
            escape(&describe_effect(decision, of.terms())),
            because.join("<br>")
        );
    }
    add!(page, "</tbody></table></div></section>");
}

fn indicators(page: &mut Page, of: &Explained, assessment: &Assessment) {
    let lang = of.lang;
    if assessment.findings.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2>", text::page_indicators(lang));
    let heads = [
        Head::Text(text::page_no(lang)),
        Head::Text(text::page_indicator(lang)),
        Head::Number(text::page_points(lang)),
        Head::Number(text::page_value(lang)),
        Head::Text(text::page_rule(lang)),
        Head::Text(text::page_records(lang)),
    ];
    for level1 in &of.model.level1 {
        let inside: Vec<_> = of.model.indicators().filter(|placed| placed.level1.name_zh == level1.name_zh).collect();
        let finding = |no: u16| assessment.findings.iter().find(move |finding| finding.no == no);
        let earned: i64 = inside.iter().filter_map(|placed| finding(placed.indicator.no)).map(|of| of.points.0).sum();
        let earned = points(u64::try_from(earned).unwrap_or(0));
        let heading = text::level_points(lang, &level1.name_zh, earned, number(level1.weight));
        add!(page, "<h3>{}</h3>", escape(&heading));
        table_head(page, &heads);
        for placed in inside {
            let Some(finding) = finding(placed.indicator.no) else { continue };
            let shown = match (&finding.value, &finding.shown) {
                (Some(exact), Some(shown)) => value_in_words(exact, shown),
                _ => "—".to_owned(),
            };
            add!(
                page,
                "<tr><th scope=\"row\">{}</th><td class=\"text\">{}<br><small>{}</small></td><td>{} / {}</td><td>{shown}</td><td class=\"text\">{}</td><td class=\"text\">{}</td></tr>",
                placed.indicator.no,
                escape(&placed.indicator.name_zh),
                escape(&describe_value(&placed.indicator.value, of.terms())),
                number(finding.points),
                number(placed.indicator.weight),
                escape(&finding.rule),
                records(&finding.records, of)
            );
        }
        add!(page, "</tbody></table></div>");
    }
    add!(page, "</section>");
}

/// The records behind a value, as lines of a cell.
fn records(records: &[Evidence], of: &Explained) -> String {
    records.iter().map(|one| escape(&describe_evidence(one, of.terms()))).collect::<Vec<_>>().join("<br>")
}

fn signals(page: &mut Page, of: &Explained, assessment: &Assessment) {
    let lang = of.lang;
    if assessment.signals.is_empty() {
        return;
    }
    add!(page, "<section><h2>{}</h2>", text::page_signals(lang));
    let heads =
        [Head::Text(text::doc_name(lang)), Head::Number(text::page_value(lang)), Head::Text(text::page_records(lang))];
    table_head(page, &heads);
    for (signal, finding) in of.model.signal.iter().zip(&assessment.signals) {
        let value = match (&finding.value, &finding.shown, finding.missing) {
            (Some(exact), Some(shown), _) => value_in_words(exact, shown),
            (_, _, Some(lack)) => lack.describe(lang).to_owned(),
            _ => String::new(),
        };
        add!(
            page,
            "<tr><th scope=\"row\" class=\"text\">{}<br><small>{}</small></th><td>{}</td><td class=\"text\">{}</td></tr>",
            escape(&signal.name_zh),
            escape(&describe_value(&signal.value, of.terms())),
            escape(&value),
            records(&finding.records, of)
        );
    }
    add!(page, "</tbody></table></div></section>");
}

fn foot(page: &mut Page, of: &Explained) {
    let lang = of.lang;
    let model = text::doc_title(lang, &of.model.name_zh, &of.model.id, of.model.version);
    add!(page, "<dl class=\"proof\">");
    for (name, value) in [(text::page_model(lang), model.as_str()), (text::page_run(lang), of.run.as_str())] {
        add!(page, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(value));
    }
    add!(page, "</dl>\n<footer>{}</footer>", text::page_reference(lang));
}
