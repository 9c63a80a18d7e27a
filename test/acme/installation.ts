/** An operator, a dns-server and an edge over a folder, as an ACME server meets them; its clock can be set forward. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { stringify } from 'yaml';
import { edgeSettings } from '../../contract/config/edge-settings.ts';
import type { KindName } from '../../contract/kinds/kind.ts';
import { stateFolder } from '../../contract/state-folder.ts';
import type { ResourcesView, ResourceView } from '../../contract/stream/operator-api.ts';
import { startDnsServer } from '../../dns-server/main.ts';
import { startEdge } from '../../edge/main.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { countingLog } from '../../lib/testing/counting-log.ts';
import { freePort } from '../../lib/testing/free-port.ts';
import type { Dns } from '../../operator/acme/dns.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { domainManifest, manifest } from '../../operator/testing/manifests.ts';
import { placeOf, unknownTo } from '../../operator/testing/trust.ts';
import { WORLD } from '../dns/serving.ts';
import { Program } from '../system/programs.ts';
import { startResolver } from './resolver.ts';

const FAST = { baseMs: 500, capMs: 1_000 };
export const ZONE = 'cdn.example.net';

export type Installation = Awaited<ReturnType<typeof startInstallation>>;

export async function startInstallation() {
  const base = await mkdtemp(join(tmpdir(), 'weir-acme-'));
  const folder = join(base, 'folder');
  const state = stateFolder(join(base, 'state'));
  await mkdir(folder);
  const [http, dns] = [await freePort(), await freePort()];
  const clock = laterClock();
  const { log, lines } = countingLog();
  // All that the programs can say: a test looks for what they must not.
  log.level = 'trace';
  const zone = {
    name: ZONE,
    nameServers: [{ name: `ns1.${ZONE}`, addresses: ['127.0.0.1'] }],
    soa: { contact: 'hostmaster.example.net' },
  };
  const resolver = await startResolver(ZONE, () => dns);
  const settings = { zones: [zone], dnssec: { resolver: resolver.address } };
  const write = (file: string, text: string) => writeFile(join(folder, file), text);
  await write('weir.yaml', stringify(settings));
  await write(
    'node.yaml',
    manifest('EdgeNode', { name: 'a' }, { addresses: ['127.0.0.1'], ports: { http } }),
  );
  await write(
    'video.yaml',
    domainManifest('video', {
      hostname: `video.default.${ZONE}`,
      tls: { certificateRef: { name: 'video' } },
    }),
  );

  /** What the world's DNS says, in place of the resolver. */
  const answers: Partial<Dns> = {};
  let operator: Operator;
  const start = async () => {
    operator = await startOperator({
      folder,
      state: state.root,
      listen: { host: '127.0.0.1', port: operator?.address.port ?? 0 },
      clock,
      acme: { nameServerPort: dns, dns: answers, paces: { line: FAST, refusal: FAST, preparation: FAST } },
      log,
    });
    return operator;
  };
  operator = await start();
  let program: Program | undefined;
  const startProgram = () => {
    const flags = { folder, state: state.root, listen: `127.0.0.1:${operator.address.port}` };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    program = new Program('operator/main.ts', args);
  };
  const place = await placeOf(state, operator.address);
  const any = { host: '127.0.0.1', port: 0 };
  const access = { operator: place.url, joinTokenFile: state.token, operatorCa: state.bundle };
  const [world, empty] = [join(base, 'world.mmdb'), join(base, 'empty.csv')];
  await writeFile(world, WORLD);
  await writeFile(empty, '');
  const nameServer = await startDnsServer(
    {
      ...access,
      name: 'dns-1',
      state: state.dnsServer,
      listen: [{ host: '127.0.0.1', port: dns }],
      admin: any,
      workers: 1,
      batch: 'off',
      geoDatabase: [world],
      geoAsn: [empty],
    },
    { log },
  );
  const edge = await startEdge(
    {
      ...access,
      node: 'a',
      state: state.edge('a'),
      listen: [{ host: '127.0.0.1', port: http }],
      listenTls: [any],
      admin: any,
      drain: 0,
      memory: 2 ** 20,
      disk: 2 ** 20,
      settings: edgeSettings.parse({}),
    },
    { log },
  );

  /** What an operator's API says to who has the token. */
  async function api(path: string): Promise<string> {
    const { body } = await request(`${place.url}${path}`, {
      dispatcher: unknownTo(place),
      headers: { authorization: `Bearer ${place.token}` },
    });
    return body.text();
  }

  async function resource(kind: KindName, name: string): Promise<ResourceView> {
    const { resources } = JSON.parse(await api('/v1/resources')) as ResourcesView;
    const found = resources.find((row) => row.kind === kind && row.metadata.name === name);
    if (!found) throw new Error(`there is no ${kind} ${name}`);
    return found;
  }

  return {
    base,
    state,
    clock,
    lines,
    answers,
    /** That the operator asks, and the ACME server. */
    resolver,
    /** All that is told to people: the log, resources, metrics of the three programs. */
    async told(): Promise<string[]> {
      const admins = [nameServer.admin.port, edge.admin.port];
      const metrics = admins.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
      const texts = [api('/v1/resources'), api('/metrics'), ...metrics];
      return [lines.map((line) => JSON.stringify(line)).join('\n'), ...(await Promise.all(texts))];
    },
    ports: { http, dns, https: edge.bound[1]?.port ?? 0 },
    write,
    resource,
    async issued(name = 'video') {
      const { status } = (await resource('Certificate', name)) as ResourceView<'Certificate'>;
      const issued = status.conditions?.find(({ type }) => type === 'Issued');
      return { ...status, issued };
    },
    async restart() {
      await operator.stop();
      await start();
    },
    /** From now on the operator is a process of its own, with its own clock, paces and questions to the DNS. */
    async apart() {
      await operator.stop();
      startProgram();
    },
    /** As a machine that loses its power: what was not written is lost. */
    async killed() {
      await program?.stop('SIGKILL');
      startProgram();
    },
    /** What the process of its own logged since it began. */
    logged: () => program?.log ?? '',
    async stop() {
      await program?.stop('SIGKILL');
      await edge.stop();
      await nameServer.stop();
      await operator.stop();
      resolver.stop();
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** Real time, moved forward. */
function laterClock(): Clock & { later: (ms: number) => void } {
  let offset = 0;
  return {
    ...systemClock,
    now: () => Date.now() + offset,
    later: (ms) => {
      offset += ms;
    },
  };
}
