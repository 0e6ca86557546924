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

  /** Models that take WAV files, as {recognizers: [name], classifiers: [name], autoencoders}. */
  async models() {
    const { models } = await this.#json("healthz");
    const found = { recognizers: [], classifiers: [], autoencoders: [] };
    for (const name of models) {
      const document = await this.#json(`v1/models/${encodeURIComponent(name)}/metadata`);
      const signatures = document.metadata.signature_def.signature_def;
      if (signatures.transcribe?.outputs.alternatives) found.recognizers.push(name);
      const outputs = signatures.wav_bytes?.outputs ?? {};
      if (outputs.phones && outputs.scores) found.classifiers.push(name);
      if (outputs.spectrogram && outputs.reconstruction) found.autoencoders.push(name);
    }
    return found;
  }

  /** Outputs for one segment, a WAV file's contents in base64. */
  hear(model, wav) {
    return this.#predict(model, "wav_bytes", wav);
  }

  /** Intervals {start, end, label, score, alternatives, alternativeScores} of a recording. */
  async transcribe(model, wav) {
    const found = await this.#predict(model, "transcribe", wav);
    return found.phones.slice(0, found.counts).map((label, i) => ({
      label,
      start: found.starts[i],
      end: found.ends[i],
      score: found.scores[i],
      alternatives: found.alternatives[i],
      alternativeScores: found.alternative_scores[i],
    }));
  }

  async #predict(model, signature, wav) {
    const document = await this.#json(`v1/models/${encodeURIComponent(model)}:predict`, {
      method: "POST",
      body: JSON.stringify({ signature_name: signature, instances: [{ wav: { b64: wav } }] }),
    });
    return document.predictions[0];
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
      throw new ServerError(said.replace(/^wav\[0\]: /, ""), response.status);
    }
    return document;
  }
}
