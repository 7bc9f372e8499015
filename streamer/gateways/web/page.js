// The operator page. It shows NO CONNECTION by itself unless a status that is of now came within a
// second: it never needs the server to learn that it hears nothing.
import { WebMap } from "./map.js";

const SILENT_MS = 1000;
const NO_ANSWER_MS = 3000;
const RECONNECT_MS = 3000;
const MARKS = { high: "▲▲▲", medium: "▲▲", low: "▲" };
const CONDITIONS = {
  unacknowledged: "not acknowledged", acknowledged: "acknowledged, still there",
  latched: "ended, not acknowledged", shelved: "shelved", suppressed: "suppressed",
  out_of_service: "out of service",
};
const OPEN = ["unacknowledged", "latched"];
const ASIDE = ["shelved", "suppressed", "out_of_service"];
const KINDS = { defect: "Defect", not_inspected: "Not inspected", system: "System" };

const at = (id) => document.getElementById(id);
const map = new WebMap(at("web"));
const asked = new Map(); // command id -> [button, time]
let heard = -Infinity, least = Infinity, status = null, alarms = [], source, opened;

// What was held up on its way is old however lately it came: its delay over the least one seen. The
// least may rise by a thousandth of the time, since two clocks never run alike.
function isOfNow(told, now) {
  const delay = now - told;
  least = Math.min(delay, least + Math.max(0, now - heard) * 0.001);
  return delay - least < SILENT_MS;
}

function takeStatus(message) {
  const now = performance.now(), next = JSON.parse(message.data);
  if (!isOfNow(next.told_ms, now)) return;
  heard = now;
  status = next;
  map.length = next.map_mm;
  show();
}

function show() {
  const lost = performance.now() - heard > SILENT_MS;
  const line = lost || !status ? "lost" : status.data_valid ? "valid" : "blind";
  document.documentElement.dataset.line = line;
  const fresh = line !== "lost" && status.is_fresh;
  document.documentElement.dataset.fresh = fresh ? "yes" : "no";
  document.documentElement.toggleAttribute("data-open", fresh && status.line.unacknowledged > 0);
  const text = { lost: "NO CONNECTION", valid: "INSPECTING", blind: "NOT INSPECTING" }[line];
  setText("headline", text);
  document.title = text + (line === "valid" && alarms.length ? ` (${alarms.length} alarms)` : "");
  setText("reason", reason(line));
  figures(line === "lost" ? null : status.line);
  // What a silent line is asked waits there: it must not be carried out when nobody expects it.
  enable(fresh && status.takes_commands);
  setText("clock", new Date().toLocaleTimeString());
}

function reason(line) {
  if (line === "lost") {
    if (heard === -Infinity) return "This page has not heard of the line yet.";
    return `Nothing was heard for ${((performance.now() - heard) / 1000).toFixed(0)} s. What is below is not live.`;
  }
  if (status.beat !== null && !status.is_fresh) return `The line has stopped answering: ${status.reason}. What is below is not live.`;
  if (line === "blind") return sentence(status.reason || `the line is ${status.state.replaceAll("_", " ")}`);
  const passed = status.line.not_inspected_active ? "Web that passed just before was not inspected." : "Data valid.";
  const open = status.line.unacknowledged;
  return open ? `${passed} ${open} ${open === 1 ? "alarm is" : "alarms are"} not acknowledged.` : passed;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function figures(line) {
  const missed = line && Object.values(line.not_inspected_m).reduce((sum, m) => sum + m, 0);
  setText("speed", line ? line.speed_m_min.toFixed(1) : "–");
  setText("position", line ? (line.position_mm / 1000).toFixed(2) : "–");
  setText("lag", line ? line.lag_mm.toFixed(0) : "–");
  setText("p99", line ? line.latency_p99_ms.toFixed(0) : "–");
  setText("p99_unit", line ? `ms = ${line.latency_p99_mm.toFixed(0)} mm` : "ms");
  setText("missed", line ? missed.toFixed(missed < 10 ? 2 : 0) : "–");
  setText("defects", line ? line.defects : "–");
  setText("roll", line ? `Roll ${line.roll}` : "");
  setText("stages", line ? line.stages.map((s) => `${s.process || s.stage}: ${s.state}`).join(" · ") : "");
}

function setText(id, text) {
  const node = at(id);
  if (node.textContent !== String(text)) node.textContent = text;
}

function takeAlarms(message) {
  const told = JSON.parse(message.data);
  alarms = told.alarms;
  const more = told.total > alarms.length ? `, the first ${alarms.length} are shown` : "";
  setText("count", told.is_synchronised ? `(${told.total}${more})` : "(being fetched)");
  at("none").hidden = alarms.length > 0 || !told.is_synchronised;
  const old = new Map(Array.from(at("list").children, (item) => [item.dataset.id, item]));
  at("list").replaceChildren(...alarms.map((one) => item(one, old.get(one.id))));
  map.mark(alarms);
  show();
}

// An item is made anew only when its alarm changed: a button stays under the finger.
function item(alarm, old) {
  if (old && old.dataset.sequence === String(alarm.sequence)) return old;
  const made = make("li", "");
  const { id, sequence, severity } = alarm;
  Object.assign(made.dataset, { id, sequence, severity });
  if (OPEN.includes(alarm.condition)) made.dataset.open = "";
  if (ASIDE.includes(alarm.condition)) made.dataset.aside = "";
  const level = make("div", "level", severity);
  level.prepend(make("span", "", MARKS[severity]));
  const what = make("div", "what");
  const kind = KINDS[alarm.kind] + (alarm.signal ? `, ${alarm.signal.replaceAll("_", " ")}` : "");
  what.append(make("b", "", alarm.text ? `${kind}: ${alarm.text}` : kind), make("div", "where", place(alarm)),
    make("small", "", [condition(alarm), clock(alarm.raised_ns), alarm.camera].filter(Boolean).join(" · ")));
  const acts = make("div", "acts");
  acts.append(...buttons(alarm));
  made.append(level, what, acts);
  return made;
}

function buttons(alarm) {
  const made = [];
  if (OPEN.includes(alarm.condition)) made.push(button("Acknowledge", "acknowledge", alarm.id));
  if (alarm.condition === "shelved") made.push(button("Unshelve", "unshelve", alarm.id));
  else if (!ASIDE.includes(alarm.condition)) made.push(button("Shelve", "shelve", alarm.id));
  return made;
}

function button(text, kind, alarm) {
  const made = make("button", "", text);
  made.type = "button";
  made.addEventListener("click", () => ask(made, kind, alarm));
  return made;
}

function place({ region_mm: r, kind }) {
  const down = `${(r.down_first / 1000).toFixed(3)} m`;
  const length = r.down_end - r.down_first;
  const along = length > 0 ? `${down} (${length < 1000 ? `${length.toFixed(0)} mm` : `${(length / 1000).toFixed(2)} m`} long)` : down;
  if (kind === "system") return `at ${down}`;
  return `${along}, ${r.cross_first.toFixed(0)}–${r.cross_end.toFixed(0)} mm across`;
}

function condition(alarm) {
  const by = alarm.by ? ` by ${alarm.by}` : "";
  const until = alarm.until_ns ? ` until ${clock(alarm.until_ns)}` : "";
  return CONDITIONS[alarm.condition] + by + until;
}

// With its date when that is not today's.
function clock(ns) {
  const then = new Date(ns / 1e6);
  const today = then.toDateString() === new Date().toDateString();
  return today ? then.toLocaleTimeString() : then.toLocaleString();
}

function make(tag, name, text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

function enable(may) {
  at("all").disabled = !may || !alarms.some((one) => OPEN.includes(one.condition));
  const waiting = new Set(Array.from(asked.values(), ([one]) => one));
  for (const one of at("list").querySelectorAll("button")) one.disabled = !may || waiting.has(one);
}

async function ask(pressed, kind, alarm) {
  const body = { kind, alarm };
  if (kind === "shelve") body.seconds = Number(at("shelf").value);
  pressed.disabled = at("note").hidden = true;
  try {
    const reply = await fetch("api/command", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Linescan": "1" },
      body: JSON.stringify(body),
    });
    const told = await reply.json();
    if (!reply.ok) note(`Not done: ${told.error}`);
    else asked.set(told.id, [pressed, performance.now()]);
  } catch (fault) {
    note("Not done: the line's server does not answer.");
  }
  show();
}

function takeAnswer(message) {
  const { id, ok, text } = JSON.parse(message.data);
  if (!asked.delete(id)) return;
  if (ok) at("note").hidden = true;
  else note(`Not done: ${text}`);
  show();
}

function note(text) {
  at("note").textContent = text;
  at("note").hidden = false;
}

function forgetUnanswered(now) {
  for (const [id, [, since]] of asked) {
    if (now - since < NO_ANSWER_MS) continue;
    asked.delete(id);
    note("The line has not answered. Look whether it was done, and try again.");
  }
}

function connect() {
  if (source) source.close();
  opened = performance.now();
  least = Infinity;
  source = new EventSource("api/events");
  let first = true;
  source.addEventListener("status", takeStatus);
  source.addEventListener("alarms", takeAlarms);
  source.addEventListener("answer", takeAnswer);
  source.addEventListener("rows", (message) => {
    if (first) map.restart();
    first = false;
    map.add(JSON.parse(message.data));
  });
  source.addEventListener("error", () => { first = true; least = Infinity; });
}

function watch() {
  const now = performance.now();
  forgetUnanswered(now);
  show();
  // A browser gives up for good after some errors; and a dead peer may look alive to it.
  if (now - Math.max(heard, opened) > RECONNECT_MS) connect();
}

at("all").addEventListener("click", () => ask(at("all"), "acknowledge", "*"));
setInterval(watch, 100);
connect();
