//! Every list can be had as CSV: the same rows as its JSON, safe to open, all as of one moment, and whole or visibly not.

use crate::kit::{Answer, Ledger, event};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Lists of the demo's year, of each kind that there is.
const LISTS: &[&str] = &[
    "/v1/access",
    "/v1/access/counts",
    "/v1/access/reach?principal=user:u-1031&as_of=900",
    "/v1/access/readers?resource=dataset/loans-core&as_of=300",
    "/v1/access/requests?as_of=900",
    "/v1/access/role-ended",
    "/v1/access/uncovered",
    "/v1/access/uses?sort=opened",
    "/v1/approvals",
    "/v1/approvals/APR-0005/after",
    "/v1/approvals/APR-0005/history",
    "/v1/catalog/types",
    "/v1/controls",
    "/v1/controls/ER-4/evidence",
    "/v1/controls/ER-4/members",
    "/v1/corrections",
    "/v1/decisions",
    "/v1/decisions/stats",
    "/v1/decisions/stats?by=day,outcome",
    "/v1/escalations?sort=due",
    "/v1/late",
    "/v1/registers",
    "/v1/registers/models",
    "/v1/registers/models/counts",
    "/v1/registers/models/credit-line/history",
    "/v1/sources",
    "/v1/subjects/credit-line/timeline",
    "/v1/subjects/credit-line/timeline?expand=event&order=desc",
    "/v1/views",
];

fn with(path: &str, more: &str) -> String {
    format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' })
}

fn csv(ledger: &Ledger, path: &str) -> Answer {
    let token = format!("Bearer {}", ledger.token("auditor"));
    ledger.request("GET", path, &[("authorization", &token), ("accept", "text/csv")], b"")
}

/// A cell: what stands in it, and whether it stands in quotes.
type Cell = (String, bool);

/// Reads CSV as RFC 4180 has it, and nothing else.
fn read(text: &str) -> (Vec<String>, Vec<Vec<Cell>>) {
    let mut lines: Vec<Vec<Cell>> = vec![Vec::new()];
    let mut rest = text.chars().peekable();
    while rest.peek().is_some() {
        let mut cell = String::new();
        let quoted = rest.next_if_eq(&'"').is_some();
        if quoted {
            loop {
                match rest.next().expect("a quote is not closed") {
                    '"' if rest.next_if_eq(&'"').is_some() => cell.push('"'),
                    '"' => break,
                    other => cell.push(other),
                }
            }
        } else {
            while let Some(character) = rest.next_if(|character| !matches!(character, ',' | '\r')) {
                assert!(!matches!(character, '"' | '\n'), "{cell}{character} needs quotes");
                cell.push(character);
            }
        }
        lines.last_mut().unwrap().push((cell, quoted));
        match rest.next() {
            Some(',') => {}
            Some('\r') => {
                assert_eq!(rest.next(), Some('\n'));
                lines.push(Vec::new());
            }
            other => panic!("{other:?} after a cell"),
        }
    }
    assert!(lines.pop().unwrap().is_empty(), "the last line does not end");
    let head: Vec<String> = lines.remove(0).into_iter().map(|(name, _)| name).collect();
    assert!(lines.iter().all(|line| line.len() == head.len()), "lines of different lengths");
    (head, lines)
}

/// All items of a list, page by page.
fn items(ledger: &Ledger, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let address =
            if cursor.is_empty() { path.to_owned() } else { with(path, &format!("cursor={cursor}")) };
        let answer = ledger.get(&address, "auditor");
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        let page = answer.json();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return items,
        }
    }
}

fn at<'v>(item: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(item, |value, member| value.get(member))
}

/// What a cell says, in JSON.
fn said(cell: &Cell, instead_of: &Value) -> Value {
    let (text, quoted) = cell;
    let text = text.strip_prefix('\'').unwrap_or(text);
    match instead_of {
        Value::String(_) => Value::from(text),
        Value::Null if text.is_empty() && !quoted => Value::Null,
        _ => serde_json::from_str(text).unwrap_or_else(|_| panic!("{text:?} instead of {instead_of}")),
    }
}

/// Asserts that a line says all of an item, and nothing else.
fn same(path: &str, head: &[String], line: &[Cell], item: &Value) {
    for (name, cell) in head.iter().zip(line) {
        let mut expected = at(item, name).cloned().unwrap_or_default();
        let own: BTreeSet<&str> =
            head.iter().filter_map(|other| other.strip_prefix(name)?.strip_prefix('.')).collect();
        if !own.is_empty() {
            let members = expected.as_object().cloned().unwrap_or_default();
            let rest: Map<String, Value> =
                members.into_iter().filter(|(member, _)| !own.contains(member.as_str())).collect();
            expected = if rest.is_empty() { Value::Null } else { Value::Object(rest) };
        }
        assert_eq!(said(cell, &expected), expected, "{path}: {name}");
    }
    // Nothing of the item is left out.
    fn left_out(head: &[String], path: &str, value: &Value) -> Option<String> {
        if head.iter().any(|name| name == path) {
            return None;
        }
        match value.as_object() {
            Some(members) if head.iter().any(|name| name.starts_with(&format!("{path}."))) => {
                members.iter().find_map(|(name, value)| left_out(head, &format!("{path}.{name}"), value))
            }
            _ => Some(path.to_owned()),
        }
    }
    for (member, value) in item.as_object().unwrap() {
        assert_eq!(left_out(head, member, value), None, "{path} has no column for it");
    }
}

#[test]
fn a_table_says_what_the_json_of_its_list_says() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let mut rows = 0;
    for path in LISTS {
        let answer = csv(&ledger, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"), "{path}");
        assert_eq!(answer.header("vary"), Some("Accept"), "{path}");
        let file = answer.header("content-disposition").unwrap();
        assert!(file.starts_with("attachment; filename=\"daybook-") && file.ends_with(".csv\""), "{file}");
        let (head, lines) = read(&answer.text());
        assert_eq!(head.iter().collect::<BTreeSet<_>>().len(), head.len(), "{path} has a column twice");
        let expected = items(&ledger, path);
        assert_eq!(lines.len(), expected.len(), "{path}");
        assert!(!lines.is_empty(), "{path} shows nothing");
        for (line, item) in lines.iter().zip(&expected) {
            same(path, &head, line, item);
        }
        rows += lines.len();
        // JSON for whoever likes it as well, or says nothing; and both say that it depends on that.
        let plain = ledger.get(path, "auditor");
        assert_eq!(plain.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(plain.header("vary"), Some("Accept"), "{path}");
    }
    assert!(rows > 1_000, "{rows}");
}

#[test]
fn entries_stand_in_a_table_as_they_were_recorded() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let answer = csv(&ledger, "/v1/events");
    let (head, lines) = read(&answer.text());
    let column = |name: &str| head.iter().position(|known| known == name).unwrap();
    let expected = items(&ledger, "/v1/events?limit=500");
    assert_eq!(lines.len(), expected.len());
    for (line, item) in lines.iter().zip(&expected) {
        for name in [
            "seq",
            "time",
            "actor",
            "hash",
            "receipt",
            "event.source",
            "event.id",
            "event.type",
            "event.subject",
        ] {
            let expected = at(item, name).cloned().unwrap_or_default();
            assert_eq!(said(&line[column(name)], &expected), expected, "{name}");
        }
        assert_eq!(said(&line[column("event.json")], &json!({})), item["event"]);
    }
    // The filters of the list are those of the table, and so is where it begins.
    let (_, decisions) = read(&csv(&ledger, "/v1/events?type=decision.made").text());
    assert!(decisions.len() > 50);
    assert_eq!(decisions.len(), items(&ledger, "/v1/events?type=decision.made").len());
    let page = ledger.get("/v1/events?limit=7", "auditor").json();
    let (_, rest) =
        read(&csv(&ledger, &format!("/v1/events?cursor={}", page["next"].as_str().unwrap())).text());
    assert_eq!(rest.len(), lines.len() - 7);
    assert_eq!(rest[0][column("seq")].0, "7");
}

/// All that the description says of resources that answer lists.
#[test]
fn every_list_is_described_as_json_and_as_a_table() {
    let ledger = Ledger::empty();
    let api = ledger.request("GET", "/openapi.json", &[], b"").json();
    let mut lists = 0;
    for (path, operations) in api["paths"].as_object().unwrap() {
        let followed = |value: &Value| match value["$ref"].as_str() {
            Some(target) => api.pointer(&target[1..]).unwrap().clone(),
            None => value.clone(),
        };
        let content = followed(&operations["get"]["responses"]["200"])["content"].clone();
        let schema = followed(&content["application/json"]["schema"]);
        let is_list = schema["properties"]["items"].is_object();
        assert_eq!(content["text/csv"].is_object(), is_list, "{path}");
        lists += usize::from(is_list);
    }
    assert!(lists >= 37, "{lists}");
}

#[test]
fn a_limit_is_of_all_rows_and_an_empty_list_has_its_head() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let rows = |path: &str| read(&csv(&ledger, path).text()).1.len();
    let all = items(&ledger, "/v1/events?limit=500").len();
    assert_eq!(
        [rows("/v1/events?limit=1"), rows("/v1/events?limit=50"), rows("/v1/events?limit=120")],
        [1, 50, 120]
    );
    assert_eq!(rows("/v1/events?limit=100000"), all);
    assert_eq!(rows("/v1/decisions?limit=3"), 3);
    for path in
        ["/v1/events?limit=0", "/v1/decisions?limit=-1", "/v1/decisions?limit=x", "/v1/decisions?colour=red"]
    {
        assert_eq!(csv(&ledger, path).problem(), "bad-parameter", "{path}");
    }
    assert_eq!(ledger.get("/v1/events?limit=501", "auditor").problem(), "bad-parameter");
    assert_eq!(csv(&ledger, "/v1/approvals/nothing/history").problem(), "not-found");
    let none = csv(&ledger, "/v1/decisions?id=nothing");
    let (head, lines) = read(&none.text());
    assert_eq!((head[0].as_str(), lines.len()), ("id", 0));
    let producer = format!("Bearer {}", ledger.token("producer"));
    let refused =
        ledger.request("GET", "/v1/decisions", &[("authorization", &producer), ("accept", "text/csv")], b"");
    assert_eq!(refused.problem(), "forbidden");
    let token = format!("Bearer {}", ledger.token("auditor"));
    let head_of =
        |path: &str| ledger.request("HEAD", path, &[("authorization", &token), ("accept", "text/csv")], b"");
    for path in ["/v1/decisions?limit=3", "/v1/events"] {
        let answer = head_of(path);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        assert!(answer.header("content-type").unwrap().starts_with("text/csv"), "{path}");
    }
}

#[test]
fn a_table_says_as_of_when_it_holds() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let query = "/v1/decisions?as_of=500&at=2026-06-01";
    let answer = csv(&ledger, query);
    let of_json = ledger.get(query, "auditor");
    let as_of: Value = serde_json::from_str(answer.header("daybook-as-of").unwrap()).unwrap();
    assert_eq!(as_of, of_json.json()["as_of"]);
    assert_eq!(as_of["entries"], 501);
    let applied: u64 = answer.header("daybook-applied-seq").unwrap().parse().unwrap();
    assert!(applied > 500, "{applied}");
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"daybook-decisions-501.csv\"")
    );
    let answer = csv(&ledger, "/v1/subjects/credit-line/timeline");
    let beside: Value = serde_json::from_str(answer.header("daybook-answer").unwrap()).unwrap();
    assert_eq!(beside["subject"], "credit-line");
}

#[test]
fn a_spreadsheet_finds_no_formula_in_a_table() {
    let ledger = Ledger::empty();
    let texts =
        ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "'=1", "=cmd|' /C calc'!A0", "a,b", "say \"no\""];
    for text in texts {
        let mut event = event();
        event["subject"] = json!(text);
        event["data"]["reason"] = json!(text);
        ledger.record(&event);
    }
    ledger.wait_until_ready();
    let text = csv(&ledger, "/v1/events?source=/it").text();
    let (head, lines) = read(&text);
    let subject = head.iter().position(|name| name == "event.subject").unwrap();
    for (line, original) in lines.iter().zip(texts) {
        let (cell, quoted) = &line[subject];
        let is_harmless = original.starts_with(['a', 's']);
        let expected = if is_harmless { original.to_owned() } else { format!("'{original}") };
        assert_eq!((cell, *quoted), (&expected, true), "{original}");
    }
    assert_eq!(lines.len(), texts.len());
    for line in text.split("\r\n").skip(1) {
        for cell in line.split(',') {
            assert!(!cell.starts_with(['=', '+', '-', '@', '＝']), "{cell}");
        }
    }
}

/// More than sockets hold, so that a list is read in many parts: about 40 MB.
fn large(config: &str) -> Ledger {
    let ledger = Ledger::with_config(&format!("open_types = true\n{config}"));
    for batch in 0..7 {
        let events: Vec<_> = (0..100)
            .map(|i| {
                json!({"specversion": "1.0", "id": format!("{batch}-{i}"), "source": "/it", "type": "big",
                    "data": "x".repeat(60_000)})
            })
            .collect();
        assert_eq!(ledger.post_batch(&events).status, 201);
    }
    ledger.wait_until_ready();
    ledger
}

/// Asks for all entries as CSV over a connection of its own.
fn connect(ledger: &Ledger, version: &str) -> TcpStream {
    let mut stream = TcpStream::connect(ledger.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let token = ledger.token("auditor");
    write!(
        stream,
        "GET /v1/events HTTP/{version}\r\nHost: x\r\nAccept: text/csv\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

/// The first bytes of an answer.
fn begin(stream: &mut TcpStream) -> Vec<u8> {
    let mut begun = vec![0; 4_096];
    stream.read_exact(&mut begun).unwrap();
    begun
}

const END_OF_CHUNKS: &[u8] = b"0\r\n\r\n";

#[test]
fn a_table_is_of_one_moment_however_long_it_is_read() {
    let ledger = large("");
    let size = ledger.size();
    let mut stream = connect(&ledger, "1.1");
    let mut read = begin(&mut stream);
    // What is recorded while it is read is not in it.
    (0..5).for_each(|_| {
        ledger.record(&event());
    });
    stream.read_to_end(&mut read).unwrap();
    assert!(read.ends_with(END_OF_CHUNKS), "it did not end");
    let text = String::from_utf8(read).unwrap();
    assert!(text.contains(&format!("daybook-events-{size}.csv")), "{}", &text[..1_000]);
    let receipts = |seq: u64| text.matches(&format!("/v1/events/{seq}/receipt")).count();
    assert!((0..size).all(|seq| receipts(seq) == 1), "each entry once");
    assert!((size..size + 5).all(|seq| receipts(seq) == 0), "and no later one");
}

#[test]
fn a_table_that_is_broken_off_does_not_end_as_a_whole_one() {
    let mut ledger = large("");
    let size = ledger.size();
    let refused = {
        let mut stream = connect(&ledger, "1.0");
        let mut read = String::new();
        stream.read_to_string(&mut read).unwrap();
        read
    };
    assert!(refused.starts_with("HTTP/1.0 400 ") && refused.contains("bad-parameter"), "{refused}");
    let mut stream = connect(&ledger, "1.1");
    let mut read = begin(&mut stream);
    assert!(read.starts_with(b"HTTP/1.1 200 "));
    ledger.stop();
    // What is left in the buffers, and then no end.
    stream.read_to_end(&mut read).ok();
    let text = String::from_utf8_lossy(&read);
    assert!(!read.ends_with(END_OF_CHUNKS), "it ended as if it were whole");
    assert!(
        !text.contains(&format!("/v1/events/{}/receipt", size - 1)),
        "all of it came: nothing was tested"
    );
}

#[test]
fn long_tables_take_room_as_streams_do_and_give_it_back() {
    let ledger = large("[limits]\nstreams_per_caller = 1\n");
    let mut first = connect(&ledger, "1.1");
    begin(&mut first);
    let refused = csv(&ledger, "/v1/events");
    assert_eq!(refused.problem(), "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // What fits one part takes none.
    assert_eq!(csv(&ledger, "/v1/events?limit=5").status, 200);
    assert_eq!(ledger.get("/v1/events", "auditor").status, 200);
    drop(first);
    let begun = Instant::now();
    loop {
        let mut next = connect(&ledger, "1.1");
        let read = begin_or_end(&mut next);
        if read.starts_with(b"HTTP/1.1 200 ") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the room did not come back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn begin_or_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = vec![0; 16];
    stream.read_exact(&mut read).unwrap();
    read
}
