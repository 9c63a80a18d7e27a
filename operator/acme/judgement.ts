/** How a Certificate that is ordered fares, for people. Pure. */
import type { Certificate } from '../../contract/kinds/kinds.ts';
import { dateOf, good, type Judgement } from '../certificates/holdings.ts';
import { covers, type Pair } from '../certificates/pair.ts';
import type { OrderRecord } from './forms.ts';

/** `pair`: in force now; `record`: of the order for this spec. */
export function judgementOf(
  certificate: Certificate,
  pair: Pair | undefined,
  record: OrderRecord | undefined,
): Judgement {
  const failed =
    record?.reason === undefined
      ? undefined
      : `${record.message ?? record.reason}; tried again ${dateOf(record.notBefore)}`;
  if (pair && fits(pair, certificate)) {
    const judgement = good(pair);
    return failed === undefined
      ? judgement
      : { ...judgement, message: `${judgement.message}; renewal: ${failed}` };
  }
  const stays = pair ? '; the certificate before it stays in force' : '';
  if (failed === undefined)
    return { status: 'False', reason: 'Ordering', message: `it is being ordered${stays}` };
  return {
    status: 'False',
    reason: record?.reason ?? 'Failed',
    message: `${failed}${stays}`.slice(0, 4_000),
  };
}

/** The names of the spec, no more and no fewer, and a key of its type; servers may leave out what a wildcard covers. */
export function fits(pair: Pair, { spec: { hostnames, acme } }: Certificate): boolean {
  const isWhole = hostnames.every((name) => covers(pair.dnsNames, name));
  return isWhole && unwantedNames(pair, hostnames).length === 0 && pair.keyType === acme?.keyType;
}

/** Those of the certificate that nobody asked for. */
export const unwantedNames = ({ dnsNames }: Pair, hostnames: readonly string[]): string[] =>
  dnsNames.filter((name) => !covers(hostnames, name));
