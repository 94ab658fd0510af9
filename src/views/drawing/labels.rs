//! Which names fit: by priority, never over another name or over a node, as `static/js/labels.js`.

use std::collections::HashMap;

use super::geometry::{Point, Size};

/// Pixels of a cell of the grid in which boxes are looked for.
const CELL: f64 = 64.0;
/// Pixels between two names in a row.
const APART: f64 = 4.0;
/// A letter's width by the size of its font, on average; the browser measures, here is no font.
const LETTER: f64 = 0.58;
/// Pixels from one line to the next.
pub(super) const LINE: f64 = 16.0;
/// Pixels of the point of a signpost.
pub(super) const POINT: f64 = 6.0;

/// A rectangle that is taken, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// What is drawn there; its own name may touch it.
    pub(super) owner: String,
    /// Left, top, width, height.
    pub(super) rect: [f64; 4],
}

/// Where a name may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Below, above, to the right, to the left.
    Any,
    /// Below or above.
    Upright,
    /// Where it may, above first: names stand below; farther away if it must, since a line ties it to
    /// its point.
    Tied,
    /// On its point or not at all.
    Fixed,
}

/// One line of a name: words and the colour.
pub(super) type Words = (String, &'static str);

/// A name that wants a place.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// What it names.
    pub(super) owner: String,
    /// Its lines.
    pub(super) lines: Vec<Words>,
    /// The point it belongs to.
    pub(super) at: Point,
    /// How far from the point it stands.
    pub(super) gap: f64,
    /// Smaller is first.
    pub(super) priority: u8,
    /// Pixels of the letters.
    pub(super) font: f64,
    /// Whether the letters are heavy.
    pub(super) bold: bool,
    /// Where it may stand.
    pub(super) around: Around,
    /// What it stands on.
    pub(super) plate: Plate,
}

/// What a name stands on; a line ties a plate to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plate {
    /// Nothing.
    None,
    /// The rectangle of a network that hosts report from.
    Square,
    /// The dashed signpost of a network that is known by routes only.
    Pointed,
}

impl Wanted {
    pub(super) fn size(&self) -> (f64, f64) {
        let letters = self.lines.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0);
        let border = match self.plate {
            Plate::None => 0.0,
            Plate::Square => 10.0,
            Plate::Pointed => 10.0 + 2.0 * POINT,
        };
        (letters as f64 * self.font * LETTER + border, LINE * self.lines.len() as f64)
    }

    /// The corners where it may stand on a stage, which cuts none: what belongs to a point on it is
    /// moved sideways below or above that, or left out, and so is what would lean in from beside.
    fn spots(&self, stage: Size) -> Vec<Point> {
        let ((x, y), (w, h), gap) = (self.at, self.size(), self.gap);
        let is_on = x >= 0.0 && x <= stage.w && y >= 0.0 && y <= stage.h;
        let middle =
            if is_on && w <= stage.w { (x - w / 2.0).clamp(0.0, stage.w - w) } else { x - w / 2.0 };
        let [below, above] = [(middle, y + gap), (middle, y - gap - h)];
        let mut spots = match self.around {
            Around::Fixed => vec![(x - w / 2.0, y - h / 2.0)],
            Around::Upright => vec![below, above],
            Around::Any => vec![below, above, (x + gap, y - h / 2.0), (x - gap - w, y - h / 2.0)],
            Around::Tied => [0.0, 24.0, 48.0]
                .into_iter()
                .flat_map(|more| {
                    let sideways =
                        [(x + gap + more, y - h / 2.0), (x - gap - more - w, y - h / 2.0)];
                    [
                        (x - w / 2.0, y - gap - more - h),
                        sideways[0],
                        sideways[1],
                        (x - w / 2.0, y + gap + more),
                    ]
                })
                .collect(),
        };
        let inside = |(x, y): Point| x >= 0.0 && x + w <= stage.w && y >= 0.0 && y + h <= stage.h;
        let beside = |(x, y): Point| x >= stage.w || x + w <= 0.0 || y >= stage.h || y + h <= 0.0;
        spots.retain(|spot| if is_on { inside(*spot) } else { beside(*spot) });
        spots
    }
}

/// Boxes by the cells they touch.
#[derive(Debug, Default)]
struct Grid(HashMap<(i64, i64), Vec<Taken>>);

impl Grid {
    fn cells([x, y, w, h]: [f64; 4]) -> impl Iterator<Item = (i64, i64)> {
        let [x0, y0, x1, y1] = [x, y, x + w, y + h].map(cell);
        (x0..=x1).flat_map(move |cx| (y0..=y1).map(move |cy| (cx, cy)))
    }

    fn is_free(&self, taken: &Taken) -> bool {
        let [x, y, w, h] = taken.rect;
        let meets = |other: &Taken| {
            let [ox, oy, ow, oh] = other.rect;
            other.owner != taken.owner && x < ox + ow && ox < x + w && y < oy + oh && oy < y + h
        };
        Self::cells(taken.rect).filter_map(|cell| self.0.get(&cell)).flatten().all(|o| !meets(o))
    }

    fn add(&mut self, taken: &Taken) {
        for cell in Self::cells(taken.rect) {
            self.0.entry(cell).or_default().push(taken.clone());
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and the stage is far smaller")]
fn cell(pixel: f64) -> i64 {
    (pixel / CELL).floor() as i64
}

/// Those that fit on a stage, with the middle of their first line.
pub(super) fn place(mut wanted: Vec<Wanted>, taken: &[Taken], stage: Size) -> Vec<(Wanted, Point)> {
    let mut grid = Grid::default();
    taken.iter().for_each(|taken| grid.add(taken));
    wanted.sort_by(|a, b| (a.priority, &a.owner).cmp(&(b.priority, &b.owner)));
    let mut placed = Vec::new();
    for want in wanted {
        let (w, h) = want.size();
        let fits = want.spots(stage).into_iter().find(|(x, y)| {
            grid.is_free(&Taken { owner: want.owner.clone(), rect: [*x, *y, w, h] })
        });
        if let Some((x, y)) = fits {
            // Two names in a row must not read as one.
            grid.add(&Taken { owner: String::new(), rect: [x - APART, y, w + 2.0 * APART, h] });
            placed.push((want, (x + w / 2.0, y + LINE / 2.0)));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: Size = Size { w: 390.0, h: 600.0 };

    /// As the test of the same name in tests/js/labels.test.mjs.
    #[test]
    fn no_label_is_cut_by_the_stages_edge() {
        let stands = |at: Point, around| {
            let label = Wanted { around, ..want("a-label", at, 1) };
            place(vec![label], &[], STAGE).first().map(|(label, (x, y))| {
                let (w, h) = label.size();
                (x - w / 2.0, y - LINE / 2.0, w, h)
            })
        };
        let (x, _, w, _) = stands((385.0, 300.0), Around::Any).expect("below, to the left");
        assert!((x + w - STAGE.w).abs() < 1e-9, "{x}");
        let (x, ..) = stands((4.0, 300.0), Around::Upright).expect("below, to the right");
        assert!(x.abs() < 1e-9, "{x}");
        let (_, y, _, h) = stands((200.0, 595.0), Around::Any).expect("above");
        assert!(y + h < 595.0, "{y}");
        assert_eq!(stands((385.0, 300.0), Around::Fixed), None);
        assert_eq!(stands((-10.0, 300.0), Around::Upright), None, "leans in from beside");
        assert!(stands((700.0, 300.0), Around::Any).is_some(), "wholly beside");
    }

    fn want(owner: &str, at: Point, priority: u8) -> Wanted {
        Wanted {
            owner: owner.to_owned(),
            lines: vec![(owner.to_owned(), "ink")],
            at,
            gap: 8.0,
            priority,
            font: 12.0,
            bold: false,
            around: Around::Any,
            plate: Plate::None,
        }
    }

    #[test]
    fn the_more_important_name_stands_and_none_covers_another() {
        let crowd: Vec<_> =
            (0..9).map(|i| want(&format!("node-{i}"), (100.0, 100.0), 9 - i)).collect();
        let placed = place(crowd, &[], STAGE);
        assert_eq!(placed.len(), 4, "four spots around one point");
        assert_eq!(placed[0].0.owner, "node-8");
    }

    #[test]
    fn a_name_may_touch_what_it_names_and_nothing_else() {
        let at = |owner: &str| Taken { owner: owner.to_owned(), rect: [0.0, 0.0, 300.0, 300.0] };
        assert_eq!(place(vec![want("a", (100.0, 100.0), 1)], &[at("a")], STAGE).len(), 1);
        assert_eq!(place(vec![want("a", (100.0, 100.0), 1)], &[at("b")], STAGE).len(), 0);
    }
}
