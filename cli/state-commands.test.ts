/** `weir get` and `weir explain` with no operator: from what lies in the state folder. */
import { beforeAll, expect, test } from 'vitest';
import { type PublishedRoutingPlan, planDigest } from '../contract/plans/published-plan.ts';
import { formatProblem } from '../contract/problem.ts';
import { AGENT_FILES } from '../contract/state-folder.ts';
import { admit } from '../operator/admit/admit.ts';
import { NOTHING_ACCEPTED } from '../operator/admit/snapshot.ts';
import { compile } from '../operator/compile/compile.ts';
import { loadFolder } from '../operator/source/folder/folder-source.ts';
import { runWeir, temporaryFolder } from './testing/run-weir.ts';

const HEAD = 'apiVersion: cdn.weir.dev/v1alpha1';
const node = (name: string, address: string, region: string) =>
  `${HEAD}\nkind: EdgeNode\nmetadata: { name: ${name} }\nspec: { addresses: [${address}], region: ${region} }\n`;
const MANIFESTS = {
  'weir.yaml': `
zones: [{ name: cdn.example.net, nameServers: [{ name: ns1.example.net }], soa: { contact: h.example.net } }]
regions:
  - { name: henan, members: { subdivisions: [CN-HA] } }
  - { name: office, members: { cidrs: [10.1.0.0/16] } }
defaultRegion: office
`,
  'nodes.yaml': [node('zz-1', '192.0.2.1', 'henan'), node('of-1', '192.0.2.2', 'office')].join('---\n'),
  'video.yaml': `
${HEAD}
kind: CdnDomain
metadata: { name: video, namespace: demo }
spec:
  hostname: video.example.com
  aliases: [v2.example.com]
  origins: [{ name: main, url: "http://192.0.2.9" }]
  routing: { ttl: 30s }
`,
};

async function compiledPlan() {
  const loaded = await loadFolder(await temporaryFolder(MANIFESTS), '2026-01-01T00:00:00Z');
  const { config, snapshot, problems } = admit(loaded, NOTHING_ACCEPTED);
  if (!config) throw new Error(problems.map(formatProblem).join('\n'));
  return compile(snapshot, config).routing;
}

const revision = { epoch: 1, seq: 2 };
const row = (name: string) => ({ node: name, acked: revision, admitted: true, reason: '' });
const health = (name: string, address: string, healthy: boolean) => ({
  node: name,
  addresses: [{ address, healthy, detail: healthy ? '200' : 'no answer in 1000 ms' }],
});

let state: string;
beforeAll(async () => {
  const plan = await compiledPlan();
  const published: PublishedRoutingPlan = {
    revision,
    digest: planDigest(plan),
    run: 'r1',
    plan,
    since: Object.fromEntries(plan.domains.map(({ uid }) => [uid, revision])),
  };
  const table = { version: revision, rows: [row('of-1'), row('zz-1')] };
  const seen = [health('of-1', '192.0.2.2', true), health('zz-1', '192.0.2.1', false)];
  state = await temporaryFolder({
    token: 'secret\n',
    [`dns-server/${AGENT_FILES.plan}`]: JSON.stringify(published),
    [`dns-server/${AGENT_FILES.table}`]: JSON.stringify(table),
    [`dns-server/${AGENT_FILES.health}`]: JSON.stringify(seen),
    'accepted/edgenodes/_cluster/zz-1.yaml': `
file: nodes.yaml
resource:
  kind: EdgeNode
  metadata: { name: zz-1, namespace: "", uid: u1, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z", labels: {}, annotations: {} }
  spec: { addresses: [192.0.2.1], region: henan }
`,
    'status/edgenodes/_cluster/zz-1.yaml': `
uid: u1
generation: 1
firstSeen: "2026-01-01T00:00:00Z"
status:
  conditions:
    - { type: Ready, status: "False", reason: Unhealthy, message: health checks fail, lastTransitionTime: "2026-01-01T00:00:00Z" }
`,
  });
});
/** Port 1 (tcpmux) has nobody listening. */
const withState = (...args: string[]) =>
  runWeir([...args, '--state', state, '--operator', 'http://127.0.0.1:1']);

test('explain reads what the dns-server answers from, and says so', async () => {
  const { code, stdout, stderr } = await withState(
    'explain',
    'video.example.com',
    '--client',
    '202.102.224.68',
  );
  expect(stderr).toMatch(/^weir: the operator does not answer \(.*\); reading .*\n$/);
  expect(code).toBe(0);
  expect(stdout).toContain('region  henan (subdivision CN-HA)\nisp     AS4837 ');
  expect(stdout).toMatch(
    /1 +zz-1 +henan +100 +no +Unhealthy: 192\.0\.2\.1: no answer in 1000 ms\n2 +of-1 +office +100 +yes\n/,
  );
  expect(stdout).toMatch(/answer {2}A 192\.0\.2\.2, TTL 30s, ECS scope \/\d+\n$/);
});

test.each(['v2.example.com', 'VIDEO.demo.cdn.example.net.'])(
  'explain takes %s too, and speaks JSON',
  async (name) => {
    const { code, stdout } = await withState('explain', name, '--client', '10.1.2.3', '-o', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      domain: { name: 'video' },
      region: { name: 'office', decidedBy: 'cidr', member: '10.1.0.0/16' },
      answer: { type: 'A', addresses: ['192.0.2.2'], ttl: 30 },
    });
  },
);

test('explain names the domains there are, and wants an address', async () => {
  const unknown = await withState('explain', 'nope.example.com', '--client', '10.1.2.3');
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).toContain(
    'no domain has the name nope.example.com; there is video.example.com, v2.example.com',
  );
  const wrong = await withState('explain', 'video.example.com', '--client', '10.1.2');
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toBe(
    'weir: --client 10.1.2: an IP address or network, such as 202.102.224.68 or 2001:db8::/40\n',
  );
});

test('get reads accepted forms and statuses', async () => {
  const { code, stdout, stderr } = await withState('get', 'edge');
  expect(code).toBe(0);
  expect(stderr).toContain('the operator does not answer');
  expect(stdout).toMatch(
    /^NAME +REGION +ADDRESSES .*\nzz-1 +henan +192\.0\.2\.1 +true +False +Unhealthy +\d+d\n$/,
  );
  const detail = await withState('get', 'EdgeNode', 'zz-1');
  expect(detail.stdout).toMatch(/\nReady +False +Unhealthy +\d+d +health checks fail\n$/);
});

test('get prints objects as kubectl does', async () => {
  const one = await withState('get', 'edge', 'zz-1', '-o', 'json');
  expect(JSON.parse(one.stdout)).toMatchObject({
    apiVersion: 'cdn.weir.dev/v1alpha1',
    kind: 'EdgeNode',
    metadata: { name: 'zz-1', uid: 'u1' },
    spec: { region: 'henan', ports: { http: 80 } },
  });
  const all = await withState('get', '-o', 'json');
  expect(JSON.parse(all.stdout)).toMatchObject({ kind: 'List', items: [{ kind: 'EdgeNode' }] });
});

test('get tells what there is not, and which kinds there are', async () => {
  expect(await withState('get', 'edge', 'la-1')).toMatchObject({ code: 1, stdout: '' });
  const none = await withState('get', 'cdn');
  expect(none).toMatchObject({ code: 0, stdout: '' });
  expect(none.stderr).toContain('there is no CdnDomain');
  const kind = await withState('get', 'pods');
  expect(kind.code).toBe(2);
  expect(kind.stderr).toContain('pods is no kind: cdndomains|cdn, edgenodes|edge, purgejobs|purge');
});

test('top says that nobody could be asked', async () => {
  const { code, stdout, stderr } = await withState('top', '--once');
  expect(stdout).toBe('');
  expect(stderr).toContain('only the operator knows how busy edges are: ');
  expect(code).toBe(4);
});
