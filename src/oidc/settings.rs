//! What is settled beforehand: the provider, who we are to it, and what its words mean here.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::model::access::{Role, user_name};
use crate::model::id::FleetId;
use crate::model::reach::Reach;

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
    /// Which fleets its values let them see, `None` for all; `*` as above. Without any, the provider
    /// says nothing of fleets.
    pub fleets: Vec<(String, Option<FleetId>)>,
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
    /// Which fleets they see; `None` if an admin here says so.
    pub reach: Option<Reach>,
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
        let reach = self.reach(claims);
        if reach.as_ref().is_some_and(|reach| *reach == Reach::nothing()) {
            return Err(Failure::NoFleet(subject));
        }
        Ok(Person { subject, name, role, reach })
    }

    /// All fleets that the claim's values mean.
    fn reach(&self, claims: &Map<String, Value>) -> Option<Reach> {
        let values = self.values(claims);
        let meant = |(value, _): &&(String, _)| is_meant(value, &values);
        let meant: Vec<_> = self.fleets.iter().filter(meant).map(|(_, fleet)| fleet).collect();
        if self.fleets.is_empty() {
            return None;
        }
        // One that stands for all makes the others needless.
        let all: Option<Vec<FleetId>> = meant.into_iter().cloned().collect();
        Some(all.map_or(Reach::Whole, Reach::only))
    }

    /// The greatest of the roles that the claim's values mean.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let values = self.values(claims);
        let meant = |(value, _): &&(String, Role)| is_meant(value, &values);
        self.roles.iter().filter(meant).map(|(_, role)| *role).max()
    }

    /// The values of the claim that tells what somebody may do.
    fn values<'a>(&self, claims: &'a Map<String, Value>) -> Vec<&'a str> {
        match find(claims, &self.role_claim) {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
                Vec::new()
            }
        }
    }
}

/// Whether a value of the settings is among somebody's.
fn is_meant(value: &str, values: &[&str]) -> bool {
    value == "*" || values.contains(&value)
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
            fleets: Vec::new(),
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
        let (subject, name, role, reach) = ("7".into(), "olga".into(), Role::Viewer, None);
        let olga = Person { subject, name, role, reach };
        assert_eq!(found, olga);
    }

    #[test]
    fn values_of_the_claim_become_fleets_where_the_settings_say_so() {
        let fleet = |name: &str| Some(name.parse::<FleetId>().unwrap());
        let fleets = vec![
            ("net".into(), fleet("berlin")),
            ("net".into(), fleet("lab")),
            ("guest".into(), fleet("paris")),
            ("boss".into(), None),
        ];
        let limited = Settings { fleets, ..settings() };
        let reach = |settings: &Settings, groups: Value| {
            let claims = json!({"sub": "7", "preferred_username": "Olga", "groups": groups});
            person(settings, &claims).map(|person| person.reach)
        };
        let of = |names: &[&str]| Some(Reach::only(names.iter().filter_map(|name| fleet(name))));
        assert_eq!(reach(&limited, json!("net")).unwrap(), of(&["berlin", "lab"]));
        assert_eq!(
            reach(&limited, json!(["net", "guest"])).unwrap(),
            of(&["berlin", "lab", "paris"])
        );
        assert_eq!(reach(&limited, json!(["net", "boss"])).unwrap(), Some(Reach::Whole));
        assert_eq!(reach(&settings(), json!("net")).unwrap(), None, "an admin says so");
        let roles = vec![("*".into(), Role::Viewer)];
        let anybody = Settings { roles, ..limited.clone() };
        assert!(matches!(reach(&anybody, json!("x")), Err(Failure::NoFleet(_))));
        let fleets = [limited.fleets, vec![("*".into(), fleet("lab"))]].concat();
        let anywhere = Settings { fleets, ..anybody };
        assert_eq!(reach(&anywhere, json!("x")).unwrap(), of(&["lab"]));
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
