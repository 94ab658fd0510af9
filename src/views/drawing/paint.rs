//! A plan as SVG text, in the order in which `static/js/paint.js` draws it.

use std::collections::BTreeSet;

use crate::model::state::EndState;
use crate::topology::picture::Edge;

use super::geometry::{Curve, Point};
use super::labels::{Around, LINE, POINT, Plate, Taken, Wanted, place};
use super::plan::{Bundle, Circle, Plan, Spot};
use super::question::Lost;
use super::relays::MANAGER;
use super::scene::{EndOf, Look, Mark, Scene, half};
use super::shapes::{MANAGER_R, arrow, bubble, colour, manager, mark, spot};
use super::xml::{Tenth, Text};
use super::{FOOT, Sight, legend, nets, question};

/// So few nodes may all ask for a name.
const FEW_NODES: usize = 120;
/// So many lines between sites are as strong as one by itself, as in `paint.js`.
const FEW_BUNDLES: f64 = 60.0;
/// So may those with so many pixels to the next one.
const ROOMY: f64 = 40.0;
/// Among more bundles than this, only those with bad links are counted out.
const MANY_BUNDLES: usize = 40;
/// A bundle shorter than this has no room for words.
const WORDY: f64 = 190.0;

/// What stays bright.
type Bright<'a> = Option<&'a BTreeSet<String>>;

fn is_dim(bright: Bright<'_>, id: &str) -> bool {
    bright.is_some_and(|bright| !bright.contains(id))
}

pub(super) fn xy((x, y): Point) -> String {
    format!("{} {}", Tenth(x), Tenth(y))
}

/// The whole document.
pub(super) fn picture(
    scene: &Scene<'_>,
    plan: &Plan<'_>,
    bright: Bright<'_>,
    sight: &Sight,
) -> String {
    let told = scene.picture;
    let [w, h] = [plan.size.w, plan.size.h + FOOT].map(Tenth);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-labelledby=\"title desc\" font-family=\"system-ui, sans-serif\" data-level=\"{}\">\n<title id=\"title\">Map of the network</title>\n<desc id=\"desc\">{} nodes in {} sites, {} links, at {}</desc>\n<rect width=\"{w}\" height=\"{h}\" fill=\"{}\"/>\n",
        plan.level,
        told.nodes.len(),
        told.sites.len(),
        told.edges.len(),
        sight.at.unwrap_or(told.generated_at).to_rfc3339(),
        colour("map"),
    );
    sites(&mut out, plan);
    bundles(&mut out, plan, bright);
    links(&mut out, plan, bright, sight.question.lost.as_ref());
    relays(&mut out, plan, bright);
    question::way(&mut out, plan);
    for circle in &plan.bubbles {
        let dim = bright.is_some() && circle.members.iter().all(|node| is_dim(bright, &node.id));
        out += &bubble(circle, dim);
    }
    for node in &plan.nodes {
        out += &spot(node, is_dim(bright, &node.node.id));
    }
    ring(&mut out, plan, sight.selected.as_deref());
    if let Some(lost) = &sight.question.lost {
        question::loss(&mut out, plan, lost);
    }
    labels(&mut out, plan, bright, sight.selected.as_deref());
    out += &legend::foot(scene, plan.size, sight);
    out + "</svg>\n"
}

fn sites(out: &mut String, plan: &Plan<'_>) {
    *out += &format!("<g fill=\"{}\" stroke=\"{}\">\n", colour("site"), colour("line"));
    for Circle { at: (x, y), r, .. } in &plan.circles {
        let [x, y, r] = [*x, *y, *r].map(Tenth);
        *out += &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>\n");
    }
    *out += "</g>\n";
}

/// Trouble above the rest, which fades where there are so many lines that they would hide it.
fn bundles(out: &mut String, plan: &Plan<'_>, bright: Bright<'_>) {
    *out += "<g fill=\"none\">\n";
    let calm = 0.75 * (FEW_BUNDLES / plan.bundles.len() as f64).sqrt().min(1.0);
    let rank = |bundle: &Bundle| match (bundle.down, bundle.bad) {
        (1.., _) => 2,
        (_, 1..) => 1,
        _ => 0,
    };
    let mut all: Vec<&Bundle> = plan.bundles.values().collect();
    all.sort_by_key(|bundle| rank(bundle));
    for bundle in all {
        let count = bundle.edges.len();
        let name = match (bundle.down, bundle.bad) {
            (1.., _) => "down",
            (_, 1..) => "late",
            _ if bundle.quiet == count => "stale",
            _ => "up",
        };
        let dash = match name {
            "stale" => " stroke-dasharray=\"2 4\"",
            "late" => " stroke-dasharray=\"8 4\"",
            _ => "",
        };
        let dim = bright.is_some() && bundle.edges.iter().all(|id| is_dim(bright, id));
        let width = Tenth((1.4 + (count as f64).log2()).min(7.0));
        *out += &format!(
            "<path d=\"M{}L{}\" stroke=\"{}\" stroke-width=\"{width}\" opacity=\"{}\"{dash}/>\n",
            xy(bundle.a),
            xy(bundle.b),
            colour(name),
            match (dim, rank(bundle)) {
                (true, _) => "0.15".to_owned(),
                (false, 0) => format!("{calm:.2}"),
                (false, _) => "0.75".to_owned(),
            }
        );
    }
    *out += "</g>\n";
}

/// Colour, width, dashes and strength of half a link.
fn style(state: EndState) -> (&'static str, &'static str, &'static str, &'static str) {
    match state {
        EndState::Up => ("up", "1.6", "", "0.5"),
        EndState::Overdue | EndState::Missing => ("late", "2", "7 4", "0.95"),
        EndState::Down => ("down", "2.6", "", "0.95"),
        EndState::Idle | EndState::Never | EndState::Unknown => ("stale", "1.3", "1.3 3.4", "0.8"),
    }
}

/// The way of one half, from its node to the middle.
fn way(curve: &Curve, end: EndOf) -> String {
    let (from, via) = match end {
        EndOf::Source => (curve.a, curve.ca),
        EndOf::Target => (curve.b, curve.cb),
    };
    if curve.straight {
        return format!("M{}L{}", xy(from), xy(curve.mid));
    }
    format!("M{}Q{} {}", xy(from), xy(via), xy(curve.mid))
}

/// Whether a link goes with what is taken away.
fn is_gone(edge: &Edge, lost: Option<&Lost>) -> bool {
    let ids = [&edge.id, &edge.source, &edge.target];
    lost.is_some_and(|lost| ids.into_iter().any(|id| lost.gone.contains(id)))
}

fn links(out: &mut String, plan: &Plan<'_>, bright: Bright<'_>, lost: Option<&Lost>) {
    // The worse lie above the better, as on the page.
    let order = [
        EndState::Up,
        EndState::Idle,
        EndState::Unknown,
        EndState::Never,
        EndState::Overdue,
        EndState::Down,
    ];
    for state in order {
        let (name, width, dash, strength) = style(state);
        let dash =
            if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let mut group = String::new();
        for line in &plan.edges {
            for end in [EndOf::Source, EndOf::Target] {
                if half(line.edge, end) != state {
                    continue;
                }
                let dim = is_dim(bright, &line.edge.id) || is_gone(line.edge, lost);
                let faint = if dim { " opacity=\"0.15\"" } else { "" };
                group += &format!("<path d=\"{}\"{faint}/>\n", way(&line.curve, end));
            }
        }
        if !group.is_empty() {
            *out += &format!(
                "<g class=\"half {}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-opacity=\"{strength}\"{dash}>\n{group}</g>\n",
                state.as_str(),
                colour(name)
            );
        }
    }
    for line in &plan.edges {
        let Some(kind) = Mark::of(line.edge) else { continue };
        let dim = is_dim(bright, &line.edge.id) || is_gone(line.edge, lost);
        let faint = if dim { " opacity=\"0.15\"" } else { "" };
        *out += &format!(
            "<g class=\"mark {}\"{faint}>{}</g>\n",
            kind.as_str(),
            mark(kind, line.curve.mid)
        );
    }
}

/// Dotted where the relay signed for the step, dashed where the agent claims it.
fn relays(out: &mut String, plan: &Plan<'_>, bright: Bright<'_>) {
    for step in &plan.relays {
        let dim = is_dim(bright, &step.from) || (step.to != MANAGER && is_dim(bright, &step.to));
        let Curve { a, ca, mid, cb, b, along, .. } = step.curve;
        *out += &format!(
            "<g class=\"relay\" opacity=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.6\" stroke-linecap=\"round\" stroke-dasharray=\"{}\"><path d=\"M{}Q{} {}Q{} {}\"/>{}</g>\n",
            if dim { "0.15" } else { "1" },
            colour("accent"),
            if step.proven { "0.1 6" } else { "8 6" },
            xy(a),
            xy(ca),
            xy(mid),
            xy(cb),
            xy(b),
            arrow(mid, along)
        );
    }
    if let Some(at) = plan.manager {
        *out += &manager(at);
    }
}

/// A ring around what is chosen.
fn ring(out: &mut String, plan: &Plan<'_>, selected: Option<&str>) {
    let Some(id) = selected else { return };
    let node = plan.nodes.iter().find(|spot| spot.node.id == id).map(|spot| (spot.at, spot.r));
    let site = |circles: &[Circle<'_>], less: f64| {
        circles.iter().find(|circle| circle.site.id == id).map(|c| (c.at, c.r - less))
    };
    let link = || plan.edges.iter().find(|line| line.edge.id == id).map(|l| (l.curve.mid, 5.0));
    let found = node
        .or_else(|| site(&plan.bubbles, 0.0))
        .or_else(|| site(&plan.circles, 5.0))
        .or_else(link)
        .or_else(|| plan.manager.filter(|_| id == MANAGER).map(|at| (at, MANAGER_R)));
    if let Some(((x, y), r)) = found {
        let [x, y, r] = [x, y, r + 5.0].map(Tenth);
        *out += &format!(
            "<circle class=\"chosen\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.5\"/>\n",
            colour("accent")
        );
    }
}

fn taken(plan: &Plan<'_>) -> Vec<Taken> {
    let around = |owner: &str, (x, y): Point, r: f64| Taken {
        owner: owner.to_owned(),
        rect: [x - r, y - r, 2.0 * r, 2.0 * r],
    };
    let nodes = plan.nodes.iter().map(|spot| around(&spot.node.id, spot.at, spot.r + 1.0));
    let marks = plan.edges.iter().filter(|line| Mark::of(line.edge).is_some());
    let marks = marks.map(|line| around("mark", line.curve.mid, 7.0));
    let bubbles = plan.bubbles.iter().map(|circle| around(&circle.site.id, circle.at, circle.r));
    let manager = plan.manager.map(|at| around(MANAGER, at, MANAGER_R));
    nodes.chain(marks).chain(bubbles).chain(manager).collect()
}

fn labels(out: &mut String, plan: &Plan<'_>, bright: Bright<'_>, selected: Option<&str>) {
    let mut wanted = site_names(plan);
    let manager = |at| above(MANAGER, ("Manager".to_owned(), "ink"), (at, MANAGER_R));
    wanted.extend(plan.manager.map(manager));
    wanted.extend(plan.nodes.iter().filter_map(|spot| name(plan, spot, bright, selected)));
    wanted.extend(bundle_words(plan));
    wanted.extend(
        plan.subnets.iter().filter(|own| is_lit(plan, &own.owner, bright)).flat_map(nets::plates),
    );
    *out += &format!(
        "<g text-anchor=\"middle\" stroke=\"{}\" stroke-width=\"3.5\" stroke-linejoin=\"round\" paint-order=\"stroke\">\n",
        colour("map")
    );
    for (label, (x, y)) in place(wanted, &taken(plan), plan.size) {
        if label.plate != Plate::None {
            plate(out, &label, (x, y));
        }
        let halo = if label.plate != Plate::None { " stroke=\"none\"" } else { "" };
        let weight = if label.bold { " font-weight=\"650\"" } else { "" };
        for (i, (words, ink)) in label.lines.iter().enumerate() {
            let [x, y, font] = [x, y + i as f64 * LINE, label.font].map(Tenth);
            *out += &format!(
                "<text x=\"{x}\" y=\"{y}\" dy=\"0.35em\" font-size=\"{font}\"{weight}{halo} fill=\"{}\">{}</text>\n",
                colour(ink),
                Text(words)
            );
        }
    }
    *out += "</g>\n";
}

/// Whether a node is bright, or a node of a bubble.
fn is_lit(plan: &Plan<'_>, owner: &str, bright: Bright<'_>) -> bool {
    let bubble = plan.bubbles.iter().find(|bubble| bubble.site.id == owner);
    bubble.map_or(!is_dim(bright, owner), |bubble| {
        bubble.members.iter().any(|node| !is_dim(bright, &node.id))
    })
}

/// The wide rectangle of a prefix, with a thin line to its point.
fn plate(out: &mut String, label: &Wanted, (x, y): Point) {
    let (w, h) = label.size();
    let (left, top) = (x - w / 2.0, y - LINE / 2.0);
    let end = (label.at.0.clamp(left, left + w), label.at.1.clamp(top, top + h));
    // From the rim of what it belongs to, so that the count in a bubble stays readable.
    let (dx, dy) = (end.0 - label.at.0, end.1 - label.at.1);
    let part = (label.gap - nets::GAP) / dx.hypot(dy).max(1.0);
    let begin = (label.at.0 + dx * part, label.at.1 + dy * part);
    if label.plate == Plate::Pointed {
        let (right, middle, bottom) = (left + w, top + h / 2.0, top + h);
        let corners = [
            (left, top),
            (right - POINT, top),
            (right, middle),
            (right - POINT, bottom),
            (left, bottom),
            (left + POINT, middle),
        ];
        *out += &format!(
            "<g class=\"net beyond\" stroke=\"{}\" stroke-width=\"1\" stroke-dasharray=\"3 2\"><path d=\"M{}L{}\"/><path d=\"M{}Z\" fill=\"{}\"/></g>\n",
            colour("ink-2"),
            xy(begin),
            xy(end),
            corners.map(xy).join("L"),
            colour("map")
        );
        return;
    }
    let [left, top, w, h] = [left, top, w, h].map(Tenth);
    *out += &format!(
        "<g class=\"net\" stroke=\"{}\" stroke-width=\"1\"><path d=\"M{}L{}\"/><rect x=\"{left}\" y=\"{top}\" width=\"{w}\" height=\"{h}\" fill=\"{}\"/></g>\n",
        colour("stale"),
        xy(begin),
        xy(end),
        colour("surface")
    );
}

/// A name that stands above a shape of this radius and nowhere else.
fn above(owner: &str, line: (String, &'static str), (at, r): (Point, f64)) -> Wanted {
    Wanted {
        owner: owner.to_owned(),
        lines: vec![line],
        at: (at.0, at.1 - r - 12.0),
        gap: 0.0,
        priority: 1,
        font: 13.0,
        bold: true,
        around: Around::Fixed,
        plate: Plate::None,
    }
}

fn site_names(plan: &Plan<'_>) -> Vec<Wanted> {
    let open = plan.circles.iter().map(|circle| {
        let line = (circle.site.label.clone(), "ink-2");
        above(&circle.site.id, line, (circle.at, circle.r))
    });
    let closed = plan.bubbles.iter().map(|circle| {
        let counts = circle.site.counts;
        let trouble: Vec<_> = [(counts.offline, "down"), (counts.stale, "late")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let mut lines = vec![(circle.site.label.clone(), "ink")];
        if !trouble.is_empty() {
            lines.push((trouble.join(", "), if counts.offline > 0 { "down" } else { "late" }));
        }
        Wanted {
            owner: circle.site.id.clone(),
            lines,
            at: circle.at,
            gap: circle.r + 3.0,
            priority: if counts.offline > 0 { 1 } else { 2 },
            font: 13.0,
            bold: true,
            around: Around::Upright,
            plate: Plate::None,
        }
    });
    open.chain(closed).collect()
}

/// A node's name, if it is important enough to ask for a place.
fn name(
    plan: &Plan<'_>,
    spot: &Spot<'_>,
    bright: Bright<'_>,
    selected: Option<&str>,
) -> Option<Wanted> {
    let chosen = selected == Some(&spot.node.id);
    if is_dim(bright, &spot.node.id) && !chosen {
        return None;
    }
    let roomy = plan.nodes.len() <= FEW_NODES || spot.room >= ROOMY || bright.is_some();
    let priority = match (spot.look, spot.node.role.as_str()) {
        _ if chosen => 0,
        (Look::Down, _) => 2,
        (_, "gateway" | "relay") => 3,
        (Look::Late | Look::Pending | Look::Stale | Look::None, _) => 5,
        (Look::Up, _) if roomy => 6,
        (Look::Up, _) => return None,
    };
    let quiet = spot.look == Look::None || priority == 6;
    Some(Wanted {
        owner: spot.node.id.clone(),
        lines: vec![(spot.node.label.clone(), if quiet { "ink-2" } else { "ink" })],
        at: spot.at,
        gap: spot.r + 3.0,
        priority,
        font: 12.0,
        bold: false,
        around: Around::Any,
        plate: Plate::None,
    })
}

fn bundle_words(plan: &Plan<'_>) -> impl Iterator<Item = Wanted> {
    let few = plan.bundles.len() <= MANY_BUNDLES;
    plan.bundles.iter().filter_map(move |((from, to), bundle)| {
        let ((ax, ay), (bx, by)) = (bundle.a, bundle.b);
        let count = bundle.edges.len();
        if count < 2 || !(few || bundle.bad > 0) || (ax - bx).hypot(ay - by) <= WORDY {
            return None;
        }
        let (words, ink, priority) = match bundle.bad {
            0 => (format!("{count} links"), "ink-2", 9),
            bad => (format!("{count} links, {bad} bad"), "ink", 7),
        };
        Some(Wanted {
            owner: format!("{from}\n{to}"),
            lines: vec![(words, ink)],
            at: (f64::midpoint(ax, bx), f64::midpoint(ay, by)),
            gap: 0.0,
            priority,
            font: 11.0,
            bold: false,
            around: Around::Fixed,
            plate: Plate::None,
        })
    })
}
