//! Who may do what.

use std::fmt;

use super::audit::{MANAGER, UNKNOWN};

/// A session ends this many seconds after its last request (30 minutes).
pub const SESSION_IDLE_SECONDS: i64 = 30 * 60;

/// Longest name of a user or a token, in characters.
pub const NAME_CHARS: usize = 64;

/// The name of who holds the configured admin token.
pub const ADMIN_NAME: &str = "admin";

/// The name of who looks without saying who they are.
pub const STRANGER_NAME: &str = "anonymous";

/// A name that can be shown and told from those the manager gives itself.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn token_name(name: &str) -> Result<&str, String> {
    let fits = (1..=NAME_CHARS).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    let taken = matches!(name, ADMIN_NAME | STRANGER_NAME | MANAGER | UNKNOWN)
        || name.starts_with("agent ");
    match (fits, taken) {
        (true, false) => Ok(name),
        (true, true) => Err(format!("The name {name} is the manager's own; choose another.")),
        (false, _) => {
            Err(format!("The name must have 1 to {NAME_CHARS} characters and no space around it."))
        }
    }
}

/// The name of a user as it is kept: in lower case, of letters, digits and `.`, `_`, `-`, `@`, so
/// that two names differ where people see it, and a name can stand in an address.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn user_name(name: &str) -> Result<String, String> {
    let name = name.trim().to_lowercase();
    token_name(&name)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if name.chars().all(fits) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(name);
    }
    Err("The name of a user has letters a to z, digits, and . _ - @ between them.".to_owned())
}

/// What a caller may do; each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Acknowledge and clear alarms, move things on the map.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The word in settings and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|r| r.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tokens_cannot_pass_for_the_manager() {
        assert!(token_name("ci runner").is_ok());
        for bad in
            ["", " ci", "admin", "anonymous", "manager", "agent gw-1", "a\nb", &"x".repeat(65)]
        {
            assert!(token_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_users_are_told_apart_by_eye() {
        assert_eq!(user_name(" Olga.K@example.org ").unwrap(), "olga.k@example.org");
        for bad in
            ["", "Admin", "anonymous", "ol ga", "o/g", "olg\u{430}", ".olga", &"x".repeat(65)]
        {
            assert!(user_name(bad).is_err(), "{bad}");
        }
    }
}
