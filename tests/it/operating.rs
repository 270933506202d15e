//! What an operator sees and relies on: the log of requests, mistakes told before anything is made, files that are nobody
//! else's, and strangers who can use nothing up.

use crate::disk_full::SmallDisk;
use crate::kit::{Ledger, daybook, event, event_with_id, fails, ready, signal, succeeds, text};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The access log's lines so far, as JSON.
fn told(ledger: &Ledger) -> Vec<Value> {
    let lines = ledger.stderr();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "daybook::access").collect()
}

#[test]
fn each_request_has_an_id_and_a_line_in_json_that_says_who_and_what() {
    let ledger = Ledger::with_config("log_format = \"json\"\n");
    let token = format!("Bearer {}", ledger.token("auditor"));
    let asked = |id: &str| {
        let headers = [("authorization", token.as_str()), ("x-request-id", id)];
        ledger.request("GET", "/v1/events/0?secret=person", &headers, b"")
    };
    let given = asked("gw-7.4bf92f35");
    assert_eq!(given.header("x-request-id"), Some("gw-7.4bf92f35"));
    let made = asked("not {an} id").header("x-request-id").unwrap().to_owned();
    assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made}");
    let nowhere = ledger.request("GET", "/nowhere", &[], b"");
    assert!(nowhere.header("x-request-id").is_some());
    let begun = Instant::now();
    let lines = loop {
        let lines = told(&ledger);
        if lines.iter().any(|line| line["path"] == "/nowhere") || begun.elapsed() > Duration::from_secs(10) {
            break lines;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let line =
        |id: &str| lines.iter().find(|line| line["id"] == id).unwrap_or_else(|| panic!("{id}: {lines:?}"));
    let said = line("gw-7.4bf92f35");
    assert_eq!(
        (&said["level"], &said["method"], &said["path"]),
        (&json!("INFO"), &json!("GET"), &json!("/v1/events/0"))
    );
    assert_eq!((&said["actor"], &said["peer"]), (&json!("user:demo-auditor"), &json!("127.0.0.1")));
    assert!(
        said["status"].is_number() && said["micros"].is_number() && said["timestamp"].is_string(),
        "{said}"
    );
    assert_eq!(line(&made)["path"], "/v1/events/0");
    assert!(!ledger.stderr().contains("secret=person"), "a query may name people");
    assert!(!ledger.stderr().contains('\u{1b}'), "colours in a file");
}

#[test]
fn the_log_is_text_by_default_and_what_of_it_is_said_by_daybook_log() {
    let mut ledger = Ledger::not_started(tempfile::tempdir().unwrap());
    let mut command = daybook();
    command.env("DAYBOOK_LOG", "info,daybook::access=off");
    assert!(ledger.launch_with(command, &["--empty"]));
    ledger.get("/v1/events/0", "auditor");
    ledger.stop();
    assert!(!ledger.stderr().contains("daybook::access"), "{}", ledger.stderr());
    assert!(ledger.launch_with(daybook(), &[]));
    ledger.get("/v1/events/0", "auditor");
    ledger.stop();
    let said = ledger.stderr();
    assert!(said.contains("daybook::access") && said.contains("path=\"/v1/events/0\""), "{said}");
    assert!(!said.contains('\u{1b}'), "colours in a file");
    let refused =
        fails(daybook().env("DAYBOOK_LOG", "loud,,=").args(["demo", "--data"]).arg(ledger.data()), 1);
    assert!(refused.contains("DAYBOOK_LOG"), "{refused}");
}

#[test]
fn strangers_fill_no_log() {
    let ledger = Ledger::empty();
    let address = ledger.url.strip_prefix("http://").unwrap();
    let before = ledger.stderr().len();
    let begun = Instant::now();
    let (mut malformed, mut unauthenticated) = (0_u32, 0_u32);
    while begun.elapsed() < Duration::from_secs(3) {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(b"\x16\x03\x01\x02\x00garbage\r\n\r\n");
        let _ = stream.read(&mut [0; 512]);
        malformed += 1;
        let answer = ledger.request("GET", "/v1/events/0", &[("authorization", "Bearer wrong")], b"");
        assert_eq!(answer.status, 401);
        unauthenticated += 1;
    }
    let written = ledger.stderr().split_off(before);
    assert!(!written.contains("ERROR"), "{written}");
    assert!(malformed > 100 && unauthenticated > 100, "{malformed} and {unauthenticated}");
    assert!(written.len() < 20_000, "{} bytes for {malformed} and {unauthenticated} requests", written.len());
    assert!(written.contains("401"), "some are told");
    let measured = ledger.get("/metrics", "admin").text();
    let counted = measured.lines().find_map(|line| line.strip_prefix("daybook_malformed_requests_total "));
    assert!(counted.unwrap().parse::<u32>().unwrap() >= malformed, "{counted:?} of {malformed}");
    let refused = "daybook_refusals_total{type=\"unauthenticated\"} ";
    let counted = measured.lines().find_map(|line| line.strip_prefix(refused));
    assert!(counted.unwrap().parse::<u32>().unwrap() >= unauthenticated);
}

#[test]
fn half_sent_bodies_hold_what_has_arrived_and_give_it_back() {
    const BODIES: usize = 400;
    let ledger = Ledger::empty();
    let address = ledger.url.strip_prefix("http://").unwrap();
    let held = || -> u64 {
        let text = ledger.get("/metrics", "admin").text();
        text.lines()
            .find_map(|line| line.strip_prefix("daybook_request_bodies_bytes "))
            .unwrap()
            .parse()
            .unwrap()
    };
    let before = ledger.resident_bytes();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: \
         application/cloudevents-batch+json\r\nContent-Length: 8000000\r\n\r\n[{}",
        ledger.token("producer"),
        " ".repeat(200)
    );
    let half: Vec<_> = (0..BODIES)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    while held() < BODIES as u64 * 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", held());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(held() <= BODIES as u64 * (4 << 10), "3.2 GB are announced, and {} bytes held", held());
    let grown = ledger.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    // Whoever is honest is served meanwhile.
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = Instant::now();
        ledger.record(&event());
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    drop(half);
    let begun = Instant::now();
    while held() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} bytes are still held", held());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn idle_strangers_take_no_file_from_the_log_where_files_are_few() {
    let mut ledger = Ledger::not_started(tempfile::tempdir().unwrap());
    let mut command = Command::new("sh");
    let start = format!("ulimit -n 160; exec {} \"$@\"", daybook().get_program().to_str().unwrap());
    command.args(["-c", &start, "sh"]);
    assert!(ledger.launch_with(command, &["--empty"]), "{}", ledger.stderr());
    ledger.wait_until_ready();
    ledger.record(&event());
    let address = ledger.url.strip_prefix("http://").unwrap().to_owned();
    let address: std::net::SocketAddr = address.parse().unwrap();
    let idle: Vec<_> = (0..300)
        .filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    assert!(idle.len() > 80, "{}", idle.len());
    let open = std::fs::read_dir(format!("/proc/{}/fd", ledger.pid())).unwrap().count();
    assert!(open < 150, "{open} of 160 files are open");
    // The client that has its connection goes on; and they are sent away.
    for _ in 0..20 {
        ledger.record(&event());
    }
    let begun = Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err()
        || ledger.try_request("GET", "/healthz", &[], b"").is_err()
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody gets in any more");
    }
    drop(idle);
    ledger.stop();
    assert!(!ledger.stderr().contains("the ledger stops"), "{}", ledger.stderr());
}

#[test]
fn one_caller_does_not_take_all_streams() {
    let ledger = Ledger::with_config("[limits]\nstreams_per_caller = 3\n");
    let address = ledger.url.strip_prefix("http://").unwrap();
    let open = |role: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let token = ledger.token(role);
        let head = format!(
            "GET /v1/events/stream?from=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = [0; 2048];
        let count = stream.read(&mut bytes).unwrap();
        (text(&bytes[..count]), stream)
    };
    let held: Vec<_> = (0..3).map(|_| open("auditor")).collect();
    assert!(held.iter().all(|(head, _)| head.starts_with("HTTP/1.1 200")));
    let refused = open("auditor").0;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("as many as one may have"), "{refused}");
    assert!(open("compliance").0.starts_with("HTTP/1.1 200"), "another caller has its own");
    drop(held);
    let begun = Instant::now();
    while !open("auditor").0.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < Duration::from_secs(40), "what was given back is not there");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_mistake_in_the_settings_stops_the_start_before_anything_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("listen = \"{}\"\n", taken.local_addr().unwrap());
    let mistakes = [
        ("[publish]\nurl = \"witness.example/add\"\n", "publish.url"),
        ("[publish]\nurl = \"ftp://witness.example/\"\n", "publish.url"),
        ("[publish]\nfile = \"/nowhere/at/all/published\"\n", "publish.file"),
        ("[publish]\nfile = \"/tmp\"\n", "publish.file"),
        ("catalog_dir = \"types\"\n", "catalog_dir"),
        ("listen = \"127.0.0.1:80a\"\n", "127.0.0.1:80a"),
        ("listen = \"203.0.113.7:8080\"\n", "203.0.113.7:8080"),
        ("index = \"btree\"\n", "btree"),
        ("log_format = \"xml\"\n", "log_format"),
        ("no_such_setting = 1\n", "no_such_setting"),
        (taken.as_str(), "listen"),
    ];
    for (settings, said) in mistakes {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("ledger");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("daybook.toml"), settings).unwrap();
        let refused = fails(daybook().args(["serve", "--origin", "it.example/log", "--data"]).arg(&data), 1);
        assert!(refused.contains(said), "{settings}: {refused}");
        let left: Vec<_> =
            std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["daybook.toml"], "{settings}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for data in [&file, &file.join("below")] {
        fails(daybook().args(["serve", "--origin", "it.example/log", "--data"]).arg(data), 1);
    }
}

fn modes(dir: &Path, found: &mut Vec<(std::path::PathBuf, u32)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), std::fs::metadata(&path).unwrap().permissions().mode() & 0o777));
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn nothing_in_the_data_folder_is_for_others() {
    let mut ledger = Ledger::empty();
    ledger.record(&event());
    ledger.stop();
    let mut found = Vec::new();
    modes(&ledger.data(), &mut found);
    assert!(found.len() > 20);
    for (path, mode) in found {
        assert_eq!(mode & 0o027, 0, "{}: {mode:o}", path.display());
    }
}

#[test]
fn secrets_that_others_can_read_are_named_at_the_start() {
    let mut ledger = Ledger::empty();
    ledger.stop();
    let tokens = ledger.data().join("tokens.json");
    std::fs::set_permissions(&tokens, std::fs::Permissions::from_mode(0o644)).unwrap();
    ledger.restart();
    let said = ledger.stderr();
    assert!(said.contains("ERROR") && said.contains("tokens.json") && said.contains("chmod 600"), "{said}");
}

#[test]
fn a_ledger_on_a_medium_that_can_only_be_read_is_served_exported_and_checked() {
    let mut ledger = Ledger::empty();
    ledger.record(&event_with_id("on-a-medium"));
    ledger.wait_until_ready();
    ledger.stop();
    let Some(medium) = SmallDisk::read_only(&ledger.data()) else { return };
    let data = medium.path();
    let exported = succeeds(daybook().args(["export", "--data"]).arg(data));
    assert_eq!(exported.lines().count(), 4, "{exported}");
    succeeds(daybook().arg("check").arg(data));
    let mut command = daybook();
    command.args(["serve", "--read-only", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let url = ready(&mut child).unwrap()["url"].as_str().unwrap().to_owned();
    let get = |path: &str| {
        let token = format!("Bearer {}", ledger.token("compliance"));
        let asked = crate::kit::agent().get(format!("{url}{path}")).header("authorization", token).call();
        let mut answer = asked.unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    let begun = Instant::now();
    loop {
        let said: Value = serde_json::from_str(&get("/readyz").1).unwrap();
        if said["viewed"] == 2 && said["indexed"] == 2 {
            assert_eq!(said["writes"], false);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{said}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, listed) = get("/v1/events?type=approval.withdrawn");
    assert!(status == 200 && listed.contains("on-a-medium"), "{listed}");
    assert_eq!(get("/v1/approvals").0, 200);
    signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success());
    drop(medium);
}

#[test]
fn a_full_disk_is_no_ready_one_and_what_is_there_can_be_read() {
    let Some(disk) = SmallDisk::mount("300m") else { return };
    let mut ledger = Ledger::start(tempfile::tempdir_in(disk.path()).unwrap(), &["--empty"]);
    ledger.wait_until_ready();
    ledger.record(&event());
    let ready_now = |ledger: &Ledger| ledger.get("/readyz", "auditor").json();
    assert_eq!(ready_now(&ledger)["writes"], true);
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 64 << 10]).is_ok() {}
    while file.write_all(&[1; 512]).is_ok() {}
    let said = ready_now(&ledger);
    assert_eq!(said["writes"], false, "{said}");
    assert!(said["reason"].as_str().unwrap().contains("no room"), "{said}");
    // What is left of the last block takes an event or two, and no more.
    let statuses: Vec<_> = (0..20).map(|_| ledger.post(&event()).status).collect();
    assert!(statuses.contains(&507), "{statuses:?}");
    let size = ledger.size();
    ledger.stop();
    // With no room left: exported, and served for reading.
    let exported = succeeds(daybook().args(["export", "--data"]).arg(ledger.data()));
    assert_eq!(exported.lines().count() as u64, size + 2);
    let mut child = crate::kit::serve(&ledger.data(), &["--read-only"]);
    let url = ready(&mut child).unwrap()["url"].as_str().unwrap().to_owned();
    let token = format!("Bearer {}", ledger.token("auditor"));
    let asked = crate::kit::agent().get(format!("{url}/v1/events/1")).header("authorization", token).call();
    assert_eq!(asked.unwrap().status(), 200);
    signal(child.id(), "TERM");
    child.wait().unwrap();
    // Its room is given back once nobody has it open.
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    ledger.restart();
    let begun = Instant::now();
    while ready_now(&ledger)["writes"] != true {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", ready_now(&ledger));
        std::thread::sleep(Duration::from_millis(50));
    }
    ledger.record(&event());
}

#[test]
fn who_reads_nothing_or_sends_half_does_not_keep_the_ledger_from_ending() {
    let mut ledger = Ledger::demo();
    let address = ledger.url.strip_prefix("http://").unwrap().to_owned();
    // As many as fill what waits for them, and read none of it.
    let streams: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let token = ledger.token("auditor");
            let head = format!(
                "GET /v1/events/stream?from=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // And a post of which half has come.
    let mut half = TcpStream::connect(&address).unwrap();
    let token = ledger.token("producer");
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/cloudevents+json\r\nContent-Length: 500\r\n\r\n{{"
    );
    half.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    signal(ledger.pid(), "TERM");
    assert!(ledger.ended().success(), "{}", ledger.stderr());
    assert!(begun.elapsed() < Duration::from_secs(6), "it took {:?}", begun.elapsed());
    drop(streams);
}
