//! What every store must do about messages to people: part of the suite of [`crate::store_contract`].

use std::sync::Arc;

use kattila::model::id::{AlarmId, NotificationId};
use kattila::model::state::MessageState;
use kattila::store::change::Change;
use kattila::store::notice::{MessageFilter, MessageRecord};
use kattila::store::prune::{Limits, Prunable, Prune};
use kattila::store::{Reader, Writer};

use crate::store_samples::{T, channel, message, telling};

type Store = (Box<dyn Writer>, Arc<dyn Reader>);

fn write(writer: &mut dyn Writer, change: &Change) {
    writer.begin().unwrap();
    writer.record(change).unwrap();
    writer.commit().unwrap();
}

fn to(name: &str, id: i64, state: MessageState) -> MessageRecord {
    MessageRecord { channel: name.to_owned(), ..message(id, state) }
}

fn ids(found: &[MessageRecord]) -> Vec<i64> {
    found.iter().map(|message| message.id.0).collect()
}

pub(crate) fn messages_wait_in_order_and_are_found((mut writer, reader): Store) {
    let waiting = MessageState::Waiting;
    let mut other = to("mail", 4, waiting);
    other.items[0].alarm = AlarmId(9);
    let messages = vec![
        to("chat", 1, MessageState::Dead),
        to("chat", 2, waiting),
        to("chat", 3, waiting),
        other,
    ];
    let closed = channel("chat");
    let tells = vec![telling(1, "chat"), telling(1, "mail")];
    let channels = vec![closed.clone()];
    write(
        &mut *writer,
        &Change { messages: messages.clone(), channels, tells, ..Change::default() },
    );

    let due = |at: i64| ids(&reader.due_notifications(T.plus(at)).unwrap());
    assert_eq!(due(4), [0; 0], "none is due");
    assert_eq!(due(5), [4], "the other channel is left alone");
    assert_eq!(due(60), [2, 4], "of each channel the first");
    let first = reader.due_notifications(T.plus(60)).unwrap().remove(0);
    assert_eq!(first, messages[1], "with its alarms");

    let find = |filter: MessageFilter| {
        ids(&reader.notifications(&MessageFilter { limit: 10, ..filter }).unwrap())
    };
    let all = MessageFilter::default;
    assert_eq!(find(all()), [4, 3, 2, 1]);
    assert_eq!(find(MessageFilter { after: Some(NotificationId(2)), ..all() }), [3, 4]);
    assert_eq!(find(MessageFilter { before: Some(NotificationId(3)), ..all() }), [2, 1]);
    assert_eq!(find(MessageFilter { channel: Some("mail".into()), ..all() }), [4]);
    assert_eq!(find(MessageFilter { state: Some(MessageState::Dead), ..all() }), [1]);
    assert_eq!(find(MessageFilter { alarm: Some(AlarmId(9)), ..all() }), [4]);

    // An attempt is written without the alarms, which stay.
    let sent = MessageRecord {
        state: MessageState::Sent,
        attempts: 2,
        error: None,
        items: Vec::new(),
        ..messages[1].clone()
    };
    let tells_removed = vec![(AlarmId(1), "mail".to_owned())];
    write(&mut *writer, &Change { messages: vec![sent], tells_removed, ..Change::default() });
    let again = reader.notifications(&MessageFilter::one(NotificationId(2))).unwrap().remove(0);
    assert_eq!((again.attempts, again.items), (2, messages[1].items.clone()));
    assert_eq!(writer.load_fleet().unwrap().tells, [telling(1, "chat")]);
    let rows = reader.channels().unwrap();
    assert_eq!(rows[0].channel, closed);
    assert_eq!((rows[0].waiting, rows[0].oldest_waiting, rows[0].dead_kept), (1, Some(T), 1));
}

pub(crate) fn messages_leave_when_they_are_old((mut writer, reader): Store) {
    let (dead, waiting) = (MessageState::Dead, MessageState::Waiting);
    let mut messages = vec![to("chat", 1, dead), to("chat", 2, waiting), to("chat", 3, dead)];
    messages[2].created_at = T.plus(1_000);
    messages.push(to("chat", 4, dead));
    write(&mut *writer, &Change { messages, ..Change::default() });
    let old = Limits { age: Some(500), bytes: None };
    let chunk = Prune {
        what: Prunable::Notifications,
        limits: old,
        now: T.plus(1_000),
        replay_s: 0,
        replay_v1_s: 0,
        after: 0,
    };
    let pruned = writer.prune(&chunk).unwrap();
    assert_eq!((pruned.removed, pruned.next), (1, None));
    let all = MessageFilter { limit: 10, ..MessageFilter::default() };
    let left = ids(&reader.notifications(&all).unwrap());
    assert_eq!(left, [4, 3, 2], "what waits stays, and so does the newest number");
}
