//! What may go wrong around a manager: killed, stopped under load, a full disk, a wrong file.
//! Real processes, real files; everything waits for counts and answers, nothing for time.

mod archive;
mod disk;
mod kill;
mod loss;
mod rate;
mod start;
