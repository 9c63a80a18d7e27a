/**
 * Domain names as zone files write them (RFC 1035 5.1): `@` is the zone, a name with a dot at its end is absolute, and
 * `\.` and `\065` stand for bytes that would else mean something. Out comes the wire form, in lower case: nothing in
 * an answer depends on the case of names in data, and signatures are made over lower case (RFC 4034 6.2).
 */

const MAX_LABEL = 63;
const MAX_NAME = 255;

/**
 * The wire form; throws with what is allowed. Several labels without a dot at their end are refused: they are the
 * classic mistake, `www.example.com` meaning `www.example.com.cdn.example.net`.
 */
export function wireOfText(text: string, zone: string): Buffer {
  if (text === '@') return wireOfLabels(labelsOf(zone));
  if (text === '.') return wireOfLabels([]);
  const labels = labelsOf(text);
  if (labels.at(-1)?.length === 0) return wireOfLabels(labels.slice(0, -1));
  if (labels.length === 1) return wireOfLabels([...labels, ...labelsOf(zone)]);
  throw new Error(`${text} ends with a dot, or is a single label of the zone, or @`);
}

/** Labels between dots; the last one is empty when the text ends with a dot. */
function labelsOf(text: string): Buffer[] {
  const labels: Buffer[] = [];
  let bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '.') {
      labels.push(Buffer.from(bytes));
      bytes = [];
    } else if (character === '\\') {
      const { byte, length } = unescaped(text, at);
      bytes.push(byte);
      at += length - 1;
    } else if (/[!-~]/.test(character)) bytes.push(character.charCodeAt(0));
    else throw new Error('a name is ASCII; write others as \\DDD or xn--…');
  }
  return [...labels, Buffer.from(bytes)];
}

/** `\065` or `\.` at `at`: the byte that it stands for, and how many characters it has. */
export function unescaped(text: string, at: number): { byte: number; length: number } {
  const [digits] = /^\d{3}/.exec(text.slice(at + 1)) ?? [];
  if (digits === undefined) return { byte: text.charCodeAt(at + 1), length: 2 };
  if (Number(digits) > 255) throw new Error(`\\${digits} is at most \\255`);
  return { byte: Number(digits), length: 4 };
}

function wireOfLabels(labels: readonly Buffer[]): Buffer {
  const parts = labels.map((label) => {
    if (label.length === 0 || label.length > MAX_LABEL) throw new Error('a label has 1 to 63 bytes');
    return Buffer.concat([Buffer.of(label.length), label.map(lowerCase)]);
  });
  const wire = Buffer.concat([...parts, Buffer.of(0)]);
  if (wire.length > MAX_NAME) throw new Error('a name has at most 255 bytes');
  return wire;
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
