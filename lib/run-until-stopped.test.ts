import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';

/** A program that waits for `ready` before it asks to run, prints when it is up, and prints when it stops. */
const program = (ready: string, further = '', options = '{}') => `
  import { runUntilStopped } from '${new URL('./run-until-stopped.ts', import.meta.url).href}';
  import { silentLog } from '${new URL('./log.ts', import.meta.url).href}';
  ${ready}
  const hold = setInterval(() => {}, 1_000);
  await runUntilStopped(silentLog, async () => {
    console.log('up');
    return { ${further} stop: async () => console.log('stopped') };
  }, ${options});
`;

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

function start(source: string, channel: boolean) {
  const stdio = channel
    ? (['ignore', 'pipe', 'inherit', 'ipc'] as const)
    : (['ignore', 'pipe', 'inherit'] as const);
  const started = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: [...stdio],
  });
  child = started;
  return { started, exit: once(started, 'exit') };
}

test.for(['SIGTERM', 'SIGINT'] as const)('%s stops it cleanly', async (signal) => {
  const { started, exit } = start(program(''), false);
  let output = '';
  started.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output === 'up\n') started.kill(signal);
  });
  expect(await exit).toEqual([0, null]);
  expect(output).toBe('up\nstopped\n');
});

test('one that drains goes on until it has drained, or is told again', async () => {
  const drain = "drain: () => new Promise(() => console.log('draining')),";
  const { started, exit } = start(program('', drain), false);
  let output = '';
  started.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    started.kill('SIGTERM');
  });
  expect(await exit).toEqual([0, null]);
  expect(output).toBe('up\ndraining\nstopped\n');
});

test('one that leaves signals to its parent goes with it, and not before', async () => {
  const answers = "process.on('message', () => console.log('alive'));";
  const { started, exit } = start(program(answers, '', '{ leavesSignals: true }'), true);
  let output = '';
  started.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output === 'up\n') {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) started.kill(signal);
      started.send('are you there?');
    }
    if (output === 'up\nalive\n') started.disconnect();
  });
  expect(await exit).toEqual([0, null]);
  expect(output).toBe('up\nalive\nstopped\n');
});

test('a parent that goes stops it', async () => {
  const { started, exit } = start(program(''), true);
  started.stdout?.once('data', () => started.disconnect());
  expect(await exit).toEqual([0, null]);
});

test('so does one that was gone before the program had loaded: no orphan is left', async () => {
  // The channel is read, and found closed, while modules are still loading.
  const loading = "await new Promise((loaded) => process.once('disconnect', loaded));";
  const { started, exit } = start(program(loading), true);
  started.disconnect();
  expect(await exit).toEqual([0, null]);
});
