/** Where one machine is not enough: the Redis between the operator's replicas. Pure. */
import { z } from 'zod';
import { dnsLabel, textLike } from '../kinds/scalars.ts';

const NODE = String.raw`(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}`;
/** A password is not among its parts: weir.yaml is no place for secrets. */
const URL_PATTERN = new RegExp(
  String.raw`^(?<scheme>rediss?)(?<cluster>\+cluster)?://(?:(?<user>[\w.-]+)@)?(?<nodes>${NODE}(?:,${NODE})*)(?:/(?<database>\d{1,3}))?$`,
);

export const redis = z.strictObject({
  url: textLike(
    URL_PATTERN,
    'redis://[user@]host:port[/database], rediss:// for TLS, or redis+cluster:// and rediss+cluster:// with ' +
      'host:port,host:port; no password',
    2_048,
  ).describe(
    'Where it is: `redis://host:6379`, `rediss://` for TLS, `redis+cluster://a:6379,b:6379` for a cluster. The ' +
      'password comes from `passwordFile`, or from WEIR_REDIS_PASSWORD in the operator’s environment.',
  ),
  passwordFile: z.string().min(1).optional().describe('A file with the password, relative to weir.yaml.'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe('CA certificates for TLS, PEM, relative to weir.yaml; by default those of the machine.'),
  prefix: dnsLabel
    .default('weir')
    .describe('Its keys begin with it in braces; installations that share a Redis have one each.'),
});
export type RedisSettings = z.output<typeof redis>;

export interface RedisAddress {
  tls: boolean;
  cluster: boolean;
  user: string | undefined;
  nodes: { host: string; port: number }[];
  database: number;
}

/** The parts of a URL that the schema has accepted. */
export function redisAddress(url: string): RedisAddress {
  const { scheme, cluster, user, nodes = '', database = '0' } = URL_PATTERN.exec(url)?.groups ?? {};
  return {
    tls: scheme === 'rediss',
    cluster: cluster !== undefined,
    user,
    nodes: nodes.split(',').map((node) => {
      const colon = node.lastIndexOf(':');
      return { host: node.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(node.slice(colon + 1)) };
    }),
    database: Number(database),
  };
}
