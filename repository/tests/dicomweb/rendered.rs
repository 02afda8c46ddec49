//! Images for people, by WADO-RS and WADO-URI.

use hilum_dicom::render::{self, Appearance, Function, Region, Viewport, Window};

use crate::site::{File, Site};

/// A study in which there is an image, and the image.
async fn image(site: &Site) -> File {
    let files = site.one_study().await;
    files
        .into_iter()
        .find(|it| it.instance.size.is_some())
        .unwrap()
}

fn wado(file: &File, more: &str) -> String {
    let instance = &file.instance;
    format!(
        "/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}{more}",
        instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid
    )
}

fn png(file: &File, appearance: &Appearance) -> Vec<u8> {
    let picture = render::frame(&file.path, 1, appearance).unwrap();
    picture.png().unwrap()
}

fn window(center: f64, width: f64, function: Function) -> Appearance {
    Appearance {
        window: Some(Window {
            center,
            width,
            function,
        }),
        viewport: None,
    }
}

fn viewport(width: u32, height: u32, region: Option<Region>) -> Appearance {
    Appearance {
        window: None,
        viewport: Some(Viewport {
            width,
            height,
            region,
        }),
    }
}

/// Width and height that a PNG says it has.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    (number(16), number(20))
}

#[tokio::test]
async fn an_image_looks_as_is_asked_for() {
    let site = Site::open().await;
    let file = image(&site).await;
    let instance = format!("{}/rendered", file.url());
    let frame = format!("{}/frames/1/rendered", file.url());
    let region = Region {
        left: 2,
        top: 3,
        width: 20,
        height: 10,
    };
    for (query, appearance) in [
        ("", Appearance::default()),
        (
            "?window=40,400,linear",
            window(40.0, 400.0, Function::Linear),
        ),
        ("?window=40.5,400", window(40.5, 400.0, Function::Linear)),
        ("?window=-5,7,sigmoid", window(-5.0, 7.0, Function::Sigmoid)),
        ("?viewport=30,20", viewport(30, 20, None)),
        ("?viewport=30,20,2,3,20,10", viewport(30, 20, Some(region))),
    ] {
        for path in [&instance, &frame] {
            let answer = site.get(&format!("{path}{query}"), "image/png").await;
            assert_eq!(
                (answer.status, answer.content_type.as_str()),
                (200, "image/png")
            );
            assert!(answer.body == png(&file, &appearance), "{query}");
        }
    }
    let (small, large) = (
        site.get(&format!("{instance}?quality=1"), "image/jpeg")
            .await,
        site.get(&format!("{instance}?quality=100"), "*/*").await,
    );
    assert_eq!(large.content_type, "image/jpeg");
    assert!(small.body.starts_with(&[0xff, 0xd8]) && large.body.starts_with(&[0xff, 0xd8]));
    assert!(small.body.len() < large.body.len());
    assert!(
        site.records()
            .iter()
            .all(|it| it.starts_with("RAD-107 DICOM Instances Transferred 0 "))
    );
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused() {
    let site = Site::open().await;
    let file = image(&site).await;
    for (query, status) in [
        ("window=1", 400),
        ("window=a,b", 400),
        ("window=1,0", 400),
        ("window=1,2,cubic", 400),
        ("window=NaN,2", 400),
        ("viewport=0,0", 400),
        ("viewport=99999999,1", 400),
        ("viewport=1,1,9999,9999,1,1", 400),
        ("quality=0", 400),
        ("quality=101", 400),
    ] {
        let path = format!("{}/rendered?{query}", file.url());
        let answer = site.get(&path, "*/*").await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    let frame = format!("{}/frames/7/rendered", file.url());
    assert_eq!(site.get(&frame, "*/*").await.status, 404);
    let rendered = format!("{}/rendered", file.url());
    assert_eq!(site.get(&rendered, "video/mp4").await.status, 406);
    let phantoms = site.phantoms();
    let report = phantoms
        .iter()
        .flatten()
        .find(|it| it.instance.size.is_none())
        .unwrap();
    site.take(std::slice::from_ref(report)).await;
    let answer = site.get(&format!("{}/rendered", report.url()), "*/*").await;
    assert_eq!(answer.status, 406, "{}", answer.text());
}

#[tokio::test]
async fn a_study_is_rendered_image_by_image_and_has_one_thumbnail() {
    let site = Site::open().await;
    let files = site.one_study().await;
    let images: Vec<&File> = files
        .iter()
        .filter(|it| it.instance.size.is_some())
        .collect();
    let path = format!("{}/rendered", files[0].study_url());
    let (_, parts) = site
        .parts(&path, "multipart/related; type=\"image/png\"")
        .await;
    assert_eq!(parts.len(), images.len());
    for image in &images {
        let location = format!("{}{}/frames/1/rendered", site.server, image.url());
        let part = parts.iter().find(|it| it.location == location).unwrap();
        assert_eq!(part.content_type, "image/png");
        assert!(part.bytes == png(image, &Appearance::default()));
    }
    for path in [files[0].study_url(), files[0].series_url(), images[0].url()] {
        let answer = site.get(&format!("{path}/thumbnail"), "image/png").await;
        assert_eq!(answer.status, 200, "{path}");
        let (width, height) = size(&answer.body);
        assert!(width.max(height) <= 128, "{width} {height}");
    }
    let path = format!("{}/thumbnail?viewport=16,16", images[0].url());
    let (width, height) = size(&site.get(&path, "image/png").await.body);
    assert_eq!(width.max(height), 16);
}

#[tokio::test]
async fn wado_gives_images_unless_something_else_is_wanted() {
    let site = Site::open().await;
    let file = image(&site).await;
    let plain = site.get(&wado(&file, ""), "*/*").await;
    assert_eq!(
        (plain.status, plain.content_type.as_str()),
        (200, "image/jpeg")
    );
    let image = file.instance.size.unwrap();
    let quarter = Region {
        left: 0,
        top: 0,
        width: u32::from(image.columns) / 2,
        height: u32::from(image.rows) / 2,
    };
    for (more, appearance) in [
        ("&frameNumber=1", Appearance::default()),
        (
            "&windowCenter=40&windowWidth=400",
            window(40.0, 400.0, Function::Linear),
        ),
        ("&rows=20&columns=30", viewport(30, 20, None)),
        (
            "&region=0,0,0.5,0.5&rows=20&columns=20",
            viewport(20, 20, Some(quarter)),
        ),
    ] {
        let path = wado(&file, &format!("&contentType=image/png{more}"));
        let answer = site.get(&path, "*/*").await;
        assert_eq!(
            answer.content_type,
            "image/png",
            "{more}: {}",
            answer.text()
        );
        assert!(answer.body == png(&file, &appearance), "{more}");
    }
    for wrong in [
        "&windowCenter=40",
        "&windowCenter=x&windowWidth=1",
        "&rows=0",
        "&region=0,0,2,1",
        "&region=0.5,0.5,0.5,0.5",
        "&frameNumber=1,2",
        "&frameNumber=0",
        "&imageQuality=high",
        "&presentationUID=1.2.3",
    ] {
        assert_eq!(
            site.get(&wado(&file, wrong), "*/*").await.status,
            400,
            "{wrong}"
        );
    }
    assert_eq!(
        site.get(&wado(&file, "&frameNumber=2"), "*/*").await.status,
        404
    );
    let phantoms = site.phantoms();
    let report = phantoms
        .iter()
        .flatten()
        .find(|it| it.instance.size.is_none())
        .unwrap();
    site.take(std::slice::from_ref(report)).await;
    let answer = site.get(&wado(report, ""), "*/*").await;
    assert_eq!(answer.content_type, "application/dicom");
    assert!(answer.body == report.bytes);
}
