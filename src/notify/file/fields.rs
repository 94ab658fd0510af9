//! What only the plan has: addresses, secrets and authorities, in files of their own.

use super::Files;
use crate::form::fields;
use crate::notify::plan::Secret;

/// Characters of an address at most.
const URL_CHARS: usize = 2_000;

/// One table of the plan.
pub(super) type Fields<'r, 't> = fields::Fields<'r, 't, &'r dyn Files>;

impl<'r> Fields<'r, '_> {
    /// A secret from a file of its own.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let path = self.text(key)?;
        self.from.beside.secret(&path).map_err(|problem| self.wrong(key, problem)).ok()
    }

    /// An address, given itself or in a file of its own where it is a secret.
    pub(super) fn url(&mut self, key: &'static str, file: &'static str) -> Option<Secret> {
        let url = match (self.has(key), self.has(file)) {
            (true, true) => {
                self.know([key, file]);
                self.wrong(file, format!("stands beside {key}; keep one"));
                return None;
            }
            (false, true) => {
                self.know([key]);
                self.secret(file)?
            }
            _ => {
                self.know([file]);
                Secret::new(self.needed(key)?)
            }
        };
        let used = if self.has(file) { file } else { key };
        address(url.reveal()).map_err(|problem| self.wrong(used, problem)).ok()?;
        Some(url)
    }

    /// The PEM text of the authorities that `ca` names.
    pub(super) fn authorities(&mut self) -> Option<String> {
        let path = self.text("ca")?;
        match self.from.beside.open(&path) {
            Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => Some(pem),
            Ok(_) => {
                self.wrong("ca", format!("{path} holds no certificate; it must be PEM"));
                None
            }
            Err(problem) => {
                self.wrong("ca", problem);
                None
            }
        }
    }
}

/// Whether an HTTP address can be used; what it holds may be a secret and is not repeated.
pub(super) fn address(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err("must begin with https:// or http://".to_owned());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err("must not hold a name and password; use token_file".to_owned());
    }
    let odd = url.chars().any(|sign| sign.is_whitespace() || sign.is_control());
    if host.is_empty() || odd || url.chars().count() > URL_CHARS {
        return Err(format!("must be an address without blanks, at most {URL_CHARS} characters"));
    }
    Ok(())
}
