/**
 * The operator's own CA and its rotation, as decisions over (state, now). Pure.
 *
 *     make ──────> signing
 *     prepare ───> signing, next        120 days before its end: agents learn the next one, nothing is signed with it
 *     switch ────> next signs           30 days later: whoever has a valid certificate got it together with this bundle
 *     retire ────> the previous leaves  30 days later: the last certificate that it signed has expired
 *
 * So no agent ever meets a signature by a CA that it has not heard of, and none is cut off for having the older one.
 */
import { z } from 'zod';
import { CERTIFICATE_DAYS } from '../../contract/stream/join.ts';

export const DAY_MS = 86_400_000;
export const CA_LIFETIME_MS = 365 * DAY_MS;
export const PREPARE_BEFORE_MS = 120 * DAY_MS;
/** Both overlaps: no certificate of an agent lives longer. */
export const OVERLAP_MS = CERTIFICATE_DAYS * DAY_MS;

/** Times in milliseconds since the epoch, keys and certificates in PEM. */
const authority = z.strictObject({ certificate: z.string(), key: z.string(), notAfter: z.int() });
export type Authority = z.infer<typeof authority>;

export const caState = z.strictObject({
  signing: authority,
  next: authority.extend({ toldAt: z.int() }).optional(),
  /** Its key is gone. */
  previous: z.strictObject({ certificate: z.string(), retiredAt: z.int() }).optional(),
});
export type CaState = z.infer<typeof caState>;

export type CaStep = 'make' | 'prepare' | 'switch' | 'retire';

/** What is due; nothing for most of the year. */
export function dueStep(state: CaState | undefined, now: number): CaStep | undefined {
  if (!state || state.signing.notAfter <= now) return 'make';
  const { signing, next, previous } = state;
  if (previous && now >= previous.retiredAt + OVERLAP_MS) return 'retire';
  if (next) return now >= next.toldAt + OVERLAP_MS ? 'switch' : undefined;
  return now >= signing.notAfter - PREPARE_BEFORE_MS ? 'prepare' : undefined;
}

/** The state after a step; `fresh` is the authority that `make` and `prepare` need. */
export function takeStep(state: CaState | undefined, step: CaStep, fresh: Authority, now: number): CaState {
  if (!state || step === 'make') return { signing: fresh };
  const { signing, next } = state;
  if (step === 'prepare') return { ...state, next: { ...fresh, toldAt: now } };
  if (step === 'retire') return { signing, ...(next && { next }) };
  if (!next) return state;
  const { toldAt: _toldAt, ...successor } = next;
  return { signing: successor, previous: { certificate: signing.certificate, retiredAt: now } };
}

/** What everybody trusts: in PEM, one after the other. */
export function bundleOf({ signing, next, previous }: CaState): string {
  return [signing, next, previous].flatMap((one) => (one ? [one.certificate] : [])).join('');
}
