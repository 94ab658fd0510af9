//! The house's plan held against its walls: who may import whom, and which crate lives where.
//!
//! Reads the sources as text. Code of inline test modules is cut off; files that only tests
//! include are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file of production code, its inline tests not counted.
const LINES: usize = 450;

/// What each module may import besides itself. `store` is the store's interface,
/// `store::sqlite` what stands behind it.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &["model"]),
    ("form", &["model"]),
    ("wire", &["model"]),
    ("sign", &["model", "wire"]),
    ("keys", &["model", "sign"]),
    ("topology", &["model"]),
    ("meter", &["model"]),
    ("alarms", &["model", "form", "topology"]),
    ("pack", &["model", "sign"]),
    ("verify", &["model", "wire", "sign", "keys", "pack"]),
    ("store", &["model"]),
    ("mask", &["model", "sign", "topology", "store"]),
    ("store::sqlite", &["model", "clock", "sign", "store", "pack"]),
    ("notify", &["model", "form", "sign", "store"]),
    (
        "process",
        &[
            "model", "clock", "wire", "sign", "keys", "topology", "meter", "alarms", "verify",
            "pack", "store", "notify",
        ],
    ),
    ("delivery", &["model", "clock", "sign", "keys", "store", "notify", "process"]),
    ("oidc", &["model", "clock", "sign", "delivery"]),
    ("config", &["model", "form", "keys", "alarms", "verify", "notify", "oidc"]),
    ("views", &["model", "topology", "store"]),
    (
        "http",
        &[
            "model", "clock", "wire", "sign", "keys", "topology", "alarms", "verify", "store",
            "config", "process", "views", "notify", "delivery", "mask", "oidc",
        ],
    ),
    (
        "jobs",
        &["model", "clock", "sign", "keys", "topology", "alarms", "store", "process", "delivery"],
    ),
    ("simulate", &["model", "clock", "wire", "sign", "keys", "pack"]),
    ("agent", &["model", "clock", "wire", "sign", "keys", "pack"]),
    (
        "manager",
        &[
            "model",
            "clock",
            "wire",
            "sign",
            "keys",
            "topology",
            "alarms",
            "verify",
            "store",
            "store::sqlite",
            "config",
            "process",
            "views",
            "http",
            "jobs",
            "notify",
            "delivery",
            "mask",
            "oidc",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "pack",
            "clock",
            "wire",
            "sign",
            "keys",
            "topology",
            "alarms",
            "verify",
            "store",
            "store::sqlite",
            "config",
            "process",
            "views",
            "http",
            "jobs",
            "simulate",
            "agent",
            "manager",
            "notify",
            "delivery",
            "mask",
        ],
    ),
];

/// One crate, one home: where each foreign name may stand.
const HOMES: &[(&[&str], &[&str])] = &[
    (&["axum", "tower", "tower_http", "flate2"], &["http"]),
    // The simulated fleet and the commands are clients and speak HTTP as hyper's client.
    (&["hyper", "hyper_util", "http_body_util"], &["http", "simulate", "cli", "agent::door"]),
    (&["rusqlite"], &["store::sqlite"]),
    (&["zstd"], &["pack"]),
    (&["hmac", "sha2", "ed25519_dalek", "argon2", "sha1", "ring"], &["sign"]),
    (&["lru"], &["verify"]),
    (&["hickory_resolver"], &["keys"]),
    (&["petgraph"], &["topology"]),
    (&["askama", "rust_embed", "csv", "qrcodegen"], &["views"]),
    (&["clap", "dotenvy"], &["config", "cli"]),
    (&["clap_complete", "clap_mangen"], &["cli"]),
    (&["tokio_rustls"], &["http", "manager"]),
    // The door serves TLS, the key source asks over it, the agent reports over it.
    (&["rustls"], &["http", "manager", "keys", "agent", "delivery"]),
    (&["rustls_native_certs"], &["keys", "agent", "delivery"]),
    (&["reqwest"], &["agent", "delivery", "oidc"]),
    (&["httpdate"], &["agent", "delivery"]),
    (&["lettre"], &["delivery"]),
    (&["toml"], &["form"]),
    (&["tikv_jemallocator"], &["main"]),
    (
        &[
            "netlink_packet_core",
            "netlink_packet_generic",
            "netlink_packet_route",
            "netlink_packet_wireguard",
            "netlink_sys",
            "x25519_dalek",
        ],
        &["agent::collect"],
    ),
];

/// Phrases and the only places for them.
const PHRASES: &[(&str, &[&str])] = &[
    ("pub use ", &["lib.rs"]),
    ("use crate::*", &[]),
    ("super::super", &[]),
    ("SystemTime::now", &["clock.rs"]),
    // How long something took or may take, never what time it is.
    (
        "Instant::now",
        &[
            "http/",
            "jobs/",
            "process/engine.rs",
            "simulate/",
            "store/sqlite/",
            "agent/pulse.rs",
            "delivery/spans/layer.rs",
        ],
    ),
    ("env::var", &["config/source.rs"]),
    ("env::args", &["cli/", "main.rs"]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
];

/// Modules that do no I/O and read no clock: the time is a parameter.
const PURE: &[&str] =
    &["model", "wire", "sign", "topology", "alarms", "verify", "pack", "notify", "views", "mask"];

/// How a pure module would do what it must not.
const IMPURE: &[&str] = &["std::fs", "std::net::Tcp", "std::net::Udp", "tokio", "std::thread"];

/// A file of production code.
struct Source {
    /// Under `src`.
    path: String,
    /// Its module, as in the table.
    module: String,
    /// Without comments and inline tests; line numbers are kept.
    lines: Vec<String>,
}

impl Source {
    /// Whether the file belongs to a module, given by its path such as `agent::collect`.
    fn is_in(&self, module: &str) -> bool {
        let rest = self.path.strip_prefix(&module.replace("::", "/"));
        rest.is_some_and(|rest| rest.starts_with(['/', '.']))
    }

    /// Whether the file imports a module of this crate by that name, as `sign::hmac` is one.
    fn has_own(&self, name: &str) -> bool {
        let own = format!("::{name};");
        self.lines.iter().any(|line| line.starts_with("use crate::") && line.ends_with(&own))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Names of modules behind `#[cfg(test)] mod name;` in a file.
fn test_modules(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = pairs.filter_map(|pair| pair[1].strip_suffix(';')?.split("mod ").nth(1));
    names.map(str::to_owned).collect()
}

fn module_of(path: &str) -> String {
    let first = path.split('/').next().unwrap().trim_end_matches(".rs");
    let behind = path.starts_with("store/sqlite");
    if behind { "store::sqlite".to_owned() } else { first.to_owned() }
}

/// The code of a file without its comments and its inline tests.
fn code_of(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let all: Vec<&str> = text.lines().collect();
    for (n, line) in all.iter().enumerate() {
        let opens_tests = *line == "#[cfg(test)]"
            && all.get(n + 1).is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        if opens_tests {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        lines.push(code.to_owned());
    }
    lines
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    files(&src, &mut paths);
    let name = |path: &Path| path.strip_prefix(&src).unwrap().display().to_string();
    let mut tests: BTreeSet<PathBuf> = BTreeSet::new();
    for path in &paths {
        let own = path.with_extension("");
        let is_root = path.ends_with("mod.rs") || path.ends_with("lib.rs");
        let dir = if is_root { path.parent().unwrap().to_owned() } else { own };
        for module in test_modules(&fs::read_to_string(path).unwrap()) {
            tests.insert(dir.join(format!("{module}.rs")));
            tests.insert(dir.join(module));
        }
    }
    let only_tests = |path: &PathBuf| path.ancestors().any(|part| tests.contains(part));
    let mut sources = Vec::new();
    for path in paths.into_iter().filter(|path| !only_tests(path)) {
        let text = fs::read_to_string(&path).unwrap();
        let path = name(&path);
        sources.push(Source { module: module_of(&path), lines: code_of(&text), path });
    }
    assert!(sources.len() > 150, "only {} files found", sources.len());
    sources
}

/// Every place of `word` in `line` where it stands alone.
fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(word).filter_map(move |(at, _)| {
        let before = line[..at].chars().next_back();
        let alone = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
        alone.then(|| &line[at + word.len()..])
    })
}

/// The modules a line names after `crate::`, in the table's words.
fn imports(line: &str) -> Vec<String> {
    words(line, "crate::")
        .map(|rest| {
            let name = |text: &str| -> String {
                text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            };
            let first = name(rest);
            match rest[first.len()..].strip_prefix("::").map(name).as_deref() {
                Some("sqlite") if first == "store" => "store::sqlite".to_owned(),
                _ => first,
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn imports_point_one_way() {
    let table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let (mut faults, mut found) = (Vec::new(), BTreeSet::new());
    let sources = sources();
    for source in sources.iter().filter(|s| !matches!(&*s.path, "lib.rs" | "main.rs")) {
        let Some(may) = table.get(source.module.as_str()) else {
            faults.push(format!("{}: module {} is not in the table", source.path, source.module));
            continue;
        };
        found.insert(source.module.as_str());
        for (n, line) in source.lines.iter().enumerate() {
            for to in imports(line) {
                // Macros of a module are named from the crate's root.
                let allowed = to == source.module || may.contains(&to.as_str());
                if !allowed {
                    let (path, module, n) = (&source.path, &source.module, n + 1);
                    faults.push(format!("{path}:{n}: {module} must not import {to}"));
                }
            }
        }
    }
    none(&faults);
    let named: BTreeSet<&str> = table.keys().copied().collect();
    assert_eq!(found, named, "the table names modules that are not there");
}

#[test]
fn the_table_has_no_circle() {
    // Every module may import only such as stand before it.
    let mut before = BTreeSet::new();
    for (module, may) in TABLE {
        for other in *may {
            assert!(before.contains(other), "{module} stands before {other}");
        }
        before.insert(*module);
    }
}

#[test]
fn the_pages_table_is_this_one() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| module | may import"));
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let words = |cell: &str| -> BTreeSet<String> {
            let words = cell.split(',').map(|word| word.trim().trim_matches('`').to_owned());
            words.filter(|word| !word.is_empty() && word != "-").collect()
        };
        for module in words(cells[0]) {
            told.insert(module, words(cells[1]));
        }
    }
    let table: BTreeMap<String, BTreeSet<String>> = TABLE
        .iter()
        .map(|(module, may)| {
            ((*module).to_owned(), may.iter().map(|to| (*to).to_owned()).collect())
        })
        .collect();
    assert_eq!(told, table);
}

#[test]
fn each_crate_has_one_home() {
    let mut faults = Vec::new();
    let mut at_home: BTreeSet<&str> = BTreeSet::new();
    for source in &sources() {
        for (crates, homes) in HOMES {
            for (n, line) in source.lines.iter().enumerate() {
                for name in crates.iter().filter(|name| !source.has_own(name)) {
                    let uses = words(line, name).any(|rest| rest.starts_with("::"));
                    match (uses, homes.iter().any(|home| source.is_in(home))) {
                        (true, false) => {
                            let (path, n) = (&source.path, n + 1);
                            faults.push(format!("{path}:{n}: {name} lives in {homes:?}"));
                        }
                        (true, true) => drop(at_home.insert(name)),
                        (false, _) => {}
                    }
                }
            }
        }
    }
    none(&faults);
    let named = HOMES.iter().flat_map(|(crates, _)| crates.iter());
    let lost: Vec<_> = named.filter(|name| !at_home.contains(*name)).collect();
    assert!(lost.is_empty(), "nobody uses {lost:?}");
}

#[test]
fn phrases_stand_where_they_may() {
    let mut faults = Vec::new();
    for source in &sources() {
        for (n, line) in source.lines.iter().enumerate() {
            for (phrase, homes) in PHRASES {
                let at_home = homes.iter().any(|home| source.path.starts_with(home));
                if line.contains(phrase) && !at_home {
                    faults.push(format!("{}:{}: {phrase}", source.path, n + 1));
                }
            }
            if PURE.contains(&source.module.as_str()) {
                let impure = IMPURE.iter().filter(|phrase| line.contains(*phrase));
                faults.extend(impure.map(|phrase| format!("{}:{}: {phrase}", source.path, n + 1)));
            }
        }
    }
    none(&faults);
}

#[test]
fn files_say_what_they_own_and_stay_short() {
    let mut faults = Vec::new();
    for source in &sources() {
        let text = fs::read_to_string(root().join("src").join(&source.path)).unwrap();
        if !text.starts_with("//!") {
            faults.push(format!("{} does not open with what it owns", source.path));
        }
        if source.lines.len() > LINES {
            faults.push(format!("{} has {} lines", source.path, source.lines.len()));
        }
    }
    none(&faults);
}

#[test]
fn the_scan_sees_what_it_must() {
    assert_eq!(imports("use crate::store::sqlite::pool;"), ["store::sqlite"]);
    assert_eq!(imports("use crate::store::{Reader, sqlite};"), ["store"]);
    assert_eq!(
        imports("let a = crate::model::hex::encode(b); crate::wire::x()"),
        ["model", "wire"]
    );
    assert_eq!(imports("use subcrate::model;"), [""; 0]);
    let text = "a // crate::http\n#[cfg(test)]\nmod tests {\n use crate::http;\n}\n";
    assert_eq!(code_of(text), ["a "]);
    assert_eq!(
        test_modules("#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod other;"),
        ["tests", "other"]
    );
    assert!(words("use zstd::x", "zstd").any(|rest| rest.starts_with("::")));
    assert!(words("use my_zstd::x", "zstd").next().is_none());
}
