/** A responder for tests: no limits, no keys, and secrets that are known. */
import type { Responder } from '../answer/respond.ts';
import { OPEN_GATE } from '../rate-limit/gate.ts';
import { TEST_GEO } from './routing-plan.ts';

export const TEST_NOW = 1_750_000_000_000;
export const TEST_COOKIE_SECRET = Buffer.from('e5e973e5a6b2a43f48e7dc849e37bfcf', 'hex');

export function testResponder(changes: Partial<Responder> = {}): Responder {
  return {
    view: undefined,
    geo: TEST_GEO,
    signers: new Map(),
    gate: OPEN_GATE,
    cookieSecret: TEST_COOKIE_SECRET,
    nsid: Buffer.from('dns-test'),
    idleMs: 10_000,
    ...changes,
  };
}
