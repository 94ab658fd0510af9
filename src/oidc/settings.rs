//! What is settled beforehand: the provider, who we are to it, and what its words mean here.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::model::access::{Role, user_name};

use super::Failure;

/// The settings.
#[derive(Clone)]
pub struct Settings {
    /// The provider: an address without a slash at its end, as the provider writes it.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// What proves that; `None` for a public client.
    pub secret: Option<Zeroizing<String>>,
    /// What is asked for, `openid` among it.
    pub scopes: String,
    /// Which claim is the user's name.
    pub name_claim: String,
    /// Which claim tells what they may do.
    pub role_claim: String,
    /// What its values mean; `*` stands for any value and for none.
    pub roles: Vec<(String, Role)>,
    /// Authorities (PEM) of the provider's certificate instead of the system's.
    pub ca: Option<String>,
    /// Our own address as browsers see it; `None`: what each browser says.
    pub public_url: Option<String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Somebody whom the provider has let in, by its own name for them and by ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What the provider knows them by, for ever (`sub`).
    pub subject: String,
    /// Their name here.
    pub name: String,
    /// What they may do here.
    pub role: Role,
}

impl Settings {
    /// Whether the claims of an ID token are all that is wanted of a person.
    pub fn are_enough(&self, claims: &Map<String, Value>) -> bool {
        find(claims, &self.name_claim).is_some() && find(claims, &self.role_claim).is_some()
    }

    /// Who somebody with these claims is here.
    pub fn person(&self, claims: &Map<String, Value>) -> Result<Person, Failure> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let subject = claims.get("sub").and_then(text).unwrap_or_default();
        let Some(role) = self.role(claims) else { return Err(Failure::NoRole(subject)) };
        let told = find(claims, &self.name_claim).and_then(text);
        let Some(told) = told else {
            let why = format!("{subject} has no {}", self.name_claim);
            return Err(Failure::NoName(why));
        };
        let name = user_name(&told).map_err(|why| Failure::NoName(format!("{subject}: {why}")))?;
        Ok(Person { subject, name, role })
    }

    /// The greatest of the roles that the claim's values mean.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let values = match find(claims, &self.role_claim) {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                Vec::new()
            }
        };
        let meant = |(value, _): &&(String, Role)| value == "*" || values.contains(&value.as_str());
        self.roles.iter().filter(meant).map(|(_, role)| *role).max()
    }
}

/// A claim by its name, or by its way into others with dots, as in `realm_access.roles`.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in crate::oidc) fn settings() -> Settings {
        Settings {
            issuer: "https://id.example.org".into(),
            client_id: "kattila".into(),
            secret: Some(Zeroizing::new("s3cret".into())),
            scopes: "openid profile".into(),
            name_claim: "preferred_username".into(),
            role_claim: "groups".into(),
            roles: vec![("net".into(), Role::Operator), ("boss".into(), Role::Admin)],
            ca: None,
            public_url: None,
        }
    }

    fn person(settings: &Settings, claims: &Value) -> Result<Person, Failure> {
        settings.person(claims.as_object().unwrap())
    }

    #[test]
    fn values_of_the_claim_become_a_role_and_others_none() {
        let claims =
            |groups: Value| json!({"sub": "7", "preferred_username": "Olga", "groups": groups});
        let role = |groups| person(&settings(), &claims(groups)).map(|person| person.role).ok();
        assert_eq!(role(json!(["x", "net"])), Some(Role::Operator));
        assert_eq!(role(json!(["net", "boss"])), Some(Role::Admin), "the greatest");
        assert_eq!(role(json!("boss")), Some(Role::Admin));
        for none in
            [json!([]), json!(["Net"]), json!("net boss"), json!(7), json!(null), json!("*")]
        {
            assert_eq!(role(none.clone()), None, "{none}");
        }
        let anybody = Settings { roles: vec![("*".into(), Role::Viewer)], ..settings() };
        let found = person(&anybody, &json!({"sub": "7", "preferred_username": "Olga"})).unwrap();
        let olga = Person { subject: "7".into(), name: "olga".into(), role: Role::Viewer };
        assert_eq!(found, olga);
    }

    #[test]
    fn claims_stand_within_others_too() {
        let nested = Settings { role_claim: "realm_access.roles".into(), ..settings() };
        let claims =
            json!({"sub": "7", "preferred_username": "o", "realm_access": {"roles": ["net"]}});
        assert_eq!(person(&nested, &claims).unwrap().role, Role::Operator);
        let flat = json!({"sub": "7", "preferred_username": "o", "realm_access.roles": "boss"});
        assert_eq!(person(&nested, &flat).unwrap().role, Role::Admin);
    }

    #[test]
    fn names_must_be_a_users() {
        for name in [json!("admin"), json!("ol ga"), json!(""), json!(7), json!(null)] {
            let claims = json!({"sub": "7", "preferred_username": name, "groups": "net"});
            assert!(matches!(person(&settings(), &claims), Err(Failure::NoName(_))), "{name}");
        }
        let shown = format!("{:?}", settings());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
