//! A page as a QR code, for a phone before the screen.
//!
//! See decision 0026.

use fast_qr::{ECL, QRBuilder};

/// Light modules around the code. Four are asked for; two are enough where the light is drawn
/// and not left to the terminal's background.
const QUIET: usize = 2;

/// Two rows of modules on each line; light modules are drawn, so that it is the same on dark and
/// on light terminals. `None` for what is too long for a code.
pub(crate) fn lines(text: &str, colour: bool) -> Option<Vec<String>> {
    let code = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
    let side = code.size + 2 * QUIET;
    let is_light = |row: usize, column: usize| {
        let inside = QUIET..QUIET + code.size;
        let is_module = inside.contains(&row) && inside.contains(&column);
        !is_module || !code[row - QUIET][column - QUIET].value()
    };
    let mut lines = Vec::with_capacity(side.div_ceil(2));
    for row in (0..side).step_by(2) {
        let mut line = String::with_capacity(side * 3);
        for column in 0..side {
            let below = row + 1 < side && is_light(row + 1, column);
            line.push(match (is_light(row, column), below) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        // White on black, independent of the terminal's own colours; below the last row is nothing.
        let ground = if row + 1 < side { ";40" } else { "" };
        lines.push(if colour {
            format!("\x1b[97{ground}m{line}\x1b[0m")
        } else {
            line
        });
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_with_its_three_eyes() {
        let lines = lines("https://vendor.example/device?user_code=MADE-UP", false).unwrap();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        // Under the quiet zone an eye begins: seven dark modules, of which the second row is
        // dark at its ends only.
        let top: Vec<char> = lines[1].chars().collect();
        assert_eq!(top[2..9].iter().collect::<String>(), " ▄▄▄▄▄ ");
        assert_eq!(
            top[width - 9..width - 2].iter().collect::<String>(),
            " ▄▄▄▄▄ "
        );
    }

    /// What a phone sees of these lines: light where something is drawn.
    fn scanned(lines: &[String]) -> String {
        const SCALE: usize = 4;
        let rows: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
        let side = rows[0].len();
        let is_light = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        let size = side * SCALE;
        let mut photo = rqrr::PreparedImage::prepare_from_greyscale(size, size, |x, y| {
            if is_light(x / SCALE, y / SCALE) {
                255
            } else {
                0
            }
        });
        let codes = photo.detect_grids();
        codes[0].decode().unwrap().1
    }

    #[test]
    fn a_phone_reads_the_page() {
        for length in [0, 20, 100, 300] {
            let page = format!(
                "https://vendor.example/device?user_code=MADE-UP{}",
                "x".repeat(length)
            );
            assert_eq!(scanned(&lines(&page, false).unwrap()), page);
        }
    }

    #[test]
    fn what_is_too_long_has_no_code() {
        assert!(lines(&"x".repeat(5000), false).is_none());
    }
}
