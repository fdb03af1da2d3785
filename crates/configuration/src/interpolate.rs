//! Replaces `${NAME}`, `${NAME:-default}` and `${file:PATH}` inside a string value.
//!
//! The TOML is parsed before, so that no secret can change its structure. `$${` is a literal `${`, and
//! `$$NAME` a literal `$NAME`; a `$` before anything else, as in regular expressions and JSONPaths, stays as it is.

use base::secret;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The environment of a configuration file: the variables of the process, and the folder of the file.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Relative file names start in this folder.
    pub folder: &'a Path,
}

/// A string value after replacement.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Interpolated {
    pub value: String,
    /// Whether the text had a variable or file.
    pub replaced: bool,
    /// The file whose whole content is the value.
    pub file: Option<PathBuf>,
}

#[derive(Debug, Error)]
pub enum InterpolateError {
    #[error(
        "the environment variable {name} is not set: export it before the program starts, or read a file, as in ${{file:PATH}}"
    )]
    Unset { name: String },
    #[error("${name} is not replaced: write ${{{name}}} for the variable, $${name} for the text as it is")]
    Bare { name: String },
    #[error("\"${{\" has no \"}}\"; a literal \"${{\" is written \"$${{\"")]
    Unclosed,
    #[error(
        "${{{text}}} is not known: it is ${{NAME}}, ${{NAME:-default}} or ${{file:PATH}}; a literal \"${{\" is written \"$${{\""
    )]
    Unknown { text: String },
    #[error("{} can't be read: {why}", .path.display())]
    File { path: PathBuf, why: String },
}

impl InterpolateError {
    /// Whether the text is valid and only its variable or file is missing.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Unset { .. } | Self::File { .. })
    }

    /// The message without the value, which may itself be a secret with a mistaken "$" in it.
    pub fn without_value(&self) -> String {
        match self {
            Self::Bare { .. } => {
                "a \"$\" before a letter: write ${NAME} for a variable, $$ for the character itself"
                    .to_owned()
            }
            Self::Unknown { .. } => {
                "after \"${\" comes NAME}, NAME:-default} or file:PATH}; a literal \"${\" is written \"$${\""
                    .to_owned()
            }
            Self::Unset { .. } | Self::Unclosed | Self::File { .. } => self.to_string(),
        }
    }
}

/// The variable that an error says to be unset.
#[must_use]
pub fn unset_variable(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("the environment variable ")?;
    rest.split_once(" is not set: ").map(|(name, _)| name)
}

/// Replaces the variables and files of `text`, and reports all errors at once.
pub fn interpolate(text: &str, around: Surroundings<'_>) -> Result<Interpolated, Vec<InterpolateError>> {
    let mut out = Interpolated::default();
    let mut errors = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.value.push_str(before);
        rest = after;
        if let Some(after) =
            rest.strip_prefix('$').filter(|after| after.starts_with('{') || starts_name(after))
        {
            let end = after.chars().next().map_or(0, char::len_utf8);
            let (first, after) = after.split_at(end);
            out.value.push('$');
            out.value.push_str(first);
            out.replaced = true;
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((reference, after)) = after.split_once('}') else {
                errors.push(InterpolateError::Unclosed);
                break;
            };
            match resolve(reference, around) {
                Ok((value, file)) => {
                    out.value.push_str(&value);
                    let alone = text.len() == reference.len() + "${}".len();
                    out.file = file.filter(|_| alone);
                }
                Err(error) => errors.push(error),
            }
            out.replaced = true;
            rest = after;
        } else if starts_name(rest) {
            let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            errors.push(InterpolateError::Bare { name: name.to_owned() });
            rest = after;
        } else {
            out.value.push('$');
        }
    }
    out.value.push_str(rest);
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

fn resolve(reference: &str, around: Surroundings<'_>) -> Result<(String, Option<PathBuf>), InterpolateError> {
    if let Some(name) = reference.strip_prefix("file:") {
        let path = around.folder.join(name);
        return match secret::read_trimmed(&path) {
            Ok(value) => Ok((value, Some(path))),
            Err(error) => {
                let why = format!("{error}{}", relative_to(name, around.folder, &error));
                Err(InterpolateError::File { path, why })
            }
        };
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !starts_name(name) || !name.chars().all(is_name_char) {
        return Err(InterpolateError::Unknown { text: reference.to_owned() });
    }
    // A shell does the same: with a default, an empty variable counts as unset.
    let value = (around.env)(name).filter(|value| default.is_none() || !value.is_empty());
    match value.or_else(|| default.map(str::to_owned)) {
        Some(value) => Ok((value, None)),
        None => Err(InterpolateError::Unset { name: name.to_owned() }),
    }
}

/// The folder of a relative name whose file is missing, as the end of a message.
pub fn relative_to(name: &str, folder: &Path, error: &io::Error) -> String {
    if Path::new(name).is_absolute() || error.kind() != io::ErrorKind::NotFound {
        return String::new();
    }
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("; relative names begin in the folder of the configuration file, {}", folder.display())
}

fn starts_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some("to${ken}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn run(text: &str) -> Result<Interpolated, Vec<InterpolateError>> {
        interpolate(text, Surroundings { env: &env, folder: Path::new("/nowhere") })
    }

    #[test]
    fn replaces() {
        let f = |text: &str, want: &str| {
            let got = run(text).unwrap();
            assert_eq!((got.value.as_str(), got.replaced), (want, text != want), "{text}");
        };
        f("", "");
        f("plain", "plain");
        f("${TOKEN}", "to${ken}");
        f("a${TOKEN}b${TOKEN}", "ato${ken}bto${ken}");
        f("${NONE:-5}", "5");
        f("${NONE:-}", "");
        f("${NONE:-a:-b}", "a:-b");
        f("${EMPTY}", "");
        f("${EMPTY:-x}", "x");
        f("$${TOKEN}", "${TOKEN}");
        f("$$TOKEN", "$TOKEN");
        f("pa$$5", "pa$$5");
        f("^a.*$", "^a.*$");
        f("^a$|^b$", "^a$|^b$");
        f("$.items[*]", "$.items[*]");
        f("$[0]['온도']", "$[0]['온도']");
        f("100$ 온도", "100$ 온도");
    }

    #[test]
    fn explains() {
        let f = |text: &str, want: &[&str]| {
            let errors = run(text).unwrap_err();
            assert_eq!(errors.len(), want.len(), "{text}: {errors:?}");
            for (error, want) in errors.iter().zip(want) {
                assert!(error.to_string().contains(want), "{text}: {error}");
            }
        };
        f(
            "${NONE}",
            &["NONE is not set: export it before the program starts, or read a file, as in ${file:PATH}"],
        );
        f("${NONE} ${MORE}", &["NONE", "MORE"]);
        let message = run("${NONE}").unwrap_err().remove(0).to_string();
        assert_eq!((unset_variable(&message), unset_variable("`a` is empty")), (Some("NONE"), None));
        f("a $TOKEN b", &["write ${TOKEN} for the variable, $$TOKEN for the text"]);
        f("${TOKEN", &["has no \"}\""]);
        f("${}", &["${NAME}"]);
        f("${env:TOKEN}", &["${env:TOKEN} is not known: it is ${NAME}"]);
        f("${NONE-x}", &["is not known"]);
        let folder = "; relative names begin in the folder of the configuration file, /nowhere";
        f(
            "${file:token}",
            &[&format!("/nowhere/token can't be read: No such file or directory (os error 2){folder}")],
        );
        let absolute = run("${file:/nowhere/token}").unwrap_err().remove(0).to_string();
        assert!(!absolute.contains("relative"), "{absolute}");
    }

    #[test]
    fn shows_no_part_of_a_secret() {
        for text in ["pa$sword", "pa${ssw ord}"] {
            let error = run(text).unwrap_err().remove(0).without_value();
            assert!(!error.contains("ss") && error.contains("$$"), "{error}");
        }
    }

    #[test]
    fn reads_files() {
        let folder = Folder::new();
        let token = folder.write("token", "hush\n");
        let f = |text: &str| interpolate(text, Surroundings { env: &env, folder: folder.path() }).unwrap();
        let alone = f("${file:token}");
        assert_eq!((alone.value.as_str(), alone.file), ("hush", Some(token)));
        let part = f("a ${file:token}");
        assert_eq!((part.value.as_str(), part.file), ("a hush", None));
    }

    proptest! {
        #[test]
        fn escaped_text_comes_back(text in "[$a{}:_ .-]{0,20}") {
            // "$$" is an escape, so the text would change.
            prop_assume!(!text.contains("$$"));
            let escaped = text.replace("${", "$${").replace("$a", "$$a").replace("$_", "$$_");
            prop_assert_eq!(run(&escaped).unwrap().value, text);
        }

        #[test]
        fn nothing_panics(text in "[$a{}:_ .-]{0,30}|.{0,20}") {
            let _ = run(&text);
        }
    }
}
