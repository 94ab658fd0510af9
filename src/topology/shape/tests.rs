use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EdgeState, RelayProof};
use crate::topology::cut::Cut;
use crate::topology::picture::{Picture, samples};

/// What a reader makes of rows: the members that they stand for.
fn unfold(written: &Value, kind: &str) -> Vec<Value> {
    let rows = written[kind].as_array().unwrap();
    rows.iter().map(|row| item(written, &written["columns"][kind], row)).collect()
}

fn item(written: &Value, header: &Value, row: &Value) -> Value {
    let (names, cells) = (header.as_array().unwrap(), row.as_array().unwrap());
    assert_eq!(names.len(), cells.len());
    let member = |(name, cell): (&Value, &Value)| {
        let name = name.as_str().unwrap();
        match name.strip_prefix('#') {
            Some(name) => {
                let text = cell.as_u64().map(|at| &written["texts"][usize::try_from(at).unwrap()]);
                (name.to_owned(), text.cloned().unwrap_or_default())
            }
            None if name == "ends" => {
                let ends = cell.as_array().unwrap().iter();
                let ends = ends.map(|end| item(written, &written["columns"]["ends"], end));
                (name.to_owned(), ends.collect())
            }
            None => (name.to_owned(), cell.clone()),
        }
    };
    Value::Object(names.iter().zip(cells).map(member).collect::<Map<_, _>>())
}

/// Links without what moves with every report: that is not in columns.
fn still(edges: &Value) -> Value {
    let mut edges = edges.clone();
    for edge in edges.as_array_mut().unwrap() {
        for end in edge["ends"].as_array_mut().unwrap() {
            for name in ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"] {
                assert!(end.as_object_mut().unwrap().remove(name).is_some(), "{name}");
            }
        }
    }
    edges
}

fn node(seed: u8) -> Node {
    let via = vec!["r1".parse().unwrap()];
    Node {
        agent_id: (!seed.is_multiple_of(3)).then(|| format!("n{seed}").parse().unwrap()),
        status: (!seed.is_multiple_of(3)).then_some(AgentStatus::Stale),
        site: format!("lab/{}", seed % 4),
        seen_at: seed.is_multiple_of(2).then_some(UnixSeconds(1_790_000_000)),
        addresses: vec![format!("10.0.0.{seed}")],
        relay_path: match seed % 2 {
            0 => RelayPath::direct(),
            _ => RelayPath::through(via, RelayProof::Proven),
        },
        x: f64::from(seed) / 10.0,
        ..samples::node(&format!("a:n{seed}"))
    }
}

fn link(from: u8, to: u8) -> Edge {
    let mut edge =
        samples::edge(&format!("e{from}-{to}"), [&*format!("a:n{from}"), &*format!("a:n{to}")]);
    edge.state = if from < to { EdgeState::Down } else { EdgeState::Up };
    edge.ends[0].public_key = Some(WgKey([from; 32]));
    edge.ends[1].endpoint = Some("192.0.2.1:51820".to_owned());
    edge.ends[1].allowed_ips = vec!["10.0.0.0/24".to_owned()];
    edge.ends[0].rx_bytes = Some(u64::from(to) << 40);
    edge
}

fn picture(nodes: &[u8], links: &[(u8, u8)]) -> Picture {
    Picture {
        epoch: "e1".to_owned(),
        nodes: nodes.iter().copied().map(node).collect(),
        edges: links.iter().map(|(from, to)| link(*from, *to)).collect(),
        ..Picture::default()
    }
}

fn written(whole: &Picture, cut: &Cut) -> Value {
    serde_json::to_value(cut.of(whole).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn every_shape_says_what_the_whole_map_says(
        nodes in proptest::collection::vec(any::<u8>(), 0..20),
        links in proptest::collection::vec(any::<(u8, u8)>(), 0..20),
    ) {
        let whole = picture(&nodes, &links);
        let told = serde_json::to_value(&whole).unwrap();
        let shape = |shape| Cut { shape: Some(shape), ..Cut::default() };
        let keyed = written(&whole, &shape(Shape::Keyed));
        for (name, value) in told.as_object().unwrap() {
            prop_assert_eq!(value, &keyed[name], "{}", name);
        }
        let columns = written(&whole, &shape(Shape::Columns));
        prop_assert_eq!(&told["nodes"], &Value::Array(unfold(&columns, "nodes")));
        prop_assert_eq!(&still(&told["edges"]), &Value::Array(unfold(&columns, "edges")));
    }
}

#[test]
fn a_layer_that_is_not_asked_for_leaves_no_member() {
    let whole = picture(&[1, 2], &[(1, 2)]);
    let of = |layers: &str| Cut { layers: Layers::parse(layers).unwrap(), ..Cut::default() };
    let wireguard = written(&whole, &of("wireguard"));
    assert!(wireguard["nodes"][0].get("relay_path").is_none());
    assert!(wireguard["edges"][0]["ends"][1].get("allowed_ips").is_none());
    let subnets = written(&whole, &of("wireguard,subnets"));
    assert_eq!(subnets["edges"][0]["ends"][1]["allowed_ips"], json!(["10.0.0.0/24"]));
    let relays = written(&whole, &of("relays"));
    assert_eq!((&relays["nodes"][0]["relay_path"], &relays["edges"]), (&json!(["r1"]), &json!([])));
    let columns = Cut { shape: Some(Shape::Columns), ..of("wireguard") };
    let columns = written(&whole, &columns);
    assert!(!columns["columns"]["nodes"].to_string().contains("relay"));
}

#[test]
fn sites_first_names_no_node() {
    let whole = picture(&[1, 2], &[(1, 2), (2, 1)]);
    let sites = written(&whole, &Cut { shape: Some(Shape::Sites), ..Cut::default() });
    assert_eq!(
        sites["pairs"],
        json!([{"source": "lab/1", "target": "lab/2", "states": {"up": 1, "down": 1}}])
    );
    assert_eq!((&sites["nodes"], &sites["edges"]), (&json!([]), &json!([])));
    assert!(!sites.to_string().contains("a:n1"));
}
