//! What a look at many things found, one line each.

use super::speak::say;
use super::{DONE, FAILED};

/// What was found about one thing.
#[derive(Debug)]
pub struct Finding {
    /// Which thing.
    pub about: &'static str,
    /// What is well, or what is wrong and what to do.
    pub verdict: Result<String, String>,
}

/// Says everything; the exit code.
pub fn tell(findings: &[Finding]) -> u8 {
    for Finding { about, verdict } in findings {
        let (word, text) = match verdict {
            Ok(well) => ("ok    ", well),
            Err(ill) => ("WRONG ", ill),
        };
        // Further lines stand below the first.
        say(&format!("{word}{about:<12}{}", text.replace('\n', "\n                  ")));
    }
    if findings.iter().all(|finding| finding.verdict.is_ok()) { DONE } else { FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_thing_fails_the_whole() {
        let well = || Finding { about: "a", verdict: Ok("x".into()) };
        assert_eq!(tell(&[well(), well()]), DONE);
        assert_eq!(tell(&[well(), Finding { about: "b", verdict: Err("y".into()) }]), FAILED);
    }
}
