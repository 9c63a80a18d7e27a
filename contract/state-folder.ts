/**
 * Where things lie in the state folder (`--state`). The operator is the only writer of its part; each agent has a
 * folder of its own, named for what it is.
 *
 *     token                            for `weir` and for agents on this machine, mode 0600
 *     trust/                           ca.json (the CA's keys), join-tokens.json: mode 0600; ca.pem: what others trust
 *     epoch                            the operator's last epoch
 *     folder                           the path of the folder of manifests, for `weir explain`; written by the command
 *     accepted/weir.yaml               settings in force
 *     accepted/<plural>/<namespace>/<name>.yaml      last accepted form of each resource
 *     status/<plural>/<namespace>/<name>.yaml        uid, generation, first seen, conditions
 *     jobs/<namespace>.<name>.yaml     PurgeJobs that `weir purge` made: a second root of manifests
 *     secrets/                         cookie-secret, <zone>.keys.json: mode 0600
 *     vault/                           certificates in force with their keys, ACME accounts and orders: mode 0600
 *     certificates/<namespace>/        <secretName>.crt and .key: copies for others of what was ordered, mode 0600
 *     samples/                         secret.yaml (Secret of weir.yaml’s sampleCertificate) and ca.json: mode 0600; ca.pem for clients
 *     rollovers/<zone>                 a rollover that `weir dnssec rollover` asked for
 *     dns-server/                      plan.json and table.json (changes since in *.journal), health.json, geo-tables.bin, credential/
 *     edges/<node>/                    plan.json (changes since in plan.json.journal), lingering.json, credential/, cache/ (bodies; index.db: objects, applied uids)
 */
import { join } from 'node:path';
import { KINDS } from './kinds/kinds.ts';
import type { ObjectRef } from './kinds/metadata.ts';

export const DEFAULT_STATE_FOLDER = '.weir';

/** The folder's name for objects that belong to no namespace; no namespace can be called so. */
const CLUSTER = '_cluster';

/** In the folder of secrets. */
export const ZONE_KEYS_SUFFIX = '.keys.json';
export const COOKIE_SECRET_FILE = 'cookie-secret';

export function stateFolder(root: string) {
  const objectFile = (part: string, { kind, namespace, name }: ObjectRef) =>
    join(root, part, KINDS[kind].plural, namespace || CLUSTER, `${name}.yaml`);
  return {
    root,
    token: join(root, 'token'),
    ca: join(root, 'trust', 'ca.json'),
    joinTokens: join(root, 'trust', 'join-tokens.json'),
    bundle: join(root, 'trust', 'ca.pem'),
    epoch: join(root, 'epoch'),
    folder: join(root, 'folder'),
    config: join(root, 'accepted', 'weir.yaml'),
    accepted: join(root, 'accepted'),
    acceptedFile: (ref: ObjectRef) => objectFile('accepted', ref),
    status: join(root, 'status'),
    statusFile: (ref: ObjectRef) => objectFile('status', ref),
    jobs: join(root, 'jobs'),
    jobFile: (namespace: string, name: string) => join(root, 'jobs', `${namespace}.${name}.yaml`),
    secrets: join(root, 'secrets'),
    cookieSecret: join(root, 'secrets', COOKIE_SECRET_FILE),
    zoneKeys: (zone: string) => join(root, 'secrets', `${zone}${ZONE_KEYS_SUFFIX}`),
    vault: join(root, 'vault'),
    copyFile: (namespace: string, file: string) => join(root, 'certificates', namespace, file),
    samples: join(root, 'samples'),
    sampleSecret: join(root, 'samples', 'secret.yaml'),
    sampleCa: join(root, 'samples', 'ca.json'),
    sampleBundle: join(root, 'samples', 'ca.pem'),
    rollovers: join(root, 'rollovers'),
    rollover: (zone: string) => join(root, 'rollovers', zone),
    dnsServer: join(root, 'dns-server'),
    edge: (node: string) => join(root, 'edges', node),
    sampleOrigin: join(root, 'sample-origin'),
  };
}

export type StateFolder = ReturnType<typeof stateFolder>;

/** Files in an agent's own folder. */
export const AGENT_FILES = {
  plan: 'plan.json',
  table: 'table.json',
  health: 'health.json',
  /** A folder. */
  secrets: 'secrets',
  /** A folder: credential.pem (private key, certificate) and ca.pem, mode 0600. */
  credential: 'credential',
} as const;
