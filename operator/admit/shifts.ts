/**
 * Timed shifts as intervals of the hash that each client network has: two shifts that overlap in time get intervals
 * that do not, and a shift keeps its interval as long as it lasts, so that a network keeps its side. Pure.
 */
interface Timed {
  percent: number;
  from: string;
  until: string;
}

/** Where each shift's interval begins, in percent of the hash's range; nothing for one that no longer fits. */
export function intervalStarts(shifts: readonly Timed[]): (number | undefined)[] {
  const starts: (number | undefined)[] = [];
  for (const [index, shift] of shifts.entries()) {
    const taken = shifts.slice(0, index).flatMap((other, position) => {
      const start = starts[position];
      return start !== undefined && overlap(shift, other) ? [{ start, end: start + other.percent }] : [];
    });
    starts.push(firstGap(taken, shift.percent));
  }
  return starts;
}

function firstGap(taken: readonly { start: number; end: number }[], percent: number): number | undefined {
  const begins = [0, ...taken.map(({ end }) => end)].sort((a, b) => a - b);
  return begins.find(
    (begin) =>
      begin + percent <= 100 && taken.every(({ start, end }) => begin >= end || begin + percent <= start),
  );
}

function overlap(a: Timed, b: Timed): boolean {
  return Date.parse(a.from) < Date.parse(b.until) && Date.parse(b.from) < Date.parse(a.until);
}
