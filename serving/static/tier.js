// A tier: intervals under a recording's pictures, of which one is selected.

import { element, percentage } from "./phones.js";

const LETTER = 10; // pixels
const ROTATED = 11; // pixels that a name needs from top to bottom

export class Tier {
  intervals = [];
  options = [];
  selected = 0;
  #box;
  #chosen;
  #played;

  /** In a listbox; `chosen` is told which interval was selected, `played` which is to be heard. */
  constructor(box, chosen, played) {
    this.#box = box;
    this.#chosen = chosen;
    this.#played = played;
    box.addEventListener("keydown", (event) => this.#keys(event));
    box.addEventListener("click", (event) => this.press(this.options.indexOf(event.target)));
  }

  /** Show intervals {start, end, label}, with or without `score`. */
  show(intervals) {
    this.intervals = intervals;
    this.options = intervals.map(({ start, end, label, score }) => {
      const option = element("div", "interval", label);
      option.setAttribute("role", "option");
      const times = `${label}, ${start.toFixed(2)} to ${end.toFixed(2)} seconds`;
      option.setAttribute("aria-selected", "false");
      option.tabIndex = -1;
      option.setAttribute(
        "aria-label",
        score === undefined ? times : `${times}, ${percentage(score)}`,
      );
      option.title = times;
      return option;
    });
    this.selected = 0;
    if (this.options.length) this.options[0].tabIndex = 0;
    this.#box.replaceChildren(...this.options);
  }

  select(index) {
    for (const [i, selected] of [[this.selected, false], [index, true]]) {
      this.options[i].setAttribute("aria-selected", String(selected));
      this.options[i].tabIndex = selected ? 0 : -1;
    }
    this.selected = index;
    this.#chosen(index);
  }

  /** Select one, and play it. */
  press(index) {
    if (index < 0) return;
    this.#go(index);
    this.#played(index);
  }

  /** The interval at a time, in seconds; -1 where there is none. */
  at(seconds) {
    return this.intervals.findIndex(({ start, end }) => seconds >= start && seconds < end);
  }

  /** Put every option in its place by `span(box, start, end)`; `scale` is pixels a second. */
  place(span, scale) {
    this.options.forEach((option, i) => {
      const { start, end, label } = this.intervals[i];
      span(option, start, end);
      const room = (end - start) * scale;
      option.classList.toggle("narrow", label.length > 1 && room < LETTER * label.length + 4);
      option.classList.toggle("tiny", room < ROTATED);
    });
  }

  #go(index) {
    this.select(index);
    this.options[index].focus({ preventScroll: true });
  }

  #keys(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const last = this.options.length - 1;
    const moves = {
      ArrowLeft: Math.max(0, this.selected - 1),
      ArrowRight: Math.min(last, this.selected + 1),
      Home: 0,
      End: last,
    };
    if (event.key === "Enter" || event.key === " ") this.#played(this.selected);
    else if (event.key in moves) this.#go(moves[event.key]);
    else return;
    event.preventDefault();
  }
}
