//! Several connections at once, read in turns by the feed's one thread; threads of their own make them.

use super::link::{End, Link};
use super::session::{SLEEP_MAX, Session};
use crate::base::clock::Clock;
use crate::feed::coinbase::subscription::PRODUCTS_PER_CONNECTION;
use crate::feed::vitals::Vitals;
use crate::feed::wire::{self, Connector, Wire, WireError};
use crate::market::event::PRODUCTS_MAX;
use crate::market::publish::Publish;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The most links of a session.
const LINKS_MAX: usize = PRODUCTS_MAX.div_ceil(PRODUCTS_PER_CONNECTION);
/// The longest sleep of a blocking feed while a connection is being made: how late it notices that it is.
const MAKING_SLEEP_MAX: Duration = Duration::from_millis(5);

/// Makes the connections of a link one after another, on a thread of its own: a handshake takes as long as the venue lets it, and
/// the other links' messages do not wait meanwhile. The thread is begun before the feed's is pinned, so that it is not pinned too.
#[derive(Debug)]
pub(super) struct Dialler {
    orders: Sender<Order>,
    made: Receiver<Result<Wire, WireError>>,
    stop: Arc<AtomicBool>,
}

/// What a dialler is told: whose stamps the connection has, and when nobody waits for it any more.
struct Order {
    clock: Clock,
    until: Option<Instant>,
}

impl Dialler {
    /// Begins the thread.
    ///
    /// # Errors
    /// The system has none to give.
    pub fn start(connector: &Arc<Connector>) -> io::Result<Self> {
        let (orders, ordered) = bounded::<Order>(1);
        let (give, made) = bounded(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (connector, stopped) = (Arc::clone(connector), Arc::clone(&stop));
        thread::Builder::new().name("dialler".into()).spawn(move || {
            for Order { clock, until } in ordered {
                if give.send(connector.connect_until(&clock, &stopped, until)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { orders, made, stop })
    }
}

impl Drop for Dialler {
    /// A connection that is being made is given up; the thread ends by itself.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How far a link has come.
enum State {
    /// Until the next attempt.
    Rests(Instant),
    Dials,
    /// Connected.
    Up(Box<(Wire, Vitals)>),
}

/// What a turn was.
enum Turn {
    /// There may be more to read at once.
    Took,
    /// There is nothing to read.
    Idle,
    /// The session is over.
    Over,
}

/// A link among several.
struct Place {
    link: Link,
    dialler: Dialler,
    state: State,
}

impl<P: Publish> Session<'_, P> {
    /// Makes each connection again and again, and reads them in turns. Gives the links back, and why the session gave up, if it did.
    pub fn on_several(&mut self, links: Vec<Link>, diallers: Vec<Dialler>) -> (Vec<Link>, Option<String>) {
        let now = Instant::now();
        let place = |(link, dialler)| Place { link, dialler, state: State::Rests(now) };
        let mut places: Vec<Place> = links.into_iter().zip(diallers).map(place).collect();
        let gave_up = self.in_turns(&mut places).err();
        let leave = |Place { mut link, state, .. }: Place| {
            if let State::Up(up) = state {
                link.ended(up.0, &End::Session, self);
            }
            link
        };
        (places.into_iter().map(leave).collect(), gave_up)
    }

    /// Until the session is over. Fails with the words with which it gives up.
    fn in_turns(&mut self, places: &mut [Place]) -> Result<(), String> {
        loop {
            let mut took = false;
            for place in &mut *places {
                match self.turn(place)? {
                    Turn::Took => took = true,
                    Turn::Idle => {}
                    Turn::Over => return Ok(()),
                }
            }
            if self.is_over() {
                return Ok(());
            }
            if took {
                continue;
            }
            let all_up = places.iter().all(|place| matches!(place.state, State::Up(_)));
            let longest = if all_up { SLEEP_MAX } else { MAKING_SLEEP_MAX };
            let up: [Option<&Wire>; LINKS_MAX] = std::array::from_fn(|at| match &places.get(at)?.state {
                State::Up(up) => Some(&up.0),
                State::Rests(_) | State::Dials => None,
            });
            self.wait(|| wire::wait_for_any(up, longest).map_err(WireError::Io)).map_err(|error| error.to_string())?;
        }
    }

    /// What there is to do for one link.
    #[inline]
    fn turn(&mut self, place: &mut Place) -> Result<Turn, String> {
        match &mut place.state {
            State::Up(up) => {
                let (wire, vitals) = &mut **up;
                match place.link.take_messages(wire, vitals, self) {
                    Ok(true) => Ok(Turn::Took),
                    Ok(false) => Ok(Turn::Idle),
                    Err(end) => Ok(self.leave(place, &end)),
                }
            }
            State::Rests(until) => {
                if Instant::now() >= *until {
                    // There is room: the answer to the last order was taken.
                    let _ = place.dialler.orders.try_send(Order { clock: self.clock.clone(), until: self.ends });
                    place.state = State::Dials;
                }
                Ok(Turn::Idle)
            }
            State::Dials => match place.dialler.made.try_recv() {
                Err(TryRecvError::Empty) => Ok(Turn::Idle),
                Err(TryRecvError::Disconnected) => Err("the thread that makes connections has ended".into()),
                Ok(Err(_)) if self.is_over() => Ok(Turn::Over),
                Ok(Err(error)) => {
                    let delay = place.link.not_connected(&error, self)?;
                    place.state = State::Rests(Instant::now() + delay);
                    Ok(Turn::Idle)
                }
                Ok(Ok(wire)) => Ok(self.begin(place, wire)),
            },
        }
    }

    /// A connection was made.
    fn begin(&mut self, place: &mut Place, mut wire: Wire) -> Turn {
        place.link.connected(self);
        self.links_up += 1;
        self.tell_status();
        match place.link.subscribe(&mut wire, self) {
            Ok(vitals) => {
                place.state = State::Up(Box::new((wire, vitals)));
                Turn::Took
            }
            Err(end) => self.end(place, wire, &end),
        }
    }

    /// A connection is over.
    #[cold]
    fn leave(&mut self, place: &mut Place, end: &End) -> Turn {
        match std::mem::replace(&mut place.state, State::Dials) {
            State::Up(up) => self.end(place, up.0, end),
            State::Rests(_) | State::Dials => Turn::Idle,
        }
    }

    fn end(&mut self, place: &mut Place, wire: Wire, end: &End) -> Turn {
        let delay = place.link.ended(wire, end, self);
        self.links_up -= 1;
        self.tell_status();
        place.state = State::Rests(Instant::now() + delay.unwrap_or_default());
        if delay.is_some() { Turn::Idle } else { Turn::Over }
    }
}
