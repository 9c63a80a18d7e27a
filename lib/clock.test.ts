import { describe, expect, test, vi } from 'vitest';
import { FakeClock, systemClock } from './clock.ts';

describe('the clock of tests', () => {
  test('stands still until it is moved', () => {
    const clock = new FakeClock(1_000);
    expect(clock.now()).toBe(1_000);
    clock.advance(250);
    expect(clock.now()).toBe(1_250);
  });

  test('runs what falls due in order of time, each at its own time', () => {
    const clock = new FakeClock(0);
    const ran: [string, number][] = [];
    clock.after(30, () => ran.push(['late', clock.now()]));
    clock.after(10, () => ran.push(['early', clock.now()]));
    clock.every(20, () => ran.push(['often', clock.now()]));
    clock.advance(45);
    expect(ran).toEqual([
      ['early', 10],
      ['often', 20],
      ['late', 30],
      ['often', 40],
    ]);
    expect(clock.now()).toBe(45);
  });

  test('runs what is due at the very end, and nothing after it', () => {
    const clock = new FakeClock(0);
    const ran: string[] = [];
    clock.after(10, () => ran.push('at the end'));
    clock.after(11, () => ran.push('after it'));
    clock.advance(10);
    expect(ran).toEqual(['at the end']);
  });

  test('runs what was set while it moved', () => {
    const clock = new FakeClock(0);
    const ran: number[] = [];
    clock.after(10, () => clock.after(10, () => ran.push(clock.now())));
    clock.advance(20);
    expect(ran).toEqual([20]);
  });

  test('what was cancelled does not run, also when it cancels itself', () => {
    const clock = new FakeClock(0);
    let rounds = 0;
    const cancelEvery = clock.every(10, () => {
      rounds++;
      cancelEvery();
    });
    const cancelAfter = clock.after(10, () => rounds++);
    cancelAfter();
    clock.advance(100);
    expect(rounds).toBe(1);
  });
});

describe('the system’s clock', () => {
  test('tells the time, and runs and cancels', () => {
    vi.useFakeTimers({ now: 5_000 });
    try {
      const ran: string[] = [];
      systemClock.after(10, () => ran.push('after'));
      const stop = systemClock.every(4, () => ran.push('every'));
      systemClock.after(10, () => ran.push('never'))();
      expect(systemClock.now()).toBe(5_000);
      vi.advanceTimersByTime(10);
      stop();
      vi.advanceTimersByTime(100);
      expect(ran).toEqual(['every', 'every', 'after']);
    } finally {
      vi.useRealTimers();
    }
  });
});
