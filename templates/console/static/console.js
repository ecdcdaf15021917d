// What the console's pages gain by JavaScript: times as the reader's language writes them, and parts that follow what happens.
// Without it they work.
"use strict";

const long = {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
};
// The reader's zone: the chosen one, or the browser's, which the server learns from a cookie.
const page = document.documentElement;
const BROWSERS = Intl.DateTimeFormat().resolvedOptions().timeZone;
const ZONE = "chosen" in page.dataset ? page.dataset.zone : BROWSERS;
// The page's language, as the browser's reader writes it: British, say. Few browsers know nynorsk; bokmål writes times alike.
const LANGUAGES = [...navigator.languages.filter((each) => each.split("-")[0] === page.lang), page.lang, "nb"];
const shapes = {
  long: new Intl.DateTimeFormat(LANGUAGES, { ...long, timeZone: ZONE }),
  distant: new Intl.DateTimeFormat(LANGUAGES, { year: "numeric", ...long, timeZone: ZONE }),
};
// As fields for times have them: Swedish writes 2026-05-01 08:00.
const FIELDS = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: ZONE });
if (!("chosen" in page.dataset) && page.dataset.zone !== BROWSERS) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  const home = document.querySelector(".brand").pathname; // "/console", below the installation's path if it has one
  document.cookie = `varsel_browser_zone=${BROWSERS}; path=${home}; max-age=31536000; samesite=lax${secure}`;
}

// Shows times in the reader's zone, as the language writes them, and says which zone that is; UTC stays in the title.
function localise(root) {
  for (const zone of root.querySelectorAll("[data-zone]")) {
    if (zone.matches("input")) zone.value = ZONE;
    else zone.textContent = ZONE;
  }
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const shape = at.getFullYear() === new Date().getFullYear() ? shapes.long : shapes.distant;
    time.textContent = shape.format(at);
  }
  for (const field of root.querySelectorAll("input[data-at]")) {
    if (field.value === field.defaultValue) field.value = FIELDS.format(new Date(field.dataset.at)).replace(" ", "T");
  }
}

// How long ago times were, beside them, and buttons that copy what stands beside them.
const AGO = new Intl.RelativeTimeFormat(LANGUAGES, { numeric: "auto" });
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
  const { copied, copyAgain } = button.dataset;
  button.textContent = copied;
  setTimeout(() => { button.textContent = copyAgain; }, 1500);
});
setInterval(() => ago(document), 30_000);

// The menu of a narrow screen closes by Escape, and when something else is used.
const menu = document.getElementById("menu");
const leave = ({ target }) => { if (menu?.open && !menu.contains(target)) menu.open = false; };
addEventListener("click", leave);
addEventListener("focusin", leave);
addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || !menu?.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// Rows of a list that are selected: how many, on the buttons. Meanwhile the list stands still.
const SELECTED = "[form=selected]:checked";

function select(root) {
  const form = root.querySelector("[data-selected]");
  if (!form) return;
  const boxes = root.querySelectorAll("[form=selected]");
  const selected = [...root.querySelectorAll(SELECTED)], count = selected.length;
  form.querySelector("[data-how-many]").textContent = count ? form.dataset.some.replace("{count}", count) : form.dataset.none;
  for (const button of form.querySelectorAll("[data-does]")) {
    const fitting = selected.filter(({ dataset }) => dataset.fits?.split(" ").includes(button.dataset.verb) ?? true).length;
    button.hidden = !fitting;
    button.textContent = button.dataset.does.replace("{count}", fitting);
  }
  const all = root.querySelector("#all-rows");
  all.hidden = false;
  all.checked = count === boxes.length;
  all.indeterminate = 0 < count && count < boxes.length;
}

document.addEventListener("change", ({ target }) => {
  if (target.matches("#all-rows")) {
    for (const box of document.querySelectorAll("[form=selected]")) box.checked = target.checked;
  } else if (!target.matches("[form=selected]")) return;
  select(document);
});
addEventListener("pageshow", () => select(document)); // a browser that goes back keeps what was ticked

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
  if (place.dataset.keep !== undefined || focused?.matches("input:not([type=checkbox]), select, textarea")) return;
  if (place.querySelector(SELECTED)) return;
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
  if (element.ariaLabel) return `${tag}[aria-label="${CSS.escape(element.ariaLabel)}"]`;
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
    source.onopen = () => show(state.dataset.live, "good");
    source.onerror = () => {
      show(state.dataset.connecting, "wait");
      if (source?.readyState === EventSource.CLOSED) setTimeout(start, 2000);
    };
    source.addEventListener("page", (event) => {
      const next = document.createElement("main");
      next.innerHTML = event.data;
      localise(next);
      ago(next);
      select(next);
      renew(main, next);
    });
    source.addEventListener("gone", () => location.reload());
    source.addEventListener("full", () => { stop(); show(state.dataset.full, "wait"); });
  };
  document.addEventListener("visibilitychange", () => document.hidden ? stop() : start());
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) start(); });
  start();
}

localise(document.body);
ago(document);
// A preview follows what is typed.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let waiting = 0;
  const show = () => { clearTimeout(waiting); waiting = setTimeout(() => form.querySelector("button").click(), 400); };
  form.addEventListener("input", (event) => { if (event.target.name !== "address") show(); });
  show();
}
if ("live" in document.body.dataset) follow();
