//! `/map.svg`: the map as a picture that needs no script: to print, to keep, to put into a report.
//!
//! What is drawn, and where, is decided as `static/js/lod.js` and `geometry.js` decide it for the
//! page: [`plan`] is the same arithmetic, and tests hold both against one file
//! (`tests/fixtures/map`). The same picture and sight give the same bytes, in whichever process.
//! Colours are the light theme's, and attributes of shapes rather than a style sheet, which the
//! policy that pages are sent with would not let in.

pub mod geometry;
mod labels;
mod legend;
mod nets;
mod paint;
pub mod plan;
pub mod question;
pub mod relays;
pub mod scene;
mod shapes;
pub mod xml;

use std::collections::HashSet;

use crate::model::time::UnixSeconds;
use crate::topology::leads::Led;
use crate::topology::picture::Picture;

use geometry::{Inset, Size, View, fit};
use plan::{Layers, Plan};
use question::Question;
use scene::Scene;

/// Largest side of a picture: a poster; more only takes memory.
pub const MOST_SIDE: u32 = 8000;
/// Smallest side: under that there is no room for the legend.
pub const LEAST_SIDE: u32 = 320;

/// Room at the foot of the picture for the legend.
const FOOT: f64 = 56.0;
/// A lone pair of agents should not fill the picture, as in `map.js`.
const FIT_MAX: f64 = 2.2;
/// A site of this radius is fitted at most at that scale, as in `map.js`.
const FIT_RADIUS: f64 = 160.0;

/// How the map is looked at: what the address of the map's page says.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Pixels across and down; nothing: 1440 by 900.
    pub size: Option<(u32, u32)>,
    /// The place in the middle and the scale; nothing: everything.
    pub view: Option<View>,
    /// The id of what is chosen: a node, a link or a site.
    pub selected: Option<String>,
    /// Only what is in trouble stays bright.
    pub problems: bool,
    /// What is drawn beside nodes.
    pub layers: Layers,
    /// The networks that are known by more than the links of the picture.
    pub networks: Vec<Led>,
    /// What is asked of the map.
    pub question: Question,
    /// What is not bright is left out.
    pub hide: bool,
    /// The ids of nodes and links that were asked for; nothing: all.
    pub only: Option<HashSet<String>>,
    /// What was asked for, in words, for the foot of the picture.
    pub asked: String,
    /// The time of the picture, if that is not the present.
    pub at: Option<UnixSeconds>,
    /// Whether names and addresses stand for others.
    pub anonymised: bool,
}

/// The picture as SVG.
pub fn svg(picture: &Picture, sight: &Sight) -> String {
    let (w, h) = sight.size.unwrap_or((1440, 900));
    let [w, h] = [w, h].map(|side| f64::from(side.clamp(LEAST_SIDE, MOST_SIDE)));
    let size = Size { w, h: h - FOOT };
    let scene = Scene::new(picture);
    let view = sight.view.unwrap_or_else(|| whole(picture, size, sight.layers));
    let mut plan = Plan::new(&scene, view, size, sight.layers);
    if sight.layers.subnets {
        plan.know(picture, &sight.networks);
    }
    plan.follow(&scene, view, &sight.question.legs);
    let bright = scene::bright(&scene, sight.only.as_ref(), sight.problems, &sight.question);
    if let Some(bright) = bright.as_ref().filter(|_| sight.hide) {
        plan.retain(bright);
    }
    paint::picture(&scene, &plan, bright.as_ref(), sight)
}

/// The view that shows everything.
pub fn whole(picture: &Picture, size: Size, layers: Layers) -> View {
    let widest = picture.sites.iter().map(|site| site.r).fold(1e-6, f64::max);
    let inset = Inset { left: 20.0, right: 20.0, top: 38.0, bottom: 20.0 };
    let manager = layers.relays.then(|| relays::manager_place(picture)).flatten();
    let circles = picture.sites.iter().map(|site| (site.x, site.y, site.r));
    let circles = circles.chain(manager.map(|(x, y)| (x, y, 0.0)));
    fit(circles, size, inset, FIT_MAX * FIT_RADIUS / widest)
}

#[cfg(test)]
mod tests;
