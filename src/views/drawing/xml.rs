//! XML by hand: text and attributes that cannot break out, numbers in one form.

use std::fmt::{self, Write as _};

/// Text for an element or a quoted attribute. Characters that XML 1.0 does not know (section 2.2)
/// are left out: no reader takes a document that has one, in whatever spelling.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\u{fffe}' | '\u{ffff}' => {}
                c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A number to a tenth, without needless digits and without a negative zero.
#[derive(Debug, Clone, Copy)]
pub struct Tenth(pub f64);

impl fmt::Display for Tenth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        let text = text.strip_suffix(".0").unwrap_or(&text);
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        let text = Text("<a href=\"x\" o='y'>&\u{0}\u{1b}\u{ffff} ok\u{e4}").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp; ok\u{e4}");
    }

    #[test]
    fn numbers_have_one_form() {
        let all = [1.0, -0.04, 0.05, 12.34, -3.96].map(|n| Tenth(n).to_string());
        assert_eq!(all, ["1", "0", "0.1", "12.3", "-4"]);
    }
}
