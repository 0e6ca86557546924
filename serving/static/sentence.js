// The view of a sentence: the phones of a whole recording as a tier under its pictures.

import { play, wavBase64 } from "./audio.js";
import { drawSpectrogram, drawWaveform, loudness } from "./draw.js";
import { $, clearCandidates, element, listCandidates, percentage } from "./phones.js";
import { textGrid } from "./textgrid.js";

const TILE = 512; // pixels of a picture that are drawn at once, when they come into sight
const LEGIBLE = 320; // pixels a second, at which most phones have room for their names
const LARGEST = 1600;
const LETTER = 9; // pixels
const ROTATED = 11; // pixels that a name needs from top to bottom
const TICK = 90; // pixels from one time to the next, at least
const TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120]; // in seconds
const SILENCE = "sil";

export class SentenceView {
  #server;
  #problem;
  #model = "";
  #recording = null;
  #loudness = 0;
  #intervals = [];
  #options = [];
  #selected = 0;
  #scale = null; // pixels a second; null until somebody zooms
  #asked = 0;
  #playing = null;
  #sight;

  /** `problem` shows an error; null takes it away. */
  constructor(server, problem) {
    this.#server = server;
    this.#problem = problem;
    this.#listen();
  }

  /** Transcribe with a model. */
  use(model) {
    this.#model = model;
    this.#ask();
  }

  open(recording) {
    this.#recording = recording;
    this.#loudness = loudness(recording);
    this.#scale = null;
    $("sentence").hidden = false;
    $("strip").scrollLeft = 0;
    this.#clear();
    this.#layout();
    this.#ask();
  }

  close() {
    this.#asked++;
    this.#clear();
    this.#recording = null;
    $("sentence").hidden = true;
  }

  #clear() {
    this.#stop();
    this.#intervals = [];
    this.#options = [];
    $("tier").replaceChildren();
    $("mark").hidden = true;
    $("count").textContent = $("selected").textContent = "";
    $("play-phone").disabled = $("textgrid").disabled = true;
    clearCandidates();
  }

  async #ask() {
    if (!this.#recording || !this.#model) return;
    const number = ++this.#asked;
    const { samples, rate } = this.#recording;
    this.#clear();
    this.#problem(null);
    $("status").textContent = "Finding the phones…";
    $("count").textContent = `· ${$("status").textContent}`;
    try {
      const wav = await wavBase64(samples, rate);
      const found = await this.#server.transcribe(this.#model, wav);
      // Another recording may have been opened meanwhile.
      if (number === this.#asked) this.#show(found);
    } catch (error) {
      if (number !== this.#asked) return;
      $("count").textContent = $("status").textContent = "";
      this.#problem(error);
    }
  }

  #show(intervals) {
    this.#intervals = intervals;
    this.#options = intervals.map(({ start, end, label, score }) => {
      const option = element("div", "interval", label);
      option.setAttribute("role", "option");
      const times = `${start.toFixed(2)} to ${end.toFixed(2)} seconds`;
      option.setAttribute("aria-selected", "false");
      option.tabIndex = -1;
      option.setAttribute("aria-label", `${label}, ${times}, ${percentage(score)}`);
      option.title = `${label}, ${times}`;
      return option;
    });
    this.#selected = 0;
    $("tier").replaceChildren(...this.#options);
    $("play-phone").disabled = $("textgrid").disabled = false;
    $("count").textContent = `· ${counted(intervals.length)}`;
    this.#place();
    // Nobody opens a recording for the silence before it.
    this.#select(Math.max(0, intervals.findIndex(({ label }) => label !== SILENCE)));
    const seconds = this.#recording.seconds.toFixed(2);
    $("status").textContent = `${counted(intervals.length)} in ${seconds} seconds.`;
  }

  #select(index) {
    for (const [i, selected] of [[this.#selected, false], [index, true]]) {
      this.#options[i].setAttribute("aria-selected", String(selected));
      this.#options[i].tabIndex = selected ? 0 : -1;
    }
    this.#selected = index;
    const { start, end, label, alternatives, alternativeScores } = this.#intervals[index];
    this.#span($("mark"), start, end);
    $("mark").hidden = false;
    $("selected").textContent = `${label} · ${start.toFixed(2)} to ${end.toFixed(2)} s`;
    listCandidates(alternatives, alternativeScores);
    $("advice").textContent =
      label === alternatives[0] || label === SILENCE
        ? ""
        : `${label} was chosen, since its neighbours and its duration count too.`;
    this.#reveal(start, end);
  }

  /** Scroll until a stretch and a little around it are in sight. */
  #reveal(start, end) {
    const strip = $("strip");
    const pixels = $("timeline").clientWidth / this.#recording.seconds;
    const margin = Math.min(100, strip.clientWidth / 4);
    const [left, right] = [start * pixels - margin, end * pixels + margin];
    if (left < strip.scrollLeft) strip.scrollLeft = left;
    else if (right > strip.scrollLeft + strip.clientWidth) {
      strip.scrollLeft = Math.min(left, right - strip.clientWidth);
    }
  }

  #span(box, start, end) {
    const { seconds } = this.#recording;
    box.style.left = `${(100 * start) / seconds}%`;
    box.style.width = `${(100 * (end - start)) / seconds}%`;
  }

  /** Pixels a second at which all of the recording is in sight, and the most there are. */
  #scales() {
    const all = $("strip").clientWidth / this.#recording.seconds;
    return { all, most: Math.max(all, LARGEST) };
  }

  #layout() {
    const strip = $("strip");
    if (!this.#recording || !strip.clientWidth) return;
    const { all, most } = this.#scales();
    const scale = Math.min(most, Math.max(all, this.#scale ?? LEGIBLE));
    const width = Math.max(strip.clientWidth, Math.floor(scale * this.#recording.seconds));
    $("timeline").style.width = `${width}px`;
    $("zoom-out").disabled = scale <= all;
    $("zoom-in").disabled = scale >= most;
    this.#sight?.disconnect();
    this.#sight = new IntersectionObserver((seen) => this.#draw(seen), {
      root: strip,
      rootMargin: "0px 100%",
    });
    const tiles = [];
    for (let left = 0; left < width; left += TILE) {
      const tile = element("div", "tile");
      tile.style.left = `${left}px`;
      tile.style.width = `${Math.min(TILE, width - left)}px`;
      tiles.push(tile);
      this.#sight.observe(tile);
    }
    $("pictures").replaceChildren(...tiles, ...this.#ticks(scale));
    this.#place();
  }

  #draw(seen) {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting || !this.#recording) continue;
      this.#sight.unobserve(target);
      const [waveform, spectrogram] = ["waveform", "spectrogram"].map((name) => {
        const canvas = element("canvas", name);
        target.append(canvas);
        return canvas;
      });
      const second = $("timeline").clientWidth / this.#recording.seconds;
      const start = target.offsetLeft / second;
      const end = start + target.offsetWidth / second;
      drawWaveform(waveform, this.#recording, start, end);
      drawSpectrogram(spectrogram, this.#recording, start, end, this.#loudness);
    }
  }

  #ticks(scale) {
    const step = TICKS.find((seconds) => seconds * scale >= TICK) ?? TICKS.at(-1);
    const { seconds } = this.#recording;
    const count = Math.floor((seconds - TICK / 2 / scale) / step) + 1;
    return Array.from({ length: Math.max(1, count) }, (_, i) => {
      const tick = element("span", "tick", `${Number((i * step).toFixed(2))} s`);
      this.#span(tick, i * step, i * step);
      return tick;
    });
  }

  #place() {
    const pixels = $("timeline").clientWidth / this.#recording.seconds;
    this.#options.forEach((option, i) => {
      const { start, end, label } = this.#intervals[i];
      this.#span(option, start, end);
      const room = (end - start) * pixels;
      option.classList.toggle("narrow", label.length > 1 && room < LETTER * label.length + 4);
      option.classList.toggle("tiny", room < ROTATED);
    });
  }

  #zoom(factor) {
    const strip = $("strip");
    const { all, most } = this.#scales();
    const before = $("timeline").clientWidth;
    const middle = (strip.scrollLeft + strip.clientWidth / 2) / before;
    const scale = (before / this.#recording.seconds) * factor;
    this.#scale = Math.min(most, Math.max(all, scale));
    this.#layout();
    strip.scrollLeft = middle * $("timeline").clientWidth - strip.clientWidth / 2;
    if (!this.#intervals.length) return;
    const { start, end } = this.#intervals[this.#selected];
    this.#reveal(start, end);
  }

  #stop() {
    this.#playing?.sound.stop();
    delete this.#playing?.shown.dataset.playing;
    this.#playing = null;
    $("play-all").textContent = "Play recording";
    $("playhead").hidden = true;
  }

  /** Play a stretch; `shown` is the element that shows it. */
  #play(start, end, shown) {
    this.#stop();
    const sound = play(this.#recording.slice(start, end), this.#recording.rate);
    const playing = { sound, shown };
    shown.dataset.playing = "";
    this.#playing = playing;
    sound.ended.then(() => {
      if (this.#playing === playing) this.#stop();
    });
  }

  #playPhone() {
    const { start, end } = this.#intervals[this.#selected];
    this.#play(start, end, this.#options[this.#selected]);
  }

  #playAll() {
    const button = $("play-all");
    if (this.#playing?.shown === button) return this.#stop();
    this.#play(0, this.#recording.seconds, button);
    button.textContent = "Stop";
    const playing = this.#playing;
    const follow = () => {
      if (this.#playing !== playing) return;
      const at = Math.min(playing.sound.seconds(), this.#recording.seconds);
      this.#span($("playhead"), at, at);
      $("playhead").hidden = false;
      const strip = $("strip");
      const x = (at / this.#recording.seconds) * $("timeline").clientWidth;
      const ahead = x - strip.scrollLeft;
      if (ahead < 0 || ahead > strip.clientWidth) strip.scrollLeft = x - 20;
      requestAnimationFrame(follow);
    };
    follow();
  }

  #save() {
    const file = new Blob([textGrid(this.#intervals)], { type: "text/plain" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${this.#recording.name.replace(/\.[^.]*$/, "")}.TextGrid`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  #press(index) {
    if (index < 0) return;
    this.#select(index);
    this.#options[index].focus({ preventScroll: true });
    this.#playPhone();
  }

  #keys(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const last = this.#options.length - 1;
    const moves = {
      ArrowLeft: Math.max(0, this.#selected - 1),
      ArrowRight: Math.min(last, this.#selected + 1),
      Home: 0,
      End: last,
    };
    if (event.key === "Enter" || event.key === " ") this.#playPhone();
    else if (event.key in moves) {
      this.#select(moves[event.key]);
      this.#options[this.#selected].focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  }

  #listen() {
    $("tier").addEventListener("keydown", (event) => this.#keys(event));
    $("tier").addEventListener("click", (event) =>
      this.#press(this.#options.indexOf(event.target)),
    );
    $("pictures").addEventListener("click", (event) => {
      const box = $("timeline").getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * this.#recording.seconds;
      this.#press(this.#intervals.findIndex(({ start, end }) => at >= start && at < end));
    });
    $("play-all").addEventListener("click", () => this.#playAll());
    $("play-phone").addEventListener("click", () => this.#playPhone());
    $("zoom-in").addEventListener("click", () => this.#zoom(2));
    $("zoom-out").addEventListener("click", () => this.#zoom(0.5));
    $("textgrid").addEventListener("click", () => this.#save());
    let width = 0;
    new ResizeObserver(([{ target }]) => {
      if (target.clientWidth !== width) this.#layout();
      width = target.clientWidth;
    }).observe($("strip"));
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.#layout());
  }
}

function counted(phones) {
  return phones === 1 ? "1 phone" : `${phones} phones`;
}
