/** Throws odd packets at a service that has something of everything, and holds each answer to what must be true. */
import { newZoneKey } from '../../contract/dns/zone-keys.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { parseIp } from '../geo/ip-address.ts';
import { DnsMetrics } from '../metrics.ts';
import { preparePlan } from '../plan/prepare.ts';
import { Service } from '../service.ts';
import { planWithRecords } from '../testing/answering.ts';
import { published, readyTable, TEST_GEO } from '../testing/routing-plan.ts';
import { corpus } from './corpus.ts';
import { faultOf } from './invariants.ts';
import { mutated, seededRandom } from './mutator.ts';

export interface FuzzResult {
  answered: number;
  silent: number;
  /** Packets, in hex, whose answer was wrong. */
  faults: { packet: string; fault: string }[];
}

const MAX_FAULTS = 10;

export function fuzz(seed: number, packets: number): FuzzResult {
  const handle = target();
  const source = parseIp('202.102.224.68');
  if (source === undefined) throw new Error('source');
  const random = seededRandom(seed);
  const good = corpus();
  const result: FuzzResult = { answered: 0, silent: 0, faults: [] };
  for (let index = 0; index < packets && result.faults.length < MAX_FAULTS; index++) {
    const packet = mutated(good, random);
    const transport = random(4) === 0 ? 'tcp' : 'udp';
    // A copy goes in: the server may not write to what it was sent.
    const answer = handle(Buffer.from(packet), source, transport);
    if (answer) result.answered++;
    else result.silent++;
    const fault = faultOf(packet, answer, transport);
    if (fault) result.faults.push({ packet: packet.toString('hex'), fault: `${fault} (${transport})` });
  }
  return result;
}

function target(): Service['handle'] {
  const service = new Service({
    name: 'dns-fuzz',
    geo: TEST_GEO,
    metrics: new DnsMetrics(),
    log: silentLog,
    clock: systemClock,
  });
  const plan = planWithRecords([
    'www A 192.0.2.7',
    'www TXT "one" "two"',
    'loop-a CNAME loop-b',
    'loop-b CNAME loop-a',
    '*.wild TXT any',
    'sub NS ns.sub.cdn.example.net.',
    'ns.sub A 192.0.2.54',
    'old DNAME new.cdn.example.net.',
    'a.new A 192.0.2.70',
    ...Array.from({ length: 60 }, (_, index) => `@ TXT ${'x'.repeat(200)}${index}`),
  ]);
  const signed = { ...plan, zones: plan.zones.map((zone) => ({ ...zone, dnssec: true })) };
  service.usePlan(preparePlan(published(signed)));
  service.useTable(readyTable(signed));
  service.useSecrets({
    zones: [{ zone: 'cdn.example.net', keys: [newZoneKey(systemClock.now(), true)] }],
    cookie: undefined,
  });
  return service.handle;
}
