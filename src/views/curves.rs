//! Curves: lines over time as inline SVG, each picture with a table that says the same.
//!
//! Nothing is drawn where nothing is known. Colours come from the style sheet, and the second
//! line is dashed, so that no line is told by its colour alone.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::model::time::UnixSeconds;

use super::text::bytes;
use super::then::words;

/// Where lines are drawn in a picture of 400 by 150 units, which the page scales.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 392.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 126.0;

/// Rows of the table under a picture at most.
const ROWS: usize = 24;

/// What values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes per second.
    BytesPerSecond,
    /// Packets per second.
    PacketsPerSecond,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// A value with its unit.
    fn text(self, value: f64) -> String {
        match self {
            Self::BytesPerSecond => format!("{}/s", bytes(whole(value))),
            Self::PacketsPerSecond if value > 0.0 && value < 10.0 => format!("{value:.2}/s"),
            Self::PacketsPerSecond => format!("{value:.0}/s"),
            Self::Seconds if value < 600.0 => format!("{value:.0} s"),
            Self::Seconds if value < 36_000.0 => format!("{:.0} min", value / 60.0),
            Self::Seconds => format!("{:.0} h", value / 3_600.0),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is held to what fits, and a fraction of a byte is none"
)]
fn whole(value: f64) -> u64 {
    value.clamp(0.0, 1e18) as u64
}

/// A count as a number to draw with.
fn float(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is, for the legend.
    pub name: String,
    /// Its values by time; `None` where nothing is known.
    pub points: Vec<(UnixSeconds, Option<f64>)>,
}

impl Line {
    fn known(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(|(_, value)| *value)
    }
}

/// What a picture shows.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Its title.
    pub title: String,
    /// What its values are.
    pub unit: Unit,
    /// Its lines, two at most.
    pub lines: Vec<Line>,
}

/// A length of time that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// In words.
    pub words: &'static str,
    /// The page with it.
    pub href: String,
    /// Whether it is the one that is shown.
    pub current: bool,
}

/// A section that is rendered already, everything in it escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// Everything about curves on a page.
#[derive(Debug, Clone)]
pub struct Curves {
    /// From this time on.
    pub from: UnixSeconds,
    /// To this one.
    pub to: UnixSeconds,
    /// The lengths of time to choose from.
    pub ranges: Vec<Range>,
    /// The pictures.
    pub charts: Vec<Chart>,
    /// The same points as a file.
    pub csv_href: String,
    /// What is not drawn.
    pub left_out: usize,
    /// How fine the points are, and why.
    pub how: String,
}

/// A mark on an axis.
#[derive(Debug)]
struct Mark {
    at: String,
    text: String,
}

/// A line as it is drawn.
#[derive(Debug)]
struct Drawn {
    class: &'static str,
    name: String,
    path: String,
    summary: [String; 4],
}

#[derive(Debug)]
struct Picture {
    title: String,
    label: String,
    lines: Vec<Drawn>,
    across: Vec<Mark>,
    up: Vec<Mark>,
    heads: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
    empty: bool,
}

#[derive(Template)]
#[template(path = "curves.html")]
struct Section<'a> {
    curves: &'a Curves,
    words: [String; 2],
    pictures: Vec<Picture>,
}

impl Curves {
    /// The section of a page.
    ///
    /// # Errors
    /// If the template cannot be rendered.
    pub fn render(&self) -> Result<Html, askama::Error> {
        let pictures = self.charts.iter().map(|chart| self.picture(chart)).collect();
        let words = [self.from, self.to].map(words);
        Section { curves: self, words, pictures }.render().map(Html)
    }

    fn picture(&self, chart: &Chart) -> Picture {
        let most = chart.lines.iter().flat_map(Line::known).fold(0.0, f64::max);
        let top = round_up(most, chart.unit);
        let classes = ["curve first", "curve second"];
        let lines: Vec<Drawn> = chart
            .lines
            .iter()
            .zip(classes)
            .map(|(line, class)| Drawn {
                class,
                name: line.name.clone(),
                path: self.path(line, top),
                summary: summary(line, chart.unit),
            })
            .collect();
        let told: Vec<String> = lines
            .iter()
            .map(|line| {
                let [last, mean, most, _] = &line.summary;
                format!("{}: last {last}, mean {mean}, at most {most}", line.name)
            })
            .collect();
        let up = [0.0, 0.5, 1.0].map(|part| Mark {
            at: format!("{:.1}", BOTTOM - part * (BOTTOM - TOP)),
            text: chart.unit.text(top * part),
        });
        Picture {
            title: chart.title.clone(),
            label: format!("{}. {}.", chart.title, told.join("; ")),
            empty: chart.lines.iter().all(|line| line.known().next().is_none()),
            lines,
            across: self.across(),
            up: up.into(),
            heads: chart.lines.iter().map(|line| line.name.clone()).collect(),
            rows: self.rows(chart),
        }
    }

    /// Where a time is from left to right.
    fn x(&self, at: UnixSeconds) -> f64 {
        let long = float(self.to.since(self.from).max(1));
        let part = float(at.since(self.from)) / long;
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// The line as the `d` of a path: moved anew after every gap. A point alone is a short dash.
    fn path(&self, line: &Line, top: f64) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (at, value) in line.points.iter().filter(|(at, _)| *at >= self.from && *at <= self.to) {
            let Some(value) = value else {
                pen_down = false;
                continue;
            };
            let (x, y) = (self.x(*at), BOTTOM - value / top * (BOTTOM - TOP));
            let step =
                if pen_down { format!("L{x:.1} {y:.1}") } else { format!("M{x:.1} {y:.1}h0.5") };
            path.push_str(&step);
            pen_down = true;
        }
        path
    }

    /// The marks under the picture: whole hours or days.
    fn across(&self) -> Vec<Mark> {
        let long = self.to.since(self.from).max(1);
        let steps = [900, 3_600, 14_400, 21_600, 86_400, 2 * 86_400, 7 * 86_400];
        let step = steps.into_iter().find(|step| long / step <= 6).unwrap_or(30 * 86_400);
        let first = self.from.0.div_euclid(step) + 1;
        let last = self.to.0.div_euclid(step);
        let mark = |n: i64| {
            let at = UnixSeconds(n.saturating_mul(step));
            let text = words(at);
            let (clock, date) = text.split_once(", ").unwrap_or((&text, ""));
            let short =
                if step < 86_400 { clock.get(..5) } else { date.rsplit_once(' ').map(|d| d.0) };
            Mark { at: format!("{:.1}", self.x(at)), text: short.unwrap_or_default().to_owned() }
        };
        let inside = |mark: &Mark| {
            let x: f64 = mark.at.parse().unwrap_or(0.0);
            (LEFT + 8.0..=RIGHT - 12.0).contains(&x)
        };
        (first..=last).map(mark).filter(inside).collect()
    }

    /// The picture in a few rows: means of equal stretches of time.
    fn rows(&self, chart: &Chart) -> Vec<(String, Vec<String>)> {
        let rows = i64::try_from(ROWS).unwrap_or(i64::MAX);
        let step = (self.to.since(self.from) / rows).max(1);
        let row = |n: i64| {
            let (from, to) = (self.from.plus(n * step), self.from.plus((n + 1) * step));
            let cell = |line: &Line| {
                let inside = line.points.iter().filter(|(at, _)| *at >= from && *at < to);
                let known: Vec<f64> = inside.filter_map(|(_, value)| *value).collect();
                mean(&known).map_or_else(|| "—".to_owned(), |mean| chart.unit.text(mean))
            };
            (words(from), chart.lines.iter().map(cell).collect())
        };
        (0..rows).map(row).collect()
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    let count = i64::try_from(values.len()).ok().filter(|count| *count > 0)?;
    Some(values.iter().sum::<f64>() / float(count))
}

/// The last, the mean, the greatest and the least of a line.
fn summary(line: &Line, unit: Unit) -> [String; 4] {
    let known: Vec<f64> = line.known().collect();
    let most = known.iter().copied().reduce(f64::max);
    let least = known.iter().copied().reduce(f64::min);
    let last = line.points.last().and_then(|(_, value)| *value);
    [last, mean(&known), most, least]
        .map(|value| value.map_or_else(|| "—".to_owned(), |value| unit.text(value)))
}

/// The top of the scale: 1, 2 or 5 with zeros, and never nothing.
fn round_up(most: f64, unit: Unit) -> f64 {
    let least = match unit {
        Unit::BytesPerSecond => 100.0,
        Unit::PacketsPerSecond => 0.1,
        // A handshake is renewed every two minutes while there is traffic.
        Unit::Seconds => 180.0,
    };
    let mut top = least;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(120) {
        if top >= most {
            break;
        }
        top *= factor;
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_795_183_200);

    fn line(values: &[Option<f64>]) -> Line {
        let points = (0..).step_by(300).zip(values);
        Line {
            name: "in <x>".into(),
            points: points.map(|(after, value)| (T.plus(after), *value)).collect(),
        }
    }

    fn curves(lines: Vec<Line>, unit: Unit) -> Curves {
        Curves {
            from: T,
            to: T.plus(3_600),
            ranges: vec![Range { words: "1 hour", href: "?range=1h".into(), current: true }],
            charts: vec![Chart { title: "eth0 <b>".into(), unit, lines }],
            csv_href: "/x".into(),
            left_out: 0,
            how: "points of five minutes".into(),
        }
    }

    #[test]
    fn a_gap_lifts_the_pen_and_the_scale_is_round() {
        let values = [Some(100.0), Some(400.0), None, Some(100.0)];
        let all = curves(vec![line(&values)], Unit::BytesPerSecond);
        let picture = all.picture(&all.charts[0]);
        assert_eq!(picture.lines[0].path, "M58.0 102.8h0.5L85.8 33.2M141.5 102.8h0.5");
        let marks: Vec<_> = picture.up.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(marks, ["0 B/s", "250 B/s", "500 B/s"]);
        assert_eq!(picture.lines[0].summary, ["100 B/s", "200 B/s", "400 B/s", "100 B/s"]);
        assert_eq!(picture.rows[0].1, ["100 B/s"]);
        assert_eq!(picture.rows[4].1, ["—"]);
        let times: Vec<_> = picture.across.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(times, ["14:15", "14:30", "14:45"]);
    }

    #[test]
    fn scales_of_every_size() {
        for (most, unit, top) in [
            (0.0, Unit::BytesPerSecond, 100.0),
            (101.0, Unit::BytesPerSecond, 200.0),
            (499.0, Unit::BytesPerSecond, 500.0),
            (0.3, Unit::PacketsPerSecond, 0.5),
            (170.0, Unit::Seconds, 180.0),
        ] {
            assert!((round_up(most, unit) - top).abs() < 1e-9, "{most}");
        }
        assert!(round_up(f64::MAX, Unit::Seconds).is_finite());
    }

    #[test]
    fn the_section_tells_in_words_what_it_draws_and_escapes_names() {
        let html = curves(vec![line(&[Some(1.0); 4])], Unit::PacketsPerSecond).render().unwrap();
        let html = html.to_string();
        assert!(html.contains("role=\"img\"") && html.contains("aria-current=\"true\""));
        assert!(!html.contains("<b>") && !html.contains("in <x>") && !html.contains("style="));
        assert!(html.contains("last 1.00/s, mean 1.00/s, at most 1.00/s"));
        let none = curves(vec![line(&[None])], Unit::Seconds).render().unwrap().to_string();
        assert!(none.contains("Nothing is known of this time"));
        assert!(!none.contains("<svg"));
    }
}
