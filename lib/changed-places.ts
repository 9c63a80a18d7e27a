/**
 * Where two lists of one length differ, by identity; nothing where their lengths differ. Ten thousand pointers are
 * compared in microseconds, where what they point at would be fetched from everywhere.
 */
export function changedPlaces(before: readonly unknown[], after: readonly unknown[]): number[] | undefined {
  if (before.length !== after.length) return undefined;
  const places: number[] = [];
  for (let at = 0; at < after.length; at++) if (before[at] !== after[at]) places.push(at);
  return places;
}
