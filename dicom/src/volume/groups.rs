//! What a header says of each of its frames, in whichever of the places that it has for it.

use std::time::UNIX_EPOCH;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::frames::{Frame, Made, Plane};
use crate::moment::{UtcOffset, point_in_time};
use crate::walk::{self, DataSet, Value};

/// A kilometre: nothing in a scanner is as far away.
const FAR_MM: f64 = 1e6;

/// Where a header says things of its frames: in itself, or in functional groups (PS3.3 section
/// C.7.6.16), of which a frame's own count before the shared ones.
pub(super) struct Groups<'a> {
    pub(super) data: &'a DataSet,
    shared: Option<&'a DataSet>,
    frames: &'a [DataSet],
}

impl<'a> Groups<'a> {
    pub(super) fn of(data: &'a DataSet) -> Result<Self, String> {
        let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        let said = data.number(tags::NUMBER_OF_FRAMES).unwrap_or(1.0);
        let there = frames.len().max(1);
        if said != there as f64 {
            return Err(if frames.is_empty() {
                "several frames without functional groups, which would say where each lies"
                    .to_owned()
            } else {
                format!("{said} frames, and functional groups of {there}")
            });
        }
        Ok(Self {
            data,
            shared: data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first(),
            frames,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.frames.len().max(1)
    }

    /// The item that says things of a kind for a frame.
    fn item(&self, frame: usize, sequence: Tag) -> Option<&'a DataSet> {
        let of = |group: &'a DataSet| group.items(sequence).first();
        let own = self.frames.get(frame).and_then(of);
        own.or_else(|| self.shared.and_then(of))
    }

    /// Numbers of a functional group, or of the data set itself. Binary ones may be infinite, which
    /// is no number.
    fn numbers(&self, frame: usize, sequence: Tag, tag: Tag) -> Vec<f64> {
        let grouped = self.item(frame, sequence).map(|item| item.numbers(tag));
        let mut numbers = match grouped {
            Some(numbers) if !numbers.is_empty() => numbers,
            _ => self.data.numbers(tag),
        };
        numbers.retain(|number| number.is_finite());
        numbers
    }

    pub(super) fn number(&self, frame: usize, sequence: Tag, tag: Tag) -> Option<f64> {
        self.numbers(frame, sequence, tag).first().copied()
    }

    pub(super) fn text(&self, frame: usize, sequence: Tag, tag: Tag) -> Option<String> {
        let grouped = self.item(frame, sequence).and_then(|item| item.ascii(tag));
        let text = grouped.or_else(|| self.data.ascii(tag));
        text.filter(|text| !text.is_empty())
    }

    pub(super) fn plane(&self, frame: usize) -> Result<Plane, String> {
        let orientation = self.numbers(
            frame,
            tags::PLANE_ORIENTATION_SEQUENCE,
            tags::IMAGE_ORIENTATION_PATIENT,
        );
        let spacing = self.numbers(frame, tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING);
        let [a, b, c, d, e, f] = orientation[..] else {
            return Err("no Image Orientation (Patient)".to_owned());
        };
        let spacing: [f64; 2] = spacing
            .try_into()
            .map_err(|_| "no Pixel Spacing".to_owned())?;
        if !spacing.iter().all(|it| (1e-6..FAR_MM).contains(it)) {
            return Err("Pixel Spacing is not that of any image".to_owned());
        }
        let along = [[a, b, c], [d, e, f]];
        let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let unit = along.iter().all(|it| (dot(*it, *it) - 1.0).abs() < 1e-2);
        if !unit || dot(along[0], along[1]).abs() > 1e-3 {
            return Err(
                "Image Orientation (Patient) is no pair of unit vectors at right angles".to_owned(),
            );
        }
        Ok(Plane { along, spacing })
    }

    pub(super) fn frame(&self, frame: usize, file: usize) -> Result<Frame, String> {
        let position = self.numbers(
            frame,
            tags::PLANE_POSITION_SEQUENCE,
            tags::IMAGE_POSITION_PATIENT,
        );
        let transformation = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
        let slope = self.number(frame, transformation, tags::RESCALE_SLOPE);
        let intercept = self.number(frame, transformation, tags::RESCALE_INTERCEPT);
        let rescale = (slope.unwrap_or(1.0), intercept.unwrap_or(0.0));
        // As NIfTI holds them.
        let [factor, offset] = [rescale.0 as f32, rescale.1 as f32];
        if factor == 0.0 || !factor.is_finite() || !offset.is_finite() {
            return Err("Rescale Slope or Rescale Intercept is no scaling".to_owned());
        }
        let position: [f64; 3] = position
            .try_into()
            .map_err(|_| "no Image Position (Patient)".to_owned())?;
        if !position.iter().all(|it| it.abs() < FAR_MM) {
            return Err("Image Position (Patient) is further away than any patient".to_owned());
        }
        Ok(Frame {
            file,
            index: u32::try_from(frame).map_err(|_| "too many frames".to_owned())?,
            tile: 0,
            position,
            rescale,
            made: self.made(frame),
        })
    }

    fn made(&self, frame: usize) -> Made {
        let content = tags::FRAME_CONTENT_SEQUENCE;
        let number = |sequence, tag| self.number(frame, sequence, tag);
        let (b_value, direction) = self.diffusion(frame);
        let classic_time = || self.data.number(tags::TEMPORAL_POSITION_IDENTIFIER);
        let cardiac = tags::CARDIAC_SYNCHRONIZATION_SEQUENCE;
        Made {
            image_type: self.data.ascii(tags::IMAGE_TYPE).unwrap_or_default(),
            temporal_position: number(content, tags::TEMPORAL_POSITION_INDEX).or_else(classic_time),
            echo_ms: number(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME)
                .or_else(|| self.data.number(tags::ECHO_TIME)),
            b_value,
            direction,
            trigger_ms: number(cardiac, tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME)
                .or_else(|| self.data.number(tags::TRIGGER_TIME)),
            reference_ms: self.data.number(tags::FRAME_REFERENCE_TIME),
            duration_ms: number(content, tags::FRAME_ACQUISITION_DURATION)
                .or_else(|| self.data.number(tags::ACTUAL_FRAME_DURATION)),
            acquisition: number(content, tags::FRAME_ACQUISITION_NUMBER)
                .or_else(|| self.data.number(tags::ACQUISITION_NUMBER)),
            instant_s: self.instant(frame),
        }
    }

    /// b-value and direction of diffusion: of the standard, or as Siemens and Philips wrote them
    /// before it had words for them.
    fn diffusion(&self, frame: usize) -> (Option<f64>, Option<[f64; 3]>) {
        let sequence = tags::MR_DIFFUSION_SEQUENCE;
        let private = |group, creator, element| {
            let (vr, value) = self.data.private(group, creator, element)?;
            let Value::Bytes(bytes) = value else {
                return None;
            };
            // In implicit VR nothing says what it is; the makers do.
            let vr = match (vr, group) {
                (VR::UN, 0x2001) => VR::FL,
                (VR::UN, _) if bytes.len() == 24 => VR::FD,
                (vr, _) => vr,
            };
            Some(walk::numbers(vr, bytes))
        };
        let own = |element| private(0x0019, "SIEMENS MR HEADER", element);
        let b_value = self
            .number(frame, sequence, tags::DIFFUSION_B_VALUE)
            .or_else(|| own(0x0C)?.first().copied())
            .or_else(|| {
                private(0x2001, "Philips Imaging DD 001", 0x03)?
                    .first()
                    .copied()
            });
        let gradient = self.item(frame, sequence).and_then(|it| {
            it.items(tags::DIFFUSION_GRADIENT_DIRECTION_SEQUENCE)
                .first()
        });
        let direction = gradient
            .map(|it| it.numbers(tags::DIFFUSION_GRADIENT_ORIENTATION))
            .or_else(|| Some(self.data.numbers(tags::DIFFUSION_GRADIENT_ORIENTATION)))
            .filter(|it| !it.is_empty())
            .or_else(|| own(0x0E));
        (b_value, direction.and_then(|it| it.try_into().ok()))
    }

    /// When the frame was acquired, in seconds since some midnight.
    fn instant(&self, frame: usize) -> Option<f64> {
        let content = self.item(frame, tags::FRAME_CONTENT_SEQUENCE);
        let moment = content
            .and_then(|it| it.ascii(tags::FRAME_ACQUISITION_DATE_TIME))
            .or_else(|| self.data.ascii(tags::ACQUISITION_DATE_TIME))
            .filter(|it| it.len() >= 14);
        let (day, time) = match &moment {
            Some(moment) => (moment.get(..8)?.to_owned(), moment.get(8..)?.to_owned()),
            None => (
                self.data.ascii(tags::ACQUISITION_DATE).unwrap_or_default(),
                self.data.ascii(tags::ACQUISITION_TIME)?,
            ),
        };
        let time = time.split(['+', '-', '&']).next()?.to_owned();
        let part = |from: usize, to: usize| time.get(from..to)?.parse::<f64>().ok();
        let seconds: f64 = time.get(4..)?.parse().ok()?;
        let day = point_in_time(&day, None, UtcOffset::default())
            .and_then(|it| it.duration_since(UNIX_EPOCH).ok())
            .map_or(0.0, |it| it.as_secs() as f64);
        Some(day + part(0, 2)? * 3_600.0 + part(2, 4)? * 60.0 + seconds)
    }
}
