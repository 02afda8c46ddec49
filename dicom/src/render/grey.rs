//! Grey values: modality transform, then window or VOI LUT (PS3.3 sections C.11.1 and C.11.2).

use dicom_dictionary_std::tags;

use super::lut::{Lut, words};
use super::{Function, RenderError, Said, Window};
use crate::pixels::Sample;
use crate::transcode::Decoded;
use crate::walk::DataSet;

/// Grey as it is seen, 0 black and 255 white.
pub(super) fn shown(
    said: &Said<'_>,
    decoded: &Decoded,
    window: Option<Window>,
) -> Result<Vec<u8>, RenderError> {
    let modality = Modality::of(said, decoded)?;
    let voi = match window {
        Some(window) => Voi::Window(window),
        None => match Voi::of(said, &modality, decoded)? {
            Some(voi) => voi,
            None => Voi::Window(all(said, decoded, &modality)),
        },
    };
    let inverted = if decoded.photometric == "MONOCHROME1" {
        255
    } else {
        0
    };
    let byte = |bits| voi.byte(modality.of_stored(decoded.value(bits))) ^ inverted;
    // Where there are more pixels than values, each value is looked up.
    if decoded.bits_stored <= 16 && decoded.bytes.len() >> decoded.bits_stored > 2 {
        let table: Vec<u8> = (0..1 << decoded.bits_stored).map(byte).collect();
        return Ok(decoded.bits().map(|bits| table[bits as usize]).collect());
    }
    Ok(decoded.bits().map(byte).collect())
}

/// From stored values to values of the modality, such as Hounsfield units.
enum Modality {
    Line { slope: f64, intercept: f64 },
    Table(Lut),
}

impl Modality {
    fn of(said: &Said<'_>, decoded: &Decoded) -> Result<Self, RenderError> {
        let data = said.data();
        if let Some(item) = data.items(tags::MODALITY_LUT_SEQUENCE).first() {
            let signed = decoded.sample == Sample::Signed;
            return Ok(Self::Table(Lut::of_item(said, item, signed)?));
        }
        let group = said.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
        let number = |tag| {
            let own = group.and_then(|group| group.number(tag));
            own.or_else(|| data.number(tag))
        };
        Ok(Self::Line {
            // A slope of zero would make everything the same.
            slope: number(tags::RESCALE_SLOPE)
                .filter(|it| *it != 0.0)
                .unwrap_or(1.0),
            intercept: number(tags::RESCALE_INTERCEPT).unwrap_or(0.0),
        })
    }

    fn of_stored(&self, value: f64) -> f64 {
        match self {
            Self::Line { slope, intercept } => value.mul_add(*slope, *intercept),
            Self::Table(lut) => lut.at(value).into(),
        }
    }

    /// Whether its values may be below zero, which decides how the first value of a VOI LUT is read.
    fn signed(&self, decoded: &Decoded) -> bool {
        match self {
            Self::Line { intercept, .. } => decoded.sample == Sample::Signed || *intercept < 0.0,
            Self::Table(_) => false,
        }
    }
}

enum Voi {
    Window(Window),
    Table(Lut),
}

impl Voi {
    /// The first of what the file recommends. A window goes before a table: it is what people see
    /// elsewhere.
    fn of(
        said: &Said<'_>,
        modality: &Modality,
        decoded: &Decoded,
    ) -> Result<Option<Self>, RenderError> {
        let group = said.group(tags::FRAME_VOILUT_SEQUENCE);
        let window = group
            .and_then(Window::of)
            .or_else(|| Window::of(said.data()));
        if let Some(window) = window {
            return Ok(Some(Self::Window(window)));
        }
        match said.data().items(tags::VOILUT_SEQUENCE).first() {
            None => Ok(None),
            Some(item) => {
                let lut = Lut::of_item(said, item, modality.signed(decoded))?;
                Ok(Some(Self::Table(lut)))
            }
        }
    }

    fn byte(&self, value: f64) -> u8 {
        match self {
            Self::Window(window) => window.byte(value),
            Self::Table(lut) => lut.byte(value),
        }
    }
}

impl Window {
    /// The first window of a data set, if it is a possible one.
    fn of(data: &DataSet) -> Option<Self> {
        let function = data.ascii(tags::VOILUT_FUNCTION);
        let window = Self {
            center: data.number(tags::WINDOW_CENTER)?,
            width: data.number(tags::WINDOW_WIDTH)?,
            function: function.and_then(|it| it.parse().ok()).unwrap_or_default(),
        };
        window.is_possible().then_some(window)
    }

    pub(super) fn is_possible(&self) -> bool {
        let least = match self.function {
            Function::Linear => self.width >= 1.0,
            _ => self.width > 0.0,
        };
        self.center.is_finite() && self.width.is_finite() && least
    }

    fn byte(&self, value: f64) -> u8 {
        let share = match self.function {
            Function::Linear => {
                let (center, width) = (self.center - 0.5, self.width - 1.0);
                match value {
                    value if value <= center - width / 2.0 => 0.0,
                    value if value > center + width / 2.0 => 1.0,
                    value => (value - center) / width + 0.5,
                }
            }
            Function::LinearExact => (value - self.center) / self.width + 0.5,
            Function::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - self.center) / self.width).exp()),
        };
        // What is not a number becomes 0.
        (share.clamp(0.0, 1.0) * 255.0).round() as u8
    }
}

/// From the lowest to the highest value, padding left out.
fn all(said: &Said<'_>, decoded: &Decoded, modality: &Modality) -> Window {
    let padding = padding(said.data(), decoded.sample == Sample::Signed);
    let stored = decoded.values().filter(|value| value.is_finite());
    let stored = stored.filter(|value| !padding.is_some_and(|(a, b)| (a..=b).contains(value)));
    let ends = stored.fold(None, |ends: Option<(f64, f64)>, value| {
        let value = modality.of_stored(value);
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    let (low, high) = ends.unwrap_or((0.0, 1.0));
    Window {
        center: f64::midpoint(low, high),
        width: if high > low { high - low } else { 1.0 },
        function: Function::LinearExact,
    }
}

/// Pixel Padding Value and Range Limit, in either order. They are stored values.
fn padding(data: &DataSet, signed: bool) -> Option<(f64, f64)> {
    let value = |tag| {
        let word = *words(data.bytes(tag)?).first()?;
        Some(match signed {
            true => f64::from(word as i16),
            false => f64::from(word),
        })
    };
    let one = value(tags::PIXEL_PADDING_VALUE)?;
    let other = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(one);
    Some((one.min(other), one.max(other)))
}
