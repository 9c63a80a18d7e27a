import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { LargeSends } from './large-sends.ts';

const MEGABYTE = 2 ** 20;

function fleet() {
  const clock = new FakeClock();
  const plans = new LargeSends(clock, 10 * MEGABYTE);
  const sending = new Map<number, () => void>();
  const order: number[] = [];
  const join = (agent: number) =>
    plans.enter(4 * MEGABYTE, (sent) => {
      order.push(agent);
      sending.set(agent, sent);
    });
  return { clock, plans, sending, order, join };
}

test('of many that come at once some are served, and each that is done lets in the next', () => {
  const { sending, order, join } = fleet();
  for (const agent of [1, 2, 3, 4, 5]) join(agent);
  expect(order).toEqual([1, 2, 3]);
  sending.get(2)?.();
  expect(order).toEqual([1, 2, 3, 4]);
  // Said twice, it is one place.
  sending.get(2)?.();
  expect(order).toEqual([1, 2, 3, 4]);
});

test('one that goes away gives its place up, waiting or sent', () => {
  const { order, join } = fleet();
  const leave = [1, 2, 3, 4, 5].map(join);
  leave[3]?.();
  leave[0]?.();
  expect(order).toEqual([1, 2, 3, 5]);
});

test('one that does not read holds nobody up for long', () => {
  const { clock, order, join } = fleet();
  for (const agent of [1, 2, 3, 4]) join(agent);
  clock.advance(10_000);
  expect(order).toEqual([1, 2, 3, 4]);
});

test('what is sent in the moment of the call keeps nothing', () => {
  const plans = new LargeSends(new FakeClock(), 1);
  let sent = 0;
  for (let agent = 0; agent < 10; agent++) {
    plans.enter(MEGABYTE, (done) => {
      sent += 1;
      done();
    });
  }
  expect(sent).toBe(10);
});
