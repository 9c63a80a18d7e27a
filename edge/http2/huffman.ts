/**
 * The Huffman code of HPACK (RFC 7541 appendix B), read four bits at a time. The code is canonical: the lengths of its
 * words say all of it. Pure.
 */

/** Bits of the words for 0 to 255, and of the end that no text has in it. */
const LENGTHS: readonly number[] = (
  '13,23,28*7,24,30,28*2,30,28*8,30,28*9,6,10*2,12,13,6,8,11,10*2,8,11,8,6*3,5*3,6*7,7,8,15,6,12,10,13,6,' +
  '7*22,8,7,8,13,19,13,14,6,15,5,6,5,6,5,6*3,5,7*2,6*3,5,6,7,6,5*2,6,7*5,15,11,14,13,28,20,22,20*2,22*3,23,' +
  '22,23*5,24,23,24*2,22,23,24,23*4,21,22,23,22,23*2,24,22,21,20,22*2,23*2,21,23,22*2,24,21,22,23*2,21*2,' +
  '22,21,23,22,23*2,20,22*3,23,22*2,23,26*2,20,19,22,23,22,25,26*3,27*2,26,24,25,19,21,26,27*2,26,27,24,' +
  '21*2,26*2,28,27*3,20,24,20,21,22,21*2,23,22*2,25*2,24*2,26,23,26,27,26*2,27*5,28,27*5,26,30'
)
  .split(',')
  .flatMap((run) => {
    const [bits = 0, times = 1] = run.split('*').map(Number);
    return Array<number>(times).fill(bits);
  });

const END = 256;
/** In `STEPS`: no text goes on like this. */
const BROKEN = 0xffff;

/** Nodes of the tree: two children each, a leaf as -1 - symbol. */
const CHILDREN = tree();
/** By node and four bits: the next node, and one more than the symbol that they complete (one at most: words have five). */
const STEPS = new Uint16Array((CHILDREN.length / 2) * 16);
const SYMBOLS = new Uint16Array(STEPS.length);
/** RFC 7541 5.2: a text ends within seven ones. */
const MAY_END = new Uint8Array(CHILDREN.length / 2);
fill();

function tree(): number[] {
  const children = [0, 0];
  const order = LENGTHS.map((bits, symbol) => ({ bits, symbol })).sort(
    (a, b) => a.bits - b.bits || a.symbol - b.symbol,
  );
  let code = 0;
  let last = 0;
  for (const { bits, symbol } of order) {
    code *= 2 ** (bits - last);
    last = bits;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const at = node * 2 + ((code >>> bit) & 1);
      if (children[at] === 0) {
        children[at] = children.length / 2;
        children.push(0, 0);
      }
      node = children[at] ?? 0;
    }
    children[node * 2 + (code & 1)] = -1 - symbol;
    code++;
  }
  return children;
}

function fill(): void {
  for (let at = 0; at < STEPS.length; at++) {
    let node = at >> 4;
    for (let bit = 3; bit >= 0 && node !== BROKEN; bit--) {
      const next = CHILDREN[node * 2 + ((at >> bit) & 1)] ?? 0;
      if (next >= 0) node = next;
      else {
        SYMBOLS[at] = -next;
        node = next === -1 - END ? BROKEN : 0;
      }
    }
    STEPS[at] = node;
  }
  for (let node = 0, ones = 0; ones < 8; ones++) {
    MAY_END[node] = 1;
    node = CHILDREN[node * 2 + 1] ?? 0;
  }
}

/** Words have five bits at least. */
const room = Buffer.alloc(2 ** 16);

/** As latin1; nothing where it is no such text. */
export function huffmanText(bytes: Buffer): string | undefined {
  const most = Math.floor((bytes.length * 8) / 5);
  const into = most > room.length ? Buffer.allocUnsafe(most) : room;
  let node = 0;
  let length = 0;
  for (let at = 0; at < bytes.length * 2; at++) {
    const byte = bytes[at >> 1] ?? 0;
    const step = node * 16 + ((at & 1) === 0 ? byte >> 4 : byte & 15);
    node = STEPS[step] ?? BROKEN;
    if (node === BROKEN) return undefined;
    const symbol = SYMBOLS[step] ?? 0;
    if (symbol > 0) into[length++] = symbol - 1;
  }
  return MAY_END[node] === 1 ? into.toString('latin1', 0, length) : undefined;
}
