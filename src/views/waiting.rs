//! Agents and keys that wait for an admin, for the list of agents.

use crate::model::time::UnixSeconds;

use super::list::Column;
use super::ordered::{Table, acting};
use super::page::PageContext;
use super::text::{Moment, encode};

/// What waits, in words.
#[derive(Debug, Clone)]
pub struct WaitingItem {
    /// The agent's id.
    pub id: String,
    /// Its host name, else its id.
    pub label: String,
    /// The fingerprint of its key; `None` for an agent that signs with the shared key.
    pub fingerprint: Option<String>,
    /// The key's name; travels with the approval, so that no other key is let in.
    pub kid: Option<String>,
    /// Whether the agent's id is made of its key.
    pub certified: bool,
    /// Whether the agent reports already and only its key waits.
    pub reports: bool,
    /// Address the request came from.
    pub source: String,
    /// When it came.
    pub requested_at: UnixSeconds,
}

/// One row of the table.
pub(super) struct WaitingRow {
    pub(super) item: WaitingItem,
    pub(super) path: String,
    pub(super) since: Moment,
    pub(super) what: &'static str,
}

const COLUMNS: [Column; 5] = [
    ("agent", "Agent", ""),
    ("fingerprint", "Fingerprint", ""),
    ("from", "From", "optional"),
    ("asked", "Asked", "optional"),
    ("", "Decide", ""),
];

impl WaitingRow {
    /// What waits, as a table beside that of the agents.
    pub(super) fn table(ctx: &PageContext, items: &[WaitingItem]) -> Table<Self> {
        let rows = items.iter().map(|item| Self::new(ctx, item)).collect();
        let id = |row: &Self| row.path.clone();
        let key = |by: &str, Self { item, .. }: &Self| match by {
            "fingerprint" => item.fingerprint.as_deref().into(),
            "from" => item.source.as_str().into(),
            "asked" => item.requested_at.into(),
            _ => item.label.as_str().into(),
        };
        let columns = acting(&COLUMNS, ctx.can_admin());
        ctx.orders.table(("waiting_", "/agents"), columns, rows, (id, key))
    }

    pub(super) fn new(ctx: &PageContext, item: &WaitingItem) -> Self {
        Self {
            path: format!("/agents/{}", encode(&item.id)),
            since: Moment::ago(item.requested_at, ctx.now),
            what: match (item.reports, item.fingerprint.is_some(), item.certified) {
                (true, ..) => "reports under the shared key; a key of its own waits",
                (false, true, true) => "new, named by its key",
                (false, true, false) => "new, under a name that is not made of its key",
                (false, false, _) => "new, under the shared key",
            },
            item: item.clone(),
        }
    }
}
