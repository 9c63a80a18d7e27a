import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { eventually } from '../../lib/testing/eventually.ts';
import { TEST_CERTIFICATES } from '../testing/certificates.ts';
import { followProbeTrust } from './probe-trust.ts';

const [FIRST, SECOND] = TEST_CERTIFICATES;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-trust-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('another file is taken while it runs, and one that is none is not', async () => {
  const file = join(folder, 'ca.pem');
  await writeFile(file, FIRST.cert);
  const clock = new FakeClock();
  const trust = await followProbeTrust(file, clock, silentLog);
  const first = trust.current();
  await writeFile(file, 'no certificate');
  clock.advance(10_000);
  await writeFile(file, `${FIRST.cert}${SECOND.cert}`);
  await eventually(() => {
    clock.advance(10_000);
    expect(trust.current()).not.toBe(first);
  });
  const second = trust.current();
  clock.advance(10_000);
  expect(trust.current()).toBe(second);
  trust.stop();
});

test('a file that has no certificate, or is not there, is told', async () => {
  const file = join(folder, 'ca.pem');
  await expect(followProbeTrust(file, new FakeClock(), silentLog)).rejects.toThrow('ENOENT');
  await writeFile(file, SECOND.key);
  await expect(followProbeTrust(file, new FakeClock(), silentLog)).rejects.toThrow('no certificate in PEM');
});
