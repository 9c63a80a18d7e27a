/** A server without sockets: a plan, all of whose nodes are ready, and queries as another implementation writes them. */
import type { RoutingPlan, RoutingZone } from '../../contract/plans/routing-plan.ts';
import { type Responded, type Responder, respond, type Transport } from '../answer/respond.ts';
import { createView } from '../answer/view.ts';
import { parseIp } from '../geo/ip-address.ts';
import { preparePlan } from '../plan/prepare.ts';
import { ResponseWriter } from '../wire/response.ts';
import { type Asked, decode, queryBytes } from './ask.ts';
import { TEST_NOW, testResponder } from './responder.ts';
import { published, readyTable, testPlan } from './routing-plan.ts';

interface Sent {
  source?: string;
  transport?: Transport;
  now?: number;
}

const writer = new ResponseWriter(65_535);

export function answering(plan: RoutingPlan, changes: Partial<Responder> = {}) {
  const responder = testResponder({
    view: createView(preparePlan(published(plan)), readyTable(plan), []),
    ...changes,
  });
  /** What was answered, and its bytes. */
  const send = (message: Buffer, { source = '8.8.8.8', transport = 'udp', now = TEST_NOW }: Sent = {}) => {
    const from = parseIp(source);
    if (from === undefined) throw new Error(`${source} is no address`);
    const responded: Responded = respond(responder, message, from, transport, writer, now);
    return { ...responded, bytes: Buffer.from(writer.buffer.subarray(0, responded.length)) };
  };
  const ask = (name: string, asked: Asked = {}, sent: Sent = {}) =>
    decode(send(queryBytes(name, asked), sent).bytes);
  return { send, ask, responder };
}

/** The plan of other tests with records in its zone, as `www A 192.0.2.7` or `www A ttl=60 192.0.2.7`. */
export function planWithRecords(records: readonly string[], zones: readonly RoutingZone[] = []): RoutingPlan {
  const plan = testPlan();
  const [zone] = plan.zones;
  if (zone === undefined) throw new Error('a plan without a zone');
  return {
    ...plan,
    zones: [{ ...zone, records: records.map((text) => recordOf(text, zone.name)) }, ...zones],
  };
}

export function recordOf(text: string, zone: string): RoutingZone['records'][number] {
  const [, name = '', type = '', ttl = '300', data = ''] =
    /^(\S+) ([A-Z]+) (?:ttl=(\d+) )?(.*)$/.exec(text) ?? [];
  const absolute = name === '@' ? zone : `${name}.${zone}`;
  return { name: absolute, type: type as RoutingZone['records'][number]['type'], ttl: Number(ttl), data };
}
