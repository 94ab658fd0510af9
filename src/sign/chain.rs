//! Ties the entries of the audit together: each one's hash covers the hash before it.
//!
//! The hash of an entry is SHA-256 over the 32 bytes of the hash before it (zeros before the first)
//! and the canonical form of the entry: the UTF-8 of the JSON array
//! `[seq, at, who, from, act, subject, before, after]` without blanks, with `null` for what is not
//! there; `before` and `after` are the texts as stored, so that they are strings in it. Whoever
//! keeps one hash elsewhere can prove everything up to it.

use thiserror::Error;

use crate::model::audit::{Entry, Head, Sealed};

use super::digest::sha256;

/// The first entry that does not follow from those before it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Broken {
    /// A number is left out.
    #[error("entry {missing} is missing")]
    Missing {
        /// Which.
        missing: i64,
    },
    /// The entry was changed, or one before it was, and the hashes after it were not.
    #[error("entry {seq} was changed after it was written, or does not belong here")]
    Changed {
        /// Which.
        seq: i64,
    },
}

/// Appends an entry to a chain.
pub fn seal(head: &mut Head, entry: Entry) -> Sealed {
    let seq = head.seq.saturating_add(1);
    *head = Head { seq, hash: link(head, seq, &entry) };
    Sealed { entry, head: *head }
}

/// Checks that an entry is the next after `head`; the new end of the chain.
pub fn follow(head: Head, next: &Sealed) -> Result<Head, Broken> {
    let seq = head.seq.saturating_add(1);
    if next.head.seq != seq {
        return Err(Broken::Missing { missing: seq });
    }
    if link(&head, seq, &next.entry) != next.head.hash {
        return Err(Broken::Changed { seq });
    }
    Ok(next.head)
}

fn link(before: &Head, seq: i64, entry: &Entry) -> [u8; 32] {
    let mut covered = before.hash.to_vec();
    covered.extend(canonical(seq, entry));
    sha256(&covered)
}

fn canonical(seq: i64, entry: &Entry) -> Vec<u8> {
    let Entry { at, who, from, act, subject, before, after } = entry;
    // Numbers and strings always have a JSON form.
    serde_json::to_vec(&(seq, at.0, who, from, act, subject, before, after)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::hex;
    use crate::model::time::UnixSeconds;

    fn entry(n: i64) -> Entry {
        let entry = Entry::new(UnixSeconds(1_800_000_000 + n), "ann", "agent.revoke", "agent gw-1");
        entry.told(Some("{\"status\":\"online\"}".into()), None)
    }

    fn chain(length: i64) -> Vec<Sealed> {
        let mut head = Head::default();
        (0..length).map(|n| seal(&mut head, entry(n))).collect()
    }

    fn check(rows: &[Sealed]) -> Result<Head, Broken> {
        rows.iter().try_fold(Head::default(), follow)
    }

    #[test]
    fn the_form_and_its_hash_are_those_that_others_compute() {
        let first = &chain(1)[0];
        let text = r#"[1,1800000000,"ann",null,"agent.revoke","agent gw-1","{\"status\":\"online\"}",null]"#;
        assert_eq!(String::from_utf8(canonical(1, &first.entry)).unwrap(), text);
        // (printf '\0%.0s' {1..32}; printf %s "$text") | sha256sum
        let by_others = "356ac4603368d23f1960031f260369718ed9a14eee760ad160a7fb9378c8818d";
        assert_eq!(hex::encode(&first.head.hash), by_others);
    }

    #[test]
    fn what_is_changed_removed_or_put_in_is_named() {
        let whole = chain(5);
        assert_eq!(check(&whole).unwrap(), whole[4].head);
        let mut changed = whole.clone();
        changed[2].entry.who = "bob".to_owned();
        assert_eq!(check(&changed), Err(Broken::Changed { seq: 3 }));
        // A hash that was made to fit breaks the next entry.
        let mut head = changed[1].head;
        changed[2] = seal(&mut head, changed[2].entry.clone());
        assert_eq!(check(&changed), Err(Broken::Changed { seq: 4 }));
        let mut shorter = whole.clone();
        shorter.remove(1);
        assert_eq!(check(&shorter), Err(Broken::Missing { missing: 2 }));
        assert_eq!(check(&whole[1..]), Err(Broken::Missing { missing: 1 }));
    }

    proptest! {
        #[test]
        fn no_two_entries_share_a_form(a in ".{0,8}", b in ".{0,8}", c in ".{0,8}", d in ".{0,8}") {
            let one = Entry::new(UnixSeconds(1), a.clone(), b.clone(), "s");
            let other = Entry::new(UnixSeconds(1), c.clone(), d.clone(), "s");
            prop_assert_eq!((a, b) == (c, d), canonical(1, &one) == canonical(1, &other));
        }
    }
}
