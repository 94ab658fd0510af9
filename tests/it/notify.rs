//! Notifications through the whole manager: real receivers on loopback, time turned by hand.

mod aside;
mod channels;
mod failing;
mod flapping;
mod mail;
mod plan;
mod scene;
mod tellings;
