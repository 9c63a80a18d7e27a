/** The operator's metrics of load, by the parts of a load report: it shows them, and `weir top` reads them. */

export interface LoadMetric {
  name: string;
  help: string;
}

const metric = (name: string, help: string): LoadMetric => ({ name: `weir_operator_${name}`, help });

export const LOAD_METRICS = {
  node: {
    cpu: metric('node_cpu_ratio', 'How busy an edge is: its machine or its serving thread, 0 to 1.'),
    bitsPerSecond: metric('node_sent_bits_per_second', 'What an edge sends to clients.'),
    connections: metric('node_connections', 'Open connections of clients to an edge.'),
    requestsPerSecond: metric('node_requests_per_second', 'Requests that an edge answers.'),
    hitsPerSecond: metric('node_hits_per_second', 'Those of them that took no body from the origin.'),
  },
  domain: {
    requestsPerSecond: metric('domain_requests_per_second', 'Requests for a domain, over all edges.'),
    hitsPerSecond: metric('domain_hits_per_second', 'Those of them that took no body from the origin.'),
    bitsPerSecond: metric('domain_sent_bits_per_second', 'What all edges send of a domain.'),
  },
} as const satisfies Record<string, Record<string, LoadMetric>>;
