//! Writes the seeds of the corpus: small things of our own making. `make fuzz-seeds`.

// Instrumented code asks for what libFuzzer brings.
use libfuzzer_sys as _;

use daybook::catalog::Catalog;
use daybook::spec::json::{Json, MAX_EVENT_DEPTH};
use daybook::spec::merkle::leaf_hash;
use daybook::spec::{canonical, encoding, note};
use daybook_testkit::{Ledger, ORIGIN, event, framed, ordinary, signer};
use std::path::Path;

fn write(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn main() {
    let ledger = daybook_fuzz::keys::ledger();
    let (one, two) = (signer(ORIGIN, 1), signer(ORIGIN, 2));
    let root = encoding::to_base64(&[7; 32]);

    let catalog = Catalog::embedded().unwrap();
    let published = catalog.get("catalog.published").unwrap();
    write("publication", "example", published.example.to_string());
    let register = concat!(
        r#"{"registers":[{"name":"vaults","summary":"Vaults.","family":"vault","key":["approval"],"#,
        r#""events":{"approval.requested":{"opens":"open"}},"fields":["kind"]}]}"#
    );
    write("publication", "register", register);
    write("questions", "overdue", "overdue=true&sort=-due&limit=20&state=pending,partial");
    write(
        "questions",
        "as_of",
        "as_of=2026-03-05T12:00:00Z&at=2026-03-03T12:00:00Z&pillars=growth&min_seq=5",
    );
    write("questions", "unreviewed", "unreviewed_days=90&resource=dataset/loans-core&across_units=true");

    write("note", "one_line", note::sign("text\n", &[&*one]));
    write("note", "two_signatures", note::sign("a\n\nb\n", &[&*one, &*two]));
    write("note", "entry", &ledger.entries[0]);

    for (name, seq) in [("created", 0), ("ordinary", 1), ("rotated", 3), ("rotated_alone", 5)] {
        write("entry", name, &ledger.entries[seq]);
    }
    write("entry", "frames", framed(&ledger.entries[1..3]));
    let mut full = Ledger::new();
    let extra = event("t", "{\"a\":[1,1.5,-2e-7,1e21,null,true,\"\\u001f\u{1F600}\"]}");
    full.record_changed(|text| text.replace("app:test", "user:u-1"));
    full.record("app:x", &extra);
    write("entry", "values", &full.entries[2]);
    let signature = encoding::to_base64(&[5; 64]);
    let sealed = encoding::to_base64(&[6; 72 + 256]);
    full.record_changed(|text| {
        text.replace(",\"seq\":", &format!(
            ",\"producer\":{{\"key\":\"app+00000000\",\"sig\":\"{signature}\"}},\"sealed\":{{\"box\":\"{sealed}\",\"key\":\"k1\"}},\"seq\":"
        ))
    });
    write("entry", "producer_and_sealed", &full.entries[3]);

    write("checkpoint", "signed", ledger.checkpoint());
    write("checkpoint", "first", Ledger::new().checkpoint());
    write("checkpoint", "both_keys", ledger.checkpoint_by(3, &[&*one, &*two]));

    for (name, path) in [
        ("hashes", "0/x001/x234/067"),
        ("partial", "1/000.p/3"),
        ("entries", "entries/001"),
        ("entries_partial", "entries/x012/345.p/255"),
        ("high", "63/000"),
        ("edge", "7/000.p/255"),
    ] {
        write("tile", name, path);
    }

    for (name, text) in [
        ("time", "2026-11-24T09:30:00.000001Z".to_owned()),
        ("leap_day", "2000-02-29T23:59:59.999999Z".to_owned()),
        ("vkey", ledger.first_key().to_string()),
        ("hash", root),
        ("hex", "c74f20a3".to_owned()),
        ("decimal", "18446744073709551615".to_owned()),
        ("string", "\"a\\\"\\\\\\b\\t\\n\\f\\r\\u001f\u{2028}\u{1F600}\" rest".to_owned()),
    ] {
        write("spellings", name, text);
    }
    write("spellings", "head", ledger.head(65_536).to_slot());

    let proof = |name: &str, mode: u8, a: u64, b: u64, hashes: u8| {
        let mut bytes = vec![mode];
        bytes.extend(a.to_be_bytes());
        bytes.extend(b.to_be_bytes());
        (0..hashes).for_each(|n| bytes.extend(leaf_hash(&[n])));
        write("proof", name, bytes);
    };
    proof("inclusion_small", 1, 5, 11, 5);
    proof("inclusion_of_one", 1, 0, 1, 1);
    proof("inclusion_large", 0, 1 << 40, (1 << 40) + 3, 4);
    proof("consistency_small", 3, 6, 11, 7);
    proof("consistency_power", 3, 8, 13, 5);
    proof("consistency_equal", 3, 9, 9, 2);
    proof("consistency_large", 2, 1 << 62, (1 << 62) + 1, 3);

    write("receipt", "text", ledger.receipt_at(1, 3).to_text());
    write("receipt", "json", ledger.receipt_at(2, 3).to_json());
    write("receipt", "first", ledger.receipt_at(0, 1).to_text());
    write("receipt", "rotation", ledger.receipt_at(3, 4).to_text());

    write("export", "whole", ledger.export());
    write("export", "one", Ledger::new().export());

    write("keys", "two_rotations", ledger.key_list());
    write("keys", "one_key", Ledger::of(2).key_list());

    for (name, text) in [
        ("values", r#"{"a":[1,-0,0.5,1e21,1e-7,123456789012345680],"b":null,"c":{"d":true,"e":false}}"#),
        ("escapes", r#"["\u00e9\ud83d\ude00","\"\\\/\b\f\n\r\t\u001f"]"#),
        ("order", r#"{"\ufb33":1,"\ud83d\ude00":2,"b":3,"a":4,"":5}"#),
        ("refused", r#"[9007199254740993,{"a":1,"a":2}]"#),
        ("lone", r#""\ud800""#),
        ("white", " [ 1 , { \"a\" : 2 } ] \n"),
        ("tie", "90071990951300.12"),
    ] {
        write("json", name, text);
    }
    write("json", "deep", format!("{}{}", "[".repeat(64), "]".repeat(64)));

    let catalog = Catalog::embedded().unwrap();
    for kind in catalog.types().step_by(4) {
        let data = Json::parse(kind.example.to_string().as_bytes(), MAX_EVENT_DEPTH)
            .map(|data| canonical::to_string(&data));
        let body = format!(
            "\x08{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"{}\",\"time\":\"2026-03-02T09:30:00Z\",\"data\":{}}}",
            kind.name,
            data.unwrap()
        );
        write("intake", &format!("structured_{}", kind.name), body);
    }
    write("intake", "open", format!("\x04{}", ordinary(7)));
    write(
        "intake",
        "batch",
        format!("\x0d[{},{}]", ordinary(1), ordinary(2).replace("\"id\":\"1\"", "\"id\":\"2\"")),
    );
    write(
        "intake",
        "binary",
        "\x0especversion:1.0\nid:1\nsource:/s\ntype:x.y\nsubject:Euro%20%E2%82%AC\ntime:2026-03-02T09:30:00Z\n\
         content-type:application/json\n\n{\"b\":1,\"a\":2}",
    );
    write(
        "intake",
        "binary_other",
        "\x0especversion:1.0\nid:1\nsource:/s\ntype:x.y\nmore:7\ncontent-type:text/plain\n\nhello",
    );
    write(
        "intake",
        "refused",
        "\x04{\"specversion\":\"0.3\",\"id\":1,\"Bad\":[],\"datasubject\":\"p\",\"data_base64\":\"AA\"}",
    );
}
