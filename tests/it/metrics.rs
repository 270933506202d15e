//! What there is to measure, the rules that alert on it, and the dashboard that shows it: asked as Prometheus asks.

use crate::kit::{Ledger, event, loudly, run, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The value of a sample in the text format, by its name and labels as they stand there.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn measured(ledger: &Ledger) -> String {
    let answer = ledger.get("/metrics", "admin");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[test]
fn what_happens_is_measured() {
    let ledger = Ledger::with_config("[publish]\nfile = \"../published\"\n");
    for _ in 0..5 {
        ledger.record(&event());
    }
    assert_eq!(ledger.post_with("application/cloudevents+json", &[], b"{").status, 400);
    ledger.wait_until_ready();
    let begun = Instant::now();
    let text = loop {
        let text = measured(&ledger);
        let is_there = sample(&text, "daybook_views_lag_entries") == Some(0.0)
            && text.contains("daybook_published_size{sink=");
        if is_there || begun.elapsed() > Duration::from_secs(20) {
            break text;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (name, value) in [
        ("daybook_log_entries", 6.0),
        ("daybook_entries_appended_total", 5.0),
        ("daybook_checkpoint_size", 6.0),
        ("daybook_index_lag_entries", 0.0),
        ("daybook_views_lag_entries", 0.0),
        ("daybook_append_queue_bytes", 0.0),
        ("daybook_request_bodies_bytes", 0.0),
        ("daybook_streams", 0.0),
        ("daybook_ready{what=\"writes\"}", 1.0),
        ("daybook_ready{what=\"views\"}", 1.0),
        ("daybook_refusals_total{type=\"not-canonical\"}", 1.0),
        ("daybook_refusals_total{type=\"no-room\"}", 0.0),
        ("daybook_http_requests_total{method=\"POST\",route=\"/v1/events\",status=\"201\"}", 5.0),
        ("daybook_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/events\"}", 6.0),
        ("daybook_view_lag_entries{view=\"approvals\",version=\"1\",building=\"false\"}", 0.0),
    ] {
        let versions = name.starts_with("daybook_view_lag");
        let found = if versions {
            text.lines()
                .find(|line| line.contains("view=\"approvals\""))
                .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        } else {
            sample(&text, name)
        };
        assert_eq!(found, Some(value), "{name}\n{text}");
    }
    let commits = sample(&text, "daybook_commits_total").unwrap();
    assert!((1.0..=5.0).contains(&commits), "{commits}");
    let age = sample(&text, "daybook_checkpoint_age_seconds").unwrap();
    assert!((0.0..60.0).contains(&age), "{age}");
    for name in [
        "daybook_disk_free_bytes",
        "daybook_commit_duration_seconds_total",
        "process_open_fds",
        "process_resident_memory_bytes",
    ] {
        assert!(sample(&text, name).unwrap() > 0.0, "{name}");
    }
}

#[test]
fn metrics_are_for_who_may_read_everything_unless_they_are_public() {
    let ledger = Ledger::empty();
    for (role, status) in [("admin", 200), ("auditor", 200), ("compliance", 200), ("producer", 403)] {
        assert_eq!(ledger.get("/metrics", role).status, status, "{role}");
    }
    assert_eq!(ledger.request("GET", "/metrics", &[], b"").status, 401);
    let public = Ledger::with_config("public_metrics = true\n");
    assert_eq!(public.request("GET", "/metrics", &[], b"").status, 200);
}

/// A program of Debian's package `prometheus`, where `make deps` puts it.
fn program(name: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin").join(name);
    let found = [unpacked, Path::new("/usr/bin").join(name)].into_iter().find(|path| path.exists());
    if found.is_none() {
        loudly("NOT RUN: rules and dashboard are tried with Debian's package prometheus (`make deps`)");
    }
    found
}

fn ops(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(name)
}

#[test]
fn the_alert_rules_are_rules() {
    let Some(promtool) = program("promtool") else { return };
    let checked = run(Command::new(&promtool).args(["check", "rules"]).arg(ops("alerts.yaml")));
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
    let checked =
        run(Command::new(&promtool).args(["check", "config", "--syntax-only"]).arg(ops("prometheus.yaml")));
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All names of ours in an expression.
fn names(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("daybook_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn prometheus_knows_every_name_in_the_rules_and_on_the_dashboard() {
    let Some(prometheus) = program("prometheus") else { return };
    let ledger = Ledger::with_config("[publish]\nfile = \"../published\"\n");
    ledger.record(&event());
    let dir = ledger.dir.path();
    std::fs::write(dir.join("token"), ledger.token("auditor")).unwrap();
    let target = ledger.url.strip_prefix("http://").unwrap();
    let config = format!(
        "scrape_configs:\n  - job_name: daybook\n    scrape_interval: 200ms\n    scrape_timeout: 200ms\n    authorization: \
         {{credentials_file: {}}}\n    static_configs: [{{targets: [\"{target}\"]}}]\nrule_files: [{}]\n",
        dir.join("token").display(),
        ops("alerts.yaml").display()
    );
    std::fs::write(dir.join("prometheus.yaml"), config).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Command::new(prometheus)
        .arg(format!("--config.file={}", dir.join("prometheus.yaml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()))
        .arg(format!("--web.listen-address={free}"))
        .args(["--web.console.templates=/none", "--web.console.libraries=/none"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ended = Ended(started);
    let ask = |expression: &str| -> Option<Value> {
        let url = format!("http://{free}/api/v1/query");
        let mut answer = crate::kit::agent().get(url).query("query", expression).call().ok()?;
        serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
    };
    let begun = Instant::now();
    loop {
        let up = ask("up{job=\"daybook\"} == 1 and on () daybook_published_size");
        if up.is_some_and(|up| up["data"]["result"].as_array().is_some_and(|found| !found.is_empty())) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "Prometheus does not see the ledger");
        std::thread::sleep(Duration::from_millis(200));
    }
    let dashboard: Value = serde_json::from_slice(&std::fs::read(ops("grafana.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let shown = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let shown: Vec<String> =
        shown.map(|target| target["expr"].as_str().unwrap().replace("$instance", ".*")).collect();
    let rules = std::fs::read_to_string(ops("alerts.yaml")).unwrap();
    let mut known = 0;
    for expression in &shown {
        let answer = ask(expression).unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }
    let all = shown.iter().map(String::as_str).chain([rules.as_str()]).flat_map(names);
    for name in all {
        let found = ask(&name).unwrap();
        let found = found["data"]["result"].as_array().is_some_and(|found| !found.is_empty());
        assert!(found, "Prometheus knows no {name}");
        known += 1;
    }
    assert!(known > 30, "{known}");
    // None of them is raised by a ledger that is well.
    let raised = ask("ALERTS{alertstate=\"firing\"}").unwrap();
    assert_eq!(raised["data"]["result"], serde_json::json!([]), "{raised}");
}
