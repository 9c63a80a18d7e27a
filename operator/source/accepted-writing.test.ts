/** What an operator that ends still writes of accepted forms: what is under way, and nothing that comes after. */
import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { type Accepted, NOTHING_ACCEPTED } from '../admit/snapshot.ts';
import { AcceptedWriting } from './accepted-writing.ts';

const forms = (): Accepted => ({ ...NOTHING_ACCEPTED });

function writing() {
  const saved: Accepted[] = [];
  const saving: PromiseWithResolvers<void>[] = [];
  const { log, lines } = countingLog();
  const store = {
    load: async () => NOTHING_ACCEPTED,
    async save(accepted: Accepted) {
      saved.push(accepted);
      const answer = Promise.withResolvers<void>();
      saving.push(answer);
      await answer.promise;
    },
  };
  const accepted = new AcceptedWriting({ store, accepted: NOTHING_ACCEPTED, clock: new FakeClock(), log });
  return { accepted, saved, saving, lines };
}

test('given up, what waits is not written, nor what comes later; it is in force all the same', async () => {
  const { accepted, saved, saving } = writing();
  const [first, second, third] = [forms(), forms(), forms()];
  accepted.offer(first);
  accepted.offer(second);
  accepted.giveUp();
  saving[0]?.resolve();
  await accepted.idle();
  accepted.offer(third);
  await accepted.idle();
  expect(saved).toEqual([first]);
  expect(accepted.newest).toBe(third);
});

test('a write that failed is tried again, and not after giving up', async () => {
  const { accepted, saved, saving, lines } = writing();
  accepted.offer(forms());
  saving[0]?.reject(new Error('no API server'));
  await accepted.idle();
  accepted.retry();
  expect(saved).toHaveLength(2);
  accepted.giveUp();
  saving[1]?.reject(new Error('no API server'));
  await accepted.idle();
  accepted.retry();
  await accepted.idle();
  expect(saved).toHaveLength(2);
  expect(lines).toHaveLength(1);
});

test('a write that is cut off by the end is no error', async () => {
  const { accepted, saving, lines } = writing();
  accepted.offer(forms());
  accepted.giveUp();
  saving[0]?.reject(new Error('connection closed'));
  await accepted.idle();
  expect(lines).toEqual([]);
});
