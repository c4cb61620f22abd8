//! Explanations and model documents in Chinese: no word, id or code of the files is left in English.

use medcredit::{
    domain::{HalfYear, Kinds},
    grading::Library,
    i18n::Lang,
    scoring::{
        Branches, Decimal, Fact, Measures, PageFormat, PeerRank, Terms, describe_assessment_in, document_model,
        evaluate_in,
    },
};

/// Words of more than two Latin letters, apart from those that a text may have.
fn english(text: &str, allowed: &[&str]) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphabetic() || c == '_'));
    words.filter(|word| word.len() > 2 && !allowed.contains(word)).map(str::to_owned).collect()
}

#[test]
fn explanations_in_chinese_have_no_english_word() {
    let library = Library::shipped().unwrap();
    let period: HalfYear = "2025-H2".parse().unwrap();
    for model in library.models() {
        let in_force = library.get(model.id()).unwrap();
        // Once without any fact, and once with facts of every measure: other rules apply.
        for value in [None, Some(1), Some(3)] {
            let facts = value.into_iter().flat_map(|value| {
                (0..in_force.catalogue.measures().len()).map(move |measure| Fact {
                    measure,
                    occurred_on: "2025-11-03".parse().unwrap(),
                    value: Decimal(value * 7_000),
                    source: "医保局".into(),
                    reference: "温医保〔2025〕9号".into(),
                    import_seq: 1,
                })
            });
            let signed = Some("2016-05-04".parse().unwrap());
            let lookback = model.lookback();
            let measures = Measures::collect(in_force.catalogue, period, lookback, signed, facts.collect()).unwrap();
            let peers = model.peers().iter().map(|_| Some(PeerRank { below: 3, equal: 1, of: 40 })).collect();
            let measures = measures.with_peers(peers).with_branches(Some(Branches { counted: 2, of: 14 }));
            let assessment = evaluate_in(model, &measures, Lang::Zh);
            let terms = Terms::of(Lang::Zh, model.file()).with_measures(in_force.catalogue);
            let text = describe_assessment_in(model.file(), &assessment, terms);
            // Clauses are cited as the files have them.
            let clauses: String = model.file().rule.iter().map(|rule| rule.clause.clone() + " ").collect();
            let allowed = english(&clauses, &[]);
            let allowed: Vec<&str> = allowed.iter().map(String::as_str).chain(["DIP", "DRG", "CMI"]).collect();
            assert_eq!(english(&text, &allowed), [""; 0], "{}:\n{text}", model.id());
        }
    }
}

#[test]
fn numbers_are_written_as_people_write_them() {
    let library = Library::shipped().unwrap();
    for model in library.models() {
        let in_force = library.get(model.id()).unwrap();
        let measures =
            Measures::collect(in_force.catalogue, "2025-H2".parse().unwrap(), model.lookback(), None, Vec::new())
                .unwrap();
        for lang in Lang::ALL {
            let assessment = evaluate_in(model, &measures, lang);
            let text = describe_assessment_in(model.file(), &assessment, Terms::of(lang, model.file()));
            let fraction = text.split_whitespace().find(|word| {
                let sides = word.trim_matches(|c: char| !c.is_ascii_digit()).split_once('/');
                sides.is_some_and(|(one, other)| [one, other].iter().all(|side| side.parse::<u64>().is_ok()))
            });
            assert_eq!(fraction, None, "{}", model.id());
            assert!(!text.contains(".000"), "{}", model.id());
        }
    }
}

#[test]
fn the_page_of_a_model_is_in_the_language_that_is_asked_for() {
    let (library, kinds) = (Library::shipped().unwrap(), Kinds::built_in().unwrap());
    for model in library.models() {
        let in_force = library.get(model.id()).unwrap();
        let kind = &kinds.find(model.kind()).unwrap().name;
        let page = |lang| document_model(model, in_force.catalogue, kind, PageFormat::Html, lang);
        let (zh, en) = (page(Lang::Zh), page(Lang::En));
        assert!(zh.contains("<html lang=\"zh-CN\">") && en.contains("<html lang=\"en\">"));
        assert!(zh.contains("编制：") && en.contains("Prepared by:"), "it is to be signed");
        assert!(zh.contains(&format!("评价对象：{kind}。")), "{}", model.id());
        for words in ["no record means none", "in proportion", "at least", "in every other case", "without data"] {
            assert!(!zh.contains(words), "{}: {words}", model.id());
        }
        assert!(!en.contains("依据") && !en.contains("其余："), "{}", model.id());
    }
}
