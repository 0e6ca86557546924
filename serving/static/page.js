// What the page does: takes a recording, lets a segment be marked, shows what the models say.

import { microphoneProblem, play, readFile, record, wavBase64 } from "./audio.js";
import { drawMaps, drawSpectrogram, drawWaveform } from "./draw.js";
import { Server } from "./server.js";

const SHORTEST = 0.01; // of a segment, in seconds
const FIRST_SEGMENT = 0.12;
const LONG_SEGMENT = 0.5;
const LONGEST = 60;
const PAUSE_MILLISECONDS = 200; // after the last change, before the server is asked

// A word for each class, the sound in the middle part.
const WORDS = {
  iy: ["b", "ee", "t"], ih: ["b", "i", "t"], eh: ["b", "e", "t"], ae: ["b", "a", "t"],
  ix: ["ros", "e", "s"], ax: ["", "a", "bout"], ah: ["b", "u", "t"], uw: ["b", "oo", "t"],
  uh: ["b", "oo", "k"], ao: ["b", "ough", "t"], aa: ["c", "o", "t"], ey: ["b", "ai", "t"],
  ay: ["b", "i", "te"], oy: ["b", "oy", ""], aw: ["b", "ou", "t"], ow: ["b", "oa", "t"],
  er: ["b", "ir", "d"], l: ["", "l", "ay"], el: ["bott", "le", ""], r: ["", "r", "ay"],
  w: ["", "w", "ay"], y: ["", "y", "acht"], m: ["", "m", "om"], n: ["", "n", "oon"],
  en: ["butt", "on", ""], ng: ["si", "ng", ""], v: ["", "v", "an"], f: ["", "f", "in"],
  dh: ["", "th", "en"], th: ["", "th", "in"], z: ["", "z", "one"], s: ["", "s", "ea"],
  zh: ["a", "z", "ure"], sh: ["", "sh", "e"], jh: ["", "j", "oke"], ch: ["", "ch", "oke"],
  b: ["", "b", "ee"], p: ["", "p", "ea"], d: ["", "d", "ay"], dx: ["mu", "dd", "y"],
  t: ["", "t", "ea"], g: ["", "g", "ay"], k: ["", "k", "ey"], hh: ["", "h", "ay"],
  cl: "closure of p, t, k", vcl: "closure of b, d, g", epi: "short gap", sil: "silence",
};

const $ = (id) => document.getElementById(id);
const server = new Server();
const handles = { start: $("start-handle"), end: $("end-handle") };
let models = { classifiers: [], autoencoders: [] };
let recording = null;
let segment = { start: 0, end: 0 };
let view = { start: 0, end: 0 };
let asked = 0;
let timer = 0;

function problem(error) {
  $("problem").textContent = error ? error.message : "";
  $("key-form").hidden = error?.status !== 401;
}

async function findModels() {
  try {
    models = await server.models();
  } catch (error) {
    return problem(error);
  }
  // A file may have been chosen meanwhile, and what was wrong with it stays to be read.
  if (!models.classifiers.length) problem(new Error("This server has no phone classifier."));
  $("model").replaceChildren(...models.classifiers.map((name) => new Option(name)));
  $("model-label").hidden = models.classifiers.length < 2;
  if (recording) ask();
}

function open(found) {
  if (found.seconds < SHORTEST) throw new Error("The recording is too short.");
  recording = found;
  view = { start: 0, end: recording.seconds };
  $("about").textContent =
    `${recording.name} · ${recording.seconds.toFixed(2)} s · ${recording.rate / 1000} kHz`;
  $("viewer").hidden = false;
  $("drop-hint").hidden = true;
  zoomed(false);
  const first = recording.seconds <= 2 * FIRST_SEGMENT ? view : loudest(recording);
  select(first.start, first.end);
  draw();
}

/** The stretch with the most energy, where there is most likely a voice. */
function loudest({ samples, rate, seconds }) {
  const width = Math.round(FIRST_SEGMENT * rate);
  let energy = 0;
  let most = 0;
  let at = 0;
  for (let i = 0; i < samples.length; i++) {
    energy += samples[i] ** 2 - (i >= width ? samples[i - width] ** 2 : 0);
    if (i >= width && energy > most) {
      most = energy;
      at = i - width;
    }
  }
  return { start: at / rate, end: Math.min(seconds, at / rate + FIRST_SEGMENT) };
}

function select(start, end) {
  const limit = recording.seconds;
  start = Math.max(0, Math.min(start, limit - SHORTEST));
  end = Math.max(start + SHORTEST, Math.min(end, limit, start + LONGEST));
  segment = { start, end };
  $("start").value = start.toFixed(3);
  $("end").value = end.toFixed(3);
  $("start").max = $("end").max = limit.toFixed(3);
  place();
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE_MILLISECONDS);
}

function place() {
  const share = (t) => Math.max(0, Math.min(1, (t - view.start) / (view.end - view.start)));
  const percent = (x) => `${100 * x}%`;
  $("shade-before").style.left = "0";
  $("shade-before").style.width = percent(share(segment.start));
  $("shade-after").style.left = percent(share(segment.end));
  $("shade-after").style.right = "0";
  for (const [edge, handle] of Object.entries(handles)) {
    handle.style.left = percent(share(segment[edge]));
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", recording.seconds.toFixed(3));
    handle.setAttribute("aria-valuenow", segment[edge].toFixed(3));
    handle.setAttribute("aria-valuetext", `${segment[edge].toFixed(3)} seconds`);
  }
}

function draw() {
  if (!recording) return;
  drawWaveform($("waveform"), recording, view.start, view.end);
  drawSpectrogram($("spectrogram"), recording, view.start, view.end);
  $("from").textContent = `${view.start.toFixed(2)} s`;
  $("to").textContent = `${view.end.toFixed(2)} s`;
  place();
}

async function ask() {
  const model = $("model").value;
  if (!recording || !model) return;
  const number = ++asked;
  // The segment may be moved on before the answer is there.
  const { start, end } = segment;
  const wav = wavBase64(recording.slice(start, end), recording.rate);
  try {
    const answer = await server.hear(model, wav);
    // Answers may come in another order than the questions went out.
    if (number !== asked) return;
    problem(null);
    show(answer, start, end);
    const rebuilt = models.autoencoders.length && (await server.hear(models.autoencoders[0], wav));
    if (number === asked && rebuilt) showReconstruction(rebuilt);
  } catch (error) {
    if (number === asked) problem(error);
  }
}

function show({ phones, scores }, start, end) {
  $("empty").hidden = true;
  $("phones").replaceChildren(
    ...phones.map((phone, i) => {
      const item = document.createElement("li");
      const name = element("span", "phone", phone);
      name.append(" ", word(phone));
      const fill = element("div", "fill");
      fill.style.width = `${100 * scores[i]}%`;
      const track = element("div", "track");
      track.append(fill);
      track.setAttribute("aria-hidden", "true");
      item.append(name, element("span", "score", percentage(scores[i])), track);
      return item;
    }),
  );
  const long = end - start > LONG_SEGMENT;
  $("advice").textContent = long
    ? "A phone lasts 20 to 250 ms. Of a segment as long as this the network hears the middle."
    : "";
  const said = phones.map((phone, i) => `${phone} ${percentage(scores[i])}`).join(", ");
  $("status").textContent = `${start.toFixed(3)} to ${end.toFixed(3)} seconds: ${said}.`;
}

function word(phone) {
  const span = element("span", "word");
  const known = WORDS[phone];
  if (Array.isArray(known)) {
    span.append("as in ", known[0], element("b", "", known[1]), known[2]);
  } else if (known) {
    span.append(known);
  }
  return span;
}

function showReconstruction({ spectrogram, reconstruction, distance }) {
  $("rebuilt").hidden = false;
  drawMaps([$("heard"), $("restored")], [spectrogram, reconstruction]);
  $("distance").textContent = `Euclidean distance ${distance.toFixed(2)}`;
}

function element(tag, style, text = "") {
  const made = document.createElement(tag);
  made.className = style;
  made.textContent = text;
  return made;
}

function percentage(share) {
  return share >= 0.0995 ? `${Math.round(100 * share)} %` : `${(100 * share).toFixed(1)} %`;
}

async function take(file) {
  if (!file) return;
  try {
    open(await readFile(file));
  } catch (error) {
    problem(error);
  }
}

function zoomed(on) {
  $("zoom").setAttribute("aria-pressed", String(on));
  $("zoom").textContent = on ? "Show all" : "Zoom in";
  if (on) {
    const margin = Math.max(0.1, segment.end - segment.start);
    view.start = Math.max(0, segment.start - margin);
    view.end = Math.min(recording.seconds, segment.end + margin);
  } else {
    view = { start: 0, end: recording.seconds };
  }
}

let stop = null;

async function toggleRecording() {
  try {
    if (stop) {
      const finish = stop;
      stop = null;
      open(await finish());
    } else {
      stop = await record();
      problem(null);
    }
  } catch (error) {
    const refused = error.name === "NotAllowedError" || error.name === "NotFoundError";
    problem(refused ? new Error("The browser gave no access to a microphone.") : error);
  }
  $("record").setAttribute("aria-pressed", String(Boolean(stop)));
  $("record-text").textContent = stop ? "Stop" : "Record";
}

function drags() {
  const plot = $("plot");
  const time = (event) => {
    const box = plot.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    return view.start + share * (view.end - view.start);
  };
  let fixed = null;
  plot.addEventListener("pointerdown", (event) => {
    const edge = Object.keys(handles).find((name) => handles[name] === event.target);
    if (edge) fixed = segment[edge === "start" ? "end" : "start"];
    else fixed = time(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    if (fixed === null) return;
    const now = time(event);
    if (Math.abs(now - fixed) >= SHORTEST) select(Math.min(now, fixed), Math.max(now, fixed));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    plot.addEventListener(name, () => (fixed = null));
  }
}

function keys(edge) {
  handles[edge].addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.05 : 0.005;
    const moves = {
      ArrowLeft: segment[edge] - step,
      ArrowDown: segment[edge] - step,
      ArrowRight: segment[edge] + step,
      ArrowUp: segment[edge] + step,
      Home: edge === "start" ? 0 : segment.start + SHORTEST,
      End: edge === "end" ? recording.seconds : segment.end - SHORTEST,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    if (edge === "start") select(Math.min(moves[event.key], segment.end - SHORTEST), segment.end);
    else select(segment.start, moves[event.key]);
  });
}

$("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
for (const edge of ["start", "end"]) {
  keys(edge);
  $(edge).addEventListener("change", () => {
    const given = { ...segment, [edge]: Number($(edge).value) };
    select(given.start, given.end);
  });
}
$("record").addEventListener("click", toggleRecording);
$("play").addEventListener("click", () =>
  play(recording.slice(segment.start, segment.end), recording.rate),
);
$("zoom").addEventListener("click", () => {
  zoomed($("zoom").getAttribute("aria-pressed") !== "true");
  draw();
});
$("model").addEventListener("change", ask);
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  server.key = $("key").value;
  problem(null);
  findModels();
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  take(event.dataTransfer.files[0]);
});
new ResizeObserver(draw).observe($("plot"));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

const silent = microphoneProblem();
if (silent) {
  $("record").disabled = true;
  $("record").title = silent;
}
drags();
findModels();
