/**
 * How a server is shown that the names are ours: the answers to its challenges go into the plans, and it is told to look
 * only when they are everywhere, for a validation that fails counts against us.
 */
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import type { AcmeSpec } from '../../contract/kinds/certificate.ts';
import type { Certificate } from '../../contract/kinds/kinds.ts';
import type { Challenges } from '../certificates/holdings.ts';
import { type AcmeClient, AcmeProblem } from './client.ts';
import { Obstacle } from './failures.ts';
import type { AcmeSurroundings } from './office.ts';
import { acmeTarget, challengeName, isOurs, keyAuthorization, txtValue } from './places.ts';
import { missingAt } from './preparation.ts';
import { type Look, type Waiting, waitFor } from './waiting.ts';

/** One name that the server does not believe yet. */
interface Wanted {
  hostname: string;
  /** Of the authorization, which says how it went. */
  authorization: string;
  /** Of the challenge, which tells the server to look. */
  challenge: string;
  /** An earlier leader has told it. */
  isAsked: boolean;
  token: string;
  keyAuthorization: string;
}

interface ValidationOptions {
  around: AcmeSurroundings;
  certificate: Certificate;
  acme: AcmeSpec;
  config: WeirConfig;
  /** Resolves when they are in the newest plans. */
  show: (challenges: Challenges) => Promise<void>;
  waiting: Waiting;
}

/** Resolves when the server believes in each of its authorizations; throws an Obstacle or the server's problem. */
export async function validate(
  client: AcmeClient,
  authorizations: readonly string[],
  options: ValidationOptions,
): Promise<void> {
  const wanted: Wanted[] = [];
  for (const url of authorizations) {
    const row = await wantedAt(client, url, options.acme);
    if (row) wanted.push(row);
  }
  const challenges = challengesOf(wanted, options);
  await options.show(challenges);
  await everywhere(challenges, options);
  for (const { challenge, isAsked } of wanted) if (!isAsked) await client.respond(challenge);
  for (const row of wanted) await validated(client, row, options.waiting);
}

/** Nothing where the server believes already. */
async function wantedAt(client: AcmeClient, url: string, acme: AcmeSpec): Promise<Wanted | undefined> {
  const { status, identifier, wildcard, challenges } = await client.authorization(url);
  if (status === 'valid') return undefined;
  const hostname = wildcard ? `*.${identifier.value}` : identifier.value;
  const type = acme.challenge === 'DNS01' ? 'dns-01' : 'http-01';
  const found = challenges.find((row) => row.type === type);
  if (!found) throw new AcmeProblem(400, 'noChallenge', `the server offers no ${type} for ${hostname}`);
  return {
    hostname,
    authorization: url,
    challenge: found.url,
    isAsked: status !== 'pending' || found.status !== 'pending',
    token: found.token,
    keyAuthorization: keyAuthorization(found.token, client.thumbprintKey()),
  };
}

function challengesOf(
  wanted: readonly Wanted[],
  { acme, certificate, config }: Pick<ValidationOptions, 'acme' | 'certificate' | 'config'>,
): Challenges {
  if (acme.challenge === 'HTTP01') {
    const http = wanted.map(({ hostname, token, keyAuthorization: text }) => ({
      hostname,
      token,
      keyAuthorization: text,
    }));
    return { txt: [], http };
  }
  const txt = wanted.map(({ hostname, keyAuthorization: text }) => ({
    name: isOurs(hostname, config) ? challengeName(hostname) : acmeTarget(certificate, config),
    value: txtValue(text),
  }));
  return { txt, http: [] };
}

/** Every edge has acked the plan with the tokens, or every published name server was asked and gives the values. */
async function everywhere(
  { txt }: Challenges,
  { around, acme, config, waiting }: ValidationOptions,
): Promise<void> {
  const role = acme.challenge === 'HTTP01' ? 'edge' : 'dns-server';
  const look = async (): Promise<Look<true>> => {
    const missing = around.isEverywhere(role)
      ? await missingAt(txt, config, around.dns)
      : `not every connected ${role} has the newest plan`;
    return missing === undefined ? { found: true } : { missing };
  };
  await waitFor(waiting, look, (missing) => new Obstacle('NotEverywhere', missing));
}

async function validated(
  client: AcmeClient,
  { authorization, hostname }: Wanted,
  waiting: Waiting,
): Promise<void> {
  const look = async (): Promise<Look<true>> => {
    const { status, challenges, retryAfterMs } = await client.authorization(authorization);
    if (status === 'valid') return { found: true };
    if (status === 'pending') return { missing: hostname, retryAfterMs };
    const error = challenges.find((row) => row.error)?.error;
    throw AcmeProblem.told(error, 'unauthorized', `${hostname}: ${error?.detail ?? status}`);
  };
  await waitFor(waiting, look, () => AcmeProblem.tooLate());
}
