/**
 * A pure function of a text that keeps what it found: header fields have few values, and each is read several times. Only
 * for values that nobody changes.
 */

/** Texts that are kept, and how long they may be: half a megabyte at most for each function. */
const MOST_TEXTS = 1_000;
const MOST_CHARACTERS = 256;

export function textMemo<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, { value: T }>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found.value;
    const value = read(text);
    if (text.length > MOST_CHARACTERS) return value;
    // Forgetting all at once costs nothing; who sends ever new texts gets what they cost before.
    if (known.size >= MOST_TEXTS) known.clear();
    known.set(text, { value });
    return value;
  };
}
