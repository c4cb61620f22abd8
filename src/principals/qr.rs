//! QR codes as SVG.

use qrcode::{Color, EcLevel, QrCode};
use svg::{
    Document,
    node::element::{Path, Rectangle, path::Data},
};

use super::PrincipalsError;

/// The light border that scanners need (ISO/IEC 18004), in modules.
const QUIET: usize = 4;

/// A text as a QR code. The colours are fixed: a scanner needs dark on light, whatever the page's colours are.
pub(super) fn svg(text: &str) -> Result<String, PrincipalsError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| PrincipalsError::QrCode)?;
    let (width, size) = (code.width(), code.width() + 2 * QUIET);
    let mut data = Data::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (at % width + QUIET, at / width + QUIET);
            data = data.move_to((x, y)).horizontal_line_by(1).vertical_line_by(1).horizontal_line_by(-1).close();
        }
    }
    let light = Rectangle::new().set("width", size).set("height", size).set("fill", "#fff");
    let dark = Path::new().set("d", data).set("fill", "#000");
    let drawing = Document::new()
        .set("viewBox", (0, 0, size, size))
        .set("role", "img")
        .set("shape-rendering", "crispEdges")
        .add(light)
        .add(dark);
    Ok(drawing.to_string())
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn a_drawing_has_a_light_border_and_dark_modules() {
        let drawing = svg("otpauth://totp/gw:lin?secret=GEZDGNBVGY3TQOJQ").unwrap();
        assert!(drawing.starts_with("<svg ") && drawing.contains("role=\"img\""), "{drawing}");
        // The upper left finder pattern begins where the border ends.
        assert!(drawing.contains("M4,4 h1 v1 h-1 z"), "{drawing}");
        assert!(svg(&"x".repeat(5000)).is_err());
    }
}
