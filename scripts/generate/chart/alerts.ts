/** Alerts that somebody can do something about, each with what that is. Pure. */

interface Alert {
  name: string;
  expr: string;
  for: string;
  severity: 'critical' | 'warning';
  summary: string;
}

const ALERTS: readonly Alert[] = [
  {
    name: 'WeirNoLeader',
    expr: 'absent(weir_operator_nodes)',
    for: '10m',
    severity: 'warning',
    summary:
      'No operator leads: clients are served on, but changes and purges wait. Look at the operator’s log.',
  },
  {
    name: 'WeirEdgesAway',
    expr: 'weir_operator_nodes - weir_operator_nodes_connected > 0',
    for: '10m',
    severity: 'warning',
    summary: 'Edges hold no stream to the operator; purges wait for them. `kubectl get edge` names them.',
  },
  {
    name: 'WeirEdgesCatchingUp',
    expr: 'weir_operator_nodes_catching_up > 0',
    for: '15m',
    severity: 'warning',
    summary:
      'Edges stay out of DNS, since they do not get done with purges that they missed. Look at their disks.',
  },
  {
    name: 'WeirNoDnsServer',
    expr: 'weir_operator_dns_servers_connected == 0',
    for: '10m',
    severity: 'warning',
    summary: 'No dns-server holds a stream to the operator: they answer on from what they hold.',
  },
  {
    name: 'WeirManifestsRefused',
    expr: 'weir_operator_problems > 0',
    for: '30m',
    severity: 'warning',
    summary: 'Manifests are refused; `kubectl get weir -A` shows which, and their Accepted condition why.',
  },
  {
    name: 'WeirAllEdgesDown',
    expr: 'max(weir_dns_alarm_all_down) > 0',
    for: '1m',
    severity: 'critical',
    summary: 'All edges of a domain fail their health checks, and are answered all the same.',
  },
  {
    name: 'WeirMassDown',
    expr: 'max(weir_dns_alarm_mass_down_nodes) > 0',
    for: '1m',
    severity: 'critical',
    summary:
      'A dns-server saw more than half of the edges go down at once, and keeps them: is its own network gone?',
  },
  {
    name: 'WeirZoneWithoutKey',
    expr: 'max(weir_dns_alarm_zone_without_key) > 0',
    for: '5m',
    severity: 'critical',
    summary: 'Answers of a signed zone are unsigned; validating resolvers refuse them.',
  },
  {
    name: 'WeirCertificateEnds',
    expr: 'min by (certificate) (weir_certificate_not_after_seconds) - time() < 14 * 86400',
    for: '1h',
    severity: 'warning',
    summary:
      '{{ $labels.certificate }} ends within two weeks and is not renewed: `kubectl describe cdncert` says why.',
  },
  {
    name: 'WeirCertificateEndsSoon',
    expr: 'min by (certificate) (weir_certificate_not_after_seconds) - time() < 3 * 86400',
    for: '10m',
    severity: 'critical',
    summary: '{{ $labels.certificate }} ends within three days; clients will refuse what it is for.',
  },
  {
    name: 'WeirOriginErrors',
    expr:
      'sum by (domain) (rate(weir_edge_requests_total{result="error"}[5m])) / ' +
      'sum by (domain) (rate(weir_edge_requests_total[5m])) > 0.05',
    for: '10m',
    severity: 'warning',
    summary: 'More than 5 % of the requests for {{ $labels.domain }} end in an error: look at its origin.',
  },
  {
    name: 'WeirEdgeDiskErrors',
    expr: 'increase(weir_edge_store_errors_total[15m]) > 0',
    for: '5m',
    severity: 'warning',
    summary: 'An edge’s disk fails: {{ $labels.instance }} reads or writes objects in vain.',
  },
];

export function alertRules() {
  const rules = ALERTS.map(({ name, expr, for: pending, severity, summary }) => ({
    alert: name,
    expr,
    for: pending,
    labels: { severity },
    annotations: { summary },
  }));
  return { groups: [{ name: 'weir', rules }] };
}
