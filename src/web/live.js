// Puts what has changed into the page: focus, scrolling, selections and what is folded open stay as they are.
"use strict";
(() => {
  const place = document.getElementById("live");
  if (!place) return;
  const QUIET_MS = 15000;
  const AGAIN_MS = 5000;
  let source = null;
  let seen = null;
  let heard = 0;

  const clock = (at) => at.toLocaleTimeString("en-GB", { hour12: false });
  const show = (state, text) => {
    if (place.dataset.state === state && place.textContent === text) return;
    place.dataset.state = state;
    place.textContent = text;
  };
  const live = () => {
    seen = new Date();
    heard = Date.now();
    show("live", "Live");
  };
  const lost = (why) => {
    const when = seen ? "last seen " + clock(seen) : "reload the page to see the latest";
    show("lost", "Not live: " + (why ? why + "; " : "") + when);
  };

  // Makes `old` like `fresh`, node by node: what is the same is left alone.
  const sameKind = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
  const setAttributes = (old, fresh) => {
    for (const { name } of Array.from(old.attributes)) {
      if (name === "open" && old.nodeName === "DETAILS") continue;
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of Array.from(fresh.attributes)) {
      if (name === "open" && old.nodeName === "DETAILS") continue;
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };
  const put = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    setAttributes(old, fresh);
    putChildren(old, fresh);
  };
  const putChildren = (old, fresh) => {
    const next = Array.from(fresh.childNodes);
    next.forEach((child, index) => {
      const there = old.childNodes[index];
      if (!there) old.appendChild(child);
      else if (sameKind(there, child)) put(there, child);
      else old.replaceChild(child, there);
    });
    while (old.childNodes.length > next.length) old.removeChild(old.lastChild);
  };

  const part = (event) => {
    const { id, html } = JSON.parse(event.data);
    const old = document.getElementById(id);
    if (!old) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    putChildren(old, fresh.content);
  };

  const connect = () => {
    source = new EventSource(place.dataset.events);
    source.addEventListener("part", (event) => { part(event); live(); });
    source.addEventListener("alive", live);
    source.addEventListener("trouble", (event) => {
      // The connection lives: what is wrong lies behind it.
      heard = Date.now();
      lost(JSON.parse(event.data).split("\n")[0]);
    });
    source.onerror = () => {
      // A browser gives up where the answer is a refusal: another server has started, or too many listen.
      const isRefused = source.readyState === EventSource.CLOSED;
      lost(isRefused ? "refused, reload the page" : "");
      if (isRefused) setTimeout(connect, AGAIN_MS);
    };
  };
  setInterval(() => {
    if (heard && Date.now() - heard > QUIET_MS) {
      heard = 0;
      lost("");
      source.close();
      connect();
    }
  }, AGAIN_MS);
  addEventListener("pagehide", () => source && source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  connect();
})();
