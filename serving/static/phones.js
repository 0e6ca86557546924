// Names of phones: words that have them, and lists of the most probable ones.

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

export const $ = (id) => document.getElementById(id);

export function element(tag, style, text = "") {
  const made = document.createElement(tag);
  made.className = style;
  made.textContent = text;
  return made;
}

export function percentage(share) {
  return share >= 0.0995 ? `${Math.round(100 * share)} %` : `${(100 * share).toFixed(1)} %`;
}

/** List the most probable phones of a stretch with their scores, 0 to 1, best first. */
export function listCandidates(phones, scores) {
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
}

/** Nothing is listed any more. */
export function clearCandidates() {
  $("phones").replaceChildren();
  $("advice").textContent = "";
  $("status").textContent = "";
  $("empty").hidden = false;
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
