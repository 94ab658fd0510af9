//! Instants as text: RFC 3339, which first-generation agents may send as `timestamp`.

use crate::model::time::UnixSeconds;

/// Reads `2026-11-20T12:34:56Z`, with an optional fraction (dropped) and with an offset instead
/// of `Z`; lower case and a space for the `T` are allowed (RFC 3339, 5.6).
pub fn rfc3339(text: &str) -> Option<UnixSeconds> {
    let (date, rest) = text.as_bytes().split_at_checked(10)?;
    let (clock, rest) = rest.split_at_checked(9)?;
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2] = date else { return None };
    let [b'T' | b't' | b' ', h1, h2, b':', mi1, mi2, b':', s1, s2] = clock else { return None };
    let (year, month, day) = (number(&[*y1, *y2, *y3, *y4])?, two(*mo1, *mo2)?, two(*d1, *d2)?);
    let (hour, minute, second) = (two(*h1, *h2)?, two(*mi1, *mi2)?, two(*s1, *s2)?);
    // 60 is a leap second; it counts as the first second of the next minute.
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone = offset(after_fraction(rest)?)?;
    let seconds = days_from_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(UnixSeconds(seconds - zone))
}

fn after_fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { fraction.get(digits..) }
}

/// Seconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    number(&[tens, ones])
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        char::from(*digit).to_digit(10).map(|digit| value * 10 + i64::from(digit))
    })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January 1970 in the Gregorian calendar.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap days of all years before `year`, counted from year 1 (year 0 is a leap year itself,
    // and is corrected by rounding down).
    let before = year - 1;
    let leaps = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let in_year: i64 = (1..month).map(|earlier| days_in(year, earlier)).sum();
    before * 365 + leaps + in_year + day - 1 - 719_162
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        // Values from `date -u -d TEXT +%s`.
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-20T11:18:06Z", 1_795_173_486),
            ("2026-11-20T11:18:06.999999Z", 1_795_173_486),
            ("2026-11-20t13:18:06+02:00", 1_795_173_486),
            ("2026-11-20 06:48:06-04:30", 1_795_173_486),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("1969-12-31T23:59:59Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
        ] {
            assert_eq!(rfc3339(text), Some(UnixSeconds(seconds)), "{text}");
        }
        for bad in [
            "",
            "2026-11-20",
            "2026-11-20T11:18:06",
            "2026-11-20T11:18:06.Z",
            "2026-11-20T11:18:06+0200",
            "2026-13-20T11:18:06Z",
            "2026-02-29T11:18:06Z",
            "2026-11-20T24:18:06Z",
            "2026-11-20T11:18:06Zx",
            "2026-11-20T11:18:06+24:00",
            "+026-11-20T11:18:06Z",
            "2026-11-2éT11:18:06Z",
        ] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
    }
}
