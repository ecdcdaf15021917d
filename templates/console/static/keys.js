// Single keys of the console, which a page lists at "?". They do nothing while somebody types, nor with a modifier; and
// not at all where the reader has switched them off (WCAG 2.1.4), which this browser keeps.
"use strict";

{
  const SWITCH = "varsel-keys"; // in localStorage: "off"
  const PATIENCE = 2000; // milliseconds between "g" and the letter of a page
  // What "j" and "k" walk through: rows of lists, what was found, and the pauses, cards and groups of the overview.
  const ROWS = "#list tbody tr, .found > li, .finding:has(form), .card, .failures > li, #pauses .history > li";
  const TYPED = "input:not([type=checkbox], [type=radio], [type=range]), select, textarea";
  const dialog = document.getElementById("keys");
  const choice = document.getElementById("keys-on");
  let going = 0; // until when a letter is the name of a page

  const focus = (element) => {
    element?.focus();
    return Boolean(element);
  };
  const follow = (link) => {
    link?.click();
    return Boolean(link);
  };
  const seen = (selector) => [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
  const rows = () => [...document.querySelectorAll(ROWS)];
  const current = () => document.activeElement.closest(ROWS);

  // Moves to the row so many further on: to its link, or else to the first thing in it that can be used.
  function walk(steps) {
    const all = rows();
    const place = all.indexOf(current());
    const row = all[place < 0 ? 0 : Math.min(Math.max(place + steps, 0), all.length - 1)];
    const first = row?.matches(".card, .finding") ? "button" : "a"; // what can be done, or what it leads to
    const found = focus(row?.querySelector(first) ?? row?.querySelector("button, a"));
    row?.scrollIntoView({ block: "nearest" });
    return found;
  }

  function open() {
    dialog.showModal();
    return true;
  }

  const does = {
    "/": () => focus(document.getElementById("find")),
    "?": open,
    f: () => focus(document.getElementById("narrow")),
    j: () => walk(1),
    k: () => walk(-1),
    x: () => follow(current()?.querySelector(".box input")),
    // Where rows are selected, to what is done to these alone.
    a: () => focus(seen("#selected [data-does]") ?? seen(".actions button, .bulk button, #pause-more > summary")),
    n: () => follow(document.querySelector("a[rel=next]")),
    p: () => follow(document.querySelector("a[rel=prev]")),
    g: () => Boolean(going = Date.now() + PATIENCE),
  };

  function pressed(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = target.closest?.(TYPED);
    if (field) {
      if (key === "Escape") field.blur();
      return;
    }
    if (!choice.checked || dialog.open) return;
    const goes = Date.now() < going;
    going = 0;
    const page = goes && document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`);
    if (page ? follow(page) : Object.hasOwn(does, key) && does[key]()) event.preventDefault();
  }

  if (dialog) {
    choice.checked = localStorage.getItem(SWITCH) !== "off";
    choice.addEventListener("change", () => localStorage.setItem(SWITCH, choice.checked ? "on" : "off"));
    const button = document.querySelector("[data-keys]");
    button.hidden = false;
    button.addEventListener("click", open);
    addEventListener("keydown", pressed);
  }
}
