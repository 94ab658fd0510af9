//! Views, rectangles and half-links, as `static/js/geometry.js` has them.

/// Pixels across and down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Across.
    pub w: f64,
    /// Down.
    pub h: f64,
}

/// The point of the world in the middle, and pixels per unit of the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Pixels per unit.
    pub k: f64,
}

/// Pixels at the sides that stay free.
#[derive(Debug, Clone, Copy)]
pub struct Inset {
    /// Left.
    pub left: f64,
    /// Right.
    pub right: f64,
    /// Top.
    pub top: f64,
    /// Bottom.
    pub bottom: f64,
}

/// A point in pixels.
pub type Point = (f64, f64);

impl View {
    /// Where a point of the world stands on a stage.
    pub fn on(self, size: Size, (x, y): Point) -> Point {
        ((x - self.x) * self.k + size.w / 2.0, (y - self.y) * self.k + size.h / 2.0)
    }
}

/// The view that shows every circle (x, y, r) inside the stage less its insets.
pub fn fit(
    circles: impl Iterator<Item = (f64, f64, f64)>,
    size: Size,
    inset: Inset,
    max_k: f64,
) -> View {
    let mut bounds: Option<[f64; 4]> = None;
    for (x, y, r) in circles {
        let [x0, y0, x1, y1] = bounds.unwrap_or([x, y, x, y]);
        bounds = Some([x0.min(x - r), y0.min(y - r), x1.max(x + r), y1.max(y + r)]);
    }
    let Some([x0, y0, x1, y1]) = bounds else { return View { x: 0.0, y: 0.0, k: 1.0 } };
    let w = (size.w - inset.left - inset.right).max(40.0);
    let h = (size.h - inset.top - inset.bottom).max(40.0);
    let k = (w / (x1 - x0).max(1e-6)).min(h / (y1 - y0).max(1e-6)).min(max_k);
    View {
        k,
        x: f64::midpoint(x0, x1) - (inset.left - inset.right) / 2.0 / k,
        y: f64::midpoint(y0, y1) - (inset.top - inset.bottom) / 2.0 / k,
    }
}

/// How far the i-th of n parallel links bows out, in pixels; one alone is straight.
pub fn bow(i: usize, n: usize) -> f64 {
    if n < 2 { 0.0 } else { (i as f64 - (n - 1) as f64 / 2.0) * 26.0 }
}

/// A quadratic curve between two points, split where both halves meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// Whether it does not bend.
    pub straight: bool,
    /// The first end.
    pub a: Point,
    /// The control point of the first half.
    pub ca: Point,
    /// Where the halves meet.
    pub mid: Point,
    /// The control point of the second half.
    pub cb: Point,
    /// The second end.
    pub b: Point,
    /// The unit vector from the first end to the second.
    pub along: Point,
}

/// The curve between two points that bows out by `bend` pixels, to the same side whichever end
/// is named first.
pub fn halves(a: Point, b: Point, bend: f64) -> Curve {
    let ((ax, ay), (bx, by)) = (a, b);
    let (dx, dy) = (bx - ax, by - ay);
    let length = Some(dx.hypot(dy)).filter(|length| *length > 0.0).unwrap_or(1.0);
    let sign = if ax < bx || (ax == bx && ay < by) { 1.0 } else { -1.0 };
    let (nx, ny) = ((-dy / length) * bend * sign, (dx / length) * bend * sign);
    let (cx, cy) = (f64::midpoint(ax, bx) + nx, f64::midpoint(ay, by) + ny);
    Curve {
        straight: bend == 0.0,
        a,
        ca: (f64::midpoint(ax, cx), f64::midpoint(ay, cy)),
        mid: ((ax + 2.0 * cx + bx) / 4.0, (ay + 2.0 * cy + by) / 4.0),
        cb: (f64::midpoint(bx, cx), f64::midpoint(by, cy)),
        b,
        along: (dx / length, dy / length),
    }
}

/// Whether the box of a line touches the stage.
pub fn touches((ax, ay): Point, (bx, by): Point, size: Size) -> bool {
    ax.max(bx) >= 0.0 && ax.min(bx) <= size.w && ay.max(by) >= 0.0 && ay.min(by) <= size.h
}

/// Whether a disc touches the stage.
pub fn inside((x, y): Point, r: f64, size: Size) -> bool {
    x + r >= 0.0 && x - r <= size.w && y + r >= 0.0 && y - r <= size.h
}
