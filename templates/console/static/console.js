// What the console's pages gain by JavaScript: local times, read and typed, and parts that follow what happens.
// Without it they work.
"use strict";

const long = {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
};
const shapes = {
  long: new Intl.DateTimeFormat(undefined, long),
  distant: new Intl.DateTimeFormat(undefined, { year: "numeric", ...long }),
};

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const CLOCK = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const TYPED = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,6})?)?)?$/;

// A time that was typed without an offset gets the reader's, so that it is meant as the page shows times; null: there
// clocks are set forward over it.
function withOffset(text) {
  const clock = text.trim().match(CLOCK);
  if (clock) return withOffset(next(Number(clock[1]), Number(clock[2])));
  const parts = text.trim().match(TYPED);
  if (!parts) return text;
  const [year, month, day, ...time] = parts.slice(1).map((part) => Number(part ?? 0));
  const at = new Date(year, month - 1, day, ...time);
  if (time[0] < 24 && time[1] < 60 && parts[4] !== undefined && (at.getHours() !== time[0] || at.getMinutes() !== time[1])) return null;
  const offset = -at.getTimezoneOffset();
  const two = (number) => String(Math.trunc(Math.abs(number))).padStart(2, "0");
  const written = text.trim().replace(" ", "T") + (parts[4] === undefined ? "T00:00" : "");
  return `${written}${offset < 0 ? "-" : "+"}${two(offset / 60)}:${two(offset % 60)}`;
}

// The next time that clocks show this, as it is typed.
function next(hours, minutes) {
  const now = new Date();
  const at = new Date(now.getFullYear(), now.getMonth(), now.getDate(), hours, minutes);
  if (at <= now) at.setDate(at.getDate() + 1);
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(hours)}:${two(minutes)}`;
}

// Shows times in the reader's zone, and says which that is where one is typed; UTC stays in the title.
function localise(root) {
  for (const zone of root.querySelectorAll("[data-zone]")) zone.textContent = ZONE;
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const shape = at.getFullYear() === new Date().getFullYear() ? shapes.long : shapes.distant;
    time.textContent = shape.format(at);
  }
}

// How long ago times were, beside them, and buttons that copy what stands beside them.
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const SPANS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function ago(root) {
  for (const place of root.querySelectorAll("[data-ago]")) {
    const seconds = (new Date(place.parentElement.querySelector("time").dateTime) - Date.now()) / 1000;
    const [unit, size] = SPANS.find(([, size]) => Math.abs(seconds) >= size) ?? SPANS.at(-1);
    place.textContent = `(${AGO.format(Math.round(seconds / size), unit)})`;
  }
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});
setInterval(() => ago(document), 30_000);

// Exchanges the parts that differ, by their ids; what is typed, opened or focused stays, and what has no id never changes.
function renew(main, next) {
  for (const part of [...main.children]) {
    if (id(part) && !next.querySelector(`:scope > #${id(part)}`)) part.remove();
  }
  let before = null;
  for (const part of [...next.children]) {
    const place = id(part) && main.querySelector(`:scope > #${id(part)}`);
    if (place) exchange(place, part);
    else if (id(part)) before ? before.after(part) : main.prepend(part);
    if (id(part)) before = document.getElementById(id(part));
  }
}

function exchange(place, part) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  if (place.dataset.keep !== undefined || focused?.matches("input, select, textarea")) return;
  for (const kept of part.querySelectorAll("[data-keep]")) {
    const old = place.querySelector(`#${id(kept)}`);
    if (old) kept.replaceWith(old);
  }
  for (const opened of part.querySelectorAll("details")) opened.open = place.querySelector(`#${id(opened)}`)?.open ?? opened.open;
  if (part.matches("details")) part.open = place.open;
  if (place.isEqualNode(part)) return;
  place.replaceWith(part);
  if (focused) part.querySelector(address(focused))?.focus({ preventScroll: true });
}

// A form's own `id` may be a field of that name.
function id(element) {
  return element.getAttribute("id");
}

// How to find the same element in the new part.
function address(element) {
  if (id(element)) return `#${id(element)}`;
  const tag = element.tagName.toLowerCase();
  return element.hasAttribute("href") ? `${tag}[href="${CSS.escape(element.getAttribute("href"))}"]` : tag;
}

// Listens while the page is looked at: a browser keeps few connections to one server.
function follow() {
  const state = document.querySelector("[data-connection]");
  const main = document.getElementById("content");
  let source = null;
  const show = (text, kind) => { state.textContent = text; state.className = `state ${kind}`; };
  const stop = () => { source?.close(); source = null; };
  const start = () => {
    stop();
    source = new EventSource(location.href);
    source.onopen = () => show("live", "good");
    source.onerror = () => {
      show("connecting", "wait");
      if (source?.readyState === EventSource.CLOSED) setTimeout(start, 2000);
    };
    source.addEventListener("page", (event) => {
      const next = document.createElement("main");
      next.innerHTML = event.data;
      localise(next);
      ago(next);
      renew(main, next);
    });
    source.addEventListener("gone", () => location.reload());
    source.addEventListener("full", () => { stop(); show("too many live pages: reload this one", "wait"); });
  };
  document.addEventListener("visibilitychange", () => document.hidden ? stop() : start());
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) start(); });
  start();
}

localise(document);
ago(document);
document.addEventListener("submit", (event) => {
  for (const input of event.target.querySelectorAll("input[data-time]")) {
    const text = withOffset(input.value);
    if (text === null) {
      event.preventDefault();
      input.setCustomValidity("This time does not exist here: clocks are set forward over it.");
      input.reportValidity();
      input.addEventListener("input", () => input.setCustomValidity(""), { once: true });
    } else input.value = text;
  }
});
// A preview follows what is typed.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let waiting = 0;
  const show = () => { clearTimeout(waiting); waiting = setTimeout(() => form.querySelector("button").click(), 400); };
  form.addEventListener("input", (event) => { if (event.target.name !== "address") show(); });
  show();
}
if ("live" in document.body.dataset) follow();
