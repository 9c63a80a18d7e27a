import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newZoneKey, publicPart, type ZoneKeys } from '../../contract/dns/zone-keys.ts';
import { EXIT } from '../exit-codes.ts';
import { runWeir, temporaryFolder } from '../testing/run-weir.ts';

const ZONE = 'cdn.example.net';
const [oldKey, newKey] = [newZoneKey(0, true), newZoneKey(1, false)];

const stateWith = (keys: Partial<ZoneKeys>) =>
  temporaryFolder({
    token: 'secret',
    [`secrets/${ZONE}.keys.json`]: JSON.stringify({ zone: ZONE, keys: [oldKey], ...keys }),
  });

test('ds prints what the parent should have, and no private part', async () => {
  const state = await stateWith({});
  const { code, stdout, stderr } = await runWeir(['dnssec', 'ds', ZONE, '--state', state]);
  expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: '' });
  expect(stdout).toMatch(new RegExp(`^${ZONE}\\. IN DS ${publicPart(oldKey).tag} 13 2 [0-9A-F]{64}\n$`));
  const json = await runWeir(['dnssec', 'ds', ZONE, '--state', state, '-o', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    records: [{ tag: publicPart(oldKey).tag }],
    rollover: null,
  });
  expect(stdout + json.stdout).not.toContain('PRIVATE');
});

test('ds says in a rollover what to do with it', async () => {
  const keys = [oldKey, newKey];
  const state = await stateWith({ keys, rollover: { phase: 'Publishing', since: 0, dsTtl: 86_400 } });
  expect((await runWeir(['dnssec', 'ds', ZONE, '--state', state])).stdout).toMatch(/leave it for now/);
  const again = await runWeir(['dnssec', 'rollover', ZONE, '--state', state]);
  expect([again.code, again.stderr]).toEqual([
    EXIT.failed,
    `weir: a rollover of ${ZONE} is under way: Publishing\n`,
  ]);
});

test('rollover leaves a request for the operator', async () => {
  const state = await stateWith({});
  expect((await runWeir(['dnssec', 'rollover', ZONE, '--state', state])).code).toBe(EXIT.ok);
  await access(join(state, 'rollovers', ZONE));
});

test.each(['ds', 'rollover'])('%s of a zone without a key is told', async (command) => {
  const { code, stderr } = await runWeir(['dnssec', command, 'example.org', '--state', await stateWith({})]);
  expect([code, stderr]).toEqual([EXIT.failed, 'weir: no key of example.org; zones with dnssec: none\n']);
});
