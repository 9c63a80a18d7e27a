/** The commands of the README's section on Kubernetes, and a shell in which they work as they stand there. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { helmBinary, kubectlBinary } from '../cluster/binaries.ts';
import { demoText, folder, ROOT } from './world.ts';

/** Block by block; NODE is what a reader puts the name of a node for. */
export function readmeCommands(node: string): string[] {
  const [, section = ''] = readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n## On Kubernetes\n');
  const [text = ''] = section.split('\n## ');
  return [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) =>
    block.replaceAll(' NODE ', ` ${node} `),
  );
}

/** Runs a block where the chart and the examples lie, and the reader's `values.yaml`; resolves with what it printed. */
export async function readerShell(kubeconfig: string): Promise<(block: string) => Promise<string>> {
  const home = join(folder(), 'reader');
  mkdirSync(join(home, 'examples', 'kubernetes'), { recursive: true });
  cpSync(join(ROOT, 'helm'), join(home, 'helm'), { recursive: true });
  writeFileSync(join(home, 'examples', 'kubernetes', 'demo.yaml'), demoText());
  writeFileSync(join(home, 'values.yaml'), readersValues());
  // curl -s says nothing of why it failed either.
  writeFileSync(join(home, '.curlrc'), 'show-error\n');
  const tools = [await kubectlBinary(), await helmBinary()].map((path) => dirname(path));
  const path = [...tools, join(folder(), 'dist', 'bin'), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH: path, KUBECONFIG: kubeconfig, HOME: home };
  return async (block) => {
    const args = ['-euo', 'pipefail', '-x', '-c', block];
    const { stdout } = await promisify(execFile)('bash', args, { cwd: home, env, maxBuffer: 2 ** 24 });
    return stdout;
  };
}

/** The node's folders are this machine's: they go with the test. */
function readersValues(): string {
  const values = parse(readFileSync(join(import.meta.dirname, 'values.yaml'), 'utf8'));
  for (const name of ['dnsServer', 'edge']) {
    values[name].state = { hostPath: join(folder(), `state-${name}`) };
  }
  return stringify(values);
}
