//! Scripts in browsers: who may ask, and what they are told.

use hilum_transport::{HttpRequest, Limits};

use crate::site::Site;

const VIEWER: &str = "https://viewer.example";

async fn headers(
    site: &Site,
    method: &str,
    path: &str,
    origin: &str,
) -> (u16, Vec<Option<String>>) {
    let url = format!("{}{path}", site.server);
    let headers = [
        ("origin", origin.to_owned()),
        ("access-control-request-method", "GET".to_owned()),
    ];
    let request = HttpRequest {
        method,
        url: &url,
        headers: &headers,
        body: Default::default(),
    };
    let answer = site.client.exchange_http(request, 1 << 20).await.unwrap();
    let told = [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
        "access-control-expose-headers",
        "vary",
    ];
    let told = told.map(|name| answer.header(name).map(str::to_owned));
    (answer.status, told.to_vec())
}

#[tokio::test]
async fn only_allowed_origins_are_told_anything() {
    let site = Site::with(Limits::default(), &[VIEWER]).await;
    let (status, told) = headers(&site, "OPTIONS", "/dicom-web/studies", VIEWER).await;
    assert_eq!(status, 204);
    assert_eq!(told[0].as_deref(), Some(VIEWER));
    assert_eq!(told[1].as_deref(), Some("true"));
    assert!(told[2].as_deref().unwrap().contains("POST"));
    let (status, told) = headers(&site, "GET", "/dicom-web/studies", VIEWER).await;
    assert_eq!((status, told[0].as_deref()), (200, Some(VIEWER)));
    assert!(told[3].as_deref().unwrap().contains("Warning"));
    // What is refused is told too.
    let (status, told) = headers(&site, "GET", "/dicom-web/studies/1.2", VIEWER).await;
    assert_eq!((status, told[0].as_deref()), (404, Some(VIEWER)));
    for origin in [
        "https://viewer.example.evil",
        "null",
        "https://VIEWER.example",
    ] {
        let (_, told) = headers(&site, "GET", "/dicom-web/studies/1.2", origin).await;
        assert_eq!(told[0], None, "{origin}");
        assert_eq!(told[4].as_deref(), Some("Origin"));
    }
}

#[tokio::test]
async fn nobody_is_allowed_unless_somebody_is_named() {
    let site = Site::open().await;
    for method in ["OPTIONS", "GET"] {
        let (_, told) = headers(&site, method, "/dicom-web/studies", VIEWER).await;
        assert_eq!(told[0], None);
    }
    // Who asks only how to ask is not recorded.
    assert_eq!(site.records().len(), 1);
}
