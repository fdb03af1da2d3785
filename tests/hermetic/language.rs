//! Phrases that no file of the project may use, each with its replacement. CONTRIBUTING.md has the rules for writing.

use std::fs;
use std::path::{Path, PathBuf};

/// Each phrase with its replacement. The comparison ignores case, and a phrase matches whole words only.
const BANNED: [(&str, &str); 35] = [
    ("for whom", "name the reader: \"plain text for clients such as curl\""),
    ("in the place of", "write \"instead of\""),
    ("than which", "use two sentences"),
    ("none of which", "use two sentences"),
    ("be it", "write \"whether … or …\""),
    ("whoever", "name the actor"),
    ("is told", "use the active voice: who reports what to whom"),
    ("are told", "use the active voice: who reports what to whom"),
    ("tells who", "name the actor"),
    ("words for", "write \"message\" or \"text\""),
    ("less than none", "write \"negative\""),
    ("something else than", "write \"does not answer like\""),
    ("half are answered within", "write \"p50\""),
    ("99 of 100 within", "write \"p99\""),
    ("read in all", "write \"records read\""),
    ("sent again, it may pass", "write \"retried\""),
    ("the one place where", "write \"the only place that\""),
    ("stands on the board", "write \"is active\""),
    ("stand on the same board", "write \"carry over\""),
    ("on hold", "write \"blocked\" or \"paused\""),
    ("tenure", "write \"assignment\""),
    ("skeleton", "write \"record shape\""),
    ("let go", "write \"left unsettled\""),
    ("takes the place of", "write \"replaces\""),
    ("was told", "use the active voice: who reports what to whom"),
    ("were told", "use the active voice: who reports what to whom"),
    ("be told", "write \"logged\", \"reported\" or \"notified\""),
    ("has told", "write \"has logged\" or \"has reported\""),
    ("told once", "write \"logged once\""),
    ("tells of", "write \"reports\""),
    ("tells what", "name what is reported"),
    ("somebody else", "name the actor: another process, another user"),
    ("goes on by itself", "write \"resumes by itself\""),
    ("as it stands", "write \"unchanged\""),
    ("held back", "write \"delayed\" or \"unsettled\""),
];

/// Beginnings of comments without a subject or a verb.
const FRAGMENTS: [&str; 16] = [
    "Of ",
    "As if ",
    "For whom ",
    "Than ",
    "In the place ",
    "Whose ",
    "Whom ",
    "Who ",
    "Whoever ",
    "Those that ",
    "Those of ",
    "That which ",
    "That of ",
    "What is ",
    "What was ",
    "So are ",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extensions, found);
        } else if path.extension().is_some_and(|end| extensions.iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
}

/// Sources of the program and of the tests, and the documents in English except CHANGELOG.md.
fn checked() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["src", "crates", "docs", "docker", "examples"] {
        files(&root().join(folder), &["rs", "md", "html"], &mut found);
    }
    for folder in ["bench", "hermetic", "live", "stack", "support"].map(|name| format!("tests/{name}")) {
        files(&root().join(folder), &["rs", "md", "html"], &mut found);
    }
    found.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "bridge.toml"]
            .map(|name| root().join(name)),
    );
    // This file contains the list.
    found.retain(|path| !path.ends_with("tests/hermetic/language.rs"));
    assert!(found.len() > 200, "only {} files were found", found.len());
    found
}

fn has_phrase(line: &str, phrase: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    line.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (at.checked_sub(1), at + phrase.len());
        !is_word(before.and_then(|at| line.as_bytes().get(at))) && !is_word(line.as_bytes().get(after))
    })
}

#[test]
fn no_file_uses_a_banned_phrase() {
    let mut found = Vec::new();
    for path in checked() {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            for (phrase, instead) in BANNED {
                if has_phrase(&lower, phrase) {
                    let place = path.strip_prefix(root()).unwrap().display();
                    found.push(format!("{place}:{}: {phrase:?}: {instead}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} banned phrases:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_comment_begins_as_a_fragment() {
    let mut found = Vec::new();
    for path in checked().into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let mut was_comment = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let comment = ["/// ", "//! ", "// "].iter().find_map(|mark| line.strip_prefix(mark));
            if let Some(comment) = comment.filter(|_| !was_comment)
                && let Some(fragment) = FRAGMENTS.iter().find(|fragment| comment.starts_with(**fragment))
            {
                let place = path.strip_prefix(root()).unwrap().display();
                found.push(format!("{place}:{}: begins with {fragment:?}", number + 1));
            }
            was_comment = comment.is_some();
        }
    }
    assert!(found.is_empty(), "{} fragments:\n{}", found.len(), found.join("\n"));
}
