//! The connection of a session that has one at a time, made and read on the feed's own thread.

use super::link::{End, Link};
use super::session::{SLEEP_MAX, Session};
use crate::feed::wire::Wire;
use crate::market::publish::Publish;

impl<P: Publish> Session<'_, P> {
    /// Connects again and again. Gives the reason if no connection can be made.
    pub fn on_one(&mut self, link: &mut Link) -> Option<String> {
        loop {
            let connector = &self.settings.connector;
            let mut wire = match connector.connect_until(&self.clock, self.status.stop_flag(), self.ends) {
                Ok(wire) => wire,
                Err(_) if self.is_over() => return None,
                Err(error) => match link.not_connected(&error, self) {
                    Ok(delay) if self.sleep(delay) => continue,
                    Ok(_) => return None,
                    Err(gave_up) => return Some(gave_up),
                },
            };
            link.connected(self);
            self.links_up = 1;
            self.tell_status();
            let end = self.until_its_end(link, &mut wire);
            let delay = link.ended(wire, &end, self);
            self.links_up = 0;
            self.tell_status();
            if !delay.is_some_and(|delay| self.sleep(delay)) {
                return None;
            }
        }
    }

    /// Takes messages until the connection or the session ends.
    fn until_its_end(&mut self, link: &mut Link, wire: &mut Wire) -> End {
        let mut vitals = match link.subscribe(wire, self) {
            Ok(vitals) => vitals,
            Err(end) => return end,
        };
        loop {
            let found = link.take_messages(wire, &mut vitals, self).and_then(|took| {
                if !took && !self.is_over() {
                    self.wait(|| wire.wait(SLEEP_MAX))?;
                }
                Ok(())
            });
            if let Err(end) = found {
                return end;
            }
            if self.is_over() {
                return End::Session;
            }
        }
    }
}
