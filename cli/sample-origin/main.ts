/**
 * The sample origin: files made from a seed, served with everything a cache cares about (validators, freshness, single
 * ranges), so that Weir can be tried without an origin of one's own. `/__stats` counts what reached it.
 *
 *     seed ──> files on disk ──> HTTP server
 */
import { Command } from 'commander';
import { listen } from '../../lib/listen.ts';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '../../lib/listen-address.ts';
import { createLog, type Log } from '../../lib/log.ts';
import { runUntilStopped } from '../../lib/run-until-stopped.ts';
import { EXIT } from '../exit-codes.ts';
import { makeFiles } from './files.ts';
import { sampleOriginServer } from './server.ts';

export interface SampleOriginOptions {
  listen: ListenAddress;
  seed: number;
  folder: string;
  log: Log;
}

export interface SampleOrigin {
  address: ListenAddress;
  stop(): Promise<void>;
}

export async function startSampleOrigin(options: SampleOriginOptions): Promise<SampleOrigin> {
  const { folder, seed, log } = options;
  const files = await makeFiles(folder, seed);
  const server = sampleOriginServer(files, log);
  const address = await listen(server, options.listen);
  log.info({ listen: formatListenAddress(address), files: files.length, seed }, 'sample origin serves');
  return {
    address,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function readCommandLine(): Omit<SampleOriginOptions, 'log'> {
  const program: Command = new Command('weir-sample-origin')
    .description('Makes sample files from a seed, and serves them.')
    .option('--listen <address>', 'address and port', '127.0.0.1:8800')
    .option('--seed <number>', 'the files are made from this number', '1')
    .requiredOption('--folder <dir>', 'where the files are kept')
    .addHelpText('after', '\nExample:\n  node cli/sample-origin/main.ts --folder .weir/sample-origin\n');
  const { listen: text, seed, folder } = program.parse().opts<Record<'listen' | 'seed' | 'folder', string>>();
  const address = parseListenAddress(text);
  if (!address)
    program.error(`--listen ${text}: an IP address and a port, such as 127.0.0.1:8800`, {
      exitCode: EXIT.usage,
    });
  if (!/^\d{1,10}$/.test(seed))
    program.error(`--seed ${seed}: a whole number, 0 or more`, { exitCode: EXIT.usage });
  return { listen: address, seed: Number(seed), folder };
}

if (import.meta.main) {
  const options = readCommandLine();
  const log = createLog('sample-origin');
  await runUntilStopped(log, () => startSampleOrigin({ ...options, log }));
}
