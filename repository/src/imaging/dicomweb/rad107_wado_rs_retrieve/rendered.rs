//! Images for people: frames as JPEG or PNG, in the size and the window that are wanted (PS3.18
//! 8.3.5, 10.4.1.1.3 and 10.4.1.1.4).

mod appearance;

use hilum_dicom::frames::FrameError;
use hilum_dicom::render::{self, Appearance, RenderError};
use hilum_dicom::transcode::TranscodeError;
use hilum_transport::{PartSource, RelatedPart, Reply, Stream};

use super::super::asked::Asked;
use super::super::refused::Refused;
use super::{Found, Given, Instance, frames};

/// Quality of JPEG, if none is asked for: what is lost is hardly seen.
const QUALITY: u8 = 90;

/// How something is to be rendered.
#[derive(Debug, Clone)]
pub(in crate::imaging::dicomweb) struct Rendering {
    media: Media,
    quality: u8,
    appearance: Appearance,
}

/// What images are given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Jpeg,
    Png,
}

impl Media {
    fn of(essence: &str) -> Option<Self> {
        match essence {
            "image/jpeg" | "image/*" | "*/*" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            _ => None,
        }
    }

    const fn essence(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

impl Rendering {
    /// As WADO-RS asks for it; also whether it is wanted in parts.
    fn of(asked: &Asked) -> Result<(Self, bool), Refused> {
        let wanted = asked.accept.wanted().find_map(|range| {
            let (essence, multipart) = match range.media.essence.as_str() {
                "multipart/related" => (range.media.parameter("type").unwrap_or("*/*"), true),
                essence => (essence, false),
            };
            Some((Media::of(essence)?, multipart))
        });
        let (media, multipart) = wanted.ok_or_else(|| {
            Refused::new(406, "images can be rendered as image/jpeg and image/png")
        })?;
        let quality = appearance::quality("quality", asked.parameter("quality"))?;
        let rendering = Self {
            media,
            quality: quality.unwrap_or(QUALITY),
            appearance: appearance::of_wado_rs(asked)?,
        };
        Ok((rendering, multipart))
    }

    /// As WADO-URI asks for it.
    pub(in crate::imaging::dicomweb) fn of_wado(
        asked: &Asked,
        instance: &Instance,
        media: &str,
    ) -> Result<Self, Refused> {
        let quality = appearance::quality("imageQuality", asked.parameter("imageQuality"))?;
        Ok(Self {
            media: Media::of(media).unwrap_or(Media::Jpeg),
            quality: quality.unwrap_or(QUALITY),
            appearance: appearance::of_wado(asked, instance)?,
        })
    }

    fn bytes(&self, instance: &Instance, frame: u32) -> Result<Vec<u8>, RenderError> {
        let picture = render::frame(&instance.path, frame, &self.appearance)?;
        match self.media {
            Media::Jpeg => picture.jpeg(self.quality),
            Media::Png => picture.png(),
        }
    }
}

/// One frame as an image.
pub(in crate::imaging::dicomweb) fn render(
    instance: &Instance,
    frame: u32,
    rendering: &Rendering,
) -> Result<Reply, Refused> {
    let bytes = rendering.bytes(instance, frame).map_err(refused)?;
    Ok(Reply::plain(200, rendering.media.essence(), bytes))
}

/// Gives images: of these frames of an instance, or of every instance that shows one.
pub(super) fn give(asked: &Asked, found: Found, numbers: &[u32]) -> Result<Given, Refused> {
    let (rendering, multipart) = Rendering::of(asked)?;
    let one = found.wanted == 1;
    let shown: Vec<(&Instance, u32)> = match (one, numbers) {
        (true, []) => vec![(found.one()?, 1)],
        (true, numbers) => numbers
            .iter()
            .map(|it| Ok((found.one()?, *it)))
            .collect::<Result<_, Refused>>()?,
        (false, _) => images(&found).map(|it| (it, 1)).collect(),
    };
    let reply = match shown.as_slice() {
        [] => return Err(Refused::new(406, "nothing of it is shown as an image")),
        [(instance, frame)] if !multipart => render(instance, *frame, &rendering)?,
        shown => {
            // The first tells whether the others make sense.
            let (instance, frame) = shown[0];
            rendering.bytes(instance, frame).map_err(refused)?;
            let parts = shown.iter().map(|(instance, frame)| RelatedPart {
                content_type: rendering.media.essence().to_owned(),
                content_location: Some(format!(
                    "{}/frames/{frame}/rendered",
                    instance.url(&asked.base)
                )),
                source: source(instance, *frame, &rendering),
            });
            // What is no image is not missing.
            let lost = found.images - images(&found).count();
            found.partly(asked, found.wanted - lost, |status| {
                Reply::related(status, rendering.media.essence(), parts.collect())
            })
        }
    };
    let mut instances: Vec<&Instance> = shown.into_iter().map(|(instance, _)| instance).collect();
    instances.dedup_by_key(|instance| &instance.stored.sop_instance_uid);
    Ok(Given::of(&found, instances, reply))
}

/// Gives one small image of all of it.
pub(super) fn give_thumbnail(
    asked: &Asked,
    found: Found,
    numbers: &[u32],
) -> Result<Given, Refused> {
    let (mut rendering, _) = Rendering::of(asked)?;
    if rendering.appearance.viewport.is_none() {
        rendering.appearance.viewport = Some(render::Viewport::square(render::THUMBNAIL_SIDE));
    }
    let shown: Vec<&Instance> = images(&found).collect();
    // The middle of a stack shows more than its ends.
    let middle = shown.get(shown.len() / 2);
    let middle = *middle.ok_or_else(|| Refused::new(404, "nothing of it is shown as an image"))?;
    let frames = middle.stored.size.map_or(1, |size| size.frames);
    let frame = numbers.first().copied().unwrap_or(frames / 2 + 1);
    let reply = render(middle, frame.max(1), &rendering)?;
    let mut given = Given::of(&found, [middle], reply);
    // It stands for all of them, so nothing is missing.
    given.missing = 0;
    Ok(given)
}

fn images(found: &Found) -> impl Iterator<Item = &Instance> {
    let instances = found.instances.iter();
    instances.filter(|instance| instance.stored.size.is_some())
}

/// An image that is rendered while it is sent.
fn source(instance: &Instance, frame: u32, rendering: &Rendering) -> PartSource {
    let (instance, rendering) = (instance.clone(), rendering.clone());
    PartSource::Stream(Stream::written(None, move |out| {
        let bytes = rendering.bytes(&instance, frame).map_err(|error| {
            // What was begun cannot be taken back, so the connection breaks off.
            tracing::error!(path = %instance.path.display(), %error, "a frame cannot be rendered");
            std::io::Error::other(error)
        });
        out.write_all(&bytes?)
    }))
}

fn refused(error: RenderError) -> Refused {
    match error {
        RenderError::Asked(problem) => Refused::new(400, problem),
        RenderError::Transcode(TranscodeError::Frame(error @ FrameError::NoSuchFrame { .. })) => {
            frames::refused(error)
        }
        RenderError::Transcode(TranscodeError::Io(error)) => anyhow::Error::from(error).into(),
        error => Refused::new(406, error.to_string()),
    }
}
