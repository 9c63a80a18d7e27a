/** A program's log, seen from who reads it, and from who has stopped to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const PROGRAM = `
  import { createLog } from '${import.meta.dirname}/log.ts';
  const log = createLog('test');
  process.on('message', () => {
    for (let n = 0; n < 3000; n++) log.info({ n }, 'x'.repeat(100));
    process.exit(3);
  });
  process.send('ready');
`;

const start = (): ChildProcess =>
  spawn(process.execPath, ['--input-type=module-typescript', '-e', PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });

test('all lines are there, though the program ends at once and the pipe is short', async () => {
  const child = start();
  await once(child, 'message');
  child.send('go');
  if (!child.stdout) throw new Error('no pipe');
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const numbers = said.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).n]));
  // A chunk that was under way when the program ended may come after what it wrote last.
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
  expect(code).toBe(3);
});

test('a program whose reader is gone ends all the same', async () => {
  const child = start();
  await once(child, 'message');
  child.stdout?.destroy();
  const ended = once(child, 'exit');
  child.send('go');
  expect(await ended).toEqual([3, null]);
});
