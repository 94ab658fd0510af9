//! Slots on concentric rings: ring `k` has `6k` of them at `k` steps from the middle.
//!
//! Made from six constant corners with `+ - * / sqrt` only, whose results IEEE 754 fixes to the
//! last bit; `sin` and `cos` differ between platforms, and the map must not.

/// The corners of a hexagon of radius 1, the top one first, clockwise on a screen.
const CORNERS: [(f64, f64); 6] = [
    (0.0, -1.0),
    (HALF_SQRT_3, -0.5),
    (HALF_SQRT_3, 0.5),
    (0.0, 1.0),
    (-HALF_SQRT_3, 0.5),
    (-HALF_SQRT_3, -0.5),
];
const HALF_SQRT_3: f64 = 0.866_025_403_784_438_6;

/// Cosine and sine of 0, 15, 7, 22 and 11 degrees, by which the rings are turned in turn, so that
/// a link from the middle to one ring does not run through the nodes of another.
const TURNS: [(f64, f64); 5] = [
    (1.0, 0.0),
    (0.965_925_826_289_068_3, 0.258_819_045_102_520_74),
    (0.992_546_151_641_322, 0.121_869_343_405_147_48),
    (0.927_183_854_566_787_4, 0.374_606_593_415_912),
    (0.981_627_183_447_664, 0.190_808_995_376_544_8),
];

/// How many slots a ring has.
pub(super) fn len(ring: u32) -> u32 {
    (6 * ring).max(1)
}

/// A slot's place, in steps. Slots of one ring, and of neighbouring rings, are at least 0.86
/// steps apart: the points divide a hexagon's sides evenly and are then moved out to the circle.
pub(super) fn slot(ring: u32, index: u32) -> (f64, f64) {
    if ring == 0 {
        return (0.0, 0.0);
    }
    let (side, along) = (index / ring % 6, index % ring);
    let corner = |n: u32| {
        usize::try_from(n % 6).ok().and_then(|n| CORNERS.get(n)).copied().unwrap_or((0.0, 0.0))
    };
    let (from, to) = (corner(side), corner(side + 1));
    let share = f64::from(along) / f64::from(ring);
    let x = from.0 + (to.0 - from.0) * share;
    let y = from.1 + (to.1 - from.1) * share;
    let stretch = f64::from(ring) / (x * x + y * y).sqrt();
    let turn = usize::try_from((ring - 1) % 5).ok().and_then(|n| TURNS.get(n));
    let (cos, sin) = turn.copied().unwrap_or((1.0, 0.0));
    ((x * cos - y * sin) * stretch, (x * sin + y * cos) * stretch)
}

/// The slots of a ring in an order whose every beginning is spread around it: strides of about
/// the golden section of the ring, without a common divisor with its length.
pub(super) fn scattered(ring: u32) -> impl Iterator<Item = u32> {
    let len = len(ring);
    let stride = (len * 55 / 89..len).find(|s| gcd(*s, len) == 1).unwrap_or(1);
    (0..len).map(move |i| (u64::from(i) * u64::from(stride)) % u64::from(len)).map(|i| {
        // Below `len`, which is a u32.
        u32::try_from(i).unwrap_or_default()
    })
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_keep_their_distance() {
        let mut points = Vec::new();
        for ring in 0..12 {
            for index in 0..len(ring) {
                let (x, y) = slot(ring, index);
                let radius = (x * x + y * y).sqrt();
                assert!((radius - f64::from(ring)).abs() < 1e-9, "{ring} {index}");
                points.push((x, y));
            }
        }
        for (i, a) in points.iter().enumerate() {
            for b in points.iter().skip(i + 1) {
                let (dx, dy) = (a.0 - b.0, a.1 - b.1);
                assert!(dx * dx + dy * dy > 0.86 * 0.86, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn scattered_visits_every_slot_once() {
        for ring in 0..70 {
            let mut order: Vec<u32> = scattered(ring).collect();
            order.sort_unstable();
            assert!(order.into_iter().eq(0..len(ring)), "{ring}");
        }
        // The first three of a ring of twelve are not neighbours.
        let first: Vec<u32> = scattered(2).take(3).collect();
        assert!(first.windows(2).all(|w| w[0].abs_diff(w[1]) > 1), "{first:?}");
    }
}
