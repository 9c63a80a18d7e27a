/** The value of a JSON text; nothing where it is none. For texts of others, whose schema says then what is wrong. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
