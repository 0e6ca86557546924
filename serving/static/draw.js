// Waveforms and spectrograms on canvases.

const WINDOW_SECONDS = 1 / 60;
const TOP_HERTZ = 8000;
const RANGE_DECIBELS = 65;
const LOOKS = 500;

// Dark to light through violet and orange, even steps of lightness, readable without colour.
const STOPS = [
  [8, 8, 24],
  [52, 18, 90],
  [117, 29, 112],
  [181, 47, 96],
  [232, 92, 70],
  [250, 159, 83],
  [252, 222, 148],
  [253, 250, 216],
];

const COLOURS = Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return STOPS[low].map((value, c) =>
    Math.round(value + (STOPS[low + 1][c] - value) * (at - low)),
  );
});

function context(canvas) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
  return canvas.getContext("2d");
}

/** Draw the part of a recording from `start` to `end` seconds. */
export function drawWaveform(canvas, recording, start, end) {
  const pen = context(canvas);
  const { width, height } = canvas;
  const first = start * recording.rate;
  const step = ((end - start) * recording.rate) / width;
  const { peak } = recording;
  pen.fillStyle = getComputedStyle(canvas).getPropertyValue("--wave");
  for (let x = 0; x < width; x++) {
    const from = Math.floor(first + x * step);
    const to = Math.max(from + 1, Math.floor(first + (x + 1) * step));
    let low = Infinity;
    let high = -Infinity;
    for (let i = from; i < Math.min(to, recording.samples.length); i++) {
      low = Math.min(low, recording.samples[i]);
      high = Math.max(high, recording.samples[i]);
    }
    if (low > high) continue;
    const y = (value) => (height / 2) * (1 - (0.92 * value) / peak);
    pen.fillRect(x, y(high), 1, Math.max(1, y(low) - y(high)));
  }
}

/** Spectra at `width` times from `start` to `end` seconds, in decibels: {rows, values, most}. */
function spectra(recording, start, end, width) {
  const taps = Math.round(WINDOW_SECONDS * recording.rate);
  const size = 2 ** Math.ceil(Math.log2(taps));
  const shape = Float32Array.from({ length: taps }, (_, i) =>
    0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (taps - 1)),
  );
  const rows = Math.round((Math.min(TOP_HERTZ, recording.rate / 2) / recording.rate) * size);
  const values = new Float32Array(width * rows);
  let most = -Infinity;
  for (let x = 0; x < width; x++) {
    const centre = Math.round((start + ((x + 0.5) / width) * (end - start)) * recording.rate);
    const real = new Float32Array(size);
    const imaginary = new Float32Array(size);
    for (let i = 0; i < taps; i++) {
      real[i] = (recording.samples[centre - (taps >> 1) + i] ?? 0) * shape[i];
    }
    transform(real, imaginary);
    for (let row = 0; row < rows; row++) {
      const power = real[row] ** 2 + imaginary[row] ** 2;
      const decibels = 10 * Math.log10(power + 1e-12);
      values[x * rows + row] = decibels;
      most = Math.max(most, decibels);
    }
  }
  return { rows, values, most };
}

/** The most that a recording's spectrogram has, in decibels, looked at in `LOOKS` places. */
export function loudness(recording) {
  return spectra(recording, 0, recording.seconds, LOOKS).most;
}

/** Draw its spectrogram, up to 8 kHz or half the rate; what has `most` decibels is lightest. */
export function drawSpectrogram(canvas, recording, start, end, most = null) {
  const pen = context(canvas);
  const { width, height } = canvas;
  const found = spectra(recording, start, end, width);
  const { rows, values } = found;
  most ??= found.most;
  const image = pen.createImageData(width, height);
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const row = Math.min(rows - 1, Math.floor(((height - 1 - y) / height) * rows));
      paint(image, x, y, 1 + (values[x * rows + row] - most) / RANGE_DECIBELS);
    }
  }
  pen.putImageData(image, 0, 0);
}

/** Draw maps (F, T, C) of one scale side by side, the first channel, low frequencies below. */
export function drawMaps(canvases, maps) {
  const planes = maps.map((map) => map.map((row) => row.map((cell) => cell[0])));
  const all = planes.flat(2).sort((a, b) => a - b);
  const low = all[Math.floor(0.005 * all.length)];
  const high = all[Math.floor(0.995 * (all.length - 1))];
  canvases.forEach((canvas, i) => {
    const plane = planes[i];
    canvas.height = plane.length;
    canvas.width = plane[0].length;
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(canvas.width, canvas.height);
    plane.forEach((row, f) =>
      row.forEach((value, t) =>
        paint(image, t, plane.length - 1 - f, (value - low) / (high - low || 1)),
      ),
    );
    pen.putImageData(image, 0, 0);
  });
}

function paint(image, x, y, share) {
  const colour = COLOURS[Math.max(0, Math.min(255, Math.round(255 * share)))];
  image.data.set([...colour, 255], 4 * (y * image.width + x));
}

/** Fast Fourier transform in place; the length is a power of two. */
function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let span = 2; span <= size; span *= 2) {
    const angle = (-2 * Math.PI) / span;
    for (let k = 0; k < span / 2; k++) {
      const c = Math.cos(angle * k);
      const s = Math.sin(angle * k);
      for (let i = k; i < size; i += span) {
        const j = i + span / 2;
        const r = real[j] * c - imaginary[j] * s;
        const m = real[j] * s + imaginary[j] * c;
        real[j] = real[i] - r;
        imaginary[j] = imaginary[i] - m;
        real[i] += r;
        imaginary[i] += m;
      }
    }
  }
}
