//! The places within one site: slots on its rings, and any other place that nobody is on.

use std::collections::HashMap;

use super::packing::tenth;
use super::rings;

/// Distance between neighbouring slots: a node's shape with room for its label.
pub(super) const STEP: f64 = 44.0;
/// A slot is taken if anything is nearer than this share of a step.
const TAKEN: f64 = 0.75;
/// How finely a free place is looked for around where somebody would like to be.
const FINE: f64 = STEP / 4.0;

/// The slots of one site, and what is on them.
pub(super) struct Seats {
    taken: HashMap<(i64, i64), Vec<(f64, f64)>>,
}

impl Seats {
    pub(super) fn new(points: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut seats = Self { taken: HashMap::new() };
        for (x, y) in points {
            seats.occupy(x, y);
        }
        seats
    }

    /// The first `count` free slots from a ring outwards, with their rings. A ring that is filled up
    /// is filled in order around it, so that neighbours in the list are neighbours on the map;
    /// a new ring that is not, evenly; one that others sit on already, scattered.
    pub(super) fn take(&mut self, first_ring: u32, count: usize) -> Vec<(u32, f64, f64)> {
        let mut places = Vec::new();
        let mut ring = first_ring;
        while places.len() < count {
            let len = rings::len(ring);
            let is_free = |index: &u32| {
                let (x, y) = seat(ring, *index);
                self.is_free(x, y)
            };
            let free: Vec<u32> = (0..len).filter(is_free).collect();
            let left = count - places.len();
            let untouched = u32::try_from(free.len()) == Ok(len);
            let chosen: Vec<u32> = if left >= free.len() {
                free
            } else if untouched {
                let left = u32::try_from(left).unwrap_or(len);
                (0..left).map(|i| i * len / left.max(1)).collect()
            } else {
                rings::scattered(ring).filter(is_free).take(left).collect()
            };
            for index in chosen {
                let (x, y) = seat(ring, index);
                self.occupy(x, y);
                places.push((ring, x, y));
            }
            ring += 1;
        }
        places
    }

    /// The nearest free place to this, by which others are told that it is taken.
    pub(super) fn free_near(&mut self, x: f64, y: f64) -> (f64, f64) {
        let around =
            (0..).flat_map(|ring| (0..rings::len(ring)).map(move |i| rings::slot(ring, i)));
        let mut places = around.map(|(dx, dy)| (tenth(x + dx * FINE), tenth(y + dy * FINE)));
        let (x, y) = places.find(|(x, y)| self.is_free(*x, *y)).unwrap_or((x, y));
        self.occupy(x, y);
        (x, y)
    }

    fn occupy(&mut self, x: f64, y: f64) {
        self.taken.entry((cell(x), cell(y))).or_default().push((x, y));
    }

    fn is_free(&self, x: f64, y: f64) -> bool {
        let near = |(ox, oy): &(f64, f64)| {
            let (dx, dy) = (x - ox, y - oy);
            dx * dx + dy * dy < (TAKEN * STEP) * (TAKEN * STEP)
        };
        let (column, row) = (cell(x), cell(y));
        !(column - 1..=column + 1)
            .flat_map(|c| (row - 1..=row + 1).map(move |r| (c, r)))
            .filter_map(|cell| self.taken.get(&cell))
            .flatten()
            .any(near)
    }
}

/// A slot's place within its site.
fn seat(ring: u32, index: u32) -> (f64, f64) {
    let (x, y) = rings::slot(ring, index);
    (tenth(x * STEP), tenth(y * STEP))
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and a site is far smaller")]
fn cell(v: f64) -> i64 {
    (v / STEP).floor() as i64
}
