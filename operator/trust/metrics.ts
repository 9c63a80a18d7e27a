/** What the people who run the operator watch of its CA. */
import { Gauge, type Registry } from 'prom-client';
import type { Trust } from './trust.ts';

export function trustMetrics(registry: Registry, { ca }: Trust): void {
  new Gauge({
    name: 'weir_operator_ca_expiry_timestamp_seconds',
    help: 'When the CA that signs now ends; the next one takes over 90 days before.',
    registers: [registry],
    collect() {
      this.set(ca.signerEnds() / 1_000);
    },
  });
  new Gauge({
    name: 'weir_operator_ca_certificates',
    help: 'CAs that are trusted now: two while one follows the other.',
    registers: [registry],
    collect() {
      this.set(ca.bundle().authorities.length);
    },
  });
}
