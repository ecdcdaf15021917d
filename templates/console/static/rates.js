// What the page of rates gains by JavaScript: marks of the time in the reader's zone, and the values of the step that
// is pointed at: by mouse, finger, or the slider, which the arrow keys move. The values are those of the table.
"use strict";

{
  const FORMATS = {
    clock: new Intl.DateTimeFormat(LANGUAGES, { hour: "2-digit", minute: "2-digit" }),
    weekday: new Intl.DateTimeFormat(LANGUAGES, { weekday: "short", day: "numeric" }),
    date: new Intl.DateTimeFormat(LANGUAGES, { day: "numeric", month: "short" }),
  };
  const FROM = new Intl.DateTimeFormat(LANGUAGES, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const SVG = "http://www.w3.org/2000/svg";
  const slider = document.getElementById("at-step");
  const told = document.getElementById("at-time");
  const own = new WeakMap(); // of a place for a value, what stands there while nothing is pointed at
  let chosen = null;

  const charts = () => document.getElementById("charts");
  const begin = (step) => new Date((Number(charts().dataset.first) + step * Number(charts().dataset.step)) * 1000);

  // When marks of the time begin in the reader's zone, up to the end of the last step.
  function marks() {
    const { every, shape } = charts().dataset;
    const first = begin(0), end = begin(Number(slider.max) + 1), found = [];
    const at = new Date(first.getFullYear(), first.getMonth(), first.getDate());
    while (at < end) {
      if (at >= first) found.push(new Date(at));
      if (shape === "clock") at.setMinutes(at.getMinutes() + Number(every) / 60);
      else at.setDate(at.getDate() + Number(every) / 86400);
    }
    return found.map((mark) => [100 * (mark - first) / (end - first), FORMATS[shape].format(mark)]);
  }

  function element(name, attributes, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  function localise_marks() {
    const found = marks();
    for (const times of document.querySelectorAll(".times")) {
      times.replaceChildren(...found.flatMap(([at, label]) => [
        element("line", { class: "grid", x1: `${at}%`, x2: `${at}%`, y1: 0, y2: "100%" }),
        element("text", { x: `${at}%`, y: "100%", dy: 16, ...(at > 97 ? { class: "last" } : {}) }, label),
      ]));
    }
  }

  // The values of a step by series, as the table has them; its newest step is the first.
  function values(step) {
    const cells = document.querySelectorAll(".values tbody tr")[Number(slider.max) - step]?.cells ?? [];
    const heads = [...document.querySelectorAll(".values thead th")];
    return new Map(heads.slice(1).map((head, place) => [head.dataset.series, [head.textContent, cells[place + 1]?.textContent]]));
  }

  function show(step) {
    chosen = step;
    const found = step === null ? null : values(step);
    for (const place of document.querySelectorAll(".legend [data-series]")) {
      if (!own.has(place)) own.set(place, place.textContent);
      place.textContent = found?.get(place.dataset.series)?.[1] ?? own.get(place);
    }
    for (const cursor of document.querySelectorAll(".cursor")) {
      cursor.setAttribute("visibility", step === null ? "hidden" : "visible");
      if (step !== null) cursor.setAttribute("x", `${100 * step / (Number(slider.max) + 1)}%`);
    }
    charts().classList.toggle("pointed", step !== null);
    if (step === null) {
      told.textContent = told.dataset.point;
      return;
    }
    const when = FROM.format(begin(step));
    told.textContent = told.dataset.from.replace("{when}", when);
    slider.value = step;
    slider.setAttribute("aria-valuetext", `${when}: ${[...found.values()].map(([name, value]) => `${name} ${value}`).join(", ")}`);
  }

  function step_at(event) {
    const body = event.target.closest?.(".drawn")?.querySelector(".body");
    if (!body) return null;
    const box = body.getBoundingClientRect(), steps = Number(slider.max) + 1;
    return Math.max(0, Math.min(steps - 1, Math.floor((event.clientX - box.left) / box.width * steps)));
  }

  document.getElementById("at").hidden = false;
  localise_marks();
  show(null);
  document.addEventListener("pointermove", (event) => {
    const step = step_at(event);
    if (step !== null) show(step);
    else if (chosen !== null && event.pointerType === "mouse" && document.activeElement !== slider) show(null);
  });
  document.addEventListener("pointerdown", (event) => { const step = step_at(event); if (step !== null) show(step); });
  slider.addEventListener("input", () => show(Number(slider.value)));
  slider.addEventListener("focus", () => show(Number(slider.value)));
  // A live page exchanges its charts; what they gained is added again.
  new MutationObserver((changes) => {
    if (changes.some((change) => change.addedNodes.length)) { localise_marks(); show(chosen); }
  }).observe(document.getElementById("content"), { childList: true });
}
