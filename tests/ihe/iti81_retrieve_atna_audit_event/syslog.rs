//! ITI-82: syslog messages are found by their headers.

use serde_json::json;

use super::{ask, get, json_of, send, town};

#[tokio::test]
async fn syslog_messages_are_found_by_their_headers() {
    let town = town();
    let messages = [
        "<85>1 2026-11-20T10:00:00Z ct1.example modality 12 MY+RFC-1 - <a>Grüße</a>".to_owned(),
        "<38>1 2026-11-20T11:00:00Z gate sshd 99 - [x@1 y=\"z\"] a login of root".to_owned(),
        "<13>Nov 20 12:00:00 old cron[7]: tick".to_owned(),
        "no header at all".to_owned(),
    ];
    send(&town, &messages).await;
    let search = async |query: &str| {
        let found = get(&town, &format!("/syslogsearch?date=ge2026-11-01&{query}")).await;
        found.as_array().unwrap().clone()
    };
    for (query, expected) in [
        ("", 4),
        ("hostname=CT", 1),
        ("hostname=ct&hostname=gate", 2),
        ("hostname=ct&app-name=sshd", 0),
        ("app-name=o", 2),
        ("procid=9", 1),
        ("msg-id=RFC", 1),
        ("msgid=RFC", 1),
        ("pri=38", 1),
        ("pri=8", 2),
        ("version=1", 2),
        ("facility=10", 1),
        ("severity=6", 1),
        ("msg=LOGIN", 1),
        ("msg=gr%C3%BC%C3%9Fe", 1),
        ("msg=tick&hostname=old", 1),
        ("date=lt2026-11-20T10:30:00Z", 1),
        ("unknown=1", 4),
    ] {
        assert_eq!(search(query).await.len(), expected, "{query}");
    }
    assert_eq!(
        search("app-name=sshd").await[0],
        json!({
            "Pri": "38", "Version": "1", "Timestamp": "2026-11-20T11:00:00Z", "Hostname": "gate",
            "App-name": "sshd", "Procid": "99", "Structured_data": "[x@1 y=\"z\"]",
            "Msg": "a login of root",
        })
    );
    let path = "/syslogsearch?date=ge2026-11-01&_count=2";
    let cut = ask(&town, "GET", path, &[("accept", "application/json")], "").await;
    assert_eq!(cut.status, 206);
    assert_eq!(json_of(&cut).as_array().unwrap().len(), 2);
}
