/**
 * Queries as dnsperf -B reads them: messages behind their length in two bytes. Made from a seed, so that two runs ask
 * the same; each ECS query carries another random /24.
 */
import { writeFile } from 'node:fs/promises';
import type { World } from './world.ts';

const QUERIES = 200_000;

export async function writeQueries(file: string, { names }: World, { ecs }: { ecs: boolean }): Promise<void> {
  const random = randomFrom(1);
  const messages = Array.from({ length: QUERIES }, () => {
    const name = names[Math.floor(random() * names.length)] ?? '';
    return framed(
      query(name, ecs ? Buffer.from([1 + random() * 222, random() * 256, random() * 256]) : undefined),
    );
  });
  await writeFile(file, Buffer.concat(messages));
}

function query(name: string, network: Buffer | undefined): Buffer {
  const header = Buffer.from('000000000001000000000000', 'hex');
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const question = Buffer.concat([...labels, Buffer.of(0, 0, 1, 0, 1)]);
  if (network === undefined) return Buffer.concat([header, question]);
  header[11] = 1;
  // OPT: size 1232, one option of 11 bytes: client subnet, family 1, /24.
  const opt = Buffer.from('00002904d000000000000b0008000700011800', 'hex');
  return Buffer.concat([header, question, opt, network]);
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]);
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
