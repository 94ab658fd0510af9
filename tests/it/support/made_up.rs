//! The hosts of a made-up world (`kattila::simulate::world`), reporting to a manager whose clock is
//! turned by hand.

use std::net::SocketAddr;

use kattila::model::time::UnixSeconds;
use kattila::simulate::world::{Options, World};

use super::actors::Agent;
use super::manager::TestManager;

/// Seconds between two reports of a host; in each of them the hosts have their turns.
const ROUND: u8 = 30;
/// The same as a difference of times.
pub(crate) const ROUND_S: i64 = ROUND as i64;

/// The hosts, and the world that they tell of.
pub(crate) struct MadeUp {
    world: World,
    hosts: Vec<Agent>,
    start: UnixSeconds,
}

impl MadeUp {
    /// The world of these options, which begins at the manager's present.
    pub(crate) fn settle(kattila: &TestManager, options: &Options) -> Self {
        let start = options.start;
        let world = World::new(options);
        let hosts = (0..world.agents()).map(|host| {
            let face = world.face(host).unwrap();
            let mut agent = kattila.agent(face.agent_id);
            face.fleet_id.clone_into(&mut agent.fleet);
            agent
        });
        Self { hosts: hosts.collect(), start, world }
    }

    /// Lives through one second: what is due breaks or heals, and whose turn it is reports.
    pub(crate) async fn second(&mut self, kattila: &TestManager, second: i64) {
        let now = UnixSeconds(self.start.0 + second);
        kattila.clock.set(now);
        self.world.step(now);
        let turn = usize::try_from(second % ROUND_S).unwrap();
        let due = self.hosts.iter_mut().enumerate().skip(turn).step_by(usize::from(ROUND));
        for (host, agent) in due {
            let Some(data) = self.world.report(host, now) else { continue };
            let envelope = agent.seal_v2(&String::from_utf8(data).unwrap());
            let answer = agent.send(&envelope).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        if second % 10 == 0 {
            kattila.advance(0).await;
        }
    }

    /// Reports to the manager of another address from now on.
    pub(crate) fn moved(&mut self, addr: SocketAddr) {
        self.hosts.iter_mut().for_each(|agent| *agent = agent.clone().moved(addr));
    }
}
