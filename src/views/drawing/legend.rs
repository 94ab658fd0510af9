//! The foot of the picture: what the shapes and lines mean, how many there are, which time and
//! question the picture answers.

use std::collections::BTreeMap;

use crate::model::state::EdgeState;
use crate::topology::picture::Picture;

use super::geometry::Size;
use super::scene::{Look, Scene};
use super::shapes::{colour, node, word};
use super::xml::{Tenth, Text};
use super::{FOOT, Sight};

/// Pixels of a letter of the legend, on average.
const LETTER: f64 = 6.6;

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    let ([x, y], ink) = ([x, y].map(Tenth), colour("ink-2"));
    format!(
        "<text x=\"{x}\" y=\"{y}\" dy=\"0.35em\" font-size=\"12\" text-anchor=\"{anchor}\" fill=\"{ink}\">{}</text>\n",
        Text(words)
    )
}

/// The foot below a stage of this size.
pub(super) fn foot(scene: &Scene<'_>, size: Size, sight: &Sight) -> String {
    let picture = scene.picture;
    let (high, low) = (size.h + 18.0, size.h + 39.0);
    let [top, width, height] = [size.h, size.w, FOOT].map(Tenth);
    let mut out = format!(
        "<g class=\"legend\"><rect x=\"0\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/><path d=\"M0 {top}H{width}\" stroke=\"{}\"/>\n",
        colour("surface"),
        colour("line")
    );
    let mut looks: BTreeMap<Look, usize> = BTreeMap::new();
    for told in &picture.nodes {
        *looks.entry(Look::of(told)).or_default() += 1;
    }
    let mut x = 20.0;
    for (look, count) in looks {
        let words = format!("{} {count}", word(look));
        out += &node(look, "agent", (x, high), 5.0);
        out += &text(x + 10.0, high, "start", &words);
        x += 34.0 + words.chars().count() as f64 * LETTER;
    }
    out += &text(14.0, low, "start", &links(picture));
    let time = sight.at.unwrap_or(picture.generated_at).to_rfc3339();
    out += &text(size.w - 14.0, high, "end", &format!("Kattila, the network at {time}"));
    let mut about = Vec::new();
    if !sight.asked.is_empty() {
        about.push(format!("asked for: {}", sight.asked));
    }
    if sight.problems {
        about.push("problems only".to_owned());
    }
    about.extend(sight.question.words.iter().cloned());
    if sight.layers.subnets {
        about.push("plates: prefixes sent to the node".to_owned());
        if sight.networks.iter().any(|led| !led.inside) {
            about.push("pointed: known by routes only".to_owned());
        }
    }
    if sight.question.lost.is_some() {
        about.push("bar: taken away, red ring: cut off, yellow: weakened".to_owned());
    }
    if sight.anonymised {
        about.push("names and addresses are pseudonyms".to_owned());
    }
    out += &text(size.w - 14.0, low, "end", &about.join(", "));
    out + "</g>\n"
}

/// Links by state, in words.
fn links(picture: &Picture) -> String {
    let states = [
        (EdgeState::Up, "up"),
        (EdgeState::Idle, "idle (dotted)"),
        (EdgeState::Down, "down (cross)"),
        (EdgeState::OneWay, "one way (\u{2260})"),
        (EdgeState::HalfConfigured, "half configured (\u{2260})"),
        (EdgeState::Never, "never connected (ring)"),
        (EdgeState::Unknown, "unknown (dotted)"),
    ];
    let count = |state| picture.edges.iter().filter(|edge| edge.state == state).count();
    let told: Vec<_> = states
        .into_iter()
        .map(|(state, words)| (count(state), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    format!("Links: {}", if told.is_empty() { "none".to_owned() } else { told.join(", ") })
}
