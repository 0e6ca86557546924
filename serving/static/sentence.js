// The view of a sentence: the phones of a whole recording, and its words where they were given, as
// tiers under its pictures.

import { play, wavBase64 } from "./audio.js";
import { drawSpectrogram, drawWaveform, loudness } from "./draw.js";
import { $, clearCandidates, element, listCandidates, percentage } from "./phones.js";
import { lookedUp, wordIntervals } from "./said.js";
import { textGrid } from "./textgrid.js";
import { Tier } from "./tier.js";

const TILE = 512; // pixels of a picture that are drawn at once, when they come into sight
const LEGIBLE = 320; // pixels a second, at which most phones have room for their names
const LARGEST = 1600;
const TICK = 90; // pixels from one time to the next, at least
const TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120]; // in seconds
const SILENCE = "sil";

const HINTS = {
  words: "Optional: words given here are found in the recording, with their phones.",
  phones:
    "Optional: phones given here are found in the recording. They are named as by the model, with " +
    "a space between two and a | between two words.",
};

export class SentenceView {
  #server;
  #problem;
  #model = "";
  #recording = null;
  #loudness = 0;
  #aligns = false;
  #pronounces = false;
  #phones;
  #words;
  #scale = null; // pixels a second; null until somebody zooms
  #asked = 0;
  #playing = null;
  #sight;

  /** `problem` shows an error; null takes it away. */
  constructor(server, problem) {
    this.#server = server;
    this.#problem = problem;
    this.#phones = new Tier(
      $("tier"),
      (index) => this.#choosePhone(index),
      (index) => this.#playInterval(this.#phones, index),
    );
    this.#words = new Tier(
      $("words"),
      (index) => this.#chooseWord(index),
      (index) => this.#playInterval(this.#words, index),
    );
    this.#listen();
  }

  /** Transcribe with a model, or align where it can and something is given to be aligned. */
  use(model, { aligners, pronouncers }) {
    this.#model = model;
    this.#aligns = aligners.includes(model);
    const pronounces = pronouncers.includes(model);
    // What was written for another kind of model means nothing to this one.
    if (pronounces !== this.#pronounces) $("said").value = "";
    this.#pronounces = pronounces;
    $("said-form").hidden = !this.#aligns;
    $("said-label").textContent = pronounces ? "What is said" : "Phones that are said";
    $("said-hint").textContent = pronounces ? HINTS.words : HINTS.phones;
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
    this.#phones.show([]);
    this.#words.show([]);
    $("words").hidden = true;
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
    const text = this.#aligns ? $("said").value.trim() : "";
    $("status").textContent = text ? "Finding the words…" : "Finding the phones…";
    $("count").textContent = `· ${$("status").textContent}`;
    try {
      const wav = await wavBase64(samples, rate);
      const found = await (text ? this.#align(wav, text) : this.#transcribe(wav));
      // Another recording may have been opened meanwhile.
      if (number === this.#asked) this.#show(found);
    } catch (error) {
      if (number !== this.#asked) return;
      $("count").textContent = $("status").textContent = "";
      this.#problem(error);
    }
  }

  async #transcribe(wav) {
    return { phones: await this.#server.transcribe(this.#model, wav), words: [] };
  }

  async #align(wav, text) {
    const model = this.#model;
    const said = await lookedUp(this.#server, model, text, this.#pronounces);
    const { phones, score } = await this.#server.align(model, wav, said.phones);
    return { phones, score, words: wordIntervals(phones, said.words) };
  }

  #show({ phones, words, score }) {
    this.#phones.show(phones);
    this.#words.show(words);
    $("words").hidden = !words.length;
    $("play-phone").disabled = $("textgrid").disabled = false;
    let told = counted(phones.length, "phone");
    if (words.length) told = `${counted(words.length, "word")}, ${told}`;
    const agreement = score === undefined ? "" : `, agreement ${percentage(score)}`;
    $("count").textContent = `· ${told}${agreement}`;
    this.#place();
    // Nobody opens a recording for the silence before it.
    this.#phones.select(Math.max(0, phones.findIndex(({ label }) => label !== SILENCE)));
    const seconds = this.#recording.seconds.toFixed(2);
    $("status").textContent = `${told} in ${seconds} seconds${agreement}.`;
  }

  #choosePhone(index) {
    const interval = this.#phones.intervals[index];
    const { start, end, label, alternatives, alternativeScores, word } = interval;
    this.#mark(start, end);
    $("selected").textContent = `${label} · ${start.toFixed(2)} to ${end.toFixed(2)} s`;
    listCandidates(alternatives, alternativeScores);
    $("advice").textContent =
      label === alternatives[0] || label === SILENCE || word !== undefined
        ? ""
        : `${label} was chosen, since its neighbours and its duration count too.`;
  }

  #chooseWord(index) {
    const { start, end, first } = this.#words.intervals[index];
    this.#phones.select(first);
    this.#mark(start, end);
  }

  #mark(start, end) {
    this.#span($("mark"), start, end);
    $("mark").hidden = false;
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
    const scale = $("timeline").clientWidth / this.#recording.seconds;
    const span = (box, start, end) => this.#span(box, start, end);
    this.#phones.place(span, scale);
    this.#words.place(span, scale);
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
    if (!this.#phones.intervals.length) return;
    const { start, end } = this.#phones.intervals[this.#phones.selected];
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

  #playInterval(tier, index) {
    const { start, end } = tier.intervals[index];
    this.#play(start, end, tier.options[index]);
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
    const phones = this.#phones.intervals;
    const words = this.#words.intervals;
    const tiers = words.length ? { words, phones } : { phones };
    const file = new Blob([textGrid(tiers, phones.at(-1).end)], { type: "text/plain" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${this.#recording.name.replace(/\.[^.]*$/, "")}.TextGrid`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  #listen() {
    $("pictures").addEventListener("click", (event) => {
      const box = $("timeline").getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * this.#recording.seconds;
      this.#phones.press(this.#phones.at(at));
    });
    $("play-all").addEventListener("click", () => this.#playAll());
    $("play-phone").addEventListener("click", () =>
      this.#playInterval(this.#phones, this.#phones.selected),
    );
    $("zoom-in").addEventListener("click", () => this.#zoom(2));
    $("zoom-out").addEventListener("click", () => this.#zoom(0.5));
    $("textgrid").addEventListener("click", () => this.#save());
    $("said-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#recording) this.#ask();
      else this.#problem(new Error("Record or choose a recording first."));
    });
    let width = 0;
    new ResizeObserver(([{ target }]) => {
      if (target.clientWidth !== width) this.#layout();
      width = target.clientWidth;
    }).observe($("strip"));
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.#layout());
  }
}

function counted(number, name) {
  return `${number} ${name}${number === 1 ? "" : "s"}`;
}
