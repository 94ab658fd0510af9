//! Where nodes are drawn that no hub holds together: who is linked is near, everybody else apart.
//!
//! Links pull and nodes push, what is far away as one (Barnes and Hut), in a number of steps that
//! the count of nodes bounds. Made with `+ - * / sqrt` only and in the order that nodes are given
//! in, as `rings` says why. Pure.

use super::rings;

/// A point, in steps.
pub(super) type Point = (f64, f64);

/// Steps of a small site; a large one takes fewer, so that no site takes long.
const STEPS: usize = 240;
/// Nodes times steps at most.
const WORK: usize = 400_000;
/// Steps that one more node takes among others that stay.
const RELAX: u32 = 60;
/// A square is one body for whoever is this many of its sides away.
const FAR: f64 = 1.25;
/// How much the middle pulls, so that parts without a link to each other do not drift away.
const GRAVITY: f64 = 0.03;
/// How much a link pulls: two linked nodes by themselves come to rest 1.3 steps apart.
const PULL: f64 = 0.4;
/// How much nodes push that are one step apart, once they push by the square of how far they are.
const PUSH: f64 = 1.6;
/// Squares within squares; two nodes on one place share the last.
const DEEPEST: u32 = 24;
/// Nothing is nearer to something else.
const APART: f64 = 0.85;
/// Rounds of pushing apart what is too near.
const ROUNDS: u32 = 120;

/// Whether nodes push each other far away, too: first they do, so that what is folded unfolds; then
/// not, so that all links become about as long.
#[derive(Debug, Clone, Copy)]
enum Wide {
    Yes,
    No,
}

/// Places for nodes of which `links` tells whom each is linked to, both ways, by position. Around
/// the middle, which is (0, 0), and mostly [`APART`] or more from each other.
pub(super) fn spread(links: &[Vec<usize>]) -> Vec<Point> {
    let count = links.len();
    let mut points: Vec<Point> = seats().take(count).collect();
    let steps = (WORK / count.max(1)).clamp(20, STEPS);
    let widest = points.last().map_or(1.0, |last| length(*last)).max(1.0);
    for step in 0..steps {
        let left = share(steps - step, steps);
        let longest = widest * 0.25 * left + 0.02;
        let wide = if 2 * step < steps { Wide::Yes } else { Wide::No };
        let tree = Tree::of(&points);
        let moves: Vec<Point> = (0..count)
            .map(|node| {
                let here = points.get(node).copied().unwrap_or_default();
                let linked = links.get(node).into_iter().flatten().filter_map(|n| points.get(*n));
                let pulled =
                    linked.fold(tree.push(node, here, wide), |sum, to| plus(sum, pull(here, *to)));
                let middle = (-here.0 * GRAVITY, -here.1 * GRAVITY);
                shortened(plus(pulled, middle), longest)
            })
            .collect();
        for (point, by) in points.iter_mut().zip(moves) {
            *point = plus(*point, by);
        }
    }
    part(&mut points);
    centred(points)
}

/// A place for one more node amid `linked`, those that it is linked to, and beside all `others`,
/// which stay where they are. `turn` tells on which side it begins.
pub(super) fn join(linked: &[Point], others: &[Point], turn: u32) -> Point {
    let sum = linked.iter().fold((0.0, 0.0), |sum, point| plus(sum, *point));
    let count = share(linked.len(), 1).max(1.0);
    let mut here = plus((sum.0 / count, sum.1 / count), rings::slot(1, turn % rings::len(1)));
    for step in 0..RELAX {
        let left = f64::from(RELAX - step) / f64::from(RELAX);
        let pushed = others
            .iter()
            .fold((0.0, 0.0), |sum, other| plus(sum, push(here, *other, 1.0, Wide::No)));
        let pulled = linked.iter().fold(pushed, |sum, to| plus(sum, pull(here, *to)));
        here = plus(here, shortened(pulled, 0.5 * left));
    }
    here
}

/// The slots of all rings, from the middle outwards.
fn seats() -> impl Iterator<Item = Point> {
    (0..).flat_map(|ring| (0..rings::len(ring)).map(move |index| rings::slot(ring, index)))
}

/// Pushes apart what is too near to something else.
fn part(points: &mut [Point]) {
    for _ in 0..ROUNDS {
        let mut order: Vec<usize> = (0..points.len()).collect();
        let across = |node: &usize| points.get(*node).map_or(0.0, |point| point.0);
        order.sort_by(|a, b| across(a).total_cmp(&across(b)).then(a.cmp(b)));
        let mut is_free = true;
        for (at, node) in order.iter().enumerate() {
            for other in order.iter().skip(at + 1) {
                let (Some(a), Some(b)) = (points.get(*node), points.get(*other)) else { continue };
                let (dx, dy) = (b.0 - a.0, b.1 - a.1);
                if dx > APART {
                    break;
                }
                let between = length((dx, dy));
                if between >= APART - 1e-3 {
                    continue;
                }
                is_free = false;
                // On one place: which of them goes which way is theirs to tell by their order.
                let (ux, uy) =
                    if between > 1e-6 { (dx / between, dy / between) } else { (1.0, 0.0) };
                let half = (APART - between) / 2.0;
                for (node, way) in [(*node, -half), (*other, half)] {
                    if let Some(point) = points.get_mut(node) {
                        *point = plus(*point, (ux * way, uy * way));
                    }
                }
            }
        }
        if is_free {
            return;
        }
    }
}

/// Around the middle of the rectangle that holds them: the circle around them is small then.
fn centred(points: Vec<Point>) -> Vec<Point> {
    let least = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let x = (least(|point| point.0) + most(|point| point.0)) / 2.0;
    let y = (least(|point| point.1) + most(|point| point.1)) / 2.0;
    points.into_iter().map(|point| (point.0 - x, point.1 - y)).collect()
}

fn plus(a: Point, b: Point) -> Point {
    (a.0 + b.0, a.1 + b.1)
}

fn length((x, y): Point) -> f64 {
    (x * x + y * y).sqrt()
}

fn shortened(by: Point, longest: f64) -> Point {
    let far = length(by);
    if far <= longest { by } else { (by.0 / far * longest, by.1 / far * longest) }
}

/// How a link pulls here: by the square of its length.
fn pull(here: Point, to: Point) -> Point {
    let (dx, dy) = (to.0 - here.0, to.1 - here.1);
    let far = length((dx, dy));
    (dx * far * PULL, dy * far * PULL)
}

/// How so many nodes there push here: the nearer, the more.
fn push(here: Point, there: Point, weight: f64, wide: Wide) -> Point {
    let (dx, dy) = (here.0 - there.0, here.1 - there.1);
    let far = length((dx, dy)).max(0.05);
    let strength = match wide {
        Wide::Yes => weight / (far * far),
        Wide::No => PUSH * weight / (far * far * far),
    };
    (dx * strength, dy * strength)
}

#[expect(clippy::cast_precision_loss, reason = "counts of nodes are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Squares within squares, each with how many nodes are in it and where their middle is.
#[derive(Debug, Default)]
struct Tree {
    squares: Vec<Square>,
}

#[derive(Debug, Clone)]
struct Square {
    /// Left, top and side.
    left: f64,
    top: f64,
    side: f64,
    /// The sum of the places in it, and how many.
    sum: Point,
    weight: f64,
    /// The node, as long as it is the only one.
    node: Option<usize>,
    quarters: [Option<usize>; 4],
}

impl Tree {
    fn of(points: &[Point]) -> Self {
        let far = points.iter().fold(1.0, |far: f64, (x, y)| far.max(x.abs()).max(y.abs()));
        let mut tree = Self { squares: vec![Square::new(-far, -far, 2.0 * far)] };
        for (node, point) in points.iter().enumerate() {
            tree.put(0, node, *point, points, 0);
        }
        tree
    }

    fn put(&mut self, at: usize, node: usize, point: Point, points: &[Point], depth: u32) {
        let Some(square) = self.squares.get_mut(at) else { return };
        let is_first = square.weight == 0.0;
        square.weight += 1.0;
        square.sum = plus(square.sum, point);
        if is_first {
            square.node = Some(node);
            return;
        }
        if depth >= DEEPEST {
            square.node = None;
            return;
        }
        // Who was alone here goes one further in, too.
        let before = square.node.take();
        for node in before.into_iter().chain([node]) {
            let Some(point) = points.get(node).copied() else { continue };
            let quarter = self.quarter(at, point);
            self.put(quarter, node, point, points, depth + 1);
        }
    }

    /// The quarter of a square that a place is in.
    fn quarter(&mut self, at: usize, (x, y): Point) -> usize {
        let next = self.squares.len();
        let Some(square) = self.squares.get_mut(at) else { return next };
        let half = square.side / 2.0;
        let (right, below) = (x >= square.left + half, y >= square.top + half);
        let left = if right { square.left + half } else { square.left };
        let top = if below { square.top + half } else { square.top };
        let Some(slot) = square.quarters.get_mut(usize::from(right) + 2 * usize::from(below))
        else {
            return next;
        };
        match *slot {
            Some(quarter) => quarter,
            None => {
                *slot = Some(next);
                self.squares.push(Square::new(left, top, half));
                next
            }
        }
    }

    /// How all other nodes push one.
    fn push(&self, node: usize, here: Point, wide: Wide) -> Point {
        let (mut sum, mut open) = ((0.0, 0.0), vec![0]);
        while let Some(square) = open.pop().and_then(|at| self.squares.get(at)) {
            if square.node == Some(node) || square.weight == 0.0 {
                continue;
            }
            let middle = (square.sum.0 / square.weight, square.sum.1 / square.weight);
            let far = length((here.0 - middle.0, here.1 - middle.1));
            let is_one = square.node.is_some() || square.quarters.iter().all(Option::is_none);
            if is_one || far > square.side * FAR {
                sum = plus(sum, push(here, middle, square.weight, wide));
            } else {
                open.extend(square.quarters.iter().rev().flatten());
            }
        }
        sum
    }
}

impl Square {
    fn new(left: f64, top: f64, side: f64) -> Self {
        let quarters = [None; 4];
        Self { left, top, side, sum: (0.0, 0.0), weight: 0.0, node: None, quarters }
    }
}
