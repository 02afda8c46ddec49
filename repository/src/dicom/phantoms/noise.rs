//! Noise that is the same every time: a hash of the place.

/// Uniform in 0..1.
pub(super) fn uniform(seed: u64, a: i64, b: i64, c: i64) -> f64 {
    let mut hash = seed ^ 0x9E37_79B9_7F4A_7C15;
    for value in [a, b, c] {
        // SplitMix64.
        hash = hash
            .wrapping_add(value as u64)
            .wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        hash ^= hash >> 31;
    }
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// About normal, mean 0, deviation 1.
pub(super) fn normal(seed: u64, a: i64, b: i64, c: i64) -> f64 {
    let sum: f64 = (0..4).map(|turn| uniform(seed + turn, a, b, c)).sum();
    (sum - 2.0) * 1.732
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
