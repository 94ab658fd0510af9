//! The description of the API (OpenAPI 3.1), made from the same types that the handlers answer
//! with: each answer is shown by a sample of its type, and the schema follows the sample.

use std::mem::discriminant;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, OpenApiVersion,
    PathItem, PathsBuilder, RefOr, Required, ResponseBuilder,
};

use super::access::Need;
use super::error::ApiError;
use super::routes::{self, Route};
use super::samples::{self, Parameter, Sample};

/// The name of the one security scheme.
const BEARER: &str = "bearer";

/// `GET /api/v1/openapi.json`.
pub async fn document() -> Result<Response, ApiError> {
    let text = describe().to_pretty_json().map_err(ApiError::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], text).into_response())
}

/// The whole description.
pub fn describe() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Kattila")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Signed reports in, a live map of a WireGuard network out. Times are Unix seconds, \
             sizes are bytes. A member that has no value is null. Refusals are \
             application/problem+json; `code` is stable.",
        ))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = ComponentsBuilder::new().security_scheme(BEARER, bearer).build();
    let mut paths = PathsBuilder::new();
    for route in described() {
        let Some(sample) = samples::of(route.method, route.path) else { continue };
        let method = match route.method {
            "GET" => HttpMethod::Get,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Post,
        };
        paths = paths.path(route.path, PathItem::new(method, operation(&route, sample)));
    }
    OpenApiBuilder::new()
        .openapi(OpenApiVersion::Version31)
        .info(info)
        .components(Some(components))
        .paths(paths)
        .build()
}

/// The routes for programs; pages are for people.
pub fn described() -> impl Iterator<Item = Route> {
    let programs = ["/status/", "/api/", "/livez", "/readyz"];
    routes::all()
        .into_iter()
        .filter(move |route| programs.iter().any(|prefix| route.path.starts_with(prefix)))
}

fn operation(route: &Route, sample: Sample) -> OperationBuilder {
    let mut operation =
        OperationBuilder::new().summary(Some(sample.summary)).tag(match route.need {
            Need::Public => "health",
            Need::Signature => "agents",
            Need::Shared | Need::Role(_) | Need::Whole(_) => "operators",
        });
    if let Some(role) = route.need.role() {
        let more = match route.need {
            Need::Whole(_) => ", and a caller who is not limited to fleets",
            Need::Shared => ", or a shared link",
            Need::Public | Need::Signature | Need::Role(_) => "",
        };
        operation = operation
            .description(Some(format!("Needs the role {role}{more}.")))
            .security(SecurityRequirement::new(BEARER, Vec::<String>::new()));
    }
    if route.path.contains("{id}") {
        operation = operation.parameter(parameter("id", ParameterIn::Path, "Its id", Type::String));
    }
    for Parameter { name, about, number } in sample.query {
        let kind = if *number { Type::Integer } else { Type::String };
        operation = operation.parameter(parameter(name, ParameterIn::Query, about, kind));
    }
    if route.list.is_some() {
        let about = "`csv`: the rows of the list as CSV, a column for each member";
        operation =
            operation.parameter(parameter("format", ParameterIn::Query, about, Type::String));
    }
    if let Some(body) = sample.body {
        let content = content(body);
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", content)
            .build();
        operation = operation.request_body(Some(body));
    }
    let answer = ResponseBuilder::new()
        .description("Done")
        .content(sample.kind, any_of(sample.answer, &samples::others(route.path)));
    let problem = ResponseBuilder::new()
        .description("Refused; see `code`")
        .content("application/problem+json", content(samples::problem()));
    operation.response(sample.status, answer.build()).response("default", problem.build())
}

fn parameter(name: &str, place: ParameterIn, about: &str, kind: Type) -> ParameterBuilder {
    let needed = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(needed)
        .description(Some(about))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
}

fn content(sample: Value) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema(&sample))).example(Some(sample)).build()
}

/// The content of an answer that has several shapes.
fn any_of(first: Value, others: &[Value]) -> utoipa::openapi::Content {
    if others.is_empty() {
        return content(first);
    }
    let shapes = std::iter::once(&first).chain(others);
    let any = shapes.fold(AnyOfBuilder::new(), |any, shape| any.item(schema(shape)));
    ContentBuilder::new().schema(Some(Schema::AnyOf(any.build()))).example(Some(first)).build()
}

/// The schema that a sample fits.
fn schema(sample: &Value) -> Schema {
    of_kind(sample, SchemaType::Type)
}

/// The schema of a member: which of them may be missing a sample cannot tell, and those are null.
fn member((name, sample): (&String, &Value)) -> Schema {
    // How a thing was and is, in whatever shape the thing has.
    if sample.is_object() && matches!(name.as_str(), "before" | "after") {
        return schema(&Value::Null);
    }
    of_kind(sample, |kind| SchemaType::Array(vec![kind, Type::Null]))
}

fn of_kind(sample: &Value, allow: impl Fn(Type) -> SchemaType) -> Schema {
    let plain = |kind: Type| Schema::Object(ObjectBuilder::new().schema_type(allow(kind)).build());
    match sample {
        // A sample that shows nothing promises nothing.
        Value::Null => {
            Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build())
        }
        Value::Bool(_) => plain(Type::Boolean),
        Value::Number(number) if number.is_f64() => plain(Type::Number),
        Value::Number(_) => plain(Type::Integer),
        Value::String(_) => plain(Type::String),
        Value::Array(items) => {
            // A row of different things promises nothing about them.
            let first = items.first().unwrap_or(&Value::Null);
            let mixed = items.iter().any(|item| discriminant(item) != discriminant(first));
            let item = schema(if mixed { &Value::Null } else { first });
            let list = ArrayBuilder::new().schema_type(allow(Type::Array));
            Schema::Array(list.items(RefOr::T(item)).build())
        }
        Value::Object(members) => {
            let object = ObjectBuilder::new().schema_type(allow(Type::Object));
            let object =
                members.iter().fold(object, |object, pair| object.property(pair.0, member(pair)));
            Schema::Object(object.build())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_for_programs_is_described() {
        let document: Value = serde_json::from_str(&describe().to_json().unwrap()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut count = 0;
        for route in described() {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation.is_object(), "{} {}", route.method, route.path);
            assert!(!operation["summary"].as_str().unwrap().is_empty());
            assert_eq!(
                operation["security"].is_array(),
                route.need.role().is_some(),
                "{}",
                route.path
            );
            count += 1;
        }
        assert!(count > 15);
    }

    #[test]
    fn schemas_follow_the_types() {
        let document: Value = serde_json::from_str(&describe().to_json().unwrap()).unwrap();
        let schema = |path: &str| {
            &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        };
        let agents = schema("/status/agents");
        assert_eq!(agents["type"], "array");
        for name in [
            "agent_id",
            "hostname",
            "fleet_id",
            "agent_version",
            "registered_at",
            "last_seen_at",
            "last_tick",
            "status",
            "scheme",
            "interfaces",
            "peers",
        ] {
            assert!(agents["items"]["properties"][name].is_object(), "{name}");
        }
        let alarms = schema("/status/alarms");
        for name in [
            "id",
            "kind",
            "severity",
            "state",
            "fleet_id",
            "agent_id",
            "subject",
            "message",
            "raised_at",
            "acknowledged_at",
        ] {
            assert!(alarms["items"]["properties"][name].is_object(), "{name}");
        }
        let shapes = &schema("/api/v1/topology")["anyOf"];
        assert!(shapes[1]["properties"]["columns"].is_object(), "{shapes}");
        assert!(shapes[2]["properties"]["pairs"].is_object(), "{shapes}");
        let map = &shapes[0];
        for name in ["epoch", "seq", "layout_rev", "generated_at", "t", "sites", "nodes", "edges"] {
            assert!(map["properties"][name].is_object(), "{name}");
        }
        let edge = &map["properties"]["edges"]["items"]["properties"];
        for name in ["id", "source", "target", "edge_type", "state", "reason", "judged_at", "ends"]
        {
            assert!(edge[name].is_object(), "{name}");
        }
        let end = &edge["ends"]["items"]["properties"];
        for name in [
            "agent_id",
            "interface",
            "latest_handshake",
            "rx_bytes",
            "tx_bytes",
            "endpoint",
            "allowed_ips",
        ] {
            assert!(end[name].is_object(), "{name}");
        }
    }
}
