/**
 * What an API server with one of our CRDs would say to a manifest: unknown fields, defaults, schema, CEL rules. For
 * tests: it holds the CRD against the schemas in zod that it was made from, where no cluster is at hand. Pure.
 */
import { isIP } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import { type CelRule, isRecord, type JsonSchema, withDefaults } from './json-schema.ts';
import { schemaFaults } from './schema-faults.ts';

/** CEL's URL type, as far as our rules ask. */
class CelUrl {
  readonly port: string;

  constructor(text: string) {
    this.port = /^[a-z]+:\/\/[^/?#]*?(?::([0-9]*))?([/?#]|$)/.exec(text)?.[1] ?? '';
  }
}

/** Kubernetes' own functions (k8s.io/apiserver/pkg/cel/library); only those that a rule of ours calls. */
const environment = new Environment()
  .registerVariable('self', 'dyn')
  .registerVariable('oldSelf', 'dyn')
  .registerType('CelUrl', { ctor: CelUrl })
  .registerFunction('isIP(string): bool', isKubernetesIp)
  .registerFunction('isURL(string): bool', isGoUrl)
  .registerFunction('url(string): CelUrl', (text: string) => new CelUrl(text))
  .registerFunction('CelUrl.getPort(): string', ({ port }: CelUrl) => port);

/** netip.ParseAddr, without zones and without IPv4 in IPv6. */
function isKubernetesIp(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%') && !/^::ffff:[0-9.]+$/i.test(text);
}

/**
 * url.ParseRequestURI of an absolute URL. More forgiving than browsers (any port, any number for an address), but
 * percent-encodings before the query are whole.
 */
const GO_URL =
  /^[a-z][a-z0-9+.-]*:\/\/([^/?#@]*@)?(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]*)(:[0-9]*)?([/?#]\P{Cc}*)?$/iu;

function isGoUrl(text: string): boolean {
  return GO_URL.test(text) && !/%(?![0-9A-Fa-f]{2})/.test(text.split('?')[0] ?? '');
}

/** Everything that is wrong with a new object; with `old`, with an update of it. */
export function objectFaults(root: JsonSchema, manifest: unknown, old?: unknown): string[] {
  const value = withDefaults(root, manifest);
  const before = old === undefined ? undefined : withDefaults(root, old);
  // The API server's own fields have no schema of ours.
  const metadata = isRecord(value) ? { metadata: value.metadata } : {};
  const { metadata: _ours, ...fields } = isRecord(value) ? value : {};
  const faults = schemaFaults(root, fields);
  return faults.length > 0 ? faults : ruleFaults(root, { ...fields, ...metadata }, before, '');
}

function ruleFaults(schema: JsonSchema, value: unknown, old: unknown, path: string): string[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  const own = rules
    .filter((rule) => !holds(rule, celValue(value), celValue(old)))
    .map(({ fieldPath = '', message }) => `${path}${fieldPath}: ${message}`);
  return [...own, ...faultsBelow(schema, value, old, path)];
}

function faultsBelow(schema: JsonSchema, value: unknown, old: unknown, path: string): string[] {
  const { items, properties = {} } = schema;
  if (Array.isArray(value) && items) {
    return value.flatMap((item, index) => ruleFaults(items, item, undefined, `${path}[${index}]`));
  }
  if (!isRecord(value)) return [];
  return Object.entries(properties)
    .filter(([name]) => name in value)
    .flatMap(([name, field]) =>
      ruleFaults(field, value[name], isRecord(old) ? old[name] : undefined, `${path}.${name}`),
    );
}

/** A transition rule speaks of updates only. */
function holds({ rule }: CelRule, self: unknown, oldSelf: unknown): boolean {
  if (rule.includes('oldSelf') && oldSelf === undefined) return true;
  return environment.evaluate(rule, { self, oldSelf }) === true;
}

/** CEL's integers are 64 bits wide. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, celValue(field)]));
}

/** What a rule's CEL says, by itself: nothing when it compiles to a truth value. */
export function celFault({ rule }: CelRule): string | undefined {
  const checked = environment.check(rule);
  if (!checked.valid) return checked.error?.message ?? 'not valid';
  return ['bool', 'dyn'].includes(String(checked.type)) ? undefined : `gives ${String(checked.type)}`;
}
