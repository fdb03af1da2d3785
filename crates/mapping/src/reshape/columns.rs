//! `columns`: an array of scalars, which is a row, becomes an object.

use super::text::{ElementText, TextRef};
use crate::decode::{Scanner, SyntaxError, Token};
use crate::rejection::Rejection;

/// Writes a row as an object with these keys. A row with too few values lacks the last keys.
pub(super) fn write(
    columns: &[String],
    row: TextRef<'_>,
    out: &mut ElementText,
) -> Result<Result<(), Rejection>, SyntaxError> {
    out.clear();
    let mut scanner = row.scanner();
    scanner.value()?;
    let mut values = 0;
    out.push(b"{");
    while scanner.element(values == 0)? {
        scanner.skip_whitespace();
        let start = scanner.position();
        if matches!(scanner.value()?, Token::Object | Token::Array) {
            return Ok(Err(Rejection::NestedRow { value: values + 1 }));
        }
        if let Some(key) = columns.get(values) {
            out.push(if values > 0 { b"," } else { b"" });
            out.push_key(key);
            out.copy(&row, start..scanner.position());
        }
        values += 1;
    }
    out.push(b"}");
    Ok(if values > columns.len() {
        Err(Rejection::LongRow { values, columns: columns.len() })
    } else {
        Ok(())
    })
}

/// Whether the array whose opening bracket was just read is a row: it has a number, a text or a boolean, or only nulls. [`write`] rejects
/// a row that holds an object or an array, too. Any other array with those is a list of rows.
pub(crate) fn is_row(mut array: Scanner<'_>) -> Result<bool, SyntaxError> {
    let (mut is_first, mut is_list) = (true, false);
    while array.element(is_first)? {
        is_first = false;
        match array.value()? {
            Token::Null => {}
            token @ (Token::Object | Token::Array) => {
                is_list = true;
                array.skip_rest(token, 1)?;
            }
            _ => return Ok(true),
        }
    }
    Ok(!is_first && !is_list)
}
