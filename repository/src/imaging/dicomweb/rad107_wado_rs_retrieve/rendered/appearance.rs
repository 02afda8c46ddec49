//! What an image is to look like, read from the parameters of a URL.

use hilum_dicom::render::{Appearance, Function, MAX_SIDE, Region, Viewport, Window};

use super::super::super::asked::Asked;
use super::super::super::refused::Refused;
use super::Instance;

/// WADO-RS: `window=center,width[,function]`, `viewport=width,height[,left,top,width,height]` (PS3.18
/// 8.3.5.1).
pub(super) fn of_wado_rs(asked: &Asked) -> Result<Appearance, Refused> {
    let window = asked.parameter("window").map(|text| {
        let parts: Vec<&str> = text.split(',').collect();
        let wrong = || wrong("window", "it is center,width,function");
        let (center, width, function) = match parts[..] {
            [center, width] => (center, width, "linear"),
            [center, width, function] => (center, width, function),
            _ => return Err(wrong()),
        };
        Ok(Window {
            center: center.trim().parse().map_err(|_| wrong())?,
            width: width.trim().parse().map_err(|_| wrong())?,
            function: function.trim().parse::<Function>().map_err(|_| wrong())?,
        })
    });
    let viewport = asked.parameter("viewport").map(|text| {
        let wrong = || {
            wrong(
                "viewport",
                "it is width,height or width,height,x,y,width,height",
            )
        };
        let number = |it: &str| it.trim().parse().ok().filter(|it| *it <= MAX_SIDE);
        let numbers: Option<Vec<u32>> = text.split(',').map(number).collect();
        let (width, height, region) = match numbers.ok_or_else(wrong)?[..] {
            [width, height] => (width, height, None),
            [width, height, left, top, columns, rows] => {
                let region = Region {
                    left,
                    top,
                    width: columns,
                    height: rows,
                };
                (width, height, Some(region))
            }
            _ => return Err(wrong()),
        };
        Ok(Viewport {
            width,
            height,
            region,
        })
    });
    Ok(Appearance {
        window: window.transpose()?,
        viewport: viewport.transpose()?,
    })
}

/// WADO-URI: `windowCenter` and `windowWidth`, `rows` and `columns`, `region` as fractions of the
/// image (PS3.18 9.1.2.2).
pub(super) fn of_wado(asked: &Asked, instance: &Instance) -> Result<Appearance, Refused> {
    if asked.parameter("presentationUID").is_some() {
        return Err(wrong(
            "presentationUID",
            "presentation states are not applied",
        ));
    }
    let number = |name: &'static str| {
        let parsed = asked.parameter(name).map(|text| text.trim().parse::<f64>());
        let parsed = parsed
            .transpose()
            .ok()
            .map(|it| it.filter(|it| it.is_finite()));
        parsed.ok_or_else(|| wrong(name, "it is no number"))
    };
    let window = match (number("windowCenter")?, number("windowWidth")?) {
        (Some(center), Some(width)) => Some(Window {
            center,
            width,
            function: Function::Linear,
        }),
        (None, None) => None,
        _ => return Err(wrong("windowCenter", "it goes with windowWidth")),
    };
    let side = |name: &'static str| {
        let parsed = asked.parameter(name).map(|text| text.trim().parse::<u32>());
        match parsed {
            None => Ok(None),
            Some(Ok(side)) if (1..=MAX_SIDE).contains(&side) => Ok(Some(side)),
            Some(_) => Err(wrong(name, "it is no number of pixels")),
        }
    };
    let (rows, columns) = (side("rows")?, side("columns")?);
    let region = asked.parameter("region");
    let region = region.map(|text| region_of(text, instance)).transpose()?;
    let viewport = (rows.is_some() || columns.is_some() || region.is_some()).then(|| Viewport {
        width: columns.or(region.map(|it| it.width)).unwrap_or(MAX_SIDE),
        height: rows.or(region.map(|it| it.height)).unwrap_or(MAX_SIDE),
        region,
    });
    Ok(Appearance { window, viewport })
}

/// `xmin,ymin,xmax,ymax` from 0 to 1.
fn region_of(text: &str, instance: &Instance) -> Result<Region, Refused> {
    let wrong = || wrong("region", "it is xmin,ymin,xmax,ymax between 0 and 1");
    let number = |it: &str| it.trim().parse().ok().filter(|it| (0.0..=1.0).contains(it));
    let numbers: Option<Vec<f64>> = text.split(',').map(number).collect();
    let [left, top, right, bottom] = numbers.ok_or_else(wrong)?[..] else {
        return Err(wrong());
    };
    let size = instance.stored.size.ok_or_else(wrong)?;
    // From 0 to 65535, so nothing is cut off.
    let place = |fraction: f64, side: u16| (fraction * f64::from(side)).round() as u32;
    let (left, right) = (place(left, size.columns), place(right, size.columns));
    let (top, bottom) = (place(top, size.rows), place(bottom, size.rows));
    if left >= right || top >= bottom {
        return Err(wrong());
    }
    Ok(Region {
        left,
        top,
        width: right - left,
        height: bottom - top,
    })
}

/// Quality of JPEG, from 1 to 100.
pub(super) fn quality(name: &str, text: Option<&str>) -> Result<Option<u8>, Refused> {
    let Some(text) = text else {
        return Ok(None);
    };
    let quality = text.trim().parse().ok().filter(|it| (1..=100).contains(it));
    let quality = quality.ok_or_else(|| wrong(name, "it is a number from 1 to 100"))?;
    Ok(Some(quality))
}

fn wrong(name: &str, problem: &str) -> Refused {
    Refused::new(400, format!("{name}: {problem}"))
}
