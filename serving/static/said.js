// What was said in a recording: words, or phones where the server has no dictionary.

/** The words of a text, punctuation left out. */
export function wordsOf(text) {
  const parts = text.normalize("NFC").split(/[\s\u2010-\u2015-]+/u);
  return parts
    .map((part) => part.replace(/^[^\p{L}\p{N}']+|[^\p{L}\p{N}']+$/gu, ""))
    .filter((part) => /[\p{L}\p{N}]/u.test(part));
}

/** Words and the phones of each, which the server looks up where its model can: {words, phones}. */
export async function lookedUp(server, model, text, pronounces) {
  if (!pronounces) {
    const phones = text.split("|").map((part) => part.trim());
    return { words: [], phones: phones.filter(Boolean) };
  }
  const words = wordsOf(text);
  if (!words.length) throw new Error("No words were given.");
  const phones = await server.pronounce(model, words);
  const unknown = [...new Set(words.filter((_, i) => !phones[i]))];
  if (unknown.length) {
    throw new Error(
      `The model's dictionary does not have ${unknown.map((word) => `“${word}”`).join(", ")}. ` +
        "Numbers and abbreviations must be written as they are said.",
    );
  }
  return { words, phones };
}

/** Intervals of words {start, end, label, first phone} from phones that know their words' numbers. */
export function wordIntervals(phones, words) {
  const found = [];
  phones.forEach(({ start, end, word }, first) => {
    if (word < 0 || !words.length) return;
    if (found.at(-1)?.word === word) found.at(-1).end = end;
    else found.push({ start, end, label: words[word], word, first });
  });
  return found;
}
