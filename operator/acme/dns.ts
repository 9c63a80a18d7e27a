/** What is asked of the DNS before an order: CAA, the customer's CNAME, and what each published name server says. */
import { NODATA, NOTFOUND } from 'node:dns';
import { Resolver } from 'node:dns/promises';

const TIMEOUT_MS = 3_000;
const TRIES = 2;

export interface CaaRow {
  issue?: string | undefined;
  issuewild?: string | undefined;
}

/** Throws where there is no answer; that there is nothing is an empty list. */
export interface Dns {
  caa(name: string): Promise<CaaRow[]>;
  cname(name: string): Promise<string[]>;
  addresses(name: string): Promise<string[]>;
  /** As one name server says it. */
  txt(name: string, server: string): Promise<string[]>;
}

/** `resolver`: of weir.yaml, else the machine's own. `serverPort`: where published name servers are asked. */
export function systemDns(resolver: () => string | undefined, serverPort = 53): Dns {
  const ask = <T>(question: (resolver: Resolver) => Promise<T[]>) => {
    const asked = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    const setting = resolver();
    if (setting !== undefined) asked.setServers([setting]);
    return orNothing(question(asked));
  };
  return {
    caa: (name) => ask((asked) => asked.resolveCaa(name)),
    cname: async (name) => (await ask((asked) => asked.resolveCname(name))).map((text) => text.toLowerCase()),
    addresses: async (name) => [
      ...(await ask((asked) => asked.resolve4(name))),
      ...(await ask((asked) => asked.resolve6(name))),
    ],
    async txt(name, server) {
      const asked = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
      asked.setServers([server.includes(':') ? `[${server}]:${serverPort}` : `${server}:${serverPort}`]);
      return (await orNothing(asked.resolveTxt(name))).map((parts) => parts.join(''));
    },
  };
}

async function orNothing<T>(answer: Promise<T[]>): Promise<T[]> {
  return answer.catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === NODATA || code === NOTFOUND) return [];
    throw error;
  });
}

/**
 * Why CAA forbids the server to issue for the name, with what to put where; nothing where it does not (RFC 8659 3). The
 * nearest name that has records decides.
 */
export async function caaObjection(
  hostname: string,
  identities: readonly string[],
  dns: Pick<Dns, 'caa'>,
): Promise<string | undefined> {
  const [wished] = identities;
  // The server does not say what it calls itself.
  if (wished === undefined) return undefined;
  const names = identities.map((name) => name.toLowerCase());
  const isWildcard = hostname.startsWith('*.');
  for (
    let name = hostname.replace(/^\*\./, '');
    name.includes('.');
    name = name.slice(name.indexOf('.') + 1)
  ) {
    const rows = await dns.caa(name);
    if (rows.length === 0) continue;
    const wild = rows.flatMap(({ issuewild }) => issuewild ?? []);
    const plain = rows.flatMap(({ issue }) => issue ?? []);
    const [tag, values] = isWildcard && wild.length > 0 ? ['issuewild', wild] : ['issue', plain];
    // Records that speak of other things alone forbid nothing.
    if (values.length === 0) return undefined;
    if (values.some((value) => names.includes(issuerOf(value)))) return undefined;
    return `the CAA records of ${name} allow ${values.join(', ')} alone: add ${name}. CAA 0 ${tag} "${wished}"`;
  }
  return undefined;
}

/** RFC 8659 4.2: a domain name, in which case means nothing (RFC 4343), before parameters. */
const issuerOf = (value: string) => (value.split(';')[0] ?? '').trim().toLowerCase();
