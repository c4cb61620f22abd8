//! Which file of `src` uses which: the `use` declarations and paths of production code, followed through re-exports to
//! the file that defines the name.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Module;

/// The names of others in one file.
#[derive(Default)]
struct File {
    /// Names brought in by `use`: the path that each stands for.
    names: BTreeMap<String, Vec<String>>,
    /// Those names that only this file sees.
    private: BTreeSet<String>,
    /// The paths of all `use` declarations: in another module of the file a name may stand for another path.
    declared: BTreeSet<Vec<String>>,
    /// Paths and single names in the code itself.
    paths: BTreeSet<Vec<String>>,
}

/// All files of the crate, and what each imports.
pub struct Imports(BTreeMap<Module, File>);

impl Imports {
    pub fn of(files: &BTreeMap<Module, Vec<String>>) -> Self {
        Self(files.iter().map(|(module, tokens)| (module.clone(), file(tokens))).collect())
    }

    /// Each file with the files it uses. A file may use what its own folder's `mod.rs` defines: this is no import.
    pub fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        self.0.keys().map(|module| (module.clone(), self.used_by(module))).collect()
    }

    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.0.keys()
    }

    /// The paths that a file writes with `crate::`, without it.
    pub fn crate_paths_of(&self, module: &Module) -> impl Iterator<Item = &[String]> {
        let file = &self.0[module];
        let paths = file.declared.iter().chain(&file.paths);
        paths.filter(|path| path[0] == "crate").map(|path| &path[1..])
    }

    /// The paths that a file names, from the crate's root on.
    pub fn paths_of(&self, module: &Module) -> Vec<Vec<String>> {
        let Some(file) = self.0.get(module) else { return Vec::new() };
        let declared = file.names.iter().filter(|(name, _)| {
            file.private.contains(*name) || file.paths.iter().any(|path| path.first() == Some(name))
        });
        declared.map(|(_, path)| path).chain(&file.paths).filter_map(|path| self.absolute(module, path)).collect()
    }

    fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let paths = self.paths_of(module);
        // A module's own name is brought in for the sake of longer paths, which are followed by themselves.
        let mut files: BTreeSet<_> =
            paths.iter().filter(|path| !self.0.contains_key(*path)).filter_map(|path| self.definer(path, 0)).collect();
        files.retain(|other| !module.starts_with(other));
        files
    }

    /// A path from the crate's root, if it stays in the crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let climbs = path.iter().take_while(|part| *part == "super").count();
                let above = module.len().checked_sub(climbs)?;
                Some([&module[..above], &path[climbs..]].concat())
            }
            name => {
                let child = [&module[..], &[name.to_owned()]].concat();
                let brought = self.0[module].names.get(name).filter(|brought| brought.first() != Some(first));
                match brought {
                    Some(brought) => Some([&self.absolute(module, brought)?[..], rest].concat()),
                    None if self.0.contains_key(&child) => Some([&module[..], path].concat()),
                    None => None,
                }
            }
        }
    }

    /// The file that defines what an absolute path names: re-exports are followed.
    fn definer(&self, path: &[String], followed: usize) -> Option<Module> {
        let end = (1..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let (module, rest) = (path[..end].to_vec(), &path[end..]);
        let Some((name, below)) = rest.split_first() else { return Some(module) };
        match self.0[&module].names.get(name) {
            Some(from) if followed < 8 => {
                let next = [&self.absolute(&module, from)?[..], below].concat();
                self.definer(&next, followed + 1)
            }
            _ => Some(module),
        }
    }
}

fn file(tokens: &[String]) -> File {
    let mut file = File::default();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or(";", |before| tokens[before].as_str());
        if tokens[at] == "use" && matches!(before, ";" | "{" | "}" | "]" | ")" | "pub") {
            let end = at + tokens[at..].iter().position(|token| token == ";").unwrap();
            for (name, path) in leaves(&tokens[at + 1..end]) {
                if !matches!(before, "pub" | ")") {
                    file.private.insert(name.clone());
                }
                file.declared.insert(path.clone());
                file.names.insert(name, path);
            }
            at = end;
        } else if is_name(&tokens[at]) && before != "::" && before != "." {
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|mark| mark == "::") && tokens.get(at + 2).is_some_and(|t| is_name(t))
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            file.paths.insert(path);
        }
        at += 1;
    }
    file
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names that a `use` tree brings in, each with its whole path.
fn leaves(tree: &[String]) -> Vec<(String, Vec<String>)> {
    let Some(open) = tree.iter().position(|token| token == "{") else {
        let mut path: Vec<_> = tree.iter().filter(|token| *token != "::").cloned().collect();
        let renamed = path.iter().position(|part| part == "as").map(|at| path.split_off(at));
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let name = renamed.map_or_else(|| path.last().cloned(), |renamed| renamed.get(1).cloned());
        return name.map(|name| (name, path)).into_iter().collect();
    };
    let (mut depth, mut start, mut found) = (0, open + 1, Vec::new());
    for at in open..tree.len() {
        match tree[at].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == usize::from(tree[at] == ",") && matches!(tree[at].as_str(), "," | "}") {
            found.extend(leaves(&[&tree[..open], &tree[start..at]].concat()));
            start = at + 1;
        }
    }
    found
}

#[test]
fn imports_are_read_as_rust_allows() {
    let text = "use super::{a::{self, B}, c as d}; pub(crate) use e::F;
        fn g() -> impl H + use<'_> { d::i(crate::j::K::new(F)).l() }";
    let file = file(&super::source::tokens(text));
    let names: Vec<_> = file.names.iter().map(|(name, path)| format!("{name}={}", path.join("::"))).collect();
    assert_eq!(names, ["B=super::a::B", "F=e::F", "a=super::a", "d=super::c"]);
    assert_eq!(file.private.iter().collect::<Vec<_>>(), ["B", "a", "d"]);
    for path in ["d::i", "crate::j::K::new", "F"] {
        assert!(file.paths.contains(&path.split("::").map(str::to_owned).collect::<Vec<_>>()), "{path}");
    }
}
