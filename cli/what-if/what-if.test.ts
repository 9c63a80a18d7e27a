/** `weir what-if`: the pure parts, and the command against an operator that runs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { startOperator } from '../../operator/main.ts';
import { domainManifest, nodeManifest, SETTINGS } from '../../operator/testing/manifests.ts';
import { runWeir, temporaryFolder } from '../testing/run-weir.ts';
import { madeUpQueries, parseQueries } from './queries.ts';

describe('a query log', () => {
  test('has client and name in either order, and may have type and count', () => {
    const { queries, faults } = parseQueries(
      [
        '# a comment',
        '202.102.224.68 Video.Example.com.',
        'video.example.com,2001:db8::/40,AAAA,17',
        '',
        'video.example.com nobody',
        '192.0.2.1 video.example.com MX',
      ].join('\n'),
    );
    expect(queries.map(({ name, family, count }) => [name, family, count])).toEqual([
      ['video.example.com', 4, 1],
      ['video.example.com', 6, 17],
    ]);
    expect(faults).toEqual([
      'line 5: video.example.com nobody: no client’s address or network',
      'line 6: MX: A or AAAA, since other types have no nodes',
    ]);
  });

  test('that is made up is the same each time, and spread over the Internet', () => {
    const queries = madeUpQueries(['a.example', 'b.example'], 2_000);
    expect(queries).toEqual(madeUpQueries(['a.example', 'b.example'], 2_000));
    expect(new Set(queries.map(({ client }) => client.address.bytes[0])).size).toBeGreaterThan(200);
    expect(queries.filter(({ name }) => name === 'a.example')).toHaveLength(1_000);
  });
});

describe('the command', () => {
  let operator: Awaited<ReturnType<typeof startOperator>>;
  let where: string[];
  let folder: string;

  beforeAll(async () => {
    const nodes = ['a', 'b', 'c'].map((name, at) =>
      nodeManifest(name, { addresses: [`192.0.2.${at + 10}`] }),
    );
    folder = await temporaryFolder({
      'weir.yaml': SETTINGS,
      'nodes.yaml': nodes.join(''),
      'video.yaml': domainManifest('video', { routing: { answers: 1 } }),
    });
    const state = join(await temporaryFolder(), 'state');
    operator = await startOperator({ folder, state, listen: { host: '127.0.0.1', port: 0 }, log: silentLog });
    where = ['--state', state, '--operator', `https://127.0.0.1:${operator.address.port}`];
    await eventually(async () =>
      expect((await runWeir(['get', 'edge', ...where])).stdout).toContain('us-west'),
    );
  });
  afterAll(() => operator.stop());

  const whatIf = async (manifest: string, ...args: string[]) => {
    const file = join(await temporaryFolder(), 'change.yaml');
    await writeFile(file, manifest);
    return runWeir(['what-if', file, ...args, ...where]);
  };

  test('a fourth of three equal nodes takes a quarter, from each of them alike', async () => {
    const ran = await whatIf(nodeManifest('d', { addresses: ['192.0.2.20'] }), '-o', 'json');
    expect(ran.stderr).toBe('');
    const { queries, moved, nodes, moves } = JSON.parse(ran.stdout);
    expect(queries).toBe(10_000);
    expect(Math.abs(moved - 0.25)).toBeLessThan(0.03);
    expect(nodes.map(({ node }: { node: string }) => node)).toEqual(['a', 'b', 'c', 'd']);
    expect(new Set(moves.map(({ to }: { to: string }) => to))).toEqual(new Set(['d']));
    for (const { share } of moves) expect(Math.abs(share - 0.25 / 3)).toBeLessThan(0.02);
  }, 60_000);

  test('what is as it was moves nothing, and a log tells for whom', async () => {
    const log = join(folder, 'queries.log');
    await writeFile(log, '8.8.8.8 video.example.com A 9\n8.8.8.8 nobody.example.com\n');
    const same = await whatIf(nodeManifest('a', { addresses: ['192.0.2.10'] }), '--queries', log);
    expect(same.stdout).toMatch(/^0\.0 % of 9 queries would move to other nodes\.\n1 more are for names/);
    const gone = await whatIf(
      ['a', 'b', 'c'].map((name) => nodeManifest(name, { schedulable: false })).join(''),
      '--queries',
      log,
    );
    expect(gone.stdout).toMatch(/^100\.0 % of 9/);
    expect(gone.stdout).toMatch(/\(no answer\) +0\.0 % +100\.0 %/);
  }, 60_000);

  test('a manifest that would be refused compares nothing', async () => {
    const ran = await whatIf(nodeManifest('a', { region: 'nowhere' }));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('one of the regions of weir.yaml');
    expect(ran.stderr).toContain('nothing is compared');
  });

  test('a file that is not there, and a time that is none, are told', async () => {
    expect(await runWeir(['what-if', '/nowhere.yaml', ...where])).toMatchObject({ code: 2 });
    expect((await whatIf('', '--at', 'soon')).stderr).toContain('A time such as');
  });
});
