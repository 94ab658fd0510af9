//! `kattila doctor`: looks at everything a manager depends on, one line each, with what to do.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use crate::clock::Clock;
use crate::config::Config;
use crate::config::archive;
use crate::config::source::Values;
use crate::http::tls::Identity;
use crate::keys::keeper::Keeper;
use crate::keys::source::SourceConfig;
use crate::model::time::{UnixSeconds, duration_text};
use crate::store::Reader as _;
use crate::store::sqlite;
use crate::store::sqlite::archive::catalog;

use super::findings::{Finding, tell};

/// Less free space than this is a matter of hours: a busy fleet writes a gigabyte a day.
const LEAST_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// A manager at work commits every minute; one that was stopped for a day should be known.
const SILENT_ARCHIVE_S: i64 = 86_400;

/// A clock before this day (2026-01-01) was never set.
const CLOCK_FLOOR: i64 = 1_767_225_600;

/// Seconds that files may seem to be from the future, for file systems with coarse times.
const FILE_CLOCK_SLACK: i64 = 60;

/// Looks at everything; a thing that is wrong does not keep the others from being looked at.
pub async fn run(values: Values, clock: Clock) -> u8 {
    let config = Config::load(&values);
    let database = PathBuf::from(values.get_or_default("KATTILA_DB"));
    let mut findings = vec![Finding {
        about: "settings",
        verdict: match &config {
            Ok(_) => Ok("can be used".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    }];
    if let Ok(config) = &config {
        findings.push(Finding { about: "keys", verdict: keys(&config.keys.source, &clock).await });
        findings.push(Finding { about: "door", verdict: door(config) });
    }
    if let Ok(Some(archive)) = archive::load(&values) {
        findings.push(Finding { about: "archive", verdict: archived(&archive.dir, clock.now()) });
    }
    findings.push(Finding { about: "clock", verdict: time(&clock, &database) });
    findings.push(Finding { about: "database", verdict: stored(&database) });
    findings.push(Finding { about: "permissions", verdict: permissions(&database, &values) });
    findings.push(Finding { about: "disk", verdict: disk(&database) });
    tell(&findings)
}

/// Whether a source gives a key that can be used now.
pub(super) async fn keys(source: &SourceConfig, clock: &Clock) -> Result<String, String> {
    let keeper = Keeper::new(source.clone(), Vec::new());
    let refresh = keeper.refresh(clock.now()).await;
    let source = &refresh.health.described;
    if let Some(problem) = refresh.outcome.problem() {
        let strange: String =
            refresh.health.unexpected.iter().map(|line| format!("; {line}")).collect();
        return Err(format!(
            "{source}: {problem}{strange}; publish the key there, or correct the settings"
        ));
    }
    if let Some(problem) = refresh.health.tampering() {
        return Err(format!("{source} is not as it should be: {problem}"));
    }
    let ring = keeper.ring();
    let names: Vec<_> = ring.usable(clock.now()).map(|key| key.kid.to_string()).collect();
    if names.is_empty() {
        return Err(format!("{source} holds no key that can be used now; look at its nbf and exp"));
    }
    let advice: String = refresh.health.advice.iter().map(|line| format!("; {line}")).collect();
    Ok(format!("{source} gives {}{advice}", names.join(", ")))
}

fn door(config: &Config) -> Result<String, String> {
    if let Some(files) = &config.tls {
        Identity::read(files).map_err(|error| error.to_string())?;
    }
    let at = config.listen;
    match TcpListener::bind(at) {
        Ok(_) => Ok(format!("{at} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Ok(format!("{at} is in use, by the manager if one runs here"))
        }
        Err(error) => Err(format!("{at} cannot be used: {error}; set KATTILA_LISTEN")),
    }
}

fn time(clock: &Clock, database: &Path) -> Result<String, String> {
    let now = clock.now().0;
    if now < CLOCK_FLOOR {
        return Err(format!("the clock says {now}, years ago; set it and run a time service"));
    }
    let written = std::fs::metadata(database).and_then(|meta| meta.modified()).ok();
    let written = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let written = written.and_then(|at| i64::try_from(at.as_secs()).ok());
    match written {
        Some(written) if written > now + FILE_CLOCK_SLACK => Err(format!(
            "the database was written {} s in the future; set the clock, or reports are refused",
            written - now
        )),
        Some(_) | None => Ok(format!("{now} s since 1970, which is plausible")),
    }
}

fn stored(database: &Path) -> Result<String, String> {
    if !database.exists() {
        return Ok(format!("{} is not there yet; serve makes it", database.display()));
    }
    let reader = sqlite::open_read_only(database).map_err(|error| error.to_string())?;
    let stats = reader.stats().map_err(|error| error.to_string())?;
    reader.quick_check().map_err(|error| format!("{error}; restore a backup"))?;
    Ok(format!(
        "{} is sound: {} reports, {} events, {} bytes",
        database.display(),
        stats.reports,
        stats.events,
        stats.db_bytes
    ))
}

/// Whether the archive can be written, and how far back one can go with it.
fn archived(dir: &Path, now: UnixSeconds) -> Result<String, String> {
    if !dir.exists() {
        return Ok(format!("{} is not there yet; serve makes it", dir.display()));
    }
    access(dir, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{} cannot be written: {error}", dir.display()))?;
    let all = catalog::list(dir).map_err(|error| error.to_string())?;
    let bytes: u64 = all.iter().map(|one| one.bytes).sum();
    let (Some(from), Some(to)) =
        (all.iter().find_map(|one| one.from), all.iter().rev().find_map(|one| one.to))
    else {
        return Ok(format!("{} holds nothing to go back to yet", dir.display()));
    };
    let (mib, timelines) = (bytes / (1024 * 1024), all.len());
    let told = format!(
        "{} goes back to {}, to {} at most ({timelines} timelines, {mib} MiB)",
        dir.display(),
        from.to_rfc3339(),
        to.to_rfc3339()
    );
    let silent_s = now.since(to);
    if silent_s > SILENT_ARCHIVE_S {
        let silent = duration_text(silent_s);
        return Err(format!("{told}: nothing came for {silent}; look at the job archive"));
    }
    Ok(told)
}

fn permissions(database: &Path, values: &Values) -> Result<String, String> {
    let dir = directory(database);
    access(dir, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{} cannot be written: {error}", dir.display()))?;
    let secrets = ["KATTILA_PSK_FILE", "KATTILA_ADMIN_TOKEN_FILE", "KATTILA_TLS_KEY"];
    let secrets = secrets.iter().filter_map(|name| values.get(name)).map(PathBuf::from);
    for file in secrets.chain([database.to_owned()]) {
        let Ok(meta) = std::fs::metadata(&file) else { continue };
        if meta.permissions().mode() & 0o077 != 0 {
            let file = file.display();
            return Err(format!("{file} can be read by other users; run: chmod 600 {file}"));
        }
    }
    Ok("secrets can be read by their owner only".to_owned())
}

fn disk(database: &Path) -> Result<String, String> {
    let dir = directory(database);
    let stat = statvfs(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let said = format!("{} MiB free under {}", free / (1024 * 1024), dir.display());
    if free < LEAST_FREE_BYTES { Err(format!("{said}; make room")) } else { Ok(said) }
}

fn directory(database: &Path) -> &Path {
    match database.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_others_can_read_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let (database, key) = (dir.path().join("k.db"), dir.path().join("psk"));
        std::fs::write(&key, "x").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let values = Values::from_pairs([("KATTILA_PSK_FILE", key.to_str().unwrap())]);
        assert!(permissions(&database, &values).unwrap_err().contains("chmod 600"));
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(permissions(&database, &values).is_ok());
    }

    #[test]
    fn a_clock_behind_the_database_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("k.db");
        std::fs::write(&file, "").unwrap();
        let behind = Clock::manual(UnixSeconds(CLOCK_FLOOR + 1));
        assert!(time(&behind, &file).unwrap_err().contains("in the future"));
        assert!(time(&Clock::manual(UnixSeconds(1)), &file).is_err());
        assert!(time(&Clock::system(), &file).is_ok());
    }
}
