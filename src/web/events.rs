//! What is live: the parts of a page that have changed, at most once a second, for as long as somebody listens.
//!
//! All who listen to a page have one poller, which ends with the last of them.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::Stream;
use futures_util::stream;
use maud::Markup;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::pages;
use super::site::Site;

/// Who may listen at a time: each holds a connection.
const LISTENERS_MAX: usize = 32;

/// The time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// How long a look may take before it is said that nobody knows how things stand.
const LATE: Duration = Duration::from_secs(10);

/// How often a listener is told that nothing has changed: it has lost the connection where it hears nothing for longer.
const ALIVE: Duration = Duration::from_secs(5);

/// How long a browser waits before it connects again.
const AGAIN: Duration = Duration::from_secs(2);

/// What is listened to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// All batches.
    Batches,
    /// The batch of that name.
    Batch(String),
    /// The runs.
    Runs,
}

/// A part of a page that changes, by the name of its element.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) id: &'static str,
    pub(super) html: Markup,
}

impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        self.id == other.id && self.html.0 == other.html.0
    }
}

/// How a page looks at one moment, or why that cannot be told.
type Picture = Arc<Result<Vec<Part>, String>>;

/// What the poller of a topic has told.
#[derive(Debug, Clone)]
struct Seen {
    /// How it looked last; `None`: nobody has looked yet.
    picture: Option<Picture>,
    /// When the next look is late: then nobody knows any more how things stand.
    late_from: Instant,
}

impl Seen {
    fn nothing_yet(now: Instant) -> Seen {
        Seen { picture: None, late_from: now + LATE }
    }

    /// Notes a look; whether anything is other than before.
    fn note(&mut self, picture: Result<Vec<Part>, String>, late_from: Instant) -> bool {
        self.late_from = late_from;
        let is_news = self.picture.as_ref().is_none_or(|known| **known != picture);
        if is_news {
            self.picture = Some(Arc::new(picture));
        }
        is_news
    }
}

/// Who listens to what.
pub(super) struct Hub {
    topics: Mutex<HashMap<Topic, watch::Sender<Seen>>>,
    places: Arc<Semaphore>,
}

impl Default for Hub {
    fn default() -> Self {
        Hub { topics: Mutex::default(), places: Arc::new(Semaphore::new(LISTENERS_MAX)) }
    }
}

/// One who listens.
struct Listener {
    seen: watch::Receiver<Seen>,
    ends: watch::Receiver<bool>,
    /// What it has been told of each part.
    told: HashMap<&'static str, String>,
    trouble: Option<String>,
    events: VecDeque<Event>,
    silent_until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Hub {
    /// The events of a topic; `None` where too many listen already.
    pub(super) fn listen(
        &self,
        site: &Arc<Site>,
        topic: Topic,
    ) -> Option<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let seen = {
            let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            match topics.get(&topic) {
                Some(sender) => sender.subscribe(),
                None => {
                    let (sender, receiver) = watch::channel(Seen::nothing_yet(Instant::now()));
                    topics.insert(topic.clone(), sender);
                    tokio::spawn(poll(Arc::clone(site), topic));
                    receiver
                }
            }
        };
        Some(stream::unfold(Listener::new(seen, site.ends.clone(), place), |mut listener| async {
            let event = listener.next().await?;
            Some((Ok(event), listener))
        }))
    }

    /// Tells all who listen of a look; `false` where nobody does any more.
    fn tell(&self, topic: &Topic, picture: Result<Vec<Part>, String>, late_from: Instant) -> bool {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = topics.get(topic) else { return false };
        if sender.receiver_count() == 0 {
            topics.remove(topic);
            return false;
        }
        sender.send_if_modified(|seen| seen.note(picture, late_from));
        true
    }
}

/// Looks again and again until nobody listens or the server ends.
async fn poll(site: Arc<Site>, topic: Topic) {
    let mut ends = site.ends.clone();
    loop {
        let began = Instant::now();
        let (of, what) = (Arc::clone(&site), topic.clone());
        let looking = async move { pages::parts(&of, &what).await.map_err(|error| format!("{error:#}")) };
        let picture = unbroken(looking).await;
        // A page that is slow to make is made more rarely.
        let pause = EVERY.max(began.elapsed() * 4);
        if !site.hub.tell(&topic, picture, Instant::now() + pause + LATE) {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = ends.wait_for(|ends| *ends) => return,
        }
    }
}

/// A look as a task of its own, so that a defect in a page is told and looked at anew, and leaves nobody without news.
async fn unbroken(
    looking: impl Future<Output = Result<Vec<Part>, String>> + Send + 'static,
) -> Result<Vec<Part>, String> {
    match tokio::spawn(looking).await {
        Ok(picture) => picture,
        Err(error) => {
            tracing::error!("making a page was broken off: {error}");
            Err("making the page was broken off, which is a defect of mep-batch".to_owned())
        }
    }
}

impl Listener {
    fn new(mut seen: watch::Receiver<Seen>, ends: watch::Receiver<bool>, place: OwnedSemaphorePermit) -> Listener {
        // What was seen last is told at once.
        seen.mark_changed();
        Listener {
            seen,
            ends,
            told: HashMap::new(),
            trouble: None,
            // A page is live once it is told of a look, and not before.
            events: VecDeque::from([Event::default().retry(AGAIN)]),
            silent_until: Instant::now() + ALIVE,
            _place: place,
        }
    }

    /// The next event; `None` once the server ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if *self.ends.borrow() {
                return None;
            }
            if let Some(event) = self.events.pop_front() {
                self.silent_until = Instant::now() + ALIVE;
                return Some(event);
            }
            let heard = tokio::select! {
                changed = self.seen.changed() => match changed {
                    Ok(()) => Heard::Picture,
                    // The poller is gone: the browser connects again.
                    Err(_) => Heard::End,
                },
                () = sleep_until(self.silent_until) => Heard::Nothing,
                _ = self.ends.wait_for(|ends| *ends) => Heard::End,
            };
            match heard {
                Heard::Picture => self.look(),
                Heard::Nothing => self.events.push_back(self.stands(Instant::now())),
                Heard::End => return None,
            }
        }
    }

    /// Notes what has to be told of the latest picture.
    fn look(&mut self) {
        let Some(picture) = self.seen.borrow_and_update().picture.clone() else { return };
        self.trouble = picture.as_ref().as_ref().err().cloned();
        match &*picture {
            Err(_) => {}
            Ok(parts) => {
                for part in parts.iter().filter(|part| self.told.get(part.id) != Some(&part.html.0)) {
                    let data = json!({ "id": part.id, "html": part.html.0 }).to_string();
                    self.events.push_back(Event::default().event("part").data(data));
                }
                self.told.extend(parts.iter().map(|part| (part.id, part.html.0.clone())));
            }
        }
        self.events.push_back(self.stands(Instant::now()));
    }

    /// Whether what was told is how things stand, or why nobody can tell.
    fn stands(&self, now: Instant) -> Event {
        let is_late = self.seen.borrow().late_from < now;
        match &self.trouble {
            Some(why) => trouble(why),
            None if is_late => trouble("the database has not answered for more than 10 s"),
            // Browsers pass over an event without data.
            None => Event::default().event("alive").data("1"),
        }
    }
}

fn trouble(why: &str) -> Event {
    Event::default().event("trouble").data(json!(why).to_string())
}

/// What a listener has heard.
enum Heard {
    Picture,
    Nothing,
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(sender: &watch::Sender<Seen>) -> Listener {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a place");
        Listener::new(sender.subscribe(), watch::channel(false).1, place)
    }

    fn part(says: &str) -> Result<Vec<Part>, String> {
        Ok(vec![Part { id: "standing", html: maud::PreEscaped(says.to_owned()) }])
    }

    /// What is to be told, as it goes over the wire.
    fn told(listener: &mut Listener) -> String {
        listener.events.drain(..).map(|event| format!("{event:?}")).collect()
    }

    #[test]
    fn a_page_is_live_once_it_is_told_of_a_look() {
        let now = Instant::now();
        let sender = watch::Sender::new(Seen::nothing_yet(now));
        let mut listener = listener(&sender);
        listener.look();
        let first = told(&mut listener);
        assert!(first.contains("retry") && !first.contains("alive"), "{first}");
        sender.send_modify(|seen| assert!(seen.note(part("a"), now + LATE)));
        listener.look();
        let looked = told(&mut listener);
        assert!(looked.contains("part") && looked.contains("alive"), "{looked}");
    }

    #[tokio::test]
    async fn a_look_that_was_broken_off_is_told_as_trouble() {
        let broken = unbroken(async { unreachable!("as a defect would") }).await;
        assert!(broken.expect_err("no picture").contains("broken off"));
        assert_eq!(unbroken(async { part("a") }).await, part("a"));
    }

    #[test]
    fn a_look_that_is_late_is_told_until_the_next_one() {
        let now = Instant::now();
        let sender = watch::Sender::new(Seen::nothing_yet(now));
        let mut listener = listener(&sender);
        sender.send_modify(|seen| assert!(seen.note(part("a"), now + LATE)));
        listener.look();
        let stands =
            |listener: &Listener, seconds| format!("{:?}", listener.stands(now + Duration::from_secs(seconds)));
        assert!(stands(&listener, 9).contains("alive"));
        assert!(stands(&listener, 11).contains("has not answered"));
        // The same as before is no news, and a look all the same.
        sender.send_modify(|seen| assert!(!seen.note(part("a"), now + LATE * 3)));
        assert!(stands(&listener, 11).contains("alive"));
        sender.send_modify(|seen| assert!(seen.note(Err("gone".to_owned()), now + LATE * 3)));
        listener.look();
        assert!(stands(&listener, 11).contains("gone"));
        let mut late = self::listener(&sender);
        sender.send_modify(|seen| assert!(seen.note(part("b"), now)));
        late.look();
        assert!(stands(&late, 1).contains("has not answered"), "who comes later is not told that it is live");
    }
}
