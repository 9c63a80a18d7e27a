/** What the people who run several replicas watch. */
import { Counter, Gauge, type Registry } from 'prom-client';

export type RelayMetrics = ReturnType<typeof relayMetrics>;

export function relayMetrics(registry: Registry) {
  const registers = [registry];
  return {
    up: new Gauge({
      name: 'weir_operator_relay_up',
      help: '1 while this replica reads from Redis and writes to it.',
      registers,
    }),
    replicas: new Gauge({
      name: 'weir_operator_relay_replicas',
      help: 'Other replicas that the leader hears; 0 on a replica that does not lead.',
      registers,
    }),
    roundTrip: new Gauge({
      name: 'weir_operator_relay_round_trip_seconds',
      help: 'From this replica to the leader and back, by the newest beat that came back; with up to 2 s of waiting.',
      registers,
    }),
    messages: new Counter({
      name: 'weir_operator_relay_messages_total',
      help: 'Messages that this replica wrote (out) and read (in).',
      labelNames: ['direction', 'type'],
      registers,
    }),
    gaps: new Counter({
      name: 'weir_operator_relay_gaps_total',
      help: 'Times that messages were missing, and all streams were announced again.',
      registers,
    }),
    failures: new Counter({
      name: 'weir_operator_relay_failures_total',
      help: 'Times that Redis did not take or give something, and the link began anew.',
      registers,
    }),
    fenced: new Counter({
      name: 'weir_operator_relay_fenced_total',
      help: 'Messages of a leader that another one has followed, which were refused.',
      registers,
    }),
  };
}
