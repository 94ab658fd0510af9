//! Curves of a day: two ends of a link that nearly agree, with a gap.

use crate::model::time::UnixSeconds;
use crate::views::curves::{Chart, Curves, Html, Line, Range, Unit};

/// A section with a picture of each kind.
pub(in crate::views) fn day(now: UnixSeconds) -> Html {
    let wave = |name: &str, low: i32, high: i32, shift: i32| {
        let value = |n: i32| {
            let turn = (n + shift) % 96 - 48;
            f64::from(low) + f64::from(high - low) * f64::from(turn.abs()) / 48.0
        };
        let gap = 100..130;
        let points = (0..288).map(|n: i32| {
            let at = now.minus(86_400 - 300 * i64::from(n));
            (at, (!gap.contains(&n)).then(|| value(n)))
        });
        Line { name: name.to_owned(), points: points.collect() }
    };
    let chart = |title: &str, unit, lines: Vec<Line>| Chart { title: title.into(), unit, lines };
    let range = |words, current| Range { words, href: "?range=1h".into(), current };
    let curves = Curves {
        from: now.minus(86_400),
        to: now,
        ranges: vec![
            range("1 hour", false),
            range("24 hours", true),
            range("7 days", false),
            range("30 days", false),
        ],
        charts: vec![
            chart(
                "Age of the last handshake",
                Unit::Seconds,
                vec![wave("at hel-gw1", 5, 118, 0), wave("at oul-gw2", 9, 125, 7)],
            ),
            chart(
                "From hel-gw1 to oul-gw2",
                Unit::BytesPerSecond,
                vec![
                    wave("sent, says hel-gw1", 120_000, 2_400_000, 20),
                    wave("received, says oul-gw2", 110_000, 2_100_000, 20),
                ],
            ),
            chart("eth0: packets with errors, and dropped", Unit::PacketsPerSecond, Vec::new()),
        ],
        csv_href: "/api/v1/export/metrics.csv?link=00000000000000b2".into(),
        left_out: 3,
        how: "one point per five minutes".into(),
    };
    curves.render().expect("rendered")
}
