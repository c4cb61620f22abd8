//! Reads Rust source as far as these tests need it: the tokens of production code, and its files as modules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module's path below `src`: `["http", "listener"]` for `src/http/listener/mod.rs`.
pub type Module = Vec<String>;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The Rust files at or below a path, sorted.
pub fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<_> = fs::read_dir(path).unwrap().flat_map(|entry| rust_files(&entry.unwrap().path())).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    files.sort();
    files
}

/// The module that a file of `src` is.
pub fn module(file: &Path) -> Module {
    let below = file.strip_prefix(root()).unwrap().with_extension("");
    let mut names: Module = below.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// The tokens of every file, tests included, by module.
pub fn everything() -> BTreeMap<Module, Vec<String>> {
    let read = |file: PathBuf| (module(&file), tokens(&fs::read_to_string(&file).unwrap()));
    rust_files(&root()).into_iter().map(read).collect()
}

/// The tokens of every production file, by module: without tests, comments and the contents of strings.
pub fn production() -> BTreeMap<Module, Vec<String>> {
    let (mut tree, mut tests) = (BTreeMap::new(), BTreeSet::new());
    for (module, tokens) in everything() {
        let (kept, test_modules) = without_tests(&tokens);
        tests.extend(test_modules.into_iter().map(|name| [&module[..], &[name]].concat()));
        tree.insert(module, kept);
    }
    tree.retain(|module, _| !(1..=module.len()).any(|end| tests.contains(&module[..end])));
    tree
}

/// Identifiers, `::` and single marks of punctuation. Comments vanish; strings and characters become `""`.
pub fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '/' if rest.starts_with("//") => ("", rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => ("", rest.find("*/").map_or(rest.len(), |end| end + 2)),
            '"' => ("\"\"", string_length(rest)),
            'r' if raw_string_length(rest).is_some() => ("\"\"", raw_string_length(rest).unwrap()),
            '\'' => character(rest),
            ':' if rest.starts_with("::") => ("::", 2),
            _ if first.is_alphanumeric() || first == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                (&rest[..end], end)
            }
            _ if first.is_whitespace() => ("", first.len_utf8()),
            _ => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        if !token.is_empty() {
            found.push(token.to_owned());
        }
        rest = &rest[length..];
    }
    found
}

fn string_length(text: &str) -> usize {
    let mut escaped = true; // the opening quote is not the closing one
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_length(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let opened = text[1 + hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + opened.find(&close)? + close.len())
}

/// A character, or the mark of a lifetime.
fn character(text: &str) -> (&str, usize) {
    let mut chars = text.char_indices().skip(1);
    let length = match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => Some(at + 1),
        _ => None,
    };
    length.map_or(("'", 1), |length| ("\"\"", length))
}

/// The tokens without the items under `#[cfg(test)]`, and the names of the modules among those items.
fn without_tests(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let attribute: Vec<_> = "# [ cfg ( test ) ]".split(' ').collect();
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(attribute.len()).eq(&attribute) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let item = &tokens[at + attribute.len()..];
        modules.extend(item.windows(2).take(5).find(|pair| pair[0] == "mod").map(|pair| pair[1].clone()));
        at += attribute.len() + item_length(item);
    }
    (kept, modules)
}

/// Up to the semicolon or the brace that ends an item.
fn item_length(item: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in item.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" | ")" | "]" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

#[test]
fn comments_strings_and_tests_are_no_production_code() {
    let text = r##"use a::B; // c
        fn d<'e>(f: &'e str) -> char { let g = r#"h "i""#; let j = "k \" // l"; 'm' /* n */ }
        #[cfg(test)] mod o { fn p() {} } #[cfg(test)] pub(crate) mod q; fn r() {}"##;
    let (kept, modules) = without_tests(&tokens(text));
    assert_eq!(
        kept.join(" "),
        "use a :: B ; fn d < ' e > ( f : & ' e str ) - > char { let g = \"\" ; let j = \"\" ; \"\" } fn r ( ) { }"
    );
    assert_eq!(modules, ["o", "q"]);
}
