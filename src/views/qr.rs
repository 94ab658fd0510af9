//! A text as a QR code: one path of unit squares for an SVG.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// White squares around a code (ISO/IEC 18004 asks for four).
const QUIET: i32 = 4;

/// A QR code.
#[derive(Debug, Clone)]
pub struct Qr {
    /// Squares of a side, with the quiet ones around.
    pub side: i32,
    /// The dark squares, as the data of a path.
    pub path: String,
}

/// The code of a text; `None` if it is too long for any.
pub fn of(text: &str) -> Option<Qr> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            // Writing into a text cannot fail.
            let _written = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Some(Qr { side: code.size() + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_corners_and_a_white_frame() {
        let qr = of("otpauth://totp/Kattila:olga?secret=GEZDGNBV").unwrap();
        assert!(qr.side > 29 && qr.side % 2 == 1);
        for corner in ["M4 4h", &format!("M{} 4h", qr.side - 5), &format!("M4 {}h", qr.side - 5)] {
            assert!(qr.path.contains(corner), "{corner}");
        }
        assert!(!qr.path.contains("M3 ") && !qr.path.contains("M0 "));
        assert!(of(&"x".repeat(5_000)).is_none());
    }
}
