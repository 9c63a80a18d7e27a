/** How long ago something was, as `kubectl get` shows it: `42s`, `5m`, `3h`, `12d`. Pure. */
const UNITS = [
  { letter: 'd', ms: 86_400_000, from: 2 * 86_400_000 },
  { letter: 'h', ms: 3_600_000, from: 2 * 3_600_000 },
  { letter: 'm', ms: 60_000, from: 2 * 60_000 },
] as const;

/** Nothing for what is no time. A larger unit is used from two of it on: `90m` says more than `1h`. */
export function ageText(since: string | undefined, now: number): string | undefined {
  const passed = now - Date.parse(since ?? '');
  if (Number.isNaN(passed)) return undefined;
  const unit = UNITS.find(({ from }) => passed >= from);
  return unit
    ? `${Math.floor(passed / unit.ms)}${unit.letter}`
    : `${Math.max(0, Math.floor(passed / 1_000))}s`;
}
