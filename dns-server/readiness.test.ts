import { expect, test } from 'vitest';
import { FakeClock } from '../lib/clock.ts';
import { readiness, WAIT_FOR_OPERATOR_MS } from './readiness.ts';
import { published, testPlan } from './testing/routing-plan.ts';

function started() {
  const world = { held: false, connected: false, clock: new FakeClock() };
  const plan = published(testPlan({}));
  const agent = { held: () => (world.held ? plan : undefined), connected: () => world.connected };
  return { world, notReady: readiness(agent, world.clock) };
}

test('with no plan it is not ready, operator or not', () => {
  const { world, notReady } = started();
  world.connected = true;
  world.clock.advance(WAIT_FOR_OPERATOR_MS);
  expect(notReady()).toBe('no plan yet');
});

test('with a plan it is ready once it has heard of the operator, and stays so', () => {
  const { world, notReady } = started();
  world.held = true;
  expect(notReady()).toMatch(/^starting: /);
  world.connected = true;
  expect(notReady()).toBeUndefined();
  world.connected = false;
  expect(notReady()).toBeUndefined();
});

test('with a plan and no operator in sight it is ready after ten seconds', () => {
  const { world, notReady } = started();
  world.held = true;
  world.clock.advance(WAIT_FOR_OPERATOR_MS - 1);
  expect(notReady()).toMatch(/^starting: /);
  world.clock.advance(1);
  expect(notReady()).toBeUndefined();
});
