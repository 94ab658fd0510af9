//! The map to take away: `/map.svg` and the graphs of `GET /api/v1/export/{id}`, for the same
//! arguments as the map's own address.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::marks::Marks;
use super::networks;
use super::past::{PastView, maybe_time};
use super::search::{Desk, query_then};
use super::topology::CACHE;
use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::mask::{self, Guise, Lens, Masked};
use crate::model::time::UnixSeconds;
use crate::topology::cut;
use crate::topology::leads::Led;
use crate::topology::picture::Picture;
use crate::topology::query::Query;
use crate::topology::query::find::{Found, find};
use crate::views::drawing::geometry::View;
use crate::views::drawing::plan::Layers;
use crate::views::drawing::question::Question;
use crate::views::drawing::relays::MANAGER;
use crate::views::drawing::scene::{Scene, bright};
use crate::views::drawing::{self, LEAST_SIDE, MOST_SIDE, Sight};
use crate::views::{graphs, table};

/// Furthest in and out, as on the page (`map.js`).
const SCALES: std::ops::RangeInclusive<f64> = 0.005..=60.0;

/// The map's address, and the size of a picture.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// What stays bright, or is in the graph.
    #[serde(default)]
    pub q: String,
    /// A time of the past.
    pub at: Option<String>,
    /// `node~ID`, `edge~ID` or `site~ID`.
    sel: Option<String>,
    /// `1`: only what is in trouble stays bright.
    p: Option<String>,
    /// `wireguard`, `subnets`, `relays`, by commas.
    layers: Option<String>,
    /// `1`: with the paths of reports, as `layers` says it now.
    r: Option<String>,
    /// `1`: what is not bright is left out.
    hide: Option<String>,
    x: Option<f64>,
    y: Option<f64>,
    k: Option<f64>,
    w: Option<u32>,
    h: Option<u32>,
    /// `1`: under pseudonyms.
    pub anon: Option<String>,
    /// What is asked of the map.
    #[serde(flatten)]
    marks: Marks,
}

impl Asked {
    fn view(&self) -> Option<View> {
        let (x, y, k) = (self.x?, self.y?, self.k?);
        let sane = x.is_finite() && y.is_finite() && SCALES.contains(&k);
        sane.then_some(View { x, y, k })
    }

    fn size(&self) -> Result<Option<(u32, u32)>, ApiError> {
        let (w, h) = (self.w.unwrap_or(1440), self.h.unwrap_or(900));
        let sides = LEAST_SIDE..=MOST_SIDE;
        if sides.contains(&w) && sides.contains(&h) {
            return Ok(Some((w, h)));
        }
        Err(ApiError::bad_request(format!(
            "A picture is {LEAST_SIDE} to {MOST_SIDE} pixels wide (w) and high (h)."
        )))
    }

    /// Whether what narrows the map down, and what hides names, can be meant.
    fn check(&self) -> Result<(), ApiError> {
        let flags = [("p", &self.p), ("r", &self.r), ("hide", &self.hide), ("anon", &self.anon)];
        for (name, value) in flags {
            if !matches!(value.as_deref(), None | Some("" | "0" | "1")) {
                return Err(ApiError::bad_request(format!("`{name}` takes 1 or 0.")));
            }
        }
        cut::Layers::parse(self.layers.as_deref().unwrap_or_default())
            .map(drop)
            .map_err(ApiError::bad_request)
    }

    /// Whether something beside a query narrows the map down.
    pub fn is_narrow(&self) -> bool {
        self.p.as_deref() == Some("1") || self.marks.is_narrow()
    }

    fn layers(&self) -> Layers {
        self.layers.as_deref().map_or_else(Layers::default, Layers::named)
    }

    /// The networks, if they are to be drawn.
    async fn networks(&self, whose: (&AppState, &Lens)) -> Result<Vec<Led>, ApiError> {
        if !self.layers().subnets {
            return Ok(Vec::new());
        }
        Ok(networks::known(whose, networks::SHOWN).await?.networks)
    }

    /// Whether names and addresses are to be others.
    pub fn is_anonymous(&self) -> bool {
        self.anon.as_deref() == Some("1")
    }

    fn sight(&self, answer: &Answer) -> Result<Sight, ApiError> {
        let is = |flag: &Option<String>| flag.as_deref() == Some("1");
        // Of several the first.
        let selected = self.sel.as_deref().and_then(|sel| sel.split_once('~'));
        let first = |id: &'_ str| {
            let others = [",node~", ",edge~", ",site~", ",net~", ",manager~"];
            others.iter().filter_map(|other| id.find(other)).min()
        };
        let selected =
            selected.map(|(_, id)| first(id).and_then(|end| id.get(..end)).unwrap_or(id));
        let mut layers = self.layers();
        layers.relays |= is(&self.r);
        let asked = self.q.trim();
        // The question may hold a real name.
        let anonymised = answer.anonymised;
        let asked = if answer.masks.is_some() && !asked.is_empty() { "a search" } else { asked };
        Ok(Sight {
            size: self.size()?,
            view: self.view(),
            selected: selected.and_then(|id| answer.id(id)),
            problems: answer.problems,
            layers,
            networks: answer.networks.clone(),
            question: answer.question.clone(),
            hide: is(&self.hide),
            only: answer.only.clone(),
            asked: asked.to_owned(),
            at: answer.at,
            anonymised,
        })
    }
}

/// A picture with what of it was asked for.
struct Answer {
    picture: Picture,
    only: Option<HashSet<String>>,
    at: Option<UnixSeconds>,
    /// Whether only what is in trouble was asked for.
    problems: bool,
    /// What is asked of it.
    question: Question,
    /// Pseudonyms of ids, if the picture was put under pseudonyms because that was asked for.
    masks: Option<HashMap<String, String>>,
    /// Whether it is under pseudonyms, for whatever reason.
    anonymised: bool,
    /// The networks, if they are drawn.
    networks: Vec<Led>,
}

impl Answer {
    /// The same under pseudonyms.
    fn masked(self, guise: &Guise) -> Self {
        let Masked { picture, ids } = mask::masked(&self.picture, guise);
        let only =
            self.only.map(|only| only.iter().filter_map(|id| ids.get(id).cloned()).collect());
        let question = self.question.renamed(&ids);
        let networks = self.networks.iter().map(|led| guise.led(led)).collect();
        let masks = Some(ids);
        Self { picture, only, question, masks, anonymised: true, networks, ..self }
    }

    /// What of it stays bright.
    fn part(&self) -> Picture {
        let scene = Scene::new(&self.picture);
        let bright = bright(&scene, self.only.as_ref(), self.problems, &self.question);
        graphs::part(&self.picture, bright.as_ref())
    }

    /// An id as it is on the picture.
    fn id(&self, real: &str) -> Option<String> {
        match &self.masks {
            Some(_) if real == MANAGER => Some(real.to_owned()),
            Some(masks) => masks.get(real).cloned(),
            None => Some(real.to_owned()),
        }
    }
}

/// Writes a picture in some form.
type Writer = fn(&Picture) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

fn ids(found: Found<'_>) -> HashSet<String> {
    found.nodes.into_iter().chain(found.edges).map(str::to_owned).collect()
}

async fn answer((state, lens): (&AppState, &Lens), asked: &Asked) -> Result<Answer, ApiError> {
    asked.check()?;
    let (query, then) = match maybe_time(asked.at.as_deref())? {
        Some(at) => (query_then(&asked.q)?, Some(PastView::of((state, lens), at).await?)),
        None => (
            Query::parse(&asked.q).map_err(|error| ApiError::bad_request(error.to_string()))?,
            None,
        ),
    };
    let (state, lens, anonymous) = (state.clone(), lens.clone(), asked.is_anonymous());
    let (legs, networks) = match then {
        None => {
            let whose = (&state, &lens);
            (asked.marks.legs(whose).await, asked.networks(whose).await?)
        }
        // Of the past neither routes nor allowed IPs are kept.
        Some(_) => (Vec::new(), Vec::new()),
    };
    let (marks, problems) = (asked.marks.clone(), asked.p.as_deref() == Some("1"));
    state.gather();
    let work = move || {
        let (mut answer, legs) = match then {
            Some(then) => {
                let answer = of_then(then, &query);
                let legs = marks.along(&answer.picture);
                (answer, legs)
            }
            None => (of_now(&Desk::of(&state, &lens), &query), legs),
        };
        answer.question = marks.on(&answer.picture, legs)?;
        answer.problems = problems;
        answer.networks = networks;
        answer.anonymised = lens.guise.is_some();
        // Who is given pseudonyms has them already.
        let hidden = anonymous && !answer.anonymised;
        Ok(if hidden { answer.masked(&state.pseudonyms) } else { answer })
    };
    aside(work).await?
}

fn of_then(then: PastView, query: &Query) -> Answer {
    let only = (!query.is_empty()).then(|| ids(then.find(query)));
    let PastView { at, picture, .. } = then;
    Answer {
        picture,
        only,
        at: Some(at),
        problems: false,
        question: Question::default(),
        masks: None,
        anonymised: false,
        networks: Vec::new(),
    }
}

fn of_now(desk: &Desk, query: &Query) -> Answer {
    let find = || ids(find(&desk.picture, query, desk.now(), |id| desk.known(id)));
    let only = (!query.is_empty()).then(find);
    let (question, picture) = (Question::default(), (*desk.picture).clone());
    Answer {
        picture,
        only,
        at: None,
        problems: false,
        question,
        masks: None,
        anonymised: false,
        networks: Vec::new(),
    }
}

/// `GET /map.svg`.
pub async fn svg(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let answer = answer((&state, &caller.lens), &asked).await?;
    let sight = asked.sight(&answer)?;
    let work = move || drawing::svg(&answer.picture, &sight);
    let text = aside(work).await?;
    Ok(sent("image/svg+xml", "inline; filename=\"map.svg\"", text))
}

/// The part of the map that was asked for, under pseudonyms if that was asked for, too.
pub async fn part(whose: (&AppState, &Lens), asked: &Asked) -> Result<Picture, ApiError> {
    let answer = answer(whose, asked).await?;
    aside(move || answer.part()).await
}

/// A graph for another program, or its links as a table, if the name is one of theirs.
pub async fn graph(
    whose: (&AppState, &Lens),
    name: &str,
    asked: &Asked,
) -> Result<Option<Response>, ApiError> {
    let (kind, attached, write): (_, _, Writer) = match name {
        "map.dot" => {
            ("text/vnd.graphviz", "attachment; filename=\"map.dot\"", |p| Ok(graphs::dot(p).into()))
        }
        "map.graphml" => ("application/graphml+xml", "attachment; filename=\"map.graphml\"", |p| {
            Ok(graphs::graphml(p).into())
        }),
        "map.json" => ("application/json", "attachment; filename=\"map.json\"", |p| {
            Ok(serde_json::to_vec(p)?)
        }),
        "map.csv" => {
            (table::CSV, "attachment; filename=\"map.csv\"", |p| Ok(table::links(p, |_| true)?))
        }
        _ => return Ok(None),
    };
    let answer = answer(whose, asked).await?;
    let text = aside(move || write(&answer.part())).await?;
    Ok(Some(sent(kind, attached, text.map_err(ApiError::internal)?)))
}

fn sent(kind: &'static str, disposition: &'static str, body: impl Into<Body>) -> Response {
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
        (header::CACHE_CONTROL, CACHE),
    ];
    (head, body.into()).into_response()
}
