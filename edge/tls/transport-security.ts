/** What a domain with `tls` says to clients beside its content: to come over https, now (redirect) and later (HSTS). Pure. */
import { ACME_PATH } from '../answer/acme-challenge.ts';
import { type Answer, textAnswer } from '../answer/answer.ts';
import type { ClientRequest } from '../exchange.ts';
import type { Headers } from '../headers.ts';
import type { ServedDomain } from '../plan/served-plan.ts';
import type { Target } from '../request/target.ts';

const HSTS = 'strict-transport-security';

/**
 * To the same URL over https. GET and HEAD hear 301, as everywhere; others 308, for with 301 clients make a GET of a POST
 * (RFC 9110 15.4.2). Neither is stored (`textAnswer`), so that turning it off holds at once; HSTS is for what is to stay.
 */
export function redirectToHttps(
  { scheme, method, headers }: Pick<ClientRequest, 'scheme' | 'method' | 'headers'>,
  { host, path, query }: Target,
  domain: Pick<ServedDomain, 'label' | 'tls'>,
  httpsPort: number | undefined,
): Answer | undefined {
  if (scheme === 'https' || !domain.tls?.redirect || path.startsWith(ACME_PATH)) return undefined;
  // Who named a port came to a place of its own, such as a test's; the others come to the usual ones.
  const port = /:\d+$/.test(headers.host ?? '') && httpsPort !== undefined ? `:${httpsPort}` : '';
  const location = `https://${host}${port === ':443' ? '' : port}${path}${query}`;
  const status = method === 'GET' || method === 'HEAD' ? 301 : 308;
  return textAnswer(status, `this is served over https: ${location}`, {
    domain: domain.label,
    headers: [['location', location]],
  });
}

/** RFC 6797 7.1 and 7.2: the domain's own policy in place of its origin's, and over plain HTTP none. */
export function withTransportSecurity<A extends { headers: Headers }>(
  answer: A,
  { request, domain }: { request: Pick<ClientRequest, 'scheme'>; domain: Pick<ServedDomain, 'tls'> },
): A {
  const hsts = domain.tls?.hsts;
  const isPlain = request.scheme === 'http';
  if (!isPlain && hsts === undefined) return answer;
  const rest = answer.headers.filter(([name]) => name !== HSTS);
  if (isPlain) return rest.length === answer.headers.length ? answer : { ...answer, headers: rest };
  return { ...answer, headers: [...rest, [HSTS, hsts ?? '']] };
}
