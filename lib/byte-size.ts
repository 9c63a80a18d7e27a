/** Sizes as people write them: `512KiB`, `64MiB`, `10GiB`. Powers of 1024 only, so that nobody guesses. */
const UNITS: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

export const BYTE_SIZE_PATTERN = /^(0|[1-9][0-9]{0,5})(KiB|MiB|GiB|TiB)$/;

/** Bytes of a size string. Throws on one that BYTE_SIZE_PATTERN does not admit: a bug, not input. */
export function byteSize(text: string): number {
  const [, count, unit] = BYTE_SIZE_PATTERN.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  if (count === undefined || factor === undefined) throw new Error(`not a size: ${text}`);
  return Number(count) * factor;
}
