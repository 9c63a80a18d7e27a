import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { respond } from '../answer/respond.ts';
import { createView } from '../answer/view.ts';
import { parseIp } from '../geo/ip-address.ts';
import { preparePlan } from '../plan/prepare.ts';
import { decode, queryBytes } from '../testing/ask.ts';
import { TEST_NOW, testResponder } from '../testing/responder.ts';
import { published, readyTable, testPlan } from '../testing/routing-plan.ts';
import { keyOfName } from './name.ts';
import { isFault, readQuery } from './query.ts';
import { ResponseWriter } from './response.ts';

/** The same inputs on every run; another seed is one edit away. */
const SEED = 20_261_122;

const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const hostname = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));

describe('readQuery', () => {
  test('reads what another implementation wrote', () => {
    const asked = fc.record({
      name: hostname,
      id: fc.integer({ min: 0, max: 65_535 }),
      type: fc.constantFrom('A', 'AAAA', 'NS', 'SOA', 'TXT', 'MX'),
      edns: fc.option(
        fc.record({
          udpPayloadSize: fc.integer({ min: 1, max: 65_535 }),
          flags: fc.constantFrom(0, 0x8000),
        }),
        { nil: undefined },
      ),
      subnet: fc.option(
        fc.record({
          bytes: fc.uint8Array({ minLength: 4, maxLength: 4 }),
          length: fc.constantFrom(8, 16, 24, 32),
        }),
        { nil: undefined },
      ),
    });
    const numbers = { A: 1, NS: 2, SOA: 6, MX: 15, TXT: 16, AAAA: 28 } as const;
    fc.assert(
      fc.property(asked, ({ name, id, type, edns, subnet }) => {
        const bytes = subnet?.bytes.map((byte, index) => (index * 8 < subnet.length ? byte : 0));
        const text = bytes && `${bytes.join('.')}/${subnet?.length}`;
        const read = readQuery(queryBytes(name, { id, type, edns, ...(text && { subnet: text }) }));
        if (read === undefined || isFault(read)) throw new Error('not read');
        expect(read).toMatchObject({ id, key: keyOfName(name), type: numbers[type], class: 1 });
        expect(read.edns === undefined).toBe(edns === undefined && subnet === undefined);
        if (edns) {
          expect(read.edns).toMatchObject({
            version: 0,
            udpBytes: edns.udpPayloadSize,
            dnssecOk: edns.flags !== 0,
          });
        }
        const got = read.edns?.clientSubnet;
        expect(got && `${got.address.bytes.join('.')}/${got.sourceLength}`).toBe(text);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

describe('whatever comes', () => {
  const plan = testPlan();
  const view = createView(preparePlan(published(plan)), readyTable(plan), []);
  const source = parseIp('202.102.224.68');
  const writer = new ResponseWriter(65_535);

  /** Answers, and holds the answer to what must be true of every one. */
  function answered(message: Buffer): void {
    if (source === undefined) throw new Error('source');
    const { length } = respond(testResponder({ view }), message, source, 'udp', writer, TEST_NOW);
    const silent = message.length < 12 || (message.readUInt16BE(2) & 0x8000) !== 0;
    expect(length === 0).toBe(silent);
    if (silent) return;
    const answer = Buffer.from(writer.buffer.subarray(0, length));
    expect(answer.length).toBeLessThanOrEqual(1_232);
    expect(answer.readUInt16BE(0)).toBe(message.readUInt16BE(0));
    expect(answer.readUInt16BE(2) & 0x8000).toBe(0x8000);
    decode(answer);
  }

  test('random bytes get an answer that can be read, or silence', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => answered(Buffer.from(bytes))),
      { seed: SEED, numRuns: 5_000 },
    );
  });

  test('queries with bytes changed, cut off and added do too', () => {
    const names = ['video.demo.cdn.example.net', 'cdn.example.net', 'ns1.cdn.example.net', 'x.example'];
    const seeds = names.flatMap((name) => [
      queryBytes(name),
      queryBytes(name, { type: 'ANY', subnet: '202.102.224.0/24' }),
      queryBytes(name, { type: 'NS', edns: { udpPayloadSize: 100 } }),
    ]);
    const change = fc.record({ at: fc.nat(400), byte: fc.integer({ min: 0, max: 255 }) });
    const mutated = fc.record({
      seed: fc.constantFrom(...seeds),
      changes: fc.array(change, { maxLength: 4 }),
      cut: fc.option(fc.nat(90), { freq: 3 }),
      added: fc.uint8Array({ maxLength: 12 }),
    });
    fc.assert(
      fc.property(mutated, ({ seed, changes, cut, added }) => {
        const message = Buffer.concat([seed.subarray(0, cut ?? seed.length), added]);
        for (const { at, byte } of changes) message[at % message.length] = byte;
        answered(message);
      }),
      { seed: SEED, numRuns: 20_000 },
    );
  });
});
