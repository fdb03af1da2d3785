//! No files of a crate depend on each other in a circle, so that each file can be read after the files that it builds on.
//!
//! - A file depends on the file that declares a name which it uses, by `use` or by a path such as `super::lane::Lane`. Methods are not
//!   looked up.
//! - A re-export (`pub use`) is followed to the file that declares the name. The file with the re-export depends on nothing by it.
//! - A file may use names of the files above it: of `lane.rs` in `lane/queue.rs`, and of `lib.rs` everywhere.
//! - Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The names of a file's module and of the modules around it; empty for `lib.rs`.
type Module = Vec<String>;

/// One file: the names that it imports or re-exports, with their paths, and all paths that it uses.
#[derive(Default)]
struct Source {
    imports: BTreeMap<String, Module>,
    uses: Vec<Module>,
}

fn module(text: &str) -> Module {
    text.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The modules of a source folder, with their text. Files of tests and the program's `main.rs` are left out.
fn sources(folder: &Path, parent: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = || parent.iter().cloned().chain([name.clone()]).collect();
        match name.as_str() {
            "tests" | "main" => {}
            _ if path.is_dir() => sources(&path, &module(), found),
            _ if path.extension().is_none_or(|extension| extension != "rs") => {}
            "lib" | "mod" => drop(found.insert(parent.clone(), fs::read_to_string(&path).unwrap())),
            _ => drop(found.insert(module(), fs::read_to_string(&path).unwrap())),
        }
    }
}

/// The code of a file without comments and tests.
fn code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let is_attribute = |line: &&str| line.trim().starts_with("#[cfg(") && line.contains("test");
    let is_test = |line: &usize| lines.get(line.wrapping_sub(1)).is_some_and(is_attribute);
    let is_module = |line: &usize| lines[*line].starts_with("mod ") && lines[*line].trim_end().ends_with('{');
    let end = (0..lines.len()).filter(is_test).find(is_module);
    let kept = (0..end.unwrap_or(lines.len())).filter(|line| !is_test(line));
    kept.map(|line| lines[line]).collect::<Vec<_>>().join("\n")
}

/// The paths of a `use` declaration, each with the name that it gives.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<(String, String)>) {
    let tree = tree.trim();
    if let Some((before, group)) = tree.split_once('{') {
        let (mut depth, mut item) = (0, String::new());
        for c in group.rsplit_once('}').unwrap().0.chars().chain([',']) {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if c == ',' && depth == 0 {
                expand(&format!("{prefix}{before}"), &std::mem::take(&mut item), paths);
            } else {
                item.push(c);
            }
        }
    } else if !tree.is_empty() {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, tree.rsplit("::").next().unwrap()));
        let path = format!("{prefix}{path}");
        let path = path.strip_suffix("::self").unwrap_or(&path);
        let name = if name == "self" { path.rsplit("::").next().unwrap() } else { name };
        paths.push((name.trim().to_owned(), path.to_owned()));
    }
}

/// Reads what a file imports and uses. Paths of other crates are left out.
fn read(here: &Module, text: &str, all: &BTreeMap<Module, String>) -> Source {
    let absolute = |path: &str| {
        let mut names = module(path).into_iter().peekable();
        let mut base = here.clone();
        match names.peek().map(String::as_str) {
            Some("crate") => base.clear(),
            Some("super" | "self") => {}
            Some(name) if all.contains_key(&[base.as_slice(), &[name.to_owned()]].concat()) => {}
            _ => return None,
        }
        for name in names {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                _ => base.push(name),
            }
        }
        Some(base)
    };
    let (mut source, mut rest, mut other) = (Source::default(), code(text), String::new());
    while let Some(at) = rest.find("use ").filter(|at| rest[*at..].contains(';')) {
        let (before, declaration) = rest.split_at(at);
        let (declaration, behind) = declaration.split_once(';').unwrap();
        let line = before.rsplit('\n').next().unwrap().trim();
        let is_declaration =
            line.is_empty() || line == "pub" || line.starts_with("pub(") && line.ends_with(')');
        other.push_str(before);
        let mut paths = Vec::new();
        if is_declaration {
            expand("", &declaration["use ".len()..], &mut paths);
        } else {
            other.push_str(declaration);
        }
        for (name, path) in paths {
            let Some(path) = absolute(&path) else { continue };
            if line.is_empty() {
                source.uses.push(path.clone());
            }
            source.imports.insert(name, path);
        }
        rest = behind.to_owned();
    }
    other.push_str(&rest);
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for path in other.split(|c| !is_part(c)).filter(|path| path.contains("::")) {
        let (first, behind) = path.split_once("::").unwrap();
        let imported = source.imports.get(first).map(|import| [import.clone(), module(behind)].concat());
        source.uses.extend(imported.or_else(|| absolute(path)));
    }
    source
}

/// The module that declares the name at the end of a path, found through at most this number of imports.
fn declaring(path: &Module, imports_max: usize, all: &BTreeMap<Module, Source>) -> Module {
    let known = (0..=path.len()).rev().find(|length| all.contains_key(&path[..*length])).unwrap();
    let import = path.get(known).and_then(|name| all[&path[..known]].imports.get(name));
    match import {
        Some(import) if imports_max > 0 => {
            declaring(&[import.as_slice(), &path[known + 1..]].concat(), imports_max - 1, all)
        }
        _ => path[..known].to_vec(),
    }
}

/// Dependencies between files that are part of circles, as `a -> b`.
fn circles(texts: &BTreeMap<Module, String>) -> Vec<String> {
    let all: BTreeMap<Module, Source> =
        texts.iter().map(|(module, text)| (module.clone(), read(module, text, texts))).collect();
    let uses = all.iter().flat_map(|(module, source)| source.uses.iter().map(move |path| (module, path)));
    let mut edges: BTreeSet<(Module, Module)> =
        uses.map(|(module, path)| (module.clone(), declaring(path, 10, &all))).collect();
    edges.retain(|(from, to)| !from.starts_with(to));
    // A file that depends on none of the others, or that none of the others depends on, is in no circle.
    loop {
        let (from, to): (BTreeSet<Module>, BTreeSet<Module>) = edges.iter().cloned().unzip();
        let before = edges.len();
        edges.retain(|(user, used)| to.contains(user) && from.contains(used));
        if edges.len() == before {
            return edges
                .iter()
                .map(|(from, to)| format!("{} -> {}", from.join("::"), to.join("::")))
                .collect();
        }
    }
}

#[test]
fn no_files_depend_on_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let (mut count, mut found) = (0, Vec::new());
    for folder in crates.chain([root.to_owned()]) {
        let mut texts = BTreeMap::new();
        sources(&folder.join("src"), &Module::new(), &mut texts);
        count += texts.len();
        found.extend(circles(&texts).iter().map(|edge| format!("{}: {edge}", folder.display())));
    }
    assert!(found.is_empty(), "circles between files:\n{}", found.join("\n"));
    assert!(count > 200, "only {count} files were found");
}

#[test]
fn finds_circles_through_re_exports_and_paths() {
    let f = |files: &[(&str, &str)], want: &[&str]| {
        let texts = files.iter().map(|(name, text)| (module(name), (*text).to_owned())).collect();
        assert_eq!(circles(&texts), want, "{files:?}");
    };
    f(&[("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "use std::fmt;")], &[]);
    f(&[("", ""), ("a", "use crate::b::B;"), ("b", "fn f() { super::a::f() }")], &["a -> b", "b -> a"]);
    f(
        &[("", "pub use b::{B, C as D};"), ("a", "use super::{D};"), ("b", "use super::a;")],
        &["a -> b", "b -> a"],
    );
    f(
        &[
            ("", "pub use b::B;"),
            ("a", "use super::B;"),
            ("b", "#[cfg(all(test, unix))]\nmod tests {\nuse crate::a;\n}"),
        ],
        &[],
    );
    // A parent may use its children, and they may use it.
    f(&[("", ""), ("p", "use c::C;"), ("p::c", "use super::P;")], &[]);
    let through_parent =
        [("", ""), ("p", "use c::C;"), ("p::c", "use crate::a::A;"), ("a", "use crate::p::P;")];
    f(&through_parent, &["a -> p", "p -> p::c", "p::c -> a"]);
}
