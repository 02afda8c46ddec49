//! What follows from several elements, or from one that devices fill in different ways.

use std::time::SystemTime;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use xds_schemas::imaging::acquisition::{self, Parameter, Value};

use super::slices::dot;
use super::{Acquired, Slices};
use crate::anatomy;
use crate::moment::{UtcOffset, point_in_time};
use crate::walk::DataSet;

/// Cosine of 10 degrees: a plane that is tilted less is still called axial, coronal or sagittal.
const STRAIGHT: f64 = 0.985;

/// The parameter of this keyword.
pub(super) fn parameter(keyword: &str) -> Option<&'static Parameter> {
    acquisition::parameter(keyword)
}

/// Adds what follows from the elements of an instance.
pub(super) fn add(acquired: &mut Acquired, data: &DataSet) {
    body_part(acquired, data);
    number(acquired, "PatientAge", age(data));
    number(acquired, "uptakeTime", uptake_time(data));
    for side in field_of_view(data) {
        number(acquired, "fieldOfView", Some(side));
    }
    let (slices, planes) = geometry(data);
    acquired.slices.add(&slices);
    if let Some(parameter) = parameter("scanPlane") {
        planes
            .iter()
            .for_each(|plane| acquired.text(parameter, plane));
    }
}

fn number(acquired: &mut Acquired, keyword: &str, number: Option<f64>) {
    if let (Some(parameter), Some(number)) = (parameter(keyword), number) {
        acquired.number(parameter, number);
    }
}

/// Body Part Examined says the region if no code does.
fn body_part(acquired: &mut Acquired, data: &DataSet) {
    if acquired.values.contains_key("bodyPart") {
        return;
    }
    let word = data.ascii(tags::BODY_PART_EXAMINED);
    let region = word.and_then(|word| anatomy::by_word(&word));
    if let (Some(parameter), Some(region)) = (parameter("bodyPart"), region) {
        acquired.word(parameter, &Value::Code(region.code()));
    }
}

/// No clinical or research magnet has 30 T, and none less than a hundredth of a Tesla: beyond that
/// it is Gauss.
pub(super) fn tesla(number: f64) -> f64 {
    let tesla = if number >= 30.0 {
        number / 10_000.0
    } else {
        number
    };
    // 1.494 and 1.5 are the same magnet, 0.55 and 0.5 are not.
    (tesla * 100.0).round() / 100.0
}

/// PET has it in Bq (PS3.3 C.8.9.2), nuclear medicine in MBq (C.8.4.10), and devices mix them up. No
/// patient gets as much as 20,000 MBq for imaging, or as little as 20,000 Bq.
pub(super) fn megabecquerel(number: f64) -> f64 {
    if number >= 20_000.0 {
        super::reading::scaled(number, 1e-6)
    } else {
        number
    }
}

/// Age in years: as stated, otherwise from the dates of birth and study, so coarse that it does not
/// say the day of birth: whole years, of small children months.
fn age(data: &DataSet) -> Option<f64> {
    let stated = data.ascii(tags::PATIENT_AGE).and_then(|age| {
        let digits = age.get(..age.len().checked_sub(1)?)?;
        let number: u16 = digits.trim().parse().ok()?;
        let in_a_year = match age.chars().last()? {
            // Devices write 000Y if they do not know; newborns have days.
            'Y' => return (number > 0).then_some(f64::from(number)),
            'M' => 12.0,
            'W' => 52.1775,
            'D' => 365.25,
            _ => return None,
        };
        Some((f64::from(number) / in_a_year * 1000.0).round() / 1000.0)
    });
    stated.or_else(|| {
        let born = day(&data.ascii(tags::PATIENT_BIRTH_DATE)?)?;
        let dates = [tags::ACQUISITION_DATE, tags::SERIES_DATE, tags::STUDY_DATE];
        let then = dates.iter().find_map(|tag| day(&data.ascii(*tag)?))?;
        let months = (then.0 - born.0) * 12 + then.1 - born.1 - i32::from(then.2 < born.2);
        match months {
            _ if then == born => None, // Both are made up.
            0..24 => Some((f64::from(months) / 12.0 * 1000.0).round() / 1000.0),
            24..1560 => Some(f64::from(months / 12)),
            _ => None,
        }
    })
}

/// Year, month and day of a date.
fn day(date: &str) -> Option<(i32, i32, i32)> {
    point_in_time(date, None, UtcOffset::default())?;
    let date = date.replace('.', "");
    let part = |from: usize, to: usize| date.get(from..to)?.parse().ok();
    Some((part(0, 4)?, part(4, 6)?, part(6, 8)?))
}

/// Minutes from the injection to the start of the series, or of the acquisition if that is earlier
/// (a series that was made later from the same data has a later time).
fn uptake_time(data: &DataSet) -> Option<f64> {
    let given = data
        .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE)
        .first()?;
    let filled = |tag: Tag| data.ascii(tag).filter(|text| !text.is_empty());
    let start = |date, time| {
        let date = filled(date).or_else(|| filled(tags::SERIES_DATE))?;
        moment(&date, &data.ascii(time)?)
    };
    let series = start(tags::SERIES_DATE, tags::SERIES_TIME);
    let acquisition = start(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME);
    let start = series.into_iter().chain(acquisition).min()?;
    let exact = given.ascii(tags::RADIOPHARMACEUTICAL_START_DATE_TIME);
    let exact = exact.and_then(|it| moment(it.get(..8)?, it.get(8..)?));
    let injection = exact.or_else(|| {
        let time = given.ascii(tags::RADIOPHARMACEUTICAL_START_TIME)?;
        moment(&filled(tags::SERIES_DATE)?, &time)
    })?;
    let minutes = start.duration_since(injection).ok()?.as_secs_f64() / 60.0;
    (minutes < 1440.0).then_some((minutes * 10.0).round() / 10.0)
}

/// A point in time that says hours and minutes.
fn moment(date: &str, time: &str) -> Option<SystemTime> {
    let digits = time
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b':');
    let says_minutes = digits.count() >= 4;
    says_minutes.then(|| point_in_time(date, Some(time), UtcOffset::default()))?
}

/// Height and width of a frame in mm. A mosaic is not a frame but all slices of a volume side by side.
fn field_of_view(data: &DataSet) -> Vec<f64> {
    let image_type = data.ascii(tags::IMAGE_TYPE).unwrap_or_default();
    if image_type.split('\\').any(|part| part == "MOSAIC") {
        return Vec::new();
    }
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let measures = shared.iter().chain(frames.first());
    let measures = measures.flat_map(|it| it.items(tags::PIXEL_MEASURES_SEQUENCE));
    let mut spacings = std::iter::once(data).chain(measures);
    let spacing = spacings.find_map(|place| exactly::<2>(place, tags::PIXEL_SPACING));
    let size = (data.number(tags::ROWS), data.number(tags::COLUMNS));
    let (Some([rows, columns]), (Some(height), Some(width))) = (spacing, size) else {
        return Vec::new();
    };
    let side = |number: f64| (number * 100.0).round() / 100.0;
    let sides = [side(height * rows), side(width * columns)];
    sides.into_iter().filter(|it| *it > 0.0).collect()
}

/// Where the frames lie, and in which planes.
fn geometry(data: &DataSet) -> (Slices, Vec<&'static str>) {
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let orientation = |place: &DataSet| {
        let nested = place.items(tags::PLANE_ORIENTATION_SEQUENCE).first();
        exactly::<6>(nested.unwrap_or(place), tags::IMAGE_ORIENTATION_PATIENT)
    };
    let position = |place: &DataSet| {
        let nested = place.items(tags::PLANE_POSITION_SEQUENCE).first();
        exactly::<3>(nested.unwrap_or(place), tags::IMAGE_POSITION_PATIENT)
    };
    let common = shared
        .first()
        .and_then(orientation)
        .or_else(|| orientation(data));
    let mut slices = Slices::default();
    let mut planes = Vec::new();
    let places = if frames.is_empty() {
        std::slice::from_ref(data)
    } else {
        frames
    };
    for place in places {
        let Some(normal) = orientation(place).or(common).and_then(normal) else {
            continue;
        };
        let plane = plane(normal);
        if !planes.contains(&plane) {
            planes.push(plane);
        }
        if let Some(position) = position(place) {
            slices.slice(normal, position);
        }
    }
    (slices, planes)
}

/// As many numbers as there must be.
fn exactly<const N: usize>(place: &DataSet, tag: Tag) -> Option<[f64; N]> {
    place.numbers(tag).try_into().ok()
}

/// The direction in which the slices follow each other; `None` if rows and columns are not two
/// directions.
fn normal([a, b, c, d, e, f]: [f64; 6]) -> Option<[f64; 3]> {
    let cross = [b * f - c * e, c * d - a * f, a * e - b * d];
    let length = dot(cross, cross).sqrt();
    (length > 0.5 && length < 1.5).then(|| cross.map(|part| part / length))
}

fn plane(normal: [f64; 3]) -> &'static str {
    match normal.map(f64::abs) {
        [x, ..] if x > STRAIGHT => "sagittal",
        [_, y, _] if y > STRAIGHT => "coronal",
        [.., z] if z > STRAIGHT => "axial",
        _ => "oblique",
    }
}
