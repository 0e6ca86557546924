// The model server: which models it has, and what they say of segments and sentences.

/** What went wrong, with the HTTP status; 0 if there was no answer. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Server {
  key = "";

  /** Names of models that take WAV files, by what they are and what they can do. */
  async models() {
    const { models } = await this.#json("healthz");
    const found = {
      recognizers: [],
      classifiers: [],
      autoencoders: [],
      aligners: [],
      pronouncers: [],
    };
    for (const name of models) {
      const document = await this.#json(`v1/models/${encodeURIComponent(name)}/metadata`);
      const signatures = document.metadata.signature_def.signature_def;
      if (signatures.transcribe?.outputs.alternatives) found.recognizers.push(name);
      if (signatures.align?.outputs.alternatives) found.aligners.push(name);
      if (signatures.pronounce?.outputs.phones) found.pronouncers.push(name);
      const outputs = signatures.wav_bytes?.outputs ?? {};
      if (outputs.phones && outputs.scores) found.classifiers.push(name);
      if (outputs.spectrogram && outputs.reconstruction) found.autoencoders.push(name);
    }
    return found;
  }

  /** Outputs for one segment, a WAV file's contents in base64. */
  hear(model, wav) {
    return this.#row(model, "wav_bytes", wav);
  }

  /** Intervals {start, end, label, score, alternatives, alternativeScores} of a recording. */
  async transcribe(model, wav) {
    const found = await this.#row(model, "transcribe", wav);
    return intervals(found).slice(0, found.counts);
  }

  /** Phones of each word, with spaces between them; "" where it is unknown. */
  async pronounce(model, words) {
    return (await this.#predict(model, "pronounce", { inputs: { words } })).outputs;
  }

  /** {phones: intervals as of `transcribe`, each with `word`, the number of its word; score}. */
  async align(model, wav, phones) {
    const inputs = { wav: { b64: wav }, phones };
    const { outputs } = await this.#predict(model, "align", { inputs });
    const found = intervals(outputs);
    found.forEach((interval, i) => (interval.word = outputs.words[i]));
    return { phones: found, score: outputs.score };
  }

  async #row(model, signature, wav) {
    const instances = [{ wav: { b64: wav } }];
    return (await this.#predict(model, signature, { instances })).predictions[0];
  }

  #predict(model, signature, body) {
    return this.#json(`v1/models/${encodeURIComponent(model)}:predict`, {
      method: "POST",
      body: JSON.stringify({ signature_name: signature, ...body }),
    });
  }

  async #json(path, options = {}) {
    const headers = { "content-type": "application/json" };
    if (this.key) headers.authorization = `Bearer ${this.key}`;
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch {
      throw new ServerError("The server cannot be reached. Is it still running?", 0);
    }
    const document = await response.json().catch(() => ({}));
    if (!response.ok) {
      const said = document.error ?? `The server answered ${response.status}.`;
      // Which row of the request it is about says nothing to whoever sent one recording.
      throw new ServerError(said.replace(/^(wav|phones)\[\d+\]: /, ""), response.status);
    }
    return document;
  }
}

function intervals(outputs) {
  return outputs.phones.map((label, i) => ({
    label,
    start: outputs.starts[i],
    end: outputs.ends[i],
    score: outputs.scores[i],
    alternatives: outputs.alternatives[i],
    alternativeScores: outputs.alternative_scores[i],
  }));
}
