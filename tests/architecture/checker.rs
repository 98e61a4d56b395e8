//! Holds sources against the table. Knows nothing of where they come from.

use super::paths::{Named, named};
use super::table::{
    Ban, EMPTY_NAMES, FLOATING, FOLDERS, Folder, LONG_LINES, MOST_LINES, TESTED_FOLDER, UNFINISHED,
    WORLD, World,
};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A rule that a source breaks.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub file: String,
    pub line: usize,
    pub what: String,
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            file,
            line,
            what,
            rule,
        } = self;
        write!(f, "{file}:{line}: {what} ({rule})")
    }
}

/// What is wrong with a set of sources, given as path and text.
pub fn check(sources: &[(String, String)]) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    let mut parsed = Vec::new();
    for (file, source) in sources {
        text(file, source, &mut found);
        match syn::parse_file(source) {
            Ok(tree) => parsed.push((file.as_str(), source, tree)),
            Err(error) => {
                let line = error.span().start().line;
                say(
                    &mut found,
                    file,
                    line,
                    error.to_string(),
                    "sources are Rust",
                );
            }
        }
    }
    let mounts = mounts(&parsed);
    for (file, source, _) in &parsed {
        let Ok(tokens) = source.parse::<TokenStream>() else {
            continue;
        };
        imports(file, tokens, mounts.get(*file), &mut found);
    }
    found.into_iter().collect()
}

/// Files that are longer than they should be, if not longer than they may be.
pub fn long(sources: &[(String, String)]) -> Vec<(&str, usize)> {
    let lines = sources.iter().map(|(f, s)| (f.as_str(), s.lines().count()));
    lines.filter(|(_, n)| *n > LONG_LINES).collect()
}

/// Files that should hold the tests of what is in them, and do not.
pub fn untested(sources: &[(String, String)]) -> Vec<&str> {
    let wants_tests = |file: &str| {
        let within = file.strip_prefix(TESTED_FOLDER);
        within.is_some_and(|name| name != "mod.rs")
    };
    let holds_tests = |source: &str| {
        let items = syn::parse_file(source).map_or_else(|_| Vec::new(), |tree| tree.items);
        items
            .iter()
            .any(|item| matches!(item, syn::Item::Mod(item) if is_of_tests(&item.attrs)))
    };
    let lacking = sources
        .iter()
        .filter(|(file, source)| wants_tests(file) && !holds_tests(source));
    lacking.map(|(file, _)| file.as_str()).collect()
}

fn is_of_tests(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|a| {
        a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|arg| arg == "test")
    })
}

fn say(
    found: &mut BTreeSet<Violation>,
    file: &str,
    line: usize,
    what: impl Into<String>,
    rule: &str,
) {
    found.insert(Violation {
        file: file.to_owned(),
        line,
        what: what.into(),
        rule: rule.to_owned(),
    });
}

fn text(file: &str, source: &str, found: &mut BTreeSet<Violation>) {
    let lines = source.lines().count();
    if lines > MOST_LINES {
        let rule = format!("at most {MOST_LINES} lines a file");
        say(found, file, lines, format!("{lines} lines"), &rule);
    }
    for part in file.split('/') {
        empty_name(file, 1, part.trim_end_matches(".rs"), found);
    }
    for (at, line) in source.lines().enumerate() {
        for mark in UNFINISHED.iter().filter(|mark| has_word(line, mark)) {
            say(
                found,
                file,
                at + 1,
                format!("`{mark}`"),
                "no unfinished work",
            );
        }
    }
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

fn empty_name(file: &str, line: usize, name: &str, found: &mut BTreeSet<Violation>) {
    if EMPTY_NAMES.contains(&name) {
        let what = format!("a module called `{name}`");
        say(found, file, line, what, "a name says what is inside");
    }
}

/// Where a file hangs in the crate, and whether only tests see it.
struct Mount {
    module: Vec<String>,
    in_test: bool,
}

/// Follows `mod name;`, so that files put elsewhere by `#[path]`, and files of tests, are known.
fn mounts(parsed: &[(&str, &String, syn::File)]) -> BTreeMap<String, Mount> {
    let mut mounts = BTreeMap::new();
    for (file, _, tree) in parsed {
        let module = module_of(file);
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        for item in &tree.items {
            let syn::Item::Mod(item) = item else { continue };
            if item.content.is_some() {
                continue;
            }
            let name = item.ident.to_string();
            let mut inner = module.clone();
            inner.push(name);
            let in_test = is_of_tests(&item.attrs);
            let below = format!("src/{}", inner.join("/"));
            let targets = match put_elsewhere(&item.attrs) {
                Some(path) => vec![format!("{folder}/{path}")],
                None => vec![format!("{below}.rs"), format!("{below}/mod.rs")],
            };
            for target in targets {
                let module = inner.clone();
                mounts.insert(target, Mount { module, in_test });
            }
        }
    }
    mounts
}

fn put_elsewhere(attrs: &[syn::Attribute]) -> Option<String> {
    attrs.iter().find_map(|a| match &a.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`; the roots are nothing.
fn module_of(file: &str) -> Vec<String> {
    let path = file.strip_prefix("src/").unwrap_or(file);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" | "mod" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

fn imports(
    file: &str,
    tokens: TokenStream,
    mount: Option<&Mount>,
    found: &mut BTreeSet<Violation>,
) {
    let by_path = module_of(file);
    let Some(top) = by_path.first() else { return };
    let Some(folder) = FOLDERS.iter().find(|folder| folder.name == top) else {
        let what = format!("`{top}` is not in the import table");
        return say(found, file, 1, what, "every folder has its row");
    };
    let module = mount.map_or(by_path.clone(), |mount| mount.module.clone());
    let in_test = mount.is_some_and(|mount| mount.in_test);
    if folder.name == "scheduler" && !in_test && !may_float(file) {
        floats(file, folder, tokens.clone(), found);
    }
    let all = named(tokens, &module, in_test);
    for pair in all.windows(2) {
        if pair[0].segments == ["mod"] {
            empty_name(file, pair[1].line, &pair[1].segments[0], found);
        }
    }
    for named in all.iter().filter(|named| !named.in_test) {
        if let Some(what) = forbidden(file, folder, named) {
            say(found, file, named.line, format!("`{what}`"), folder.rule);
        }
    }
}

fn floats(file: &str, folder: &Folder, tokens: TokenStream, found: &mut BTreeSet<Violation>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => floats(file, folder, group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if matches!(syn::parse_str::<syn::Lit>(&text), Ok(syn::Lit::Float(_))) {
                    let line = literal.span().start().line;
                    say(found, file, line, format!("`{text}`"), folder.rule);
                }
            }
            _ => {}
        }
    }
}

/// What a path breaks, as it is to be named.
fn forbidden(file: &str, folder: &Folder, named: &Named) -> Option<String> {
    let written = named.segments.join("::");
    match resolved(named) {
        Resolved::Ours(path) => {
            let whole = path.is_empty() && (named.imported || named.segments.len() > 1);
            let takes_root = whole || path.first().is_some_and(|first| first == "*");
            if takes_root {
                return Some(written);
            }
            let first = path.first()?;
            let joined = path.join("::");
            let allowed =
                first == folder.name || folder.may_import.iter().any(|p| is_below(&joined, p));
            (!allowed).then(|| format!("crate::{joined}"))
        }
        Resolved::AboveRoot => Some(written),
        Resolved::Other(path) => {
            let world: &[Ban] = if may_touch(file, folder) { &[] } else { WORLD };
            let mut bans = world.iter().chain(folder.bans);
            bans.any(|ban| hits(ban, &path, named) && !(is_float(ban) && may_float(file)))
                .then_some(written)
        }
    }
}

fn may_float(file: &str) -> bool {
    FLOATING.iter().any(|floating| file.starts_with(floating))
}

fn is_float(ban: &Ban) -> bool {
    matches!(ban, Ban::Name("f32" | "f64"))
}

fn may_touch(file: &str, folder: &Folder) -> bool {
    match folder.world {
        World::Never => false,
        World::Everywhere => true,
        World::Only(names) => module_of(file)
            .iter()
            .skip(1)
            .any(|part| names.contains(&part.as_str())),
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path == prefix
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with("::"))
}

fn hits(ban: &Ban, path: &[String], named: &Named) -> bool {
    match ban {
        Ban::Name(name) => path.iter().any(|segment| segment == name),
        Ban::Macro(name) => named.is_macro && path.last().is_some_and(|last| last == name),
        Ban::Path(banned) => {
            let joined = path.join("::");
            // A variable may be called as a crate is.
            let is_path = path.len() > 1 || named.imported;
            let parent = joined.strip_suffix("::*").unwrap_or(&joined);
            let opens = (parent != joined || named.renamed) && is_path && is_below(banned, parent);
            is_path && (is_below(&joined, banned) || opens)
        }
    }
}

enum Resolved {
    /// Of this crate, from its root.
    Ours(Vec<String>),
    /// More `super` than there are modules.
    AboveRoot,
    /// Of another crate, or imported before.
    Other(Vec<String>),
}

fn resolved(named: &Named) -> Resolved {
    let is_path = named.segments.len() > 1 || named.imported;
    let (mut path, rest) = match named.segments[0].as_str() {
        "crate" | "lattice" => (Vec::new(), &named.segments[1..]),
        "self" | "super" if is_path => (named.module.clone(), &named.segments[..]),
        _ => return Resolved::Other(without_self(&named.segments)),
    };
    for segment in rest {
        match segment.as_str() {
            "self" => {}
            "super" if path.pop().is_none() => return Resolved::AboveRoot,
            "super" => {}
            name => path.push(name.to_owned()),
        }
    }
    Resolved::Ours(path)
}

/// `std::{self}` is `std`.
fn without_self(segments: &[String]) -> Vec<String> {
    let keep = |segment: &&String| *segment != "self" || segments.len() == 1;
    segments.iter().filter(keep).cloned().collect()
}
