/** What the people who run the operator watch. Read from the reconciler's values when asked for. */
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import type { Holdings } from '../certificates/holdings.ts';
import type { Reconciler } from '../reconcile.ts';
import type { Sessions } from './sessions.ts';

/** Of every replica, whether it leads or not. */
export function replicaMetrics(registry: Registry, sessions: Sessions): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'weir_operator_streams',
    help: 'Agents whose streams this replica holds.',
    registers: [registry],
    collect() {
      this.set(sessions.size);
    },
  });
}

/** Of the leader. */
export function operatorMetrics(
  registry: Registry,
  reconciler: Pick<Reconciler, 'state' | 'admission' | 'plan'> & { certificates: { holdings: Holdings } },
): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const state = () => reconciler.state();
  const count = <T>(values: Iterable<T>, wanted: (value: T) => boolean) => [...values].filter(wanted).length;

  gauge(
    'weir_operator_problems',
    'Problems in the manifests as they stand now.',
    () => reconciler.admission()?.problems.length ?? 0,
  );
  gauge(
    'weir_operator_domains',
    'CdnDomains in force.',
    () => reconciler.admission()?.snapshot.domains.length ?? 0,
  );
  gauge('weir_operator_nodes', 'EdgeNodes in force.', () => state().nodes.size);
  gauge('weir_operator_nodes_connected', 'EdgeNodes with a stream.', () =>
    count(state().nodes.values(), ({ connected }) => connected),
  );
  gauge(
    'weir_operator_nodes_catching_up',
    'EdgeNodes kept out of answers until they did what they missed.',
    () => count(state().nodes.values(), ({ gates }) => gates.size > 0),
  );
  gauge('weir_operator_dns_servers_connected', 'dns-servers with a stream.', () =>
    count(state().dnsServers.values(), ({ connected }) => connected),
  );
  gauge('weir_operator_jobs_unfinished', 'PurgeJobs that wait for acks.', () =>
    count(state().jobs.values(), ({ outcome }) => outcome === undefined),
  );
  gauge(
    'weir_operator_quarantined',
    'Resources of which a form is not in force since agents refused it.',
    () => state().quarantine.quarantined.size,
  );
  gauge(
    'weir_operator_agents_refusing',
    'Connected agents whose last word on a plan is that its content is invalid. They keep the one before.',
    () =>
      count(
        [...state().nodes.values(), ...state().dnsServers.values()],
        ({ connected, nack }) => connected && nack?.fault === 'Invalid',
      ),
  );
  new Gauge({
    name: 'weir_certificate_not_after_seconds',
    help: 'When the certificate in force ends, in seconds since 1970, by the Certificate or Secret that it comes from.',
    labelNames: ['certificate'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [certificate, { inForce }] of reconciler.certificates.holdings)
        if (inForce) this.set({ certificate }, inForce.notAfter / 1_000);
    },
  });
  gauge(
    'weir_operator_certificates_not_ready',
    'Certificates, and Secrets that domains name, of which what is offered now is not in force.',
    () => count(reconciler.certificates.holdings.values(), ({ offered }) => offered.status !== 'True'),
  );
  gauge(
    'weir_operator_plan_epoch',
    'Epoch of the published plans.',
    () => reconciler.plan('edge')?.revision.epoch ?? 0,
  );
  gauge(
    'weir_operator_edge_plan_seq',
    'Sequence number of the edge plan.',
    () => reconciler.plan('edge')?.revision.seq ?? 0,
  );
  gauge(
    'weir_operator_routing_plan_seq',
    'Sequence number of the routing plan.',
    () => reconciler.plan('dns-server')?.revision.seq ?? 0,
  );
}
