//! Every path that a file names: in imports, in code and in what is handed to macros.
//!
//! The walk is over tokens, so that nothing can hide in a macro's arguments.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Something that a file names.
#[derive(Clone, Debug)]
pub struct Named {
    /// The segments of a path as written; `*` for all of a module.
    pub segments: Vec<String>,
    /// Where it stands.
    pub line: usize,
    /// Module it stands in, from the crate's root.
    pub module: Vec<String>,
    /// Whether it stands in an import.
    pub imported: bool,
    /// Whether `as` follows.
    pub renamed: bool,
    /// Whether `!` follows.
    pub is_macro: bool,
    /// Whether it is only compiled for tests.
    pub in_test: bool,
}

#[derive(Clone)]
struct Place {
    module: Vec<String>,
    in_test: bool,
}

/// All paths in a file's tokens; `module` is where the file hangs in the crate.
pub fn named(tokens: TokenStream, module: &[String], in_test: bool) -> Vec<Named> {
    let mut found = Vec::new();
    let place = Place {
        module: module.to_vec(),
        in_test,
    };
    walk(tokens, place, &mut found);
    found
}

fn walk(tokens: TokenStream, mut place: Place, found: &mut Vec<Named>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let outer = place.in_test;
    let mut imported = false;
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(p) if p.as_char() == '#' => {
                let inner = is_punct(tokens.get(at + 1), '!');
                if tests_only(tokens.get(at + 1 + usize::from(inner))) {
                    place.in_test = true;
                    // `#![cfg(test)]` holds to the end.
                    if inner {
                        return walk_rest(&tokens[at + 3..], place, found);
                    }
                }
                at += 1;
            }
            TokenTree::Punct(p) if matches!(p.as_char(), ';' | ',') => {
                (place.in_test, imported) = (outer, false);
                at += 1;
            }
            TokenTree::Group(group) => {
                walk(group.stream(), inside(&tokens, at, &place), found);
                if group.delimiter() == Delimiter::Brace {
                    (place.in_test, imported) = (outer, false);
                }
                at += 1;
            }
            TokenTree::Ident(ident) => {
                imported |= ident == "use";
                at = path(&tokens, at, &Vec::new(), imported, &place, found);
            }
            _ => at += 1,
        }
    }
}

fn walk_rest(tokens: &[TokenTree], place: Place, found: &mut Vec<Named>) {
    walk(tokens.iter().cloned().collect(), place, found);
}

/// The module that a group's content is in: a new one after `mod name`.
fn inside(tokens: &[TokenTree], at: usize, place: &Place) -> Place {
    let mut place = place.clone();
    if let (Some(TokenTree::Ident(name)), Some(TokenTree::Ident(keyword))) = (
        at.checked_sub(1).and_then(|i| tokens.get(i)),
        at.checked_sub(2).and_then(|i| tokens.get(i)),
    ) && keyword == "mod"
    {
        place.module.push(name.to_string());
    }
    place
}

/// Reads the path that starts at an identifier; returns where it ends.
fn path(
    tokens: &[TokenTree],
    start: usize,
    prefix: &[String],
    imported: bool,
    place: &Place,
    found: &mut Vec<Named>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens[start].span().start().line;
    let mut at = start;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => segments.push(plain(&ident.to_string())),
            Some(TokenTree::Punct(p)) if p.as_char() == '*' => segments.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                branches(group, &segments, imported, place, found);
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        at += 2;
    }
    let renamed = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "as");
    found.push(Named {
        segments,
        line,
        module: place.module.clone(),
        imported,
        renamed,
        is_macro: is_punct(tokens.get(at), '!') && !is_punct(tokens.get(at + 1), '='),
        in_test: place.in_test,
    });
    at
}

/// The branches of `prefix::{a, b::c}`.
fn branches(
    group: &Group,
    prefix: &[String],
    imported: bool,
    place: &Place,
    found: &mut Vec<Named>,
) {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let starts = matches!(&tokens[at], TokenTree::Ident(_)) || is_punct(tokens.get(at), '*');
        let fresh = at == 0 || is_punct(tokens.get(at - 1), ',');
        at = match starts && fresh {
            true => path(&tokens, at, prefix, imported, place, found),
            false => at + 1,
        };
    }
}

fn plain(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == wanted)
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

/// Whether an attribute is `cfg(test)` or demands it among others.
fn tests_only(attribute: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(group)) = attribute else {
        return false;
    };
    let text: String = group
        .stream()
        .to_string()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}
