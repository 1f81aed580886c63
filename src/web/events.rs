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

/// Who listens to what.
pub(super) struct Hub {
    topics: Mutex<HashMap<Topic, watch::Sender<Option<Picture>>>>,
    places: Arc<Semaphore>,
}

impl Default for Hub {
    fn default() -> Self {
        Hub { topics: Mutex::default(), places: Arc::new(Semaphore::new(LISTENERS_MAX)) }
    }
}

/// One who listens.
struct Listener {
    pictures: watch::Receiver<Option<Picture>>,
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
        let pictures = {
            let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            match topics.get(&topic) {
                Some(sender) => sender.subscribe(),
                None => {
                    let (sender, receiver) = watch::channel(None);
                    topics.insert(topic.clone(), sender);
                    tokio::spawn(poll(Arc::clone(site), topic));
                    receiver
                }
            }
        };
        let mut listener = Listener {
            pictures,
            ends: site.ends.clone(),
            told: HashMap::new(),
            trouble: None,
            events: VecDeque::from([alive().retry(AGAIN)]),
            silent_until: Instant::now() + ALIVE,
            _place: place,
        };
        listener.pictures.mark_changed();
        Some(stream::unfold(listener, |mut listener| async {
            let event = listener.next().await?;
            Some((Ok(event), listener))
        }))
    }

    fn tell(&self, topic: &Topic, picture: Result<Vec<Part>, String>) -> bool {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = topics.get(topic) else { return false };
        if sender.receiver_count() == 0 {
            topics.remove(topic);
            return false;
        }
        sender.send_if_modified(|known| {
            let is_news = known.as_ref().is_none_or(|known| **known != picture);
            if is_news {
                *known = Some(Arc::new(picture));
            }
            is_news
        });
        true
    }
}

/// Looks again and again until nobody listens or the server ends.
async fn poll(site: Arc<Site>, topic: Topic) {
    let mut ends = site.ends.clone();
    loop {
        let began = Instant::now();
        let picture = pages::parts(&site, &topic).await.map_err(|error| format!("{error:#}"));
        if !site.hub.tell(&topic, picture) {
            return;
        }
        // A page that is slow to make is made more rarely.
        let pause = EVERY.max(began.elapsed() * 4);
        tokio::select! {
            () = sleep(pause) => {}
            _ = ends.wait_for(|ends| *ends) => return,
        }
    }
}

impl Listener {
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
                changed = self.pictures.changed() => match changed {
                    Ok(()) => Heard::Picture,
                    // The poller is gone: the browser connects again.
                    Err(_) => Heard::End,
                },
                () = sleep_until(self.silent_until) => Heard::Nothing,
                _ = self.ends.wait_for(|ends| *ends) => Heard::End,
            };
            match heard {
                Heard::Picture => self.look(),
                // While nobody can tell how things stand nothing is as it was.
                Heard::Nothing if self.trouble.is_some() => self.events.push_back(self.tell_trouble()),
                Heard::Nothing => self.events.push_back(alive()),
                Heard::End => return None,
            }
        }
    }

    /// Notes what has to be told of the latest picture.
    fn look(&mut self) {
        let Some(picture) = self.pictures.borrow_and_update().clone() else { return };
        match &*picture {
            Err(why) => {
                self.trouble = Some(why.clone());
                let event = self.tell_trouble();
                self.events.push_back(event);
            }
            Ok(parts) => {
                self.trouble = None;
                for part in parts.iter().filter(|part| self.told.get(part.id) != Some(&part.html.0)) {
                    let data = json!({ "id": part.id, "html": part.html.0 }).to_string();
                    self.events.push_back(Event::default().event("part").data(data));
                }
                self.told.extend(parts.iter().map(|part| (part.id, part.html.0.clone())));
                if self.events.is_empty() {
                    self.events.push_back(alive());
                }
            }
        }
    }

    fn tell_trouble(&self) -> Event {
        let why = self.trouble.as_deref().unwrap_or_default();
        Event::default().event("trouble").data(json!(why).to_string())
    }
}

/// What a listener has heard.
enum Heard {
    Picture,
    Nothing,
    End,
}

fn alive() -> Event {
    // Browsers pass over an event without data.
    Event::default().event("alive").data("1")
}
