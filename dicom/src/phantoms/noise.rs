//! Noise that is the same every time: a hash of the place.

/// 64 bits that depend on everything: one round of SplitMix64. It is drawn for millions of pixels,
/// in builds without optimisation too.
fn bits(seed: u64, a: i64, b: i64, c: i64) -> u64 {
    let mut hash = (seed ^ 0x9E37_79B9_7F4A_7C15)
        .wrapping_add((a as u64).wrapping_mul(0xA24B_AED4_963E_E407))
        .wrapping_add((b as u64).wrapping_mul(0x9FB2_1C65_1E98_DF25))
        .wrapping_add((c as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// Uniform in 0..1.
pub(super) fn uniform(seed: u64, a: i64, b: i64, c: i64) -> f64 {
    (bits(seed, a, b, c) >> 11) as f64 / (1_u64 << 53) as f64
}

/// About normal, mean 0, deviation 1: the sum of four uniform numbers of 16 bits.
pub(super) fn normal(seed: u64, a: i64, b: i64, c: i64) -> f64 {
    let bits = bits(seed, a, b, c);
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
    (sum as f64 / 65_536.0 - 2.0) * 1.732
}

/// Smooth in -1..1, with hills about one unit wide.
pub(super) fn smooth(seed: u64, x: f64, y: f64, z: f64) -> f64 {
    let cell = |value: f64| (value.floor() as i64, fade(value - value.floor()));
    let ((xi, xf), (yi, yf), (zi, zf)) = (cell(x), cell(y), cell(z));
    let corner = |dx: i64, dy: i64, dz: i64| uniform(seed, xi + dx, yi + dy, zi + dz);
    let mix = |a: f64, b: f64, part: f64| a + (b - a) * part;
    let layer = |dz: i64| {
        let near = mix(corner(0, 0, dz), corner(1, 0, dz), xf);
        mix(near, mix(corner(0, 1, dz), corner(1, 1, dz), xf), yf)
    };
    mix(layer(0), layer(1), zf) * 2.0 - 1.0
}

fn fade(part: f64) -> f64 {
    part * part * (3.0 - 2.0 * part)
}
