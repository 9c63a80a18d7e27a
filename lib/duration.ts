/** Durations as people write them in manifests: `500ms`, `30s`, `10m`, `12h`, `7d`. */
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** One number and one unit: what the CRD's pattern admits is just what `durationMs` reads. */
export const DURATION_PATTERN = /^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$/;

/** Milliseconds of a duration string. Throws on one that DURATION_PATTERN does not admit: a bug, not input. */
export function durationMs(text: string): number {
  const [, count, unit] = DURATION_PATTERN.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  if (count === undefined || factor === undefined) throw new Error(`not a duration: ${text}`);
  return Number(count) * factor;
}

/** Whole seconds, rounded up: a TTL must never be shorter than what was asked for. */
export function durationSeconds(text: string): number {
  return Math.ceil(durationMs(text) / 1_000);
}
