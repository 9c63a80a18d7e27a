/** The small types that the kinds and weir.yaml are made of, each with the rule the API server can check too. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { BANDWIDTH_PATTERN } from '../../lib/bandwidth.ts';
import { BYTE_SIZE_PATTERN } from '../../lib/byte-size.ts';
import { DURATION_PATTERN } from '../../lib/duration.ts';
import { parseListenAddress } from '../../lib/listen-address.ts';

/** A rule that a JSON schema cannot say: checked here by `holds`, and by an API server through the CEL beside it. */
export interface Rule<T> {
  holds: (value: T) => boolean;
  cel: string;
  message: string;
  /** The field to blame, below the value. */
  path?: string[];
}

/** Attaches rules to a schema, once for zod and once for the CRD. */
export function withRules<S extends z.ZodType>(schema: S, rules: Rule<z.output<S>>[]): S {
  let checked = schema;
  for (const { holds, message, path } of rules) {
    checked = checked.refine(holds, { message, ...(path && { path }) }) as S;
  }
  // A schema that has rules already (a URL, made an origin's URL) keeps them: `meta` alone would replace them.
  const before = schema.meta()?.['x-kubernetes-validations'];
  return checked.meta({
    'x-kubernetes-validations': [
      ...(Array.isArray(before) ? before : []),
      ...rules.map(({ cel, message, path }) => ({
        rule: cel,
        message,
        ...(path && { fieldPath: `.${path.join('.')}` }),
      })),
    ],
  });
}

/** A list in which each value stands once; an API server knows such a list, and merges it value by value. */
export function asSet<T extends z.ZodType>(list: z.ZodArray<T>): z.ZodArray<T> {
  return list
    .refine((values) => new Set(values).size === values.length, 'a value stands once in the list')
    .meta({ 'x-kubernetes-list-type': 'set' });
}

/** A string of one shape. The words are both the error's and the reference page's, which `x-words` carries there. */
export function textLike(shape: RegExp, words: string, max: number): z.ZodString {
  return z.string().max(max).regex(shape, words).meta({ 'x-words': words });
}

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** Lower-case names of DNS labels (RFC 1123): object names, and what becomes a label of ours. */
export const dnsLabel = textLike(new RegExp(`^${LABEL}$`), 'a DNS label: a-z, 0-9 and -, at most 63', 63);

/** `video.example.com`: lower case, no trailing dot, at least two labels, 253 characters (RFC 1035 2.3.4). */
export const hostname = textLike(
  new RegExp(`^${LABEL}(\\.${LABEL})+$`),
  'a host name in lower case, such as video.example.com',
  253,
);

export const duration = textLike(DURATION_PATTERN, 'a duration: a whole number and ms, s, m, h or d', 12);

/** A point in time with its zone (RFC 3339), in whole seconds or finer. */
export const moment = textLike(
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/,
  'a time such as 2026-11-11T00:00:00+08:00 (RFC 3339)',
  35,
);

export const byteSizeText = textLike(
  BYTE_SIZE_PATTERN,
  'a size: a whole number and KiB, MiB, GiB or TiB',
  12,
);

export const bandwidth = textLike(
  BANDWIDTH_PATTERN,
  'a bandwidth: a whole number and Kbps, Mbps, Gbps or Tbps',
  12,
);

export const ipAddress = withRules(z.string().min(2).max(45), [
  { holds: isAddress, cel: 'isIP(self)', message: 'an IPv4 or IPv6 address' },
]);

/** As CEL's isIP has it: without a zone (`%eth0`), and IPv4 as IPv4 (`::ffff:192.0.2.1` is refused). */
function isAddress(text: string): boolean {
  if (isIP(text) === 0 || text.includes('%')) return false;
  return isIP(text) === 4 || !ipaddr.IPv6.parse(text).isIPv4MappedAddress();
}

/** `10.0.0.0/8` with no bit set behind the prefix: a typo there silently widens a region. */
export const cidr = withRules(z.string().min(4).max(49), [
  {
    holds: isNetwork,
    cel: 'isCIDR(self) && cidr(self) == cidr(self).masked()',
    message: 'a network such as 10.0.0.0/8, with no bit set behind the prefix',
  },
]);

function isNetwork(text: string): boolean {
  // ipaddr.js reads `10/8` and `10.0.0.0/08` too, CEL does not.
  const [prefix = '', length = ''] = text.split('/');
  if (!isAddress(prefix) || !/^(0|[1-9][0-9]*)$/.test(length) || !ipaddr.isValidCIDR(text)) return false;
  const [address] = ipaddr.parseCIDR(text);
  const first =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(text).toString()
      : ipaddr.IPv6.networkAddressFromCIDR(text).toString();
  return first === address.toString();
}

const LISTEN_ADDRESS = 'an IP address and a port, such as 127.0.0.1:5300';

/** `127.0.0.1:5300` or `[::1]:5300`. Not in a CRD, so it needs no CEL. */
export const listenAddress = z
  .string()
  .refine((text) => parseListenAddress(text) !== undefined, LISTEN_ADDRESS)
  .meta({ 'x-words': LISTEN_ADDRESS });

export const port = z.int().min(1).max(65_535);

/**
 * An http or https URL without user and password: they would be stored and logged. The shape holds in JavaScript and
 * in CEL (Go), whose URL parsers differ in what they forgive; a backslash, a slash to browsers, is refused.
 */
const HTTP_URL = String.raw`^https?://[^:/?#@\s\\][^/?#@\s\\]*([/?#][^\s\\]*)?$`;
const HTTP_URL_SHAPE = new RegExp(HTTP_URL);

export const httpUrl = withRules(z.string().min(8).max(2_048), [
  {
    holds: isHttpUrl,
    cel:
      `self.matches(r'${HTTP_URL}') && isURL(self) && ` +
      "(url(self).getPort() == '' || int(url(self).getPort()) <= 65535)",
    message: 'a URL such as https://host/path: http or https, a host, no user and no blank',
  },
]);

function isHttpUrl(text: string): boolean {
  const beforeQuery = text.split('?')[0] ?? '';
  const strayPercent = /%(?![0-9A-Fa-f]{2})/.test(beforeQuery);
  return HTTP_URL_SHAPE.test(text) && URL.canParse(text) && !strayPercent;
}
