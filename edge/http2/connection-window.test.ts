import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConnectionWindow, FIRST_WINDOW, MOST_WINDOW } from './connection-window.ts';

test('nobody sends more than the client opened, and nothing of it is lost, in any order', () => {
  const step = fc.record({
    what: fc.constantFrom('open', 'keep', 'send', 'let go', 'node sends', 'tell'),
    bytes: fc.integer({ min: 1, max: 200_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const window = new ConnectionWindow();
      let [opened, sent, kept, told, ofNode] = [FIRST_WINDOW, 0, 0, FIRST_WINDOW, 0];
      for (const { what, bytes } of steps) {
        if (what === 'open' && window.open(bytes)) opened += bytes;
        else if (what === 'keep' && window.keep(bytes)) kept += bytes;
        else if (what === 'send' && kept > 0) {
          const part = Math.min(kept, bytes, window.room);
          window.sent(part);
          kept -= part;
          sent += part;
        } else if (what === 'let go' && kept > 0) {
          window.letGo(kept);
          kept = 0;
        } else if (what === 'node sends') {
          const part = Math.min(told - ofNode, bytes);
          window.sentByNode(part);
          ofNode += part;
        } else if (what === 'tell') told += window.more(Math.min(kept, bytes));
        expect(window.free).toBe(opened - sent - kept - told);
        expect(window.room).toBeGreaterThanOrEqual(0);
      }
      // node:http2 does not wait for what nobody else wants.
      window.sentByNode(told - ofNode);
      window.letGo(kept);
      if (window.free > 0) expect(window.more(0)).toBeGreaterThan(0);
    }),
    { seed: 9113, numRuns: 2_000 },
  );
});

test('what is kept and of no use is lent, and given back before anybody gets more', () => {
  const window = new ConnectionWindow();
  window.open(100_000);
  expect(window.keep(100_000)).toBe(true);
  window.sentByNode(FIRST_WINDOW);
  expect(window.more(0)).toBe(0);
  expect(window.more(40_000)).toBe(40_000);
  expect([window.free, window.room, window.keep(1)]).toEqual([-40_000, 60_000, false]);
  window.sentByNode(40_000);
  window.open(30_000);
  expect(window.more(0)).toBe(0);
  window.open(20_000);
  expect([window.free, window.more(0)]).toEqual([10_000, 10_000]);
});

test('no window is beyond the largest (RFC 9113 6.9.1)', () => {
  expect(new ConnectionWindow().open(MOST_WINDOW - FIRST_WINDOW)).toBe(true);
  expect(new ConnectionWindow().open(MOST_WINDOW - FIRST_WINDOW + 1)).toBe(false);
});
