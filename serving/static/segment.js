// The view of one segment: marked in the pictures of a recording, named by a model.

import { play, wavBase64 } from "./audio.js";
import { drawMaps, drawSpectrogram, drawWaveform } from "./draw.js";
import { $, listCandidates, percentage } from "./phones.js";

export const SHORTEST = 0.01; // in seconds
const FIRST_SEGMENT = 0.12;
const LONG_SEGMENT = 0.5;
const LONGEST = 60;
const PAUSE_MILLISECONDS = 200; // after the last change, before the server is asked

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

export class SegmentView {
  #server;
  #problem;
  #handles = { start: $("start-handle"), end: $("end-handle") };
  #model = "";
  #autoencoder = "";
  #recording = null;
  #segment = { start: 0, end: 0 };
  #view = { start: 0, end: 0 };
  #asked = 0;
  #timer = 0;

  /** `problem` shows an error; null takes it away. */
  constructor(server, problem) {
    this.#server = server;
    this.#problem = problem;
    this.#listen();
  }

  /** Name segments with a model, and reconstruct them with an autoencoder if there is one. */
  use(model, { autoencoders }) {
    this.#model = model;
    this.#autoencoder = autoencoders[0] ?? "";
    this.#ask();
  }

  open(recording) {
    this.#recording = recording;
    $("viewer").hidden = false;
    this.#zoom(false);
    const first = recording.seconds <= 2 * FIRST_SEGMENT ? this.#view : loudest(recording);
    this.#select(first.start, first.end);
    this.#draw();
  }

  close() {
    clearTimeout(this.#timer);
    this.#asked++;
    this.#recording = null;
    $("viewer").hidden = $("rebuilt").hidden = true;
  }

  #select(start, end) {
    const limit = this.#recording.seconds;
    start = Math.max(0, Math.min(start, limit - SHORTEST));
    end = Math.max(start + SHORTEST, Math.min(end, limit, start + LONGEST));
    this.#segment = { start, end };
    $("start").value = start.toFixed(3);
    $("end").value = end.toFixed(3);
    $("start").max = $("end").max = limit.toFixed(3);
    this.#place();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), PAUSE_MILLISECONDS);
  }

  #place() {
    const { start, end } = this.#view;
    const share = (t) => Math.max(0, Math.min(1, (t - start) / (end - start)));
    const percent = (x) => `${100 * x}%`;
    $("shade-before").style.left = "0";
    $("shade-before").style.width = percent(share(this.#segment.start));
    $("shade-after").style.left = percent(share(this.#segment.end));
    $("shade-after").style.right = "0";
    for (const [edge, handle] of Object.entries(this.#handles)) {
      const at = this.#segment[edge];
      handle.style.left = percent(share(at));
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", this.#recording.seconds.toFixed(3));
      handle.setAttribute("aria-valuenow", at.toFixed(3));
      handle.setAttribute("aria-valuetext", `${at.toFixed(3)} seconds`);
    }
  }

  #draw() {
    if (!this.#recording) return;
    const { start, end } = this.#view;
    drawWaveform($("waveform"), this.#recording, start, end);
    drawSpectrogram($("spectrogram"), this.#recording, start, end);
    $("from").textContent = `${start.toFixed(2)} s`;
    $("to").textContent = `${end.toFixed(2)} s`;
    this.#place();
  }

  async #ask() {
    if (!this.#recording || !this.#model) return;
    const number = ++this.#asked;
    // The segment may be moved on before the answer is there.
    const { start, end } = this.#segment;
    const samples = this.#recording.slice(start, end);
    try {
      const wav = await wavBase64(samples, this.#recording.rate);
      const answer = await this.#server.hear(this.#model, wav);
      // Answers may come in another order than the questions went out.
      if (number !== this.#asked) return;
      this.#problem(null);
      this.#show(answer, start, end);
      const rebuilt = this.#autoencoder && (await this.#server.hear(this.#autoencoder, wav));
      if (number === this.#asked && rebuilt) this.#showReconstruction(rebuilt);
    } catch (error) {
      if (number === this.#asked) this.#problem(error);
    }
  }

  #show({ phones, scores }, start, end) {
    listCandidates(phones, scores);
    const long = end - start > LONG_SEGMENT;
    $("advice").textContent = long
      ? "A phone lasts 20 to 250 ms. Of a segment as long as this the network hears the middle."
      : "";
    const said = phones.map((phone, i) => `${phone} ${percentage(scores[i])}`).join(", ");
    $("status").textContent = `${start.toFixed(3)} to ${end.toFixed(3)} seconds: ${said}.`;
  }

  #showReconstruction({ spectrogram, reconstruction, distance }) {
    $("rebuilt").hidden = false;
    drawMaps([$("heard"), $("restored")], [spectrogram, reconstruction]);
    $("distance").textContent = `Euclidean distance ${distance.toFixed(2)}`;
  }

  #zoom(on) {
    $("zoom").setAttribute("aria-pressed", String(on));
    $("zoom").textContent = on ? "Show all" : "Zoom in";
    const { start, end } = this.#segment;
    const margin = Math.max(0.1, end - start);
    const limit = this.#recording.seconds;
    this.#view = on
      ? { start: Math.max(0, start - margin), end: Math.min(limit, end + margin) }
      : { start: 0, end: limit };
  }

  #listen() {
    this.#drags();
    for (const edge of ["start", "end"]) {
      this.#keys(edge);
      $(edge).addEventListener("change", () => {
        const given = { ...this.#segment, [edge]: Number($(edge).value) };
        this.#select(given.start, given.end);
      });
    }
    $("play").addEventListener("click", () => {
      const { start, end } = this.#segment;
      play(this.#recording.slice(start, end), this.#recording.rate);
    });
    $("zoom").addEventListener("click", () => {
      this.#zoom($("zoom").getAttribute("aria-pressed") !== "true");
      this.#draw();
    });
    const draw = () => this.#draw();
    new ResizeObserver(draw).observe($("plot"));
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  #drags() {
    const plot = $("plot");
    const time = (event) => {
      const box = plot.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      return this.#view.start + share * (this.#view.end - this.#view.start);
    };
    let fixed = null;
    plot.addEventListener("pointerdown", (event) => {
      const edge = Object.keys(this.#handles).find((name) => this.#handles[name] === event.target);
      if (edge) fixed = this.#segment[edge === "start" ? "end" : "start"];
      else fixed = time(event);
      plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      if (fixed === null) return;
      const now = time(event);
      if (Math.abs(now - fixed) < SHORTEST) return;
      this.#select(Math.min(now, fixed), Math.max(now, fixed));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      plot.addEventListener(name, () => (fixed = null));
    }
  }

  #keys(edge) {
    this.#handles[edge].addEventListener("keydown", (event) => {
      const segment = this.#segment;
      const step = event.shiftKey ? 0.05 : 0.005;
      const moves = {
        ArrowLeft: segment[edge] - step,
        ArrowDown: segment[edge] - step,
        ArrowRight: segment[edge] + step,
        ArrowUp: segment[edge] + step,
        Home: edge === "start" ? 0 : segment.start + SHORTEST,
        End: edge === "end" ? this.#recording.seconds : segment.end - SHORTEST,
      };
      if (!(event.key in moves)) return;
      event.preventDefault();
      if (edge === "start") {
        this.#select(Math.min(moves[event.key], segment.end - SHORTEST), segment.end);
      } else {
        this.#select(segment.start, moves[event.key]);
      }
    });
  }
}
