/** Who we are to the Kubernetes API: a kubeconfig, or the ServiceAccount of our own pod. */
import type { RequestOptions } from 'node:https';

export interface Access {
  server: string;
  headers: Record<string, string>;
  tls: TlsOptions;
}

/** For the TLS connection, in PEM; only what is set. */
export type TlsOptions = Partial<Record<(typeof TLS_OPTIONS)[number], string | boolean>>;

/** Asked for each request: tokens and certificates rotate. */
export type Credentials = () => Promise<Access>;

const TLS_OPTIONS = ['ca', 'cert', 'key', 'servername', 'rejectUnauthorized'] as const;

/** The named kubeconfig, else KUBECONFIG or the one of the user, else that of the pod; and the namespace it names. */
export async function loadCredentials(
  kubeconfig: string | undefined,
  context?: string,
): Promise<{ credentials: Credentials; namespace: string }> {
  // Loaded here only: 90 MB that the folder source does without.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    const name = config.getCurrentContext() || '(none)';
    throw new Error(`kubeconfig ${kubeconfig ?? ''}: the context ${name} names no cluster`);
  }
  if (cluster.proxyUrl) {
    throw new Error(`kubeconfig: cluster ${cluster.name}: proxy-url is not supported`);
  }
  const { server } = cluster;
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const credentials: Credentials = async () => {
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    return { server, headers: headersOf(options), tls: tlsOf(options) };
  };
  return { credentials, namespace };
}

function tlsOf(options: RequestOptions): TlsOptions {
  const set = TLS_OPTIONS.flatMap((name) => {
    const value = options[name];
    // Certificates come as bytes of PEM.
    const plain = Buffer.isBuffer(value) ? value.toString() : value;
    return typeof plain === 'string' || typeof plain === 'boolean' ? [[name, plain] as const] : [];
  });
  return Object.fromEntries(set);
}

/** A token that was read from a file ends in a newline, which no header may have. */
function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const given = headers && !Array.isArray(headers) ? Object.entries(headers) : [];
  const basic = auth ? [['authorization', `Basic ${Buffer.from(auth).toString('base64')}`]] : [];
  return Object.fromEntries([...given, ...basic].map(([name, value]) => [name, String(value).trim()]));
}
