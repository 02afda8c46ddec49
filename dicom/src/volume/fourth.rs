//! Several images at each position: what tells them apart, and in which order they follow.

use super::Unsuitable;
use super::frames::{Frame, Made, Series};

/// Steps in time may differ by this part of their mean, beside [`SAME_S`].
const STEP_TOLERANCE: f64 = 0.02;
/// Clocks of scanners are read to some milliseconds.
const SAME_S: f64 = 0.01;

/// What the fourth dimension is.
#[derive(Debug, Clone, PartialEq)]
pub enum FourthDimension {
    /// Time.
    Time {
        /// From one volume to the next in seconds, if it is always the same and known.
        step_s: Option<f64>,
        /// When each begins, after the first, in seconds; empty if unknown.
        starts_s: Vec<f64>,
    },
    /// Phases of the heart: the delay after the trigger of each, in milliseconds.
    TriggerDelay(Vec<f64>),
    /// Echo times in milliseconds.
    Echo(Vec<f64>),
    /// Diffusion weighting, of which [`Plan::diffusion`](super::Plan::diffusion) tells more: b-values
    /// in s/mm2.
    Diffusion(Vec<f64>),
}

/// Diffusion weighting of a volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighting {
    /// b-value in s/mm2.
    pub b_value: f64,
    /// Direction along the stored axes; absent if unweighted.
    pub direction: Option<[f64; 3]>,
}

/// The frames in the order in which they are written.
pub(super) struct Sorted {
    pub(super) frames: Vec<Frame>,
    pub(super) fourth: Option<FourthDimension>,
    /// Directions in DICOM's coordinates.
    pub(super) diffusion: Option<Vec<Weighting>>,
}

/// By what images at a position are told apart, in the order in which it is tried.
const KEYS: [(&str, Key); 8] = [
    ("Echo Time", |it| it.echo_ms.map(|echo| vec![echo])),
    ("Temporal Position", |it| {
        it.temporal_position.map(|it| vec![it])
    }),
    ("b-value", |it| it.b_value.map(|it| vec![it])),
    ("diffusion direction", |it| {
        let direction = it.direction.unwrap_or_default();
        it.b_value.map(|b| [&[b][..], &direction].concat())
    }),
    ("Trigger Time", |it| it.trigger_ms.map(|it| vec![it])),
    ("Frame Reference Time", |it| {
        it.reference_ms.map(|it| vec![it])
    }),
    ("Acquisition Number", |it| it.acquisition.map(|it| vec![it])),
    ("Acquisition Time", |it| it.instant_s.map(|it| vec![it])),
];
type Key = fn(&Made) -> Option<Vec<f64>>;

/// Keys that are clocks: slices of a volume have different ones.
const CLOCKS: [&str; 3] = ["Trigger Time", "Frame Reference Time", "Acquisition Time"];

/// Sorts the frames of all positions into volumes.
pub(super) fn sort(mut positions: Vec<Vec<Frame>>, series: &Series) -> Result<Sorted, Unsuitable> {
    let volumes = positions.first().map_or(0, Vec::len);
    if volumes <= 1 {
        return Ok(Sorted {
            frames: positions.into_iter().flatten().collect(),
            fourth: None,
            diffusion: None,
        });
    }
    let refuse = |why: &str| Unsuitable::Fourth(volumes, why.to_owned());
    let all = || positions.iter().flatten().map(|frame| &frame.made);
    let image_type = all()
        .next()
        .map(|it| it.image_type.clone())
        .unwrap_or_default();
    if all().any(|made| made.image_type != image_type) {
        return Err(refuse(
            "they are of different Image Types (magnitude and phase?)",
        ));
    }
    let (name, key) = *KEYS
        .iter()
        .find(|(name, key)| tells_apart(&positions, *key, CLOCKS.contains(name)))
        .ok_or_else(|| refuse("nothing tells them apart, or several things do"))?;
    if name != "Echo Time" && all().any(|made| made.echo_ms != positions[0][0].made.echo_ms) {
        return Err(refuse("both echo and time differ"));
    }
    for slice in &mut positions {
        slice.sort_by(|a, b| compare(&key(&a.made), &key(&b.made)));
    }
    let fourth = fourth_dimension(name, &positions[0], series);
    let diffusion = weightings(&positions);
    // Volume by volume.
    let mut columns: Vec<_> = positions.into_iter().map(Vec::into_iter).collect();
    let mut frames = Vec::new();
    for _ in 0..volumes {
        frames.extend(columns.iter_mut().filter_map(Iterator::next));
    }
    Ok(Sorted {
        frames,
        fourth: Some(fourth),
        diffusion,
    })
}

/// Whether a key is different for each image at a position, and, if it is no clock, takes the same
/// values at every position.
fn tells_apart(positions: &[Vec<Frame>], key: Key, clock: bool) -> bool {
    let values = |slice: &Vec<Frame>| {
        let values: Option<Vec<_>> = slice.iter().map(|frame| key(&frame.made)).collect();
        let mut values = values?;
        values.sort_by(|a, b| compare(&Some(a.clone()), &Some(b.clone())));
        values
            .windows(2)
            .all(|pair| pair[0] != pair[1])
            .then_some(values)
    };
    let mut all = positions.iter().map(values);
    let Some(Some(first)) = all.next() else {
        return false;
    };
    all.all(|it| it.is_some_and(|it| clock || it == first))
}

fn compare(a: &Option<Vec<f64>>, b: &Option<Vec<f64>>) -> std::cmp::Ordering {
    let (a, b) = (a.iter().flatten(), b.iter().flatten());
    let mut pairs = a.zip(b).map(|(a, b)| a.total_cmp(b));
    pairs
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

/// The fourth dimension, as the slices of the first position have it.
fn fourth_dimension(name: &str, slices: &[Frame], series: &Series) -> FourthDimension {
    let values = |value: fn(&Made) -> Option<f64>| {
        slices
            .iter()
            .filter_map(|frame| value(&frame.made))
            .collect::<Vec<f64>>()
    };
    match name {
        "Echo Time" => FourthDimension::Echo(values(|it| it.echo_ms)),
        "Trigger Time" => FourthDimension::TriggerDelay(values(|it| it.trigger_ms)),
        "b-value" | "diffusion direction" => FourthDimension::Diffusion(values(|it| it.b_value)),
        _ => {
            let mut clock = values(|it| it.reference_ms.map(|it| it / 1e3));
            if clock.len() < slices.len() || !rises(&clock) {
                clock = values(|it| it.instant_s);
            }
            let first = clock.first().copied().unwrap_or(0.0);
            let starts_s: Vec<f64> = match clock.len() == slices.len() && rises(&clock) {
                true => clock.iter().map(|it| rounded(it - first)).collect(),
                false => Vec::new(),
            };
            let stated = series
                .resolution_ms
                .filter(|it| *it > 0.0)
                .map(|it| rounded(it / 1e3));
            FourthDimension::Time {
                step_s: stated.or_else(|| equal_step(&starts_s)).or_else(|| {
                    // Without a clock, a volume takes one repetition: true of what is repeated.
                    let repeated = series.repetition_ms.filter(|it| *it > 0.0)?;
                    starts_s.is_empty().then(|| rounded(repeated / 1e3))
                }),
                starts_s,
            }
        }
    }
}

fn rises(clock: &[f64]) -> bool {
    clock.windows(2).all(|pair| pair[0] < pair[1])
}

fn equal_step(starts: &[f64]) -> Option<f64> {
    let last = *starts.last()?;
    let mean = last / (starts.len().checked_sub(1).filter(|it| *it > 0)? as f64);
    let near = |pair: &[f64]| (pair[1] - pair[0] - mean).abs() <= STEP_TOLERANCE * mean + SAME_S;
    starts.windows(2).all(near).then(|| rounded(mean))
}

/// Microseconds are more than any scanner's clock says.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// The weighting of each volume, if all slices of it say the same. Isotropic ones and unweighted ones
/// have no direction.
fn weightings(positions: &[Vec<Frame>]) -> Option<Vec<Weighting>> {
    let volumes = positions.first()?.len();
    let of = |volume: usize| {
        let first = &positions[0][volume].made;
        let same = positions
            .iter()
            .all(|slice| slice[volume].made.b_value == first.b_value);
        let direction = first
            .direction
            .filter(|it| it.iter().any(|part| *part != 0.0));
        Some(Weighting {
            b_value: first.b_value.filter(|_| same)?,
            direction,
        })
    };
    (0..volumes).map(of).collect()
}

/// `.bval` and `.bvec` of FSL.
pub(super) fn gradients(weightings: &[Weighting]) -> [String; 2] {
    let line = |values: Vec<String>| values.join(" ") + "\n";
    let b_values = weightings.iter().map(|it| it.b_value.to_string());
    let part = |axis: usize| {
        let along = |it: &Weighting| it.direction.map_or(0.0, |it| it[axis]);
        line(
            weightings
                .iter()
                .map(|it| format!("{:.6}", along(it) + 0.0))
                .collect(),
        )
    };
    [line(b_values.collect()), part(0) + &part(1) + &part(2)]
}
