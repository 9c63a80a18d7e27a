/** Bandwidths as people write them: `500Mbps`, `10Gbps`. Powers of 1000, as networks are sold. */
const UNITS: Record<string, number> = { Kbps: 1e3, Mbps: 1e6, Gbps: 1e9, Tbps: 1e12 };

export const BANDWIDTH_PATTERN = /^([1-9][0-9]{0,5})(Kbps|Mbps|Gbps|Tbps)$/;

/** Bits per second of a bandwidth string. Throws on one that BANDWIDTH_PATTERN does not admit: a bug, not input. */
export function bitsPerSecond(text: string): number {
  const [, count, unit] = BANDWIDTH_PATTERN.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  if (count === undefined || factor === undefined) throw new Error(`not a bandwidth: ${text}`);
  return Number(count) * factor;
}
