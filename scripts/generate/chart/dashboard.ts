/** A dashboard for Grafana: what clients get, what the caches save, how edges and dns-servers are. Pure. */

interface Panel {
  title: string;
  unit: string;
  /** Each a query, and the legend of its lines. */
  lines: [expr: string, legend: string][];
}

const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;
const quantile = (share: number, metric: string) =>
  `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`;

const ROWS: readonly { title: string; panels: Panel[] }[] = [
  {
    title: 'Clients',
    panels: [
      {
        title: 'Requests by domain',
        unit: 'reqps',
        lines: [[rate('weir_edge_requests_total', 'domain'), '{{domain}}']],
      },
      {
        title: 'What the cache did',
        unit: 'reqps',
        lines: [[rate('weir_edge_requests_total', 'result'), '{{result}}']],
      },
      {
        title: 'Sent to clients, fetched from origins',
        unit: 'Bps',
        lines: [
          ['sum(rate(weir_edge_client_bytes_total[$__rate_interval]))', 'to clients'],
          ['sum(rate(weir_edge_origin_bytes_total[$__rate_interval]))', 'from origins'],
        ],
      },
      {
        title: 'Time to the head of an answer',
        unit: 's',
        lines: [
          [quantile(0.5, 'weir_edge_answer_seconds'), 'half of them'],
          [quantile(0.99, 'weir_edge_answer_seconds'), '99 %'],
        ],
      },
    ],
  },
  {
    title: 'Edges',
    panels: [
      { title: 'CPU', unit: 'percentunit', lines: [['weir_operator_node_cpu_ratio', '{{node}}']] },
      { title: 'Bandwidth', unit: 'bps', lines: [['weir_operator_node_sent_bits_per_second', '{{node}}']] },
      { title: 'Connections', unit: 'short', lines: [['weir_operator_node_connections', '{{node}}']] },
      {
        title: 'Stored',
        unit: 'bytes',
        lines: [['sum by (instance, tier) (weir_edge_stored_bytes)', '{{instance}} {{tier}}']],
      },
      {
        title: 'Origins: time to the head of an answer',
        unit: 's',
        lines: [
          [quantile(0.5, 'weir_edge_origin_head_seconds'), 'half of them'],
          [quantile(0.99, 'weir_edge_origin_head_seconds'), '99 %'],
        ],
      },
      {
        title: 'Requests to origins',
        unit: 'reqps',
        lines: [[rate('weir_edge_origin_requests_total', 'answer'), '{{answer}}']],
      },
    ],
  },
  {
    title: 'DNS',
    panels: [
      {
        title: 'Queries',
        unit: 'reqps',
        lines: [[rate('weir_dns_queries_total', 'instance'), '{{instance}}']],
      },
      {
        title: 'Answers by domain',
        unit: 'reqps',
        lines: [[rate('weir_dns_answers_total', 'domain'), '{{domain}}']],
      },
      {
        title: 'Limited',
        unit: 'reqps',
        lines: [[rate('weir_dns_limited_total', 'instance'), '{{instance}}']],
      },
      {
        title: 'Addresses that count as up',
        unit: 'short',
        lines: [['sum by (instance) (weir_dns_address_healthy)', '{{instance}}']],
      },
    ],
  },
  {
    title: 'Operator',
    panels: [
      {
        title: 'Edges',
        unit: 'short',
        lines: [
          ['weir_operator_nodes', 'there are'],
          ['weir_operator_nodes_connected', 'connected'],
          ['weir_operator_nodes_catching_up', 'catching up'],
        ],
      },
      { title: 'Unfinished jobs', unit: 'short', lines: [['weir_operator_jobs_unfinished', 'jobs']] },
      { title: 'Refused manifests', unit: 'short', lines: [['weir_operator_problems', 'problems']] },
      {
        title: 'Plans',
        unit: 'short',
        lines: [
          ['weir_operator_edge_plan_seq', 'edge plan'],
          ['weir_operator_routing_plan_seq', 'routing plan'],
        ],
      },
    ],
  },
];

/** Grafana's own variable, chosen at the top of the page. */
const DATASOURCE = { type: 'prometheus', uid: `\${datasource}` };
const COLUMNS = 24;
const HEIGHT = 8;
const ACROSS = 2;

export function dashboard() {
  let id = 0;
  let y = 0;
  const panels = ROWS.flatMap(({ title, panels: inRow }) => {
    const head = {
      id: ++id,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 },
    };
    const w = COLUMNS / ACROSS;
    const placed = inRow.map((panel, index) => {
      const gridPos = { x: (index % ACROSS) * w, y: y + Math.floor(index / ACROSS) * HEIGHT, w, h: HEIGHT };
      return panelJson(panel, ++id, gridPos);
    });
    y += Math.ceil(inRow.length / ACROSS) * HEIGHT;
    return [head, ...placed];
  });
  return {
    uid: 'weir',
    title: 'Weir',
    tags: ['weir'],
    schemaVersion: 39,
    editable: false,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' }],
    },
    panels,
  };
}

function panelJson({ title, unit, lines }: Panel, id: number, gridPos: Record<string, number>) {
  return {
    id,
    type: 'timeseries',
    title,
    gridPos,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' } },
    targets: lines.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat,
    })),
  };
}
