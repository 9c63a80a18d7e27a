/** SipHash-2-4 (Aumasson, Bernstein 2012), which server cookies are made with (RFC 9018 4.4). 64-bit words as halves. */

/** The 8 bytes of the hash, as the reference writes them: least significant first. */
export function sipHash24(key: Buffer, data: Uint8Array): Buffer {
  const state = start(key);
  const tail = data.length & ~7;
  for (let at = 0; at < tail; at += 8) absorb(state, word(data, at), word(data, at + 4));
  const last = new Uint8Array(8);
  last.set(data.subarray(tail));
  last[7] = data.length & 0xff;
  absorb(state, word(last, 0), word(last, 4));
  state[V2] = (state[V2] ?? 0) ^ 0xff;
  for (let round = 0; round < 4; round++) sipRound(state);
  const out = Buffer.alloc(8);
  const at = (index: number) => state[index] ?? 0;
  out.writeInt32LE(at(0) ^ at(2) ^ at(4) ^ at(6), 0);
  out.writeInt32LE(at(1) ^ at(3) ^ at(5) ^ at(7), 4);
  return out;
}

/** v0 to v3, each as low and high half. */
type State = Int32Array;
const [V0, V1, V2, V3] = [0, 2, 4, 6] as const;

/** "somepseudorandomlygeneratedbytes", exclusive-or the key. */
const INITIAL = [
  0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462,
];

function start(key: Buffer): State {
  const parts = [0, 4, 8, 12].map((at) => key.readInt32LE(at));
  return Int32Array.from(INITIAL, (constant, index) => constant ^ (parts[index & 3] ?? 0));
}

function word(data: Uint8Array, at: number): number {
  const byte = (index: number) => data[at + index] ?? 0;
  return byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24);
}

function absorb(state: State, low: number, high: number): void {
  mix(state, V3, low, high);
  sipRound(state);
  sipRound(state);
  mix(state, V0, low, high);
}

function sipRound(state: State): void {
  add(state, V0, V1);
  turn(state, V1, 13, V0);
  turn(state, V0, 32);
  add(state, V2, V3);
  turn(state, V3, 16, V2);
  add(state, V0, V3);
  turn(state, V3, 21, V0);
  add(state, V2, V1);
  turn(state, V1, 17, V2);
  turn(state, V2, 32);
}

function add(state: State, to: number, from: number): void {
  const low = ((state[to] ?? 0) >>> 0) + ((state[from] ?? 0) >>> 0);
  state[to + 1] = (state[to + 1] ?? 0) + (state[from + 1] ?? 0) + (low > 0xffff_ffff ? 1 : 0);
  state[to] = low;
}

/** Rotated left, then exclusive-or another word. */
function turn(state: State, at: number, bits: number, other?: number): void {
  const [low, high] = [state[at] ?? 0, state[at + 1] ?? 0];
  const [a, b] =
    bits === 32
      ? [high, low]
      : [(low << bits) | (high >>> (32 - bits)), (high << bits) | (low >>> (32 - bits))];
  state[at] = a;
  state[at + 1] = b;
  if (other !== undefined) mix(state, at, state[other] ?? 0, state[other + 1] ?? 0);
}

function mix(state: State, at: number, low: number, high: number): void {
  state[at] = (state[at] ?? 0) ^ low;
  state[at + 1] = (state[at + 1] ?? 0) ^ high;
}
