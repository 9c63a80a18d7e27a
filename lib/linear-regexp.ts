/**
 * Regular expressions of other people, run in time that is linear in the text: V8's own engine for that, which refuses
 * what it cannot do so (back references, look-ahead). With the usual engine one pattern such as `(a+)+$` could hold a
 * process for hours.
 */
import { setFlagsFromString } from 'node:v8';

// What this allows is the flag below; expressions without it run as ever.
setFlagsFromString('--enable-experimental-regexp-engine');
const LINEAR = 'l';

/** Throws SyntaxError where the text is no regular expression, or none that runs in linear time. */
export function linearRegExp(text: string): RegExp {
  return new RegExp(text, LINEAR);
}

export function isLinearRegExp(text: string): boolean {
  try {
    linearRegExp(text);
    return true;
  } catch {
    return false;
  }
}
