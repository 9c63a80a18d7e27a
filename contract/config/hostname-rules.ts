/** Which namespaces may claim which hostnames: the part of weir.yaml that keeps tenants apart. */
import { z } from 'zod';
import { dnsLabel, textLike } from '../kinds/scalars.ts';

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** `*.example.com` stands for every name below example.com, however deep, and not for example.com itself. */
const pattern = textLike(
  new RegExp(`^(\\*|(\\*\\.)?${LABEL}(\\.${LABEL})+)$`),
  'a host name in lower case, *.example.com for all below it, or * for all',
  255,
);

const rule = z.strictObject({
  namespaces: z
    .array(z.union([dnsLabel, z.literal('*')]))
    .min(1)
    .max(1_000)
    .describe('Namespaces that the rule is for; * stands for all.'),
  allow: z.array(pattern).min(1).max(1_000).describe('What their domains may claim.'),
});

export const hostnameRules = z
  .array(rule)
  .max(10_000)
  .describe(
    'Which namespaces may claim which hostnames and aliases; several rules for one namespace add up. Without it any ' +
      'namespace may claim any.',
  );

export type HostnameRules = z.output<typeof hostnameRules>;

export function mayClaim(rules: HostnameRules | undefined, namespace: string, hostname: string): boolean {
  if (!rules) return true;
  return allowedFor(rules, namespace).some((allowed) => matches(allowed, hostname));
}

/** The patterns of all rules that are for a namespace. */
export function allowedFor(rules: HostnameRules, namespace: string): string[] {
  return rules
    .filter(({ namespaces }) => namespaces.includes(namespace) || namespaces.includes('*'))
    .flatMap(({ allow }) => allow);
}

function matches(allowed: string, hostname: string): boolean {
  if (allowed === '*') return true;
  return allowed.startsWith('*.') ? hostname.endsWith(allowed.slice(1)) : hostname === allowed;
}
