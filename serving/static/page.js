// What the page does: takes a recording and shows it in the view of the model that is chosen.

import { microphoneProblem, readFile, record } from "./audio.js";
import { $, clearCandidates } from "./phones.js";
import { SegmentView, SHORTEST } from "./segment.js";
import { SentenceView } from "./sentence.js";
import { Server } from "./server.js";

const server = new Server();
const views = {
  segments: new SegmentView(server, problem),
  sentences: new SentenceView(server, problem),
};
let models = {
  recognizers: [],
  classifiers: [],
  autoencoders: [],
  aligners: [],
  pronouncers: [],
};
let recording = null;
let view = views.segments;

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
  const names = [...models.recognizers, ...models.classifiers];
  // A file may have been chosen meanwhile, and what was wrong with it stays to be read.
  if (!names.length) problem(new Error("This server has no model that names phones."));
  $("model").replaceChildren(...names.map((name) => new Option(name)));
  $("model-label").hidden = names.length < 2;
  chooseModel();
}

function chooseModel() {
  const model = $("model").value;
  const kind = models.recognizers.includes(model) ? "sentences" : "segments";
  if (view !== views[kind]) {
    view.close();
    clearCandidates();
    view = views[kind];
    document.body.dataset.view = kind;
    if (recording) view.open(recording);
  }
  view.use(model, models);
}

function open(found) {
  if (found.seconds < SHORTEST) throw new Error("The recording is too short.");
  recording = found;
  $("about").textContent =
    `${recording.name} · ${recording.seconds.toFixed(2)} s · ${recording.rate / 1000} kHz`;
  $("drop-hint").hidden = true;
  view.open(recording);
}

async function take(file) {
  if (!file) return;
  try {
    open(await readFile(file));
  } catch (error) {
    problem(error);
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

$("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
$("record").addEventListener("click", toggleRecording);
$("model").addEventListener("change", chooseModel);
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

const silent = microphoneProblem();
if (silent) {
  $("record").disabled = true;
  $("record").title = silent;
}
findModels();
