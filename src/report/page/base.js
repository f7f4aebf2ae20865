const DATA = JSON.parse(document.getElementById("data").textContent);
const errors = [];
window.addEventListener("error", e => { errors.push(String(e.message)); document.body.dataset.errors = errors.join("; "); });

const $ = (selector, from = document) => from.querySelector(selector);
const int = n => Math.round(n).toLocaleString("en-US");
const percent = (part, of, digits = 1) => of > 0 ? (100 * part / of).toFixed(digits) + " %" : "–";
const short = n => n >= 1e9 ? (n / 1e9).toFixed(1) + " G" : n >= 1e6 ? (n / 1e6).toFixed(n >= 1e7 ? 0 : 1) + " M" : n >= 1e3 ? (n / 1e3).toFixed(n >= 1e4 ? 0 : 1) + " k" : String(+n.toPrecision(3));
const sum = all => all.reduce((a, b) => a + b, 0);

/// An element of HTML or, with a name like "svg:rect", of SVG.
function el(name, attributes = {}, ...children) {
  const svg = name.startsWith("svg:");
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "tip") { withTip(e, value); } else if (key.startsWith("on")) { e.addEventListener(key.slice(2), value); } else if (value !== undefined && value !== null) { e.setAttribute(key, value); }
  }
  for (const child of children.flat()) { e.append(child); }
  return e;
}
const S = (name, attributes, ...children) => el("svg:" + name, attributes, ...children);

const tip = $("#tip");
function withTip(e, text) {
  const show = event => {
    tip.textContent = typeof text === "function" ? text() : text;
    tip.hidden = false;
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(6, Math.min(innerWidth - w - 6, event.clientX + 12)) + "px";
    tip.style.top = (event.clientY + h + 24 > innerHeight ? event.clientY - h - 10 : event.clientY + 16) + "px";
  };
  e.addEventListener("pointermove", show);
  e.addEventListener("pointerdown", show);
  e.addEventListener("pointerleave", () => { tip.hidden = true; });
  e.classList.add("hit");
}

function legend(section, items) {
  $(".legend", section).replaceChildren(...items.map(([label, colour, shape]) => el("span", {}, el("i", { style: `background:var(${colour})`, class: shape || "" }), label)));
}

/// Buttons of which one is pressed.
function choice(items, chosen, pick) {
  const group = el("div", { class: "group", role: "group" });
  const buttons = items.map((label, i) => el("button", { type: "button", "aria-pressed": i === chosen, onclick: () => {
    buttons.forEach((b, j) => b.setAttribute("aria-pressed", i === j));
    pick(i);
  } }, label));
  group.append(...buttons);
  return group;
}

const SIDES = ["--a", "--b", "--instructions", "--latency", "--queue", "--alu"];
const side = i => SIDES[i % SIDES.length];

/// A width for charts, and whether names stand above their bars.
const room = e => Math.max(300, Math.round(e.getBoundingClientRect().width) || 900);

/// Round values for an axis.
function ticks(from, to, count) {
  const raw = (to - from) / count, power = 10 ** Math.floor(Math.log10(raw || 1));
  const step = power * ([1, 2, 2.5, 5, 10].find(m => m * power >= raw) || 10);
  const all = [];
  for (let n = Math.ceil(from / step - 1e-9); n * step <= to + step * 1e-6; n++) { all.push(n * step + 0); }
  return all;
}

/// One row of bars for each name; `bars(name)` gives lists of segments.
function rows(chart, names, most, bars, axis) {
  const width = room(chart), narrow = width < 560;
  const left = narrow ? 0 : Math.min(190, 14 + 7 * Math.max(...names.map(n => n.length)));
  const right = 62, thick = 11, gap = 3;
  const plot = width - left - right;
  const x = v => left + plot * v / (most || 1);
  const parts = [];
  let y = 20;
  const begins = y - 4;
  const marks = ticks(0, most, narrow ? 3 : 6);
  const grid = S("g");
  parts.push(grid);
  for (const name of names) {
    const all = bars(name);
    if (narrow) { y += 13; }
    const height = all.length * (thick + gap) - gap;
    parts.push(S("text", { class: "name", x: narrow ? 0 : left - 8, y: narrow ? y - 4 : y + height / 2 + 4, "text-anchor": narrow ? "start" : "end" }, name));
    for (const bar of all) {
      let at = 0;
      for (const s of bar.segments) {
        if (s.value > 0) {
          parts.push(S("rect", { x: x(at), y, width: Math.max(.6, x(at + s.value) - x(at)), height: thick, fill: `var(${s.colour})`, rx: bar.segments.length > 1 ? 0 : 2, tip: s.tip }));
        }
        at += s.value;
      }
      if (bar.mark > 0) { parts.push(S("rect", { x: x(bar.mark) - 1, y: y - 2, width: 2, height: thick + 4, fill: "var(--floor)", tip: bar.markTip })); }
      parts.push(S("text", { class: "value", x: x(Math.max(at, bar.mark || 0)) + 6, y: y + thick - 1.5 }, bar.label));
      y += thick + gap;
    }
    y += 9;
  }
  for (const m of marks) {
    grid.append(S("line", { class: "grid", x1: x(m), x2: x(m), y1: begins, y2: y }), S("text", { x: x(m), y: 10, "text-anchor": m === 0 && narrow ? "start" : "middle" }, axis(m)));
  }
  chart.replaceChildren(S("svg", { viewBox: `0 0 ${width} ${y + 4}`, width, height: y + 4, role: "img" }, parts));
}

/// What was made, of what, by which command.
function drawTitle() {
  $("#title").textContent = DATA.title;
  $("#lead").textContent = DATA.lead;
  $("#command").textContent = "$ " + DATA.command;
}

/// The boxes below: name, value, a line more, and maybe a colour.
function drawSummary(boxes) {
  $("#summary").replaceChildren(...boxes.map(([name, value, more, colour]) => el("div", colour ? { style: `border-top:3px solid var(${colour})` } : {}, el("dt", {}, name), el("dd", {}, value, el("small", {}, more)))));
}

/// A table that sorts and filters. Columns: key, head, value of an item, how it is shown.
/// `upward` are the keys that begin with the least, `words` what an item is found by,
/// `mark` the attributes of its row; `totals` come last, where nothing is filtered.
function sortable(section, columns, items, { placeholder, upward, words, mark, totals = [] }) {
  const table = $("table", section), chosen = { key: null, down: true, words: "" };
  const row = (item, total) => el("tr", { class: total ? "total" : "", ...mark(item) },
    columns.map(([key, , value, show]) => { const v = value(item); return el("td", { "data-key": key, "data-value": v === null ? "" : v }, show(v)); }));
  const body = el("tbody");
  const draw = () => {
    const wanted = chosen.words.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = items.filter(item => wanted.every(w => words(item).toLowerCase().includes(w)));
    const column = columns.find(([key]) => key === chosen.key);
    if (column) {
      shown.sort((a, b) => { const x = column[2](a), y = column[2](b); const order = typeof x === "string" ? x.localeCompare(y) : (x ?? -1) - (y ?? -1); return chosen.down ? -order : order; });
    }
    body.replaceChildren(...shown.map(item => row(item)), ...(wanted.length === 0 ? totals.map(item => row(item, true)) : []));
    for (const b of table.querySelectorAll("th button")) {
      const mine = b.dataset.key === chosen.key;
      b.parentElement.setAttribute("aria-sort", mine ? (chosen.down ? "descending" : "ascending") : "none");
      b.textContent = b.dataset.head + (mine ? (chosen.down ? " ▾" : " ▴") : "");
    }
  };
  const heads = columns.map(([key, head]) => el("th", { scope: "col" }, el("button", { type: "button", "data-key": key, "data-head": head, onclick: () => {
    if (chosen.key === key) { chosen.down = !chosen.down; } else { [chosen.key, chosen.down] = [key, !upward.includes(key)]; }
    draw();
  } }, head)));
  table.replaceChildren(el("thead", {}, el("tr", {}, heads)), body);
  $(".controls", section).replaceChildren(el("input", { type: "search", placeholder, "aria-label": "filter rows", oninput: e => { chosen.words = e.target.value; draw(); } }));
  draw();
}

/// Draws charts again where the page gets another width.
function onResize(draw) {
  let width = innerWidth, timer;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; clearTimeout(timer); timer = setTimeout(draw, 120); } });
}

/// The page is complete.
function ready() { document.body.dataset.readyMs = Math.round(performance.now()); }

