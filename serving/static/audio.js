// Recordings: reading files, the microphone, and 16-bit WAV for the server.

/** A mono recording: samples with full scale 1, and their rate in Hz. */
export class Recording {
  #peak = null;

  constructor(samples, rate, name) {
    this.samples = samples;
    this.rate = rate;
    this.name = name;
  }

  get seconds() {
    return this.samples.length / this.rate;
  }

  /** The largest sample. */
  get peak() {
    this.#peak ??= largest(this.samples);
    return this.#peak;
  }

  slice(start, end) {
    return this.samples.subarray(Math.round(start * this.rate), Math.round(end * this.rate));
  }
}

function largest(samples) {
  let most = 1e-4;
  for (let i = 0; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]));
  return most;
}

/** Read a file of any kind that the browser decodes; WAV files keep their rate and every bit. */
export async function readFile(file) {
  const buffer = await file.arrayBuffer();
  const wav = parseWav(buffer);
  if (wav) return new Recording(wav.samples, wav.rate, file.name);
  const context = new AudioContext();
  try {
    const audio = await context.decodeAudioData(buffer);
    const channels = Array.from({ length: audio.numberOfChannels }, (_, i) =>
      audio.getChannelData(i),
    );
    return new Recording(mixed(channels), audio.sampleRate, file.name);
  } catch {
    throw new Error(`${file.name} is no recording that this browser can read; try a WAV file.`);
  } finally {
    await context.close();
  }
}

/** PCM of 16 bits as the server reads it, mixed to one channel; null for anything else. */
function parseWav(buffer) {
  const view = new DataView(buffer);
  const text = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 44 || text(0) !== "RIFF" || text(8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const name = text(at);
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (name === "fmt " && body + 16 <= buffer.byteLength) {
      format = {
        tag: view.getUint16(body, true),
        channels: view.getUint16(body + 2, true),
        rate: view.getUint32(body + 4, true),
        bits: view.getUint16(body + 14, true),
      };
    } else if (name === "data") {
      if (format?.tag !== 1 || format.bits !== 16 || !format.channels || !format.rate) return null;
      const frames = Math.floor(
        Math.min(size, buffer.byteLength - body) / (2 * format.channels),
      );
      const samples = new Float32Array(frames);
      for (let i = 0; i < frames; i++) {
        let sum = 0;
        for (let c = 0; c < format.channels; c++) {
          sum += view.getInt16(body + 2 * (i * format.channels + c), true);
        }
        samples[i] = sum / format.channels / 32768;
      }
      return frames ? { samples, rate: format.rate } : null;
    }
    at = body + size + (size % 2);
  }
  return null;
}

function mixed(channels) {
  const samples = new Float32Array(channels[0].length);
  for (const channel of channels) {
    for (let i = 0; i < samples.length; i++) samples[i] += channel[i] / channels.length;
  }
  return samples;
}

/** Samples as the contents of a 16-bit mono WAV file, a promise of base64. */
export function wavBase64(samples, rate) {
  const bytes = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const text = (at, value) => [...value].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.max(-32768, Math.min(32767, Math.round(samples[i] * 32768)));
    view.setInt16(44 + 2 * i, value, true);
  }
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([bytes]));
  });
}

let speaker = null;

/** Play samples once: {seconds() so far, stop(), ended: a promise}. */
export function play(samples, rate) {
  // A device that is only then switched on swallows the beginning, which may be all of a phone.
  speaker ??= new AudioContext();
  speaker.resume();
  const buffer = speaker.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(samples, 0);
  const source = speaker.createBufferSource();
  source.buffer = buffer;
  source.connect(speaker.destination);
  const ended = new Promise((resolve) => (source.onended = resolve));
  const begun = speaker.currentTime;
  source.start();
  return { seconds: () => speaker.currentTime - begun, stop: () => source.stop(), ended };
}

/** Why the microphone cannot be used; null if it can. */
export function microphoneProblem() {
  if (!window.isSecureContext) return "The microphone needs https, or this machine's own address.";
  return navigator.mediaDevices?.getUserMedia ? null : "This browser has no microphone access.";
}

/** Start recording; resolves to a function that stops and gives the recording. */
export async function record() {
  // What browsers do to make voices pleasant changes what a network hears.
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
  const context = new AudioContext();
  await context.audioWorklet.addModule("recorder.js");
  const source = context.createMediaStreamSource(stream);
  const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const parts = [];
  recorder.port.onmessage = (event) => parts.push(event.data);
  source.connect(recorder);
  return async () => {
    stream.getTracks().forEach((track) => track.stop());
    const rate = context.sampleRate;
    await context.close();
    const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    return new Recording(samples, rate, "your recording");
  };
}
