/** Static records of a zone in weir.yaml, and what must hold between them. */
import { z } from 'zod';
import { durationSeconds } from '../../lib/duration.ts';
import { messageOf } from '../../lib/message-of.ts';
import { RECORD_TYPES, type RecordType, recordData } from '../dns/record-data.ts';
import { duration, textLike } from '../kinds/scalars.ts';

const LABEL = '[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?';

/** RFC 2181 8: a TTL has 31 bits. */
const MAX_TTL = 2 ** 31 - 1;

export const zoneRecord = z
  .strictObject({
    name: textLike(
      new RegExp(`^(@|\\*|(\\*\\.)?${LABEL}(\\.${LABEL})*)$`),
      'a name below the zone in lower case, such as www or *.apps, or @ for the zone itself',
      200,
    ).describe(
      'Where it stands: a name below the zone such as `www` or `*.apps`, or `@` for the zone itself.',
    ),
    type: z
      .enum(Object.keys(RECORD_TYPES) as [RecordType, ...RecordType[]])
      .describe('Its type; NS makes a delegation, and DS stands beside one.'),
    ttl: duration
      .refine((text) => durationSeconds(text) <= MAX_TTL, 'at most 2147483647 seconds')
      .default('1h')
      .describe('How long resolvers keep it; one for all records of a name and type.'),
    data: z
      .string()
      .min(1)
      .max(4_096)
      .describe('As a zone file has it; a name ends with a dot, or is one label of this zone.'),
  })
  .describe('A record that is the same for every client.');

export type ZoneRecord = z.output<typeof zoneRecord>;

export interface RecordProblem {
  path: (string | number)[];
  message: string;
}

/** Types that stand at the zone itself come from `nameServers` and `soa`, and it has no name above it. */
const NOT_AT_APEX: readonly RecordType[] = ['NS', 'CNAME', 'DNAME', 'DS'];

export function recordProblems(zone: string, records: readonly ZoneRecord[]): RecordProblem[] {
  const typesAt = new Map<string, Set<RecordType>>();
  const first = new Map<string, ZoneRecord>();
  for (const { name, type } of records) typesAt.set(name, (typesAt.get(name) ?? new Set()).add(type));
  return records.flatMap((record, index): RecordProblem[] => {
    const { name, type, ttl } = record;
    const set = `${name} ${type}`;
    const before = first.get(set);
    first.set(set, before ?? record);
    const types = typesAt.get(name) ?? new Set();
    const problem = (field: string, message: string | false | undefined) =>
      message ? [{ path: [index, field], message }] : [];
    return [
      ...problem('data', dataFault(record, zone)),
      ...problem('name', /(^|\.)node$/.test(name) && 'node and the names below it are those of EdgeNodes'),
      ...problem('name', isTooLong(name, zone) && `with ${zone} at most ${MAX_NAME} characters`),
      ...problem('type', name === '@' && NOT_AT_APEX.includes(type) && `no ${type} at the zone itself`),
      // RFC 4592 4.2 and 4.4
      ...problem(
        'type',
        name.startsWith('*') && ['NS', 'DNAME'].includes(type) && `no ${type} at a wildcard`,
      ),
      // RFC 1034 3.6.2, RFC 2181 10.1
      ...problem(
        'type',
        type === 'CNAME' && (types.size > 1 || before) && 'a CNAME stands alone at its name',
      ),
      ...problem('type', type === 'DNAME' && before && 'one DNAME at a name (RFC 6672 2.4)'),
      ...problem('type', type === 'DS' && !types.has('NS') && 'DS stands beside the NS of a delegation'),
      ...problem('ttl', before && before.ttl !== ttl && `${before.ttl}, as the other ${type} at ${name}`),
    ];
  });
}

/** As text: 255 bytes in messages (RFC 1035 2.3.4). */
const MAX_NAME = 253;

const isTooLong = (name: string, zone: string) => name !== '@' && `${name}.${zone}`.length > MAX_NAME;

function dataFault({ type, data }: ZoneRecord, zone: string): string | undefined {
  try {
    recordData(type, data, zone);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
