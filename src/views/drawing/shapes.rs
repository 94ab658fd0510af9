//! The shapes of the map as SVG: nodes by look and role, marks in the middle of links. A look is
//! told by its shape as well as by its colour, as in `static/js/shapes.js`.

use std::f64::consts::TAU;

use crate::topology::picture::SiteCounts;

use super::geometry::Point;
use super::plan::{Circle, Spot};
use super::scene::{Look, Mark};
use super::xml::{Tenth, Text};

/// The light theme's colours (`static/css/app.css`).
pub(super) fn colour(name: &str) -> &'static str {
    match name {
        "surface" | "site" => "#ffffff",
        "ink" => "#17202b",
        "ink-2" => "#4a5563",
        "line" => "#d5dbe1",
        "up" => "#00524c",
        "late" => "#97650f",
        "down" => "#9e0b1e",
        "accent" => "#1f56d8",
        "stale" => "#6f7478",
        _ => "#f9fafb",
    }
}

/// The colour of a look.
pub(super) fn of_look(look: Look) -> &'static str {
    colour(match look {
        Look::Up => "up",
        Look::Late => "late",
        Look::Down => "down",
        Look::Pending | Look::Stale | Look::None => "stale",
    })
}

/// The outline of a node: its role's, but a square for what is down.
fn outline(look: Look, role: &str, (x, y): Point, r: f64, style: &str) -> String {
    let [px, py, pr] = [x, y, r].map(Tenth);
    if look == Look::Down || role == "gateway" {
        let [left, top, side, corner] = [x - r, y - r, 2.0 * r, r * 0.35].map(Tenth);
        return format!(
            r#"<rect x="{left}" y="{top}" width="{side}" height="{side}" rx="{corner}" {style}/>"#
        );
    }
    if role == "relay" {
        let d = r * 1.25;
        let [up, right, down, left] = [y - d, x + d, y + d, x - d].map(Tenth);
        return format!(r#"<path d="M{px} {up}L{right} {py}L{px} {down}L{left} {py}Z" {style}/>"#);
    }
    format!(r#"<circle cx="{px}" cy="{py}" r="{pr}" {style}/>"#)
}

/// A node's shape.
pub(super) fn node(look: Look, role: &str, at: Point, r: f64) -> String {
    let (paint, (x, y)) = (of_look(look), at);
    let surface = colour("surface");
    match look {
        Look::Up => outline(look, role, at, r, &format!(r#"fill="{paint}""#)),
        Look::Down => {
            let shape = outline(look, role, at, r, &format!(r#"fill="{paint}""#));
            shape + &cross(at, r * 0.5, surface, (r * 0.26).max(1.2))
        }
        Look::Late => {
            let style = format!(r#"fill="{surface}" stroke="{paint}" stroke-width="1.5""#);
            let [px, top, pr, turn] = [x, y - r, r, 2.0 * r].map(Tenth);
            let half = if role == "relay" {
                let [left, bottom] = [x - r * 1.25, y + r * 1.25].map(Tenth);
                let (tip, py) = (Tenth(y - r * 1.25), Tenth(y));
                format!(r#"<path d="M{px} {tip}L{left} {py}L{px} {bottom}Z" fill="{paint}"/>"#)
            } else if role == "gateway" {
                let left = Tenth(x - r);
                format!(
                    r#"<rect x="{left}" y="{top}" width="{pr}" height="{turn}" fill="{paint}"/>"#
                )
            } else {
                format!(r#"<path d="M{px} {top}a{pr} {pr} 0 0 0 0 {turn}Z" fill="{paint}"/>"#)
            };
            outline(look, role, at, r - 0.3, &style) + &half
        }
        Look::Pending | Look::Stale | Look::None => {
            let dash = if look == Look::None { "1.2 1.8" } else { "2.6 2" };
            let style = format!(
                r#"fill="{surface}" stroke="{paint}" stroke-width="1.5" stroke-dasharray="{dash}""#
            );
            outline(look, role, at, r - 0.3, &style)
        }
    }
}

/// Pixels from the manager's middle to its corners.
pub(super) const MANAGER_R: f64 = 11.0;

/// The manager, where the paths of reports end: a hexagon on a flat side.
pub(super) fn manager((x, y): Point) -> String {
    let corners =
        [(1.0, 0.0), (0.5, 0.866), (-0.5, 0.866), (-1.0, 0.0), (-0.5, -0.866), (0.5, -0.866)];
    let ring = |r: f64| {
        corners.map(|(dx, dy)| format!("{} {}", Tenth(x + dx * r), Tenth(y + dy * r))).join("L")
    };
    let (accent, surface) = (colour("accent"), colour("surface"));
    format!(
        "<g class=\"manager\"><title>The manager</title><path d=\"M{}Z\" fill=\"{surface}\" stroke=\"{accent}\" stroke-width=\"2\"/><path d=\"M{}Z\" fill=\"{accent}\"/></g>\n",
        ring(MANAGER_R),
        ring(MANAGER_R * 0.4)
    )
}

/// A node with its words for whoever cannot see it, and "!" beside it if it is in trouble.
pub(super) fn spot(spot: &Spot<'_>, dim: bool) -> String {
    let Spot { node: told, at, r, look, .. } = spot;
    let faint = if dim { r#" opacity="0.15""# } else { "" };
    let words = format!("{}: {}", told.label, word(*look));
    let shape = node(*look, &told.role, *at, *r);
    let badge = if *look == Look::Down || told.alarms > 0 { badge(*at, *r) } else { String::new() };
    format!(
        "<g class=\"node {}\"{faint}><title>{}</title>{shape}{badge}</g>\n",
        look.as_str(),
        Text(&words)
    )
}

/// A look in words (MAP 6).
pub(super) fn word(look: Look) -> &'static str {
    match look {
        Look::Up => "Reporting",
        Look::Late => "Late",
        Look::Down => "Down",
        Look::Pending => "Waiting for approval",
        Look::Stale => "Out of service",
        Look::None => "No agent",
    }
}

fn badge((x, y): Point, r: f64) -> String {
    let (surface, down) = (colour("surface"), colour("down"));
    let [bx, by] = [x + r * 1.05, y - r * 1.05].map(Tenth);
    let [top, low, dot, end] = [-2.7, 0.4, 1.9, 2.7].map(|d| Tenth(y - r * 1.05 + d));
    format!(
        r#"<circle cx="{bx}" cy="{by}" r="5" fill="{surface}" stroke="{down}" stroke-width="1.3"/><path d="M{bx} {top}V{low}M{bx} {dot}V{end}" stroke="{down}" stroke-width="1.3"/>"#
    )
}

fn cross((x, y): Point, r: f64, paint: &str, width: f64) -> String {
    let [left, top, right, bottom, width] = [x - r, y - r, x + r, y + r, width].map(Tenth);
    format!(
        r#"<path d="M{left} {top}L{right} {bottom}M{right} {top}L{left} {bottom}" stroke="{paint}" stroke-width="{width}"/>"#
    )
}

/// A mark in the middle of a link.
pub(super) fn mark(mark: Mark, at: Point) -> String {
    let [x, y] = [at.0, at.1].map(Tenth);
    let map = colour("map");
    let ring = |r: f64, paint: &str| {
        format!(
            r#"<circle cx="{x}" cy="{y}" r="{}" fill="{map}" stroke="{paint}" stroke-width="1.5"/>"#,
            Tenth(r)
        )
    };
    match mark {
        Mark::Cross => cross(at, 5.0, map, 5.0) + &cross(at, 5.0, colour("down"), 2.0),
        Mark::Hollow => ring(4.0, colour("stale")),
        Mark::Differ => {
            let late = colour("late");
            ring(7.5, late)
                + &format!(
                    r#"<path d="M{x} {y}m-3.6 -1.7h7.2m-7.2 3.4h7.2m-1.6 -5.9l-4 8.4" fill="none" stroke="{late}" stroke-width="1.5"/>"#
                )
        }
    }
}

/// The head of an arrow that points along a unit vector.
pub(super) fn arrow((x, y): Point, (ux, uy): Point) -> String {
    let points = [
        (x + 8.0 * ux, y + 8.0 * uy),
        (x - 4.0 * ux - 5.0 * uy, y - 4.0 * uy + 5.0 * ux),
        (x - 4.0 * ux + 5.0 * uy, y - 4.0 * uy - 5.0 * ux),
    ];
    let points = points.map(|(x, y)| format!("{} {}", Tenth(x), Tenth(y))).join("L");
    format!(r#"<path d="M{points}Z" fill="{}" stroke="none"/>"#, colour("accent"))
}

/// A site as one bubble: a ring of state shares around the number of its nodes.
pub(super) fn bubble(circle: &Circle<'_>, dim: bool) -> String {
    let Circle { site, members, at: (x, y), r, .. } = circle;
    let SiteCounts { online, stale, offline, pending, external } = site.counts;
    let width = (if *r < 12.0 { 3.0 } else { 4.0_f64 }).max(r * 0.2);
    let parts = [(offline, "down"), (stale, "late"), (pending + external, "stale"), (online, "up")];
    let [cx, cy, fill] = [*x, *y, *r].map(Tenth);
    let faint = if dim { r#" opacity="0.3""# } else { "" };
    let mut out = format!(
        "<g class=\"site\"{faint}><title>{}: {} nodes, {offline} down, {stale} late</title><circle cx=\"{cx}\" cy=\"{cy}\" r=\"{fill}\" fill=\"{}\"/>",
        Text(&site.label),
        members.len(),
        colour("surface")
    );
    // Dashes of a whole round share it out without an arc's sine and cosine.
    let radius = r - width / 2.0;
    let round = TAU * radius;
    let total = f64::from((online + stale + offline + pending + external).max(1));
    let mut from = 0.0;
    for (count, name) in parts.into_iter().filter(|(count, _)| *count > 0) {
        let part = f64::from(count) / total * round;
        let [pr, dash, rest, start, width] = [radius, part, round - part, -from, width].map(Tenth);
        out += &format!(
            r#"<circle cx="{cx}" cy="{cy}" r="{pr}" fill="none" stroke="{}" stroke-width="{width}" stroke-dasharray="{dash} {rest}" stroke-dashoffset="{start}" transform="rotate(-90 {cx} {cy})"/>"#,
            colour(name)
        );
        from += part;
    }
    // As large as fits between the ring's sides, or not at all.
    let text = members.len().to_string();
    let font = (3.2 * (r - width) / text.chars().map(|_| 1.0).sum::<f64>()).min(if *r > 24.0 {
        16.0
    } else {
        13.0
    });
    if font >= 8.0 {
        let font = Tenth(font);
        out += &format!(
            r#"<text x="{cx}" y="{cy}" dy="0.35em" font-size="{font}" font-weight="650" text-anchor="middle" fill="{}">{}</text>"#,
            colour("ink"),
            members.len()
        );
    }
    out + "</g>\n"
}
