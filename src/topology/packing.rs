//! Circles on a plane that must not overlap, and the nearest free place for one more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rings;

/// A circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Disc {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) r: f64,
}

/// Where a circle would like to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    /// As near to this as possible,
    pub(super) wish: (f64, f64),
    /// and then as near to this.
    pub(super) anchor: (f64, f64),
}

/// Edge of a square of the lookup grid: about a site of twenty agents.
const CELL: f64 = 512.0;
/// The search for a free place goes around the wish in rings this far apart at least.
const PITCH: f64 = 64.0;

/// Screens are wider than high: going up or down counts this much more than going sideways.
const WIDER: f64 = 1.5;

/// Named circles with a grid to find neighbours.
#[derive(Debug, Default)]
pub(super) struct Field {
    discs: BTreeMap<String, Disc>,
    cells: HashMap<(i64, i64), BTreeSet<String>>,
    /// Rings known to be full around a wish, for a radius (both by their bits).
    full: HashMap<[u64; 3], u32>,
    gap: f64,
}

impl Field {
    /// An empty field whose circles keep `gap` from each other.
    pub(super) fn new(gap: f64) -> Self {
        Self { gap, ..Self::default() }
    }

    /// Puts a circle, or moves it.
    pub(super) fn put(&mut self, name: &str, disc: Disc) {
        if let Some(before) = self.discs.insert(name.to_owned(), disc) {
            for cell in cells(before) {
                if let Some(names) = self.cells.get_mut(&cell) {
                    names.remove(name);
                }
            }
            // Something became free.
            self.full.clear();
        }
        for cell in cells(disc) {
            self.cells.entry(cell).or_default().insert(name.to_owned());
        }
    }

    /// The circles other than `name` that come too near to `disc`, by name.
    pub(super) fn overlapping(&self, name: &str, disc: Disc) -> Vec<String> {
        let mut names = BTreeSet::new();
        for cell in cells(Disc { r: disc.r + self.gap, ..disc }) {
            for other in self.cells.get(&cell).into_iter().flatten() {
                if other != name && self.discs.get(other).is_some_and(|o| self.too_near(disc, *o)) {
                    names.insert(other.clone());
                }
            }
        }
        names.into_iter().collect()
    }

    /// A free place for `name` with radius `r`: on the nearest ring around the wish that has one,
    /// and of those the one nearest to the anchor, so that what belongs together stays compact.
    pub(super) fn free_place(&mut self, name: &str, near: Near, r: f64) -> Disc {
        let pitch = PITCH.max(r / 2.0);
        let (wish, anchor) = (near.wish, near.anchor);
        let memo = [wish.0.to_bits(), wish.1.to_bits(), r.to_bits()];
        let mut ring = self.full.get(&memo).copied().unwrap_or(0);
        loop {
            let best = (0..rings::len(ring))
                .map(|index| rings::slot(ring, index))
                .map(|(x, y)| (tenth(wish.0 + x * pitch), tenth(wish.1 + y * pitch)))
                .map(|(x, y)| Disc { x, y, r })
                .filter(|disc| self.overlapping(name, *disc).is_empty())
                .map(|disc| {
                    let (dx, dy) = (disc.x - anchor.0, (disc.y - anchor.1) * WIDER);
                    (square(dx) + square(dy), disc)
                })
                .min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, disc)) = best {
                self.full.insert(memo, ring);
                return disc;
            }
            ring += 1;
        }
    }

    fn too_near(&self, a: Disc, b: Disc) -> bool {
        square(a.x - b.x) + square(a.y - b.y) < square(a.r + b.r + self.gap)
    }
}

/// To 0.1, as places are stored, and never the other zero.
pub(super) fn tenth(v: f64) -> f64 {
    (v * 10.0).round() / 10.0 + 0.0
}

fn square(v: f64) -> f64 {
    v * v
}

/// The grid cells that a circle's bounding box touches.
fn cells(disc: Disc) -> impl Iterator<Item = (i64, i64)> {
    let (left, right) = (cell(disc.x - disc.r), cell(disc.x + disc.r));
    let (top, bottom) = (cell(disc.y - disc.r), cell(disc.y + disc.r));
    (left..=right).flat_map(move |x| (top..=bottom).map(move |y| (x, y)))
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and the map is far smaller")]
fn cell(v: f64) -> i64 {
    (v / CELL).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Near = Near { wish: (0.0, 0.0), anchor: (0.0, 0.0) };

    /// A chain in which each wants to be where the one before is.
    #[test]
    fn a_chain_curls_up() {
        let mut field = Field::new(40.0);
        let mut wish = (0.0, 0.0);
        for n in 0..400 {
            let disc = field.free_place(&format!("s{n}"), Near { wish, ..ORIGIN }, 100.0);
            field.put(&format!("s{n}"), disc);
            wish = (disc.x, disc.y);
            let reach = (wish.0 * wish.0 + wish.1 * wish.1).sqrt();
            assert!(reach < 6_000.0, "the {n}th is {reach} away");
        }
    }

    #[test]
    fn nothing_overlaps_and_nobody_is_far() {
        let mut field = Field::new(40.0);
        for n in 0_u32..200 {
            let name = format!("s{n}");
            let r = 60.0 + f64::from(n * 37 % 11) * 40.0;
            let disc = field.free_place(&name, ORIGIN, r);
            assert!(field.overlapping(&name, disc).is_empty());
            field.put(&name, disc);
        }
        let all: Vec<Disc> = field.discs.values().copied().collect();
        let area: f64 = all.iter().map(|d| (d.r + 20.0) * (d.r + 20.0)).sum();
        let reach = all.iter().map(|d| (d.x * d.x + d.y * d.y).sqrt() + d.r).fold(0.0, f64::max);
        // Half of the disc that holds all is used, or more.
        assert!(area / (reach * reach) > 0.4, "{}", area / (reach * reach));
    }

    #[test]
    fn a_moved_circle_frees_its_place() {
        let mut field = Field::new(0.0);
        let disc = Disc { x: 0.0, y: 0.0, r: 100.0 };
        field.put("a", disc);
        assert_eq!(field.overlapping("b", disc), ["a"]);
        assert!(field.free_place("b", ORIGIN, 100.0) != disc);
        field.put("a", Disc { x: 5_000.0, ..disc });
        assert_eq!(field.free_place("b", ORIGIN, 100.0), disc);
    }
}
