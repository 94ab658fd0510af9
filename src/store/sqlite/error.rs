//! Turns SQLite's errors into the store's own: without SQL, without values.

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// What a failed statement on `table` means to the callers of the store.
pub(super) fn fault(table: &'static str, error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return other_fault(table, &error);
    };
    // SQLite's messages name tables, columns and constraints, never values.
    let message = message.unwrap_or_else(|| code.to_string());
    let is = |codes: &[ErrorCode]| codes.contains(&code.code);
    if is(&[ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch, ErrorCode::TooBig]) {
        StoreError::Constraint(format!("{table}: {message}"))
    } else if is(&[ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
        StoreError::Damaged(format!("{table}: {message}"))
    } else if is(&[ErrorCode::OperationInterrupted]) {
        StoreError::Unavailable(format!(
            "reading {table} took too long and was stopped; ask for less at once"
        ))
    } else if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
        StoreError::Unavailable(format!(
            "another program holds the database ({message}); end it, such as an open sqlite3 shell"
        ))
    } else if is(&[ErrorCode::DiskFull]) {
        StoreError::Unavailable(String::from("the disk is full; free some space on it"))
    } else {
        StoreError::Unavailable(format!("{table}: {message}"))
    }
}

fn other_fault(table: &'static str, error: &rusqlite::Error) -> StoreError {
    if let rusqlite::Error::ToSqlConversionFailure(_) | rusqlite::Error::NulError(_) = error {
        return StoreError::Constraint(format!("{table}: a value cannot be stored"));
    }
    if let rusqlite::Error::SqlInputError { msg, .. } = error {
        // The program's own SQL does not fit the file: a column or table is missing from it.
        return StoreError::Damaged(format!("{table}: {msg}"));
    }
    StoreError::Damaged(format!("{table}: a value has another type than its column"))
}

/// The same for files that are read and written beside the database.
pub(super) fn file_fault(what: &str, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraint_errors_name_the_rule_and_no_value() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (a TEXT CHECK (a <> 'geheim'), b INTEGER) STRICT")
            .unwrap();
        for sql in ["INSERT INTO t VALUES ('geheim', 1)", "INSERT INTO t VALUES ('x', 'geheim')"] {
            let error = fault("t", conn.execute(sql, []).unwrap_err());
            let StoreError::Constraint(text) = &error else { panic!("{error}") };
            assert!(text.starts_with("t: "), "{text}");
        }
        let wrong_type =
            fault("t", conn.execute("INSERT INTO t VALUES ('x', 'geheim')", []).unwrap_err());
        assert!(!wrong_type.to_string().contains("geheim"), "{wrong_type}");
    }
}
