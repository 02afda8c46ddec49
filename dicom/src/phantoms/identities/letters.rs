//! Letters of three by five dots, drawn into pixels as devices do.

/// Rows of each glyph, from the top, each an octal digit: A to Z, then 0 to 9.
const GLYPHS: &[u8] =
    b"25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555 \
25552 65644 25573 65655 34216 72222 55557 55552 55775 55255 55222 71247 \
75557 26227 71747 71717 55711 74717 74757 71222 75757 75717";
/// Dots are as many pixels wide and high.
const SCALE: usize = 2;

/// Draws a text from the left upper corner of an image of one byte for each pixel; what is no letter
/// of English and no digit is a space.
pub(super) fn draw(pixels: &mut [u8], columns: usize, text: &str, (left, top): (usize, usize)) {
    for (index, letter) in text.to_ascii_uppercase().bytes().enumerate() {
        let glyph = match letter {
            b'A'..=b'Z' => usize::from(letter - b'A'),
            b'0'..=b'9' => usize::from(letter - b'0') + 26,
            _ => continue,
        };
        for dot in 0..15 {
            let row = GLYPHS[glyph * 6 + dot / 3] - b'0';
            if row >> (2 - dot % 3) & 1 == 0 {
                continue;
            }
            let x = left + index * 4 * SCALE + dot % 3 * SCALE;
            let y = top + dot / 3 * SCALE;
            for at in 0..SCALE * SCALE {
                let (x, y) = (x + at % SCALE, y + at / SCALE);
                if let (true, Some(pixel)) = (x < columns, pixels.get_mut(y * columns + x)) {
                    *pixel = 255;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_seen() {
        let mut pixels = vec![0; 8 * 10];
        draw(&mut pixels, 8, "T", (0, 0));
        let lit = |x: usize, y: usize| pixels[y * 8 + x] == 255;
        assert!(lit(0, 0) && lit(5, 1) && lit(2, 9) && lit(3, 9));
        assert!(!lit(0, 2) && !lit(6, 0));
        assert_eq!(GLYPHS.len(), 36 * 6 - 1);
    }
}
