// The page of Segue: find a person, send what was seen and clicked, and show how the next list differs.
"use strict";
const ours = { "X-Segue-Page": "1" };
const said = document.getElementById("said");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const main = () => document.querySelector("main");
const cards = () => [...document.querySelectorAll(".card")];

// What happened, in events. Ids are made of what they mean, so that sending twice is harmless.
let waiting = [];
function event(card, type) {
  const { kind, id, decision, surface } = main().dataset;
  const position = Number(card.dataset.position);
  return {
    id: `${decision}-${type}-${position}`, type, [kind]: id, item: card.dataset.item, decision, position,
    time: new Date().toISOString(), context: { via: "page", surface },
  };
}
async function send(events, options) {
  const headers = { ...ours, "Content-Type": "application/json" };
  const answer = await fetch("/v1/events", { method: "POST", headers, body: JSON.stringify(events), ...options });
  if (!answer.ok) throw new Error((await answer.json()).detail);
}
function flush() {
  const events = waiting;
  waiting = [];
  if (events.length) send(events, { keepalive: true }).catch((error) => say(`What was seen could not be sent: ${error.message}`));
}
setInterval(flush, 1000);
document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && flush());

// An impression: half of a card in view for half a second.
const timers = new Map();
const count = (one) => { const told = document.getElementById("seen"); if (told) told.textContent = String(Number(told.textContent) + one); };
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    clearTimeout(timers.get(target));
    if (isIntersecting) timers.set(target, setTimeout(() => { seen.unobserve(target); waiting.push(event(target, "impression")); count(1); }, 500));
  }
}, { threshold: 0.5 });
const watch = () => { seen.disconnect(); timers.forEach(clearTimeout); timers.clear(); cards().forEach((card) => seen.observe(card)); };

// A click: sent, on disk, and only then the next list.
async function choose(card) {
  if (document.body.classList.contains("busy")) return;
  document.body.classList.add("busy");
  card.classList.add("chosen");
  const chosen = card.querySelector(".title").textContent;
  try {
    flush();
    await send([event(card, "click")]);
    await turn(chosen, card.dataset.item);
  } catch (error) {
    say(`That did not work: ${error.message}`);
    card.classList.remove("chosen");
  } finally {
    document.body.classList.remove("busy");
  }
}
async function turn(chosen, item) {
  const { kind, id, surface } = main().dataset;
  const answer = await fetch(`/page/main?${new URLSearchParams({ [kind]: id, surface })}`, { headers: ours });
  const text = await answer.text();
  if (!answer.ok) throw new Error(JSON.parse(text).detail);
  const before = places();
  const order = cards().map((card) => card.dataset.item).filter((each) => each !== item);
  main().replaceWith(new DOMParser().parseFromString(text, "text/html").querySelector("main"));
  const counts = mark(order);
  glide(before);
  watch();
  tell(`After “${chosen}”: ${counts.new} new, ${counts.up} moved up, ${counts.down} moved down${main().dataset.policy === "none" ? "" : " (some by chance: this list is drawn)"}`);
}
// Moves are told against the old list without what was clicked: that everything else steps up by one is no news.
function mark(order) {
  const counts = { new: 0, up: 0, down: 0 };
  cards().forEach((card, place) => {
    const old = order.indexOf(card.dataset.item);
    const how = old < 0 ? "new" : old > place ? "up" : old < place ? "down" : "";
    const badge = card.querySelector(".moved");
    if (!how) return;
    counts[how] += 1;
    badge.dataset.how = how;
    badge.textContent = how === "new" ? "new" : `${how === "up" ? "↑" : "↓"} ${Math.abs(old - place)}`;
    badge.hidden = false;
  });
  return counts;
}
const places = () => new Map(cards().map((card) => [card.dataset.item, card.getBoundingClientRect()]));
function glide(before) {
  if (still.matches) return;
  cards().forEach((card) => {
    const from = before.get(card.dataset.item);
    const to = card.getBoundingClientRect();
    const frames = from
      ? [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }]
      : [{ opacity: 0, transform: "scale(.94)" }, { opacity: 1, transform: "none" }];
    card.animate(frames, { duration: 460, easing: "cubic-bezier(.2,.7,.2,1)" });
  });
  document.querySelector(".past li")?.animate([{ opacity: 0, transform: "translateY(-10px)" }, { opacity: 1, transform: "none" }], 460);
}
function tell(text) {
  said.textContent = text;
  const line = document.getElementById("turned");
  if (line) Object.assign(line, { textContent: text, hidden: false });
}
function say(text) {
  said.textContent = text;
  const note = document.createElement("p");
  note.className = "note";
  note.textContent = text;
  document.querySelector(".shelf-head")?.after(note);
  setTimeout(() => note.remove(), 6000);
}
document.addEventListener("click", (click) => {
  const pick = click.target.closest(".pick");
  if (pick) choose(pick.closest(".card"));
  if (click.target.closest("#show-raw")) raw();
});
document.addEventListener("change", (change) => {
  if (change.target.id !== "surface") return;
  const { kind, id } = main().dataset;
  location.search = new URLSearchParams({ [kind]: id, surface: change.target.value });
});
async function raw() {
  const dialog = document.getElementById("raw");
  const answer = await fetch(`/v1/decisions/${encodeURIComponent(main().dataset.decision)}`, { headers: ours });
  dialog.querySelector("pre").textContent = JSON.stringify(await answer.json(), null, 2);
  dialog.showModal();
}

// The search for people: a combobox with a list, by keyboard as well.
const input = document.getElementById("person");
const list = document.getElementById("people");
let asked = 0;
async function find() {
  const number = ++asked;
  const answer = await fetch(`/page/people?${new URLSearchParams({ q: input.value })}`, { headers: ours });
  if (!answer.ok || number !== asked) return;
  const people = await answer.json();
  list.replaceChildren(...people.map(option));
  if (!people.length) list.append(Object.assign(document.createElement("li"), { className: "none", textContent: "Nobody is called so" }));
  open(true);
}
function option(person, place) {
  const item = Object.assign(document.createElement("li"), { id: `person-${place}` });
  const name = Object.assign(document.createElement("span"), { textContent: person.name });
  const about = Object.assign(document.createElement("span"), { className: "muted", textContent: `${person.events.toLocaleString("en")} events` });
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  Object.assign(item.dataset, { kind: person.kind, id: person.id });
  item.append(name, about);
  return item;
}
function open(shown) {
  list.hidden = !shown;
  input.setAttribute("aria-expanded", String(shown));
  if (!shown) input.removeAttribute("aria-activedescendant");
}
function go(item) {
  if (item?.dataset.id) location.search = new URLSearchParams({ [item.dataset.kind]: item.dataset.id });
}
input.addEventListener("input", find);
input.addEventListener("focus", find);
input.addEventListener("blur", () => setTimeout(() => open(false), 150));
list.addEventListener("mousedown", (press) => { press.preventDefault(); go(press.target.closest("[role=option]")); });
input.addEventListener("keydown", (key) => {
  const options = [...list.querySelectorAll("[role=option]")];
  const at = options.findIndex((each) => each.getAttribute("aria-selected") === "true");
  if (key.key === "Escape") open(false);
  if (key.key === "Enter") { key.preventDefault(); go(options[Math.max(at, 0)]); }
  if (!options.length || !["ArrowDown", "ArrowUp"].includes(key.key)) return;
  key.preventDefault();
  const next = (at + (key.key === "ArrowDown" ? 1 : options.length - 1) + (at < 0 && key.key === "ArrowUp" ? 1 : 0)) % options.length;
  options.forEach((each, place) => each.setAttribute("aria-selected", String(place === next)));
  input.setAttribute("aria-activedescendant", options[next].id);
  options[next].scrollIntoView({ block: "nearest" });
});
watch();
