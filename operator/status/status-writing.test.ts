/** When statuses are written: gathered, again after a failure, and no more once the operator gave up. */
import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { admit } from '../admit/admit.ts';
import { NOTHING_ACCEPTED } from '../admit/snapshot.ts';
import { NO_HOLDINGS } from '../certificates/holdings.ts';
import { startPublication } from '../publish/publication.ts';
import { loadedFrom, nodeManifest, SETTINGS } from '../testing/manifests.ts';
import { Leader } from '../testing/resources.ts';
import type { Statuses } from './record.ts';
import { StatusWriting } from './status-writing.ts';

/** Longer than any wait between looks. */
const LATER_MS = 10_000;

function writing() {
  const clock = new FakeClock();
  const { log, lines } = countingLog();
  const saved: Statuses[] = [];
  const saving: PromiseWithResolvers<Statuses>[] = [];
  const admission = admit(
    loadedFrom({ 'weir.yaml': SETTINGS, 'a.yaml': nodeManifest('a') }),
    NOTHING_ACCEPTED,
  );
  const leader = new Leader();
  leader.on({ type: 'snapshot', snapshot: admission.snapshot });
  const writer = new StatusWriting({
    store: {
      load: async () => new Map(),
      save(_before, after) {
        saved.push(after);
        const answer = Promise.withResolvers<Statuses>();
        saving.push(answer);
        return answer.promise;
      },
    },
    written: new Map(),
    look: () => ({
      admission,
      publication: startPublication(1, new Map(), 'run'),
      holdings: NO_HOLDINGS,
      state: leader.state,
    }),
    clock,
    log,
  });
  return { writer, clock, lines, saved, saving };
}

test('what happens together is one look', async () => {
  const { writer, clock, saved, saving } = writing();
  writer.offer();
  writer.offer();
  clock.advance(LATER_MS);
  expect(saved).toHaveLength(1);
  const [records = new Map()] = saved;
  saving[0]?.resolve(records);
  await writer.idle();
  expect(writer.written).toBe(records);
});

test('what the store did not take at once goes out later, and not after giving up', async () => {
  const { writer, clock, saved, saving } = writing();
  writer.offer();
  clock.advance(LATER_MS);
  saving[0]?.resolve(new Map());
  await writer.idle();
  clock.advance(LATER_MS);
  expect(saved).toHaveLength(2);
  saving[1]?.resolve(new Map());
  await writer.idle();
  writer.giveUp();
  clock.advance(LATER_MS);
  expect(saved).toHaveLength(2);
});

test('given up, neither what was offered before nor what is later is written', async () => {
  const { writer, clock, saved, saving } = writing();
  writer.offer();
  clock.advance(LATER_MS);
  writer.offer();
  clock.advance(LATER_MS);
  // One is being written, one waits for it, and one is not looked at yet.
  writer.offer();
  writer.giveUp();
  saving[0]?.resolve(new Map());
  await writer.idle();
  writer.offer();
  clock.advance(LATER_MS);
  await writer.idle();
  expect(saved).toHaveLength(1);
});

test('a failure is logged once for all tries; one that the end cut off is none', async () => {
  const { writer, clock, lines, saving } = writing();
  for (const index of [0, 1]) {
    writer.offer();
    clock.advance(LATER_MS);
    saving[index]?.reject(new Error('no API server'));
    await writer.idle();
  }
  expect(writer.isBehind).toBe(true);
  expect(lines).toHaveLength(1);
  const ending = writing();
  ending.writer.offer();
  ending.clock.advance(LATER_MS);
  ending.writer.giveUp();
  ending.saving[0]?.reject(new Error('connection closed'));
  await ending.writer.idle();
  expect(ending.lines).toEqual([]);
});
