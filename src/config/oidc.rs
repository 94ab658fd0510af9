//! The settings of signing in at an OpenID provider.

use zeroize::Zeroizing;

use crate::model::access::Role;
use crate::model::id::FleetId;
use crate::oidc::provider::is_safe;
use crate::oidc::settings::Settings;

use super::notify::open;
use super::read::{Reading, private_text};

/// Bytes of a secret's file at most.
const MAX_SECRET_BYTES: u64 = 4096;

/// What does nothing without a provider.
const ABOUT_OIDC: [&str; 7] = [
    "KATTILA_OIDC_CLIENT_ID",
    "KATTILA_OIDC_CLIENT_SECRET",
    "KATTILA_OIDC_CLIENT_SECRET_FILE",
    "KATTILA_OIDC_ROLES",
    "KATTILA_OIDC_FLEETS",
    "KATTILA_OIDC_CA",
    "KATTILA_PUBLIC_URL",
];

impl Reading<'_> {
    /// The provider; `None` if none is set.
    pub(super) fn oidc(&mut self) -> Option<Settings> {
        let values = self.values;
        let set = |name: &&&str| values.get(name).is_some();
        if values.get("KATTILA_OIDC_ISSUER").is_none() {
            for name in ABOUT_OIDC.iter().filter(set) {
                self.wrong(
                    name,
                    "does nothing without KATTILA_OIDC_ISSUER, which names a provider",
                );
            }
            return None;
        }
        for name in ["KATTILA_OIDC_CLIENT_ID", "KATTILA_OIDC_ROLES"].iter().filter(|n| !set(n)) {
            self.wrong(name, "is missing; signing in at a provider needs it");
        }
        let issuer = self.optional("KATTILA_OIDC_ISSUER", issuer);
        let client_id = self.optional("KATTILA_OIDC_CLIENT_ID", visible);
        let secret = self.client_secret();
        let roles = self.optional("KATTILA_OIDC_ROLES", roles);
        let limits = self.optional("KATTILA_OIDC_FLEETS", fleets);
        let scopes = self.required("KATTILA_OIDC_SCOPES", scopes);
        let name_claim = self.required("KATTILA_OIDC_NAME_CLAIM", visible);
        let role_claim = self.required("KATTILA_OIDC_ROLE_CLAIM", visible);
        let ca = self.optional("KATTILA_OIDC_CA", |text| open(std::path::Path::new(text)));
        let public_url = self.optional("KATTILA_PUBLIC_URL", address);
        Some(Settings {
            issuer: issuer?,
            client_id: client_id?,
            secret,
            scopes: scopes?,
            name_claim: name_claim?,
            role_claim: role_claim?,
            roles: roles?,
            fleets: limits.unwrap_or_default(),
            ca,
            public_url,
        })
    }

    fn client_secret(&mut self) -> Option<Zeroizing<String>> {
        let told = self.optional("KATTILA_OIDC_CLIENT_SECRET", secret);
        let filed = self.optional("KATTILA_OIDC_CLIENT_SECRET_FILE", |text| {
            secret(&private_text(std::path::Path::new(text), MAX_SECRET_BYTES)?)
        });
        if told.is_some() && filed.is_some() {
            self.wrong(
                "KATTILA_OIDC_CLIENT_SECRET",
                "is set beside KATTILA_OIDC_CLIENT_SECRET_FILE; keep one",
            );
        }
        told.or(filed)
    }
}

fn secret(text: &str) -> Result<Zeroizing<String>, String> {
    match text.trim() {
        "" => Err("is empty".to_owned()),
        text => Ok(Zeroizing::new(text.to_owned())),
    }
}

/// An issuer as the provider writes it (OpenID Connect Discovery section 4.1): what its description
/// says must be the same, character by character.
fn issuer(text: &str) -> Result<String, String> {
    if text.ends_with('/') {
        return Err(format!(
            "\"{text}\" ends with a slash; leave it out, or, if the provider calls itself so, put \
             a proxy or another name of it here"
        ));
    }
    address(text)
}

/// An address that others can be sent to: https, or this host.
fn address(text: &str) -> Result<String, String> {
    let bare = text.trim_end_matches('/');
    if !is_safe(bare) || bare.contains(['?', '#', '@']) || bare.contains(char::is_whitespace) {
        return Err(format!("\"{text}\" is not an https address, such as https://id.example.org"));
    }
    Ok(bare.to_owned())
}

fn visible(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("\"{text}\" has a space in it or is empty"));
    }
    Ok(text.to_owned())
}

fn scopes(text: &str) -> Result<String, String> {
    let words: Vec<_> = text.split_whitespace().collect();
    if !words.contains(&"openid") {
        return Err(format!("\"{text}\" lacks openid, without which nobody is told of"));
    }
    Ok(words.join(" "))
}

/// `VALUE=ROLE`, separated by commas. A value may have an equals sign in it.
fn roles(text: &str) -> Result<Vec<(String, Role)>, String> {
    let one = |word: &str| {
        let pair = word.trim().rsplit_once('=').filter(|(value, _)| !value.is_empty());
        let role = pair.and_then(|(_, role)| Role::from_word(role));
        pair.map(|(value, _)| value.to_owned()).zip(role).ok_or_else(|| {
            format!(
                "\"{word}\" is not VALUE=ROLE with viewer, operator or admin, such as net=operator"
            )
        })
    };
    text.split(',').map(one).collect()
}

/// `VALUE=FLEET`, separated by commas; the fleet `*` is all of them.
fn fleets(text: &str) -> Result<Vec<(String, Option<FleetId>)>, String> {
    let one = |word: &str| {
        let pair = word.trim().rsplit_once('=').filter(|(value, _)| !value.is_empty());
        let fleet = pair.and_then(|(_, fleet)| match fleet {
            "*" => Some(None),
            name => name.parse().ok().map(Some),
        });
        pair.map(|(value, _)| value.to_owned()).zip(fleet).ok_or_else(|| {
            format!("\"{word}\" is not VALUE=FLEET, such as net-berlin=berlin, or VALUE=* for all")
        })
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_roles() {
        let all = roles("net-ops=operator, cn=boss,*=viewer");
        assert!(all.is_err(), "cn=boss has no role");
        let all = roles("net-ops=operator, cn=boss=admin,*=viewer").unwrap();
        let told: Vec<_> = all.iter().map(|(value, role)| (value.as_str(), *role)).collect();
        let wanted = [("net-ops", Role::Operator), ("cn=boss", Role::Admin), ("*", Role::Viewer)];
        assert_eq!(told, wanted);
        for bad in ["", "=viewer", "net", "net=root", "net=viewer,"] {
            assert!(roles(bad).unwrap_err().contains("VALUE=ROLE"), "{bad}");
        }
    }

    #[test]
    fn values_become_fleets() {
        let all = fleets("net-berlin=berlin, cn=boss=*,*=lab").unwrap();
        let told: Vec<_> = all
            .iter()
            .map(|(value, fleet)| (value.as_str(), fleet.as_ref().map(FleetId::as_str)))
            .collect();
        let wanted = [("net-berlin", Some("berlin")), ("cn=boss", None), ("*", Some("lab"))];
        assert_eq!(told, wanted);
        for bad in ["", "=berlin", "net", "net=", "net=a b", "net=berlin,"] {
            assert!(fleets(bad).unwrap_err().contains("VALUE=FLEET"), "{bad}");
        }
    }

    #[test]
    fn issuers_are_https_and_written_one_way() {
        assert_eq!(
            issuer("https://id.example.org/realms/a").unwrap(),
            "https://id.example.org/realms/a"
        );
        assert!(issuer("http://127.0.0.1:4000").is_ok(), "a test on this host");
        assert!(issuer("https://id.example.org/").unwrap_err().contains("slash"));
        for bad in [
            "http://id.example.org",
            "id.example.org",
            "https://a b",
            "https://x/?q",
            "https://u@x",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
        assert_eq!(address("https://k.example.org/").unwrap(), "https://k.example.org");
    }

    #[test]
    fn scopes_have_openid() {
        assert_eq!(scopes(" openid   groups ").unwrap(), "openid groups");
        assert!(scopes("profile").is_err());
    }
}
