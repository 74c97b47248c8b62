"use strict";
const ROWS_A_PAGE = 50;
const at = (id) => document.getElementById(id), held = (id) => JSON.parse(at(id).textContent);
const ROWS_A_FILE = Number(at("rows").dataset.rowsAFile), NUM_TASKS = Number(at("rows").dataset.numTasks);
const index = held("index"), others = held("others");
const texts = index.map(([name, , reason, answers]) =>
  [name, reason, ...answers.map((answer) => answer[1] ?? "")].join("\n").toLowerCase());
const fields = Object.fromEntries(["wanted", "status", "label", "least", "most", "order"].map((id) => [id, at(id)]));

// Rows of each file, by its number: promises, as a file is loaded when one of its rows is first shown.
const loaded = new Map([[0, Promise.resolve(held("first"))]]);
const awaited = new Map();
window.takeRows = (number, rows) => awaited.get(number)?.(rows);
function load(number) {
  if (!loaded.has(number)) {
    loaded.set(number, new Promise((resolve, reject) => {
      awaited.set(number, resolve);
      const script = document.createElement("script");
      script.src = others[number - 1];
      script.onerror = () => reject(new Error(`${others[number - 1]} is missing: keep it beside this page`));
      script.onload = () => script.remove();
      document.head.append(script);
    }));
  }
  return loaded.get(number);
}

// Names and labels enter the page as text, never as markup.
function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}
const quiet = (...content) => element("span", { class: "quiet other" }, ...content);
const seconds = (value) => String(Number(value.toFixed(2)));
const dot = (colour) => (colour === null ? [] : [element("i", { class: `dot k${colour}` })]);

let chosen = [], page = 0, drawing = 0;

function matching() {
  const text = fields.wanted.value.trim().toLowerCase(), status = fields.status.value;
  const [task, label] = fields.label.value ? JSON.parse(fields.label.value) : [null, null];
  const least = fields.least.value === "" ? -Infinity : Number(fields.least.value);
  const most = fields.most.value === "" ? Infinity : Number(fields.most.value);
  const anyAnswer = task === null && least === -Infinity && most === Infinity;
  const fits = ([name, said, score]) =>
    (task === null || (name === task && said === label)) &&
    ((least === -Infinity && most === Infinity) || (score !== null && score >= least && score <= most));
  const found = [];
  index.forEach(([, has, , answers], row) => {
    if (status !== "" && has !== status) return;
    if (text !== "" && !texts[row].includes(text)) return;
    if (!anyAnswer && !answers.some(fits)) return;
    found.push(row);
  });
  if (fields.order.value) {
    const sign = fields.order.value === "sure" ? -1 : 1;
    const score = (row) => {
      const told = index[row][3].filter((answer) => task === null || answer[0] === task).map((answer) => answer[2]);
      const scores = told.filter((value) => value !== null);
      return scores.length ? sign * (sign < 0 ? Math.max(...scores) : Math.min(...scores)) : Infinity;
    };
    const scores = new Map(found.map((row) => [row, score(row)]));
    found.sort((one, other) => scores.get(one) - scores.get(other) || one - other);
  }
  return found;
}

function player(link, film, name) {
  const made = element(film ? "video" : "audio", { controls: "", preload: "none", src: link, "aria-label": name });
  made.addEventListener("error", () => made.replaceWith(quiet("this browser cannot play it")));
  made.addEventListener("play", () => {
    for (const one of document.querySelectorAll("audio, video")) if (one !== made) one.pause();
  });
  return made;
}

function timeline(stretches, play) {
  const space = "http://www.w3.org/2000/svg", end = stretches[stretches.length - 1][1];
  const made = (tag, attributes, ...content) => {
    const one = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    one.append(...content);
    return one;
  };
  const told = `Labels over ${seconds(end)} s, ${stretches.length} stretches`;
  const all = made("svg", { class: "timeline", viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img", "aria-label": told });
  for (const [from, to, label, score, colour] of stretches) {
    const left = Math.round((1000 * from) / end), right = Math.round((1000 * to) / end);
    const title = `${seconds(from)} to ${seconds(to)} s: ${label}${score === null ? "" : `, ${score.toFixed(3)}`}`;
    const one = made("rect", { x: left, width: right - left }, made("title", {}, title));
    if (colour !== null) one.setAttribute("class", `k${colour}`);
    one.addEventListener("click", () => play(from));
    all.append(one);
  }
  return all;
}

function answerOf([task, label, score], details, several, play) {
  const made = element("div");
  if (several) made.append(element("span", { class: "quiet" }, task), " ");
  if (label !== null) made.append(...dot(details?.colour ?? null), element("b", {}, element("bdi", {}, label)));
  if (score !== null) made.append(` ${score.toFixed(3)}`);
  if (!details) return made;
  for (const [other, value] of details.others) made.append(quiet(element("bdi", {}, other), ` (${value.toFixed(2)})`));
  for (const [sense, added] of details.senses) made.append(quiet(`${sense} ${added < 0 ? "" : "+"}${added.toFixed(2)}`));
  if (details.text) made.append(" ", element("bdi", {}, details.text));
  if (details.stretches.length) made.append(timeline(details.stretches, play));
  return made;
}

function rowOf(number, details) {
  const [name, status, reason, answers] = index[number];
  const picture = element("td", { class: "thumb" }), file = element("th", { scope: "row" }, element("bdi", {}, name));
  const state = element("td", { class: "left" }, element("span", { class: `status ${status}` }, status));
  const said = element("td", { class: "left answers" });
  if (reason) state.append(element("div", { class: "quiet" }, element("bdi", {}, reason)));
  let play = () => {};
  if (details) {
    if (details.picture) {
      const [source, alt] = details.picture;
      picture.append(element("img", { src: source, alt, title: alt, class: alt.startsWith("log-mel") ? "mel" : "" }));
    }
    if (details.seconds) file.append(" ", element("span", { class: "quiet" }, `${seconds(details.seconds)} s`));
    if (status !== "error" && details.link) {
      const place = element("div", { class: "player" });
      play = (from) => {
        const sound = place.querySelector("audio, video") ?? player(details.link, details.film, name);
        place.replaceChildren(sound);
        if (from !== null) sound.currentTime = from;
        sound.play().catch(() => {});
      };
      const button = element("button", { type: "button", class: "play", "aria-label": `play ${name}` }, "▶ play");
      button.addEventListener("click", () => play(null));
      place.append(button);
      file.append(place);
    }
  }
  answers.forEach((answer, place) => said.append(answerOf(answer, details?.answers[place], NUM_TASKS > 1, play)));
  if (details?.shots) said.append(element("div", {}, element("b", {}, `${details.shots} shot${details.shots === 1 ? "" : "s"}`)));
  if (details?.sheet) {
    const sheet = element("img", { class: "sheet", src: details.sheet, loading: "lazy", alt: "a picture of each shot, with its number and when it begins" });
    const folded = element("details", {}, element("summary", {}, "a picture a shot"), sheet);
    folded.open = details.shots <= 60;
    said.append(folded);
  }
  const row = element("tr", { "data-status": status, "data-row": number }, picture, file, state, said);
  if (!details) row.className = "unloaded";
  return row;
}

function draw() {
  const mine = ++drawing, pages = Math.max(1, Math.ceil(chosen.length / ROWS_A_PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  const numbers = chosen.slice(page * ROWS_A_PAGE, (page + 1) * ROWS_A_PAGE);
  const rows = new Map(numbers.map((number) => [number, rowOf(number, null)]));
  at("rows").replaceChildren(...rows.values());
  for (const file of new Set(numbers.map((number) => Math.floor(number / ROWS_A_FILE)))) {
    load(file).then((details) => {
      if (mine !== drawing) return;
      for (const number of numbers) {
        if (Math.floor(number / ROWS_A_FILE) === file) rows.get(number).replaceWith(rowOf(number, details[number % ROWS_A_FILE]));
      }
    }, (error) => {
      if (mine !== drawing) return;
      for (const number of numbers) {
        if (Math.floor(number / ROWS_A_FILE) === file) rows.get(number).lastChild.append(quiet(error.message));
      }
    });
  }
  const of = chosen.length === index.length ? `${index.length} files` : `${chosen.length} of ${index.length} files`;
  at("shown").textContent = pages > 1 ? `page ${page + 1} of ${pages}, ${of}` : of;
  for (const one of document.querySelectorAll(".earlier")) one.disabled = page === 0;
  for (const one of document.querySelectorAll(".later")) one.disabled = page === pages - 1;
  for (const one of document.querySelectorAll(".pager")) one.hidden = false;
  document.querySelectorAll(".pager")[1].hidden = pages === 1;
}

// What is asked stands in the address, so that it can be kept and sent.
function remember() {
  const asked = new URLSearchParams();
  for (const [id, field] of Object.entries(fields)) if (field.value !== "") asked.set(id, field.value);
  if (page) asked.set("page", page + 1);
  history.replaceState(null, "", `#${asked}`);
}
function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const [id, field] of Object.entries(fields)) field.value = asked.get(id) ?? "";
  page = Number(asked.get("page") ?? 1) - 1 || 0;
  chosen = matching();
  draw();
}
function ask() {
  page = 0;
  chosen = matching();
  draw();
  remember();
}
function turn(by) {
  page += by;
  draw();
  remember();
  at("files").scrollIntoView();
}

const counts = new Map();
for (const [, , , answers] of index) {
  for (const [task, label] of answers) {
    const key = JSON.stringify([task, label]);
    if (label !== null) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
}
const labels = [...counts].map(([key, count]) => [...JSON.parse(key), key, count]);
labels.sort((one, other) => one[0].localeCompare(other[0]) || one[1].localeCompare(other[1]));
const tasks = new Set(labels.map(([task]) => task));
for (const [task, label, key, count] of labels) {
  const told = tasks.size > 1 ? `${task}: ${label} (${count})` : `${label} (${count})`;
  fields.label.append(element("option", { value: key }, told));
}
for (const field of Object.values(fields)) field.addEventListener("input", ask);
for (const one of document.querySelectorAll(".earlier")) one.addEventListener("click", () => turn(-1));
for (const one of document.querySelectorAll(".later")) one.addEventListener("click", () => turn(1));
at("filters").addEventListener("submit", (event) => event.preventDefault());
at("filters").hidden = false;
window.addEventListener("hashchange", recall);
recall();
