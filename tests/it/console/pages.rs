//! Every page from every sample, in both languages.

use std::collections::BTreeSet;

use medcredit::{
    http::{
        console::pages,
        web::preferences::{Preferences, Theme},
    },
    i18n::Lang,
};

/// Elements without content.
const VOID: [&str; 10] = ["area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"];

fn rendered(lang: Lang) -> Vec<(&'static str, String)> {
    let preferences = Preferences { lang, theme: Theme::Dark, large: true };
    pages::samples(preferences).into_iter().map(|(name, page)| (name, page.unwrap())).collect()
}

/// The tags of a page in order: name, whether it closes, and its attributes.
fn tags(page: &str) -> Vec<(String, bool, String)> {
    let mut found = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("a tag is not closed: {part:?}"));
        assert!(!tag.contains('\n') || tag.starts_with('!'), "a tag goes over lines: {tag:?}");
        if tag.starts_with('!') {
            continue;
        }
        let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |rest| (true, rest));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        found.push((name.trim_end_matches('/').to_owned(), closes, attributes.to_owned()));
    }
    found
}

/// Checks that elements are nested, that ids are unique, and that what refers to an id finds it.
fn check(name: &str, page: &str) {
    let (mut open, mut ids, mut referred) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (tag, closes, attributes) in tags(page) {
        if closes {
            assert_eq!(open.pop().as_deref(), Some(&*tag), "{name}: </{tag}>\n{page}");
        } else if !VOID.contains(&&*tag) && !attributes.ends_with('/') {
            open.push(tag.clone());
        }
        let value = |key: &str| {
            let start = format!(" {key}=\"");
            let padded = format!(" {attributes}");
            padded.split_once(&start).map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
        };
        assert_eq!(attributes.matches('"').count() % 2, 0, "{name}: {attributes}");
        if let Some(id) = value("id") {
            assert!(ids.insert(id.clone()), "{name}: the id {id} is there twice\n{page}");
        }
        referred.extend(value("for"));
        referred.extend(value("href").and_then(|target| target.strip_prefix('#').map(str::to_owned)));
        for key in ["aria-labelledby", "aria-describedby"] {
            referred
                .extend(value(key).into_iter().flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>()));
        }
        assert!(
            tag != "script" && value("style").is_none() && !attributes.contains(" on"),
            "{name}: {tag} {attributes}"
        );
    }
    assert!(open.is_empty(), "{name}: not closed: {open:?}");
    for id in referred {
        assert!(ids.contains(&id), "{name}: nothing has the id {id}\n{page}");
    }
}

#[test]
fn every_page_is_well_formed_in_both_languages() {
    let (english, chinese) = (rendered(Lang::En), rendered(Lang::Zh));
    assert!(english.len() > 30 && english.len() == chinese.len());
    for (name, page) in english.iter().chain(&chinese) {
        check(name, page);
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        assert!(
            page.contains("<main") && page.contains("class=\"skip\"") && page.contains(" class=\"large\""),
            "{name}"
        );
    }
    for ((name, english), (_, chinese)) in english.iter().zip(&chinese) {
        assert!(english.contains("<html lang=\"en\"") && chinese.contains("<html lang=\"zh-CN\""), "{name}");
        assert_ne!(english, chinese, "{name}");
        // What was typed is escaped.
        assert!(!english.contains("<reason>") && !english.contains("<A&B>") && !english.contains("<2026>"), "{name}");
    }
}

#[test]
fn every_template_has_a_sample() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let templates = std::fs::read_dir(root.join("templates/console")).unwrap();
    let names: BTreeSet<_> = templates.map(|file| file.unwrap().path().file_stem().unwrap().to_owned()).collect();
    let sampled: BTreeSet<_> = rendered(Lang::En).into_iter().map(|(name, _)| name).collect();
    let parts = ["layout", "parts"];
    for name in names.iter().filter_map(|name| name.to_str()).filter(|name| !parts.contains(name)) {
        let name = if name == "revoke" { "certificate" } else { name };
        assert!(sampled.contains(name), "{name}");
    }
}
