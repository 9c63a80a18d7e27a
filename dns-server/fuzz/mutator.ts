/** Makes odd packets from good ones, the same ones for the same seed. */

export type Random = (below: number) => number;

/** Mulberry32: small, and good enough to choose by. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Lengths, counts, pointers and limits that parsers get wrong. */
const WORDS = [
  0, 1, 2, 11, 12, 41, 63, 64, 255, 256, 512, 1_232, 0x3fff, 0x7fff, 0x8000, 0xc000, 0xc00c, 0xffff,
];

type Mutation = (packet: Buffer, random: Random, corpus: readonly Buffer[]) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(packet, random) {
    const at = random(packet.length);
    packet[at] = (packet[at] ?? 0) ^ (1 << random(8));
    return packet;
  },
  function setByte(packet, random) {
    packet[random(packet.length)] = random(256);
    return packet;
  },
  function setWord(packet, random) {
    if (packet.length >= 2) packet.writeUInt16BE(WORDS[random(WORDS.length)] ?? 0, random(packet.length - 1));
    return packet;
  },
  function setCount(packet, random) {
    if (packet.length >= 12) packet.writeUInt16BE(random(4), 4 + 2 * random(4));
    return packet;
  },
  function cut(packet, random) {
    return packet.subarray(0, random(packet.length + 1));
  },
  function remove(packet, random) {
    const at = random(packet.length);
    return Buffer.concat([packet.subarray(0, at), packet.subarray(at + 1 + random(8))]);
  },
  function insert(packet, random) {
    const at = random(packet.length + 1);
    const added = Buffer.from(Array.from({ length: 1 + random(16) }, () => random(256)));
    return Buffer.concat([packet.subarray(0, at), added, packet.subarray(at)]);
  },
  function repeat(packet, random) {
    const at = random(packet.length);
    const part = packet.subarray(at, at + 1 + random(64));
    return Buffer.concat([packet.subarray(0, at), part, packet.subarray(at)]);
  },
  function splice(packet, random, corpus) {
    const other = corpus[random(corpus.length)] ?? packet;
    return Buffer.concat([
      packet.subarray(0, random(packet.length + 1)),
      other.subarray(random(other.length)),
    ]);
  },
];

const MOST_MUTATIONS = 4;

export function mutated(corpus: readonly Buffer[], random: Random): Buffer {
  let packet: Buffer = Buffer.from(corpus[random(corpus.length)] ?? []);
  for (let left = 1 + random(MOST_MUTATIONS); left > 0 && packet.length > 0; left--) {
    packet = (MUTATIONS[random(MUTATIONS.length)] ?? ((same) => same))(packet, random, corpus);
  }
  return packet;
}
