//! What is decided about users, act by act.

use super::*;

const T: UnixSeconds = UnixSeconds(1_800_000_000);

fn order(user: &str, act: Act) -> Order {
    Order { user: user.to_owned(), act, by: "root".to_owned() }
}

fn setup(seed: u8, until: UnixSeconds) -> Setup {
    Setup { hash: [seed; 32], until }
}

fn password(text: &str) -> Entry {
    Entry::Password(text.to_owned())
}

/// Carries an order out on a list of users.
fn act(people: &mut People, user: &str, act: Act) -> Result<Decided, CommandError> {
    let decided = decide(people, &order(user, act), T)?;
    match &decided.user {
        Some(record) => people.insert(user.to_owned(), record.clone()),
        None => people.remove(user),
    };
    Ok(decided)
}

/// An admin called olga and a viewer called kim.
fn two() -> People {
    let mut people = People::new();
    act(&mut people, "olga", Act::AddFirst { password: "p1".to_owned() }).unwrap();
    act(
        &mut people,
        "kim",
        Act::Add { role: Role::Viewer, entry: password("p2"), reach: Reach::Whole, masked: false },
    )
    .unwrap();
    people
}

#[test]
fn who_signs_in_at_a_provider_has_no_other_way_in_and_is_no_admin_to_count_on() {
    let mut people = two();
    let foreign = Foreign { issuer: "https://id".to_owned(), subject: "7".to_owned() };
    let entry = Entry::Foreign(foreign.clone());
    act(
        &mut people,
        "ida",
        Act::Add { role: Role::Admin, entry: entry.clone(), reach: Reach::Whole, masked: false },
    )
    .unwrap();
    assert_eq!(people["ida"].foreign, Some(foreign));
    assert_eq!((&people["ida"].password, &people["ida"].setup), (&None, &None));
    let taken = act(
        &mut people,
        "kim",
        Act::Add { role: Role::Admin, entry, reach: Reach::Whole, masked: false },
    );
    assert!(refused(taken).contains("already"), "a name is nobody else's by a provider's word");
    let hash = || Act::Password { password: "p".to_owned(), proof: Proof::Admin };
    for gives in [hash(), Act::Reset(setup(1, T.plus(9)))] {
        assert!(refused(act(&mut people, "ida", gives)).contains("signs in at https://id"));
    }
    let before = people["ida"].generation;
    act(&mut people, "ida", Act::Role(Role::Viewer)).unwrap();
    assert!(people["ida"].generation > before, "another role ends the sessions of the one before");
    act(&mut people, "ida", Act::Role(Role::Admin)).unwrap();
    assert!(refused(act(&mut people, "olga", Act::Disable)).contains("only admin"));
    act(&mut people, "ida", Act::Disable).unwrap();
    act(&mut people, "ida", Act::Remove).unwrap();
}

fn refused(outcome: Result<Decided, CommandError>) -> String {
    outcome.map(|decided| decided.told).unwrap_err().to_string()
}

#[test]
fn the_first_is_an_admin_and_there_is_one_first() {
    let mut people = two();
    let olga = &people["olga"];
    assert_eq!((olga.role, olga.created_by.as_str()), (Role::Admin, "root"));
    assert_eq!((olga.password.as_deref(), olga.password_at), (Some("p1"), Some(T)));
    let again = act(&mut people, "eve", Act::AddFirst { password: "p3".to_owned() });
    assert_eq!(refused(again), "there are users by now");
    let twice = act(
        &mut people,
        "kim",
        Act::Add { role: Role::Admin, entry: password("p3"), reach: Reach::Whole, masked: false },
    );
    assert_eq!(refused(twice), "there is a user kim already");
    assert_eq!(act(&mut people, "eve", Act::Disable).unwrap_err(), CommandError::UserNotFound);
}

#[test]
fn every_change_ends_the_sessions_and_raises_the_generation() {
    let acts = [
        Act::Role(Role::Operator),
        Act::Disable,
        Act::Enable,
        Act::Password { password: "p9".to_owned(), proof: Proof::Admin },
        Act::Reset(setup(1, T.plus(60))),
        Act::EndSessions,
    ];
    let mut people = two();
    for one in acts {
        let before = people["kim"].generation;
        let decided = act(&mut people, "kim", one.clone()).unwrap();
        assert!(decided.ends_sessions && people["kim"].generation > before, "{one:?}");
        assert!(decided.told.contains("kim") && !decided.told.contains("p9"), "{}", decided.told);
    }
    assert!(act(&mut people, "kim", Act::Remove).unwrap().ends_sessions);
    assert!(!people.contains_key("kim"));
}

#[test]
fn somebody_who_comes_back_is_not_who_they_were() {
    let mut people = two();
    let before = people["kim"].generation;
    act(&mut people, "kim", Act::Remove).unwrap();
    let add =
        Act::Add { role: Role::Viewer, entry: password("p2"), reach: Reach::Whole, masked: false };
    let decided = decide(&people, &order("kim", add), T.plus(1)).unwrap();
    assert!(decided.user.unwrap().generation > before);
}

#[test]
fn an_admin_is_never_under_pseudonyms() {
    let mut people = two();
    assert!(refused(act(&mut people, "olga", Act::Mask(true))).contains("under pseudonyms"));
    let add = |role| Act::Add { role, entry: password("p2"), reach: Reach::Whole, masked: true };
    assert!(refused(act(&mut people, "eve", add(Role::Admin))).contains("under pseudonyms"));
    let decided = act(&mut people, "eve", add(Role::Viewer)).unwrap();
    assert!(decided.told.ends_with(", under pseudonyms"), "{}", decided.told);
    assert!(refused(act(&mut people, "eve", Act::Role(Role::Admin))).contains("give up one"));
    let decided = act(&mut people, "eve", Act::Mask(false)).unwrap();
    assert!(decided.ends_sessions && decided.told.contains("real names"), "{}", decided.told);
    act(&mut people, "eve", Act::Role(Role::Admin)).unwrap();
}

#[test]
fn the_last_admin_who_can_sign_in_stays() {
    let mut people = two();
    let acts =
        [Act::Role(Role::Operator), Act::Disable, Act::Remove, Act::Reset(setup(1, T.plus(60)))];
    for one in &acts {
        assert!(refused(act(&mut people, "olga", one.clone())).contains("only admin"), "{one:?}");
    }
    // An admin who has not chosen a password yet cannot sign in.
    let waiting = Act::Add {
        role: Role::Admin,
        entry: Entry::Setup(setup(2, T.plus(60))),
        reach: Reach::Whole,
        masked: false,
    };
    act(&mut people, "eve", waiting).unwrap();
    assert!(act(&mut people, "olga", Act::Disable).is_err());
    let chosen = Act::Password { password: "p3".to_owned(), proof: Proof::Setup([2; 32]) };
    act(&mut people, "eve", chosen).unwrap();
    act(&mut people, "olga", Act::Disable).unwrap();
    assert!(act(&mut people, "eve", Act::Disable).is_err(), "now eve is the last");
    act(&mut people, "olga", Act::Remove).unwrap();
}

#[test]
fn a_setup_code_is_used_once_in_its_time_and_is_of_one_user() {
    let with =
        |hash: u8| Act::Password { password: "p9".to_owned(), proof: Proof::Setup([hash; 32]) };
    let mut people = two();
    act(&mut people, "kim", Act::Reset(setup(1, T.plus(60)))).unwrap();
    assert_eq!(people["kim"].password, None);
    assert!(act(&mut people, "kim", with(2)).is_err(), "another code");
    assert!(act(&mut people, "olga", with(1)).is_err(), "another user");
    assert!(decide(&people, &order("kim", with(1)), T.plus(60)).is_err(), "too late");
    act(&mut people, "kim", with(1)).unwrap();
    assert_eq!(people["kim"].password.as_deref(), Some("p9"));
    assert!(act(&mut people, "kim", with(1)).is_err(), "used");
}

#[test]
fn an_old_password_proves_nothing_once_something_changed() {
    let mut people = two();
    let generation = people["kim"].generation;
    let own = Act::Password { password: "p9".to_owned(), proof: Proof::Old(generation) };
    act(&mut people, "kim", own.clone()).unwrap();
    assert!(act(&mut people, "kim", own).is_err(), "it was changed meanwhile");
    act(&mut people, "kim", Act::Disable).unwrap();
    let now = Proof::Old(people["kim"].generation);
    let own = Act::Password { password: "p9".to_owned(), proof: now };
    assert!(act(&mut people, "kim", own).is_err(), "they are kept out");
}

#[test]
fn a_second_factor_is_used_up_code_by_code() {
    let mut people = two();
    let factor = Factor { secret: [1; 20], step: 10, recovery: vec![[1; 32], [2; 32]] };
    let generation = people["kim"].generation;
    let enrol = Act::Factor { factor, generation };
    act(&mut people, "kim", enrol.clone()).unwrap();
    assert!(act(&mut people, "kim", enrol).is_err(), "something changed meanwhile");
    let mut kim = people["kim"].clone();
    for (second, enough) in [
        (Second::Nothing, false),
        (Second::Code(10), false),
        (Second::Code(12), true),
        (Second::Code(12), false),
        (Second::Code(11), false),
        (Second::Recovery([3; 32]), false),
        (Second::Recovery([2; 32]), true),
        (Second::Recovery([2; 32]), false),
        (Second::Session, true),
        (Second::Code(13), true),
    ] {
        assert_eq!(spend::second(&mut kim, second), enough, "{second:?}");
    }
    let mut olga = people["olga"].clone();
    assert!(spend::second(&mut olga, Second::Nothing) && !spend::second(&mut olga, Second::Code(99)));
    act(&mut people, "kim", Act::DropFactor(Proof::Admin)).unwrap();
    assert!(act(&mut people, "kim", Act::DropFactor(Proof::Admin)).is_err(), "there is none");
    assert!(spend::second(people.get_mut("kim").unwrap(), Second::Nothing));
}

#[test]
fn neither_hashes_nor_codes_are_in_debug_lines() {
    let shown = format!("{:?}", order("kim", Act::AddFirst { password: "p1".to_owned() }));
    assert!(!shown.contains("p1"), "{shown}");
    let user = two().remove("olga").unwrap();
    assert!(!format!("{user:?}").contains("p1"));
}
