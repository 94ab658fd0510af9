//! The page about the API: what the OpenAPI document says, for people.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::http::access::Need;
use crate::http::error::{ApiError, status};
use crate::http::openapi::{describe, described};
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::model::access::Role;
use crate::views;
use crate::views::api::{Asker, CodeItem, Looked, OperationItem, ParameterItem};
use crate::views::page::Nav;
use crate::wire::codes::ErrorCode;

use super::{Reader, html};

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default)]
    role: String,
}

/// `GET /api`.
pub async fn page(
    State(state): State<AppState>,
    reader: Reader,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let document = serde_json::to_value(describe()).map_err(ApiError::internal)?;
    let operations: Vec<_> = described()
        .filter_map(|route| {
            let asker = match route.need {
                Need::Public => Asker::Anybody,
                Need::Signature => Asker::Agent,
                Need::Shared => Asker::Role(Role::Viewer),
                Need::Role(role) | Need::Whole(role) => Asker::Role(role),
            };
            operation(&document, (route.method, route.path), asker)
        })
        .collect();
    let codes = ErrorCode::ALL.iter().map(|code| CodeItem {
        code: code.as_str(),
        status: status(*code).as_u16(),
        title: code.title(),
    });
    let codes: Vec<_> = codes.collect();
    let looked = Looked { q: wanted.q, role: Role::from_word(&wanted.role) };
    let context = reader.context(&state, "API", Nav::Settings);
    html(views::api::page(&context, (&operations, &codes), &looked))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// One operation as the document has it.
fn operation(
    document: &Value,
    (method, path): (&str, &str),
    asker: Asker,
) -> Option<OperationItem> {
    let told = document.get("paths")?.get(path)?.get(method.to_lowercase())?;
    let parameters = told.get("parameters").and_then(Value::as_array);
    let parameters = parameters.into_iter().flatten().map(|one| {
        let of = |name: &str| one.get(name).map(text).unwrap_or_default();
        let kind = one.pointer("/schema/type").map(text).unwrap_or_default();
        ParameterItem { name: of("name"), place: of("in"), about: of("description"), kind }
    });
    let answers = told.get("responses")?.as_object()?;
    let (status, answer) = answers.iter().find(|(status, _)| *status != "default")?;
    let (kind, content) = answer.get("content")?.as_object()?.iter().next()?;
    let takes = told.pointer("/requestBody/content/application~1json/example").map(pretty);
    Some(OperationItem {
        method: method.to_owned(),
        path: path.to_owned(),
        asker,
        summary: told.get("summary").map(text).unwrap_or_default(),
        parameters: parameters.collect(),
        takes,
        status: status.clone(),
        kind: kind.clone(),
        answer: content.get("example").map(pretty).unwrap_or_default(),
    })
}

/// An example as people read it; text as it is.
fn pretty(example: &Value) -> String {
    example.as_str().map_or_else(|| format!("{example:#}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_document_is_on_the_page_with_an_example() {
        let document = serde_json::to_value(describe()).unwrap();
        let mut count = 0;
        for route in described() {
            let (method, path) = (route.method, route.path);
            let one = operation(&document, (method, path), Asker::Anybody).expect(path);
            assert!(!one.summary.is_empty() && one.status.starts_with('2'), "{path}");
            assert!(!one.answer.is_empty(), "{method} {path}");
            assert_eq!(path.contains("{id}"), one.parameters.iter().any(|p| p.place == "path"));
            count += 1;
        }
        let told = document["paths"].as_object().unwrap().values();
        let told: usize = told.map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(count, told, "nothing of the document is left out");
    }
}
