//! The table `users`.

use rusqlite::{Connection, Row, params};

use crate::model::access::Role;
use crate::store::StoreError;
use crate::store::people::{Factor, Foreign, Setup, UserRecord};
use crate::store::sqlite::cells::{Cells, fleets_json};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "users";

macro_rules! columns {
    () => {
        "name, role, password, password_at, setup_hash, setup_until, disabled, generation, \
         created_at, created_by, last_sign_in_at, last_sign_in_from, totp_secret, totp_step, recovery, \
         fleets, issuer, subject, masked"
    };
}

fn from_row(row: &Row<'_>) -> Result<UserRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(UserRecord {
        name: cells.take()?,
        role: cells.text(Role::from_word)?,
        password: cells.take()?,
        password_at: cells.maybe_time()?,
        setup: {
            let (hash, until) = (cells.take::<Option<[u8; 32]>>()?, cells.maybe_time()?);
            hash.zip(until).map(|(hash, until)| Setup { hash, until })
        },
        disabled: cells.take()?,
        generation: cells.take()?,
        created_at: cells.time()?,
        created_by: cells.take()?,
        last_sign_in_at: cells.maybe_time()?,
        last_sign_in_from: cells.take()?,
        factor: factor(&mut cells)?,
        reach: cells.reach()?,
        foreign: {
            let (issuer, subject): (Option<String>, Option<String>) =
                (cells.take()?, cells.take()?);
            issuer.zip(subject).map(|(issuer, subject)| Foreign { issuer, subject })
        },
        masked: cells.take()?,
    })
}

fn factor(cells: &mut Cells<'_, '_>) -> Result<Option<Factor>, StoreError> {
    let secret: Option<[u8; 20]> = cells.take()?;
    let step: Option<i64> = cells.take()?;
    let recovery: Option<Vec<u8>> = cells.take()?;
    let codes = recovery.unwrap_or_default();
    let recovery = codes.chunks_exact(32).filter_map(|code| code.try_into().ok()).collect();
    Ok(secret.map(|secret| Factor { secret, step: step.unwrap_or(i64::MAX), recovery }))
}

/// All users by name, or the one of a name.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    name: Option<&str>,
) -> Result<Vec<UserRecord>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM users WHERE ?1 IS NULL OR name = ?1 ORDER BY name");
    all(conn, TABLE, SQL, params![name], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO users (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    ON CONFLICT (name) DO UPDATE SET
        role = excluded.role,
        password = excluded.password,
        password_at = excluded.password_at,
        setup_hash = excluded.setup_hash,
        setup_until = excluded.setup_until,
        disabled = excluded.disabled,
        generation = excluded.generation,
        created_at = excluded.created_at,
        created_by = excluded.created_by,
        last_sign_in_at = excluded.last_sign_in_at,
        last_sign_in_from = excluded.last_sign_in_from,
        totp_secret = excluded.totp_secret,
        totp_step = excluded.totp_step,
        recovery = excluded.recovery,
        fleets = excluded.fleets,
        issuer = excluded.issuer,
        subject = excluded.subject,
        masked = excluded.masked"
);

/// Inserts or updates a user.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    user: &UserRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            user.name,
            user.role.as_str(),
            user.password,
            user.password_at.map(|at| at.0),
            user.setup.as_ref().map(|setup| setup.hash),
            user.setup.as_ref().map(|setup| setup.until.0),
            user.disabled,
            user.generation,
            user.created_at.0,
            user.created_by,
            user.last_sign_in_at.map(|at| at.0),
            user.last_sign_in_from,
            user.factor.as_ref().map(|factor| factor.secret),
            user.factor.as_ref().map(|factor| factor.step),
            user.factor.as_ref().map(|factor| factor.recovery.concat()),
            fleets_json(&user.reach),
            user.foreign.as_ref().map(|foreign| &foreign.issuer),
            user.foreign.as_ref().map(|foreign| &foreign.subject),
            user.masked,
        ],
    )?;
    Ok(())
}

/// Deletes a user.
pub(in crate::store::sqlite) fn remove(desk: &mut Desk<'_>, name: &str) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM users WHERE name = ?1";
    desk.write(TABLE, SQL, params![name])?;
    Ok(())
}
