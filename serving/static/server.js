// The model server: which models it has, and what they say of a segment.

/** What went wrong, with the HTTP status; 0 if there was no answer. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Server {
  key = "";

  /** Models that take WAV files, as {classifiers: [name], autoencoders: [name]}. */
  async models() {
    const { models } = await this.#json("healthz");
    const found = { classifiers: [], autoencoders: [] };
    for (const name of models) {
      const document = await this.#json(`v1/models/${encodeURIComponent(name)}/metadata`);
      const outputs = document.metadata.signature_def.signature_def.wav_bytes?.outputs ?? {};
      if (outputs.phones && outputs.scores) found.classifiers.push(name);
      if (outputs.spectrogram && outputs.reconstruction) found.autoencoders.push(name);
    }
    return found;
  }

  /** Outputs for one WAV file's contents in base64. */
  async hear(model, wav) {
    const document = await this.#json(`v1/models/${encodeURIComponent(model)}:predict`, {
      method: "POST",
      body: JSON.stringify({ signature_name: "wav_bytes", instances: [{ wav: { b64: wav } }] }),
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
      throw new ServerError(document.error ?? `The server answered ${response.status}.`, response.status);
    }
    return document;
  }
}
